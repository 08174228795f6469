/**
 * `CredentialProviderConfig` (kubelet.config.k8s.io/v1, v1beta1 and v1alpha1): which programs give registry logins.
 * https://kubernetes.io/docs/reference/config-api/kubelet-config.v1/#kubelet-config-k8s-io-v1-CredentialProviderConfig
 */
import { parse } from 'yaml';
import { NodeletError, describeError } from '#lib/errors.ts';
import { parseDuration } from '#lib/go-duration.ts';
import { registryKey } from '../registry-pattern.ts';

export class CredentialProviderConfigError extends NodeletError {
  readonly code = 'CREDENTIAL_PROVIDER_CONFIG';
}

/** A provider that wants a token of the pod's service account. */
export interface TokenAttributes {
  audience: string;
  /** Without a service account the provider isn't asked at all. */
  requireServiceAccount: boolean;
  /** Whose logins may be used again: of the very token, or of everybody with the same service account. */
  cacheType: 'Token' | 'ServiceAccount';
  requiredAnnotations: readonly string[];
  optionalAnnotations: readonly string[];
}

export interface ProviderConfig {
  /** The program's file name in the folder of plugins. */
  name: string;
  apiVersion: string;
  matchImages: readonly string[];
  defaultCacheMs: number;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  token: TokenAttributes | undefined;
}

type Fields = Record<string, unknown>;

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const VERSIONS = ['v1', 'v1beta1', 'v1alpha1'];
const CONFIG_VERSIONS = VERSIONS.map((version) => `kubelet.config.k8s.io/${version}`);
const PLUGIN_VERSIONS = VERSIONS.map((version) => `credentialprovider.kubelet.k8s.io/${version}`);

/** Reads fields of one object; every refusal names file, field, value and what is allowed. */
class Reader {
  readonly #fields: Fields;
  readonly #at: string;

  constructor(value: unknown, at: string) {
    if (!isObject(value)) throw new CredentialProviderConfigError(`${at}: must be an object`);
    this.#fields = value;
    this.#at = at;
  }

  refuse(name: string, value: unknown, allowed: string): CredentialProviderConfigError {
    return new CredentialProviderConfigError(
      `${this.#at}.${name}: ${JSON.stringify(value)} is not allowed; allowed: ${allowed}`,
    );
  }

  onlyKnows(names: readonly string[]): void {
    const unknown = Object.keys(this.#fields).find((name) => !names.includes(name));
    if (unknown !== undefined) {
      throw new CredentialProviderConfigError(
        `${this.#at}.${unknown}: there is no such field; there are ${names.join(', ')}`,
      );
    }
  }

  value(name: string): unknown {
    return this.#fields[name] ?? undefined;
  }

  text(name: string, allowed = 'a text'): string {
    const value = this.value(name);
    if (typeof value !== 'string' || value === '') throw this.refuse(name, value ?? null, allowed);
    return value;
  }

  texts(name: string): string[] {
    const value = this.value(name) ?? [];
    if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) {
      throw this.refuse(name, value, 'a list of texts');
    }
    return value;
  }

  oneOf(name: string, values: readonly string[]): string {
    const value = this.text(name, values.join(', '));
    if (!values.includes(value)) throw this.refuse(name, value, values.join(', '));
    return value;
  }
}

/** Reads one file's providers; `file` names it in errors. Throws CredentialProviderConfigError. */
export function parseProviderConfig(text: string, file: string): ProviderConfig[] {
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 100 });
  } catch (cause) {
    throw new CredentialProviderConfigError(`${file}: isn't YAML or JSON: ${describeError(cause)}`);
  }
  const top = new Reader(value, file);
  top.onlyKnows(['apiVersion', 'kind', 'providers']);
  top.oneOf('kind', ['CredentialProviderConfig']);
  const version = top.oneOf('apiVersion', CONFIG_VERSIONS);
  const providers = top.value('providers');
  if (!Array.isArray(providers) || providers.length === 0) {
    throw top.refuse('providers', providers ?? null, 'a list with at least one provider');
  }
  const read = providers.map((each, index) => readProvider(each, `${file}: providers[${index}]`, version));
  refuseTwice(read, file);
  return read;
}

