import type { Container } from '#lib/kube/types.ts';
import type { Outcome } from '#probes/outcome.ts';
import { ProbeLoop, type ProbeLoopParts } from '#probes/probe-loop.ts';
import type { ProbeKind, ProbeResult } from '#probes/probe-state.ts';
import type { ContainerHealth } from '../pod/health.ts';
import type { Probe } from './probe-target.ts';

export interface ContainerProbesParts extends Pick<ProbeLoopParts, 'clock' | 'startedAt' | 'share'> {
  container: Container;
  id: string;
  /** What an earlier process had found of this very container. */
  known: { started: boolean; ready: boolean } | undefined;
  probe: (kind: ProbeKind, probe: Probe, signal: AbortSignal) => Promise<Outcome>;
  onOutcome: (kind: ProbeKind, outcome: Outcome) => void;
  onChange: () => void;
}

const FIELDS = { startup: 'startupProbe', liveness: 'livenessProbe', readiness: 'readinessProbe' } as const;

export const hasProbes = (container: Container): boolean =>
  Object.values(FIELDS).some((field) => container[field] !== undefined);

/** The probes of one running container, from its start to its end. */
export class ContainerProbes {
  readonly id: string;
  readonly #parts: ContainerProbesParts;
  readonly #loops = new Map<ProbeKind, ProbeLoop>();
  /** What each kind's newest probe said, where it failed. */
  readonly #words = new Map<ProbeKind, string>();

  constructor(parts: ContainerProbesParts) {
    this.#parts = parts;
    this.id = parts.id;
    const { known } = parts;
    this.#add('startup', known?.started === true ? 'success' : undefined);
    this.#add('liveness', undefined);
    this.#add('readiness', known?.ready === true ? 'success' : undefined);
    this.#startDue();
  }

  get health(): ContainerHealth {
    const [startup, liveness, readiness] = (['startup', 'liveness', 'readiness'] as const).map(
      (kind) => this.#loops.get(kind)?.result,
    );
    const started = startup === undefined || startup === 'success';
    const failed = liveness === 'failure' ? 'liveness' : startup === 'failure' ? 'startup' : undefined;
    return {
      id: this.id,
      started,
      ready: started && (readiness === undefined || readiness === 'success'),
      failed,
      words: this.#words.get(started ? 'readiness' : 'startup') ?? '',
    };
  }

  /** The pod ends: its probes restart nothing any more. */
  stopLivenessAndStartup(): void {
    this.#loops.get('liveness')?.stop();
    this.#loops.get('startup')?.stop();
  }

  stop(): void {
    for (const loop of this.#loops.values()) loop.stop();
  }

  #add(kind: ProbeKind, adopted: ProbeResult | undefined): void {
    const { container, clock, startedAt, share, probe, onOutcome, onChange } = this.#parts;
    const spec = container[FIELDS[kind]];
    if (spec === undefined) return;
    const loop = new ProbeLoop(kind, {
      clock,
      timing: {
        initialDelayMs: (spec.initialDelaySeconds ?? 0) * 1000,
        periodMs: (spec.periodSeconds || 10) * 1000,
        successThreshold: spec.successThreshold || 1,
        failureThreshold: spec.failureThreshold || 3,
      },
      startedAt,
      share,
      adopted,
      probe: (signal) => probe(kind, spec, signal),
      onOutcome: (outcome, state, before) => {
        if (outcome.kind === 'success' || outcome.kind === 'warning') this.#words.delete(kind);
        else this.#words.set(kind, outcome.words);
        onOutcome(kind, outcome);
        if (state.result === before.result) return;
        this.#startDue();
        onChange();
      },
    });
    this.#loops.set(kind, loop);
  }

  /** The startup probe first; the others once it has succeeded. */
  #startDue(): void {
    const startup = this.#loops.get('startup');
    startup?.start();
    if (startup !== undefined && startup.result !== 'success') return;
    this.#loops.get('liveness')?.start();
    this.#loops.get('readiness')?.start();
  }
}
