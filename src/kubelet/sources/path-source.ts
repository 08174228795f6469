import { readBounded, stampOf } from '#host/bounded-read.ts';
import type { FileStamp } from '#host/bounded-read.ts';
import { FolderWatcher } from '#host/watch.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { MAX_MANIFEST_BYTES } from './decode.ts';
import type { FileRule } from './file-rules.ts';
import { LastGoodStore } from './last-good.ts';
import type { ManifestRecord } from './last-good.ts';
import { manifestPaths } from './manifest-paths.ts';
import { mergeManifests, sameUpdate } from './merge.ts';
import type { AdoptUid, PodSource, SourceUpdate } from './source.ts';
import { TrackedManifest } from './tracked-manifest.ts';
import type { ManifestOwner } from './tracked-manifest.ts';

export interface PathSourceOptions {
  /** A folder of manifests, or one manifest; absolute. */
  path: string;
  rule: FileRule;
  nodeName: string;
  adopt: AdoptUid;
  clock: Clock;
  logger: Logger;
  /** For the last good versions; of this source alone. */
  cacheDir: string;
  /** Milliseconds of quiet after a change before it is read; writers use several calls. 10 unless given. */
  quietMs?: number;
  /** Milliseconds that a broken manifest must stay so before it counts. 250 unless given. */
  settleMs?: number;
  /** Milliseconds that a vanished manifest must stay away before it counts. 40 unless given: editors rename. */
  goneMs?: number;
  /** Milliseconds between looks without a hint. 20,000 unless given, as upstream. */
  pollMs?: number;
}

interface Entry {
  manifest: TrackedManifest;
  /** Of the version that was judged last. */
  stamp: string | undefined;
  text: string | undefined;
  /** A version that has not convinced yet, and since when (monotonic). */
  doubt: { stamp: string; since: number } | undefined;
}

/** Stats made at once: more only queue up in the thread pool. */
const PARALLEL_STATS = 32;
/** A change this recent may share its time stamp with the next one. */
const CLOCK_TICK_MS = 50;
/** A flood of events must not put off the reading for ever. */
const MOST_QUIET = 10;
const GONE = 'gone';

/** Static pods from a folder or a file, as it changes. */
export class PathSource implements PodSource {
  readonly kind = 'file';
  readonly name: string;
  readonly #options: Required<PathSourceOptions>;
  readonly #owner: ManifestOwner;
  readonly #store: LastGoodStore;
  readonly #watcher: FolderWatcher;
  readonly #entries = new Map<string, Entry>();
  #records = new Map<string, ManifestRecord>();
  #deliver: (update: SourceUpdate) => void = () => undefined;
  #delivered: SourceUpdate | undefined;
  #listError: string | undefined;
  #timer: Timer | undefined;
  /** Monotonic milliseconds of the first event that has not been looked at yet. */
  #dirtySince: number | undefined;
  #scanning: Promise<void> | undefined;
  #stopped = false;

