import { UsageError } from '#lib/errors.ts';
import type { Flags } from '#config/flags/values.ts';
import type { LogOptions } from '#server/view.ts';
import { clientFlags, containerRow, namespaceRow, parseClientArgs } from '../client-flags.ts';
import type { Command } from '../context.ts';
import { helpText } from '../help-text.ts';
import { write } from '../io.ts';
import { findPod, parsePodRef, refOf } from '../names.ts';

const specs = clientFlags(
  namespaceRow,
  containerRow,
  ['follow', 'bool', 'false', 'Goes on with what the container still writes.', { short: 'f' }],
  ['previous', 'bool', 'false', 'The log of the container’s instance before.', { short: 'p' }],
  ['timestamps', 'bool', 'false', 'A time before each line.'],
  ['tail', 'int', '-1', 'Only the last lines; -1: all.', { min: -1 }],
  ['since', 'duration', '', 'Only lines younger than this: 5s, 2m, 3h.', { min: 0 }],
  ['since-time', 'string', '', 'Only lines after this time (RFC 3339).'],
  ['limit-bytes', 'int', '0', 'At most so many bytes; 0: no limit.', { min: 0 }],
);

function options(flags: Flags, container: string | undefined): LogOptions {
  const tail = flags.number('tail') ?? -1;
  const since = flags.number('since');
  const sinceTime = flags.string('since-time');
  const limit = flags.number('limit-bytes') ?? 0;
  if (since !== undefined && sinceTime !== undefined) {
    throw new UsageError('flags --since and --since-time exclude each other');
  }
  if (sinceTime !== undefined && Number.isNaN(Date.parse(sinceTime))) {
    throw new UsageError(
      `flag --since-time: ${JSON.stringify(sinceTime)} is not allowed; allowed: a time such as 2026-01-02T15:04:05Z`,
    );
  }
  return {
    ...(container === undefined ? {} : { container }),
    follow: flags.bool('follow') ?? false,
    previous: flags.bool('previous') ?? false,
    timestamps: flags.bool('timestamps') ?? false,
    ...(tail < 0 ? {} : { tailLines: tail }),
    // Upstream counts whole seconds, and part of one as one.
    ...(since === undefined ? {} : { sinceSeconds: Math.max(1, Math.ceil(since / 1000)) }),
    ...(sinceTime === undefined ? {} : { sinceTime }),
    ...(limit === 0 ? {} : { limitBytes: limit }),
  };
}

export const logsCommand: Command = {
  help: () =>
    helpText(
      'nodelet logs POD [-c CONTAINER] [flags]',
      'Prints a container’s log.',
      ['nodelet logs web', 'nodelet logs -f --tail=20 web -c app', 'nodelet logs -p crasher'],
      specs,
    ),
  async run(args, context) {
    const { flags, words, client } = parseClientArgs(specs, args, context);
    const [word, containerWord, ...more] = words;
    if (word === undefined || more.length > 0) {
      throw new UsageError(
        'logs takes a pod, and a container if it has several: nodelet logs POD [CONTAINER]',
      );
    }
    const container = flags.string('container') ?? containerWord;
    const wanted = options(flags, container);
    const view = await findPod(client, parsePodRef(word, flags.string('namespace') ?? 'default'));
    const containers = view.pod.spec?.containers ?? [];
    if (container === undefined && containers.length > 1) {
      const first = containers[0]?.name ?? '';
      const list = containers.map(({ name }) => name).join(', ');
      await write(context.io.stderr, `Defaulted container "${first}" out of: ${list}\n`);
      wanted.container = first;
    }
    const { namespace, name } = refOf(view);
    for await (const chunk of client.logs(namespace, name, wanted)) await write(context.io.stdout, chunk);
    return 0;
  },
};
