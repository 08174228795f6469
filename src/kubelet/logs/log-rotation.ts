import { basename, dirname } from 'node:path';
import type { RuntimeService } from '#cri/runtime.ts';
import { withDir } from '#host/open-dir.ts';
import type { OpenDir } from '#host/open-dir.ts';
import type { Clock } from '#lib/clock.ts';
import { sleep } from '#lib/clock.ts';
import { NotFoundError, isNotFound } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { PriorityGate } from '#lib/priority-gate.ts';
import { compressOlder, moveAside, removeExcess } from './rotate-file.ts';
import { rotatedFiles } from './rotated-name.ts';

/** Fields of KubeletConfiguration. */
export interface LogRotationOptions {
  /** The pod logs' root, `/var/log/pods`. */
  root: string;
  /** containerLogMaxSize in bytes; negative: logs are not rotated. */
  maxSizeBytes: number;
  /** containerLogMaxFiles: of one container, the current one among them; at least 2. */
  maxFiles: number;
  /** containerLogMaxWorkers: logs compressed at once. */
  workers: number;
  /** containerLogMonitorInterval: how long a new container or a log's growth may go unnoticed, in milliseconds. */
  intervalMs: number;
}

export type RotationRuntime = Pick<
  RuntimeService,
  'listContainers' | 'containerStatus' | 'reopenContainerLog'
>;

/** A log is looked at no more often than this; also the step of the rotated files' names. */
const MIN_CHECK_MS = 1000;
/** Checks at once; each is a look at a file, and rarely a call to the runtime. */
const CHECKS = 8;

interface Watched {
  id: string;
  /** Known after the first check. */
  path: string | undefined;
  /** The size at the last check and when that was; undefined before the first. */
  last: { size: number; at: number } | undefined;
  nextCheck: number;
  busy: boolean;
  /** `again`: a rotation came while older files were being compressed. */
  compressing: 'no' | 'yes' | 'again';
}

/**
 * Keeps the logs of running containers below a size, with upstream's file names and counts. Instead of looking at
 * every log in turn each ten seconds it looks at each one when, by its growth so far, it will be full.
 */
export class LogRotator {
  readonly #runtime: RotationRuntime;
  readonly #options: LogRotationOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #checks = new PriorityGate(CHECKS);
  readonly #compressions: PriorityGate;
  readonly #watched = new Map<string, Watched>();
  readonly #underWay = new Set<Promise<void>>();

  constructor(runtime: RotationRuntime, options: LogRotationOptions, clock: Clock, logger: Logger) {
    this.#runtime = runtime;
    this.#options = options;
    this.#clock = clock;
    this.#logger = logger;
    this.#compressions = new PriorityGate(Math.max(1, options.workers));
  }

