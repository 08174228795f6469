import { UsageError } from '#lib/errors.ts';
import type { Flags } from './flags/values.ts';

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
  maxDeadContainersPerContainer: number;
  /** Below 0: no limit. */
  maxDeadContainers: number;
  minContainerTtlMs: number;
  runtimeRequestTimeoutMs: number;
  socket: string;
  podLogsDir: string;
  containerLogsDir: string;
  log: LogOptions;
  /** For the log at start: flags that have no effect. */
  warnings: readonly string[];
}

const dnsName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** The node's name: upstream trims and lowers both the override and the host name. */
function nodeNameOf(override: string | undefined, hostname: string): string {
  const name = (override === undefined || override.trim() === '' ? hostname : override).trim().toLowerCase();
  if (name.length > 253 || !dnsName.test(name)) {
    throw new UsageError(
      `flag --hostname-override: the node name ${JSON.stringify(name)} is not allowed; ` +
        'allowed: a DNS name (a-z, 0-9, - and ., at most 253 characters)',
    );
  }
  return name;
}

function urlsOf(urls: readonly string[]): readonly string[] {
  for (const each of urls) {
    const url = URL.canParse(each) ? new URL(each) : undefined;
    if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
      // Not repeated: it may hold a password.
      throw new UsageError(
        'flag --manifest-url: this value is not allowed; allowed: http:// or https:// URLs',
      );
    }
  }
  return urls;
}

function levelOf(verbosity: number): LogOptions['level'] {
  return verbosity < 4 ? 'info' : verbosity < 6 ? 'debug' : 'trace';
}

/** The options that both modes share, with defaults filled in. */
export function agentOptions(
  flags: Flags,
  defaults: { rootDir: string; hostname: string; manifestUrls: readonly string[] },
  warnings: readonly string[],
): AgentOptions {
  const driver = flags.string('cgroup-driver');
  const resolvConf = flags.string('resolv-conf') ?? '/etc/resolv.conf';
  const imageEndpoint = flags.string('image-service-endpoint');
  return {
    nodeName: nodeNameOf(flags.string('hostname-override'), defaults.hostname),
    nodeIps: flags.list('node-ip'),
    rootDir: flags.string('root-dir') ?? defaults.rootDir,
    imageServiceEndpoint: imageEndpoint === '' ? undefined : imageEndpoint,
    manifestUrls: urlsOf(defaults.manifestUrls),
    manifestUrlHeaders: flags.headers('manifest-url-header'),
    fileCheckFrequencyMs: flags.number('file-check-frequency') ?? 20_000,
    httpCheckFrequencyMs: flags.number('http-check-frequency') ?? 20_000,
    cgroupDriver: driver === 'cgroupfs' || driver === 'systemd' ? driver : undefined,
    cgroupRoot: flags.string('cgroup-root') ?? '',
    cpuCfsQuota: flags.bool('cpu-cfs-quota') ?? true,
    cpuCfsQuotaPeriodMs: flags.number('cpu-cfs-quota-period') ?? 100,
    resolvConf: resolvConf === '' ? undefined : resolvConf,
    clusterDns: flags.list('cluster-dns'),
    clusterDomain: flags.string('cluster-domain') ?? '',
    maxPods: flags.number('max-pods') ?? 110,
    serializeImagePulls: flags.bool('serialize-image-pulls') ?? false,
    containerLogMaxSizeBytes: flags.number('container-log-max-size') ?? 10 * 1024 * 1024,
    containerLogMaxFiles: flags.number('container-log-max-files') ?? 5,
    maxDeadContainersPerContainer: flags.number('maximum-dead-containers-per-container') ?? 1,
    maxDeadContainers: flags.number('maximum-dead-containers') ?? -1,
    minContainerTtlMs: flags.number('minimum-container-ttl-duration') ?? 0,
    runtimeRequestTimeoutMs: flags.number('runtime-request-timeout') ?? 120_000,
    socket: flags.string('socket') ?? '/run/nodelet/nodelet.sock',
    podLogsDir: flags.string('pod-logs-dir') ?? '/var/log/pods',
    containerLogsDir: flags.string('container-logs-dir') ?? '/var/log/containers',
    log: {
      level: levelOf(flags.number('v') ?? 0),
      format: flags.string('logging-format') === 'json' ? 'json' : 'text',
    },
    warnings,
  };
}
