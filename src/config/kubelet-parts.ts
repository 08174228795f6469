/** Groups of the kubelet role's options. Durations are milliseconds. */
import { UsageError } from '#lib/errors.ts';
import type { FeatureGates } from './feature-gates/feature-gates.ts';
import type { Flags } from './flags/values.ts';
import type { Settings } from './schema/settings.ts';

/** The node's own HTTPS server and healthz. */
export interface ServerOptions {
  enabled: boolean;
  address: string;
  port: number;
  /** 0: none. */
  readOnlyPort: number;
  healthzAddress: string;
  /** 0: none. */
  healthzPort: number;
  tls: {
    /** undefined: self-signed, or by request (`bootstrap`). */
    certFile: string | undefined;
    keyFile: string | undefined;
    cipherSuites: readonly string[];
    minVersion: 'VersionTLS10' | 'VersionTLS11' | 'VersionTLS12' | 'VersionTLS13' | undefined;
    curvePreferences: readonly number[];
    /** Request the serving certificate from the API server. */
    bootstrap: boolean;
  };
  authentication: {
    anonymous: boolean;
    webhook: boolean;
    webhookCacheTtlMs: number;
    clientCaFile: string | undefined;
  };
  authorization: {
    mode: 'AlwaysAllow' | 'Webhook';
    authorizedTtlMs: number;
    unauthorizedTtlMs: number;
  };
  /** 0: no limit. */
  streamingIdleTimeoutMs: number;
  debuggingHandlers: boolean;
  systemLogHandler: boolean;
  systemLogQuery: boolean;
  profilingHandler: boolean;
  debugFlagsHandler: boolean;
}

export function serverOptions(settings: Settings): ServerOptions {
  return {
    enabled: settings.bool('enableServer'),
    address: settings.string('address'),
    port: settings.number('port'),
    readOnlyPort: settings.number('readOnlyPort'),
    healthzAddress: settings.string('healthzBindAddress'),
    healthzPort: settings.number('healthzPort'),
    tls: {
      certFile: settings.stringOrUndefined('tlsCertFile'),
      keyFile: settings.stringOrUndefined('tlsPrivateKeyFile'),
      cipherSuites: settings.list('tlsCipherSuites'),
      minVersion: settings.stringOrUndefined('tlsMinVersion') as ServerOptions['tls']['minVersion'],
      curvePreferences: settings.items('tlsCurvePreferences') as readonly number[],
      bootstrap: settings.bool('serverTLSBootstrap'),
    },
    authentication: {
      anonymous: settings.bool('authentication.anonymous.enabled'),
      webhook: settings.bool('authentication.webhook.enabled'),
      webhookCacheTtlMs: settings.ms('authentication.webhook.cacheTTL'),
      clientCaFile: settings.stringOrUndefined('authentication.x509.clientCAFile'),
    },
    authorization: {
      mode: settings.string('authorization.mode') === 'AlwaysAllow' ? 'AlwaysAllow' : 'Webhook',
      authorizedTtlMs: settings.ms('authorization.webhook.cacheAuthorizedTTL'),
      unauthorizedTtlMs: settings.ms('authorization.webhook.cacheUnauthorizedTTL'),
    },
    streamingIdleTimeoutMs: settings.ms('streamingConnectionIdleTimeout'),
    debuggingHandlers: settings.bool('enableDebuggingHandlers'),
    systemLogHandler: settings.bool('enableSystemLogHandler'),
    systemLogQuery: settings.bool('enableSystemLogQuery'),
    profilingHandler: settings.bool('enableProfilingHandler'),
    debugFlagsHandler: settings.bool('enableDebugFlagsHandler'),
  };
}

export interface ImageOptions {
  /** undefined: the agent's own cap. */
  maxParallelPulls: number | undefined;
  /** 0: no limit. */
  registryQps: number;
  registryBurst: number;
  gc: { highPercent: number; lowPercent: number; minAgeMs: number; maxAgeMs: number };
  verificationPolicy:
    | 'NeverVerify'
    | 'NeverVerifyPreloadedImages'
    | 'NeverVerifyAllowlistedImages'
    | 'AlwaysVerify';
  verificationAllowlist: readonly string[];
  /** Plugins that give credentials; `config` is a file or a folder of files. */
  credentialProviders: { config: string; binDir: string } | undefined;
}

function credentialProviders(flags: Flags): ImageOptions['credentialProviders'] {
  const [config, binDir] = ['config', 'bin-dir'].map(
    (end) => flags.string(`image-credential-provider-${end}`) ?? '',
  );
  if (config === '' && binDir === '') return undefined;
  if (config === '' || config === undefined || binDir === '' || binDir === undefined) {
    throw new UsageError(
      'flags --image-credential-provider-config and --image-credential-provider-bin-dir: one needs the other',
    );
  }
  return { config, binDir };
}

export function imageOptions(flags: Flags, settings: Settings): ImageOptions {
  return {
    maxParallelPulls: settings.numberOrUndefined('maxParallelImagePulls'),
    registryQps: settings.number('registryPullQPS'),
    registryBurst: settings.number('registryBurst'),
    gc: {
      highPercent: settings.number('imageGCHighThresholdPercent'),
      lowPercent: settings.number('imageGCLowThresholdPercent'),
      minAgeMs: settings.ms('imageMinimumGCAge'),
      maxAgeMs: settings.ms('imageMaximumGCAge'),
    },
    verificationPolicy: settings.string(
      'imagePullCredentialsVerificationPolicy',
    ) as ImageOptions['verificationPolicy'],
    verificationAllowlist: settings.list('preloadedImagesVerificationAllowlist'),
    credentialProviders: credentialProviders(flags),
  };
}

export interface ShutdownOptions {
  /** 0: none. */
  gracePeriodMs: number;
  criticalPodsMs: number;
  byPriority: readonly { priority: number; seconds: number }[];
}

export function shutdownOptions(settings: Settings): ShutdownOptions {
  return {
    gracePeriodMs: settings.ms('shutdownGracePeriod'),
    criticalPodsMs: settings.ms('shutdownGracePeriodCriticalPods'),
    byPriority: settings.items('shutdownGracePeriodByPodPriority').map((item) => {
      const { priority = 0, shutdownGracePeriodSeconds = 0 } = item as Record<string, number>;
      return { priority, seconds: shutdownGracePeriodSeconds };
    }),
  };
}

export interface CrashLoopOptions {
  firstMs: number;
  maxMs: number;
}

/** Pauses before a container is started again. */
export function crashLoopOptions(settings: Settings, gates: FeatureGates): CrashLoopOptions {
  const reduced = gates.enabled('ReduceDefaultCrashLoopBackOffDecay');
  const gateMax = reduced ? 60_000 : 300_000;
  const maxMs = gates.enabled('KubeletCrashLoopBackOffMax')
    ? settings.ms('crashLoopBackOff.maxContainerRestartPeriod')
    : gateMax;
  return { firstMs: Math.min(reduced ? 1000 : 10_000, maxMs), maxMs };
}
