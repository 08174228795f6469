import { basename, dirname } from 'node:path';
import { watchDir } from '#host/dir-watch.ts';
import type { DirWatch } from '#host/dir-watch.ts';
import { OpenDir } from '#host/open-dir.ts';
import type { OpenFile } from '#host/open-dir.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import { asError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { rotatedFiles } from './rotated-name.ts';

/** Inotify tells at once; this is for what it misses and for machines without watches left. */
const POLL_MS = 1000;
/** Rotated files held open for a reader that is slower than the container; older ones are given up. */
const MAX_HELD = 8;

/**
 * The files that a log consists of from now on, in order, each held open from the moment it is seen: a file that
 * is renamed, compressed or removed before the reader gets to it can still be read.
 */
export class LogTrail {
  readonly #root: string;
  readonly #path: string;
  readonly #base: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #queue: OpenFile[] = [];
  #dir: OpenDir | undefined;
  #watch: DirWatch | undefined;
  #timer: Timer | undefined;
  /** The newest rotated file already accounted for. */
  #watermark = '';
  #started = false;
  #closed = false;
  #running: Promise<void> | undefined;
  #again = false;
  #failure: Error | undefined;
  #changed = false;
  #wake: (() => void) | undefined;

  constructor(root: string, path: string, clock: Clock, logger: Logger) {
    this.#root = root;
    this.#path = path;
    this.#base = basename(path);
    this.#clock = clock;
    this.#logger = logger;
    this.#poll();
  }

  /** The file to read now; undefined while there is none. */
  get current(): OpenFile | undefined {
    return this.#queue[0];
  }

  /** Whether a newer file exists: the current one gets nothing more once the runtime has let go of it. */
  get superseded(): boolean {
    return this.#queue.length > 1;
  }

  /** Goes on to the next file. */
  async advance(): Promise<void> {
    await this.#queue.shift()?.close();
  }

  /** Looks for new files; rejects if the path isn't a plain file below the root. */
  async refresh(): Promise<void> {
    await this.#look();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves after a change in the folder, or after `ms`, or when the signal aborts. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#changed && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          timer.cancel();
          signal.removeEventListener('abort', done);
          this.#wake = undefined;
          resolve();
        };
        const timer = this.#clock.after(ms, done);
        signal.addEventListener('abort', done, { once: true });
        this.#wake = done;
      });
    }
    this.#changed = false;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#watch?.close();
    await this.#running;
    await Promise.all(this.#queue.splice(0).map((file) => file.close()));
    await this.#dir?.close();
    this.#dir = undefined;
  }

  #poll(): void {
    this.#timer = this.#clock.after(POLL_MS, () => {
      void this.#look();
      this.#poll();
    });
  }

  /** One look at a time; a call during a look makes another one follow. Never rejects. */
  #look(): Promise<void> {
    this.#again = true;
    this.#running ??= (async () => {
      try {
        while (this.#again && !this.#closed) {
          this.#again = false;
          await this.#lookOnce();
        }
        this.#failure = undefined;
      } catch (error) {
        this.#failure = asError(error);
      } finally {
        this.#running = undefined;
      }
    })();
    return this.#running;
  }

  async #lookOnce(): Promise<void> {
    const dir = await this.#folder();
    if (dir === undefined) return;
    // First the newest file, then the rotated ones: what is rotated in between is then either it or older.
    const newest = await this.#openNew(dir, this.#base);
    const rotated = rotatedFiles(await dir.list(), this.#base).filter(({ form }) => form === 'plain');
    for (const { name, stamp } of rotated) {
      if (stamp <= this.#watermark) continue;
      this.#watermark = stamp;
      // Files rotated before the reader came are not its business.
      if (!this.#started) continue;
      const file = await this.#openNew(dir, name, newest);
      if (file !== undefined) this.#push(file);
    }
    if (newest === undefined) return;
    this.#started = true;
    this.#push(newest);
  }

  async #folder(): Promise<OpenDir | undefined> {
    if (this.#dir !== undefined && this.#started) return this.#dir;
    // Until the log is there, its folder may come, and go, and come again.
    const dir = await OpenDir.below(this.#root, dirname(this.#path));
    await this.#dir?.close();
    this.#watch?.close();
    this.#dir = dir;
    this.#watch = dir && watchDir(dir.self, (what) => this.#notice(what));
    return dir;
  }

  #notice(what: 'entries' | 'content'): void {
    this.#changed = true;
    if (what === 'entries') void this.#look().then(() => this.#wake?.());
    else this.#wake?.();
  }

  async #openNew(dir: OpenDir, name: string, other?: OpenFile): Promise<OpenFile | undefined> {
    const known = (identity: string): boolean =>
      identity === other?.identity || this.#queue.some((file) => file.identity === identity);
    const entry = await dir.stat(name);
    if (entry === undefined || known(entry.identity)) return undefined;
    const file = await dir.openFile(name);
    if (file === undefined || !known(file.identity)) return file;
    await file.close();
    return undefined;
  }

  #push(file: OpenFile): void {
    this.#queue.push(file);
    if (this.#queue.length <= MAX_HELD) return;
    // Not the first: it is being read.
    const [dropped] = this.#queue.splice(1, 1);
    this.#logger.warn({ path: this.#path }, 'a log reader is too slow: a rotated file is left out');
    void dropped?.close();
  }
}
