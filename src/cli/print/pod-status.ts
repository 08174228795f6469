import type { Container, ContainerStatus, Pod } from '#lib/kube/types.ts';
import { age } from './age.ts';

export interface PodSummary {
  /** `1/2`. */
  ready: string;
  /** The word in the STATUS column. */
  status: string;
  /** `3 (2m ago)`. */
  restarts: string;
}

const isSidecar = (container: Container | undefined): boolean => container?.restartPolicy === 'Always';

const isTrue = (pod: Pod, type: string): boolean =>
  pod.status?.conditions?.find((condition) => condition.type === type)?.status === 'True';

/** Restarts of some containers, and when the last of them ended. */
class Restarts {
  count = 0;
  last = Number.NEGATIVE_INFINITY;

  add(status: ContainerStatus): void {
    this.count += status.restartCount;
    const finished = Date.parse(status.lastState?.terminated?.finishedAt ?? '');
    if (finished > this.last) this.last = finished;
  }

  text(now: number): string {
    if (this.count === 0 || this.last <= 0) return String(this.count);
    return `${this.count} (${age(new Date(this.last).toISOString(), now)} ago)`;
  }
}

/** The word for a container that has ended without its runtime giving a reason. */
function endWord(terminated: { signal?: number; exitCode: number }): string {
  return (terminated.signal ?? 0) === 0 ? `ExitCode:${terminated.exitCode}` : `Signal:${terminated.signal}`;
}

type InitState = { kind: 'done'; ready: boolean } | { kind: 'initializing'; word: string };

function initState(
  status: ContainerStatus,
  spec: Container | undefined,
  index: number,
  count: number,
): InitState {
  const { terminated, waiting } = status.state ?? {};
  if (terminated?.exitCode === 0) return { kind: 'done', ready: false };
  if (isSidecar(spec) && status.started === true) return { kind: 'done', ready: status.ready };
  if (terminated !== undefined) {
    return { kind: 'initializing', word: `Init:${terminated.reason || endWord(terminated)}` };
  }
  const reason = waiting?.reason ?? '';
  if (reason !== '' && reason !== 'PodInitializing') return { kind: 'initializing', word: `Init:${reason}` };
  return { kind: 'initializing', word: `Init:${index}/${count}` };
}

/** What an app container's state says of the pod, if anything. */
function appWord(status: ContainerStatus): string | undefined {
  const { waiting, terminated } = status.state ?? {};
  if (waiting?.reason) return waiting.reason;
  if (terminated === undefined) return undefined;
  return terminated.reason || endWord(terminated);
}

/**
 * The columns READY, STATUS and RESTARTS of `kubectl get pods`, by the rules of the API server's table printer: the
 * first init container that isn't through gives the word; after that the first app container that has something to
 * say; a pod that is being deleted is Terminating unless its phase is final.
 */
export function summarizePod(pod: Pod, now: number): PodSummary {
  const spec = pod.spec;
  const phase = pod.status?.phase ?? '';
  const inits = new Map((spec?.initContainers ?? []).map((container) => [container.name, container]));
  let total = spec?.containers.length ?? 0;
  for (const container of inits.values()) if (isSidecar(container)) total += 1;
  let ready = 0;
  let word = pod.status?.reason || phase;
  if (
    pod.status?.conditions?.some((each) => each.type === 'PodScheduled' && each.reason === 'SchedulingGated')
  ) {
    word = 'SchedulingGated';
  }

  let initializing = false;
  let restarts = new Restarts();
  const sidecars = new Restarts();
  for (const [index, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
    const container = inits.get(status.name);
    restarts.add(status);
    if (isSidecar(container)) sidecars.add(status);
    const state = initState(status, container, index, inits.size);
    if (state.kind === 'done') {
      if (state.ready) ready += 1;
      continue;
    }
    word = state.word;
    initializing = true;
    break;
  }

  if (!initializing || isTrue(pod, 'Initialized')) {
    restarts = sidecars;
    let running = false;
    // Backwards: the first container's word wins.
    for (const status of (pod.status?.containerStatuses ?? []).toReversed()) {
      restarts.add(status);
      const own = appWord(status);
      if (own !== undefined) word = own;
      else if (status.ready && status.state?.running !== undefined) {
        running = true;
        ready += 1;
      }
    }
    if (word === 'Completed' && running) word = isTrue(pod, 'Ready') ? 'Running' : 'NotReady';
  }

  if (pod.metadata?.deletionTimestamp !== undefined) {
    if (pod.status?.reason === 'NodeLost') word = 'Unknown';
    else if (phase !== 'Succeeded' && phase !== 'Failed') word = 'Terminating';
  }
  return { ready: `${ready}/${total}`, status: word, restarts: restarts.text(now) };
}