  constructor(options: PathSourceOptions) {
    this.#options = { quietMs: 10, settleMs: 250, goneMs: 40, pollMs: 20_000, ...options };
    const { nodeName, adopt, clock, logger, rule, path } = this.#options;
    this.#owner = {
      nodeName,
      kind: 'file',
      adopt,
      clock,
      onePod: rule.onePod,
      servesObjects: rule.servesObjects,
    };
    this.#store = new LastGoodStore(options.cacheDir, logger);
    this.name = `manifests ${path}`;
    this.#watcher = new FolderWatcher(
      () => this.#hint(),
      (folder, error) => logger.warn({ folder, err: error }, 'cannot watch the folder: it is only polled'),
    );
  }

  async start(deliver: (update: SourceUpdate) => void): Promise<void> {
    this.#deliver = deliver;
    this.#records = await this.#store.load(this.#options.nodeName);
    await this.#look();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#watcher.close();
    await this.#scanning;
  }

  #hint(): void {
    const now = this.#options.clock.monotonic();
    this.#dirtySince ??= now;
    const latest = this.#dirtySince + this.#options.quietMs * MOST_QUIET;
    this.#lookIn(Math.max(0, Math.min(this.#options.quietMs, latest - now)));
  }

  #lookIn(ms: number): void {
    this.#timer?.cancel();
    if (!this.#stopped) this.#timer = this.#options.clock.after(ms, () => void this.#look());
  }

  async #look(): Promise<void> {
    if (this.#scanning !== undefined || this.#stopped) return;
    this.#dirtySince = undefined;
    this.#scanning = this.#scan();
    await this.#scanning;
    this.#scanning = undefined;
    // What happened meanwhile asked for a look that this one has swallowed.
    if (this.#dirtySince !== undefined) this.#hint();
  }

  /** Never rejects. */
  async #scan(): Promise<void> {
    let wait = this.#options.pollMs;
    try {
      const { path, rule } = this.#options;
      const { files, folders, error } = await manifestPaths(path, rule);
      if (await this.#watcher.set(folders)) wait = 0;
      if (error !== undefined) throw error;
      this.#listError = undefined;
      wait = Math.min(wait, await this.#inspectAll(files));
    } catch (error) {
      this.#listError = describeError(error);
      this.#options.logger.warn({ path: this.#options.path, err: error }, 'manifests cannot be listed');
    }
    await this.#publish();
    this.#lookIn(wait);
  }

  /** Milliseconds until something has to be looked at again; Infinity if nothing has. */
  async #inspectAll(files: readonly string[]): Promise<number> {
    const stamps = new Map<string, FileStamp | Error | undefined>();
    for (let i = 0; i < files.length; i += PARALLEL_STATS) {
      const group = files.slice(i, i + PARALLEL_STATS);
      const found = await Promise.all(
        group.map((file) => stampOf(file).catch((error: unknown) => error as Error)),
      );
      for (const [j, file] of group.entries()) stamps.set(file, found[j]);
    }
    let again = Infinity;
    for (const [file, stamp] of stamps)
      if (stamp !== undefined) again = Math.min(again, await this.#inspect(file, stamp));
    for (const [file, entry] of this.#entries) {
      if (stamps.get(file) !== undefined) continue;
      const doubt = this.#doubtLeft(entry, GONE);
      if (doubt > 0) again = Math.min(again, doubt);
      else {
        this.#entries.delete(file);
        await this.#store.remove(file);
      }
    }
    for (const origin of this.#records.keys())
      if (!this.#entries.has(origin)) await this.#store.remove(origin);
    this.#records.clear();
    return again;
  }

  /** Milliseconds until the file has to be looked at again without a hint; Infinity if it hasn't. */
  async #inspect(file: string, stamp: FileStamp | Error): Promise<number> {
    const entry = this.#entry(file);
    if (!(stamp instanceof Error) && stamp.text === entry.stamp) {
      entry.doubt = undefined;
      return Infinity;
    }
    try {
      if (stamp instanceof Error) throw stamp;
      const { text, stamp: read } = await readBounded(file, MAX_MANIFEST_BYTES);
      const verdict = text === entry.text ? undefined : entry.manifest.judge(text);
      const doubt = verdict?.doubtful === true ? this.#doubtLeft(entry, read.text) : 0;
      if (doubt > 0) return doubt;
      if (verdict !== undefined) entry.manifest.apply(verdict);
      entry.text = text;
      const age = Math.abs(this.#options.clock.now() - read.changedAt);
      entry.stamp = age > CLOCK_TICK_MS ? read.text : undefined;
      entry.doubt = undefined;
      return entry.stamp === undefined ? CLOCK_TICK_MS : Infinity;
    } catch (error) {
      const message = `cannot be read: ${describeError(error)}`;
      const doubt = this.#doubtLeft(entry, message);
      if (doubt > 0) return doubt;
      entry.manifest.fail(message);
      entry.text = undefined;
      entry.stamp = undefined;
      return Infinity;
    }
  }

  #entry(file: string): Entry {
    let entry = this.#entries.get(file);
    if (entry === undefined) {
      const manifest = new TrackedManifest(file, this.#owner, this.#records.get(file));
      entry = { manifest, stamp: undefined, text: undefined, doubt: undefined };
      this.#entries.set(file, entry);
    }
    return entry;
  }

  /**
   * Milliseconds that this state of the file must still last before it is believed: a half-written file mends itself
   * in a moment, a renamed one comes back; what stays as it is for that long is meant. Not asked at start.
   */
  #doubtLeft(entry: Entry, stamp: string): number {
    if (this.#delivered === undefined) return 0;
    const now = this.#options.clock.monotonic();
    if (entry.doubt?.stamp !== stamp) entry.doubt = { stamp, since: now };
    const patience = stamp === GONE ? this.#options.goneMs : this.#options.settleMs;
    return Math.max(0, Math.ceil(patience - (now - entry.doubt.since)));
  }

  async #publish(): Promise<void> {
    if (this.#listError !== undefined && this.#delivered === undefined) return;
    // Before the pods start: a crash in between must find the record at least as new as what runs.
    const records = [...this.#entries.values()].map(({ manifest }) => manifest.takeUnsaved());
    await this.#store.saveAll(records.filter((record) => record !== undefined));
    const byName = [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
    const isLeaving = (entry: Entry): boolean => entry.doubt?.stamp === GONE;
    // A file that was renamed is still held for a moment under its old name; the new name counts.
    const update = mergeManifests(
      byName.filter((entry) => !isLeaving(entry)).map((entry) => entry.manifest),
      (origin) => `file ${origin}`,
      byName.filter(isLeaving).map((entry) => entry.manifest),
    );
    if (this.#listError !== undefined) {
      const message = `cannot be listed: ${this.#listError}`;
      update.problems.push({ origin: this.#options.path, message, lastGoodRuns: update.pods.length > 0 });
    }
    if (this.#stopped || sameUpdate(this.#delivered, update)) return;
    this.#delivered = update;
    this.#deliver(update);
  }
}
