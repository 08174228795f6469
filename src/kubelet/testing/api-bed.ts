/** The pod workers with an API server in memory: for scenarios of pods that come from it. */
import type { Clock } from '#lib/clock.ts';
import { type KubeClient, resources } from '#lib/kube/client.ts';
import type { AgentPod, Pod } from '#lib/kube/types.ts';
import { silentLogger } from '#lib/logger.ts';
import type { Admission } from '../admission.ts';
import { Housekeeping } from '../housekeeping.ts';
import type { GarbageCollector } from '../gc/garbage-collector.ts';
import { MirrorPods } from '../mirror/mirror-pods.ts';
import { PodBed, makePod } from '../pod/testing/pod-bed.ts';
import type { PodStatusSink } from '../pod/ports.ts';
import { RecordStore } from '../pod/record-store.ts';
import { findPods } from '../runtime-pods.ts';
import { SourceMux } from '../source-mux.ts';
import { ApiPodSource, podsOfNode } from '../sources/api-source.ts';
import { type OfflineStart, offlinePods } from '../sources/offline-pods.ts';
import type { PodSource, SourceUpdate } from '../sources/source.ts';
import { CONFIG_HASH, CONFIG_SEEN, CONFIG_SOURCE } from '../sources/static-pod.ts';
import { StatusManager } from '../status-manager/status-manager.ts';
import { FakeApi, type FakeInformer } from './fake-api.ts';

const NODE = 'node';
type Spec = Parameters<typeof makePod>[1];

/** What an agent has of its own and loses with its process. */
interface Agent {
  statuses: StatusManager;
  informer: FakeInformer<Pod>;
  sources: SourceMux;
  housekeeping: Housekeeping;
  mirrors: MirrorPods;
  end: AbortController;
}

/** Manifests that the test writes. */
class Manifests implements PodSource {
  readonly kind = 'file';
  readonly name = 'manifests';
  #pods: AgentPod[] = [];
  #deliver: ((update: SourceUpdate) => void) | undefined;

