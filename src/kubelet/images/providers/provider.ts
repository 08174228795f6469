import { createHash } from 'node:crypto';
import type { Clock } from '#lib/clock.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import type { RegistryLogin, ServiceAccountSource } from '../credential.ts';
import { registryMatches } from '../registry-pattern.ts';
import type { ProviderConfig, TokenAttributes } from './config.ts';
import { LoginCache } from './login-cache.ts';
import { CredentialProviderError } from './response.ts';
import type { ProviderAnswer, ProviderRequest } from './response.ts';

/** What a provider that works with service accounts needs of the API. */
export interface ServiceAccounts {
  /** The account's UID and annotations; undefined where there is none. */
  find(
    namespace: string,
    name: string,
  ): Promise<{ uid: string; annotations: Readonly<Record<string, string>> } | undefined>;
  /** A token for `audience`, bound to the pod. */
  token(pod: AgentPod, audience: string): Promise<string>;
}

export interface ProviderParts {
  config: ProviderConfig;
  accounts: ServiceAccounts | undefined;
  clock: Clock;
  /** Runs the program. Rejects with a CredentialProviderError. */
  ask(request: ProviderRequest): Promise<ProviderAnswer>;
}

export interface ProvidedLogins {
  logins: ReadonlyMap<string, RegistryLogin>;
  /** Set where the logins are those of the pod's service account. */
  account: ServiceAccountSource | undefined;
}

/** On whose behalf the program is asked. */
interface Identity {
  account: ServiceAccountSource | undefined;
  token: string;
  annotations: Readonly<Record<string, string>>;
  /** Part of every cache key: empty for the node itself. */
  cachePart: string;
}

const NODE: Identity = { account: undefined, token: '', annotations: {}, cachePart: '' };
const NONE: ProvidedLogins = { logins: new Map(), account: undefined };

const keyOf = (...parts: string[]): string => parts.map((part) => `${part.length}:${part}`).join('');

/** One program that gives registry logins, with its answers kept for as long as it allows. */
export class CredentialProvider {
  readonly #parts: ProviderParts;
  readonly #cache: LoginCache;
  /** One question at a time for the same image and identity. */
  readonly #asking = new Map<string, Promise<ProviderAnswer>>();

  constructor(parts: ProviderParts) {
    this.#parts = parts;
    this.#cache = new LoginCache(parts.clock);
  }

  get name(): string {
    return this.#parts.config.name;
  }

  /** The logins for `image` (a repository, without tag); empty where the provider is not for it. */
  async lookup(pod: AgentPod, image: string): Promise<ProvidedLogins> {
    const { config } = this.#parts;
    if (!config.matchImages.some((pattern) => registryMatches(pattern, image))) return NONE;
    const identity = config.token === undefined ? NODE : await this.#identity(config.token, pod);
    if (identity === undefined) return NONE;
    const { account, cachePart } = identity;
    const registry = image.split('/')[0] ?? image;
    const keys = [`image ${image}`, `registry ${registry}`, 'global'].map((key) => keyOf(key, cachePart));
    const kept = this.#cache.find(keys);
    if (kept !== undefined) return { logins: kept, account };
    const answer = await this.#ask(image, identity);
    const [imageKey = '', registryKey = '', globalKey = ''] = keys;
    const key = { Image: imageKey, Registry: registryKey, Global: globalKey }[answer.cacheKeyType];
    this.#cache.keep(key, answer.logins, answer.cacheMs ?? config.defaultCacheMs);
    return { logins: answer.logins, account };
  }

  async #ask(image: string, { token, annotations, cachePart }: Identity): Promise<ProviderAnswer> {
    const key = keyOf(image, cachePart, token);
    const under = this.#asking.get(key);
    if (under !== undefined) return under;
    const asking = this.#parts.ask({ image, token, annotations });
    this.#asking.set(key, asking);
    try {
      const answer = await asking;
      this.#refuseEcho(answer, token);
      return answer;
    } finally {
      this.#asking.delete(key);
    }
  }

  /** A login that is the token itself must not be given to another pod, which only cacheType Token prevents. */
  #refuseEcho({ logins }: ProviderAnswer, token: string): void {
    if (token === '' || this.#parts.config.token?.cacheType === 'Token') return;
    if ([...logins.values()].some(({ password }) => password === token)) {
      throw new CredentialProviderError(
        'it answered with the service account token as password, which only tokenAttributes.cacheType Token allows',
      );
    }
  }

  /** undefined: the provider isn't asked for this pod. */
  async #identity(wants: TokenAttributes, pod: AgentPod): Promise<Identity | undefined> {
    const { accounts } = this.#parts;
    const { namespace } = pod.metadata;
    const name = pod.spec.serviceAccountName ?? '';
    if (name === '' || accounts === undefined) return wants.requireServiceAccount ? undefined : NODE;
    const account = await accounts.find(namespace, name);
    if (account === undefined) {
      throw new CredentialProviderError(`service account ${namespace}/${name} is not there`);
    }
    const { uid } = account;
    // A missing annotation is how a workload stays out.
    if (wants.requiredAnnotations.some((key) => account.annotations[key] === undefined)) return undefined;
    const passed = [...wants.requiredAnnotations, ...wants.optionalAnnotations].sort();
    const annotations = Object.fromEntries(
      passed.flatMap((key) => {
        const value = account.annotations[key];
        return value === undefined ? [] : [[key, value]];
      }),
    );
    const token = await accounts.token(pod, wants.audience);
    const parts = [namespace, name, uid, JSON.stringify(annotations)];
    if (wants.cacheType === 'Token') {
      parts.push(pod.metadata.uid, createHash('sha256').update(token).digest('hex'));
    }
    return { account: { uid, namespace, name }, token, annotations, cachePart: keyOf(...parts) };
  }
}
