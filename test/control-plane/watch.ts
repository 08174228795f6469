import type { IncomingMessage } from 'node:http';
import type { ApiObject } from '#lib/kube/client.ts';

export interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: T;
}

/** A watch as a test reads it: events in their order, with a deadline on every wait. */
export class TestWatch<T extends ApiObject> {
  readonly #controller: AbortController;
  readonly #events: WatchEvent<T>[] = [];
  #wake: () => void = () => undefined;
  #ended = false;
  /** The HTTP status, once there is an answer. */
  status: number | undefined;
  /** Resolves when the stream has ended, however it did. */
  readonly ended: Promise<void>;

  constructor(response: Promise<IncomingMessage>, controller: AbortController) {
    this.#controller = controller;
    this.ended = this.#read(response)
      .catch(() => undefined)
      .finally(() => {
        this.#ended = true;
        this.#wake();
      });
  }

  /** All that has come so far and was not taken. */
  get pending(): readonly WatchEvent<T>[] {
    return this.#events;
  }

  /** The next event; undefined at the stream's end. Rejects after `timeoutMs`. */
  async next(timeoutMs = 10_000): Promise<WatchEvent<T> | undefined> {
    const deadline = Date.now() + timeoutMs;
    while (this.#events.length === 0) {
      if (this.#ended) return undefined;
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`no event of the watch within ${timeoutMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#events.shift();
  }

  /** Takes events until one fits, and gives that. */
  async until(fits: (event: WatchEvent<T>) => boolean, timeoutMs = 10_000): Promise<WatchEvent<T>> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const event = await this.next(deadline - Date.now());
      if (event === undefined) throw new Error('the watch ended before the event');
      if (fits(event)) return event;
    }
  }

  close(): void {
    this.#controller.abort();
  }

  async #read(pending: Promise<IncomingMessage>): Promise<void> {
    const response = await pending;
    this.status = response.statusCode;
    response.setEncoding('utf8');
    let rest = '';
    for await (const chunk of response) {
      const lines = `${rest}${String(chunk)}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') this.#events.push(JSON.parse(line) as WatchEvent<T>);
      this.#wake();
    }
  }
}
