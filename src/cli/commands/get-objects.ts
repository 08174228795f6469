import type { Flags } from '#config/flags/values.ts';
import { NotFoundError } from '#lib/errors.ts';
import type { ObjectView } from '#server/view.ts';
import type { AgentClient } from '../client.ts';
import type { CommandContext } from '../context.ts';
import { table } from '../print/columns.ts';
import { write } from '../io.ts';
import { print } from '../print/output.ts';

/** Lists ConfigMaps or Secrets of manifests: names, keys and where they come from; the agent tells no values. */
export async function getObjects(
  context: CommandContext,
  client: AgentClient,
  flags: Flags,
  kind: ObjectView['kind'],
  names: readonly string[],
): Promise<number> {
  const namespace = flags.string('namespace') ?? 'default';
  const all = flags.bool('all-namespaces') === true;
  const here = (await client.objects(kind)).filter(({ metadata }) => all || metadata.namespace === namespace);
  const what = `${kind.toLowerCase()}s`;
  for (const name of names)
    if (!here.some(({ metadata }) => metadata.name === name))
      throw new NotFoundError(`${what} "${name}" not found in namespace ${namespace}`);
  const found = names.length === 0 ? here : here.filter(({ metadata }) => names.includes(metadata.name));
  if (found.length === 0)
    await write(
      context.io.stderr,
      all ? 'No resources found\n' : `No resources found in ${namespace} namespace.\n`,
    );
  const head = [
    ...(all ? ['NAMESPACE'] : []),
    'NAME',
    ...(kind === 'Secret' ? ['TYPE'] : []),
    'KEYS',
    'FROM',
  ];
  const row = ({ metadata, type = '', keys, origin }: ObjectView): string[] => [
    ...(all ? [metadata.namespace] : []),
    metadata.name,
    ...(kind === 'Secret' ? [type] : []),
    keys.length === 0 ? '<none>' : keys.join(','),
    origin,
  ];
  return print(context, flags, what, found, names.length === 1, () =>
    found.length === 0 ? '' : table(head, found.map(row)),
  );
}
