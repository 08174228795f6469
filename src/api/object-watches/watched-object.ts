import { abortable } from '#lib/abortable.ts';
import { NotFoundError, describeError } from '#lib/errors.ts';
import type { ApiObject, ObjectName, ObjectView, Resource } from '#lib/kube/client.ts';
import type { WatchEvent } from '../client/watch-stream.ts';
import { withoutManagedFields } from '../informer/informer.ts';
import { Reflector } from '../informer/reflector.ts';
import type { ReflectorContext, Sink } from '../informer/reflector.ts';

/** One object under a watch of its own, from the start until `stop`. */
export class WatchedObject<T extends ApiObject> implements Sink<T> {
  readonly #context: ReflectorContext;
  readonly #at: ObjectName;
  readonly #what: string;
  readonly #stop = new AbortController();
  readonly #settled = Promise.withResolvers<void>();
  readonly #subscribers = new Set<{ tell: () => void }>();
  readonly #reflector: Reflector<T>;
  #view: ObjectView<T> = { state: 'unknown' };
  #hasTold = false;

  constructor(context: ReflectorContext, resource: Resource, at: ObjectName) {
    const { namespace, name } = at;
    this.#context = context;
    this.#at = at;
    this.#what = `${resource.plural} ${namespace ?? ''}/${name}`;
    const selection = {
      fieldSelector: `metadata.name=${name}`,
      ...(namespace === undefined ? {} : { namespace }),
    };
    this.#reflector = new Reflector<T>(context, resource, selection, this);
    void this.#reflector.run(this.#stop.signal);
  }

  get view(): ObjectView<T> {
    return this.#view;
  }

  get trouble(): Error | undefined {
    return this.#reflector.trouble;
  }

  get hasSubscribers(): boolean {
    return this.#subscribers.size > 0;
  }

  subscribe(tell: () => void): () => void {
    const subscriber = { tell };
    this.#subscribers.add(subscriber);
    return () => void this.#subscribers.delete(subscriber);
  }

  settled(signal: AbortSignal): Promise<void> {
    return abortable(this.#settled.promise, signal);
  }

  stop(): void {
    this.#stop.abort(new NotFoundError(`${this.#what} is not watched any more`));
  }

  replace(items: T[]): void {
    // A server that passes the selector over gives others, too.
    this.#take(items.find((item) => item.metadata?.name === this.#at.name));
  }

  apply(events: WatchEvent<T>[]): void {
    const last = events.findLast(({ object }) => object.metadata?.name === this.#at.name);
    if (last !== undefined) this.#take(last.type === 'DELETED' ? undefined : last.object);
  }

  troubleChanged(): void {
    if (this.trouble === undefined || this.#view.state !== 'unknown') return;
    this.#settled.resolve();
    if (!this.#hasTold) this.#tell();
    this.#hasTold = true;
  }

  #take(object: T | undefined): void {
    const before = this.#view;
    if (object === undefined) {
      if (before.state === 'absent') return;
      this.#view = { state: 'absent' };
    } else {
      if (before.state === 'present' && isSame(before.object, object)) return;
      this.#view = { state: 'present', object: withoutManagedFields(object) };
      if ('immutable' in object && object.immutable === true) this.stop();
    }
    this.#settled.resolve();
    this.#tell();
  }

  #tell(): void {
    for (const { tell } of this.#subscribers) {
      try {
        tell();
      } catch (error) {
        this.#context.logger.error(
          { object: this.#what, reason: describeError(error) },
          'a handler of changes failed',
        );
      }
    }
  }
}

const isSame = (a: ApiObject, b: ApiObject): boolean =>
  a.metadata?.uid === b.metadata?.uid &&
  a.metadata?.resourceVersion !== undefined &&
  a.metadata.resourceVersion === b.metadata?.resourceVersion;
