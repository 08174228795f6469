import { NodeletError } from '#lib/errors.ts';
import type { HostOptions } from './kubelet-options.ts';

/** The machine is not as the configuration wants it. */
export class UnfitMachineError extends NodeletError {
  readonly code = 'UNFIT_MACHINE';
}

export interface MachineFacts {
  /** Swap areas in use. */
  swap: readonly string[];
  cgroupVersion: 1 | 2;
}

/** Throws UnfitMachineError where the kubelet role must not start on this machine; the message has the mend. */
export function requireFitMachine(host: HostOptions, { swap, cgroupVersion }: MachineFacts): void {
  if (host.failSwapOn && swap.length > 0) {
    throw new UnfitMachineError(
      `swap is on (${swap.join(', ')}): switch it off (swapoff -a), or set failSwapOn (--fail-swap-on) to false`,
    );
  }
  if (cgroupVersion !== 1) return;
  if (host.failCgroupV1) {
    throw new UnfitMachineError(
      'this machine has cgroup v1: use cgroup v2, or set failCgroupV1 (--fail-cgroupv1) to false',
    );
  }
  if (host.swapBehavior === 'LimitedSwap') {
    throw new UnfitMachineError(
      'memorySwap.swapBehavior: "LimitedSwap" needs cgroup v2, and this machine has cgroup v1; allowed here: NoSwap',
    );
  }
}
