import { UsageError } from '#lib/errors.ts';
import { isUnspecified } from './addresses.ts';
import type { Flags } from './flags/values.ts';
import type { Settings } from './schema/settings.ts';

export interface LogOptions {
  /** pino's word for the threshold. */
  level: 'info' | 'debug' | 'trace';
  /** `text`: for people on a terminal, JSON elsewhere. */
  format: 'text' | 'json';
}

/** What both daemon modes know. Durations are milliseconds. */
export interface AgentOptions {
  nodeName: string;
  /** At most one of each family; empty: find out. */
  nodeIps: readonly string[];
  rootDir: string;
  /** The image service's own socket, if it isn't the runtime's. */
  imageServiceEndpoint: string | undefined;
  manifestUrls: readonly string[];
  manifestUrlHeaders: Readonly<Record<string, readonly string[]>>;
  fileCheckFrequencyMs: number;
  httpCheckFrequencyMs: number;
  /** undefined: what the runtime says, or cgroupfs. */
  cgroupDriver: 'cgroupfs' | 'systemd' | undefined;
  cgroupRoot: string;
  cpuCfsQuota: boolean;
  cpuCfsQuotaPeriodMs: number;
  /** undefined: pods get no DNS configuration from the host. */
  resolvConf: string | undefined;
  clusterDns: readonly string[];
  clusterDomain: string;
  maxPods: number;
  serializeImagePulls: boolean;
  containerLogMaxSizeBytes: number;
  containerLogMaxFiles: number;
  /** Logs looked at at once. */
  containerLogMaxWorkers: number;
  containerLogMonitorMs: number;
  maxDeadContainersPerContainer: number;
  /** Below 0: no limit. */
  maxDeadContainers: number;
  minContainerTtlMs: number;
  runtimeRequestTimeoutMs: number;
  socket: string;
  podLogsDir: string;
  containerLogsDir: string;
  log: LogOptions;
  /** For the log at start: what has no effect, and what was assumed. */
  warnings: readonly string[];
}

const dnsName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** The node's name: upstream trims and lowers both the override and the host name. */
export function nodeNameOf(override: string | undefined, hostname: string): string {
  const name = (override === undefined || override.trim() === '' ? hostname : override).trim().toLowerCase();
  if (name.length > 253 || !dnsName.test(name)) {
    throw new UsageError(
      `flag --hostname-override: the node name ${JSON.stringify(name)} is not allowed; ` +
        'allowed: a DNS name (a-z, 0-9, - and ., at most 253 characters)',
    );
  }
  return name;
}

/** `where` names the flag or field; the URL itself isn't repeated: it may hold a password. */
function checkedUrls(urls: readonly string[], where: string): readonly string[] {
  for (const each of urls) {
    const url = URL.canParse(each) ? new URL(each) : undefined;
    if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
      throw new UsageError(`${where}: this value is not allowed; allowed: http:// or https:// URLs`);
    }
  }
  return urls;
}

export function logOptions(settings: Settings): LogOptions {
  const verbosity = settings.number('logging.verbosity');
  return {
    level: verbosity < 4 ? 'info' : verbosity < 6 ? 'debug' : 'trace',
    format: settings.string('logging.format') === 'json' ? 'json' : 'text',
  };
}

/** The options that both modes share, with defaults filled in. */
export function agentOptions(
  flags: Flags,
  settings: Settings,
  defaults: { rootDir: string; hostname: string; manifestUrls: readonly string[] },
  warnings: readonly string[],
): AgentOptions {
  const driver = settings.string('cgroupDriver');
  return {
    nodeName: nodeNameOf(flags.string('hostname-override'), defaults.hostname),
    nodeIps: flags.list('node-ip').filter((ip) => !isUnspecified(ip)),
    rootDir: flags.string('root-dir') ?? defaults.rootDir,
    imageServiceEndpoint: settings.stringOrUndefined('imageServiceEndpoint'),
    manifestUrls: checkedUrls(
      defaults.manifestUrls,
      settings.has('staticPodURL') ? settings.where('staticPodURL') : 'flag --manifest-url',
    ),
    manifestUrlHeaders: settings.map<string[]>('staticPodURLHeader'),
    fileCheckFrequencyMs: settings.ms('fileCheckFrequency'),
    httpCheckFrequencyMs: settings.ms('httpCheckFrequency'),
    cgroupDriver: driver === 'cgroupfs' || driver === 'systemd' ? driver : undefined,
    cgroupRoot: settings.string('cgroupRoot'),
    cpuCfsQuota: settings.bool('cpuCFSQuota'),
    cpuCfsQuotaPeriodMs: settings.ms('cpuCFSQuotaPeriod'),
    resolvConf: settings.stringOrUndefined('resolvConf'),
    clusterDns: settings.list('clusterDNS'),
    clusterDomain: settings.string('clusterDomain'),
    maxPods: settings.number('maxPods'),
    serializeImagePulls: settings.bool('serializeImagePulls'),
    containerLogMaxSizeBytes: settings.quantity('containerLogMaxSize'),
    containerLogMaxFiles: settings.number('containerLogMaxFiles'),
    containerLogMaxWorkers: settings.number('containerLogMaxWorkers'),
    containerLogMonitorMs: settings.ms('containerLogMonitorInterval'),
    maxDeadContainersPerContainer: flags.number('maximum-dead-containers-per-container') ?? 1,
    maxDeadContainers: flags.number('maximum-dead-containers') ?? -1,
    minContainerTtlMs: flags.number('minimum-container-ttl-duration') ?? 0,
    runtimeRequestTimeoutMs: settings.ms('runtimeRequestTimeout'),
    socket: flags.string('socket') ?? '/run/nodelet/nodelet.sock',
    podLogsDir: flags.string('pod-logs-dir') ?? settings.string('podLogsDir'),
    containerLogsDir: flags.string('container-logs-dir') ?? '/var/log/containers',
    log: logOptions(settings),
    warnings,
  };
}
