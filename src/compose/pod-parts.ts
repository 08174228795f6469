/** Wires the pod workers to the runtime and the machine. */
import type { AgentOptions } from '#config/agent-options.ts';
import { PodCgroupManager } from '#cgroups/manager.ts';
import type { CgroupLimits } from '#cgroups/pod-limits.ts';
import type { NodeResources } from '#cgroups/compute.ts';
import { containerResources, overheadResources, sandboxResources } from '#cgroups/compute.ts';
import type { LinuxResources } from '#cri/types.ts';
import type { RuntimeConnection } from '#cri/grpc/connect.ts';
import { listDir, removeOwnTree, ensureDir } from '#host/files.ts';
import { readMounts } from '#host/mounts.ts';
import { processStats } from '#host/process-stats.ts';
import type { Admission } from '#kubelet/admission.ts';
import { matchesTerms } from '#kubelet/admission/node-selector.ts';
import { EventLog } from '#kubelet/events.ts';
import { BlockedDirectoryError } from '#kubelet/gc/blocked-directory.ts';
import { removePodDir } from '#kubelet/gc/pod-directories.ts';
import { ManagedHostsFiles } from '#kubelet/hosts-files.ts';
import { PostStart } from '#kubelet/hooks/post-start.ts';
import { PreStops } from '#kubelet/hooks/pre-stops.ts';
import { HookRunner } from '#kubelet/hooks/run-hook.ts';
import { ImageManager } from '#kubelet/images/image-manager.ts';
import { NodeCredentials, nodeCredentialPaths } from '#kubelet/images/node-credentials.ts';
import { ObjectPullSecrets } from '#kubelet/images/object-pull-secrets.ts';
import { PodCredentials } from '#kubelet/images/pod-credentials.ts';
import { FilePullSecrets, FirstPullSecrets, pullSecretsDir } from '#kubelet/images/pull-secrets.ts';
import { RecordFiles } from '#kubelet/images/records/files.ts';
import { PullRecords } from '#kubelet/images/records/pull-records.ts';
import type { CredentialProviders } from '#kubelet/images/providers/providers.ts';
import { type VerificationPolicyName, verificationPolicy } from '#kubelet/images/verification-policy.ts';
import { TerminationMessageFiles } from '#kubelet/logs/termination-message.ts';
import { ContainerEnvironment } from '#kubelet/objects/container-environment.ts';
import { RuntimeHandlers } from '#kubelet/objects/runtime-handlers.ts';
import { type Paths, podDir, podLogDir } from '#kubelet/paths.ts';
import { PodDnsSettings } from '#kubelet/pod-dns.ts';
import { type BackoffLimits, CRASH_BACKOFF } from '#kubelet/pod/crash-backoff.ts';
import { StepExecutor } from '#kubelet/pod/execute.ts';
import { allContainers } from '#kubelet/pod/instances.ts';
import { ContainerKiller } from '#kubelet/pod/kill-containers.ts';
import { PodObserver } from '#kubelet/pod/observer.ts';
import { PodWorker } from '#kubelet/pod/pod-worker.ts';
import { PodWorkers } from '#kubelet/pod/pod-workers.ts';
import type { PodDirectories, PodStatusSink } from '#kubelet/pod/ports.ts';
import { RecordStore } from '#kubelet/pod/record-store.ts';
import { ContainerStarter } from '#kubelet/pod/start-container.ts';
import { ContainerCommands } from '#kubelet/probing/container-commands.ts';
import { ProbeManager } from '#kubelet/probing/probe-manager.ts';
import type { Clock } from '#lib/clock.ts';
import type { AgentPod, Container, Event } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import { PriorityGate } from '#lib/priority-gate.ts';
import type { ClaimSources } from '#volumes/claims/bound-volume.ts';
import { claimPlugins } from '#volumes/claims/claim-volume.ts';
import { objectPlugins } from '#volumes/object-volumes.ts';
import { localPlugins } from '#volumes/plugins.ts';
import { PodVolumeManager } from '#volumes/pod-volumes.ts';
import { hostPathKind } from '#volumes/sources/host-path.ts';
import { LocalKind } from '#volumes/sources/local.ts';
import { nfsKind } from '#volumes/sources/nfs.ts';
import { prepareSubPath } from '#volumes/sub-path.ts';
import { type CsiParts, composeCsi } from './csi-parts.ts';
import type { Machine } from './machine.ts';
import { type PodSupplies, composeReferences } from './pod-references.ts';

/**
 * How many sandboxes and containers are made at once. Most of their work is the processor's: more than keep it busy
 * make each of them slower and none of them sooner. docs/benchmarks.md has the figures, of small machines only.
 */
const startsAtOnce = (processors: number): number => Math.min(processors + 1, 8);

/** How many probes run commands at once: starting one is dear, and one that hangs must not hold up the others. */
const execProbesAtOnce = (processors: number): number => Math.max(16, 4 * processors);

