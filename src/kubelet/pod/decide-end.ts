import {
  type Decision,
  type Ending,
  MINIMUM_POD_GRACE_SECONDS,
  type PodState,
  REMOVAL,
  SETUP,
  heldUp,
} from './decision.ts';
import { isDone } from './restart-policy.ts';
import type { PodRecord } from './record.ts';
import type { Step } from './steps.ts';
import { killRunning, specGrace, stopSandboxes } from './stopping.ts';

/** The phase that the pod has reached for good by itself, or undefined while anything may still run. */
export function terminalOf(state: PodState): PodRecord['terminal'] {
  // An init container that failed for good counts until the pod has been initialized in some sandbox.
  const failedInit = state.containers.some(
    (view) => view.kind === 'init' && isDone(state.pod, view) && view.current?.exitCode !== 0,
  );
  const apps = state.containers.filter((view) => view.kind === 'app');
  if (failedInit && apps.every((view) => view.current === undefined)) return { phase: 'Failed' };
  if (!apps.every((view) => isDone(state.pod, view))) return undefined;
  return { phase: apps.every((view) => view.current?.exitCode === 0) ? 'Succeeded' : 'Failed' };
}

/** Ends what still runs of a pod that has done its work (its sidecars), and frees what it holds. */
export function decideTerminal(state: PodState, decision: Decision): void {
  if (heldUp(state, decision, SETUP)) return;
  const wanted = Math.min(specGrace(state.pod), decision.terminal?.gracePeriodSeconds ?? Infinity);
  const grace = Math.max(MINIMUM_POD_GRACE_SECONDS, wanted);
  const ends = [...killRunning(state, grace), ...stopSandboxes(state, state.sandboxes)];
  decision.steps.push(...ends);
  // First the status says how it ended.
  if (ends.length > 0) return;
  if (!state.isTornDown) decision.steps.push({ kind: 'tearDown' });
}

/** Ends a pod that its owner, or the agent, wants gone. */
export function decideEnd(state: PodState, ending: Ending, decision: Decision): void {
  decision.terminal = state.record?.terminal;
  if (heldUp(state, decision, SETUP) || heldUp(state, decision, REMOVAL)) return;
  const steps: Step[] = [
    ...killRunning(state, ending.gracePeriodSeconds),
    ...stopSandboxes(state, state.sandboxes),
  ];
  // Whatever stopped is looked at once more before it goes: the status wants its exit codes.
  if (steps.length === 0 && ending.forget) {
    // First the cgroup, at every try: the runtime removes no sandbox in which, unknown to it, something still runs.
    steps.push({ kind: 'tearDown' });
    steps.push(...state.sandboxes.map((sandbox): Step => ({ kind: 'removeSandbox', id: sandbox.id })));
    steps.push({ kind: 'forget' });
  } else if (steps.length === 0 && !state.isTornDown) {
    steps.push({ kind: 'tearDown' });
  }
  decision.steps.push(...steps);
  for (const step of steps) {
    if (step.kind !== 'killContainers') continue;
    for (const kill of step.kills) {
      decision.waits.push({
        subject: `container ${kill.name}`,
        reason: 'Terminating',
        message: `Container ${kill.name} is being stopped: TERM, and KILL after ${ending.gracePeriodSeconds} s.`,
      });
    }
  }
}
