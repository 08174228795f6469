import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RuntimeService } from '#cri/runtime.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import { silentLogger } from '#lib/logger.ts';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import type { GarbageCollector } from './gc/garbage-collector.ts';
import { Housekeeping } from './housekeeping.ts';
import type { PodWorkers } from './pod/pod-workers.ts';
import type { RecordStore } from './pod/record-store.ts';

let clock: FakeClock;
let looks: number;
let read: string[];
let onDisk: string[];
let complete: boolean;
let housekeeping: Housekeeping;

const pod = (uid: string): AgentPod => ({
  metadata: { name: uid, namespace: 'default', uid },
  spec: { containers: [] },
});

beforeEach(() => {
  clock = new FakeClock();
  [looks, read, onDisk, complete] = [0, [], [], true];
  const runtime: Pick<RuntimeService, 'listPodSandbox' | 'listContainers'> = {
    listPodSandbox: () => {
      looks += 1;
      return Promise.resolve([]);
    },
    listContainers: () => Promise.resolve([]),
  };
  const records: Pick<RecordStore, 'uids' | 'read'> = {
    uids: () => Promise.resolve(onDisk),
    read: (uid) => {
      read.push(uid);
      return Promise.resolve(undefined);
    },
  };
  const workers: Pick<PodWorkers, 'has' | 'retainEarlier' | 'activePods'> = {
    has: (uid) => uid.startsWith('known'),
    retainEarlier: () => undefined,
    activePods: () => [],
  };
  housekeeping = new Housekeeping({
    runtime: runtime as RuntimeService,
    records: records as RecordStore,
    workers: workers as PodWorkers,
    collector: { run: () => Promise.resolve() } as unknown as GarbageCollector,
    syncCgroups: () => Promise.resolve(),
    isComplete: () => complete,
    clock,
    log: silentLogger,
  });
});
afterEach(() => housekeeping.stop());

const looksAfter = async (change: () => void): Promise<number> => {
  const before = looks;
  change();
  await clock.advance(1000);
  return looks - before;
};

test('looks where pods have left what is wanted, not where they come or change', async () => {
  expect(await looksAfter(() => housekeeping.setWanted([pod('a'), pod('b')]))).toBe(1);
  expect(await looksAfter(() => housekeeping.setWanted([pod('a'), pod('b')]))).toBe(0);
  expect(await looksAfter(() => housekeeping.setWanted([pod('a'), pod('b'), pod('c')]))).toBe(0);
  expect(await looksAfter(() => housekeeping.setWanted([pod('a'), pod('c')]))).toBe(1);
});

test('looks where the last source was seen, though nothing is wanted', async () => {
  complete = false;
  expect(await looksAfter(() => housekeeping.setWanted([]))).toBe(1);
  complete = true;
  expect(await looksAfter(() => housekeeping.setWanted([]))).toBe(1);
  expect(await looksAfter(() => housekeeping.setWanted([]))).toBe(0);
});

test('reads the records of those pods only that have no worker', async () => {
  onDisk = ['known-1', 'left', 'known-2'];
  await looksAfter(() => housekeeping.lookSoon());
  expect(read).toEqual(['left']);
});
