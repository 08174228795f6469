import { expect, test } from 'vitest';
import { parseMountInfo } from '#host/mounts.ts';
import { CgroupError } from './errors.ts';
import { detectLayout, unifiedMountPoint } from './layout.ts';
import { cgroupfsNaming, podName, podsName, qosName, systemdNaming, unitOf } from './names.ts';

const known = [
  '#subsys_name\thierarchy\tnum_cgroups\tenabled',
  'cpuset\t3\t1\t1',
  'cpu\t1\t1\t1',
  'cpuacct\t2\t1\t1',
  'memory\t4\t14\t1',
  'pids\t8\t1\t1',
  'net_cls\t0\t1\t1',
].join('\n');
const v1 = (at: string, options: string, mode = 'rw'): string =>
  `32 31 0:29 / ${at} ${mode},relatime - cgroup cgroup ${mode},${options}`;
const v2 = (at: string, root = '/'): string =>
  `41 31 0:38 ${root} ${at} rw shared:9 - cgroup2 cgroup2 rw,nsdelegate`;

test('v1 with controllers mounted together, a named hierarchy, and v2 beside them', () => {
  const mounts = parseMountInfo(
    [
      '31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw',
      v1('/sys/fs/cgroup/cpu,cpuacct', 'cpu,cpuacct'),
      v1('/sys/fs/cgroup/systemd', 'xattr,name=systemd'),
      v1('/much/longer/way/to/memory', 'memory'),
      v1('/sys/fs/cgroup/memory', 'memory'),
      v1('/sys/fs/cgroup/cpuset', 'noprefix,cpuset', 'ro'),
      v2('/sys/fs/cgroup/unified'),
    ].join('\n'),
  );
  expect(detectLayout(mounts, known, '')).toEqual({
    version: 1,
    unified: { mountPoint: '/sys/fs/cgroup/unified', controllers: [], root: '/', writable: true },
    missing: ['pids', 'hugetlb'],
    mounts: [
      {
        mountPoint: '/sys/fs/cgroup/cpu,cpuacct',
        controllers: ['cpu', 'cpuacct'],
        root: '/',
        writable: true,
      },
      { mountPoint: '/sys/fs/cgroup/systemd', controllers: ['name=systemd'], root: '/', writable: true },
      { mountPoint: '/sys/fs/cgroup/memory', controllers: ['memory'], root: '/', writable: true },
      { mountPoint: '/sys/fs/cgroup/cpuset', controllers: ['cpuset'], root: '/', writable: false },
    ],
  });
});

test('v2 alone, also where only a part of it is visible', () => {
  const mounts = parseMountInfo(v2('/sys/fs/cgroup', '/../..'));
  expect(unifiedMountPoint(mounts)).toBe('/sys/fs/cgroup');
  expect(detectLayout(mounts, '', 'cpuset cpu io memory pids\n')).toEqual({
    version: 2,
    missing: ['hugetlb'],
    mount: {
      mountPoint: '/sys/fs/cgroup',
      controllers: ['cpuset', 'cpu', 'io', 'memory', 'pids'],
      root: '/../..',
      writable: true,
    },
  });
});

test('no cgroups at all is an error', () => {
  expect(() => detectLayout([], known, undefined)).toThrow(CgroupError);
});

test('names with the cgroupfs driver', () => {
  const pods = podsName('/');
  expect(cgroupfsNaming.path(podName(pods, 'Guaranteed', 'a-b'))).toBe('/kubepods/poda-b');
  expect(cgroupfsNaming.path(podName(pods, 'Burstable', 'a-b'))).toBe('/kubepods/burstable/poda-b');
  expect(cgroupfsNaming.path(podName(podsName('/own/root/'), 'BestEffort', 'x'))).toBe(
    '/own/root/kubepods/besteffort/podx',
  );
  expect(['poda-b', 'besteffort', 'pod', 'x'].map((each) => cgroupfsNaming.podUid(each))).toEqual([
    'a-b',
    undefined,
    undefined,
    undefined,
  ]);
});

test('names with the systemd driver', () => {
  const path = systemdNaming.path(podName(podsName('/'), 'Burstable', 'ab-12-cd'));
  expect(path).toBe('/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podab_12_cd.slice');
  expect(unitOf(path)).toBe('kubepods-burstable-podab_12_cd.slice');
  expect(systemdNaming.podUid(unitOf(path))).toBe('ab-12-cd');
  expect(systemdNaming.podUid(unitOf(systemdNaming.path(podName(podsName('/'), 'Guaranteed', 'f00'))))).toBe(
    'f00',
  );
  expect(
    systemdNaming.podUid(unitOf(systemdNaming.path(qosName(podsName('/'), 'BestEffort')))),
  ).toBeUndefined();
  expect(systemdNaming.path(podsName('/my-root'))).toBe('/my_root.slice/my_root-kubepods.slice');
  expect(() => systemdNaming.path(podName(podsName('/'), 'Burstable', 'a_b'))).toThrow(CgroupError);
});

test('a UID that would leave the hierarchy is refused', () => {
  expect(() => podName(podsName('/'), 'Burstable', '../x')).toThrow();
  expect(() => podsName('/a/../b')).toThrow();
});
