/** The agent's groups in this machine's real hierarchies, below a folder of the test's own. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readCgroupLayout, readHugePageSizes } from '#cgroups/detect.ts';
import { mountsOf } from '#cgroups/layout.ts';
import type { CgroupLayout } from '#cgroups/layout.ts';
import { PodCgroupManager } from '#cgroups/manager.ts';
import { removeGroups } from '#cgroups/removal.ts';
import { box, podOf } from '#cgroups/testing/pods.ts';
import { readUsage } from '#cgroups/usage.ts';
import { machineCgroupFiles } from '#host/cgroup-files.ts';
import { systemClock } from '#host/clock.ts';
import { silentLogger } from '#lib/logger.ts';

const layout = await readCgroupLayout();
const hugePageSizes = await readHugePageSizes();
const limited = podOf({ containers: [box('c', { cpu: '500m' }, { cpu: '1', memory: '64Mi' })] }, {}, 'lim');

let root: string;
const children: ChildProcess[] = [];
const used: CgroupLayout[] = [];

function manager(of: CgroupLayout = layout): PodCgroupManager {
  used.push(of);
  return new PodCgroupManager({
    layout: of,
    driver: 'cgroupfs',
    cgroupRoot: root,
    node: { cpuCfsQuota: true, cpuCfsQuotaPeriodUs: 100_000, hugePageSizes },
    clock: systemClock,
    logger: silentLogger,
  });
}

/** A real process in a group, and one of its own children. */
async function processIn(...folders: string[]): Promise<ChildProcess> {
  const child = spawn('/bin/sh', ['-c', 'trap "" TERM; sleep 120 & wait'], { stdio: 'ignore' });
  children.push(child);
  for (const folder of folders) await writeFile(join(folder, 'cgroup.procs'), String(child.pid));
  return child;
}

const foldersOf = (path: string, of: CgroupLayout = layout): string[] =>
  mountsOf(of).map(({ mountPoint }) => join(mountPoint, root, path));
const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

beforeEach(() => {
  root = `/nodelet-test-${randomBytes(6).toString('hex')}`;
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const each of [layout, ...used.splice(0)]) {
    const options = { files: machineCgroupFiles, clock: systemClock, logger: silentLogger, timeoutMs: 5000 };
    await removeGroups(foldersOf('', each), options);
    for (const folder of foldersOf('', each)) expect(await isThere(folder)).toBe(false);
  }
});

