import { readCgroupLayout } from '#cgroups/detect.ts';
import { mountsOf } from '#cgroups/layout.ts';
import { describeError } from '#lib/errors.ts';
import { fail, ok, warn, type Check, type Finding } from './check.ts';

const needed = ['cpu', 'memory'];

/** What each missing controller costs. */
const useful: Readonly<Record<string, string>> = {
  pids: 'the number of a pod’s processes can’t be limited',
  cpuset: 'containers can’t be bound to CPUs',
};

export const checkCgroups: Check = async () => {
  let layout;
  try {
    layout = await readCgroupLayout();
  } catch (error) {
    return [fail(`cgroups: ${describeError(error)}`, 'mount cgroup2 on /sys/fs/cgroup')];
  }
  const findings: Finding[] = [
    layout.version === 2
      ? ok('cgroup v2')
      : warn('cgroup v1', 'v2 is better tried: boot with systemd.unified_cgroup_hierarchy=1'),
  ];
  const mend =
    layout.version === 2
      ? 'boot with cgroup_enable=memory, or enable it in the parent’s cgroup.subtree_control'
      : 'mount it, or boot with cgroup_enable=memory';
  for (const name of needed) {
    if (layout.missing.includes(name)) findings.push(fail(`cgroup controller ${name} is missing`, mend));
  }
  for (const [name, loss] of Object.entries(useful)) {
    if (layout.missing.includes(name)) findings.push(warn(`cgroup controller ${name} is missing`, loss));
  }
  const readOnly = mountsOf(layout).filter(({ writable }) => !writable);
  for (const { mountPoint } of readOnly) {
    findings.push(fail(`${mountPoint} is read-only`, `mount -o remount,rw ${mountPoint}`));
  }
  if (findings.every(({ level }) => level !== 'FAIL')) findings.push(ok('cgroup controllers, writable'));
  return findings;
};
