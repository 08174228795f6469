import { describe, expect, it } from 'vitest';
import { withPodDefaults } from '#lib/kube/defaults.ts';
import type { Pod, PodSpec } from '#lib/kube/types.ts';
import { staticPodHash, toStaticPod, withoutForeignMarks } from './static-pod.ts';

const identity = { nodeName: 'Node-1', kind: 'file' as const };
const make = (spec: Partial<PodSpec> = {}, metadata: Pod['metadata'] = {}): Pod & { spec: PodSpec } =>
  withPodDefaults({
    metadata: { name: 'web', ...metadata },
    spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
  }) as Pod & { spec: PodSpec };
const written = (spec: Partial<PodSpec> = {}, metadata: Pod['metadata'] = {}): Pod => ({
  metadata: { name: 'web', ...metadata },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
});
const hash = (spec?: Partial<PodSpec>, metadata?: Pod['metadata']): string =>
  staticPodHash(written(spec, metadata), identity);

describe('the hash', () => {
  it('looks like upstream’s and stays the same over releases', () => {
    expect(hash()).toBe('e02a165c5dd2c09eeba24159e712d263');
  });

  it('is that of the words, not of what today’s defaults make of them', () => {
    expect(staticPodHash(make(), identity)).not.toBe(hash());
    expect(hash({}, { labels: { a: '1', b: '2' } })).toBe(hash({}, { labels: { b: '2', a: '1' } }));
  });

  it('is another for other words, another node and kind of source', () => {
    const all = [
      hash(),
      hash({ restartPolicy: 'Never' }),
      hash({ terminationGracePeriodSeconds: 0 }),
      hash({}, { labels: { a: 'b' } }),
      hash({}, { annotations: { a: 'b' } }),
      hash({}, { namespace: 'other' }),
      hash({}, { uid: 'given' }),
      staticPodHash(written(), { ...identity, nodeName: 'node-2' }),
      staticPodHash(written(), { ...identity, kind: 'http' }),
    ];
    expect(new Set(all).size).toBe(all.length);
  });
});

describe('a static pod', () => {
  it('has the node’s name, its marks and the toleration', () => {
    const seen = Date.parse('2026-01-02T03:04:05.678Z');
    const { metadata, spec, status } = toStaticPod(make({}, { annotations: { a: 'b' } }), 'u1', {
      ...identity,
      seen,
    });
    expect(metadata).toEqual({
      name: 'web-node-1',
      namespace: 'default',
      uid: 'u1',
      annotations: {
        a: 'b',
        'kubernetes.io/config.hash': 'u1',
        'kubernetes.io/config.seen': '2026-01-02T03:04:05.678Z',
        'kubernetes.io/config.source': 'file',
      },
    });
    expect(spec.nodeName).toBe('Node-1');
    expect(spec.tolerations).toEqual([{ operator: 'Exists', effect: 'NoExecute' }]);
    expect(status).toEqual({ phase: 'Pending' });
  });

  it('keeps its other tolerations; one from a URL gets none', () => {
    const tolerations = [
      { operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 },
      { key: 'a', operator: 'Exists' },
    ];
    const of = (kind: 'file' | 'http'): unknown =>
      toStaticPod(make({ tolerations }), 'u', { nodeName: 'n', kind, seen: 0 }).spec.tolerations;
    expect(of('file')).toEqual([
      { key: 'a', operator: 'Exists' },
      { operator: 'Exists', effect: 'NoExecute' },
    ]);
    expect(of('http')).toEqual(tolerations);
  });
});

it('what servers and agents wrote into an exported pod goes', () => {
  const exported = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'a',
      resourceVersion: '5',
      creationTimestamp: '2026-01-01T00:00:00Z',
      deletionTimestamp: '2026-01-01T00:00:00Z',
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u' }],
      annotations: { 'kubernetes.io/config.mirror': 'x', 'kubernetes.io/config.hash': 'x' },
    },
    spec: { containers: [] },
    status: { phase: 'Failed' },
  };
  expect(withoutForeignMarks(exported)).toEqual({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a' },
    spec: { containers: [] },
  });
});
