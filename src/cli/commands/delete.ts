import { UsageError } from '#lib/errors.ts';
import { clientFlags, namespaceRow, parseClientArgs } from '../client-flags.ts';
import type { Command, CommandContext } from '../context.ts';
import { helpText } from '../help-text.ts';
import { write } from '../io.ts';
import { manifestFiles } from '../manifest-files.ts';
import { findPod, parsePodRef, refOf, type PodRef } from '../names.ts';

const specs = clientFlags(
  namespaceRow,
  ['grace-period', 'int', '-1', 'Seconds that the pod has to end; -1: what its manifest says.', { min: -1 }],
  ['filename', 'strings', '', 'Manifests whose pods are deleted: file, directory or -.', { short: 'f' }],
);

/** The pods that manifests name. The YAML library is loaded only here. */
async function podsOf(
  paths: readonly string[],
  namespace: string,
  context: CommandContext,
): Promise<PodRef[]> {
  const { parseAllDocuments } = await import('yaml');
  const refs: PodRef[] = [];
  for (const { name, text } of await manifestFiles(paths, context.io.stdin)) {
    const documents = parseAllDocuments(text);
    for (const document of Array.isArray(documents) ? documents : []) {
      const object = document.toJS({ maxAliasCount: 100 }) as unknown;
      if (document.errors.length > 0) throw new UsageError(`${name} is no YAML or JSON`);
      const { kind, metadata } = (object ?? {}) as {
        kind?: unknown;
        metadata?: { name?: unknown; namespace?: unknown };
      };
      if (kind !== 'Pod' || typeof metadata?.name !== 'string') continue;
      refs.push({
        namespace: typeof metadata.namespace === 'string' ? metadata.namespace : namespace,
        name: metadata.name,
      });
    }
  }
  return refs;
}

export const deleteCommand: Command = {
  help: () =>
    helpText(
      'nodelet delete pod NAME… | -f FILE|DIR|-',
      'Deletes pods that were applied. Pods of the manifest directory go with their file. Standalone mode only.',
      ['nodelet delete pod web', 'nodelet delete pod web --grace-period=1', 'nodelet delete -f web.yaml'],
      specs,
    ),
  async run(args, context) {
    const { flags, words, client } = parseClientArgs(specs, args, context);
    const namespace = flags.string('namespace') ?? 'default';
    const paths = flags.list('filename');
    const [first = '', ...rest] = words;
    const [kind = '', slashName] = first.split('/');
    if (paths.length > 0 ? words.length > 0 : !['po', 'pod', 'pods'].includes(kind)) {
      throw new UsageError('delete takes pods, or manifests by -f: nodelet delete pod web');
    }
    const names = slashName === undefined ? rest : [slashName, ...rest];
    if (paths.length === 0 && names.length === 0) throw new UsageError('delete which pod?');
    const refs =
      paths.length > 0
        ? await podsOf(paths, namespace, context)
        : names.map((name) => parsePodRef(name, namespace));
    const grace = flags.number('grace-period') ?? -1;
    for (const ref of refs) {
      const found = refOf(await findPod(client, ref));
      await client.deletePod(found.namespace, found.name, grace < 0 ? undefined : grace);
      await write(context.io.stdout, `pod "${found.name}" deleted\n`);
    }
    return 0;
  },
};
