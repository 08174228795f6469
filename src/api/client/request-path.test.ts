import { describe, expect, test } from 'vitest';
import { resources } from '#lib/kube/client.ts';
import { InternalError } from '#lib/errors.ts';
import { collectionPath, objectPath, placePath, query } from './request-path.ts';

const { pods, nodes, leases } = resources;

describe('paths', () => {
  test.each([
    [collectionPath(pods), '/api/v1/pods'],
    [collectionPath(pods, 'a'), '/api/v1/namespaces/a/pods'],
    [collectionPath(nodes, 'a'), '/api/v1/nodes'],
    [objectPath(nodes, { name: 'n' }), '/api/v1/nodes/n'],
    [objectPath(nodes, { name: 'n', subresource: 'status' }), '/api/v1/nodes/n/status'],
    [objectPath(leases, { namespace: 'a', name: 'b' }), '/apis/coordination.k8s.io/v1/namespaces/a/leases/b'],
    [objectPath(pods, { namespace: 'a/b', name: '?c#' }), '/api/v1/namespaces/a%2Fb/pods/%3Fc%23'],
    [query({ a: '1', b: undefined, c: 'x=y&z' }), '?a=1&c=x%3Dy%26z'],
    [query({ b: undefined }), ''],
  ])('%s', (path, expected) => {
    expect(path).toBe(expected);
  });

  test.each([
    () => objectPath(pods, { namespace: 'a', name: '' }),
    () => objectPath(pods, { namespace: '', name: 'x' }),
    () => objectPath(pods, { name: 'x' }),
    () => objectPath(pods, { namespace: '..', name: 'x' }),
    () => objectPath(nodes, { name: '.' }),
    () => placePath(pods, undefined),
  ])('a name that would lead elsewhere is refused (%#)', (make) => {
    expect(make).toThrow(InternalError);
  });
});