/** A provider's name is its program's: it may be there once, over all files. */
export function refuseTwice(providers: readonly ProviderConfig[], where: string): void {
  const seen = new Set<string>();
  for (const { name } of providers) {
    if (seen.has(name)) {
      throw new CredentialProviderConfigError(`${where}: provider ${JSON.stringify(name)} is there twice`);
    }
    seen.add(name);
  }
}

function readProvider(value: unknown, at: string, configVersion: string): ProviderConfig {
  const fields = new Reader(value, at);
  fields.onlyKnows([
    'name',
    'apiVersion',
    'matchImages',
    'defaultCacheDuration',
    'args',
    'env',
    'tokenAttributes',
  ]);
  const name = fields.text('name', 'the file name of a program in the folder of plugins');
  if (/[/ ]/.test(name) || name === '.' || name === '..') {
    throw fields.refuse('name', name, "a file name without '/' and blanks");
  }
  const matchImages = fields.texts('matchImages');
  if (matchImages.length === 0) throw fields.refuse('matchImages', matchImages, 'at least one pattern');
  const bad = matchImages.find((pattern) => registryKey(pattern) === undefined);
  if (bad !== undefined)
    throw fields.refuse('matchImages', bad, 'registry addresses, as in *.example.com/path');
  const duration = fields.text('defaultCacheDuration', 'a duration, as in 10m');
  const defaultCacheMs = parseDuration(duration);
  if (defaultCacheMs === undefined || defaultCacheMs < 0) {
    throw fields.refuse('defaultCacheDuration', duration, 'a duration of 0 or more, as in 10m');
  }
  const apiVersion = fields.oneOf('apiVersion', PLUGIN_VERSIONS);
  const token = fields.value('tokenAttributes');
  if (token !== undefined && (!apiVersion.endsWith('/v1') || !configVersion.endsWith('/v1'))) {
    throw fields.refuse('tokenAttributes', '{…}', 'only with apiVersion v1 of the file and of the provider');
  }
  return {
    name,
    apiVersion,
    matchImages,
    defaultCacheMs,
    args: fields.texts('args'),
    env: readEnv(fields),
    token: token === undefined ? undefined : readToken(token, `${at}.tokenAttributes`),
  };
}

function readEnv(fields: Reader): Record<string, string> {
  const list = fields.value('env') ?? [];
  const entries = Array.isArray(list) ? list : [undefined];
  const pairs = entries.map((each: unknown) => {
    // Never repeated in the error: a value may be a secret.
    if (!isObject(each) || typeof each['name'] !== 'string' || typeof each['value'] !== 'string') {
      throw fields.refuse('env', '…', 'a list of {name, value} with texts');
    }
    return [each['name'], each['value']] as const;
  });
  return Object.fromEntries(pairs);
}

function readToken(value: unknown, at: string): TokenAttributes {
  const fields = new Reader(value, at);
  fields.onlyKnows([
    'serviceAccountTokenAudience',
    'cacheType',
    'requireServiceAccount',
    'requiredServiceAccountAnnotationKeys',
    'optionalServiceAccountAnnotationKeys',
  ]);
  const requireServiceAccount = fields.value('requireServiceAccount');
  if (typeof requireServiceAccount !== 'boolean') {
    throw fields.refuse('requireServiceAccount', requireServiceAccount ?? null, 'true, false');
  }
  const requiredAnnotations = fields.texts('requiredServiceAccountAnnotationKeys');
  if (!requireServiceAccount && requiredAnnotations.length > 0) {
    throw fields.refuse(
      'requiredServiceAccountAnnotationKeys',
      requiredAnnotations,
      'none where requireServiceAccount is false',
    );
  }
  const optionalAnnotations = fields.texts('optionalServiceAccountAnnotationKeys');
  const both = requiredAnnotations.find((key) => optionalAnnotations.includes(key));
  if (both !== undefined) {
    throw fields.refuse('optionalServiceAccountAnnotationKeys', both, 'keys that are not required ones');
  }
  const cacheType = fields.oneOf('cacheType', ['Token', 'ServiceAccount']);
  return {
    audience: fields.text('serviceAccountTokenAudience'),
    requireServiceAccount,
    cacheType: cacheType === 'Token' ? 'Token' : 'ServiceAccount',
    requiredAnnotations,
    optionalAnnotations,
  };
}