export interface PodParts {
  workers: PodWorkers;
  dns: PodDnsSettings;
  images: ImageManager;
  probes: ProbeManager;
  events: EventLog;
  records: RecordStore;
  volumes: PodVolumeManager;
  cgroups: PodCgroupManager;
  /** undefined without an API server. */
  csi: CsiParts | undefined;
}

/** What only the kubelet role's configuration says of pods. */
export interface PodSettings {
  backoffLimits: BackoffLimits;
  seccompDefault: boolean;
  singleProcessOomKill: boolean;
  swapBehavior: 'NoSwap' | 'LimitedSwap';
  verificationPolicy: VerificationPolicyName;
  verificationAllowlist: readonly string[];
  /** undefined: the image manager's own cap. */
  maxParallelPulls: number | undefined;
}

export const defaultPodSettings: PodSettings = {
  backoffLimits: CRASH_BACKOFF,
  seccompDefault: false,
  singleProcessOomKill: false,
  swapBehavior: 'NoSwap',
  verificationPolicy: 'NeverVerifyPreloadedImages',
  verificationAllowlist: [],
  maxParallelPulls: undefined,
};

export interface PodPlan {
  options: AgentOptions;
  settings: PodSettings;
  connection: RuntimeConnection;
  machine: Machine;
  driver: 'cgroupfs' | 'systemd';
  nodeAllocatable: CgroupLimits;
  paths: Paths;
  clock: Clock;
  log: Logger;
  supplies: PodSupplies;
  /** Where the pods' news go, and who judges new pods; nowhere and nobody without a cluster. */
  statuses?: PodStatusSink | undefined;
  admission?: Admission | undefined;
  forwardEvent?: ((event: Event) => void) | undefined;
  credentialProviders?: CredentialProviders | undefined;
}

