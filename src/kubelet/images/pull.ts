import type { ImageService } from '#cri/runtime.ts';
import type { ImageSpec } from '#cri/types.ts';
import type { Credential } from './credential.ts';
import { ImagePullError, aggregate, isUncertain, runtimeErrorText, scrub } from './pull-error.ts';

export interface PullOptions {
  signal: AbortSignal;
  deadlineMs: number;
}

export interface PulledImage {
  /** The runtime's reference, for CreateContainer. */
  ref: string;
  /** The login that worked; undefined where none was needed. */
  used: Credential | undefined;
}

/**
 * Pulls with each login in turn until one works; without any, anonymously. As upstream, logins that are refused
 * don't fall back to an anonymous pull. Rejects with ImagePullError.
 */
export async function pullImage(
  service: ImageService,
  spec: ImageSpec,
  candidates: readonly Credential[],
  options: PullOptions,
): Promise<PulledImage> {
  const attempts = candidates.length === 0 ? [undefined] : candidates;
  const failures: string[] = [];
  let uncertain = false;
  for (const used of attempts) {
    try {
      const ref = await service.pullImage(spec, used?.authConfig(), undefined, options);
      if (ref !== '') return { ref, used };
      failures.push(`imageRef of image ${JSON.stringify(spec.image)} is not set`);
    } catch (error) {
      uncertain ||= isUncertain(error);
      failures.push(scrub(runtimeErrorText(error), candidates));
      if (options.signal.aborted) break;
    }
  }
  throw new ImagePullError(aggregate(failures), { uncertain });
}
