import { describe, expect, test } from 'vitest';
import { readAmounts } from '#lib/kube/resources.ts';
import { kubepodsLimits, machineCapacity, nodeResources, reservationProblems } from './capacity.ts';
import { machine, settingsOf } from './testing/facts.ts';
import { parseHardThresholds } from './thresholds.ts';

const facts = { ...machine, ephemeralStorageBytes: 100 * 1024 ** 3 };
const amounts = (list: Record<string, string>): ReturnType<typeof readAmounts> => readAmounts(list, 'test');
const bare = { evictionHard: [] };

describe('nodeResources', () => {
  test('without reservations allocatable is capacity', () => {
    const { capacity, allocatable } = nodeResources(facts, settingsOf(bare));
    expect(capacity).toEqual({ cpu: '4', memory: '8Gi', pods: '110', 'ephemeral-storage': '100Gi' });
    expect(allocatable).toEqual(capacity);
  });

  test('system, kube and the hard thresholds are taken off', () => {
    const settings = settingsOf({
      systemReserved: amounts({ cpu: '500m', memory: '1Gi' }),
      kubeReserved: amounts({ cpu: '250m', 'ephemeral-storage': '1Gi' }),
      evictionHard: parseHardThresholds({ 'memory.available': '512Mi', 'nodefs.available': '9Gi' }),
    });
    expect(nodeResources(facts, settings).allocatable).toEqual({
      cpu: '3250m',
      memory: '6656Mi',
      pods: '110',
      'ephemeral-storage': '90Gi',
    });
  });

  test('huge pages are capacity of their own, and memory that nobody else gets', () => {
    const huge = { ...facts, hugePages: [{ sizeBytes: 2 * 1024 ** 2, pages: 512 }] };
    const { capacity, allocatable } = nodeResources(huge, settingsOf(bare));
    expect(capacity).toMatchObject({ memory: '8Gi', 'hugepages-2Mi': '1Gi' });
    expect(allocatable).toMatchObject({ memory: '7Gi', 'hugepages-2Mi': '1Gi' });
  });

  test('what others have put into capacity stays and is allocatable; huge pages of the past go', () => {
    const before = {
      capacity: { cpu: '2', 'example.org/dongle': '3', 'hugepages-1Gi': '2Gi', 'attachable-volumes-x': '25' },
      allocatable: { 'example.org/dongle': '1', 'example.org/gone': '7' },
    };
    const { capacity, allocatable } = nodeResources(facts, settingsOf(bare), before);
    expect(capacity).toMatchObject({ cpu: '4', 'example.org/dongle': '3', 'attachable-volumes-x': '25' });
    expect(allocatable).toMatchObject({ 'example.org/dongle': '3', 'attachable-volumes-x': '25' });
    expect(capacity).not.toHaveProperty('hugepages-1Gi');
    expect(allocatable).not.toHaveProperty('example.org/gone');
  });

  test.each([['more is reserved than there is', { cpu: '9', memory: '9Gi' }, { cpu: '0', memory: '0' }]])(
    '%s: nothing is left, never less than nothing',
    (_name, reserved, expected) => {
      const settings = settingsOf({ ...bare, kubeReserved: amounts(reserved) });
      expect(nodeResources(facts, settings).allocatable).toMatchObject(expected);
      expect(reservationProblems(facts, settings)).toHaveLength(2);
    },
  );

  test('a disk that can’t be read keeps its last size, and has none before the first', () => {
    const blind = { ...facts, ephemeralStorageBytes: undefined };
    expect(nodeResources(blind, settingsOf(bare)).capacity).not.toHaveProperty('ephemeral-storage');
    const before = { capacity: { 'ephemeral-storage': '5Gi' } };
    expect(nodeResources(blind, settingsOf(bare), before).capacity).toMatchObject({
      'ephemeral-storage': '5Gi',
    });
  });

  test.each([
    [110, 0, '110'],
    [110, 10, '40'],
    [30, 10, '30'],
  ])('maxPods %i and podsPerCore %i make %s pods', (maxPods, podsPerCore, pods) => {
    expect(machineCapacity(facts, settingsOf({ maxPods, podsPerCore })).get('pods')?.toString()).toBe(pods);
  });
});

describe('kubepodsLimits', () => {
  const settings = { systemReserved: amounts({ cpu: '1', memory: '1Gi', pid: '1000' }) };

  test('what is reserved is taken off; what eviction keeps free is not', () => {
    expect(kubepodsLimits(facts, settingsOf(settings))).toEqual({
      cpuShares: 3072,
      memoryBytes: 7 * 1024 ** 3,
      pids: 29_000,
      hugePages: new Map(),
    });
  });

  test('where pods aren’t limited the group still has the machine’s size', () => {
    expect(kubepodsLimits(facts, settingsOf({ ...settings, enforceNodeAllocatable: [] }))).toMatchObject({
      cpuShares: 4096,
      memoryBytes: 8 * 1024 ** 3,
      pids: 30_000,
    });
  });
});
