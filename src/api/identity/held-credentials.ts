import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/logger.ts';
import type { ClientAccess } from './access.ts';
import { isOfNode } from './client-files.ts';
import type { IdentityOptions } from './client-files.ts';
import type { CheckedPair } from './key-pair.ts';
import type { Random } from './retry-delays.ts';
import { planRotation, untilRotation } from './rotation-plan.ts';
import type { Moment, RotationPlan } from './rotation-plan.ts';
import type { IdentityState } from './state.ts';
import { clockDoubt, time } from './words.ts';

/** After the server took credentials that were in doubt, further doubts wait this long. */
const TRUST_MS = 30_000;

/** The credentials that the node works with, and what is known of them. */
export class HeldCredentials {
  readonly #options: IdentityOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #listeners = new Set<() => void>();
  readonly #refused = new Set<string>();
  #pair: CheckedPair | undefined;
  #access: ClientAccess | undefined;
  #plan: RotationPlan | undefined;
  #isDoubted = false;
  #trustedUntil = -Infinity;

  constructor(options: IdentityOptions, parts: { clock: Clock; random: Random; log: Logger }) {
    this.#options = options;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#log = parts.log;
  }

  /** Undefined where the kubeconfig has other credentials than a certificate. */
  get pair(): CheckedPair | undefined {
    return this.#pair;
  }

  get access(): ClientAccess | undefined {
    return this.#access;
  }

  /** Whether the server may no longer take them. */
  get isDoubted(): boolean {
    return this.#isDoubted;
  }

  /** Fingerprints of certificates that the server was seen to refuse. */
  get refused(): ReadonlySet<string> {
    return this.#refused;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** `isFresh`: signed just now. */
  use(pair: CheckedPair | undefined, access: ClientAccess, isFresh: boolean): void {
    const isSame =
      this.#pair?.leaf.fingerprint === pair?.leaf.fingerprint &&
      this.#access?.clientCertificatePath === access.clientCertificatePath;
    this.#pair = pair;
    this.#access = access;
    this.#isDoubted = false;
    if (isFresh) this.#refused.clear();
    this.#plan = pair && this.#planFor(pair, isFresh);
    if (isSame) return;
    if (pair !== undefined) {
      const { commonName, notAfter } = pair.leaf;
      this.#log.info({ subject: commonName, notAfter: time(notAfter) }, 'client certificate');
    }
    for (const listener of this.#listeners) listener();
  }

  /** True if that is news. */
  doubt(): boolean {
    if (this.#isDoubted || this.#clock.monotonic() < this.#trustedUntil) return false;
    this.#isDoubted = true;
    return true;
  }

  /** The server took them all the same. */
  trust(): void {
    this.#isDoubted = false;
    this.#refused.clear();
    this.#trustedUntil = this.#clock.monotonic() + TRUST_MS;
  }

  /** The server refused them for certain. */
  refuse(): void {
    this.#isDoubted = true;
    if (this.#pair !== undefined) this.#refused.add(this.#pair.leaf.fingerprint);
  }

  /** Milliseconds until something has to be done; 0: now; Infinity: never by itself. */
  untilDue(): number {
    if (this.#isDoubted) return 0;
    if (this.#options.rotateCertificates) {
      return this.#plan === undefined ? 0 : untilRotation(this.#plan, this.#moment());
    }
    if (this.#pair === undefined) return Infinity;
    const trusted = this.#trustedUntil - this.#clock.monotonic();
    return Math.max(0, trusted, this.#pair.leaf.notAfter - this.#clock.now());
  }

  state(trouble: string | undefined): IdentityState {
    const at = this.#moment();
    const leaf = this.#pair?.leaf;
    const plan = this.#options.rotateCertificates ? this.#plan : undefined;
    return {
      subject: leaf?.commonName,
      notAfter: leaf?.notAfter,
      nextRotation: plan && at.now + untilRotation(plan, at),
      trouble: trouble ?? (leaf && clockDoubt(leaf, at.now)),
    };
  }

  #planFor(pair: CheckedPair, isFresh: boolean): RotationPlan {
    // An administrator's certificate is replaced by the node's own as soon as possible, as upstream does.
    if (!isOfNode(pair, this.#options.nodeName)) return { wallAt: -Infinity, monotonicAt: -Infinity };
    return planRotation(pair.leaf, this.#random(), this.#moment(), isFresh);
  }

  #moment(): Moment {
    return { now: this.#clock.now(), monotonic: this.#clock.monotonic() };
  }
}