describe('in the machine’s hierarchies', () => {
  test('ensure makes the pod’s group everywhere, with its limits; remove leaves nothing', async () => {
    const cgroups = manager();
    const path = await cgroups.ensure(limited);
    expect(path).toBe(`${root}/kubepods/burstable/podlim`);
    for (const { mountPoint } of mountsOf(layout)) expect(await isThere(join(mountPoint, path))).toBe(true);
    expect(await cgroups.list()).toEqual(new Set(['lim']));

    const fileOf = (controller: string, file: string): Promise<string> => {
      const mount = mountsOf(layout).find(({ controllers }) => controllers.includes(controller));
      return readFile(join(mount?.mountPoint ?? '/none', path, file), 'utf8');
    };
    if (layout.version === 1) {
      expect(await fileOf('cpu', 'cpu.shares')).toBe('512\n');
      expect(await fileOf('cpu', 'cpu.cfs_quota_us')).toBe('100000\n');
      expect(await fileOf('memory', 'memory.limit_in_bytes')).toBe(`${64 * 2 ** 20}\n`);
      expect((await fileOf('cpuset', 'cpuset.cpus')).trim()).not.toBe('');
    } else {
      expect(await fileOf('cpu', 'cpu.weight')).toBe('59\n');
      expect(await fileOf('cpu', 'cpu.max')).toBe('100000 100000\n');
      expect(await fileOf('memory', 'memory.max')).toBe(`${64 * 2 ** 20}\n`);
    }
    await cgroups.remove('lim');
    expect(await cgroups.list()).toEqual(new Set());
    for (const { mountPoint } of mountsOf(layout)) expect(await isThere(join(mountPoint, path))).toBe(false);
  });

  test('a second agent adopts what the first left half-made, and sets the present limits', async () => {
    await manager().ensure(limited);
    const one = foldersOf('kubepods/burstable/podlim')[0] ?? '';
    await rmdir(one);
    const open = podOf({ containers: [box('c', { cpu: '2' })] }, {}, 'lim');
    await manager().ensure(open);
    expect(await isThere(one)).toBe(true);
    const memory = mountsOf(layout).find(({ controllers }) => controllers.includes('memory'));
    const file = layout.version === 1 ? 'memory.limit_in_bytes' : 'memory.max';
    const limit = await readFile(
      join(memory?.mountPoint ?? '', root, 'kubepods/burstable/podlim', file),
      'utf8',
    );
    expect(Number(limit) > 2 ** 60 || limit.trim() === 'max').toBe(true);
  });

  test('remove ends processes, deep down and in any hierarchy, and those that ignore TERM', async () => {
    const cgroups = manager();
    await cgroups.ensure(podOf({}, {}, 'busy'));
    const folders = foldersOf('kubepods/besteffort/podbusy');
    for (const folder of folders) {
      await machineCgroupFiles.makeDir(join(folder, 'container'));
      await machineCgroupFiles.makeDir(join(folder, 'container/inner'));
    }
    // Not in the hierarchies that a process can't enter without more ado.
    const enterable = folders.filter((folder) => !folder.includes('cpuset'));
    const everywhere = await processIn(...enterable.map((folder) => join(folder, 'container/inner')));
    const inOne = await processIn(join(enterable[0] ?? '', 'container'));
    const ends = Promise.all([once(everywhere, 'exit'), once(inOne, 'exit')]);
    await cgroups.remove('busy');
    await ends;
    expect([everywhere.signalCode, inOne.signalCode]).toEqual(['SIGKILL', 'SIGKILL']);
    for (const folder of folders) expect(await isThere(folder)).toBe(false);
    await cgroups.remove('busy');
  });

  test('a frozen process is ended, too', async () => {
    const freezer = mountsOf(layout).find(({ controllers }) => controllers.includes('freezer'));
    if (freezer === undefined) return;
    const cgroups = manager();
    await cgroups.ensure(podOf({}, {}, 'ice'));
    const folder = join(freezer.mountPoint, root, 'kubepods/besteffort/podice');
    const frozen = await processIn(folder);
    await writeFile(join(folder, 'freezer.state'), 'FROZEN');
    await cgroups.remove('ice');
    expect(await isThere(folder)).toBe(false);
    if (frozen.signalCode === null) await once(frozen, 'exit');
    expect(frozen.signalCode).toBe('SIGKILL');
  });

  test('usage counts what a process burns', async () => {
    const path = await manager().ensure(podOf({}, {}, 'use'));
    const child = spawn('/bin/sh', ['-c', 'read x; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    children.push(child);
    for (const folder of foldersOf('kubepods/besteffort/poduse')) {
      await writeFile(join(folder, 'cgroup.procs'), String(child.pid)).catch(() => undefined);
    }
    child.stdin.end('go\n');
    await once(child, 'exit');
    const usage = await readUsage(machineCgroupFiles, layout, path);
    expect((await manager().usage('use'))?.cpuNanoseconds).toBe(usage.cpuNanoseconds);
    expect(await manager().usage('none')).toBeUndefined();
    expect(usage.cpuNanoseconds).toBeGreaterThan(1_000_000);
    expect(usage.workingSetBytes).toBeGreaterThanOrEqual(0);
  });

  test('twenty pods at once, and an agent that dies in the middle', async () => {
    const pods = Array.from({ length: 20 }, (_, i) => podOf(i % 2 ? {} : limited.spec, {}, `p-${i}`));
    // What a killed agent leaves: some groups, in some hierarchies.
    for (const pod of pods.slice(0, 5)) {
      for (const folder of foldersOf('').slice(0, 2)) {
        for (const part of [
          '',
          'kubepods',
          'kubepods/besteffort',
          `kubepods/besteffort/pod${pod.metadata.uid}`,
        ]) {
          await machineCgroupFiles.makeDir(join(folder, part));
        }
      }
    }
    const cgroups = manager();
    await Promise.all(pods.map((pod) => cgroups.ensure(pod)));
    expect(await cgroups.list()).toEqual(new Set(pods.map(({ metadata }) => metadata.uid)));
    await Promise.all(pods.map(({ metadata }) => cgroups.remove(metadata.uid)));
    expect(await cgroups.list()).toEqual(new Set());
  });
});

/** On a machine with v1 controllers the v2 hierarchy beside them has none, but is a real one in all else. */
const unified = '/sys/fs/cgroup/unified';
const hasUnified = layout.version === 1 && (await isThere(join(unified, 'cgroup.controllers')));

test.runIf(hasUnified)('on a real v2 hierarchy: made, its processes killed, removed', async () => {
  const v2: CgroupLayout = {
    version: 2,
    missing: [],
    mount: { mountPoint: unified, controllers: [], root: '/', writable: true },
  };
  const cgroups = manager(v2);
  const path = await cgroups.ensure(podOf({}, {}, 'two'));
  const child = await processIn(join(unified, path));
  const usage = await readUsage(machineCgroupFiles, v2, path);
  expect(usage.cpuNanoseconds).toBeGreaterThanOrEqual(0);
  await cgroups.remove('two');
  if (child.signalCode === null) await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL');
  expect(await cgroups.list()).toEqual(new Set());
});
