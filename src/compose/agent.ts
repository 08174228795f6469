/** Builds the agent's parts for one runtime and runs them until it is told to stop. */
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
import { GarbageCollector } from '#kubelet/gc/garbage-collector.ts';
import { Housekeeping } from '#kubelet/housekeeping.ts';
import { LocalView } from '#kubelet/local-view.ts';
import { LogRotator } from '#kubelet/logs/log-rotation.ts';
import { nodeFacts } from '#kubelet/node-object.ts';
import type { Paths } from '#kubelet/paths.ts';
import { RuntimeHealth } from '#kubelet/runtime-health.ts';
import { SourceMux } from '#kubelet/source-mux.ts';
import type { AdoptUid, PodSource } from '#kubelet/sources/source.ts';
import { adoptableUid, findPods } from '#kubelet/runtime-pods.ts';
import type { Logger } from '#lib/logger.ts';
import { LocalServer } from '#server/local-server.ts';
import { ensureRshared } from '#volumes/shared-root.ts';
import { readMachine } from './machine.ts';
import { composePods } from './pod-parts.ts';

export interface AgentPlan {
  options: AgentOptions;
  mode: 'standalone' | 'kubelet';
  endpoint: string;
  log: Logger;
  /** Where pods come from; `adopt` gives a static pod the UID that it runs under already. */
  sources(adopt: AdoptUid): PodSource[];
  applied: AppliedManifests | undefined;
  signal: AbortSignal;
}

export interface RunningAgent {
  /** Ends the agent within seconds; pods run on. */
  stop(): Promise<void>;
  /** Ends every pod of the node that no source wants, removes the groups above them, and returns when all is gone. */
  endAllPods(signal: AbortSignal): Promise<void>;
}

/** kubelet's own. */
const OWN_OOM_SCORE = -999;
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
  if (!(await setOwnOomScore(OWN_OOM_SCORE))) {
    log.warn(
      {},
      'this process may not lower its own OOM score: under memory pressure the kernel may pick it',
    );
  }
  const machine = await readMachine(options);
  if (machine.layout.version === 1) {
    log.warn({ reason: 'CgroupV1' }, 'cgroup v1 is in maintenance mode, please migrate to cgroup v2');
  }
  await ensureDir(paths.podLogs, 0o750);
  await ensureDir(paths.containerLogs, 0o755);
  await ensureRshared(paths.root, signal);
  const driver = options.cgroupDriver ?? (await runtime.cgroupDriver({ signal })) ?? 'cgroupfs';
  const pods = composePods(options, connection, machine, driver, paths, clock, log);
  await pods.cgroups.start();

  const found = await findPods(runtime, pods.records, signal);
  const sources = new SourceMux(plan.sources((pod) => adoptableUid(found.values(), pod)));
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
    isComplete: () => sources.isComplete,
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
      workers: 1,
      intervalMs: 10_000,
    },
    clock,
    log.child({ component: 'log-rotation' }),
  );
  const status = new RuntimeHealth(runtime);
  await status.refresh();
  const view = new LocalView({
    workers: pods.workers,
    events: pods.events,
    sources,
    runtime,
    facts: await nodeFacts(
      {
        name: options.nodeName,
        addresses: machine.addresses,
        maxPods: options.maxPods,
        kubernetesVersion,
        startedAt,
      },
      version,
    ),
    runtimeStatus: () => status.latest,
    applied: plan.applied,
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
    pods.workers.setDesired(wanted);
    housekeeping.lookSoon();
  });
  housekeeping.start();
  status.start();
  log.info({ socket: options.socket, node: options.nodeName }, 'nodelet is up');
  return {
    endAllPods: async (limit) => {
      await housekeeping.untilEmpty(limit);
      await pods.cgroups.removeAll();
    },
    stop: async () => {
      status.stop();
      stopping.abort();
      pods.images.stop();
      const ended = Promise.allSettled([
        server.stop(),
        sources.stop(),
        housekeeping.stop(),
        pods.workers.stop(),
        ...background,
      ]);
      // A call that the runtime doesn't answer must not hold up the end: the next process picks up from there.
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, STOP_MS))]);
      connection.close();
    },
  };
}
