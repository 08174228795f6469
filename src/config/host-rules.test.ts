import { expect, test } from 'vitest';
import { UnfitMachineError, requireFitMachine, type MachineFacts } from './host-rules.ts';
import type { HostOptions } from './kubelet-options.ts';

const host: HostOptions = {
  failSwapOn: true,
  failCgroupV1: false,
  swapBehavior: 'NoSwap',
  protectKernelDefaults: false,
  oomScoreAdj: -999,
};
const machine: MachineFacts = { swap: [], cgroupVersion: 2 };

test.each<[Partial<HostOptions>, Partial<MachineFacts>, RegExp | undefined]>([
  [{}, {}, undefined],
  [{}, { swap: ['/dev/sda2'] }, /swap is on \(\/dev\/sda2\).*--fail-swap-on/],
  [{ failSwapOn: false }, { swap: ['/dev/sda2'] }, undefined],
  [{}, { cgroupVersion: 1 }, undefined],
  [{ failCgroupV1: true }, { cgroupVersion: 1 }, /cgroup v1.*--fail-cgroupv1/],
  [{ failCgroupV1: true }, {}, undefined],
  [{ swapBehavior: 'LimitedSwap' }, { cgroupVersion: 1 }, /needs cgroup v2/],
])('%j on %j', (wish, facts, problem) => {
  const check = (): void => requireFitMachine({ ...host, ...wish }, { ...machine, ...facts });
  if (problem === undefined) expect(check).not.toThrow();
  else {
    expect(check).toThrow(UnfitMachineError);
    expect(check).toThrow(problem);
  }
});
