/** `nodelet standalone`: pods from manifests, on a runtime of the agent's own unless one is named. */
import { join } from 'node:path';
import type { StandaloneOptions } from '#config/standalone-options.ts';
import { PrivateContainerd } from '#cri/containerd/private-containerd.ts';
import { systemClock } from '#host/clock.ts';
import { ensureDir } from '#host/files.ts';
import { lockFolder } from '#host/instance-lock.ts';
import { AppliedManifests } from '#kubelet/applied.ts';
import { LocalObjects } from '#kubelet/objects/local-objects.ts';
import { standaloneRule } from '#kubelet/sources/file-rules.ts';
import { PathSource } from '#kubelet/sources/path-source.ts';
import type { AdoptUid, PodSource } from '#kubelet/sources/source.ts';
import { UrlSource } from '#kubelet/sources/url-source.ts';
import { describeError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { alone, startAgent } from './agent.ts';
import { cleanUp } from './clean-up.ts';
import { createLogger } from './logger.ts';
import { localNodeSettings } from './node-settings.ts';
import { tellSystemd } from './notify.ts';
import { untilTold } from './signals.ts';

/** Resolves with the exit status once the agent has ended. */
export async function runStandalone(options: StandaloneOptions): Promise<number> {
  const log = await createLogger(options.log);
  for (const warning of options.warnings) log.warn({}, warning);
  const end = untilTold(log);
  const runtime = options.containerRuntimeEndpoint === undefined ? privateRuntime(options, log) : undefined;
  try {
    await ensureDir(options.stateDir, 0o755);
    await ensureDir(options.rootDir, 0o750);
    await lockFolder(options.rootDir);
    if (options.cleanup) {
      await cleanUp(options, runtime, log, end.signal);
      return 0;
    }
    const endpoint = options.containerRuntimeEndpoint ?? (await runtime?.start(end.signal)) ?? '';
    const applied = new AppliedManifests(options.appliedDir, options.nodeName);
    await applied.prepare();
    const agent = await startAgent({
      ...alone,
      options,
      node: localNodeSettings(options),
      mode: 'standalone',
      endpoint,
      log,
      sources: (adopt) => standaloneSources(options, adopt, log),
      applied,
      objects: new LocalObjects(systemClock),
      signal: end.signal,
    });
    await tellSystemd(log, end.signal);
    await end.told;
    await agent.stop();
    // The private containerd stays: the pods run on, and the next agent adopts both.
    await runtime?.release();
    return 0;
  } catch (error) {
    if (end.signal.aborted) return 0;
    log.error({ err: error }, describeError(error));
    process.stderr.write(`nodelet: ${describeError(error)}\n`);
    await runtime?.release();
    return 1;
  } finally {
    end.release();
  }
}

function privateRuntime(options: StandaloneOptions, log: Logger): PrivateContainerd {
  return new PrivateContainerd({
    clock: systemClock,
    log: log.child({ component: 'containerd' }),
    root: options.runtimeRoot,
    state: join(options.stateDir, 'containerd'),
    sandboxImage: options.sandboxImage,
    ...(options.podCidr === undefined ? {} : { podRange: options.podCidr }),
  });
}

function standaloneSources(options: StandaloneOptions, adopt: AdoptUid, log: Logger): PodSource[] {
  const common = {
    nodeName: options.nodeName,
    adopt,
    clock: systemClock,
    logger: log.child({ component: 'manifests' }),
  };
  const cache = (name: string): string => join(options.rootDir, 'static-manifests', name);
  const folder = (path: string, name: string): PodSource =>
    new PathSource({
      ...common,
      path,
      rule: standaloneRule,
      cacheDir: cache(name),
      pollMs: options.fileCheckFrequencyMs,
    });
  return [
    folder(options.manifestsDir, 'manifests'),
    folder(options.appliedDir, 'applied'),
    ...options.manifestUrls.map(
      (url, index) =>
        new UrlSource({
          ...common,
          url,
          servesObjects: true,
          headers: options.manifestUrlHeaders,
          cacheDir: cache(`url-${index}`),
          pollMs: options.httpCheckFrequencyMs,
        }),
    ),
  ];
}
