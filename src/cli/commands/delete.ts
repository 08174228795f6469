import { UsageError } from '#lib/errors.ts';
import type { ObjectView } from '#server/view.ts';
import { clientFlags, namespaceRow, parseClientArgs } from '../client-flags.ts';
import type { Command, CommandContext } from '../context.ts';
import { helpText } from '../help-text.ts';
import { write } from '../io.ts';
import { manifestFiles } from '../manifest-files.ts';
import { findPod, parsePodRef, refOf, type PodRef } from '../names.ts';

const specs = clientFlags(
  namespaceRow,
  ['grace-period', 'int', '-1', 'Seconds that the pod has to end; -1: what its manifest says.', { min: -1 }],
  [
    'filename',
    'strings',
    '',
    'Manifests whose pods, ConfigMaps and Secrets are deleted: file, directory or -.',
    { short: 'f' },
  ],
);

type Kind = 'Pod' | ObjectView['kind'];
type Ref = PodRef & { kind: Kind };

const KINDS: Readonly<Record<string, Kind>> = {
  po: 'Pod',
  pod: 'Pod',
  pods: 'Pod',
  cm: 'ConfigMap',
  configmap: 'ConfigMap',
  configmaps: 'ConfigMap',
  secret: 'Secret',
  secrets: 'Secret',
};

const kindOf = (word: string): Kind | undefined => (Object.hasOwn(KINDS, word) ? KINDS[word] : undefined);

const isKind = (kind: unknown): kind is Kind => kind === 'Pod' || kind === 'ConfigMap' || kind === 'Secret';

/** What manifests name. The YAML library is loaded only here. */
async function refsOf(paths: readonly string[], namespace: string, context: CommandContext): Promise<Ref[]> {
  const { parseAllDocuments } = await import('yaml');
  const refs: Ref[] = [];
  for (const { name, text } of await manifestFiles(paths, context.io.stdin)) {
    const documents = parseAllDocuments(text);
    for (const document of Array.isArray(documents) ? documents : []) {
      const object = document.toJS({ maxAliasCount: 100 }) as unknown;
      if (document.errors.length > 0) throw new UsageError(`${name} is no YAML or JSON`);
      const { kind, metadata } = (object ?? {}) as {
        kind?: unknown;
        metadata?: { name?: unknown; namespace?: unknown };
      };
      if (!isKind(kind) || typeof metadata?.name !== 'string') continue;
      refs.push({
        kind,
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
      'nodelet delete pod|configmap|secret NAME… | -f FILE|DIR|-',
      'Deletes what was applied. What the manifest directory holds goes with its file. Standalone mode only.',
      ['nodelet delete pod web', 'nodelet delete pod web --grace-period=1', 'nodelet delete -f web.yaml'],
      specs,
    ),
  async run(args, context) {
    const { flags, words, client } = parseClientArgs(specs, args, context);
    const namespace = flags.string('namespace') ?? 'default';
    const paths = flags.list('filename');
    const [first = '', ...rest] = words;
    const [word = '', slashName] = first.split('/');
    const kind = kindOf(word);
    if (paths.length > 0 ? words.length > 0 : kind === undefined) {
      throw new UsageError(
        'delete takes pods, configmaps, secrets, or manifests by -f: nodelet delete pod web',
      );
    }
    const names = slashName === undefined ? rest : [slashName, ...rest];
    if (paths.length === 0 && names.length === 0)
      throw new UsageError(`delete which ${(kind ?? 'Pod').toLowerCase()}?`);
    const refs =
      kind === undefined
        ? await refsOf(paths, namespace, context)
        : names.map((name) => ({ kind, ...parsePodRef(name, namespace) }));
    const grace = flags.number('grace-period') ?? -1;
    for (const ref of refs) {
      if (ref.kind !== 'Pod') {
        await client.deleteObject(ref.kind, ref.namespace, ref.name);
        await write(context.io.stdout, `${ref.kind.toLowerCase()} "${ref.name}" deleted\n`);
        continue;
      }
      const found = refOf(await findPod(client, ref));
      await client.deletePod(found.namespace, found.name, grace < 0 ? undefined : grace);
      await write(context.io.stdout, `pod "${found.name}" deleted\n`);
    }
    return 0;
  },
};
