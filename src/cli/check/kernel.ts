import { release } from 'node:os';
import { readText } from '#host/files.ts';
import { fail, ok, warn, type Check, type Finding } from './check.ts';

/** Below the first nothing was tried; from the second on nothing is missing that pods commonly use. */
const least = [4, 9] as const;
const wanted = [4, 19] as const;

export function judgeKernel(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  const below = ([a, b]: readonly [number, number]): boolean => major < a || (major === a && minor < b);
  if (Number.isNaN(major) || below(least))
    return fail(`kernel ${version}`, `use ${least.join('.')} or newer`);
  if (below(wanted)) return warn(`kernel ${version}`, `${wanted.join('.')} or newer is better tried`);
  return ok(`kernel ${version}`);
}

export const checkKernel: Check = async () => {
  const findings = [judgeKernel(release())];
  if (process.getuid?.() !== 0) findings.push(fail('not running as root', 'run this, and nodelet, as root'));
  const filesystems = (await readText('/proc/filesystems')) ?? '';
  if (!/\toverlay$/m.test(filesystems)) {
    findings.push(warn('the overlay filesystem is not loaded', 'modprobe overlay'));
  }
  return findings;
};

/** No release of this program is older than that. */
const notBefore = Date.UTC(2025, 0, 1);

export const checkClock: Check = async () => {
  const now = Date.now();
  if (now < notBefore) {
    return [
      fail(`the clock says ${new Date(now).toISOString()}`, 'set the clock; certificates depend on it'),
    ];
  }
  const boot = /^btime (\d+)$/m.exec((await readText('/proc/stat')) ?? '')?.[1];
  if (boot !== undefined && Number(boot) * 1000 > now + 60_000) {
    return [warn('the clock says the machine started in the future', 'set the clock')];
  }
  return [ok('clock')];
};

export const checkSwap: Check = async ({ mode }) => {
  const areas = ((await readText('/proc/swaps')) ?? '').trim().split('\n').length - 1;
  if (areas <= 0) return [ok('swap is off')];
  const why =
    mode === 'kubelet'
      ? 'or failSwapOn: false in the configuration'
      : 'memory limits then bound less than they seem to';
  return [warn(`swap is on (${areas})`, `swapoff -a; ${why}`)];
};

export const checkInotify: Check = async () => {
  const findings: Finding[] = [];
  for (const [name, enough] of [
    ['max_user_instances', 256],
    ['max_user_watches', 16_384],
  ] as const) {
    const value = Number((await readText(`/proc/sys/fs/inotify/${name}`)) ?? 0);
    findings.push(
      value >= enough
        ? ok(`fs.inotify.${name} = ${value}`)
        : warn(`fs.inotify.${name} = ${value}`, `sysctl -w fs.inotify.${name}=${enough * 2}`),
    );
  }
  return findings;
};
