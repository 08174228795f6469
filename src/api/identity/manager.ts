import type { Clock } from '#lib/clock.ts';
import { sleep } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { areAccepted, withConnection } from './access.ts';
import type { ClientAccess, Connect } from './access.ts';
import { Alarm } from './alarm.ts';
import { bootstrap } from './bootstrap.ts';
import { choosePair, hasEnded, readFiles } from './client-files.ts';
import type { Found, IdentityOptions } from './client-files.ts';
import { clientOrder } from './client-order.ts';
import { DraftKey } from './draft-key.ts';
import { KubeconfigError } from './errors.ts';
import { HeldCredentials } from './held-credentials.ts';
import type { CheckedPair } from './key-pair.ts';
import { obtain } from './order.ts';
import { PairStore } from './pair-store.ts';
import { isRefusal } from './refusal.ts';
import { retryDelay } from './retry-delays.ts';
import type { Random } from './retry-delays.ts';
import type { IdentityObserver, IdentityState } from './state.ts';
import { daysLeft } from './words.ts';
import type { X509Maker } from './x509.ts';

export interface IdentityParts {
  /** Of `--cert-dir`; absolute. */
  certDir: string;
  connect: Connect;
  x509: X509Maker;
  clock: Clock;
  random: Random;
  log: Logger;
  observer?: IdentityObserver;
}

/** The wall clock may jump while a timer runs: look at it this often. */
const LOOK_MS = 60_000;
/** A person who mends the credentials should see the effect soon: how often their files are looked at then. */
const MEND_LOOK_MS = 3000;
/** Longest pauses between attempts: while the node has no credentials, doubtful ones, good ones. */
const UNKNOWN_MAX_MS = 15_000;
const DOUBTED_MAX_MS = 60_000;
const RENEWAL_MAX_MS = 300_000;

/**
 * Who this node is for the API server: finds its client certificate or asks for one, keeps it from ending, and gets
 * another with the bootstrap credentials where it has ended or is refused.
 */
export class IdentityManager {
  readonly #options: IdentityOptions;
  readonly #parts: IdentityParts;
  readonly #store: PairStore;
  readonly #draft: DraftKey;
  readonly #held: HeldCredentials;
  readonly #alarm: Alarm;
  #trouble: string | undefined;

  constructor(options: IdentityOptions, parts: IdentityParts) {
    this.#options = options;
    this.#parts = parts;
    this.#store = new PairStore('kubelet-client', { dir: parts.certDir, clock: parts.clock, log: parts.log });
    this.#draft = new DraftKey(this.#store.draftKeyPath);
    this.#held = new HeldCredentials(options, parts);
    this.#alarm = new Alarm(parts.clock);
  }

  get state(): IdentityState {
    return this.#held.state(this.#trouble);
  }

  /** What the API client should work with; undefined before `establish` has resolved. */
  get access(): ClientAccess | undefined {
    return this.#held.access;
  }

  /**
   * Calls back when `access` or what it leads to changed: read the files again, make new connections. Returns the
   * unsubscription.
   */
  onChange(listener: () => void): () => void {
    return this.#held.onChange(listener);
  }

