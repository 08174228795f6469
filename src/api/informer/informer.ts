import { abortable } from '#lib/abortable.ts';
import { describeError } from '#lib/errors.ts';
import type {
  ApiObject,
  Informer,
  InformerFactory,
  ListSelection,
  ObjectChange,
  ObjectName,
  Resource,
} from '#lib/kube/client.ts';
import type { WatchEvent } from '../client/watch-stream.ts';
import { Reflector } from './reflector.ts';
import type { ReflectorContext, Sink } from './reflector.ts';
import { ObjectStore } from './store.ts';

export interface InformerOptions<T> {
  signal: AbortSignal;
  trim?: (object: T) => T;
}

/** Who writes which field is of no use to a node, and often the larger part of an object. */
export function withoutManagedFields<T extends ApiObject>(object: T): T {
  if (object.metadata?.managedFields !== undefined) delete object.metadata.managedFields;
  return object;
}

export class WatchingInformer<T extends ApiObject> implements Informer<T>, Sink<T> {
  readonly #context: ReflectorContext;
  readonly #resource: Resource;
  readonly #trim: (object: T) => T;
  readonly #signal: AbortSignal;
  readonly #store = new ObjectStore<T>();
  readonly #reflector: Reflector<T>;
  readonly #handlers: ((changes: readonly ObjectChange<T>[]) => void)[] = [];
  readonly #synced = Promise.withResolvers<void>();
  #hasSynced = false;
  /** Whether the log has the trouble. */
  #isTold = false;

  constructor(
    context: ReflectorContext,
    resource: Resource,
    selection: ListSelection,
    { signal, trim = (object) => object }: InformerOptions<T>,
  ) {
    this.#context = context;
    this.#resource = resource;
    this.#trim = (object) => trim(withoutManagedFields(object));
    this.#signal = signal;
    this.#reflector = new Reflector<T>(context, resource, selection, this);
  }

  start(): void {
    void this.#reflector.run(this.#signal);
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  get lastContact(): number | undefined {
    return this.#reflector.lastContact;
  }

  get trouble(): Error | undefined {
    return this.#reflector.trouble;
  }

  list(): readonly T[] {
    return this.#store.list();
  }

  get(at: ObjectName): T | undefined {
    return this.#store.get(at);
  }

  onChange(handler: (changes: readonly ObjectChange<T>[]) => void): void {
    this.#handlers.push(handler);
  }

  async synced(signal: AbortSignal): Promise<void> {
    await abortable(this.#synced.promise, signal);
  }

  replace(items: T[]): void {
    const isFirst = !this.#hasSynced;
    const changes = this.#store.replace(items.map(this.#trim));
    this.#hasSynced = true;
    if (changes.length > 0) this.#tell(changes);
    if (isFirst) {
      this.#tell([]);
      this.#synced.resolve();
    }
  }

  apply(events: WatchEvent<T>[]): void {
    const changes = events.flatMap((event) =>
      this.#store.apply({ ...event, object: this.#trim(event.object) }),
    );
    if (changes.length > 0) this.#tell(changes);
  }

  troubleChanged(): void {
    const { logger } = this.#context;
    const fields = { resource: this.#resource.plural };
    const trouble = this.trouble;
    if (trouble === undefined) logger.info(fields, 'the API server can be watched again');
    else if (!this.#isTold)
      logger.warn({ ...fields, reason: describeError(trouble) }, 'the API server cannot be watched');
    this.#isTold = trouble !== undefined;
  }

  #tell(changes: readonly ObjectChange<T>[]): void {
    for (const handler of this.#handlers) {
      if (this.#signal.aborted) return;
      try {
        handler(changes);
      } catch (error) {
        this.#context.logger.error(
          { resource: this.#resource.plural, reason: describeError(error) },
          'a handler of changes failed',
        );
      }
    }
  }
}

/** Informers over one client. */
export class WatchingInformerFactory implements InformerFactory {
  readonly #context: ReflectorContext;

  constructor(context: ReflectorContext) {
    this.#context = context;
  }

  informer<T extends ApiObject>(
    resource: Resource,
    selection: ListSelection,
    options: InformerOptions<T>,
  ): Informer<T> {
    const informer = new WatchingInformer<T>(this.#context, resource, selection, options);
    informer.start();
    return informer;
  }
}
