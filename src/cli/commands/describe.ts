import { UsageError } from '#lib/errors.ts';
import { clientFlags, namespaceRow, parseClientArgs } from '../client-flags.ts';
import type { Command } from '../context.ts';
import { helpText } from '../help-text.ts';
import { write } from '../io.ts';
import { findPod, parsePodRef, refOf } from '../names.ts';
import { describePod } from '../print/describe/pod.ts';

const specs = clientFlags(namespaceRow);

export const describeCommand: Command = {
  help: () =>
    helpText(
      'nodelet describe pod NAME… [flags]',
      'Prints all about a pod, with its events.',
      ['nodelet describe pod web', 'nodelet describe pod kube-system/dns'],
      specs,
    ),
  async run(args, context) {
    const { flags, words, client } = parseClientArgs(specs, args, context);
    const [first = '', ...rest] = words;
    const [kind = '', slashName] = first.split('/');
    if (!['po', 'pod', 'pods'].includes(kind)) {
      throw new UsageError(
        `describe ${JSON.stringify(first)}: allowed: pod; example: nodelet describe pod web`,
      );
    }
    const names = slashName === undefined ? rest : [slashName, ...rest];
    const namespace = flags.string('namespace') ?? 'default';
    const views = await (names.length > 0
      ? Promise.all(names.map((name) => findPod(client, parsePodRef(name, namespace))))
      : client.pods().then((all) => all.filter(({ pod }) => pod.metadata?.namespace === namespace)));
    for (const [index, view] of views.entries()) {
      const events = await client.events(refOf(view));
      const text = describePod(view.pod, events, context.io.clock.now());
      await write(context.io.stdout, index === 0 ? text : `\n\n${text}`);
    }
    return 0;
  },
};
