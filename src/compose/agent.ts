/** Builds the agent's parts for one runtime and runs them until it is told to stop. */
import { release } from 'node:os';
import type { AgentOptions } from '#config/agent-options.ts';
import { kubernetesVersion, nodeletVersion } from '#config/version.ts';
import { PodChanges } from '#cri/events.ts';
import { OrphanShims } from '#cri/containerd/orphan-shims.ts';
import { connect } from '#cri/grpc/connect.ts';
import { systemClock } from '#host/clock.ts';
import { ensureDir } from '#host/files.ts';
import { readMounts } from '#host/mounts.ts';
import { setOwnOomScore } from '#host/own-oom-score.ts';
import type { AppliedManifests } from '#kubelet/applied.ts';
import { SysctlRules } from '#kubelet/admission/sysctls.ts';
import { GarbageCollector } from '#kubelet/gc/garbage-collector.ts';
import { Housekeeping } from '#kubelet/housekeeping.ts';
import { LocalView } from '#kubelet/local-view.ts';
import { LogRotator } from '#kubelet/logs/log-rotation.ts';
import { applyKernelTunables } from '#kubelet/node/kernel-tunables.ts';
import type { CredentialProviders } from '#kubelet/images/providers/providers.ts';
import type { NodeSettings } from '#kubelet/node/settings.ts';
import { byKind } from '#kubelet/objects/local-object.ts';
import type { LocalObjects } from '#kubelet/objects/local-objects.ts';
import type { Paths } from '#kubelet/paths.ts';
import { SourceMux } from '#kubelet/source-mux.ts';
import type { AdoptUid, PodSource } from '#kubelet/sources/source.ts';
import { adoptableUid, findPods } from '#kubelet/runtime-pods.ts';
import type { Logger } from '#lib/logger.ts';
import type { Node } from '#lib/kube/types.ts';
import { LocalServer } from '#server/local-server.ts';
import { ensureRshared } from '#volumes/shared-root.ts';
import { composeApiPods } from './api-pods.ts';
import type { Cluster } from './cluster.ts';
import { clusterSupplies } from './cluster-supplies.ts';
import { readMachine } from './machine.ts';
import { NodeAdmission } from './node-admission.ts';
import { type NodeParts, composeNode, podsLimits } from './node-parts.ts';
import { type PodParts, type PodSettings, composePods, defaultPodSettings } from './pod-parts.ts';
import { localSupplies } from './pod-references.ts';

export interface AgentPlan {
  options: AgentOptions;
  mode: 'standalone' | 'kubelet';
  endpoint: string;
  node: NodeSettings;
  pods: PodSettings;
  log: Logger;
  /** Where pods come from besides the cluster; `adopt` gives a static pod the UID that it runs under already. */
  sources(adopt: AdoptUid): PodSource[];
  applied: AppliedManifests | undefined;
  /** Takes the ConfigMaps and Secrets of manifests; undefined where those aren't served. */
  objects: LocalObjects | undefined;
  /** undefined: there is no API server. */
  cluster: Cluster | undefined;
  allowedUnsafeSysctls: readonly string[];
  /** Of the agent's own process. */
  oomScoreAdj: number;
  credentialProviders: CredentialProviders | undefined;
  /** Called with each version of the Node object that the API server has. */
  onNode?: (node: Node | undefined) => void;
  /** What /configz shows. */
  configuration: Readonly<Record<string, unknown>> | undefined;
  signal: AbortSignal;
}

/** What the plan of an agent without cluster and configuration leaves open. */
export const alone = {
  pods: defaultPodSettings,
  cluster: undefined,
  objects: undefined,
  allowedUnsafeSysctls: [],
  oomScoreAdj: -999,
  credentialProviders: undefined,
  configuration: undefined,
} satisfies Partial<AgentPlan>;

export interface RunningAgent {
  /** Ends the agent within seconds; pods run on. */
  stop(): Promise<void>;
  /** Ends every pod of the node that no source wants, removes the groups above them, and returns when all is gone. */
  endAllPods(signal: AbortSignal): Promise<void>;
}

