/** When a probe is due and what its results mean: pure. */

export type ProbeKind = 'liveness' | 'readiness' | 'startup';

/** What counts of a container's probe: `unknown` is a startup probe that hasn't come to a result. */
export type ProbeResult = 'success' | 'failure' | 'unknown';

/** A probe's settings, with their defaults; times in milliseconds. */
export interface ProbeTiming {
  initialDelayMs: number;
  periodMs: number;
  successThreshold: number;
  failureThreshold: number;
}

/** One container's probe of one kind. A new container (ID) begins anew. */
export interface ProbeState {
  kind: ProbeKind;
  result: ProbeResult;
  /** How often in a row the newest outcome has come. */
  run: { of: 'success' | 'failure'; length: number } | undefined;
  /** Set where nothing more is asked of this container: it is to be restarted, or has started. */
  onHold: boolean;
}

const INITIAL: Readonly<Record<ProbeKind, ProbeResult>> = {
  readiness: 'failure',
  liveness: 'success',
  startup: 'unknown',
};

/** `adopted`: what an earlier process had found of the same container. */
export const beginProbe = (kind: ProbeKind, adopted?: ProbeResult): ProbeState => ({
  kind,
  result: adopted ?? INITIAL[kind],
  run: undefined,
  onHold: kind === 'startup' && adopted === 'success',
});

/** Takes one outcome in; what lies below its threshold leaves the result as it was. */
export function takeOutcome(
  state: ProbeState,
  outcome: 'success' | 'failure',
  { successThreshold, failureThreshold }: Pick<ProbeTiming, 'successThreshold' | 'failureThreshold'>,
): ProbeState {
  const length = state.run?.of === outcome ? state.run.length + 1 : 1;
  const next = { ...state, run: { of: outcome, length } };
  if (length < (outcome === 'success' ? successThreshold : failureThreshold)) return next;
  const isLast = state.kind === 'startup' || (state.kind === 'liveness' && outcome === 'failure');
  return { ...next, result: outcome, onHold: isLast };
}

/**
 * Wall time of a container's first probe: at once after its start and the initial delay. Where an earlier process has
 * probed it, that is some part of a period from now, so that the probes of a whole node don't come all at once; `share`
 * is that part, 0 to 1.
 */
export function firstProbeAt(
  timing: Pick<ProbeTiming, 'initialDelayMs' | 'periodMs'>,
  at: { startedAt: number; now: number; share: number },
): number {
  const { startedAt, now, share } = at;
  // A clock that was set back may have left the start in the future.
  return Math.max(Math.min(startedAt, now) + timing.initialDelayMs, now + share * timing.periodMs);
}

/** Milliseconds from the end of one probe to the next: none where it took longer than a period. */
export const pauseAfter = (periodMs: number, tookMs: number): number => Math.max(periodMs - tookMs, 0);