export function composePods(plan: PodPlan): PodParts {
  const { options, settings, machine, driver, nodeAllocatable, paths, clock, log, supplies } = plan;
  const { runtime, images: imageService, version } = plan.connection;
  const resources: NodeResources = {
    ...machine.resources,
    singleProcessOomKill: settings.singleProcessOomKill,
    swap: { behavior: settings.swapBehavior, capacityBytes: machine.facts.swapBytes },
  };
  const events = new EventLog(clock, log.child({ component: 'pods' }), options.nodeName, plan.forwardEvent);
  const records = new RecordStore(paths, log);
  const cgroups = new PodCgroupManager({
    layout: machine.layout,
    driver,
    cgroupRoot: options.cgroupRoot,
    node: machine.resources,
    nodeAllocatable,
    clock,
    logger: log.child({ component: 'cgroups' }),
  });
  const { references, objects, tokens, allocatable } = composeReferences(supplies, machine, clock, log);
  const memory = {
    allocatableMemoryBytes: () => machine.resources.memoryCapacityBytes,
    noswap: machine.tmpfsNoswap,
  };
  const volumeLog = log.child({ component: 'volumes' });
  const fsGroup = { clock, events };
  const csi =
    supplies.storage &&
    composeCsi({
      root: paths.root,
      nodeName: options.nodeName,
      storage: supplies.storage,
      tokens,
      onDue: (uid) => references.changed(uid),
      ...fsGroup,
      log,
    });
  const volumes = new PodVolumeManager({
    root: paths.root,
    plugins: [
      ...localPlugins(memory),
      ...claimPlugins({
        root: paths.root,
        claims: claimSources(supplies),
        kinds: [
          ...(csi === undefined ? [] : [csi.kind]),
          new LocalKind({ root: paths.root, ...fsGroup, logger: volumeLog }),
          hostPathKind,
          nfsKind,
        ],
      }),
      ...(csi === undefined ? [] : [csi.plugin]),
      ...objectPlugins({ objects, tokens, allocatable }, { ...memory, clock }),
    ],
    clock,
    logger: volumeLog,
  });
  const imageLog = log.child({ component: 'images' });
  const files = new FilePullSecrets(pullSecretsDir(paths.root), imageLog);
  const objectSecrets = new ObjectPullSecrets(objects, imageLog);
  const images = new ImageManager({
    service: imageService,
    records: new PullRecords(
      new RecordFiles(paths.root, imageLog),
      verificationPolicy(settings.verificationPolicy, settings.verificationAllowlist),
      imageService,
      clock,
      imageLog,
    ),
    credentials: new PodCredentials({
      secrets:
        supplies.hasPullSecretsOfStaticPods === true ? new FirstPullSecrets(objectSecrets, files) : files,
      node: new NodeCredentials(nodeCredentialPaths(paths.root, process.env['HOME']), imageLog),
      ofApi: objectSecrets,
      providers: plan.credentialProviders,
    }),
    events,
    clock,
    logger: imageLog,
    onChange: (uid) => workers.markDirty(uid),
    options: {
      serializeImagePulls: options.serializeImagePulls,
      ...(settings.maxParallelPulls === undefined
        ? {}
        : { maxParallelImagePulls: settings.maxParallelPulls }),
    },
  });
  const messages = new TerminationMessageFiles(paths, clock, log);
  const observer = new PodObserver(runtime, (status, count) => messages.read(status, count));
  const gate = new PriorityGate(startsAtOnce(machine.processors));
  const common = { runtime, images, records, events, gate, clock, paths };
  const resourcesOf = (pod: AgentPod, container: Container): LinuxResources =>
    containerResources(pod, container, resources);
  const starter = new ContainerStarter({
    ...common,
    messages,
    subPaths: { prepare: (wish) => prepareSubPath(paths.root, wish) },
    hostsFiles: new ManagedHostsFiles(paths, options.clusterDomain),
    environment: new ContainerEnvironment({
      objects,
      services: supplies.services,
      allocatable,
      hostIps: machine.addresses,
    }),
    hostIps: machine.addresses,
    clusterDomain: options.clusterDomain,
    seccompDefault: settings.seccompDefault,
    maskedPaths: machine.security.maskedPaths,
    resourcesOf,
  });
  const dns = new PodDnsSettings({
    resolvConfPath: options.resolvConf,
    clusterDns: options.clusterDns,
    clusterDomain: options.clusterDomain,
    nodeIps: machine.addresses,
    expectsClusterDns: supplies.client !== undefined,
    events,
    nodeEvents: events.node,
  });
  const commands = new ContainerCommands({
    runtime,
    processesOf: async (uid, id) => processStats(await cgroups.processes(uid, id)),
    clock,
    log,
  });
  const probes = new ProbeManager({
    commands,
    events,
    clock,
    random: Math.random,
    execsAtOnce: execProbesAtOnce(machine.processors),
    onChange: (uid) => workers.restate(uid),
  });
  const runner = new HookRunner({ commands, events, clock });
  const preStops = new PreStops({ runner, events, clock, log });
  const killer = new ContainerKiller({ runtime, records, preStops, clock, events });
  const executor = new StepExecutor({
    ...common,
    references,
    handlers: new RuntimeHandlers(supplies.runtimeClasses),
    resourcesOf,
    sandboxResourcesOf: (pod) => ({
      resources: sandboxResources(pod, resources),
      overhead: overheadResources(pod, resources),
    }),
    volumes,
    cgroups,
    directories: podDirectories(paths, volumes),
    starter,
    killer,
    postStart: new PostStart({ runner, killer, events, log }),
    observer,
    dns,
    clusterDomain: options.clusterDomain,
  });
  const worker = new PodWorker({
    observer,
    executor,
    references,
    images,
    probes,
    records,
    events,
    clock,
    log,
    hostIps: machine.addresses,
    runtimeName: version.runtimeName,
    backoffLimits: settings.backoffLimits,
    statuses: plan.statuses,
  });
  const workers = new PodWorkers({
    worker,
    records,
    events,
    clock,
    log,
    statuses: plan.statuses,
    admission: plan.admission,
    logFloor: (pod) => logFloor(paths, pod),
  });
  references.onDirty((uid) => (uid === undefined ? workers.markAllDirty() : workers.markDirty(uid)));
  return { workers, dns, images, probes, events, records, volumes, cgroups, csi };
}

const claimSources = ({ storage }: PodSupplies): ClaimSources | undefined =>
  storage && { client: storage.client, matchesNode: (terms) => matchesTerms(terms, storage.node()) };

function podDirectories(paths: Paths, volumes: PodVolumeManager): PodDirectories {
  return {
    ensure: async (pod) => {
      await ensureDir(podDir(paths, pod.metadata.uid), 0o750);
    },
    removeLogs: (pod) => removeOwnTree(podLogDir(paths, pod.metadata)),
    remove: async (uid) => {
      const mountPoints = async (): Promise<string[]> =>
        (await readMounts()).map((mount) => mount.mountPoint);
      const blocked = await removePodDir(paths, uid, {
        volumes,
        mountPoints,
        signal: AbortSignal.timeout(30_000),
      });
      if (blocked !== undefined) throw new BlockedDirectoryError(blocked);
    },
  };
}

/** The first attempt that a pod's log files leave free, by container: a log must never be written twice. */
async function logFloor(paths: Paths, pod: AgentPod): Promise<Map<string, number>> {
  const floors = new Map<string, number>();
  for (const { name } of allContainers(pod)) {
    const files = (await listDir(`${podLogDir(paths, pod.metadata)}/${name}`)) ?? [];
    const attempts = files.flatMap((file) => /^(\d+)\.log/.exec(file.name)?.[1] ?? []).map(Number);
    if (attempts.length > 0) floors.set(name, Math.max(...attempts) + 1);
  }
  return floors;
}
