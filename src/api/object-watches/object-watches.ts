import type { ApiObject, ObjectName, ObjectWatch, ObjectWatches, Resource } from '#lib/kube/client.ts';
import type { ReflectorContext } from '../informer/reflector.ts';
import { WatchedObject } from './watched-object.ts';

const keyOf = ({ group, plural }: Resource, { namespace, name }: ObjectName): string =>
  `${plural}.${group}/${namespace ?? ''}/${name}`;

/** One watch an object, shared by all that hold it. */
export class SharedObjectWatches implements ObjectWatches {
  readonly #context: ReflectorContext;
  readonly #watched = new Map<string, WatchedObject<ApiObject>>();

  constructor(context: ReflectorContext) {
    // A pod may be here before the server's authorizer knows that it names the object: its start waits for this.
    this.#context = { firstRetryMs: 200, ...context };
  }

  /** How many objects are held. */
  get size(): number {
    return this.#watched.size;
  }

  acquire<T extends ApiObject>(
    resource: Resource,
    at: ObjectName,
    onChange: () => void = () => undefined,
  ): ObjectWatch<T> {
    const key = keyOf(resource, at);
    let watched = this.#watched.get(key);
    if (watched === undefined) {
      watched = new WatchedObject<ApiObject>(this.#context, resource, at);
      this.#watched.set(key, watched);
    }
    const mine = watched as WatchedObject<T>;
    const unsubscribe = mine.subscribe(onChange);
    let isHeld = true;
    return {
      get: () => mine.view,
      get trouble() {
        return mine.trouble;
      },
      settled: (signal) => mine.settled(signal),
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        unsubscribe();
        if (mine.hasSubscribers) return;
        mine.stop();
        this.#watched.delete(key);
      },
    };
  }

  /** Ends all watches; what is held keeps its last view. */
  close(): void {
    for (const watched of this.#watched.values()) watched.stop();
  }
}
