import { describe, expect, test } from 'vitest';
import type { PodCgroups } from '#kubelet/pod/ports.ts';
import type { Clock } from '#lib/clock.ts';
import { isRetryable } from '#lib/errors.ts';
import { silentLogger } from '#lib/logger.ts';
import type { Logger } from '#lib/logger.ts';
import { CgroupError } from './errors.ts';
import type { CgroupLayout } from './layout.ts';
import { PodCgroupManager } from './manager.ts';
import type { PodCgroupManagerOptions } from './manager.ts';
import { FakeKernel } from './testing/fake-kernel.ts';
import { box, podOf } from './testing/pods.ts';
import { readUsage } from './usage.ts';

/** Timers ring at once and move the time on. */
function skippingClock(): Clock {
  let ms = 0;
  const after: Clock['after'] = (wait, wake) => {
    ms += wait;
    setImmediate(wake);
    return { cancel: () => undefined };
  };
  return { now: () => ms, monotonic: () => ms, after };
}

const CONTROLLERS = ['cpu', 'cpuset', 'memory', 'pids'];
const v2Template = {
  'cgroup.controllers': CONTROLLERS.join(' '),
  'cgroup.subtree_control': '',
  'cgroup.kill': '',
  'cpu.weight': '100',
  'cpu.max': 'max 100000',
  'memory.max': 'max',
  'pids.max': 'max',
};
const v1Template = {
  'cpu.shares': '1024',
  'cpu.cfs_period_us': '100000',
  'cpu.cfs_quota_us': '-1',
  'memory.limit_in_bytes': '-1',
  'cpuset.cpus': '',
  'cpuset.mems': '',
};
const mount = { mountPoint: '/cg', root: '/', writable: true, controllers: CONTROLLERS };
const v2: CgroupLayout = { version: 2, mount, missing: ['hugetlb'] };
const v1: CgroupLayout = { version: 1, unified: undefined, mounts: [mount], missing: ['hugetlb'] };

/** What the pod worker asks for is what the manager is. */
const asPort = (manager: PodCgroupManager): PodCgroups => manager;

function managerOn(
  kernel: FakeKernel,
  layout: CgroupLayout,
  more: Partial<PodCgroupManagerOptions> = {},
): PodCgroupManager {
  return new PodCgroupManager({
    layout,
    driver: 'cgroupfs',
    cgroupRoot: '/',
    node: { cpuCfsQuota: true, cpuCfsQuotaPeriodUs: 100_000, hugePageSizes: [] },
    clock: skippingClock(),
    logger: silentLogger,
    files: kernel,
    ...more,
  });
}

const limited = podOf({ containers: [box('c', { cpu: '500m' }, { cpu: '1', memory: '64Mi' })] }, {}, 'lim');
const BURSTABLE = '/cg/kubepods/burstable';

