import { describe, expect, test } from 'vitest';
import { jsonPatch } from '#test/control-plane/fake/patch/json-patch.ts';
import { mergePatch } from '#test/control-plane/fake/patch/merge-patch.ts';
import { strategicPatch } from '#test/control-plane/fake/patch/strategic-patch.ts';
import type { JsonMap } from '#test/control-plane/fake/object.ts';

describe('a strategic merge patch', () => {
  const pod: JsonMap = {
    metadata: {
      name: 'p',
      labels: { a: '1' },
      finalizers: ['x'],
      ownerReferences: [{ uid: 'u', name: 'o' }],
    },
    status: {
      phase: 'Pending',
      conditions: [
        { type: 'Ready', status: 'False', reason: 'Not' },
        { type: 'PodScheduled', status: 'True' },
      ],
      podIPs: [{ ip: '10.0.0.1' }],
      containerStatuses: [{ name: 'a', ready: false }, { name: 'b' }],
    },
  };

  test.each<[string, string, JsonMap, JsonMap, JsonMap]>([
    [
      'conditions merge by type; what is new goes to the end',
      'Pod',
      pod,
      {
        status: {
          conditions: [
            { type: 'Ready', status: 'True' },
            { type: 'Initialized', status: 'True' },
          ],
        },
      },
      {
        ...pod,
        status: {
          ...(pod['status'] as JsonMap),
          conditions: [
            { type: 'Ready', status: 'True', reason: 'Not' },
            { type: 'PodScheduled', status: 'True' },
            { type: 'Initialized', status: 'True' },
          ],
        },
      },
    ],
    [
      'null takes a member away, in a merged item too',
      'Pod',
      pod,
      { metadata: { labels: null }, status: { conditions: [{ type: 'Ready', reason: null }] } },
      {
        metadata: { name: 'p', finalizers: ['x'], ownerReferences: [{ uid: 'u', name: 'o' }] },
        status: {
          ...(pod['status'] as JsonMap),
          conditions: [
            { type: 'Ready', status: 'False' },
            { type: 'PodScheduled', status: 'True' },
          ],
        },
      },
    ],
    [
      'an old address stays unless it is deleted',
      'Pod',
      { status: { podIPs: [{ ip: '10.0.0.1' }] } },
      { status: { podIPs: [{ ip: '10.0.0.2' }] } },
      { status: { podIPs: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }] } },
    ],
    [
      '$patch: delete',
      'Pod',
      { status: { podIPs: [{ ip: '10.0.0.1' }] } },
      { status: { podIPs: [{ ip: '10.0.0.2' }, { $patch: 'delete', ip: '10.0.0.1' }] } },
      { status: { podIPs: [{ ip: '10.0.0.2' }] } },
    ],
    [
      '$patch: replace in a list',
      'Node',
      { status: { addresses: [{ type: 'InternalIP', address: '1.1.1.1' }] } },
      {
        status: {
          addresses: [
            { type: 'InternalIP', address: '2.2.2.2' },
            { type: 'InternalIP', address: 'fd00::1' },
            { $patch: 'replace' },
          ],
        },
      },
      {
        status: {
          addresses: [
            { type: 'InternalIP', address: '2.2.2.2' },
            { type: 'InternalIP', address: 'fd00::1' },
          ],
        },
      },
    ],
    [
      '$patch: replace in an object',
      'Pod',
      { metadata: { labels: { a: '1', b: '2' } } },
      { metadata: { labels: { $patch: 'replace', c: '3' } } },
      { metadata: { labels: { c: '3' } } },
    ],
    [
      'container statuses are replaced as a whole',
      'Pod',
      { status: { containerStatuses: [{ name: 'a', ready: false }, { name: 'b' }] } },
      { status: { containerStatuses: [{ name: 'a', restartCount: 1 }] } },
      { status: { containerStatuses: [{ name: 'a', restartCount: 1 }] } },
    ],
    [
      'a list of plain values becomes the union',
      'Pod',
      { metadata: { finalizers: ['x'] } },
      { metadata: { finalizers: ['y', 'x'] } },
      { metadata: { finalizers: ['x', 'y'] } },
    ],
    [
      '$deleteFromPrimitiveList and $setElementOrder',
      'Pod',
      { metadata: { finalizers: ['x', 'y'] } },
      {
        metadata: {
          '$deleteFromPrimitiveList/finalizers': ['x'],
          '$setElementOrder/finalizers': ['y'],
        },
      },
      { metadata: { finalizers: ['y'] } },
    ],
    [
      'volumesAttached is replaced as a whole',
      'Node',
      { status: { volumesAttached: [{ name: 'a', devicePath: '' }], capacity: { cpu: '1', pods: '5' } } },
      { status: { volumesAttached: [{ name: 'b', devicePath: '' }], capacity: { cpu: '2' } } },
      { status: { volumesAttached: [{ name: 'b', devicePath: '' }], capacity: { cpu: '2', pods: '5' } } },
    ],
    [
      '$retainKeys',
      'Pod',
      { spec: { volumes: [{ name: 'v', emptyDir: {} }] } },
      { spec: { volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/x' } }] } },
      { spec: { volumes: [{ name: 'v', hostPath: { path: '/x' } }] } },
    ],
    [
      'what is added carries no nulls',
      'Pod',
      {},
      { status: { conditions: [{ type: 'Ready', message: null }] } },
      { status: { conditions: [{ type: 'Ready' }] } },
    ],
  ])('%s', (_name, kind, target, patch, result) => {
    const before = structuredClone(target);
    expect(strategicPatch(kind, target, patch)).toEqual(result);
    expect(target).toEqual(before);
  });

  test('an item without its merge key is an error', () => {
    expect(() =>
      strategicPatch('Pod', { status: { conditions: [] } }, { status: { conditions: [{ status: 'True' }] } }),
    ).toThrow(/does not contain declared merge key: type/);
  });
});

test('a merge patch replaces lists and takes nulls away', () => {
  expect(mergePatch({ a: [1, 2], b: { c: 1, d: 2 }, e: 1 }, { a: [3], b: { c: null }, e: null })).toEqual({
    a: [3],
    b: { d: 2 },
  });
});

describe('a JSON patch', () => {
  test('add, remove, replace, move, copy, test', () => {
    expect(
      jsonPatch({ a: { 'x/y': 1 }, list: [1, 3] }, [
        { op: 'test', path: '/a/x~1y', value: 1 },
        { op: 'add', path: '/list/1', value: 2 },
        { op: 'add', path: '/list/-', value: 4 },
        { op: 'copy', from: '/a', path: '/b' },
        { op: 'remove', path: '/a/x~1y' },
        { op: 'replace', path: '/list/0', value: 0 },
        { op: 'move', from: '/b', path: '/c' },
      ]),
    ).toEqual({ a: {}, list: [0, 2, 3, 4], c: { 'x/y': 1 } });
  });

  test('a test that fails refuses it all', () => {
    expect(() => jsonPatch({ a: 1 }, [{ op: 'test', path: '/a', value: 2 }])).toThrow(/test of \/a failed/);
  });
});
