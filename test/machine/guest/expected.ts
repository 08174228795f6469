/** What the groups of the test's pods are to hold, in the kernel's words. */
import { join } from 'node:path';
import { containerGroup, groupFile } from './machine.ts';
import type { Pod } from './machine.ts';
import { equal } from './report.ts';

const files = ['cpu.weight', 'cpu.max', 'memory.max', 'memory.oom.group'] as const;
type Limits = readonly [weight: readonly string[], max: string, memory: string, oomGroup: string];

/**
 * cpu.weight of a CPU request has two conversions in use: OCI runtimes before 2025 map shares to it linearly, newer
 * ones and Kubernetes by a curve through 1024 → 100. The pod's own group is nodelet's and follows the curve.
 */
const mib = 1024 * 1024;
const expected: Readonly<Record<string, { pod: Limits; containers: Readonly<Record<string, Limits>> }>> = {
  guaranteed: {
    pod: [['17'], '10000 100000', String(32 * mib), '0'],
    containers: { main: [['4', '17'], '10000 100000', String(32 * mib), '1'] },
  },
  limits: {
    pod: [['59'], '75000 100000', String(80 * mib), '0'],
    containers: {
      one: [['10', '35'], '50000 100000', String(32 * mib), '1'],
      two: [['10', '35'], '25000 100000', String(48 * mib), '1'],
    },
  },
  web: {
    pod: [['1'], 'max 100000', 'max', '0'],
    containers: { httpd: [['1'], 'max 100000', 'max', '1'] },
  },
};

function compare(group: string, [weights, ...others]: Limits): void {
  const weight = groupFile(group, 'cpu.weight') ?? 'missing';
  if (!weights.includes(weight)) {
    throw new Error(`${group}/cpu.weight is ${weight}, not ${weights.join(' or ')}`);
  }
  equal(
    files.slice(1).map((file) => groupFile(group, file)),
    others,
    `${group} ${files.slice(1).join(', ')}`,
  );
}

/** Compares one pod's group and its containers' with what they should hold. */
export function compareLimits(name: string, pod: Pod, group: string): void {
  const wanted = expected[name];
  if (wanted === undefined) throw new Error(`no numbers for ${name}`);
  compare(group, wanted.pod);
  for (const [container, limits] of Object.entries(wanted.containers)) {
    const status = pod.status?.containerStatuses?.find((each) => each.name === container);
    if (status === undefined) throw new Error(`${name} has no container ${container}`);
    compare(containerGroup(group, status), limits);
  }
}

/** Where a pod's group is with the cgroupfs driver. */
export function groupOf(pod: Pod): string {
  const qos = pod.status?.qosClass ?? '';
  return join('kubepods', qos === 'Guaranteed' ? '' : qos.toLowerCase(), `pod${pod.metadata.uid}`);
}

/** Where it is with the systemd driver. */
export function sliceOf(pod: Pod): string {
  const qos = pod.status?.qosClass ?? '';
  const uid = pod.metadata.uid.replaceAll('-', '_');
  if (qos === 'Guaranteed') return join('kubepods.slice', `kubepods-pod${uid}.slice`);
  const above = `kubepods-${qos.toLowerCase()}`;
  return join('kubepods.slice', `${above}.slice`, `${above}-pod${uid}.slice`);
}