describe('on cgroup v2', () => {
  test('controllers are handed down and the limits written', async () => {
    const kernel = new FakeKernel(v2Template);
    const manager = asPort(managerOn(kernel, v2, { podPidsLimit: 50 }));
    expect(await manager.ensure(limited)).toBe('/kubepods/burstable/podlim');
    for (const group of ['/cg', '/cg/kubepods', BURSTABLE]) {
      expect(kernel.text(`${group}/cgroup.subtree_control`)?.split(' ')).toEqual(CONTROLLERS);
    }
    const pod = `${BURSTABLE}/podlim`;
    expect(kernel.text(`${pod}/cpu.weight`)).toBe('59');
    expect(kernel.text(`${pod}/cpu.max`)).toBe('100000 100000');
    expect(kernel.text(`${pod}/memory.max`)).toBe(String(64 * 2 ** 20));
    expect(kernel.text(`${pod}/pids.max`)).toBe('50');
    expect(kernel.text('/cg/kubepods/besteffort/cpu.weight')).toBe('1');
  });

  test('a second ensure sets the present limits, the unlimited ones too', async () => {
    const kernel = new FakeKernel(v2Template);
    await managerOn(kernel, v2).ensure(limited);
    const open = podOf({ containers: [box('c', { cpu: '2' })] }, {}, 'lim');
    await managerOn(kernel, v2).ensure(open);
    expect(kernel.text(`${BURSTABLE}/podlim/cpu.max`)).toBe('max 100000');
    expect(kernel.text(`${BURSTABLE}/podlim/memory.max`)).toBe('max');
    expect(kernel.text(`${BURSTABLE}/podlim/cpu.weight`)).toBe('174');
  });

  test('the Burstable class follows the sum of its pods', async () => {
    const kernel = new FakeKernel(v2Template);
    const manager = managerOn(kernel, v2);
    await manager.ensure(limited);
    expect(kernel.text(`${BURSTABLE}/cpu.weight`)).toBe('59');
    await manager.ensure(podOf({ containers: [box('c', { cpu: '500m' })] }, {}, 'two'));
    expect(kernel.text(`${BURSTABLE}/cpu.weight`)).toBe('100');
    await manager.remove('lim');
    expect(kernel.text(`${BURSTABLE}/cpu.weight`)).toBe('59');
    await manager.syncQos([limited, podOf({ containers: [box('c', { cpu: '1500m' })] }, {}, 'x'), podOf({})]);
    expect(kernel.text(`${BURSTABLE}/cpu.weight`)).toBe('174');
  });

  test('a controller that can’t be handed down is named once and the others still are', async () => {
    const kernel = new FakeKernel(v2Template);
    kernel.refusals.set('/cg/cgroup.subtree_control=+cpu +cpuset +memory +pids', 'EBUSY');
    kernel.refusals.set('/cg/cgroup.subtree_control=+memory', 'EBUSY');
    const said: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (_, message) => said.push(message) };
    const manager = managerOn(kernel, v2, { logger });
    await manager.ensure(limited);
    await manager.ensure(podOf({}, {}, 'two'));
    expect(kernel.text('/cg/cgroup.subtree_control')?.trim().split(' ')).toEqual(['cpu', 'cpuset', 'pids']);
    expect(said.filter((message) => message.includes('memory'))).toHaveLength(1);
  });

  test('removal kills what is left, whatever the class, and can be repeated', async () => {
    const kernel = new FakeKernel(v2Template);
    const manager = managerOn(kernel, v2);
    await manager.ensure(podOf({}, {}, 'be'));
    const pod = '/cg/kubepods/besteffort/podbe';
    await kernel.makeDir(`${pod}/container`);
    kernel.enter(`${pod}/container`, 71, 72);
    kernel.enter('/cg/kubepods', 99);
    await manager.remove('be');
    expect(kernel.groups.has(pod)).toBe(false);
    expect(new Set(kernel.killed)).toEqual(new Set([71, 72]));
    await manager.remove('be');
    expect(await manager.list()).toEqual(new Set());
  });

  test('the group that holds the agent is left alone', async () => {
    const kernel = new FakeKernel(v2Template);
    const manager = managerOn(kernel, v2);
    await manager.ensure(podOf({}, {}, 'self'));
    kernel.enter('/cg/kubepods/besteffort/podself', kernel.ownPid, 7);
    await expect(manager.remove('self')).rejects.toThrow(CgroupError);
    expect(kernel.killed).toEqual([]);
  });

  test('processes that don’t end make a retryable error that names them, in bounded time', async () => {
    const kernel = new FakeKernel(v2Template);
    const manager = managerOn(kernel, v2);
    await manager.ensure(podOf({}, {}, 'stuck'));
    kernel.enter('/cg/kubepods/besteffort/podstuck', 666);
    kernel.immortal.add(666);
    const error: unknown = await manager.remove('stuck').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CgroupError);
    expect(String(error)).toContain('666');
    expect(isRetryable(error)).toBe(true);
  });
});

