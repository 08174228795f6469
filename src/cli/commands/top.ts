import { UsageError } from '#lib/errors.ts';
import { parseQuantity } from '#lib/kube/quantity.ts';
import type { UsageView } from '#server/view.ts';
import { clientFlags, namespaceRow, parseClientArgs } from '../client-flags.ts';
import type { AgentClient } from '../client.ts';
import type { Command, CommandContext } from '../context.ts';
import { helpText } from '../help-text.ts';
import { write } from '../io.ts';
import { table } from '../print/columns.ts';

const specs = clientFlags(
  namespaceRow,
  ['all-namespaces', 'bool', 'false', 'Pods of all namespaces.', { short: 'A' }],
  ['containers', 'bool', 'false', 'A line for each container.'],
);

interface Sum {
  cores: number | undefined;
  bytes: number | undefined;
}

const plus = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : a + b;

const add = (sum: Sum, usage: UsageView): Sum => ({
  cores: plus(sum.cores, usage.cpuCores),
  bytes: plus(sum.bytes, usage.memoryBytes),
});

const cores = (value: number | undefined): string =>
  value === undefined ? '<unknown>' : `${Math.ceil(value * 1000)}m`;

const mebibytes = (value: number | undefined): string =>
  value === undefined ? '<unknown>' : `${Math.floor(value / 1024 / 1024)}Mi`;

/** The pods' or containers' lines, as `kubectl top pods` prints them. */
export function topRows(
  usages: readonly UsageView[],
  withNamespace: boolean,
  containers: boolean,
): string[][] {
  const sums = new Map<string, { cells: string[]; sum: Sum }>();
  for (const usage of usages) {
    const cells = [
      ...(withNamespace ? [usage.namespace] : []),
      usage.pod,
      ...(containers ? [usage.container] : []),
    ];
    const key = [usage.namespace, usage.pod, containers ? usage.container : ''].join('/');
    const before = sums.get(key)?.sum ?? { cores: undefined, bytes: undefined };
    sums.set(key, { cells, sum: add(before, usage) });
  }
  return [...sums]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { cells, sum }]) => [...cells, cores(sum.cores), mebibytes(sum.bytes)]);
}

async function topNode({ io }: CommandContext, client: AgentClient): Promise<number> {
  const [node, usages] = await Promise.all([client.node(), client.usage()]);
  const sum = usages.reduce(add, { cores: undefined, bytes: undefined });
  const allocatable = node.status?.allocatable ?? node.status?.capacity ?? {};
  const percent = (used: number | undefined, of: string | undefined): string => {
    const whole = of === undefined ? 0 : parseQuantity(of).milliValue() / 1000;
    return used === undefined || whole === 0 ? '<unknown>' : `${Math.floor((used / whole) * 100)}%`;
  };
  const head = ['NAME', 'CPU(cores)', 'CPU(%)', 'MEMORY(bytes)', 'MEMORY(%)'];
  const row = [
    node.metadata?.name ?? '',
    cores(sum.cores),
    percent(sum.cores, allocatable['cpu']),
    mebibytes(sum.bytes),
    percent(sum.bytes, allocatable['memory']),
  ];
  await write(io.stdout, table(head, [row]));
  return 0;
}

export const topCommand: Command = {
  help: () =>
    helpText(
      'nodelet top [pods|node] [flags]',
      'Shows what pods use of CPU and memory; top node: the sum of all pods.',
      ['nodelet top pods -A', 'nodelet top pods --containers', 'nodelet top node'],
      specs,
    ),
  async run(args, context) {
    const { flags, words, client } = parseClientArgs(specs, args, context);
    const [kind = 'pods', ...names] = words;
    if (['no', 'node', 'nodes'].includes(kind)) return topNode(context, client);
    if (!['po', 'pod', 'pods'].includes(kind)) {
      throw new UsageError(`top ${JSON.stringify(kind)}: allowed: pods, node`);
    }
    const all = flags.bool('all-namespaces') === true;
    const namespace = flags.string('namespace') ?? 'default';
    const usages = (await client.usage()).filter(
      (usage) => (all || usage.namespace === namespace) && (names.length === 0 || names.includes(usage.pod)),
    );
    const containers = flags.bool('containers') === true;
    if (usages.length === 0) {
      await write(
        context.io.stderr,
        all ? 'No resources found\n' : `No resources found in ${namespace} namespace.\n`,
      );
      return 0;
    }
    const head = [
      ...(all ? ['NAMESPACE'] : []),
      ...(containers ? ['POD', 'NAME'] : ['NAME']),
      'CPU(cores)',
      'MEMORY(bytes)',
    ];
    await write(context.io.stdout, table(head, topRows(usages, all, containers)));
    return 0;
  },
};
