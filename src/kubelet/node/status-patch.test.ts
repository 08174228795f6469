import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Node } from '#lib/kube/types.ts';
import { updatedNode } from './node-status.ts';
import { nodeHasChanged, statusPatch } from './status-patch.ts';
import { factsOf, machine, settingsOf } from './testing/facts.ts';
import { applyStrategic } from './testing/fake-cluster.ts';

const now = Date.parse('2026-01-01T00:00:00Z');
const base: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', labels: { foreign: 'x' } } };
const node = updatedNode(base, factsOf(), settingsOf(), now);
const later = (changes: Parameters<typeof factsOf>[0] = {}, before = node): Node =>
  updatedNode(before, factsOf(changes), settingsOf(), now + 10_000);

describe('nodeHasChanged', () => {
  test('a heartbeat is no change', () => {
    expect(nodeHasChanged(node, later())).toBe(false);
  });

  test.each<[string, Parameters<typeof factsOf>[0]]>([
    ['readiness', { troubles: ['x'] }],
    ['pressure', { pressure: { memory: true, disk: false, pids: false } }],
    ['capacity', { machine: { ...machine, memoryBytes: 1 } }],
    [
      'an image',
      { images: [{ id: 'i', repoTags: ['a:1'], repoDigests: [], size: 1, username: '', pinned: false }] },
    ],
    ['an address', { addresses: { addresses: [{ type: 'Hostname', address: 'other' }] } }],
    ['a volume', { volumesInUse: ['v'] }],
    ['the kernel', { machine: { ...machine, kernelVersion: '7' } }],
  ])('%s is a change', (_name, changes) => {
    expect(nodeHasChanged(node, later(changes))).toBe(true);
  });

  test('a label that somebody took away is a change', () => {
    const stripped = { ...node, metadata: { ...node.metadata, labels: {} } };
    expect(nodeHasChanged(stripped, later({}, stripped))).toBe(true);
  });
});

describe('statusPatch', () => {
  test('nothing for nothing', () => {
    expect(statusPatch(node, node)).toBeUndefined();
  });

  test('a report without a change holds the agent’s conditions alone', () => {
    const foreign = { type: 'NetworkUnavailable', status: 'False' };
    const before = {
      ...node,
      status: { ...node.status, conditions: [foreign, ...node.status!.conditions!] },
    };
    const patch = statusPatch(before, later({}, before)) as { status: { conditions: { type: string }[] } };
    expect(Object.keys(patch)).toEqual(['status']);
    expect(Object.keys(patch.status)).toEqual(['conditions']);
    expect(patch.status.conditions.map(({ type }) => type)).toEqual([
      'MemoryPressure',
      'DiskPressure',
      'PIDPressure',
      'Ready',
    ]);
  });

  test('addresses are replaced as a whole', () => {
    const addresses = [{ type: 'InternalIP', address: '192.0.2.99' }];
    expect(statusPatch(node, later({ addresses: { addresses } }))).toMatchObject({
      status: { addresses: [...addresses, { $patch: 'replace' }] },
    });
  });

  test('what goes is null', () => {
    const huge = { ...machine, hugePages: [{ sizeBytes: 1024 ** 3, pages: 1 }] };
    const before = updatedNode(base, factsOf({ machine: huge }), settingsOf(), now);
    expect(statusPatch(before, later({}, before))).toMatchObject({
      status: { capacity: { 'hugepages-1Gi': null }, allocatable: { 'hugepages-1Gi': null } },
    });
  });

  test('applied to what was, it makes what is wanted', () => {
    const amount = fc.constantFrom('1', '2', '3Gi');
    const resources = fc.dictionary(
      fc.constantFrom('cpu', 'memory', 'example.org/x', 'hugepages-2Mi'),
      amount,
    );
    const condition = fc.record({
      type: fc.constantFrom('Ready', 'DiskPressure', 'Foreign'),
      status: fc.constantFrom('True', 'False'),
      lastHeartbeatTime: fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-01T00:00:10Z'),
    });
    // As JSON carries it: fast-check's objects have no prototype.
    const version = fc
      .record(
        {
          capacity: resources,
          images: fc.array(fc.record({ names: fc.array(fc.constantFrom('a', 'b')), sizeBytes: fc.nat(9) })),
          addresses: fc.array(
            fc.record({
              type: fc.constantFrom('InternalIP', 'Hostname'),
              address: fc.constantFrom('x', 'y', 'z'),
            }),
          ),
          volumesInUse: fc.array(fc.constantFrom('v', 'w')),
          conditions: fc.uniqueArray(condition, { selector: ({ type }) => type }),
        },
        { requiredKeys: [] },
      )
      .map((made) => JSON.parse(JSON.stringify(made)) as typeof made);
    fc.assert(
      fc.property(version, version, (before, wanted) => {
        // Conditions are never taken away.
        const kept = (before.conditions ?? []).filter(
          ({ type }) => !(wanted.conditions ?? []).some((each) => each.type === type),
        );
        const after = { ...wanted, conditions: [...kept, ...(wanted.conditions ?? [])] };
        const old = { status: before } as unknown as Node;
        const next = { status: after } as unknown as Node;
        const result = applyStrategic({ ...structuredClone(old) }, statusPatch(old, next) ?? {}) as Node;
        expect(nodeHasChanged(result, next)).toBe(false);
        expect(result.status?.addresses ?? []).toEqual(after.addresses ?? []);
      }),
    );
  });
});
