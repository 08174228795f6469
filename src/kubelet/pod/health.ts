/** What probes say of containers, as decisions and statuses use it. */
import type { ContainerView } from './instances.ts';

export interface ContainerHealth {
  /** The container that it is about. */
  id: string;
  /** Its startup probe, if any, has succeeded. */
  started: boolean;
  /** It takes traffic. */
  ready: boolean;
  /** The probe by whose failure the container is to be restarted. */
  failed: 'liveness' | 'startup' | undefined;
  /** What the newest failing probe said, for people. */
  words: string;
}

/** By container name; a container that has no probes is not in it. */
export type Healths = ReadonlyMap<string, ContainerHealth>;

const DOWN = { started: false, ready: false, failed: undefined, words: '' };
const WELL = { started: true, ready: true, failed: undefined, words: '' };

/** A container without probes is well while it runs; one whose postStart hook runs is not there yet. */
export function healthOf(healths: Healths, { spec, current, isStarting }: ContainerView): ContainerHealth {
  const id = current?.id ?? '';
  if (current?.state !== 'running' || isStarting) return { id, ...DOWN };
  const health = healths.get(spec.name);
  return health?.id === id ? health : { id, ...WELL };
}
