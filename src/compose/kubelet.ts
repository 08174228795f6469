/** `nodelet kubelet` without an API server: static pods on a runtime that is there already. */
import { join } from 'node:path';
import type { KubeletOptions } from '#config/kubelet-options.ts';
import { systemClock } from '#host/clock.ts';
import { ensureDir } from '#host/files.ts';
import { lockFolder } from '#host/instance-lock.ts';
import { kubeletRule } from '#kubelet/sources/file-rules.ts';
import { PathSource } from '#kubelet/sources/path-source.ts';
import type { PodSource } from '#kubelet/sources/source.ts';
import { UrlSource } from '#kubelet/sources/url-source.ts';
import { describeError } from '#lib/errors.ts';
import { startAgent } from './agent.ts';
import { createLogger } from './logger.ts';
import { tellSystemd } from './notify.ts';
import { untilTold } from './signals.ts';

/** Resolves with the exit status once the agent has ended. */
export async function runKubelet(options: KubeletOptions): Promise<number> {
  const log = await createLogger(options.log);
  for (const warning of options.warnings) log.warn({}, warning);
  const end = untilTold(log);
  const common = {
    nodeName: options.nodeName,
    clock: systemClock,
    logger: log.child({ component: 'manifests' }),
  };
  const cache = (name: string): string => join(options.rootDir, 'static-manifests', name);
  try {
    await ensureDir(options.rootDir, 0o750);
    await lockFolder(options.rootDir);
    const agent = await startAgent({
      options,
      mode: 'kubelet',
      endpoint: options.containerRuntimeEndpoint,
      log,
      sources: (adopt): PodSource[] => [
        ...(options.podManifestPath === undefined
          ? []
          : [
              new PathSource({
                ...common,
                adopt,
                path: options.podManifestPath,
                rule: kubeletRule,
                cacheDir: cache('manifests'),
                pollMs: options.fileCheckFrequencyMs,
              }),
            ]),
        ...options.manifestUrls.map(
          (url, index) =>
            new UrlSource({
              ...common,
              adopt,
              url,
              headers: options.manifestUrlHeaders,
              cacheDir: cache(`url-${index}`),
              pollMs: options.httpCheckFrequencyMs,
            }),
        ),
      ],
      applied: undefined,
      signal: end.signal,
    });
    await tellSystemd(log, end.signal);
    await end.told;
    await agent.stop();
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
