import { apiVersionOf, kinds } from '../kinds.ts';
import type { JsonMap } from '../object.ts';

export const fakeVersion = 'v1.36.0-fake';

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

function resourcesOf(groupVersion: string): JsonMap | undefined {
  const resources = kinds
    .filter((kind) => apiVersionOf(kind) === groupVersion)
    .map(({ plural, kind, namespaced, virtual }) => ({
      name: plural,
      singularName: kind.toLowerCase(),
      namespaced,
      kind,
      verbs: virtual ? ['create'] : verbs,
    }));
  if (resources.length === 0) return undefined;
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources };
}

/** What paths that are no resource answer: health, version, discovery. Undefined for others. */
export function wellKnown(path: string): JsonMap | string | undefined {
  if (['/healthz', '/livez', '/readyz'].includes(path)) return 'ok';
  if (path === '/version')
    return { major: '1', minor: '36', gitVersion: fakeVersion, platform: 'linux/amd64' };
  if (path === '/api') return { kind: 'APIVersions', apiVersion: 'v1', versions: ['v1'] };
  if (path === '/apis') {
    const groups = [...new Set(kinds.map(({ group, version }) => `${group}/${version}`))]
      .filter((each) => !each.startsWith('/'))
      .map((groupVersion) => {
        const [name = '', version = ''] = groupVersion.split('/');
        return { name, versions: [{ groupVersion, version }], preferredVersion: { groupVersion, version } };
      });
    return { kind: 'APIGroupList', apiVersion: 'v1', groups };
  }
  const match = /^\/(?:api\/(v1)|apis\/([^/]+\/[^/]+))$/.exec(path);
  return match === null ? undefined : resourcesOf(match[1] ?? match[2] ?? '');
}
