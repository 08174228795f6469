import { describe, expect, test } from 'vitest';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { ThresholdPressure, crossedThresholds } from './pressure.ts';
import type { SignalObservation, SignalObservations } from './pressure.ts';
import { availableMemory } from './signals.ts';
import { parseHardThresholds } from './thresholds.ts';
import type { EvictionSignal } from './thresholds.ts';

const seen = (...rows: [EvictionSignal, number, number][]): SignalObservations =>
  new Map(rows.map(([signal, available, capacity]) => [signal, { available, capacity }]));

describe('crossedThresholds', () => {
  const thresholds = parseHardThresholds({ 'memory.available': '100', 'nodefs.available': '10%' });

  test.each<[string, SignalObservations, string[]]>([
    ['enough', seen(['memory.available', 101, 1000], ['nodefs.available', 500, 1000]), []],
    ['exactly the threshold is enough', seen(['memory.available', 100, 1000]), []],
    ['too little memory', seen(['memory.available', 99, 1000]), ['memory.available']],
    ['too little of a disk', seen(['nodefs.available', 99, 1000]), ['nodefs.available']],
    ['nothing is known', seen(), []],
  ])('%s', (_name, observations, expected) => {
    expect(crossedThresholds(thresholds, observations).map(({ signal }) => signal)).toEqual(expected);
  });
});

test('pressure comes at once and goes after the transition period', async () => {
  const clock = new FakeClock();
  let left = 50;
  const pressure = new ThresholdPressure({
    thresholds: parseHardThresholds({
      'memory.available': '100',
      'imagefs.inodesFree': '5%',
      'pid.available': '10',
    }),
    transitionPeriodMs: 300_000,
    observe: () => Promise.resolve(seen(['memory.available', left, 1000], ['pid.available', 50, 1000])),
    clock,
  });
  expect(await pressure.read()).toEqual({ memory: true, disk: false, pids: false });
  left = 500;
  await clock.advance(299_999);
  expect((await pressure.read()).memory).toBe(true);
  await clock.advance(1);
  expect((await pressure.read()).memory).toBe(false);
});

test.each<[EvictionSignal, string]>([
  ['nodefs.available', 'disk'],
  ['nodefs.inodesFree', 'disk'],
  ['imagefs.available', 'disk'],
  ['imagefs.inodesFree', 'disk'],
  ['pid.available', 'pids'],
])('%s counts for %s', async (signal, kind) => {
  const pressure = new ThresholdPressure({
    thresholds: parseHardThresholds({ [signal]: '10%' }),
    transitionPeriodMs: 0,
    observe: () => Promise.resolve(seen([signal, 1, 1000])),
    clock: new FakeClock(),
  });
  const found = await pressure.read();
  expect(Object.entries(found).filter(([, under]) => under)).toEqual([[kind, true]]);
});

describe('availableMemory', () => {
  const meminfo = new Map([
    ['MemTotal', 1000],
    ['MemFree', 200],
    ['Inactive(file)', 150],
  ]);

  test.each<[string, { usage: string; stat: string } | undefined, SignalObservation]>([
    ['by the kernel’s totals', undefined, { capacity: 1000, available: 350 }],
    [
      'by the v1 root group',
      { usage: '700\n', stat: 'cache 1\ntotal_inactive_file 100\n' },
      { capacity: 1000, available: 400 },
    ],
    ['never below nothing', { usage: '2000', stat: '' }, { capacity: 1000, available: 0 }],
  ])('%s', (_name, v1, expected) => {
    expect(availableMemory(meminfo, v1)).toEqual(expected);
  });

  test('unknown without a total', () => {
    expect(availableMemory(new Map())).toBeUndefined();
  });
});
