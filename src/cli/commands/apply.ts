import { UsageError } from '#lib/errors.ts';
import { clientFlags, parseClientArgs } from '../client-flags.ts';
import { AgentError } from '../client.ts';
import type { Command } from '../context.ts';
import { helpText } from '../help-text.ts';
import { write } from '../io.ts';
import { manifestFiles } from '../manifest-files.ts';

const specs = clientFlags([
  'filename',
  'strings',
  '',
  'A manifest, a directory of manifests, or - for standard input. Repeatable.',
  { short: 'f' },
]);

export const applyCommand: Command = {
  help: () =>
    helpText(
      'nodelet apply -f FILE|DIR|-',
      'Takes manifests and keeps them over restarts. Standalone mode only.',
      ['nodelet apply -f web.yaml', 'cat web.yaml | nodelet apply -f -'],
      specs,
    ),
  async run(args, context) {
    const { flags, words, client } = parseClientArgs(specs, args, context);
    const paths = flags.list('filename');
    if (paths.length === 0 || words.length > 0) {
      throw new UsageError('apply takes manifests by -f: nodelet apply -f web.yaml');
    }
    let failed = false;
    for (const file of await manifestFiles(paths, context.io.stdin)) {
      try {
        for (const { kind, name, result } of await client.apply(file.text)) {
          await write(context.io.stdout, `${kind.toLowerCase()}/${name} ${result}\n`);
        }
      } catch (error) {
        if (!(error instanceof AgentError)) throw error;
        failed = true;
        await write(context.io.stderr, `error: ${file.name}: ${error.message}\n`);
      }
    }
    return failed ? 1 : 0;
  },
};
