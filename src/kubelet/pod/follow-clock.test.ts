import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PodBed, makePod } from './testing/pod-bed.ts';

const HOUR = 3_600_000;

describe.each([
  ['forward', HOUR],
  ['back', -HOUR],
])('the wall clock is set %s by an hour', (_, by) => {
  let bed: PodBed;
  beforeEach(() => {
    bed = new PodBed();
  });
  afterEach(async () => {
    await bed.workers.stop();
    bed.dispose();
  });

  test('what failed is tried again as soon as it would have been', async () => {
    bed.volumeFailure = new Error('not yet');
    bed.workers.setDesired([makePod('web', { containers: [{}] })]);
    // 1, 2, 4, 8 s: the next try is due 16 s after the last, within the next 15.
    await bed.run(16_000);
    bed.volumeFailure = undefined;
    bed.clock.set(by);
    const start = bed.clock.monotonic();
    bed.workers.markAllDirty();
    await bed.run(1000);
    expect(bed.running()).toEqual([]);
    await bed.runUntil(() => bed.running().length === 1);
    expect(bed.clock.monotonic() - start).toBeLessThan(16_000);
  });

  test('a crashed container does not wait longer for it, and then has its pauses again', async () => {
    bed.runtime.behave('main', { exitAfter: { ms: 1000, code: 3 } });
    bed.workers.setDesired([makePod('crash', { containers: [{}] })]);
    await bed.until(() => bed.running().length === 1);
    await bed.runUntil(() => bed.container('crash')?.state?.waiting?.reason === 'CrashLoopBackOff');
    bed.clock.set(by);
    const starts = (): number => bed.runtime.machine.containers.size;
    const before = starts();
    await bed.run(12_000);
    expect(starts()).toBe(before + 1);
    await bed.run(300_000);
    expect(starts() - before).toBeGreaterThanOrEqual(3);
    expect(starts() - before).toBeLessThanOrEqual(6);
  });

  test('a grace period that runs is not cut off, and not made longer', async () => {
    bed.runtime.behave('main', { ignoresTerm: true });
    bed.workers.setDesired([makePod('slow', { containers: [{}], terminationGracePeriodSeconds: 30 })]);
    await bed.until(() => bed.running().length === 1);
    bed.workers.end('uid-slow', { gracePeriodSeconds: 30, forget: false });
    await bed.run(10_000);
    bed.clock.set(by);
    bed.workers.markAllDirty();
    await bed.run(15_000);
    expect(bed.running()).toEqual(['main#0']);
    await bed.run(10_000);
    expect(bed.running()).toEqual([]);
  });
});
