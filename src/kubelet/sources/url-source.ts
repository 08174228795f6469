import { UsageError, describeError } from '#lib/errors.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import type { Logger } from '#lib/logger.ts';
import { MAX_MANIFEST_BYTES } from './decode.ts';
import { httpGet } from './http-get.ts';
import { LastGoodStore } from './last-good.ts';
import { mergeManifests, sameUpdate } from './merge.ts';
import type { AdoptUid, PodSource, SourceUpdate } from './source.ts';
import { TrackedManifest } from './tracked-manifest.ts';

export interface UrlSourceOptions {
  /** http or https; may hold a user's name and password, which are shown nowhere. */
  url: string;
  headers: Readonly<Record<string, readonly string[]>>;
  nodeName: string;
  adopt: AdoptUid;
  clock: Clock;
  logger: Logger;
  /** Whether ConfigMaps and Secrets count, too. */
  servesObjects?: boolean;
  /** For the last good version; of this source alone. */
  cacheDir: string;
  /** Milliseconds between two answers' polls. 20,000 unless given, as upstream. */
  pollMs?: number;
  /** Milliseconds for one exchange. 10,000 unless given, as upstream. */
  timeoutMs?: number;
  /** Certificates (PEM) to trust; the system's unless given. */
  ca?: readonly string[];
}

/** The URL for people, without what may be secret in it. */
export function shownUrl(url: URL): string {
  return `${url.origin}${url.pathname}${url.search === '' ? '' : '?…'}`;
}

/** Static pods from a URL that is polled: one Pod, a list, or several documents, as YAML or JSON. */
export class UrlSource implements PodSource {
  readonly kind = 'http';
  readonly name: string;
  readonly #options: Required<Omit<UrlSourceOptions, 'ca'>> & Pick<UrlSourceOptions, 'ca'>;
  readonly #url: URL;
  readonly #store: LastGoodStore;
  readonly #stop = new AbortController();
  #manifest: TrackedManifest;
  #text: string | undefined;
  #deliver: (update: SourceUpdate) => void = () => undefined;
  #delivered: SourceUpdate | undefined;
  /** While nobody knows yet what should run: silence then, so that nothing is removed. */
  #unknown = true;
  #failures = 0;
  #timer: Timer | undefined;
  #polling: Promise<void> = Promise.resolve();

  constructor(options: UrlSourceOptions) {
    this.#options = { servesObjects: false, pollMs: 20_000, timeoutMs: 10_000, ...options };
    const url = URL.parse(options.url);
    if (url === null || !['http:', 'https:'].includes(url.protocol)) {
      throw new UsageError('the manifest URL must begin with http:// or https:// and name a host');
    }
    this.#url = url;
    this.name = `manifest URL ${shownUrl(url)}`;
    this.#store = new LastGoodStore(options.cacheDir, options.logger);
    this.#manifest = this.#track();
  }

  async start(deliver: (update: SourceUpdate) => void): Promise<void> {
    this.#deliver = deliver;
    const records = await this.#store.load(this.#options.nodeName);
    const record = records.get(shownUrl(this.#url));
    this.#manifest = this.#track(record);
    this.#polling = this.#poll();
    await this.#polling;
  }

  async stop(): Promise<void> {
    this.#stop.abort(new UsageError('the source is being stopped'));
    this.#timer?.cancel();
    await this.#polling;
  }

  #track(record?: ConstructorParameters<typeof TrackedManifest>[2]): TrackedManifest {
    const { nodeName, adopt, clock, servesObjects } = this.#options;
    return new TrackedManifest(
      shownUrl(this.#url),
      { nodeName, kind: 'http', adopt, clock, onePod: false, servesObjects },
      record,
    );
  }

  /** Never rejects. */
  async #poll(): Promise<void> {
    const { headers, timeoutMs, ca, logger } = this.#options;
    try {
      const text = await httpGet(this.#url, {
        headers,
        timeoutMs,
        maxBytes: MAX_MANIFEST_BYTES,
        signal: this.#stop.signal,
        ...(ca === undefined ? {} : { ca }),
      });
      if (text !== this.#text) this.#take(text);
      this.#text = text;
      if (this.#failures > 0) logger.info({ source: this.name }, 'the manifest URL answers again');
      this.#failures = 0;
      await this.#publish();
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      await this.#failed(describeError(error));
    }
    if (!this.#stop.signal.aborted) {
      this.#timer = this.#options.clock.after(this.#options.pollMs, () => {
        this.#polling = this.#poll();
      });
    }
  }

  async #failed(reason: string): Promise<void> {
    this.#failures += 1;
    const fields = { source: this.name, reason, failures: this.#failures };
    if (this.#failures <= 3) this.#options.logger.warn(fields, 'the manifest URL cannot be read');
    else this.#options.logger.debug(fields, 'the manifest URL cannot be read');
    this.#text = undefined;
    this.#manifest.fail(`cannot be read: ${reason}`);
    this.#unknown &&= !this.#manifest.holdsAnything;
    await this.#publish();
  }

  #take(text: string): void {
    const verdict = this.#manifest.judge(text);
    this.#manifest.apply(verdict);
    // Nothing at all is an answer (upstream counts it as seen, too), nonsense is none.
    this.#unknown &&= verdict.doubtful && text.trim() !== '' && !this.#manifest.holdsAnything;
    if (!this.#unknown) return;
    const [problem] = this.#manifest.problems;
    this.#options.logger.warn({ source: this.name, problem }, 'the manifest URL gives nothing usable');
  }

  async #publish(): Promise<void> {
    const record = this.#manifest.takeUnsaved();
    if (record !== undefined) await this.#store.saveAll([record]);
    const update = mergeManifests([this.#manifest], (origin) => origin);
    if (this.#stop.signal.aborted || this.#unknown || sameUpdate(this.#delivered, update)) return;
    this.#delivered = update;
    this.#deliver(update);
  }
}
