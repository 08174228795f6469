/** What the runtime and the disk hold of pods when the agent starts, and when it looks for what nobody wants. */
import type { RuntimeService } from '#cri/runtime.ts';
import type { AgentPod, Container } from '#lib/kube/types.ts';
import { containerHash } from './pod/container-hash.ts';
import {
  CONTAINER_NAME_LABEL,
  containerFromAnnotations,
  HASH_ANNOTATION,
  POD_NAMESPACE_LABEL,
  POD_NAME_LABEL,
  podUidOf,
} from './pod/labels.ts';
import type { PodRecord } from './pod/record.ts';
import type { RecordStore } from './pod/record-store.ts';
import { isSamePod } from './pod/same-pod.ts';
import { CONFIG_SOURCE } from './sources/static-pod.ts';

/** A pod that left traces in the runtime or on disk. */
export interface FoundPod {
  uid: string;
  namespace: string;
  name: string;
  /** `file`, `http` or `api`, where the sandbox tells. */
  source: string | undefined;
  /** Hash of image and name by container, of what the runtime has. */
  hashes: Map<string, string>;
  /** What the runtime's containers tell of themselves, for the end of a pod without record. */
  containers: Map<string, Container>;
  record: PodRecord | undefined;
}

/** `isKnown`: of which pods the records aren't wanted; reading them all would cost most of a look. */
export async function findPods(
  runtime: RuntimeService,
  records: RecordStore,
  signal: AbortSignal,
  isKnown: (uid: string) => boolean = () => false,
): Promise<Map<string, FoundPod>> {
  const [sandboxes, containers, uids] = await Promise.all([
    runtime.listPodSandbox(undefined, { signal }),
    runtime.listContainers(undefined, { signal }),
    records.uids(),
  ]);
  const found = new Map<string, FoundPod>();
  const at = (uid: string): FoundPod => {
    const known = found.get(uid);
    if (known !== undefined) return known;
    const fresh: FoundPod = {
      uid,
      namespace: '',
      name: '',
      source: undefined,
      hashes: new Map(),
      containers: new Map(),
      record: undefined,
    };
    found.set(uid, fresh);
    return fresh;
  };
  for (const object of [...sandboxes, ...containers]) {
    const uid = podUidOf(object);
    if (uid === undefined) continue;
    const pod = at(uid);
    pod.namespace ||= object.labels[POD_NAMESPACE_LABEL] ?? '';
    pod.name ||= object.labels[POD_NAME_LABEL] ?? '';
    pod.source ??= object.annotations[CONFIG_SOURCE];
    const container = object.labels[CONTAINER_NAME_LABEL];
    const hash = object.annotations[HASH_ANNOTATION];
    if (container === undefined || hash === undefined) continue;
    pod.hashes.set(container, hash);
    pod.containers.set(container, containerFromAnnotations(container, object.annotations));
  }
  for (const uid of uids) {
    if (isKnown(uid)) {
      at(uid);
      continue;
    }
    const record = await records.read(uid);
    // A directory without a record and without anything in the runtime is the garbage collector's.
    if (record === undefined && !found.has(uid)) continue;
    const pod = at(uid);
    pod.record = record;
    pod.namespace ||= record?.pod.metadata.namespace ?? '';
    pod.name ||= record?.pod.metadata.name ?? '';
    pod.source ??= record?.pod.metadata.annotations?.[CONFIG_SOURCE];
  }
  return found;
}

type Unidentified = Parameters<typeof adoptableUid>[1];

/**
 * The UID of a found pod that `pod` is a description of: same name, namespace and source, and the same spec. Where
 * only the runtime tells (kubelet started it), its containers' images and names have to do.
 */
export function adoptableUid(
  found: Iterable<FoundPod>,
  pod: { metadata: Omit<AgentPod['metadata'], 'uid'>; spec: AgentPod['spec'] },
): string | undefined {
  for (const each of found) {
    if (each.namespace !== pod.metadata.namespace || each.name !== pod.metadata.name) continue;
    if (each.record === undefined ? isSameByHash(each, pod) : isSamePod(each.record.pod, pod))
      return each.uid;
  }
  return undefined;
}

function isSameByHash(found: FoundPod, pod: Unidentified): boolean {
  if (found.source === undefined || found.source !== pod.metadata.annotations?.[CONFIG_SOURCE]) return false;
  const specs = new Map(
    [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map((each) => [each.name, each]),
  );
  if (found.hashes.size === 0) return false;
  return [...found.hashes].every(([name, hash]) => {
    const spec = specs.get(name);
    return spec !== undefined && containerHash(spec) === hash;
  });
}

/** A found pod as something that can be ended: from its record, or from the little that the runtime tells. */
export function asPod(found: FoundPod): AgentPod {
  if (found.record !== undefined) return found.record.pod;
  return {
    metadata: { name: found.name, namespace: found.namespace, uid: found.uid },
    spec: { containers: [...found.containers.values()] },
  };
}
