import { describe, expect, test } from 'vitest';
import type { AgentPod, PodSpec } from '#lib/kube/types.ts';
import { ReferenceIndex } from './reference-index.ts';
import { podReferences } from './references.ts';
import { shownContent } from './volume-content.ts';

const podOf = (spec: Partial<PodSpec>, uid = 'u', source = 'api'): AgentPod => ({
  metadata: { name: 'p', namespace: 'ns', uid, annotations: { 'kubernetes.io/config.source': source } },
  spec: { containers: [], ...spec },
});
const namesAll: Partial<PodSpec> = {
  imagePullSecrets: [{ name: 'pull' }, {}, { name: '' }],
  initContainers: [
    { name: 'i', env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'init-env', key: 'k' } } }] },
  ],
  containers: [
    {
      name: 'c',
      env: [
        { name: 'A', valueFrom: { secretKeyRef: { name: 'env', key: 'k', optional: true } } },
        { name: 'B', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
        { name: 'C', value: 'x' },
      ],
      envFrom: [{ configMapRef: { name: 'all' } }, { secretRef: { name: 'all' } }],
    },
  ],
  ephemeralContainers: [{ name: 'e', envFrom: [{ configMapRef: { name: 'debug' } }] }],
  volumes: [
    { name: 'v', configMap: { name: 'volume' } },
    { name: 'w', secret: { secretName: 'volume' } },
    {
      name: 'x',
      projected: {
        sources: [
          { configMap: { name: 'projected' } },
          { secret: { name: 'projected' } },
          { serviceAccountToken: { path: 't' } },
        ],
      },
    },
    { name: 'y', emptyDir: {} },
  ],
};

describe('what a pod names', () => {
  test('everywhere, once, in its own namespace', () => {
    expect([...podReferences(podOf(namesAll)).keys()].sort()).toEqual([
      'ConfigMap ns/all',
      'ConfigMap ns/debug',
      'ConfigMap ns/init-env',
      'ConfigMap ns/projected',
      'ConfigMap ns/volume',
      'Secret ns/all',
      'Secret ns/env',
      'Secret ns/projected',
      'Secret ns/pull',
      'Secret ns/volume',
    ]);
  });

  test('a static pod’s pull secrets are files of the node', () => {
    expect([...podReferences(podOf({ imagePullSecrets: [{ name: 'pull' }] }, 'u', 'file')).keys()]).toEqual(
      [],
    );
  });
});

test('the index counts users', () => {
  const index = new ReferenceIndex();
  const names = (...secrets: string[]): Partial<PodSpec> => ({
    volumes: secrets.map((secretName) => ({ name: secretName, secret: { secretName } })),
  });
  const a = podOf(names('s', 't'), 'a');
  expect(index.put(a).added.map(({ name }) => name)).toEqual(['s', 't']);
  expect(index.put(a)).toEqual({ added: [], removed: [] });
  expect(index.put(podOf(names('s'), 'b'))).toEqual({ added: [], removed: [] });
  expect(index.usersOf('Secret ns/s')).toEqual(['a', 'b']);
  const changed = index.put(podOf(names('u'), 'a'));
  expect(changed.added.map(({ name }) => name)).toEqual(['u']);
  expect(changed.removed).toEqual(['Secret ns/t']);
  expect(index.remove('b')).toEqual(['Secret ns/s']);
  expect(index.remove('b')).toEqual([]);
  expect(index.remove('a')).toEqual(['Secret ns/u']);
  expect(index.keys()).toEqual([]);
});

describe('what volumes show of the pod', () => {
  const shows = (fieldPath: string): Partial<PodSpec> => ({
    volumes: [{ name: 'd', downwardAPI: { items: [{ path: 'x', fieldRef: { fieldPath } }] } }],
  });
  const labelled = (spec: Partial<PodSpec>, labels: Record<string, string>): string | undefined => {
    const pod = podOf(spec);
    return shownContent({ ...pod, metadata: { ...pod.metadata, labels } });
  };

  test('only volumes that can change count', () => {
    expect(shownContent(podOf({ volumes: [{ name: 'e', emptyDir: {} }] }))).toBeUndefined();
    expect(shownContent(podOf(namesAll))).toBeDefined();
  });

  test.each([
    ['metadata.labels', true],
    ["metadata.labels['a']", true],
    ['metadata.annotations', false],
    ['metadata.namespace', false],
  ])('%s: changes with the labels: %s', (fieldPath, changes) => {
    const before = labelled(shows(fieldPath), { a: '1' });
    expect(labelled(shows(fieldPath), { a: '1' })).toBe(before);
    expect(labelled(shows(fieldPath), { a: '2' }) !== before).toBe(changes);
  });
});
