import type { DirContent, DirFile } from '#host/atomic-dir.ts';
import { NodeletError, asError, isRetryable } from '#lib/errors.ts';
import { MissingReferenceError, isMissingReference, isUnanswered } from '#lib/kube/referenced.ts';
import type { AgentPod, Container, Volume } from '#lib/kube/types.ts';
import {
  type ContentSources,
  DEFAULT_MODE,
  configMapContent,
  downwardContent,
  secretContent,
} from './content.ts';

type Projected = NonNullable<Volume['projected']>;
type Projection = NonNullable<Projected['sources']>[number];

/** A kind of source that this agent doesn't serve, or a source that can't be. */
export class ProjectionError extends NodeletError {
  readonly code = 'PROJECTION';
}

/** What only its owner may read where the pod says who that is: the group's bit comes with `fsGroup`. */
const PRIVATE_MODE = 0o600;

/** The user that every container of the pod runs as; undefined where they differ or one leaves it to its image. */
export function commonUser({ spec }: AgentPod): number | undefined {
  const all: Pick<Container, 'securityContext'>[] = [
    ...(spec.initContainers ?? []),
    ...spec.containers,
    ...(spec.ephemeralContainers ?? []),
  ];
  const users = new Set(
    all.map(({ securityContext }) => securityContext?.runAsUser ?? spec.securityContext?.runAsUser),
  );
  return users.size === 1 ? [...users][0] : undefined;
}

/**
 * The files of a projected volume; a later source wins where two name one path. All sources are tried, and every
 * error told. Rejects with a MissingReferenceError where one of them may come right by itself.
 */
export async function projectedContent(
  pod: AgentPod,
  projected: Projected,
  sources: ContentSources,
  signal: AbortSignal,
): Promise<DirContent> {
  const files = new Map<string, DirFile>();
  const errors: Error[] = [];
  for (const source of projected.sources ?? []) {
    try {
      const more = await contentOf(pod, source, projected.defaultMode ?? DEFAULT_MODE, sources, signal);
      for (const [path, file] of more) files.set(path, file);
    } catch (error) {
      if (signal.aborted) throw error;
      errors.push(asError(error));
    }
  }
  if (errors.length > 0) throw together(errors);
  return files;
}

async function contentOf(
  pod: AgentPod,
  source: Projection,
  defaultMode: number,
  sources: ContentSources,
  signal: AbortSignal,
): Promise<DirContent> {
  const { namespace } = pod.metadata;
  const { secret, configMap, downwardAPI, serviceAccountToken } = source;
  const selection = { isOptional: false, defaultMode };
  if (secret !== undefined) {
    const { name = '', items, optional = false } = secret;
    return secretContent(sources.objects, namespace, name, { ...selection, items, isOptional: optional });
  }
  if (configMap !== undefined) {
    const { name = '', items, optional = false } = configMap;
    return configMapContent(sources.objects, namespace, name, { ...selection, items, isOptional: optional });
  }
  if (downwardAPI !== undefined) {
    return downwardContent(pod, downwardAPI.items, defaultMode, () => sources.allocatable());
  }
  if (serviceAccountToken !== undefined) {
    const { audience, expirationSeconds = 3600, path } = serviceAccountToken;
    if (sources.tokens === undefined) {
      throw new ProjectionError('a serviceAccountToken needs an API server, which this agent has none of');
    }
    const token = await sources.tokens.token(pod, { audience, expirationSeconds }, signal);
    const owner = commonUser(pod);
    const isPrivate = owner !== undefined || pod.spec.securityContext?.fsGroup !== undefined;
    const file = { data: Buffer.from(token), mode: isPrivate ? PRIVATE_MODE : defaultMode, owner };
    return new Map([[path, file]]);
  }
  const kind = Object.keys(source)[0] ?? 'a source of no kind';
  throw new ProjectionError(
    `${kind} is not supported; use configMap, secret, downwardAPI or serviceAccountToken`,
  );
}

/** Several errors as upstream prints them: `[one, two]`. */
function together(errors: readonly Error[]): Error {
  const [first] = errors;
  if (errors.length === 1 && first !== undefined) return first;
  const words = `[${errors.map((error) => error.message).join(', ')}]`;
  const missing = errors.find((error) => isMissingReference(error));
  return missing === undefined
    ? new ProjectionError(words, { cause: first, retryable: errors.every((error) => isRetryable(error)) })
    : new MissingReferenceError(words, {
        cause: missing,
        isUnknown: errors.every((error) => isUnanswered(error)),
      });
}
