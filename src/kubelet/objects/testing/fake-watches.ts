import type {
  ApiObject,
  ObjectName,
  ObjectView,
  ObjectWatch,
  ObjectWatches,
  Resource,
} from '#lib/kube/client.ts';

interface Watched {
  view: ObjectView<ApiObject>;
  trouble: Error | undefined;
  holds: Set<{ onChange: (() => void) | undefined }>;
  waiting: (() => void)[];
}

/** Watches of single objects that a test answers by hand; keys are `PLURAL NAMESPACE/NAME`. */
export class FakeWatches implements ObjectWatches {
  readonly #watched = new Map<string, Watched>();

  acquire<T extends ApiObject>(resource: Resource, at: ObjectName, onChange?: () => void): ObjectWatch<T> {
    const watched = this.#at(`${resource.plural} ${at.namespace ?? ''}/${at.name}`);
    const hold = { onChange };
    watched.holds.add(hold);
    return {
      get: () => watched.view as ObjectView<T>,
      get trouble() {
        return watched.trouble;
      },
      settled: (signal) =>
        new Promise((resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
          if (watched.view.state !== 'unknown' || watched.trouble !== undefined) resolve();
          else watched.waiting.push(resolve);
        }),
      release: () => void watched.holds.delete(hold),
    };
  }

  /** What is watched now. */
  held(): string[] {
    return [...this.#watched].filter(([, { holds }]) => holds.size > 0).map(([key]) => key);
  }

  /** `undefined`: there is no such object. */
  answer(key: string, object: ApiObject | undefined): void {
    const watched = this.#at(key);
    watched.view = object === undefined ? { state: 'absent' } : { state: 'present', object };
    watched.trouble = undefined;
    this.#tell(watched);
  }

  fail(key: string, trouble: Error): void {
    const watched = this.#at(key);
    watched.trouble = trouble;
    this.#tell(watched);
  }

  #tell(watched: Watched): void {
    for (const { onChange } of watched.holds) onChange?.();
    for (const resolve of watched.waiting.splice(0)) resolve();
  }

  #at(key: string): Watched {
    const known = this.#watched.get(key);
    if (known !== undefined) return known;
    const fresh: Watched = { view: { state: 'unknown' }, trouble: undefined, holds: new Set(), waiting: [] };
    this.#watched.set(key, fresh);
    return fresh;
  }
}
