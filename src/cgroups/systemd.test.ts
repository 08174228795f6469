import { describe, expect, test } from 'vitest';
import { systemClock } from '#host/clock.ts';
import { silentLogger } from '#lib/logger.ts';
import type { CgroupLayout } from './layout.ts';
import { PodCgroupManager } from './manager.ts';
import { SystemdSlices } from './systemd.ts';
import type { ProgramRunner } from './systemd.ts';
import { FakeKernel } from './testing/fake-kernel.ts';
import { box, podOf } from './testing/pods.ts';

/** Units that become active when they are started, and nothing else of systemd. */
function fakeSystemd(): { run: ProgramRunner; calls: string[][]; states: Map<string, string> } {
  const calls: string[][] = [];
  const states = new Map<string, string>();
  const run: ProgramRunner = (program, args) => {
    const unit = args.at(-1) ?? '';
    if (args.includes('show'))
      return Promise.resolve({ stdout: `${states.get(unit) ?? 'inactive'}\n`, stderr: '' });
    calls.push([program, ...args]);
    if (args.includes('stop')) states.delete(unit);
    const started = args.indexOf('StartTransientUnit');
    if (started >= 0) states.set(args[started + 2] ?? '', 'active');
    return Promise.resolve({ stdout: '', stderr: '' });
  };
  return { run, calls, states };
}

const PATH = '/kubepods.slice/kubepods-podx.slice';
const limits = { cpuShares: 1024, cpuQuotaUs: 15_500, cpuPeriodUs: 100_000, memoryBytes: 1000, pids: 5 };

describe('SystemdSlices', () => {
  test('a new slice is a transient unit below its parent, with all limits as properties', async () => {
    const { run, calls } = fakeSystemd();
    await new SystemdSlices(run, systemClock, 2).ensure(PATH, limits, 'set');
    expect(calls).toHaveLength(1);
    const call = calls[0] ?? [];
    expect(call[0]).toBe('busctl');
    const body = call.slice(call.indexOf('StartTransientUnit') + 1);
    expect(body.slice(0, 4)).toEqual(['ssa(sv)a(sa(sv))', 'kubepods-podx.slice', 'replace', '11']);
    expect(body.join(' ')).toContain('Wants as 1 kubepods.slice');
    expect(body.join(' ')).toContain('CPUWeight t 100');
    expect(body.join(' ')).toContain('MemoryMax t 1000');
    expect(body.join(' ')).toContain('CPUQuotaPeriodUSec t 100000 CPUQuotaPerSecUSec t 160000');
    expect(body.slice(-4)).toEqual(['TasksMax', 't', '5', '0']);
  });

  test('v1 has its own names for shares and memory', async () => {
    const { run, calls } = fakeSystemd();
    await new SystemdSlices(run, systemClock, 1).ensure(
      '/kubepods.slice',
      {
        cpuShares: 512,
        memoryBytes: 9,
      },
      'set',
    );
    const text = (calls[0] ?? []).join(' ');
    expect(text).toContain('CPUShares t 512');
    expect(text).toContain('MemoryLimit t 9');
    expect(text).not.toContain('Wants');
  });

  test('an active slice gets the present limits, the unlimited ones too', async () => {
    const { run, calls, states } = fakeSystemd();
    states.set('kubepods-podx.slice', 'active');
    const slices = new SystemdSlices(run, systemClock, 2);
    await slices.ensure(PATH, { cpuShares: 2 }, 'set');
    await slices.ensure(PATH, limits, 'set');
    const head = [
      'systemctl',
      '--no-pager',
      '--quiet',
      'set-property',
      '--runtime',
      '--',
      'kubepods-podx.slice',
    ];
    expect(calls).toEqual([
      [...head, 'CPUWeight=1', 'MemoryMax=infinity', 'CPUQuota=', 'TasksMax=infinity'],
      [
        ...head,
        'CPUWeight=100',
        'MemoryMax=1000',
        'CPUQuotaPeriodSec=100000us',
        'CPUQuota=16%',
        'TasksMax=5',
      ],
    ]);
  });

  test('what an administrator has set on an active slice stays where nothing is asked for', async () => {
    const { run, calls, states } = fakeSystemd();
    states.set('kubepods.slice', 'active');
    const slices = new SystemdSlices(run, systemClock, 2);
    await slices.ensure('/kubepods.slice', {}, 'adjust');
    await slices.ensure('/kubepods.slice', { cpuShares: 2 }, 'adjust');
    expect(calls.map((call) => call.slice(call.indexOf('kubepods.slice') + 1))).toEqual([['CPUWeight=1']]);
  });

  test('a failed unit is reset first', async () => {
    const { run, calls, states } = fakeSystemd();
    states.set('kubepods-podx.slice', 'failed');
    await new SystemdSlices(run, systemClock, 2).ensure(PATH, {}, 'set');
    expect(calls.map((call) => call.find((word) => /reset|Start/.test(word)))).toEqual([
      'reset-failed',
      'StartTransientUnit',
    ]);
  });
});

test('the manager makes slices and the groups of hierarchies that systemd leaves out', async () => {
  const kernel = new FakeKernel({
    'cpu.shares': '1024',
    'cpu.cfs_period_us': '',
    'cpu.cfs_quota_us': '',
    'memory.limit_in_bytes': '',
  });
  const { run, calls, states } = fakeSystemd();
  const mount = { mountPoint: '/cg', root: '/', writable: true, controllers: ['cpu', 'memory'] };
  const layout: CgroupLayout = { version: 1, unified: undefined, mounts: [mount], missing: [] };
  const manager = new PodCgroupManager({
    layout,
    driver: 'systemd',
    cgroupRoot: '/',
    node: { cpuCfsQuota: true, cpuCfsQuotaPeriodUs: 100_000, hugePageSizes: [] },
    clock: systemClock,
    logger: silentLogger,
    files: kernel,
    runner: run,
  });
  const pod = podOf({ containers: [box('c', {}, { cpu: '15m', memory: '1Mi' })] }, {}, 'a-b');
  const path = '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-poda_b.slice';
  expect(await manager.ensure(pod)).toBe(path);
  expect([...states.keys()]).toEqual([
    'kubepods.slice',
    'kubepods-burstable.slice',
    'kubepods-besteffort.slice',
    'kubepods-burstable-poda_b.slice',
  ]);
  // The exact quota is in the file; systemd itself only knows whole percents.
  expect(kernel.text(`/cg${path}/cpu.cfs_quota_us`)).toBe('1500');
  expect(await manager.list()).toEqual(new Set(['a-b']));
  await manager.remove('a-b');
  expect(calls.at(-1)).toEqual([
    'systemctl',
    '--no-pager',
    '--quiet',
    'stop',
    '--',
    'kubepods-burstable-poda_b.slice',
  ]);
  expect(await manager.list()).toEqual(new Set());
});