const STOP_MS = 3000;

export async function startAgent(plan: AgentPlan): Promise<RunningAgent> {
  const { options, log, signal } = plan;
  const clock = systemClock;
  const startedAt = clock.now();
  const paths: Paths = {
    root: options.rootDir,
    podLogs: options.podLogsDir,
    containerLogs: options.containerLogsDir,
  };
  const connection = await connect(plan.endpoint, {
    clock,
    requestTimeoutMs: options.runtimeRequestTimeoutMs,
    ...(options.imageServiceEndpoint === undefined ? {} : { imageEndpoint: options.imageServiceEndpoint }),
    signal,
  });
  const { runtime, version, containerd } = connection;
  log.info(
    { runtime: version.runtimeName, version: version.runtimeVersion },
    'the container runtime answers',
  );
  if (!(await setOwnOomScore(plan.oomScoreAdj))) {
    log.warn(
      {},
      'this process may not lower its own OOM score: under memory pressure the kernel may pick it',
    );
  }
  const machine = await readMachine(options);
  if (plan.mode === 'kubelet') await applyKernelTunables(plan.node.protectKernelDefaults, log);
  await ensureDir(paths.podLogs, 0o750);
  await ensureDir(paths.containerLogs, 0o755);
  await ensureRshared(paths.root, signal);
  const driver = options.cgroupDriver ?? (await runtime.cgroupDriver({ signal })) ?? 'cgroupfs';
  const { cluster } = plan;
  const api =
    cluster &&
    composeApiPods(
      {
        ...cluster.api,
        nodeUid: () => node.agent.node().metadata?.uid,
        ...(cluster.offlineStart === undefined ? {} : { offlineStart: cluster.offlineStart }),
      },
      options.nodeName,
      (name) => pods.workers.hasName(name),
      clock,
      log,
    );
  const thisNode = { node: () => node.agent.node(), poke: () => node.agent.poke() };
  const sysctls = new SysctlRules(release(), plan.allowedUnsafeSysctls);
  const pods: PodParts = composePods({
    options,
    settings: plan.pods,
    connection,
    machine,
    driver,
    nodeAllocatable: podsLimits(machine, plan.node),
    paths,
    clock,
    log,
    supplies:
      cluster === undefined
        ? localSupplies(plan.objects)
        : await clusterSupplies(cluster, thisNode, paths.root, clock, log),
    statuses: api?.statuses,
    admission: new NodeAdmission({
      node: () => node.agent.node(),
      fail: (uid, terminal) => pods.workers.fail(uid, terminal),
      events: { event: (...args) => pods.events.event(...args) },
      sysctls,
      appArmorTrouble: machine.security.appArmor ? undefined : 'AppArmor is not enabled on the host',
    }),
    forwardEvent: api && ((event) => api.events.send(event)),
    credentialProviders: plan.credentialProviders,
  });
  await pods.cgroups.start();
  await pods.dns.checkNode();

  const node: NodeParts = composeNode({
    settings: plan.node,
    mode: plan.mode,
    cgroups: pods.cgroups,
    connection,
    machine,
    paths,
    events: pods.events.node,
    ...(cluster === undefined ? {} : { cluster: { client: cluster.api.client, nodes: cluster.nodes } }),
    onNode: (object) => {
      api?.mirrors.nodeChanged();
      plan.onNode?.(object);
    },
    volumesInUse: () => pods.csi?.volumesInUse(),
    onVolumesReported: (names) => pods.csi?.onVolumesReported(names),
    startedAt,
    clock,
    log,
  });
  await pods.csi?.start();
  const [found] = await Promise.all([findPods(runtime, pods.records, signal), node.start()]);
  pods.workers.setEarlier(found.values());
  const sources = new SourceMux([
    ...plan.sources((pod) => adoptableUid(found.values(), pod)),
    ...(api === undefined ? [] : [api.source([...found.values()].map(({ record }) => record))]),
  ]);
  const stopping = new AbortController();
  const changes = new PodChanges({
    runtime,
    clock,
    logger: log.child({ component: 'runtime' }),
    handlers: { onChange: (uid) => onChange(uid), onReconnect: () => pods.workers.markAllDirty() },
  });
  const collector = new GarbageCollector({
    runtime,
    paths,
    pods: {
      desiredUids: () => (sources.isComplete ? pods.workers.uids() : undefined),
      isProtected: (id) => pods.workers.uses(id),
      exclusively: (uid, work) => pods.workers.exclusively(uid, work),
    },
    volumes: pods.volumes,
    cgroups: pods.cgroups,
    mountPoints: async () => (await readMounts()).map((mount) => mount.mountPoint),
    onBlocked: (blocked) => {
      if (blocked.length === 0) log.info({}, 'no pod directory is blocked any more');
      else log.warn({ blocked: blocked.map(({ message }) => message) }, "pod directories can't be removed");
    },
    clock,
    logger: log.child({ component: 'gc' }),
    policy: {
      minAgeMs: options.minContainerTtlMs,
      maxPerPodContainer: options.maxDeadContainersPerContainer,
      maxContainers: options.maxDeadContainers,
    },
  });
  const housekeeping = new Housekeeping({
    runtime,
    records: pods.records,
    workers: pods.workers,
    collector,
    syncCgroups: () => pods.cgroups.syncQos(pods.workers.activePods()),
    isComplete: (origin) => sources.isCompleteFor(origin),
    clock,
    log,
  });
  const shims =
    containerd &&
    new OrphanShims({
      api: containerd,
      endpoint: plan.endpoint,
      clock,
      log: log.child({ component: 'runtime' }),
    });
  const onChange = (uid: string): void => {
    shims?.lookSoon();
    if (pods.workers.has(uid)) pods.workers.markDirty(uid);
    else housekeeping.lookSoon();
  };
  const rotator = new LogRotator(
    runtime,
    {
      root: paths.podLogs,
      maxSizeBytes: options.containerLogMaxSizeBytes,
      maxFiles: options.containerLogMaxFiles,
      workers: options.containerLogMaxWorkers,
      intervalMs: options.containerLogMonitorMs,
    },
    clock,
    log.child({ component: 'log-rotation' }),
  );
  const view = new LocalView({
    workers: pods.workers,
    events: pods.events,
    sources,
    runtime,
    node: () => node.agent.node(),
    applied: plan.applied,
    hasObjects: plan.objects !== undefined,
    otherWaits: (pod) => api?.waits(pod) ?? [],
    paths,
    clock,
    logger: log,
  });
  const server = new LocalServer({
    socket: options.socket,
    view,
    info: {
      pid: process.pid,
      mode: plan.mode,
      version: nodeletVersion,
      kubernetesVersion,
      nodeName: options.nodeName,
      startedAt,
    },
    ...(plan.configuration === undefined ? {} : { configuration: plan.configuration }),
    clock,
    logger: log.child({ component: 'socket' }),
  });
  await server.start();
  const background = [
    changes.run(stopping.signal),
    rotator.run(stopping.signal),
    shims?.run(stopping.signal),
  ];
  await sources.start((wanted) => {
    plan.objects?.replace({ ...byKind(sources.objects()), isComplete: sources.isComplete });
    pods.workers.setDesired(wanted);
    api?.mirrors.setDesired(wanted, sources.isCompleteFor('file'));
    housekeeping.setWanted(wanted);
  });
  housekeeping.start();
  log.info({ socket: options.socket, node: options.nodeName }, 'nodelet is up');
  return {
    endAllPods: async (limit) => {
      await housekeeping.untilEmpty(limit);
      await pods.cgroups.removeAll();
    },
    stop: async () => {
      stopping.abort();
      pods.images.stop();
      const ended = Promise.allSettled([
        server.stop(),
        node.stop(),
        sources.stop(),
        housekeeping.stop(),
        pods.workers.stop().then(() => pods.probes.stop()),
        pods.csi?.stop(),
        api?.stop(),
        ...background,
      ]).then(() => cluster?.stop());
      // A call that the runtime doesn't answer must not hold up the end: the next process picks up from there.
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, STOP_MS))]);
      connection.close();
    },
  };
}
