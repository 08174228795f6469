/** Wires what ties the node's pods to the API server. */
import type { Admission } from '#kubelet/admission.ts';
import { EventSink } from '#kubelet/event-sink/event-sink.ts';
import { MirrorPods } from '#kubelet/mirror/mirror-pods.ts';
import type { PodStatusSink } from '#kubelet/pod/ports.ts';
import type { PodRecord } from '#kubelet/pod/record.ts';
import { ApiPodSource, podsOfNode } from '#kubelet/sources/api-source.ts';
import { type OfflineStart, offlinePods } from '#kubelet/sources/offline-pods.ts';
import { StatusManager } from '#kubelet/status-manager/status-manager.ts';
import type { Clock } from '#lib/clock.ts';
import { type InformerFactory, type KubeClient, resources } from '#lib/kube/client.ts';
import type { AgentPod, Pod } from '#lib/kube/types.ts';
import type { Wait } from '#lib/kube/wait.ts';
import type { Logger } from '#lib/logger.ts';

/** What the agent takes of a cluster for its pods. */
export interface ClusterOfPods {
  client: KubeClient;
  informers: InformerFactory;
  /** The UID of this Node's object; undefined while it isn't known. */
  nodeUid(): string | undefined;
  /** Everything is admitted unless given. */
  admission?: Admission;
  /** Pods that run again at the start though the API server is away; none unless given. */
  offlineStart?: OfflineStart;
}

export interface ApiPods {
  /** `records`: what earlier agents knew of pods. */
  source(records: Iterable<PodRecord | undefined>): ApiPodSource;
  /** Where the workers' statuses go. */
  statuses: PodStatusSink;
  mirrors: MirrorPods;
  /** Where the event log forwards to. */
  events: EventSink;
  waits(pod: AgentPod): Wait[];
  stop(): Promise<void>;
}

/** `isHere`: whether a pod of this full name is on the node; asked only once everything is composed. */
export function composeApiPods(
  cluster: ClusterOfPods,
  nodeName: string,
  isHere: (fullName: string) => boolean,
  clock: Clock,
  log: Logger,
): ApiPods {
  const { client } = cluster;
  const ended = new AbortController();
  const pods = cluster.informers.informer<Pod>(resources.pods, podsOfNode(nodeName), {
    signal: ended.signal,
  });
  const statuses = new StatusManager({ client, pods, clock, log: log.child({ component: 'status' }) });
  const mirrors = new MirrorPods({
    client,
    pods,
    nodeName,
    nodeUid: () => cluster.nodeUid(),
    isHere,
    clock,
    log: log.child({ component: 'mirror' }),
  });
  const events = new EventSink({ client, clock, log: log.child({ component: 'events' }) });
  return {
    source: (records) => {
      const { offlineStart } = cluster;
      const offline = offlineStart && {
        afterMs: offlineStart.afterMs,
        pods: offlinePods(records, offlineStart),
      };
      return new ApiPodSource(pods, clock, offline);
    },
    statuses: {
      publish: (pod, status, standing) => statuses.publish(pod, status, standing),
      forget: (uid) => {
        statuses.forget(uid);
        mirrors.podLeft();
      },
    },
    mirrors,
    events,
    waits: (pod) => [...statuses.waits(pod.metadata.uid), ...mirrors.waits(pod)],
    stop: async () => {
      ended.abort(new Error('the agent stops'));
      await Promise.all([statuses.stop(), mirrors.stop(), events.stop()]);
    },
  };
}
