import type { PodSandboxStatus } from '#cri/types.ts';
import { prefetchImage } from './decide-start.ts';
import { type Decision, type PodState, SANDBOX, SETUP, heldUp } from './decision.ts';
import { isInitKind } from './instances.ts';
import { restartPolicyOf } from './restart-policy.ts';
import { killRunning, specGrace, stopSandboxes } from './stopping.ts';

type Sandboxed = Pick<PodState, 'pod' | 'sandboxes'>;

const usesHostNetwork = ({ pod }: Sandboxed): boolean => pod.spec.hostNetwork === true;

/** The one sandbox that the pod's containers belong in; undefined where a new one is needed. */
export function currentSandbox(state: Sandboxed): PodSandboxStatus | undefined {
  const ready = state.sandboxes.filter((sandbox) => sandbox.state === 'SANDBOX_READY');
  const only = ready[0];
  // Two ready sandboxes are the work of two agents, or of one that was killed: neither can be trusted.
  if (only === undefined || ready.length > 1) return undefined;
  if ((only.namespaceOptions.network === 'NODE') !== usesHostNetwork(state)) return undefined;
  if (!usesHostNetwork(state) && only.ips.length === 0) return undefined;
  return only;
}

/** Ends what runs in sandboxes that are no good any more, and makes a new one. */
export function decideSandbox(state: PodState, decision: Decision): void {
  const running = killRunning(state, specGrace(state.pod), {
    message: 'Pod sandbox changed, it will be killed and re-created.',
  });
  decision.steps.push(...running, ...stopSandboxes(state, state.sandboxes));
  if (ranOnceForAll(state)) {
    decision.terminal = {
      phase: 'Failed',
      reason: 'SandboxLost',
      message:
        'The pod sandbox was lost after containers had run, and restartPolicy Never forbids to run them again.',
    };
    return;
  }
  if (heldUp(state, decision, SETUP) || heldUp(state, decision, SANDBOX)) return;
  // Images come while the sandbox is made: of the containers that are first to start in it.
  const init = state.containers.find(isInitKind);
  const apps = state.containers.filter((view) => view.kind === 'app');
  for (const view of init === undefined ? apps : [init]) prefetchImage(state, view, decision);
  if (!state.isSetUp) decision.steps.push({ kind: 'setUp' });
  const attempt = 1 + Math.max(-1, ...state.sandboxes.map((sandbox) => sandbox.metadata.attempt));
  decision.steps.push({ kind: 'createSandbox', attempt });
  decision.waits.push({
    subject: 'sandbox',
    reason: 'ContainerCreating',
    message: 'The pod sandbox is being made.',
  });
}

/**
 * Whether a container of a pod that runs only once has run in an earlier sandbox: then the pod can't begin anew. In a pod
 * that goes on, a container with a policy `Never` of its own stays ended, and the others run again.
 */
function ranOnceForAll(state: PodState): boolean {
  if (state.pod.spec.restartPolicy !== 'Never') return false;
  return state.containers.some(
    (view) =>
      view.kind === 'app' && view.current !== undefined && restartPolicyOf(state.pod, view) === 'Never',
  );
}