  /** Rotates until the signal aborts, then waits for what is under way. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#options.maxSizeBytes < 0) return;
    let nextList = 0;
    while (!signal.aborted) {
      const now = this.#clock.monotonic();
      if (now >= nextList) {
        await this.#list(signal);
        nextList = this.#clock.monotonic() + this.#options.intervalMs;
      }
      const next = this.#startDue(signal);
      const pause = Math.min(next, nextList) - this.#clock.monotonic();
      // Aborting ends the pause early, which is all that its rejection says.
      await sleep(this.#clock, Math.max(pause, 50), signal).catch(() => undefined);
    }
    await Promise.all(this.#underWay);
  }

  async #list(signal: AbortSignal): Promise<void> {
    try {
      // Only running containers: the others' logs don't grow, and an empty newest log helps nobody.
      const running = await this.#runtime.listContainers({ state: 'CONTAINER_RUNNING' }, { signal });
      const ids = new Set(running.map(({ id }) => id));
      for (const id of this.#watched.keys()) if (!ids.has(id)) this.#watched.delete(id);
      for (const id of ids) {
        if (this.#watched.has(id)) continue;
        this.#watched.set(id, {
          id,
          path: undefined,
          last: undefined,
          nextCheck: 0,
          busy: false,
          compressing: 'no',
        });
      }
    } catch (error) {
      if (!signal.aborted) this.#logger.warn({ err: error }, 'cannot list containers to rotate their logs');
    }
  }

  /** Starts the checks that are due; returns when the next one will be. */
  #startDue(signal: AbortSignal): number {
    const now = this.#clock.monotonic();
    let next = Number.POSITIVE_INFINITY;
    for (const watched of this.#watched.values()) {
      if (watched.busy) continue;
      if (watched.nextCheck <= now) {
        watched.busy = true;
        const check = this.#checks.run(0, signal, () => this.#check(watched, signal));
        this.#start(check.finally(() => (watched.busy = false)));
      }
      next = Math.min(next, Math.max(watched.nextCheck, now + MIN_CHECK_MS));
    }
    return next;
  }

  #start(work: Promise<void>): void {
    // What fails has been logged; a turn that the signal took away needs no words.
    const done = work.catch(() => undefined).finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
  }

  async #check(watched: Watched, signal: AbortSignal): Promise<void> {
    try {
      watched.nextCheck = this.#clock.monotonic() + (await this.#checkOnce(watched, signal));
    } catch (error) {
      watched.nextCheck = this.#clock.monotonic() + this.#options.intervalMs;
      if (signal.aborted || isNotFound(error)) return;
      this.#logger.warn({ err: error, containerId: watched.id, path: watched.path }, 'cannot rotate a log');
    }
  }

  /** Rotates if the log is full; returns how long until the next check. */
  async #checkOnce(watched: Watched, signal: AbortSignal): Promise<number> {
    const first = watched.path === undefined;
    watched.path ??= (await this.#runtime.containerStatus(watched.id, { signal })).logPath;
    const { path } = watched;
    // A container without a log of its own; its path never changes.
    if (path === '') return Number.POSITIVE_INFINITY;
    const { root, maxSizeBytes, maxFiles, intervalMs } = this.#options;
    const base = basename(path);
    const wait = await withDir(root, dirname(path), async (dir) => {
      if (first && rotatedFiles(await dir.list(), base).length > 0) this.#compress(watched, path, signal);
      const size = (await this.#stat(dir, base)) ?? (await this.#reopenMissing(dir, base, watched, signal));
      if (size < maxSizeBytes) return this.#untilFull(watched, size);
      // The new log and the one rotated now come on top of those that stay.
      await removeExcess(dir, base, Math.max(0, maxFiles - 2));
      const rotated = await moveAside(dir, base, this.#clock.now(), () => this.#reopen(watched.id));
      this.#logger.debug({ containerId: watched.id, path, rotated, size }, 'rotated a log');
      this.#compress(watched, path, signal);
      const wait = this.#untilFull(watched, size);
      watched.last = { size: 0, at: this.#clock.monotonic() };
      return wait;
    });
    if (wait === undefined) throw new NotFoundError(`there is no folder for the log ${path}`);
    return Math.min(wait, intervalMs);
  }

  async #stat(dir: OpenDir, base: string): Promise<number | undefined> {
    const entry = await dir.stat(base);
    return entry?.size;
  }

  /** What a process leaves that ended between rename and reopen. Returns the new log's size. */
  async #reopenMissing(dir: OpenDir, base: string, watched: Watched, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    await this.#reopen(watched.id);
    watched.last = undefined;
    const size = await this.#stat(dir, base);
    if (size === undefined) throw new NotFoundError(`the runtime did not open the log ${watched.path}`);
    return size;
  }

  /** Without a signal: a rename without its reopen must not be left behind by an orderly stop. */
  #reopen(id: string): Promise<void> {
    return this.#runtime.reopenContainerLog(id);
  }

  /** Milliseconds until the log will be full at the rate at which it grew since the last check. */
  #untilFull(watched: Watched, size: number): number {
    const { maxSizeBytes, intervalMs } = this.#options;
    const at = this.#clock.monotonic();
    const { last } = watched;
    watched.last = { size, at };
    // Not known yet: look again soon, to know.
    if (last === undefined) return MIN_CHECK_MS;
    const rate = (size - last.size) / Math.max(1, at - last.at);
    if (rate <= 0) return intervalMs;
    // A full one is about to be rotated: the new one fills from zero at the same rate.
    const left = size >= maxSizeBytes ? maxSizeBytes : maxSizeBytes - size;
    return Math.max(MIN_CHECK_MS, left / rate);
  }

  #compress(watched: Watched, path: string, signal: AbortSignal): void {
    if (watched.compressing !== 'no') {
      watched.compressing = 'again';
      return;
    }
    watched.compressing = 'yes';
    this.#start(
      this.#compressions.run(0, signal, async () => {
        try {
          do {
            watched.compressing = 'yes';
            await withDir(this.#options.root, dirname(path), (dir) =>
              compressOlder(dir, basename(path), signal),
            );
          } while (isAgain(watched) && !signal.aborted);
        } catch (error) {
          if (!signal.aborted) this.#logger.warn({ err: error, path }, 'cannot compress rotated logs');
        } finally {
          watched.compressing = 'no';
        }
      }),
    );
  }
}

/** Others change it while the compression is awaited. */
const isAgain = (watched: Watched): boolean => watched.compressing === 'again';
