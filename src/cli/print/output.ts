import type { Flags } from '#config/flags/values.ts';
import type { CommandContext } from '../context.ts';
import { write } from '../io.ts';
import { listOf, toJson, toYaml } from './objects.ts';

/** Prints objects in the form that `--output` asks for; `rows` makes the table. Returns the exit status. */
export async function print(
  { io }: CommandContext,
  flags: Flags,
  kind: string,
  objects: readonly { metadata?: { name?: string } }[],
  single: boolean,
  rows: () => string,
): Promise<number> {
  const value = single ? objects[0] : listOf(objects);
  switch (flags.string('output')) {
    case 'json':
      await write(io.stdout, toJson(value));
      return 0;
    case 'yaml':
      await write(io.stdout, await toYaml(value));
      return 0;
    case 'name': {
      const names = objects.map((each) => `${kind.replace(/s$/, '')}/${each.metadata?.name ?? ''}\n`);
      await write(io.stdout, names.join(''));
      return 0;
    }
    default: {
      const text = rows();
      await write(io.stdout, flags.bool('no-headers') === true ? text.slice(text.indexOf('\n') + 1) : text);
      return 0;
    }
  }
}
