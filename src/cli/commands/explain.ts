import { NotBuiltError } from '#config/daemon-flags.ts';
import { NotFoundError, UsageError } from '#lib/errors.ts';
import type { ManifestProblem, PodView } from '#server/view.ts';
import { clientFlags, namespaceRow, parseClientArgs } from '../client-flags.ts';
import type { Command } from '../context.ts';
import { helpText } from '../help-text.ts';
import { write } from '../io.ts';
import { findPod, parsePodRef, refOf } from '../names.ts';
import { humanSpan } from '../print/age.ts';
import { plain } from '../print/columns.ts';
import { summarizePod } from '../print/pod-status.ts';

const specs = clientFlags(namespaceRow);

/** What a manifest that isn't in force means for its pod. */
function problemLine(problem: ManifestProblem): string {
  const field = problem.field === undefined ? '' : `${problem.field}: `;
  const value = problem.value === undefined ? '' : ` (value: ${problem.value})`;
  const effect = problem.lastGoodRuns
    ? 'The last good version runs on.'
    : 'Nothing of it runs until that is mended.';
  return `manifest ${problem.origin} is not in force: ${field}${problem.message}${value}. ${effect}`;
}

/** The chain of reasons why a pod isn't as wanted, a line each, in order. */
export function explainPod(view: PodView, problems: readonly ManifestProblem[], now: number): string {
  const { namespace, name } = refOf(view);
  const { status, ready, restarts } = summarizePod(view.pod, now);
  const lines = [
    `pod ${namespace}/${name}: ${status}, ${ready} ready, ${restarts} restarts; from ${view.origin}`,
  ];
  if (view.terminating) lines.push('The agent is ending the pod.');
  view.waits.forEach((wait, index) => {
    const left = wait.until === undefined ? undefined : wait.until - now;
    const next =
      left === undefined
        ? ''
        : left <= 0
          ? ' Next try: now.'
          : ` Next try in ${humanSpan(Math.ceil(left / 1000) * 1000)}.`;
    const message = /[.!?]$/.test(wait.message) ? wait.message : `${wait.message}.`;
    lines.push(`${index + 1}. ${wait.subject}: ${wait.reason}: ${message}${next}`);
  });
  if (view.waits.length === 0 && !view.terminating) lines.push('It waits for nothing.');
  // Origins of several documents share a file: all its problems are shown.
  const about = problems.filter(({ origin }) => view.origin.includes(origin));
  lines.push(...about.map(problemLine));
  return lines.map((line) => `${plain(line)}\n`).join('');
}

export const explainCommand: Command = {
  help: () =>
    helpText(
      'nodelet explain pod NS/NAME',
      'Tells why a pod is not (yet) as it should be: what it waits for, in order, and when the next try is.',
      ['nodelet explain pod web', 'nodelet explain pod kube-system/dns'],
      specs,
    ),
  async run(args, context) {
    const { flags, words, client } = parseClientArgs(specs, args, context);
    const [kind = '', name, ...more] = words;
    if (['service', 'services', 'svc', 'ip'].includes(kind)) {
      throw new NotBuiltError(`explain ${kind} is not built yet: it comes with the proxy role`);
    }
    if (!['po', 'pod', 'pods'].includes(kind) || name === undefined || more.length > 0) {
      throw new UsageError('explain takes a pod: nodelet explain pod NAMESPACE/NAME');
    }
    const ref = parsePodRef(name, flags.string('namespace') ?? 'default');
    const problems = await client.problems();
    try {
      const view = await findPod(client, ref);
      await write(context.io.stdout, explainPod(view, problems, context.io.clock.now()));
    } catch (error) {
      if (!(error instanceof NotFoundError) || problems.length === 0) throw error;
      // A pod that never came to be is the one that needs explaining most.
      const lines = problems.map((problem) => `${plain(problemLine(problem))}\n`).join('');
      await write(context.io.stdout, `${error.message}. These manifests are not in force:\n${lines}`);
      return 1;
    }
    return 0;
  },
};
