import { describeError } from '#lib/errors.ts';
import { checkCgroups } from './cgroup.ts';
import { warn, type Check, type CheckWish, type Finding } from './check.ts';
import { checkDisk } from './disk.ts';
import { checkClock, checkInotify, checkKernel, checkSwap } from './kernel.ts';
import { checkForwarding, checkIptables, checkPorts } from './network.ts';
import { checkOthers, checkPrograms, checkRuntime } from './runtime.ts';

interface Entry {
  name: string;
  check: Check;
  /** Absent: in every mode. */
  only?: (wish: CheckWish) => boolean;
}

const entries: readonly Entry[] = [
  { name: 'kernel', check: checkKernel },
  { name: 'clock', check: checkClock },
  { name: 'cgroups', check: checkCgroups },
  { name: 'runtime', check: checkRuntime },
  { name: 'programs', check: checkPrograms },
  { name: 'iptables', check: checkIptables },
  { name: 'forwarding', check: checkForwarding },
  { name: 'ports', check: checkPorts, only: ({ mode }) => mode === 'kubelet' },
  { name: 'swap', check: checkSwap },
  { name: 'inotify', check: checkInotify },
  { name: 'disk', check: checkDisk },
  { name: 'other agents', check: checkOthers },
];

/** Runs the checks that concern the mode, one after the other; one that can't look says so. */
export async function* runChecks(wish: CheckWish, signal: AbortSignal): AsyncGenerator<Finding> {
  for (const { name, check, only } of entries) {
    if (only !== undefined && !only(wish)) continue;
    try {
      yield* await check(wish, signal);
    } catch (error) {
      signal.throwIfAborted();
      yield warn(`${name}: can’t be checked`, describeError(error));
    }
  }
}
