import { hostname } from 'node:os';
import { isIP } from 'node:net';
import { UsageError } from '#lib/errors.ts';
import { isUnspecified } from './addresses.ts';
import { agentOptions, type AgentOptions } from './agent-options.ts';
import { parseDaemonFlags } from './daemon-flags.ts';
import type { FeatureGates } from './feature-gates/feature-gates.ts';
import { kubeletFlags } from './flags/kubelet-flags.ts';
import type { Flags } from './flags/values.ts';
import { effectiveConfiguration } from './kubelet-configuration/effective.ts';
import { evictionOptions, type EvictionOptions } from './kubelet-configuration/eviction.ts';
import { loadKubeletConfiguration, type KubeletConfiguration } from './kubelet-configuration/load.ts';
import { reservationOptions, type ReservationOptions } from './kubelet-configuration/reservations.ts';
import { nodeLabels } from './node-labels.ts';
import {
  crashLoopOptions,
  imageOptions,
  serverOptions,
  shutdownOptions,
  type CrashLoopOptions,
  type ImageOptions,
  type ServerOptions,
  type ShutdownOptions,
} from './kubelet-parts.ts';
import type { Json } from './schema/field.ts';
import type { Settings } from './schema/settings.ts';
import { taintOf, type TaintOption } from './taints.ts';

/** How the node is a part of a cluster. */
export interface ClusterOptions {
  kubeconfig: string;
  /** Credentials for the first certificate, and for one in place of an ended one. */
  bootstrapKubeconfig: string | undefined;
  rotateCertificates: boolean;
  /** undefined: without the API server no pod of it starts. */
  offlineStart: { afterMs: number; stateful: boolean } | undefined;
}

/** The Node object. */
export interface NodeOptions {
  register: boolean;
  registerWithTaints: readonly TaintOption[];
  labels: Readonly<Record<string, string>>;
  providerId: string | undefined;
  cloudProvider: '' | 'external';
  /** Which family --node-ip=:: or 0.0.0.0 asks for; undefined: no wish. */
  preferredFamily: 4 | 6 | undefined;
  statusUpdateFrequencyMs: number;
  statusReportFrequencyMs: number;
  leaseDurationSeconds: number;
  /** Below 0: all. */
  statusMaxImages: number;
  /** 0: no limit. */
  podsPerCore: number;
  /** For runtimes that take it from the agent, without an API server. */
  podCidr: string | undefined;
  controllerAttachDetach: boolean;
}

/** What the machine must be like for the agent to start. */
export interface HostOptions {
  failSwapOn: boolean;
  /** True only where it was asked for. */
  failCgroupV1: boolean;
  swapBehavior: 'NoSwap' | 'LimitedSwap';
  protectKernelDefaults: boolean;
  oomScoreAdj: number;
}

/** The kubelet role. Immutable; durations are milliseconds. */
export interface KubeletOptions extends AgentOptions {
  containerRuntimeEndpoint: string;
  /** A directory or one file; undefined: no manifests. */
  podManifestPath: string | undefined;
  /** undefined: no API server; upstream's own standalone mode. */
  cluster: ClusterOptions | undefined;
  certDir: string;
  node: NodeOptions;
  host: HostOptions;
  server: ServerOptions;
  images: ImageOptions;
  eviction: EvictionOptions;
  reservations: ReservationOptions & { ignoreEvictionThresholds: boolean };
  shutdown: ShutdownOptions;
  crashLoop: CrashLoopOptions;
  seccompDefault: boolean;
  /** On cgroup v2: whether a container out of memory loses one process only. */
  singleProcessOomKill: boolean;
  allowedUnsafeSysctls: readonly string[];
  /** Processes of a pod; below 0: no limit of its own. */
  podPidsLimit: number;
  featureGates: FeatureGates;
  /** The whole KubeletConfiguration as /configz shows it: defaults filled in, secrets masked. */
  configuration: Readonly<Record<string, Json>>;
}

export type KubeletCommand =
  | { kind: 'run'; options: KubeletOptions }
  | { kind: 'help' }
  | { kind: 'version'; raw: boolean };

const given = (flags: Flags, name: string): string | undefined => {
  const value = flags.string(name);
  return value === '' ? undefined : value;
};

function clusterOptions(flags: Flags, settings: Settings): ClusterOptions | undefined {
  const kubeconfig = given(flags, 'kubeconfig');
  const bootstrapKubeconfig = given(flags, 'bootstrap-kubeconfig');
  if (kubeconfig === undefined && bootstrapKubeconfig !== undefined) {
    throw new UsageError(
      'flag --bootstrap-kubeconfig needs --kubeconfig too: the file that the certificate’s kubeconfig is written to',
    );
  }
  if (kubeconfig === undefined) return undefined;
  const afterMs = flags.number('offline-start-after') ?? 0;
  return {
    kubeconfig,
    bootstrapKubeconfig,
    rotateCertificates: settings.bool('rotateCertificates'),
    offlineStart:
      afterMs === 0 ? undefined : { afterMs, stateful: flags.bool('offline-start-stateful') ?? false },
  };
}

