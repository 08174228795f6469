import type { ContainerStatus } from '#lib/kube/types.ts';
import type { PodView } from '#server/view.ts';
import { nodeName } from './places.ts';

/** What an example pod is to come to: `check` says what is still missing, or undefined. */
export interface Expectation {
  pod: string;
  check: (view: PodView) => Promise<string | undefined> | string | undefined;
}

const page = 'Hello from web, written by its init container\n';

const statuses = (view: PodView): ContainerStatus[] => view.pod.status?.containerStatuses ?? [];
const restarts = (view: PodView): number => statuses(view)[0]?.restartCount ?? 0;
const phase = (view: PodView): string => view.pod.status?.phase ?? 'unknown';
const isTrue = (view: PodView, type: string): boolean =>
  view.pod.status?.conditions?.some((each) => each.type === type && each.status === 'True') ?? false;

function ready(view: PodView): string | undefined {
  if (phase(view) !== 'Running') return `its phase is ${phase(view)}`;
  return isTrue(view, 'Ready') ? undefined : 'it is not ready';
}

async function answers(url: string): Promise<string | undefined> {
  try {
    const text = await (await fetch(url, { signal: AbortSignal.timeout(2000) })).text();
    return text === page ? undefined : `${url} answers ${JSON.stringify(text.slice(0, 80))}`;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return `${url} does not answer: ${cause instanceof Error ? cause.message : String(cause)}`;
  }
}

const succeeded = (view: PodView): string | undefined =>
  phase(view) === 'Succeeded' ? undefined : `its phase is ${phase(view)}, not Succeeded`;

export const webUrl = (view: PodView): string | undefined =>
  view.pod.status?.podIP === undefined || view.pod.status.podIP === ''
    ? undefined
    : `http://${view.pod.status.podIP}:8080/`;

export const expectations: readonly Expectation[] = [
  {
    pod: `web-${nodeName}`,
    async check(view) {
      const problem = ready(view);
      if (problem !== undefined) return problem;
      if (!isTrue(view, 'Initialized')) return 'it is not initialised';
      const url = webUrl(view);
      return url === undefined ? 'it has no address' : await answers(url);
    },
  },
  {
    pod: `crash-${nodeName}`,
    check(view) {
      const status = statuses(view)[0];
      if (restarts(view) < 2) return `it has restarted ${restarts(view)} times`;
      const waiting = status?.state?.waiting;
      if (waiting?.reason !== 'CrashLoopBackOff') return `it shows ${waiting?.reason ?? 'no waiting reason'}`;
      if (!/back-off \d+m?\d*s restarting failed container/.test(waiting.message ?? '')) {
        return `its waiting message is ${JSON.stringify(waiting.message)}`;
      }
      const last = status?.lastState?.terminated;
      if (last?.exitCode !== 1) return `its last exit code is ${last?.exitCode}`;
      if (last.message?.trim() !== 'there is no database') {
        return `its termination message is ${JSON.stringify(last.message)}`;
      }
      return view.waits.some((wait) => wait.reason === 'CrashLoopBackOff')
        ? undefined
        : 'explain has no reason';
    },
  },
  {
    pod: `sidecar-${nodeName}`,
    check(view) {
      const sidecar = view.pod.status?.initContainerStatuses?.[0];
      if (sidecar?.state?.running === undefined) return 'its sidecar does not run';
      return ready(view);
    },
  },
  {
    pod: `once-${nodeName}`,
    check: (view) => succeeded(view) ?? (restarts(view) === 0 ? undefined : 'it ran twice'),
  },
  {
    pod: `retry-${nodeName}`,
    check: (view) =>
      succeeded(view) ?? (restarts(view) === 1 ? undefined : `it restarted ${restarts(view)} times`),
  },
  {
    pod: `settings-${nodeName}`,
    check(view) {
      const message = statuses(view)[0]?.state?.terminated?.message;
      const wanted = 'level debug, user me, Welcome on board\n192.0.2.7\tdatabase\n';
      return succeeded(view) ?? (message === wanted ? undefined : `it says ${JSON.stringify(message)}`);
    },
  },
  {
    pod: `guaranteed-${nodeName}`,
    check(view) {
      const qos = view.pod.status?.qosClass;
      return qos === 'Guaranteed' ? ready(view) : `its QoS class is ${qos}`;
    },
  },
];

/** What keeps the examples from being as they should be, a line each; empty when all is well. */
export async function unmet(views: readonly PodView[]): Promise<string[]> {
  const checks = expectations.map(async ({ pod, check }) => {
    const view = views.find((each) => each.pod.metadata?.name === pod);
    const problem = view === undefined ? 'nodelet does not know it' : await check(view);
    return problem === undefined ? [] : [`pod ${pod}: ${problem}`];
  });
  return (await Promise.all(checks)).flat();
}
