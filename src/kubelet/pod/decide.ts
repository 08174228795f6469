import { decideApps } from './decide-apps.ts';
import { decideEnd, decideTerminal, terminalOf } from './decide-end.ts';
import { decideInit } from './decide-init.ts';
import { currentSandbox, decideSandbox } from './decide-sandbox.ts';
import { type Decision, type PodState, SANDBOX, SETUP, emptyDecision } from './decision.ts';
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
  decision.terminal = state.record?.terminal ?? terminalOf(state);
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
  const initialized = decideInit(state, sandbox, decision);
  if (initialized) {
    decision.initializedIn = sandbox.id;
    decideApps(state, sandbox, decision);
  }
  // Whatever starts a container needs its volumes and cgroup, also in a sandbox taken over from another process.
  const starts = decision.steps.some(
    (step) => step.kind === 'startContainer' || step.kind === 'startCreated',
  );
  if (starts && !state.isSetUp) decision.steps = [{ kind: 'setUp' }];
  return decision;
}

function explainFailures(state: PodState, decision: Decision): void {
  for (const [subject, failure] of state.failures) {
    decision.waits.push({
      subject,
      reason: failure.reason,
      message: failure.message,
      ...(failure.retryAt > state.now ? { until: failure.retryAt } : {}),
    });
    if (subject === SETUP || subject === SANDBOX) continue;
    const container = state.containers.find(({ spec }) => subject === `container ${spec.name}`);
    if (container !== undefined && container.current?.state !== 'running') {
      decision.waiting.set(container.spec.name, { reason: failure.reason, message: failure.message });
    }
  }
}
