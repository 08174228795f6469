import type { ServedObject } from '../objects/local-object.ts';
import type { AgentPod, PodSourceName } from '#lib/kube/types.ts';
import type { ManifestProblem } from '#server/view.ts';

/** Everything that one source wants to run at this moment: always the whole set, never a difference. */
export interface SourceUpdate {
  pods: AgentPod[];
  problems: ManifestProblem[];
  /** ConfigMaps and Secrets of manifests, one of a name. */
  objects?: readonly ServedObject[];
  /** Where each pod comes from, for people, by UID: `file /etc/kubernetes/manifests/web.yaml`. */
  origins?: ReadonlyMap<string, string>;
  /** Set where it is only what an earlier agent knew: its pods run, but nothing else is taken for unwanted. */
  provisional?: true;
}

/**
 * A place that pods come from. A source delivers its first update once it has seen everything there is (an empty
 * or missing directory counts as seen); until then nothing of it is removed. While it can't be read it keeps
 * quiet: silence never removes a pod.
 */
export interface PodSource {
  /** The kind that goes into the annotation `kubernetes.io/config.source`. */
  readonly kind: PodSourceName;
  /** For people and logs: `directory /etc/kubernetes/manifests`. */
  readonly name: string;
  /** Delivers updates until `stop`; rejects only on what can never work (a bad URL). */
  start(deliver: (update: SourceUpdate) => void): Promise<void>;
  stop(): Promise<void>;
}

/**
 * The UID of a pod that already runs with this name, namespace and source and whose containers are those of `pod`;
 * undefined where there is none. Asked before a static pod gets an own UID.
 */
export type AdoptUid = (
  pod: Omit<AgentPod, 'metadata'> & { metadata: Omit<AgentPod['metadata'], 'uid'> },
) => string | undefined;
