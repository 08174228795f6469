import { UsageError } from '#lib/errors.ts';
import { nearest } from '#config/flags/nearest.ts';
import { NotBuiltError } from '#config/daemon-flags.ts';
import type { Flags } from '#config/flags/values.ts';
import { clientFlags, namespaceRow, parseClientArgs } from '../client-flags.ts';
import type { AgentClient } from '../client.ts';
import type { Command, CommandContext } from '../context.ts';
import { helpText } from '../help-text.ts';
import { write } from '../io.ts';
import { findPod, parsePodRef } from '../names.ts';
import { table } from '../print/columns.ts';
import { eventHead, eventRow } from '../print/event-table.ts';
import { nodeHead, nodeRow } from '../print/node-table.ts';
import { toJson, toYaml } from '../print/objects.ts';
import { print } from '../print/output.ts';
import { podHead, podRow, type TableOptions } from '../print/pod-table.ts';
import { getObjects } from './get-objects.ts';
import { problemHead, problemRow } from '../print/problem-table.ts';
import { watchPods } from '../watch.ts';

const outputs = ['wide', 'json', 'yaml', 'name'];

const specs = clientFlags(
  namespaceRow,
  ['all-namespaces', 'bool', 'false', 'Pods of all namespaces.', { short: 'A' }],
  [
    'output',
    'string',
    '',
    'Form of the output: wide, json, yaml or name.',
    { short: 'o', oneOf: ['', ...outputs] },
  ],
  ['watch', 'bool', 'false', 'Goes on with a line for every pod that changes.', { short: 'w' }],
  ['no-headers', 'bool', 'false', 'Leaves the line of column names out.'],
);

/** Names of kinds, as kubectl takes them. */
const kinds: Readonly<Record<string, string>> = {
  po: 'pods',
  pod: 'pods',
  pods: 'pods',
  no: 'nodes',
  node: 'nodes',
  nodes: 'nodes',
  ev: 'events',
  event: 'events',
  events: 'events',
  problem: 'problems',
  problems: 'problems',
  cm: 'configmaps',
  configmap: 'configmaps',
  configmaps: 'configmaps',
  secret: 'secrets',
  secrets: 'secrets',
  svc: 'services',
  service: 'services',
  services: 'services',
};

const allowed = 'allowed: pods, node, events, problems, configmaps, secrets';

function kindOf(word: string | undefined): string {
  if (word === undefined) {
    throw new UsageError(`get what? ${allowed}; example: nodelet get pods -A`);
  }
  const kind = Object.hasOwn(kinds, word) ? kinds[word] : undefined;
  if (kind !== undefined) return kind;
  const hint = nearest(word, Object.keys(kinds));
  throw new UsageError(`get ${JSON.stringify(word)}: ${allowed}${hint ? `; did you mean ${hint}?` : ''}`);
}

async function getPods(
  context: CommandContext,
  client: AgentClient,
  flags: Flags,
  words: readonly string[],
): Promise<number> {
  const { io } = context;
  const namespace = flags.string('namespace') ?? 'default';
  const all = flags.bool('all-namespaces') === true;
  const options = (): TableOptions => ({
    wide: flags.string('output') === 'wide',
    withNamespace: all,
    now: io.clock.now(),
  });
  if (flags.bool('watch') === true) {
    return watchPods(context, client, { namespace, all, words, options: options() });
  }
  if (words.length > 0) {
    const found = await Promise.all(words.map((word) => findPod(client, parsePodRef(word, namespace))));
    const pods = found.map(({ pod }) => pod);
    return print(context, flags, 'pods', pods, pods.length === 1, () =>
      table(
        podHead(options()),
        pods.map((pod) => podRow(pod, options())),
      ),
    );
  }
  const pods = (await client.pods())
    .map(({ pod }) => pod)
    .filter((pod) => all || pod.metadata?.namespace === namespace)
    .sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
  const status = await print(context, flags, 'pods', pods, false, () =>
    pods.length === 0
      ? ''
      : table(
          podHead(options()),
          pods.map((pod) => podRow(pod, options())),
        ),
  );
  if (['', 'wide'].includes(flags.string('output') ?? '')) {
    if (pods.length === 0) {
      await write(
        io.stderr,
        all ? 'No resources found\n' : `No resources found in ${namespace} namespace.\n`,
      );
    }
    const problems = await client.problems();
    if (problems.length > 0) {
      const count = problems.length === 1 ? '1 manifest is' : `${problems.length} manifests are`;
      await write(io.stderr, `${count} not in force: see "nodelet get problems"\n`);
    }
  }
  return status;
}

const sortKey = (pod: { metadata?: { namespace?: string; name?: string } }): string =>
  `${pod.metadata?.namespace ?? ''}/${pod.metadata?.name ?? ''}`;

async function getNode(context: CommandContext, client: AgentClient, flags: Flags): Promise<number> {
  const node = await client.node();
  const options = {
    wide: flags.string('output') === 'wide',
    withNamespace: false,
    now: context.io.clock.now(),
  };
  return print(context, flags, 'nodes', [node], true, () =>
    table(nodeHead(options), [nodeRow(node, options)]),
  );
}

async function getEvents(context: CommandContext, client: AgentClient, flags: Flags): Promise<number> {
  const namespace = flags.string('namespace') ?? 'default';
  const all = flags.bool('all-namespaces') === true;
  const now = context.io.clock.now();
  const events = (await client.events()).filter((each) => all || each.metadata.namespace === namespace);
  return print(context, flags, 'events', events, false, () =>
    table(
      eventHead(all),
      events.map((event) => eventRow(event, all, now)),
    ),
  );
}

async function getProblems(context: CommandContext, client: AgentClient, flags: Flags): Promise<number> {
  const problems = await client.problems();
  if (flags.string('output') === 'json') {
    await write(context.io.stdout, toJson({ items: problems }));
  } else if (flags.string('output') === 'yaml') {
    await write(context.io.stdout, await toYaml({ items: problems }));
  } else if (problems.length === 0) {
    await write(context.io.stderr, 'Every manifest is in force.\n');
  } else await write(context.io.stdout, table(problemHead, problems.map(problemRow)));
  return 0;
}

export const getCommand: Command = {
  help: () =>
    helpText(
      'nodelet get pods|node|events|problems|configmaps|secrets [NAME…] [flags]',
      'Lists pods, the node, events, manifests that are not in force, or names and keys of ConfigMaps and Secrets.',
      [
        'nodelet get pods -A -o wide',
        'nodelet get pod web -o yaml',
        'nodelet get pods -w',
        'nodelet get events -n kube-system',
      ],
      specs,
    ),
  async run(args, context) {
    const { flags, words, client } = parseClientArgs(specs, args, context);
    const [first, ...rest] = words;
    const [word, slashName] = (first ?? '').split('/');
    const kind = kindOf(first === undefined ? undefined : word);
    const names = slashName === undefined ? rest : [slashName, ...rest];
    if (kind === 'services') throw new NotBuiltError('services are not built yet');
    if (kind === 'pods') return getPods(context, client, flags, names);
    if (kind === 'nodes') return getNode(context, client, flags);
    if (kind === 'events') return getEvents(context, client, flags);
    if (kind === 'configmaps') return getObjects(context, client, flags, 'ConfigMap', names);
    if (kind === 'secrets') return getObjects(context, client, flags, 'Secret', names);
    return getProblems(context, client, flags);
  },
};
