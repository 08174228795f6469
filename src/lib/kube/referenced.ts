/** ConfigMaps and Secrets as those see them that take a pod's content from them. */
import { ApiError } from './api-error.ts';
import { NodeletError, causes, describeError } from '../errors.ts';
import type { ConfigMap, Secret } from './types.ts';

/**
 * What is known of an object that a pod names. `unknown`: nobody has said yet whether it exists; `trouble` says why
 * not, where something is wrong.
 */
export type Referenced<T> =
  | { state: 'present'; object: T }
  | { state: 'absent' }
  | { state: 'unknown'; trouble?: Error | undefined };

export interface ReferencedObjects {
  configMap(namespace: string, name: string): Referenced<ConfigMap>;
  secret(namespace: string, name: string): Referenced<Secret>;
}

/**
 * Something that a pod names isn't there (yet), or not with what the pod wants of it. Whoever is held up by it need
 * not wait for a time to pass: a change of the object is worth a new try.
 */
export class MissingReferenceError extends NodeletError {
  readonly code = 'REFERENCE';
  /** Whether it is only not known, because nobody could be asked. */
  readonly isUnknown: boolean;

  constructor(message: string, options: { cause?: unknown; isUnknown?: boolean } = {}) {
    super(message, { cause: options.cause, retryable: true });
    this.isUnknown = options.isUnknown ?? false;
  }
}

/** Whether something that may yet come is among the causes. */
export function isMissingReference(error: unknown): boolean {
  for (const each of causes(error)) if (each instanceof MissingReferenceError) return true;
  return false;
}

/** Whether all that is wrong is that the API server doesn't answer now. */
export function isUnanswered(error: unknown): boolean {
  for (const each of causes(error)) {
    if (each instanceof MissingReferenceError) return each.isUnknown;
    if (each instanceof ApiError) return each.retryable;
  }
  return false;
}

/** The object; undefined where it is optional and absent. Throws MissingReferenceError in upstream's words otherwise. */
export function requireObject<T>(
  found: Referenced<T>,
  kind: 'configmap' | 'secret',
  name: string,
  isOptional: boolean,
): T | undefined {
  switch (found.state) {
    case 'present':
      return found.object;
    case 'absent':
      if (isOptional) return undefined;
      throw new MissingReferenceError(`${kind} ${JSON.stringify(name)} not found`);
    case 'unknown': {
      const why = found.trouble === undefined ? 'it has not been read yet' : describeError(found.trouble);
      const message = `failed to sync ${kind} cache: ${kind} ${JSON.stringify(name)}: ${why}`;
      throw new MissingReferenceError(message, { isUnknown: true });
    }
  }
}

/** A Secret's value by key, decoded. */
export function secretValue(secret: Secret, key: string): Buffer | undefined {
  const text = secret.data !== undefined && Object.hasOwn(secret.data, key) ? secret.data[key] : undefined;
  return text === undefined ? undefined : Buffer.from(text, 'base64');
}
