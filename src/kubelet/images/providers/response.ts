/** What a credential provider program is asked and answers (`credentialprovider.kubelet.k8s.io`). */
import { NodeletError } from '#lib/errors.ts';
import { parseDuration } from '#lib/go-duration.ts';
import type { RegistryLogin } from '../credential.ts';

/** The program failed, or its answer can't be used. Messages never hold what it printed: that may be a secret. */
export class CredentialProviderError extends NodeletError {
  readonly code = 'CREDENTIAL_PROVIDER';
}

export interface ProviderRequest {
  image: string;
  token: string;
  annotations: Readonly<Record<string, string>>;
}

export interface ProviderAnswer {
  cacheKeyType: 'Image' | 'Registry' | 'Global';
  /** undefined: the configuration's default. */
  cacheMs: number | undefined;
  /** By address pattern. */
  logins: ReadonlyMap<string, RegistryLogin>;
}

/** The request's JSON; the token and annotations exist only in version 1. */
export function encodeRequest(apiVersion: string, { image, token, annotations }: ProviderRequest): string {
  return JSON.stringify({
    kind: 'CredentialProviderRequest',
    apiVersion,
    image,
    ...(token === '' ? {} : { serviceAccountToken: token }),
    ...(Object.keys(annotations).length === 0 ? {} : { serviceAccountAnnotations: annotations }),
  });
}

type Fields = Record<string, unknown>;

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isKeyType = (value: unknown): value is ProviderAnswer['cacheKeyType'] =>
  value === 'Image' || value === 'Registry' || value === 'Global';

/** Throws CredentialProviderError. */
export function decodeAnswer(text: string, apiVersion: string): ProviderAnswer {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CredentialProviderError('its answer is not JSON');
  }
  if (!isObject(value) || value['kind'] !== 'CredentialProviderResponse') {
    throw new CredentialProviderError('its answer is not a CredentialProviderResponse');
  }
  if (value['apiVersion'] !== apiVersion) {
    throw new CredentialProviderError(
      `its answer's apiVersion is not ${apiVersion}, the one it was asked with`,
    );
  }
  const { cacheKeyType, cacheDuration } = value;
  if (!isKeyType(cacheKeyType)) {
    throw new CredentialProviderError('its answer has no cacheKeyType of Image, Registry or Global');
  }
  return { cacheKeyType, cacheMs: cacheMsOf(cacheDuration), logins: loginsOf(value['auth']) };
}

function cacheMsOf(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  const ms = typeof value === 'string' ? parseDuration(value) : undefined;
  if (ms === undefined) throw new CredentialProviderError("its answer's cacheDuration is no duration");
  return ms;
}

function loginsOf(value: unknown): Map<string, RegistryLogin> {
  const auth = value ?? {};
  if (!isObject(auth)) throw new CredentialProviderError("its answer's auth is not an object");
  return new Map(
    Object.entries(auth).map(([registry, login]) => {
      const { username = '', password = '' } = isObject(login) ? login : {};
      if (typeof username !== 'string' || typeof password !== 'string') {
        throw new CredentialProviderError("its answer's auth has a username or password that is not a text");
      }
      return [registry, { username, password, email: '', identityToken: '', registryToken: '' }];
    }),
  );
}