  start(deliver: (update: SourceUpdate) => void): Promise<void> {
    this.#deliver = deliver;
    this.set(this.#pods);
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  set(pods: AgentPod[]): void {
    this.#pods = pods;
    this.#deliver?.({ pods, problems: [] });
  }
}

/** A static pod as a source of manifests delivers it. */
export function staticPod(name: string, spec: Spec, uid: string): AgentPod {
  const pod = makePod(name, spec, uid);
  const annotations = { [CONFIG_HASH]: uid, [CONFIG_SOURCE]: 'file', [CONFIG_SEEN]: '2026-01-01T00:00:00Z' };
  return { ...pod, metadata: { ...pod.metadata, annotations }, spec: { ...pod.spec, nodeName: NODE } };
}

export class ApiBed {
  readonly pods: PodBed;
  readonly api: FakeApi;
  /** Everything that was done to a pod and its object, in order. */
  readonly log: string[] = [];
  readonly manifests = new Manifests();
  nodeUid: string | undefined = 'node-uid';
  /** Called before each of these steps: a test may look, or make it wait. */
  onStep: (step: string) => Promise<void> | void = () => undefined;
  #agent: Agent | undefined;
  #statuses: StatusManager | undefined;
  #informer: Agent['informer'] | undefined;
  #end = new AbortController();

  constructor(options: { admission?: Admission } = {}) {
    this.api = new FakeApi({ now: () => this.pods.clock.now() });
    this.pods = new PodBed({
      statuses: () => this.#connect(),
      ...(options.admission === undefined ? {} : { admission: options.admission }),
      onTearDown: (what) => {
        this.log.push(`remove ${what}`);
        return this.onStep(`remove ${what}`);
      },
    });
    this.api.before = (call) => {
      if (call.verb !== 'patch' && call.verb !== 'delete') return undefined;
      this.log.push(`${call.verb} ${call.path}`);
      return this.onStep(`${call.verb} ${call.path}`);
    };
  }

  /** Starts an agent over the same runtime, disk and API server; the one before ends as by kill -9. */
  async start(options: { synced?: boolean; offline?: OfflineStart } = {}): Promise<void> {
    this.kill();
    this.pods.restartAgent();
    const { workers, runtime, clock, paths } = this.pods;
    const informer = this.#informer;
    const statuses = this.#statuses;
    if (informer === undefined || statuses === undefined) throw new Error('the agent is not connected');
    const end = this.#end;
    const records = new RecordStore(paths, silentLogger);
    const found = [...(await findPods(runtime, records, end.signal)).values()];
    workers.setEarlier(found);
    const left = found.map(({ record }) => record);
    const { offline } = options;
    const source = new ApiPodSource(
      informer,
      clock,
      offline && { afterMs: offline.afterMs, pods: offlinePods(left, offline) },
    );
    const sources = new SourceMux([this.manifests, source]);
    const mirrors = new MirrorPods({
      client: mortal(this.api, end.signal),
      pods: informer,
      nodeName: NODE,
      nodeUid: () => this.nodeUid,
      isHere: (name) => workers.hasName(name),
      clock,
      log: silentLogger,
    });
    const collector: Pick<GarbageCollector, 'run'> = { run: () => Promise.resolve() as never };
    const housekeeping = new Housekeeping({
      runtime,
      records,
      workers,
      collector: collector as GarbageCollector,
      syncCgroups: () => Promise.resolve(),
      isComplete: (origin) => sources.isCompleteFor(origin),
      clock,
      log: silentLogger,
    });
    this.#agent = { statuses, informer, sources, housekeeping, mirrors, end };
    await sources.start((wanted) => {
      workers.setDesired(wanted);
      mirrors.setDesired(wanted, sources.isCompleteFor('file'));
      housekeeping.setWanted(wanted);
    });
    housekeeping.start();
    if (options.synced !== false) informer.sync();
  }

  get agent(): Agent {
    if (this.#agent === undefined) throw new Error('no agent runs');
    return this.#agent;
  }

  kill(): void {
    const agent = this.#agent;
    this.#agent = undefined;
    this.pods.killAgent();
    agent?.end.abort();
    for (const part of [agent?.statuses, agent?.sources, agent?.housekeeping, agent?.mirrors]) {
      part?.stop().catch(() => undefined);
    }
  }

  dispose(): void {
    this.kill();
    this.pods.dispose();
  }

  /** Creates a pod on this node, as the scheduler leaves it. */
  create(name: string, spec: Spec, metadata: Partial<AgentPod['metadata']> = {}): Pod {
    const pod = makePod(name, spec);
    const { uid: _uid, ...rest } = pod.metadata;
    return this.api.put(resources.pods, {
      ...pod,
      metadata: { ...rest, ...metadata },
      spec: { ...pod.spec, nodeName: NODE },
      status: {
        phase: 'Pending',
        qosClass: 'BestEffort',
        conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: '2025-12-31T23:59:00Z' }],
      },
    });
  }

  edit(name: string, change: (pod: Pod) => void): void {
    this.api.edit(resources.pods, { namespace: 'default', name }, change);
  }

  remove(name: string, gracePeriodSeconds?: number): void {
    const at = { namespace: 'default', name };
    this.api.remove(resources.pods, at, gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds });
  }

  phase(name: string): string | undefined {
    return this.api.pod(name)?.status?.phase;
  }

  #connect(): PodStatusSink {
    const end = new AbortController();
    this.#end = end;
    this.#informer = this.api.informer<Pod>(resources.pods, podsOfNode(NODE), { signal: end.signal });
    this.#statuses = new StatusManager({
      client: mortal(this.api, end.signal),
      pods: this.#informer,
      // The bed's own is made before the bed is whole.
      clock: lateClock(() => this.pods.clock),
      log: silentLogger,
    });
    const statuses = this.#statuses;
    return {
      publish: (pod, status, standing) => statuses.publish(pod, status, standing),
      forget: (uid) => {
        statuses.forget(uid);
        this.#agent?.mirrors.podLeft();
      },
    };
  }
}

/** A client whose process may end: a call under way then is done or not, and nobody gets its answer. */
function mortal(api: FakeApi, death: AbortSignal): KubeClient {
  const call = async <T>(work: () => Promise<T>): Promise<T> => {
    if (death.aborted) return new Promise(() => undefined);
    const answer = await work();
    return death.aborted ? new Promise(() => undefined) : answer;
  };
  return {
    get: (resource, at) => call(() => api.get(resource, at)),
    list: (resource, selection) => call(() => api.list(resource, selection)),
    create: (resource, at, object) => call(() => api.create(resource, at, object)),
    replace: (resource, at, object) => call(() => api.replace(resource, at, object)),
    patch: (resource, at, patch) => call(() => api.patch(resource, at, patch)),
    delete: (resource, at, options) => call(() => api.delete(resource, at, options)),
  };
}

const lateClock = (clock: () => Clock): Clock => ({
  now: () => clock().now(),
  monotonic: () => clock().monotonic(),
  after: (ms, wake) => clock().after(ms, wake),
});
