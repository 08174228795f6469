/** `nodelet kubelet`: a node of a cluster, or without an API server static pods on a runtime that is there already. */
import { join } from 'node:path';
import type { KubeletOptions } from '#config/kubelet-options.ts';
import { readCgroupLayout } from '#cgroups/detect.ts';
import { requireFitMachine } from '#config/host-rules.ts';
import { nodeAddresses } from '#host/addresses.ts';
import { systemClock } from '#host/clock.ts';
import { ensureDir } from '#host/files.ts';
import { activeSwap } from '#host/swap.ts';
import { lockFolder } from '#host/instance-lock.ts';
import { loadCredentialProviders } from '#kubelet/images/providers/providers.ts';
import type { CredentialProviders } from '#kubelet/images/providers/providers.ts';
import { kubeletRule } from '#kubelet/sources/file-rules.ts';
import { PathSource } from '#kubelet/sources/path-source.ts';
import type { AdoptUid, PodSource } from '#kubelet/sources/source.ts';
import { UrlSource } from '#kubelet/sources/url-source.ts';
import { HealthzServer } from '#server/healthz.ts';
import { describeError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { startAgent } from './agent.ts';
import { joinCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { createLogger } from './logger.ts';
import { kubeletNodeSettings } from './node-settings.ts';
import { serviceAccountsOf } from './service-accounts.ts';
import { tellSystemd } from './notify.ts';
import { composeServing } from './serving.ts';
import { untilTold } from './signals.ts';

/** Resolves with the exit status once the agent has ended. */
export async function runKubelet(options: KubeletOptions): Promise<number> {
  const log = await createLogger(options.log);
  for (const warning of options.warnings) log.warn({}, warning);
  const end = untilTold(log);
  try {
    await ensureDir(options.rootDir, 0o750);
    await lockFolder(options.rootDir);
    const { version: cgroupVersion } = await readCgroupLayout();
    requireFitMachine(options.host, { swap: await activeSwap(), cgroupVersion });
    const cluster = options.cluster && (await joinCluster(options, options.cluster, systemClock, log));
    const { images, crashLoop } = options;
    const ips = options.nodeIps.length > 0 ? options.nodeIps : await nodeAddresses();
    const serving = composeServing(options, cluster, ips, systemClock, log);
    const agent = await startAgent({
      options,
      mode: 'kubelet',
      endpoint: options.containerRuntimeEndpoint,
      node: kubeletNodeSettings(options),
      pods: {
        backoffLimits: { initialMs: crashLoop.firstMs, maximumMs: crashLoop.maxMs },
        seccompDefault: options.seccompDefault,
        singleProcessOomKill: options.singleProcessOomKill,
        swapBehavior: options.host.swapBehavior,
        verificationPolicy: images.verificationPolicy,
        verificationAllowlist: images.verificationAllowlist,
        maxParallelPulls: images.maxParallelPulls,
      },
      log,
      sources: (adopt) => manifestSources(options, adopt, log),
      applied: undefined,
      objects: undefined,
      cluster,
      allowedUnsafeSysctls: options.allowedUnsafeSysctls,
      oomScoreAdj: options.host.oomScoreAdj,
      credentialProviders: await credentialProviders(options, cluster, log),
      onNode: (node) => serving.onNode(node),
      configuration: options.configuration,
      signal: end.signal,
    });
    const background = [
      serving.certificate.run(end.signal).catch(() => undefined),
      serveHealthz(options, log, end.signal),
    ];
    await tellSystemd(log, end.signal);
    await end.told;
    await agent.stop();
    await Promise.all(background);
    return 0;
  } catch (error) {
    if (end.signal.aborted) return 0;
    log.error({ err: error }, describeError(error));
    process.stderr.write(`nodelet: ${describeError(error)}\n`);
    return 1;
  } finally {
    end.release();
  }
}

/** Upstream's checks that can fail here: whoever gets an answer knows that the loop of everything turns. */
async function serveHealthz({ server }: KubeletOptions, log: Logger, signal: AbortSignal): Promise<void> {
  if (server.healthzPort === 0) return;
  const checks = ['ping', 'log', 'syncloop'].map((name) => ({ name, trouble: () => undefined }));
  const healthz = new HealthzServer({
    address: server.healthzAddress,
    port: server.healthzPort,
    checks,
    clock: systemClock,
    logger: log.child({ component: 'healthz' }),
  });
  await healthz.run(signal);
}

async function credentialProviders(
  { images }: KubeletOptions,
  cluster: Cluster | undefined,
  log: Logger,
): Promise<CredentialProviders | undefined> {
  const { credentialProviders: where } = images;
  if (where === undefined) return undefined;
  return loadCredentialProviders({
    configPath: where.config,
    binDir: where.binDir,
    accounts: cluster && serviceAccountsOf(cluster.api.client),
    clock: systemClock,
    logger: log.child({ component: 'images' }),
  });
}

function manifestSources(options: KubeletOptions, adopt: AdoptUid, log: Logger): PodSource[] {
  const common = {
    nodeName: options.nodeName,
    adopt,
    clock: systemClock,
    logger: log.child({ component: 'manifests' }),
  };
  const cache = (name: string): string => join(options.rootDir, 'static-manifests', name);
  const { podManifestPath: path } = options;
  const files =
    path === undefined
      ? []
      : [
          new PathSource({
            ...common,
            path,
            rule: kubeletRule,
            cacheDir: cache('manifests'),
            pollMs: options.fileCheckFrequencyMs,
          }),
        ];
  const urls = options.manifestUrls.map(
    (url, index) =>
      new UrlSource({
        ...common,
        url,
        headers: options.manifestUrlHeaders,
        cacheDir: cache(`url-${index}`),
        pollMs: options.httpCheckFrequencyMs,
      }),
  );
  return [...files, ...urls];
}
