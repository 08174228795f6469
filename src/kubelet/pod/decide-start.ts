/** Whether and how one container is started: its back-off, its image, its attempt. */
import type { PodSandboxStatus } from '#cri/types.ts';
import { formatGoSeconds, humanDuration } from '#lib/duration.ts';
import { nextBackoff, notBefore } from './crash-backoff.ts';
import { type Decision, type PodState, containerSubject, heldUp, wakeBy } from './decision.ts';
import type { ContainerView, Instance } from './instances.ts';

/**
 * - `started`: a step that starts it is in the decision;
 * - `later`: it waits for a time or an error to pass, and must not hold up others;
 * - `coming`: its image is on the way: what comes after it in order waits.
 */
export type StartOutcome = 'started' | 'later' | 'coming';

export function decideStart(
  state: PodState,
  sandbox: PodSandboxStatus,
  view: ContainerView,
  decision: Decision,
): StartOutcome {
  const { spec, current } = view;
  if (current?.state === 'created' && current.inRuntime && current.sandboxId === sandbox.id) {
    return startCreated(state, view, current, decision);
  }
  const ended = current?.state === 'exited' ? current : undefined;
  const backoff = state.record?.containers[spec.name]?.backoff;
  const attempt = nextAttempt(state, view);
  if (ended !== undefined && inBackoff(state, view, ended, decision)) return 'later';
  const image = state.imageState(spec.name, attempt);
  switch (image.kind) {
    case 'unknown':
      decision.steps.push({
        kind: 'requestImage',
        container: spec.name,
        request: { pod: state.pod, container: spec, attempt },
      });
      return 'coming';
    case 'pulling':
      decision.waits.push({
        subject: `image ${spec.image}`,
        reason: 'Pulling',
        message: `The image of container ${spec.name} is being looked for or pulled since ${humanDuration(state.now - image.since)}.`,
      });
      return 'coming';
    case 'failed':
      decision.waiting.set(spec.name, { reason: image.reason, message: image.message });
      decision.waits.push({
        subject: `image ${spec.image}`,
        reason: image.reason,
        message: image.message,
        ...(image.retryAt === undefined ? {} : { until: image.retryAt }),
      });
      if (image.retryAt !== undefined && image.retryAt <= state.now) {
        decision.steps.push({
          kind: 'requestImage',
          container: spec.name,
          request: { pod: state.pod, container: spec, attempt },
        });
      }
      wakeBy(decision, image.retryAt);
      return 'later';
    case 'ready':
      break;
  }
  if (heldUp(state, decision, containerSubject(spec.name))) return 'later';
  decision.steps.push({
    kind: 'startContainer',
    container: spec.name,
    attempt,
    sandboxId: sandbox.id,
    backoff: ended === undefined ? backoff : nextBackoff(backoff, ended, state.now, state.backoffLimits),
  });
  return 'started';
}

/**
 * Fetches the image of a container whose turn has not come, so that it is there when its turn comes. Of one that has
 * run already nothing is fetched: it may not start again.
 */
export function prefetchImage(state: PodState, view: ContainerView, decision: Decision): void {
  const attempt = nextAttempt(state, view);
  if (view.current !== undefined || state.imageState(view.spec.name, attempt).kind !== 'unknown') return;
  decision.steps.push({
    kind: 'requestImage',
    container: view.spec.name,
    request: { pod: state.pod, container: view.spec, attempt },
  });
}

/** The attempt that no runtime, record or log file has seen, and that no call that timed out may still make. */
export function nextAttempt(state: PodState, { spec }: ContainerView): number {
  const seen = state.containers.find((view) => view.spec.name === spec.name)?.current?.attempt ?? -1;
  const known = Math.max(seen, state.record?.containers[spec.name]?.attempt ?? -1);
  return Math.max(known + 1, state.logFloor.get(spec.name) ?? 0);
}

function startCreated(
  state: PodState,
  view: ContainerView,
  current: Instance,
  decision: Decision,
): StartOutcome {
  if (heldUp(state, decision, containerSubject(view.spec.name))) return 'later';
  decision.steps.push({
    kind: 'startCreated',
    container: view.spec.name,
    attempt: current.attempt,
    sandboxId: current.sandboxId,
    id: current.id,
  });
  return 'started';
}

function inBackoff(state: PodState, view: ContainerView, ended: Instance, decision: Decision): boolean {
  const { name } = view.spec;
  const backoff = state.record?.containers[name]?.backoff;
  const at = notBefore(backoff, ended, state.now);
  if (backoff === undefined || at <= state.now) return false;
  const { metadata } = state.pod;
  const delay = formatGoSeconds(backoff.delayMs);
  decision.waiting.set(name, {
    reason: 'CrashLoopBackOff',
    message: `back-off ${delay} restarting failed container=${name} pod=${metadata.name}_${metadata.namespace}(${metadata.uid})`,
  });
  decision.waits.push({
    subject: `container ${name}`,
    reason: 'CrashLoopBackOff',
    message:
      `Container ${name} ended with exit code ${ended.exitCode} (${ended.reason || 'no reason given'}) and has been ` +
      `started ${ended.attempt + 1} times; it is started again ${delay} after its end. Its last words: nodelet logs -p.`,
    until: at,
  });
  wakeBy(decision, at);
  return true;
}
