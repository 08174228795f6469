import type { ImageRequest } from './ports.ts';
import type { CrashBackoff } from './record.ts';

/** One container to be stopped. */
export interface Kill {
  id: string;
  name: string;
  /** What the event `Killing` says. */
  message: string;
}

/** What the worker can do for a pod: data, so that a decision can be tested without doing it. */
export type Step =
  /** Directories, cgroup and volumes: everything that must be there before the sandbox. */
  | { kind: 'setUp' }
  /** The volumes of a running pod whose content has changed. */
  | { kind: 'refreshVolumes' }
  | { kind: 'createSandbox'; attempt: number }
  | { kind: 'stopSandbox'; id: string }
  | { kind: 'removeSandbox'; id: string }
  | { kind: 'requestImage'; container: string; request: ImageRequest }
  | {
      kind: 'startContainer';
      container: string;
      attempt: number;
      sandboxId: string;
      /** Set where an earlier instance ended: what the record keeps for the next time. */
      backoff: CrashBackoff | undefined;
    }
  /** A container that was created but, as far as anyone knows, never started. */
  | { kind: 'startCreated'; container: string; attempt: number; sandboxId: string; id: string }
  /** The hook of a container that has just started; until it has ended well, the container counts as not started. */
  | { kind: 'postStart'; container: string; id: string }
  | { kind: 'killContainers'; kills: Kill[]; gracePeriodSeconds: number; ordered: boolean }
  /** The resources of the pod's group and of what runs in it, where they are others than it was given. */
  | { kind: 'resize' }
  /** Volumes and cgroup of a pod whose containers have all ended for good. */
  | { kind: 'tearDown' }
  /** Logs, links, directories and record of a pod that nobody wants any more. */
  | { kind: 'forget' };

export type StepKind = Step['kind'];
export type StepOf<K extends StepKind> = Extract<Step, { kind: K }>;
