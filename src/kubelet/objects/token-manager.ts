import type { Clock, Timer } from '#lib/clock.ts';
import { NodeletError, describeError } from '#lib/errors.ts';
import { type KubeClient, resources } from '#lib/kube/client.ts';
import type { AgentPod, TokenRequest } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import type { ServiceAccountTokens, TokenWish } from '#volumes/content.ts';
import { type TokenTimes, tokenTimes } from './token-schedule.ts';

export interface TokenManagerParts {
  client: Pick<KubeClient, 'create'>;
  clock: Clock;
  /** 0 to 1. */
  random: () => number;
  log: Logger;
  /** A token of the pod is due to be renewed: whoever shows it asks for it again. */
  onDue(podUid: string): void;
}

export class TokenError extends NodeletError {
  readonly code = 'TOKEN';
}

interface Held extends TokenTimes {
  token: string;
  /** When the answer came, by both clocks: one may jump, the other stands still while the machine sleeps. */
  wallMs: number;
  monotonicMs: number;
  timer: Timer | undefined;
  /** Age before which a renewal that failed isn't tried again. */
  notBeforeMs: number;
}

/** Pause between tries to renew a token that is still good. */
const RETRY_MS = 30_000;
/** A timer sleeps while the machine does: a token's age is looked at this often. */
const LOOK_MS = 30_000;

/**
 * The tokens of the pods' service accounts, asked of the API server by name (TokenRequest), bound to the pod and kept
 * in memory only. While a renewal fails, the old token serves until it expires.
 */
export class TokenManager implements ServiceAccountTokens {
  readonly #parts: TokenManagerParts;
  readonly #pods = new Map<string, Map<string, Held>>();

  constructor(parts: TokenManagerParts) {
    this.#parts = parts;
  }

  async token(pod: AgentPod, wish: TokenWish, signal: AbortSignal): Promise<string> {
    const key = JSON.stringify([pod.spec.serviceAccountName, wish.audience ?? '', wish.expirationSeconds]);
    const held = this.#pods.get(pod.metadata.uid)?.get(key);
    if (held !== undefined && !this.#isDue(held)) return held.token;
    try {
      const fresh = await this.#request(pod, wish, signal);
      this.#keep(pod.metadata.uid, key, fresh);
      return fresh.token;
    } catch (error) {
      signal.throwIfAborted();
      if (held === undefined) throw failure('failed to fetch token', error);
      if (this.#age(held) >= held.expiresAfterMs) throw failure('token expired and refresh failed', error);
      const { name, namespace, uid } = pod.metadata;
      this.#parts.log.warn(
        { pod: `${namespace}/${name}`, uid, err: error },
        'a service account token could not be renewed; the old one serves on',
      );
      held.notBeforeMs = this.#age(held) + RETRY_MS;
      this.#wakeAt(uid, held, held.notBeforeMs);
      return held.token;
    }
  }

  /** The pod has ended: its tokens are of no use any more. */
  forget(podUid: string): void {
    for (const { timer } of this.#pods.get(podUid)?.values() ?? []) timer?.cancel();
    this.#pods.delete(podUid);
  }

  #isDue(held: Held): boolean {
    const age = this.#age(held);
    return age >= held.renewAfterMs && (age >= held.notBeforeMs || age >= held.expiresAfterMs);
  }

  #age({ wallMs, monotonicMs }: Held): number {
    const { clock } = this.#parts;
    return Math.max(clock.now() - wallMs, clock.monotonic() - monotonicMs);
  }

  async #request(pod: AgentPod, wish: TokenWish, signal: AbortSignal): Promise<Held> {
    const { client, clock, random } = this.#parts;
    const { name, namespace, uid } = pod.metadata;
    const request: TokenRequest = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: wish.audience ? [wish.audience] : [],
        expirationSeconds: wish.expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      },
    };
    const asked = { wallMs: clock.now(), monotonicMs: clock.monotonic() };
    const at = { namespace, name: pod.spec.serviceAccountName || 'default', subresource: 'token' };
    const answer = await client.create<TokenRequest>(resources.serviceAccounts, at, request, { signal });
    const token = answer.status?.token;
    if (!token) throw new TokenError('the API server’s answer has no token', { retryable: true });
    // Its own word for how long, not its clock's for until when: the two machines' clocks may differ.
    const lifetimeMs = (answer.spec?.expirationSeconds ?? wish.expirationSeconds) * 1000;
    return { token, ...asked, ...tokenTimes(lifetimeMs, random()), timer: undefined, notBeforeMs: 0 };
  }

  #keep(podUid: string, key: string, fresh: Held): void {
    const tokens = this.#pods.get(podUid) ?? new Map<string, Held>();
    this.#pods.set(podUid, tokens);
    tokens.get(key)?.timer?.cancel();
    tokens.set(key, fresh);
    this.#wakeAt(podUid, fresh, fresh.renewAfterMs);
  }

  /** Tells once the token is this old. */
  #wakeAt(podUid: string, held: Held, ageMs: number): void {
    const { clock } = this.#parts;
    held.timer?.cancel();
    held.timer = clock.after(Math.min(Math.max(0, ageMs - this.#age(held)), LOOK_MS), () => {
      if (this.#isDue(held)) this.#parts.onDue(podUid);
      else this.#wakeAt(podUid, held, ageMs);
    });
  }
}

/** Worth another try whatever the server's answer: the service account, or leave to have its token, may come yet. */
const failure = (what: string, cause: unknown): TokenError =>
  new TokenError(`${what}: ${describeError(cause)}`, { cause, retryable: true });
