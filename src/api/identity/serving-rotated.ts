import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { isDeepStrictEqual } from 'node:util';
import { Alarm } from './alarm.ts';
import { DraftKey } from './draft-key.ts';
import { obtain } from './order.ts';
import { PairStore } from './pair-store.ts';
import { retryDelay } from './retry-delays.ts';
import type { Random } from './retry-delays.ts';
import { planRotation, untilRotation } from './rotation-plan.ts';
import type { Moment, RotationPlan } from './rotation-plan.ts';
import { ServedPair } from './served-pair.ts';
import { covers, servingOrder } from './serving-order.ts';
import type { NodeAddress } from './serving-order.ts';
import type { ServingCertificate } from './serving.ts';
import type { CertificateOrder, SigningClient } from './signing.ts';
import type { IdentityObserver, IdentityState } from './state.ts';
import { clockDoubt, time } from './words.ts';
import type { X509Maker } from './x509.ts';

export interface RotatedServingOptions {
  nodeName: string;
  /** `--cert-dir`; absolute. */
  certDir: string;
  /** Feature gate AllowDNSOnlyNodeCSR. */
  allowDnsOnly: boolean;
}

export interface RotatedServingParts {
  client: SigningClient;
  x509: X509Maker;
  clock: Clock;
  random: Random;
  log: Logger;
  observer?: IdentityObserver;
}

const LOOK_MS = 60_000;
/** Longest pauses between attempts: while there is nothing to serve, and while there is. */
const UNKNOWN_MAX_MS = 60_000;
const RENEWAL_MAX_MS = 300_000;

/**
 * A serving certificate that the cluster signs (`serverTLSBootstrap`): asked for once the node's addresses are known,
 * again when they change, and before it ends. What was signed is served until its successor is there, even past its end:
 * clients that check will refuse it, those that don't can still reach the node.
 */
export class RotatedServing implements ServingCertificate {
  readonly #options: RotatedServingOptions;
  readonly #parts: RotatedServingParts;
  readonly #store: PairStore;
  readonly #draft: DraftKey;
  readonly #served = new ServedPair();
  readonly #alarm: Alarm;
  #order: CertificateOrder | undefined;
  #attempt: AbortController | undefined;
  #plan: RotationPlan | undefined;
  #trouble: string | undefined;

  constructor(options: RotatedServingOptions, parts: RotatedServingParts) {
    const { clock, log } = parts;
    this.#options = options;
    this.#parts = parts;
    this.#store = new PairStore('kubelet-server', { dir: options.certDir, clock, log });
    this.#draft = new DraftKey(this.#store.draftKeyPath);
    this.#alarm = new Alarm(clock);
  }

  current(): ReturnType<ServedPair['current']> {
    return this.#served.current();
  }

  onChange(listener: () => void): () => void {
    return this.#served.onChange(listener);
  }

  get state(): IdentityState {
    const leaf = this.#served.pair?.leaf;
    const at = this.#moment();
    const unknown =
      this.#order === undefined ? 'the serving certificate waits for the addresses of the node' : undefined;
    return {
      subject: leaf?.commonName,
      notAfter: leaf?.notAfter,
      nextRotation: this.#plan && at.now + untilRotation(this.#plan, at),
      trouble: this.#trouble ?? unknown ?? (leaf && clockDoubt(leaf, at.now)),
    };
  }

  /** The node's addresses, as its status has them; to be called with every change. */
  setAddresses(addresses: readonly NodeAddress[]): void {
    const order = servingOrder(this.#options.nodeName, addresses, this.#options.allowDnsOnly);
    // Addresses that are lost for a moment don't make a certificate for fewer.
    if (order === undefined || isDeepStrictEqual(order, this.#order)) return;
    this.#order = order;
    this.#attempt?.abort(new Error('the addresses of the node changed'));
    this.#alarm.ring();
  }

  async run(signal: AbortSignal): Promise<never> {
    await this.#load(signal);
    let failures = 0;
    for (;;) {
      const order = this.#order;
      const wait = order === undefined ? LOOK_MS : this.#untilDue(order);
      if (order === undefined || wait > 0) {
        await this.#alarm.wait(Math.min(wait, LOOK_MS), signal);
        continue;
      }
      try {
        await this.#renew(order, signal);
        this.#trouble = undefined;
        failures = 0;
      } catch (error) {
        signal.throwIfAborted();
        if (order !== this.#order) continue;
        this.#failed(error);
        failures += 1;
        const max = this.#served.pair === undefined ? UNKNOWN_MAX_MS : RENEWAL_MAX_MS;
        await this.#alarm.wait(retryDelay(failures, max, error, this.#parts.random), signal);
      }
    }
  }

  #moment(): Moment {
    return { now: this.#parts.clock.now(), monotonic: this.#parts.clock.monotonic() };
  }

  #untilDue(order: CertificateOrder): number {
    const { pair } = this.#served;
    if (pair === undefined || this.#plan === undefined || !covers(pair, order.subject)) return 0;
    return untilRotation(this.#plan, this.#moment());
  }

  async #load(signal: AbortSignal): Promise<void> {
    try {
      const pair = await this.#store.load();
      if (pair === undefined) return;
      this.#plan = planRotation(pair.leaf, this.#parts.random(), this.#moment(), false);
      this.#served.set(pair);
    } catch (error) {
      signal.throwIfAborted();
      this.#failed(error);
    }
  }

  async #renew(order: CertificateOrder, signal: AbortSignal): Promise<void> {
    this.#attempt = new AbortController();
    const before = this.#served.pair;
    const parts = {
      ...this.#parts,
      store: this.#store,
      draft: this.#draft,
      current: before,
      progress: (what: string) => this.#waits(what),
    };
    const pair = await obtain(order, parts, AbortSignal.any([signal, this.#attempt.signal]));
    this.#plan = planRotation(pair.leaf, this.#parts.random(), this.#moment(), true);
    this.#served.set(pair);
    this.#parts.log.info({ notAfter: time(pair.leaf.notAfter), ...order.subject }, 'serving certificate');
    if (before !== undefined) {
      this.#parts.observer?.rotated?.(this.#parts.clock.now() - before.leaf.notBefore);
    }
  }

  #waits(what: string): void {
    if (this.#trouble !== what) this.#parts.log.info({ reason: what }, 'waiting for a serving certificate');
    this.#trouble = what;
  }

  #failed(error: unknown): void {
    const reason = describeError(error);
    this.#parts.observer?.failed?.();
    if (this.#trouble !== reason) this.#parts.log.warn({ reason }, 'no new serving certificate');
    this.#trouble = reason;
  }
}
