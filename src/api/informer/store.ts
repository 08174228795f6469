import type { ApiObject, ObjectChange, ObjectName } from '#lib/kube/client.ts';
import type { WatchEvent } from '../client/watch-stream.ts';

const keyOf = ({ namespace, name }: { namespace?: string | undefined; name?: string | undefined }): string =>
  `${namespace ?? ''}/${name ?? ''}`;

/** Objects by name, and what each list or event changes about them. */
export class ObjectStore<T extends ApiObject> {
  #objects = new Map<string, T>();
  #list: readonly T[] | undefined;

  /** The same array as long as nothing changes. */
  list(): readonly T[] {
    this.#list ??= [...this.#objects.values()];
    return this.#list;
  }

  get(at: ObjectName): T | undefined {
    return this.#objects.get(keyOf(at));
  }

  /** Takes a whole list; what isn't in it is gone. */
  replace(items: readonly T[]): ObjectChange<T>[] {
    const changes: ObjectChange<T>[] = [];
    const next = new Map<string, T>();
    for (const item of items) next.set(keyOf(item.metadata ?? {}), item);
    for (const [key, before] of this.#objects) {
      if (!next.has(key)) changes.push({ type: 'deleted', object: before });
    }
    for (const [key, object] of next) {
      const before = this.#objects.get(key);
      // The object that is there already stays, so that nobody takes an equal one for news.
      if (before !== undefined && isSame(before, object)) next.set(key, before);
      else changes.push(...difference(before, object));
    }
    this.#objects = next;
    this.#list = undefined;
    return changes;
  }

  apply(event: WatchEvent<T>): ObjectChange<T>[] {
    const { object } = event;
    const key = keyOf(object.metadata ?? {});
    const before = this.#objects.get(key);
    if (event.type === 'DELETED') {
      if (!this.#objects.delete(key) || before === undefined) return [];
      this.#list = undefined;
      // Its last state, unless the event is about another object of that name.
      return [{ type: 'deleted', object: uidOf(before) === uidOf(object) ? object : before }];
    }
    if (before !== undefined && isSame(before, object)) return [];
    this.#objects.set(key, object);
    this.#list = undefined;
    return difference(before, object);
  }
}

const uidOf = (object: ApiObject): string | undefined => object.metadata?.uid;

const isSame = (a: ApiObject, b: ApiObject): boolean =>
  uidOf(a) === uidOf(b) &&
  a.metadata?.resourceVersion !== undefined &&
  a.metadata.resourceVersion === b.metadata?.resourceVersion;

function difference<T extends ApiObject>(before: T | undefined, object: T): ObjectChange<T>[] {
  if (before === undefined) return [{ type: 'added', object }];
  if (uidOf(before) === uidOf(object)) return [{ type: 'changed', object, before }];
  return [
    { type: 'deleted', object: before },
    { type: 'added', object },
  ];
}
