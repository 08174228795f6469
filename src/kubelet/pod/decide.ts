import { containerHash } from './container-hash.ts';
import { deadlineOf } from './deadline.ts';
import { decideApps } from './decide-apps.ts';
import { decideEnd, decideTerminal, terminalOf } from './decide-end.ts';
import { decideEphemeral } from './decide-ephemeral.ts';
import { decideInit } from './decide-init.ts';
import { decideResize } from './decide-resize.ts';
import { currentSandbox, decideSandbox } from './decide-sandbox.ts';
import {
  type Decision,
  type PodState,
  SETUP,
  VOLUMES,
  containerSubject,
  emptyDecision,
  heldUp,
} from './decision.ts';
import type { ContainerView } from './instances.ts';
import { explainHealth } from './look-after.ts';
import { isDone } from './restart-policy.ts';
import { killRunning, specGrace } from './stopping.ts';

/**
 * What is to be done for one pod now: a pure function of what is wanted, what was observed and the time. Steps that
 * depend on what an earlier step brings (a sandbox's ID) come with the next decision, after a new observation.
 */
export function decide(state: PodState): Decision {
  const decision = emptyDecision();
  explainFailures(state, decision);
  if (state.ending !== undefined) {
    decideEnd(state, state.ending, decision);
    return decision;
  }
  decision.terminal = state.record?.terminal ?? terminalOf(state) ?? deadlineOf(state, decision);
  if (decision.terminal !== undefined) {
    decideTerminal(state, decision);
    return decision;
  }
  const sandbox = currentSandbox(state);
  if (sandbox === undefined) {
    decideSandbox(state, decision);
    return decision;
  }
  const strays = killRunning(state, specGrace(state.pod), {
    message: 'Pod sandbox changed, it will be killed and re-created.',
    except: sandbox.id,
  });
  if (strays.length > 0) {
    decision.steps.push(...strays);
    return decision;
  }
  decideEphemeral(state, sandbox, decision);
  const initialized = decideInit(state, sandbox, decision);
  if (initialized) {
    decision.initializedIn = sandbox.id;
    decideApps(state, sandbox, decision);
  }
  explainHealth(state, decision);
  decideResize(state, decision);
  // Whatever starts a container needs its volumes and cgroup, also in a sandbox taken over from another process.
  const starts = decision.steps.some(
    (step) => step.kind === 'startContainer' || step.kind === 'startCreated',
  );
  if (starts && !state.isSetUp) decision.steps = heldUp(state, decision, SETUP) ? [] : [{ kind: 'setUp' }];
  else if (state.areVolumesStale && !heldUp(state, decision, VOLUMES))
    decision.steps.unshift({ kind: 'refreshVolumes' });
  return decision;
}

/** A start that failed here may have been made after all, by a call of an earlier agent that went on. */
function isOver(state: PodState, view: ContainerView): boolean {
  const { spec, current } = view;
  return isDone(state.pod, view) || (current?.state === 'running' && current.hash === containerHash(spec));
}

function explainFailures(state: PodState, decision: Decision): void {
  for (const [subject, failure] of state.failures) {
    const container = state.containers.find(({ spec }) => subject === containerSubject(spec.name));
    if (container !== undefined && isOver(state, container)) continue;
    decision.waits.push({
      subject,
      reason: failure.reason,
      message: failure.message,
      ...(failure.retryAt > state.now ? { until: failure.retryAt } : {}),
    });
    if (container !== undefined && container.current?.state !== 'running') {
      decision.waiting.set(container.spec.name, { reason: failure.reason, message: failure.message });
    }
  }
}
