import type { Clock } from '#lib/clock.ts';
import type { AgentPod, Container } from '#lib/kube/types.ts';
import { PriorityGate } from '#lib/priority-gate.ts';
import type { Outcome } from '#probes/outcome.ts';
import type { ProbeKind } from '#probes/probe-state.ts';
import { type ProbeTarget, probe as makeProbe } from '#probes/prober.ts';
import type { Healths } from '../pod/health.ts';
import type { PodEvents, PodProbes, ProbedContainer, ProbedPod } from '../pod/ports.ts';
import type { ContainerCommands } from './container-commands.ts';
import { ContainerProbes, hasProbes } from './container-probes.ts';
import { type Probe, probeTarget } from './probe-target.ts';

export interface ProbeManagerParts {
  commands: Pick<ContainerCommands, 'in'>;
  events: PodEvents;
  clock: Clock;
  /** 0 to 1, as Math.random. */
  random: () => number;
  /** How many commands may run in containers at once. */
  execsAtOnce: number;
  /** A pod's health has changed. */
  onChange: (podUid: string) => void;
  /** Makes one probe; the real thing unless given. */
  probe?: (
    target: ProbeTarget,
    timeoutSeconds: number,
    clock: Clock,
    signal: AbortSignal,
  ) => Promise<Outcome>;
}

interface Entry {
  pod: AgentPod;
  podIp: string;
  /** By container name. */
  containers: Map<string, ContainerProbes>;
}

const TITLES: Readonly<Record<ProbeKind, string>> = {
  liveness: 'Liveness',
  readiness: 'Readiness',
  startup: 'Startup',
};

/** The probes of all pods of the node. */
export class ProbeManager implements PodProbes {
  readonly #parts: ProbeManagerParts;
  readonly #gate: PriorityGate;
  /** Containers that started before this process may have been probed before. */
  readonly #since: number;
  readonly #pods = new Map<string, Entry>();

  constructor(parts: ProbeManagerParts) {
    this.#parts = parts;
    this.#gate = new PriorityGate(parts.execsAtOnce);
    this.#since = parts.clock.now();
  }

  sync({ pod, podIp, containers, isEnding }: ProbedPod): Healths {
    const { uid } = pod.metadata;
    const probed = containers.filter(({ spec }) => hasProbes(spec));
    const entry = this.#pods.get(uid) ?? { pod, podIp, containers: new Map<string, ContainerProbes>() };
    entry.pod = pod;
    entry.podIp = podIp || entry.podIp;
    for (const [name, probes] of entry.containers) {
      if (probed.some(({ spec, id }) => spec.name === name && id === probes.id)) continue;
      probes.stop();
      entry.containers.delete(name);
    }
    for (const each of probed) {
      const running = entry.containers.get(each.spec.name) ?? this.#begin(entry, each);
      entry.containers.set(each.spec.name, running);
      if (isEnding) running.stopLivenessAndStartup();
    }
    if (entry.containers.size > 0) this.#pods.set(uid, entry);
    else this.#pods.delete(uid);
    return this.healths(uid);
  }

  healths(podUid: string): Healths {
    const entry = this.#pods.get(podUid);
    return new Map([...(entry?.containers ?? [])].map(([name, probes]) => [name, probes.health]));
  }

  forget(podUid: string): void {
    for (const probes of this.#pods.get(podUid)?.containers.values() ?? []) probes.stop();
    this.#pods.delete(podUid);
  }

  stop(): void {
    for (const uid of this.#pods.keys()) this.forget(uid);
  }

  #begin(entry: Entry, { spec, id, startedAt, known }: ProbedContainer): ContainerProbes {
    const { clock, random, onChange } = this.#parts;
    return new ContainerProbes({
      container: spec,
      id,
      known,
      clock,
      startedAt,
      share: startedAt < this.#since ? random() : 0,
      probe: (_kind, probe, signal) => this.#probe(entry, spec, id, probe, signal),
      onOutcome: (kind, outcome) => this.#tell(entry.pod, spec, kind, outcome),
      onChange: () => onChange(entry.pod.metadata.uid),
    });
  }

  #probe(
    { pod, podIp }: Entry,
    container: Container,
    id: string,
    probe: Probe,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { clock, commands, probe: make = makeProbe } = this.#parts;
    const target = probeTarget(probe, container, podIp, commands.in(pod.metadata.uid, id));
    const run = (): Promise<Outcome> => make(target, probe.timeoutSeconds || 1, clock, signal);
    return target.kind === 'exec' ? this.#gate.run(0, signal, run) : run();
  }

  #tell(pod: AgentPod, { name }: Container, kind: ProbeKind, { kind: outcome, words }: Outcome): void {
    const tell = (reason: string, message: string): void =>
      this.#parts.events.event(pod, 'Warning', reason, message, name);
    const title = TITLES[kind];
    if (outcome === 'failure') tell('Unhealthy', `${title} probe failed: ${words}`);
    else if (outcome === 'warning') tell('ProbeWarning', `${title} probe warning: ${words}`);
    else if (outcome === 'error')
      tell('Unhealthy', `${title} probe errored and resulted in unknown state: ${words}`);
  }
}
