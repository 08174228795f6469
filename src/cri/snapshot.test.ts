import { describe, expect, test } from 'vitest';
import { EMPTY_SNAPSHOT, changedPods, snapshotOf } from './snapshot.ts';
import type { Container, PodSandbox } from './types.ts';

const sandbox = (id: string, uid: string, state: PodSandbox['state'] = 'SANDBOX_READY'): PodSandbox => ({
  id,
  metadata: { name: uid, uid, namespace: 'default', attempt: 0 },
  state,
  createdAt: 1,
  labels: {},
  annotations: {},
  runtimeHandler: '',
});

const container = (
  id: string,
  podSandboxId: string,
  state: Container['state'] = 'CONTAINER_RUNNING',
  labels = {},
): Container => ({
  id,
  podSandboxId,
  metadata: { name: id, attempt: 0 },
  image: { image: 'i' },
  imageRef: 'i',
  state,
  createdAt: 1,
  labels,
  annotations: {},
});

describe('changedPods', () => {
  const before = snapshotOf(
    [sandbox('s1', 'a'), sandbox('s2', 'b')],
    [container('c1', 's1'), container('c2', 's1')],
  );
  const cases: [string, PodSandbox[], Container[], string[]][] = [
    [
      'nothing, in another order',
      [sandbox('s2', 'b'), sandbox('s1', 'a')],
      [container('c2', 's1'), container('c1', 's1')],
      [],
    ],
    [
      'a container ended',
      [sandbox('s1', 'a'), sandbox('s2', 'b')],
      [container('c1', 's1', 'CONTAINER_EXITED'), container('c2', 's1')],
      ['a'],
    ],
    ['a container was removed', [sandbox('s1', 'a'), sandbox('s2', 'b')], [container('c1', 's1')], ['a']],
    [
      'a container came',
      [sandbox('s1', 'a'), sandbox('s2', 'b')],
      [container('c1', 's1'), container('c2', 's1'), container('c3', 's2')],
      ['b'],
    ],
    [
      'a sandbox is not ready',
      [sandbox('s1', 'a'), sandbox('s2', 'b', 'SANDBOX_NOTREADY')],
      [container('c1', 's1'), container('c2', 's1')],
      ['b'],
    ],
    [
      'a second sandbox',
      [sandbox('s1', 'a'), sandbox('s2', 'b'), sandbox('s3', 'b')],
      [container('c1', 's1'), container('c2', 's1')],
      ['b'],
    ],
    ['a pod went', [sandbox('s1', 'a')], [container('c1', 's1'), container('c2', 's1')], ['b']],
    [
      'a pod came',
      [sandbox('s1', 'a'), sandbox('s2', 'b'), sandbox('s3', 'c')],
      [container('c1', 's1'), container('c2', 's1')],
      ['c'],
    ],
    ['all went', [], [], ['a', 'b']],
  ];
  test.each(cases)('%s', (_, sandboxes, containers, expected) => {
    expect(changedPods(before, snapshotOf(sandboxes, containers))).toEqual(expected);
  });

  test('the first list reports every pod', () => {
    expect(changedPods(EMPTY_SNAPSHOT, before)).toEqual(['a', 'b']);
  });
});

test('a container whose sandbox is not in the list belongs to the pod of its label', () => {
  const { owners } = snapshotOf(
    [],
    [container('c1', 'gone', 'CONTAINER_EXITED', { 'io.kubernetes.pod.uid': 'a' })],
  );
  expect(owners.get('c1')).toBe('a');
});