describe('on cgroup v1', () => {
  test('cpusets inherit from above, limits are written to the controllers’ files', async () => {
    const kernel = new FakeKernel(v1Template);
    kernel.texts.set('/cg/cpuset.cpus', '0-3\n').set('/cg/cpuset.mems', '0\n');
    await managerOn(kernel, v1).ensure(limited);
    const pod = `${BURSTABLE}/podlim`;
    expect(kernel.text(`${pod}/cpuset.cpus`)).toBe('0-3');
    expect(kernel.text(`${pod}/cpuset.mems`)).toBe('0');
    expect(kernel.text(`${pod}/cpu.shares`)).toBe('512');
    expect(kernel.text(`${pod}/cpu.cfs_quota_us`)).toBe('100000');
    expect(kernel.text('/cg/kubepods/besteffort/cpu.shares')).toBe('2');
  });

  test('groups above that somebody has removed since are made again', async () => {
    const kernel = new FakeKernel(v1Template);
    kernel.texts.set('/cg/cpuset.cpus', '0-1').set('/cg/cpuset.mems', '0');
    const manager = managerOn(kernel, v1);
    await manager.ensure(limited);
    for (const group of [...kernel.groups.keys()].reverse()) if (group !== '/cg') kernel.groups.delete(group);
    await manager.ensure(podOf(limited.spec, {}, 'again'));
    expect(kernel.groups.has(`${BURSTABLE}/podagain`)).toBe(true);
    expect(kernel.text(`${BURSTABLE}/podagain/cpuset.cpus`)).toBe('0-1');
  });

  test('a refused limit fails a new group; on an existing one it is reported and the rest is set', async () => {
    const kernel = new FakeKernel(v1Template);
    const file = `${BURSTABLE}/podlim/memory.limit_in_bytes`;
    kernel.refusals.set(file, 'EBUSY');
    await expect(managerOn(kernel, v1).ensure(limited)).rejects.toThrow(/memory.limit_in_bytes/);
    kernel.texts.set(`${BURSTABLE}/podlim/cpu.shares`, '7');
    await managerOn(kernel, v1).ensure(limited);
    expect(kernel.text(`${BURSTABLE}/podlim/cpu.shares`)).toBe('512');
  });

  test('the limit for all pods is set on kubepods', async () => {
    const kernel = new FakeKernel(v1Template);
    await managerOn(kernel, v1, { nodeAllocatable: { cpuShares: 2048, memoryBytes: 2 ** 30 } }).start();
    expect(kernel.text('/cg/kubepods/cpu.shares')).toBe('2048');
    expect(kernel.text('/cg/kubepods/memory.limit_in_bytes')).toBe(String(2 ** 30));
  });

  test('and again on demand, where a refusal is an error: pods may use more just now', async () => {
    const kernel = new FakeKernel(v1Template);
    const manager = managerOn(kernel, v1, { nodeAllocatable: { memoryBytes: 2 ** 30 } });
    await manager.limitAll();
    expect(kernel.text('/cg/kubepods/memory.limit_in_bytes')).toBe(String(2 ** 30));
    kernel.refusals.set('/cg/kubepods/memory.limit_in_bytes', 'EBUSY');
    await expect(manager.limitAll()).rejects.toMatchObject({ code: 'CGROUP', retryable: true });
  });

  test('a read-only mount is named, and the next call tries again', async () => {
    const kernel = new FakeKernel(v1Template);
    kernel.refusals.set('/cg/kubepods', 'EROFS');
    const manager = managerOn(kernel, { ...v1, mounts: [{ ...mount, writable: false }] });
    await expect(manager.ensure(limited)).rejects.toThrow(/\/cg is mounted read-only/);
    kernel.refusals.clear();
    await expect(manager.ensure(limited)).resolves.toBe('/kubepods/burstable/podlim');
  });

  test('v2 beside v1: what the runtime made there goes too, and nothing else is made there', async () => {
    const kernel = new FakeKernel(v1Template, ['/cg', '/unified']);
    const unified = { mountPoint: '/unified', root: '/', writable: true, controllers: [] };
    const manager = managerOn(kernel, { ...v1, version: 1, unified });
    await manager.ensure(podOf({}, {}, 'a'));
    expect([...kernel.groups.keys()].filter((path) => path.startsWith('/unified/'))).toEqual([]);
    for (const path of ['/kubepods', '/kubepods/besteffort', '/kubepods/besteffort/poda'])
      await kernel.makeDir(`/unified${path}`);
    await kernel.removeDir('/cg/kubepods/besteffort/poda');
    expect(await manager.list()).toEqual(new Set(['a']));
    await manager.remove('a');
    expect([...kernel.groups.keys()].filter((path) => path.endsWith('/poda'))).toEqual([]);
  });

  test('several hierarchies: a group in any of them is found and removed from all', async () => {
    const kernel = new FakeKernel(v1Template, ['/cpu', '/memory']);
    const manager = managerOn(kernel, {
      ...v1,
      mounts: [
        { ...mount, mountPoint: '/cpu', controllers: ['cpu'] },
        { ...mount, mountPoint: '/memory', controllers: ['memory'] },
      ],
    });
    await manager.ensure(podOf({}, {}, 'a'));
    await manager.ensure(limited);
    await kernel.removeDir('/cpu/kubepods/besteffort/poda');
    expect(await manager.list()).toEqual(new Set(['a', 'lim']));
    expect(await manager.find('a')).toBe('/kubepods/besteffort/poda');
    await manager.remove('a');
    expect(kernel.groups.has('/memory/kubepods/besteffort/poda')).toBe(false);
    expect(await manager.find('a')).toBeUndefined();
  });

  test('strays are killed by the ID in their group’s name, and only they', async () => {
    const kernel = new FakeKernel(v1Template);
    const manager = managerOn(kernel, v1);
    await manager.ensure(podOf({}, {}, 'a'));
    const pod = '/cg/kubepods/besteffort/poda';
    const live = 'a'.repeat(64);
    const dead = 'b'.repeat(64);
    const groups = { [live]: 11, [dead]: 12, [`cri-containerd-${dead}.scope`]: 13, nested: 14 };
    for (const [name, pid] of Object.entries(groups)) {
      await kernel.makeDir(`${pod}/${name}`);
      kernel.enter(`${pod}/${name}`, pid);
    }
    await manager.killStrays('a', (id) => id === live);
    expect(kernel.killed.toSorted((a, b) => a - b)).toEqual([12, 13]);
    await manager.killStrays('unknown', () => false);
  });

  test('frozen groups are thawed so that their processes can die', async () => {
    const kernel = new FakeKernel({ ...v1Template, 'freezer.state': 'THAWED' });
    const manager = managerOn(kernel, v1);
    await manager.ensure(podOf({}, {}, 'ice'));
    const pod = '/cg/kubepods/besteffort/podice';
    kernel.texts.set(`${pod}/freezer.state`, 'FROZEN\n');
    kernel.enter(pod, 12);
    await manager.remove('ice');
    expect(kernel.text(`${pod}/freezer.state`)).toBe('THAWED');
  });
});

describe('readUsage', () => {
  test('v1 counts without inactive file pages, of the whole subtree', async () => {
    const kernel = new FakeKernel({
      'cpuacct.usage': '123456789\n',
      'memory.usage_in_bytes': '5000\n',
      'memory.stat': 'inactive_file 1\ntotal_inactive_file 1500\n',
    });
    const layout: CgroupLayout = { ...v1, mounts: [{ ...mount, controllers: ['cpuacct', 'memory'] }] };
    expect(await readUsage(kernel, layout, '/')).toEqual({
      cpuNanoseconds: 123_456_789,
      workingSetBytes: 3500,
    });
    expect(await readUsage(kernel, v1, '/none')).toEqual({
      cpuNanoseconds: undefined,
      workingSetBytes: undefined,
    });
  });

  test('v2', async () => {
    const kernel = new FakeKernel({
      'cpu.stat': 'usage_usec 42\nuser_usec 40\n',
      'memory.current': '100\n',
      'memory.stat': 'anon 1\ninactive_file 150\n',
    });
    expect(await readUsage(kernel, v2, '/')).toEqual({ cpuNanoseconds: 42_000, workingSetBytes: 0 });
  });
});