  /**
   * Resolves once there are credentials to work with; until then it tries for ever (see `state.trouble`). Credentials
   * that have ended by this machine's clock will do where there are no better ones: the clock may be wrong. Rejects with
   * the signal's reason only.
   */
  async establish(signal: AbortSignal): Promise<ClientAccess> {
    for (let failures = 1; ; failures++) {
      let delay: number;
      try {
        const access = await this.#find(signal);
        if (!this.#held.isDoubted) this.#trouble = undefined;
        return access;
      } catch (error) {
        this.#failed(error, signal);
        delay = retryDelay(failures, UNKNOWN_MAX_MS, error, this.#parts.random);
      }
      await sleep(this.#parts.clock, delay, signal);
    }
  }

  /** Keeps the credentials alive, after `establish`. Rejects with the signal's reason only. */
  async run(signal: AbortSignal): Promise<never> {
    let failures = 0;
    for (;;) {
      const wait = this.#held.untilDue();
      if (wait > 0) {
        await this.#alarm.wait(Math.min(wait, LOOK_MS), signal);
        continue;
      }
      try {
        await this.#renew(signal);
        this.#trouble = undefined;
        failures = 0;
      } catch (error) {
        this.#failed(error, signal);
        failures += 1;
        const max = this.#held.isDoubted ? DOUBTED_MAX_MS : RENEWAL_MAX_MS;
        const delay = retryDelay(failures, max, error, this.#parts.random);
        if (await this.#areMendedWithin(delay, signal)) failures = 0;
      }
    }
  }

  /** To be told of the API client's failed calls; what doesn't speak of credentials is passed over. */
  refused(error: unknown): void {
    if (isRefusal(error) && this.#held.doubt()) this.#alarm.ring();
  }

  async #find(signal: AbortSignal): Promise<ClientAccess> {
    const found = await readFiles(this.#options, this.#store, this.#parts.log);
    const pair = choosePair(found, this.#parts.clock.now());
    const canBootstrap = this.#options.bootstrapKubeconfigPath !== undefined;
    if (found.kubeconfig === undefined || (pair === undefined && found.fault !== undefined)) {
      if (!canBootstrap) throw found.fault ?? this.#absent();
      return await this.#bootstrap(signal);
    }
    const access = await this.#adopt(found, pair);
    const isWanting = pair === undefined || hasEnded(pair, this.#parts.clock.now());
    if (!canBootstrap || !isWanting) return access;
    this.#held.doubt();
    try {
      await (pair === undefined ? this.#bootstrap(signal) : this.#settleDoubt(signal));
    } catch (error) {
      // What there is may serve all the same; `run` goes on trying.
      this.#failed(error, signal);
    }
    return this.#held.access ?? access;
  }

  /** Waits, and while the credentials are in doubt looks whether somebody has put others in their place. */
  async #areMendedWithin(ms: number, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#parts;
    const end = clock.monotonic() + ms;
    for (let left = ms; left > 0; left = end - clock.monotonic()) {
      if (await this.#alarm.wait(Math.min(left, MEND_LOOK_MS), signal)) return false;
      if (!this.#held.isDoubted) continue;
      const isOther = (pair: CheckedPair, before: CheckedPair): boolean =>
        pair.leaf.fingerprint !== before.leaf.fingerprint;
      if (!(await this.#adoptOther(isOther).catch(() => false))) continue;
      this.#trouble = undefined;
      return true;
    }
    return false;
  }

  #absent(): KubeconfigError {
    return new KubeconfigError(
      `kubeconfig ${this.#options.kubeconfigPath} does not exist: join the node to a cluster (kubeadm join), ` +
        'or give --bootstrap-kubeconfig',
      { retryable: true },
    );
  }

  /** Works from now on with what the files hold. */
  async #adopt(found: Found, pair: CheckedPair | undefined): Promise<ClientAccess> {
    let isStored = pair !== undefined && pair === found.stored;
    const isKept = isStored || pair === undefined || hasEnded(pair, this.#parts.clock.now());
    // As upstream: kubeadm waits for the store's file before it points the kubeconfig there.
    if (this.#options.rotateCertificates && !isKept) isStored = await this.#seed(pair);
    const client = found.kubeconfig?.client;
    const leadsToStore = client?.kind === 'pair' && client.certPath === this.#store.currentPath;
    const access = this.#accessTo(isStored && !leadsToStore);
    this.#held.use(pair, access, false);
    return access;
  }

  #accessTo(store: boolean): ClientAccess {
    return {
      kubeconfigPath: this.#options.kubeconfigPath,
      clientCertificatePath: store ? this.#store.currentPath : undefined,
    };
  }

  async #seed(pair: CheckedPair): Promise<boolean> {
    try {
      await this.#store.save(pair);
      return true;
    } catch (error) {
      this.#parts.log.warn({ reason: describeError(error) }, "cannot keep the kubeconfig's certificate");
      return false;
    }
  }

  async #renew(signal: AbortSignal): Promise<void> {
    if (this.#held.isDoubted) return await this.#settleDoubt(signal);
    if (await this.#adoptOther(isNewer)) return;
    if (!this.#options.rotateCertificates) return await this.#settleDoubt(signal);
    const { access, pair: before } = this.#held;
    if (access === undefined) throw this.#absent();
    try {
      const pair = await withConnection(this.#parts.connect, access, signal, (client) =>
        obtain(
          clientOrder(this.#options.nodeName),
          {
            ...this.#parts,
            client,
            store: this.#store,
            draft: this.#draft,
            current: before,
            progress: this.#waits,
          },
          signal,
        ),
      );
      await this.#useStored(pair);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      await this.#replaceRefused(signal, error);
    }
    if (before !== undefined)
      this.#parts.observer?.rotated?.(this.#parts.clock.now() - before.leaf.notBefore);
  }

  /** A new pair in the store counts, whatever the kubeconfig says. */
  async #useStored(pair: CheckedPair): Promise<ClientAccess> {
    const { kubeconfig } = await readFiles(this.#options, this.#store, this.#parts.log);
    const client = kubeconfig?.client;
    const leadsToStore = client?.kind === 'pair' && client.certPath === this.#store.currentPath;
    const access = this.#accessTo(!leadsToStore);
    this.#held.use(pair, access, true);
    return access;
  }

  /** Whether the files hold another valid pair by now: an administrator's mend, or another tool's renewal. */
  async #adoptOther(isBetter: (pair: CheckedPair, before: CheckedPair) => boolean): Promise<boolean> {
    const found = await readFiles(this.#options, this.#store, this.#parts.log);
    const now = this.#parts.clock.now();
    const pair = choosePair(found, now, this.#held.refused);
    const before = this.#held.pair;
    if (found.kubeconfig === undefined || pair === undefined || hasEnded(pair, now)) return false;
    if (before !== undefined && !isBetter(pair, before)) return false;
    await this.#adopt(found, pair);
    return true;
  }

  /** Asks the server whether it still takes the credentials, and replaces them where it doesn't. */
  async #settleDoubt(signal: AbortSignal): Promise<void> {
    const { access } = this.#held;
    const isTaken =
      access !== undefined &&
      (await withConnection(this.#parts.connect, access, signal, (client) =>
        areAccepted(client, this.#options.nodeName, signal),
      ));
    if (isTaken) this.#held.trust();
    else await this.#replaceRefused(signal);
  }

  async #replaceRefused(signal: AbortSignal, cause?: unknown): Promise<void> {
    this.#held.refuse();
    if (await this.#adoptOther(() => true)) return;
    if (this.#options.bootstrapKubeconfigPath === undefined) {
      throw new KubeconfigError(
        'the API server refuses the credentials of this node, and no --bootstrap-kubeconfig is given to get others: ' +
          `give one, or write a valid ${this.#options.kubeconfigPath} (kubeadm init phase kubeconfig kubelet)`,
        { cause, retryable: true },
      );
    }
    await this.#bootstrap(signal);
  }

  async #bootstrap(signal: AbortSignal): Promise<ClientAccess> {
    const { pair, isFresh } = await bootstrap(
      { ...this.#options, bootstrapKubeconfigPath: this.#options.bootstrapKubeconfigPath ?? '' },
      {
        ...this.#parts,
        store: this.#store,
        draft: this.#draft,
        current: this.#held.pair,
        refused: this.#held.refused,
        progress: this.#waits,
      },
      signal,
    );
    const access = this.#accessTo(false);
    this.#held.use(pair, access, isFresh);
    this.#trouble = undefined;
    return access;
  }

  readonly #waits = (what: string): void => {
    if (this.#trouble !== what) this.#parts.log.info({ reason: what }, 'waiting for a client certificate');
    this.#trouble = what;
  };

  /** Throws the signal's reason where that is what ended the attempt. */
  #failed(error: unknown, signal: AbortSignal): void {
    signal.throwIfAborted();
    const reason = describeError(error);
    const leaf = this.#held.pair?.leaf;
    this.#parts.observer?.failed?.();
    if (this.#trouble === reason) return;
    this.#trouble = reason;
    const days = leaf && daysLeft(leaf, this.#parts.clock.now());
    this.#parts.log.warn({ reason, daysToExpiry: days }, 'no new client certificate');
  }
}

/** Where both begin in one second, the one that lasts longer is the newer. */
const isNewer = ({ leaf }: CheckedPair, before: CheckedPair): boolean =>
  leaf.notBefore > before.leaf.notBefore ||
  (leaf.notBefore === before.leaf.notBefore && leaf.chainNotAfter > before.leaf.chainNotAfter);
