import { NotFoundError, UsageError } from '#lib/errors.ts';
import type { Pod } from '#lib/kube/types.ts';
import type { AgentClient } from '../client.ts';
import { clientFlags, namespaceRow, parseClientArgs } from '../client-flags.ts';
import type { CommandContext } from '../context.ts';
import type { Command } from '../context.ts';
import { helpText } from '../help-text.ts';
import { write } from '../io.ts';
import { findPod, parsePodRef, refOf } from '../names.ts';
import { describeNode } from '../print/describe/node.ts';
import { describePod } from '../print/describe/pod.ts';

const specs = clientFlags(namespaceRow);

async function describePods(
  names: readonly string[],
  namespace: string,
  client: AgentClient,
  context: CommandContext,
): Promise<void> {
  const views = await (names.length > 0
    ? Promise.all(names.map((name) => findPod(client, parsePodRef(name, namespace))))
    : client.pods().then((all) => all.filter(({ pod }) => pod.metadata?.namespace === namespace)));
  for (const [index, view] of views.entries()) {
    const events = await client.events(refOf(view));
    const text = describePod(view.pod, events, context.io.clock.now());
    await write(context.io.stdout, index === 0 ? text : `\n\n${text}`);
  }
}

async function describeThisNode(
  names: readonly string[],
  client: AgentClient,
  context: CommandContext,
): Promise<void> {
  const node = await client.node();
  const own = node.metadata?.name ?? '';
  const other = names.find((name) => name !== own);
  if (other !== undefined) throw new NotFoundError(`nodes "${other}" not found: this node is ${own}`);
  const [views, events] = await Promise.all([client.pods(), client.events()]);
  const about = events.filter(({ involvedObject }) => involvedObject.kind === 'Node');
  const key = (pod: Pod): string => `${pod.metadata?.namespace}/${pod.metadata?.name}`;
  const pods = views.map(({ pod }) => pod).toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
  await write(context.io.stdout, describeNode(node, pods, about, context.io.clock.now()));
}

export const describeCommand: Command = {
  help: () =>
    helpText(
      'nodelet describe pod NAME…|node [flags]',
      'Prints all about a pod or the node, with its events.',
      ['nodelet describe pod web', 'nodelet describe pod kube-system/dns', 'nodelet describe node'],
      specs,
    ),
  async run(args, context) {
    const { flags, words, client } = parseClientArgs(specs, args, context);
    const [first = '', ...rest] = words;
    const [kind = '', slashName] = first.split('/');
    const names = slashName === undefined ? rest : [slashName, ...rest];
    if (['po', 'pod', 'pods'].includes(kind)) {
      await describePods(names, flags.string('namespace') ?? 'default', client, context);
    } else if (['no', 'node', 'nodes'].includes(kind)) {
      await describeThisNode(names, client, context);
    } else {
      throw new UsageError(
        `describe ${JSON.stringify(first)}: allowed: pod, node; example: nodelet describe pod web`,
      );
    }
    return 0;
  },
};
