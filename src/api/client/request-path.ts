import { InternalError } from '#lib/errors.ts';
import type { ListSelection, Resource } from '#lib/kube/client.ts';

/** One segment; what an empty one or dots would lead to is another object, or a whole collection. */
function segment(what: string, value: string): string {
  if (value === '' || value === '.' || value === '..') {
    throw new InternalError(`${JSON.stringify(value)} is no ${what} for a call on the API server`);
  }
  return encodeURIComponent(value);
}

/** The path of a collection; without a namespace, that of all namespaces. */
export function collectionPath(resource: Resource, namespace?: string): string {
  const { group, version, plural, namespaced } = resource;
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const within =
    namespaced && namespace !== undefined ? `/namespaces/${segment('namespace', namespace)}` : '';
  return `${root}${within}/${plural}`;
}

/** The path of one object, or of a subresource of it. */
export function objectPath(
  resource: Resource,
  at: { namespace?: string; name: string; subresource?: string },
): string {
  const sub = at.subresource === undefined ? '' : `/${segment('subresource', at.subresource)}`;
  return `${placePath(resource, at.namespace)}/${segment('name', at.name)}${sub}`;
}

/** The path of the collection in which one object is or will be. */
export function placePath(resource: Resource, namespace: string | undefined): string {
  if (resource.namespaced && namespace === undefined) {
    throw new InternalError(`a namespace is missing for a call on ${resource.plural}`);
  }
  return collectionPath(resource, namespace);
}

export function query(values: Readonly<Record<string, string | undefined>>): string {
  const pairs = Object.entries(values).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs).toString()}`;
}

export const selectionQuery = ({
  labelSelector,
  fieldSelector,
}: ListSelection): Record<string, string | undefined> => ({
  labelSelector: labelSelector === '' ? undefined : labelSelector,
  fieldSelector: fieldSelector === '' ? undefined : fieldSelector,
});
