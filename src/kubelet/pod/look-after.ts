/** What a running container may need: its hook, or a restart because a probe says so. */
import { type Decision, type PodState, containerSubject, heldUp } from './decision.ts';
import { healthOf } from './health.ts';
import type { ContainerView } from './instances.ts';
import { restartPolicyOf } from './restart-policy.ts';
import { killOne } from './stopping.ts';

/** Whether the container's postStart hook is under way: what comes after it in order waits. */
export function awaitsHook(state: PodState, view: ContainerView, decision: Decision): boolean {
  const { spec, current, isStarting } = view;
  if (!isStarting || current === undefined) return false;
  const subject = containerSubject(spec.name);
  if (!heldUp(state, decision, subject))
    decision.steps.push({ kind: 'postStart', container: spec.name, id: current.id });
  decision.waits.push({
    subject,
    reason: 'PostStartHook',
    message: `Container ${spec.name} runs; it counts as started when its postStart hook has ended.`,
  });
  return true;
}

/** Ends a container whose liveness or startup probe has failed; upstream's words. */
export function killUnhealthy(state: PodState, view: ContainerView, decision: Decision): void {
  const { spec, current, kind } = view;
  const { failed } = healthOf(state.healths, view);
  if (failed === undefined || current === undefined) return;
  const restarts = kind === 'app' && restartPolicyOf(state.pod, view) !== 'Never';
  const message =
    `${kind === 'app' ? 'Container' : 'Init container'} ${spec.name} failed ${failed} probe` +
    (restarts ? ', will be restarted' : '');
  const probe = failed === 'liveness' ? spec.livenessProbe : spec.startupProbe;
  const grace = probe?.terminationGracePeriodSeconds;
  decision.steps.push(killOne(state.pod, spec.name, current.id, message, grace));
}

/** Tells which containers run and aren't ready, and what their probes say. */
export function explainHealth(state: PodState, decision: Decision): void {
  for (const view of state.containers) {
    const { spec, current, kind, isStarting } = view;
    if (kind === 'init' || kind === 'ephemeral' || current?.state !== 'running' || isStarting) continue;
    const { started, ready, words } = healthOf(state.healths, view);
    if (started && ready) continue;
    const probe = started ? 'readiness' : 'startup';
    const said = words === '' ? '' : ` The last one said: ${words}`;
    decision.waits.push({
      subject: containerSubject(spec.name),
      reason: started ? 'NotReady' : 'NotStarted',
      message: `Container ${spec.name} runs, and its ${probe} probe has not succeeded.${said}`,
    });
  }
}