function nodeOptions(flags: Flags, settings: Settings): NodeOptions {
  const wish = flags.list('node-ip').find(isUnspecified);
  return {
    register: settings.bool('registerNode'),
    registerWithTaints: settings.items('registerWithTaints').map(taintOf),
    labels: nodeLabels(flags.map('node-labels')),
    providerId: settings.stringOrUndefined('providerID'),
    cloudProvider: flags.string('cloud-provider') === 'external' ? 'external' : '',
    preferredFamily: wish === undefined ? undefined : isIP(wish) === 6 ? 6 : 4,
    statusUpdateFrequencyMs: settings.ms('nodeStatusUpdateFrequency'),
    statusReportFrequencyMs: settings.ms('nodeStatusReportFrequency'),
    leaseDurationSeconds: settings.number('nodeLeaseDurationSeconds'),
    statusMaxImages: settings.number('nodeStatusMaxImages'),
    podsPerCore: settings.number('podsPerCore'),
    podCidr: settings.stringOrUndefined('podCIDR'),
    controllerAttachDetach: settings.bool('enableControllerAttachDetach'),
  };
}

function hostOptions(settings: Settings): HostOptions {
  return {
    failSwapOn: settings.bool('failSwapOn'),
    failCgroupV1: settings.bool('failCgroupV1'),
    swapBehavior: settings.string('memorySwap.swapBehavior') === 'LimitedSwap' ? 'LimitedSwap' : 'NoSwap',
    protectKernelDefaults: settings.bool('protectKernelDefaults'),
    oomScoreAdj: settings.number('oomScoreAdj'),
  };
}

/** Said once: upstream's defaults are these only where there is a configuration file. */
const secureDefaults =
  'no configuration file is given: the defaults of one hold all the same (no anonymous requests, tokens and ' +
  'permissions checked by the API server, no read-only port, hard eviction thresholds), not the lax ones that ' +
  'kubelet has when started by flags alone';

function optionsOf(
  flags: Flags,
  configuration: KubeletConfiguration,
  warnings: string[],
  host: string,
): KubeletOptions {
  const { settings, gates } = configuration;
  const url = settings.stringOrUndefined('staticPodURL');
  return {
    ...agentOptions(
      flags,
      settings,
      { rootDir: '/var/lib/kubelet', hostname: host, manifestUrls: url === undefined ? [] : [url] },
      warnings,
    ),
    containerRuntimeEndpoint:
      settings.stringOrUndefined('containerRuntimeEndpoint') ?? 'unix:///run/containerd/containerd.sock',
    podManifestPath: settings.stringOrUndefined('staticPodPath'),
    cluster: clusterOptions(flags, settings),
    certDir: flags.string('cert-dir') ?? '/var/lib/kubelet/pki',
    node: nodeOptions(flags, settings),
    host: hostOptions(settings),
    server: serverOptions(settings),
    images: imageOptions(flags, settings),
    eviction: evictionOptions(settings),
    reservations: {
      ...reservationOptions(settings),
      ignoreEvictionThresholds: flags.bool('experimental-allocatable-ignore-eviction') ?? false,
    },
    shutdown: shutdownOptions(settings),
    crashLoop: crashLoopOptions(settings, gates),
    singleProcessOomKill: settings.has('singleProcessOOMKill') && settings.bool('singleProcessOOMKill'),
    seccompDefault: settings.bool('seccompDefault'),
    allowedUnsafeSysctls: settings.list('allowedUnsafeSysctls'),
    podPidsLimit: settings.number('podPidsLimit'),
    featureGates: gates,
    configuration: effectiveConfiguration(settings),
  };
}

/** The options of parsed flags, of which the table is kubelet's or has kubelet's in it. */
export async function kubeletOptions(
  flags: Flags,
  flagWarnings: readonly string[],
  host: string,
): Promise<KubeletOptions> {
  const configuration = await loadKubeletConfiguration(flags);
  const warnings = [...flagWarnings, ...configuration.warnings];
  const options = optionsOf(flags, configuration, warnings, host);
  const byFlagsAlone = given(flags, 'config') === undefined && given(flags, 'config-dir') === undefined;
  if (byFlagsAlone && options.cluster !== undefined) warnings.unshift(secureDefaults);
  return options;
}

export async function parseKubelet(
  args: readonly string[],
  host: string = hostname(),
): Promise<KubeletCommand> {
  const { flags, warnings } = parseDaemonFlags(kubeletFlags, args);
  if (flags.bool('help') === true) return { kind: 'help' };
  const version = flags.string('version') ?? 'false';
  if (version !== 'false') return { kind: 'version', raw: version === 'raw' };
  return { kind: 'run', options: await kubeletOptions(flags, warnings, host) };
}
