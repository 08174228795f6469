import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { mayRaiseLimits } from '#test/bed/bed.ts';
import { mountTable } from '#test/bed/inventory.ts';
import { container, isRunning, podManifest, statusOf } from '#test/bed/manifests.ts';
import type { PodView } from '#server/view.ts';
import { useNode } from './node.ts';

const node = useNode();

const isV2 = async (): Promise<boolean> =>
  (await mountTable()).some(({ point, type }) => point === '/sys/fs/cgroup' && type === 'cgroup2');

/** A file of a group, by its names on cgroup v1 and v2. */
async function limit(group: string, controller: string, v1: string, v2: string): Promise<string> {
  const path = (await isV2())
    ? join('/sys/fs/cgroup', group, v2)
    : join('/sys/fs/cgroup', controller, group, v1);
  return (await readFile(path, 'utf8')).trim();
}

/** cpu.weight as runtimes compute it from shares. */
const weight = (shares: number): string => `${Math.floor(1 + ((shares - 2) * 9999) / 262_142)}`;

async function cpu(group: string): Promise<unknown> {
  if (await isV2()) {
    return { shares: await limit(group, '', '', 'cpu.weight'), quota: await limit(group, '', '', 'cpu.max') };
  }
  const [quota, period] = await Promise.all([
    limit(group, 'cpu', 'cpu.cfs_quota_us', ''),
    limit(group, 'cpu', 'cpu.cfs_period_us', ''),
  ]);
  return {
    shares: await limit(group, 'cpu', 'cpu.shares', ''),
    quota: `${quota === '-1' ? 'max' : quota} ${period}`,
  };
}

const shares = async (value: number): Promise<string> => ((await isV2()) ? weight(value) : `${value}`);
const memory = (group: string): Promise<string> =>
  limit(group, 'memory', 'memory.limit_in_bytes', 'memory.max');

const groups = (qos: string, view: PodView): { pod: string; of: (name: string) => string } => {
  const pod = `kubepods/${qos === '' ? '' : `${qos}/`}pod${view.pod.metadata?.uid}`;
  return { pod, of: (name) => `${pod}/${statusOf(view, name)?.containerID?.replace('containerd://', '')}` };
};

const oomScore = async (group: string): Promise<number> => {
  const [pid] = (await limit(group, 'memory', 'cgroup.procs', 'cgroup.procs')).split('\n');
  return Number(await readFile(`/proc/${pid}/oom_score_adj`, 'utf8'));
};

describe.concurrent('cgroups, as upstream computes them', () => {
  test('a Guaranteed pod: the sum of its containers, without a class above it', async () => {
    const of = (cpuLimit: string, memoryLimit: string) => ({
      resources: { limits: { cpu: cpuLimit, memory: memoryLimit } },
    });
    await node.agent.write(
      'guaranteed.yaml',
      podManifest('guaranteed', [
        container('one', undefined, of('500m', '64Mi')),
        container('two', undefined, of('250m', '32Mi')),
      ]),
    );
    const view = await node.agent.waitForPod('guaranteed', isRunning);
    expect(view.pod.status?.qosClass).toBe('Guaranteed');
    const { pod, of: group } = groups('', view);
    expect(await cpu(pod)).toEqual({ shares: await shares(768), quota: '75000 100000' });
    expect(await memory(pod)).toBe(`${96 << 20}`);
    expect(await cpu(group('one'))).toEqual({ shares: await shares(512), quota: '50000 100000' });
    expect(await memory(group('one'))).toBe(`${64 << 20}`);
    expect(await cpu(group('two'))).toEqual({ shares: await shares(256), quota: '25000 100000' });
    expect(await memory(group('two'))).toBe(`${32 << 20}`);
  });

  test('a Burstable pod: requests as shares, and a limit only where every container has one', async () => {
    await node.agent.write(
      'burstable.yaml',
      podManifest('burstable', [
        container('limited', undefined, {
          resources: { requests: { cpu: '100m', memory: '16Mi' }, limits: { cpu: '200m', memory: '32Mi' } },
        }),
        container('free', undefined, { resources: { requests: { cpu: '50m' } } }),
      ]),
    );
    const view = await node.agent.waitForPod('burstable', isRunning);
    expect(view.pod.status?.qosClass).toBe('Burstable');
    const { pod, of } = groups('burstable', view);
    const unlimited = (await isV2()) ? 'max' : await memory('kubepods/besteffort');
    expect(await cpu(pod)).toEqual({ shares: await shares(153), quota: 'max 100000' });
    expect(await memory(pod)).toBe(unlimited);
    expect(await cpu(of('limited'))).toEqual({ shares: await shares(102), quota: '20000 100000' });
    expect(await memory(of('limited'))).toBe(`${32 << 20}`);
    expect(await cpu(of('free'))).toEqual({ shares: await shares(51), quota: 'max 100000' });
    // The class gets what its pods request together.
    await node.agent.waitFor(async () =>
      JSON.stringify(await cpu('kubepods/burstable')).includes(`"${await shares(153)}"`),
    );
  });

  test('a BestEffort pod: the least shares, no limit', async () => {
    await node.agent.write('best.yaml', podManifest('best', [container('main')]));
    const view = await node.agent.waitForPod('best', isRunning);
    expect(view.pod.status?.qosClass).toBe('BestEffort');
    const { pod, of } = groups('besteffort', view);
    for (const group of ['kubepods/besteffort', pod, of('main')]) {
      expect(await cpu(group), group).toEqual({ shares: await shares(2), quota: 'max 100000' });
    }
    // Everything of the pod runs below its group: the sandbox and the container.
    const hierarchy = (await isV2()) ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory';
    const below = (await readdir(join(hierarchy, pod), { withFileTypes: true })).filter((each) =>
      each.isDirectory(),
    );
    expect(below).toHaveLength(2);
  });

  test('OOM scores by class', async () => {
    const total = Number(/MemTotal:\s+(\d+) kB/.exec(await readFile('/proc/meminfo', 'utf8'))?.[1]) * 1024;
    const request = 1 << 30;
    const of = (resources: object) => [container('main', undefined, { resources })];
    await node.agent.write(
      'score-g.yaml',
      podManifest('score-g', of({ limits: { cpu: '10m', memory: '32Mi' } })),
    );
    await node.agent.write(
      'score-b.yaml',
      podManifest('score-b', of({ requests: { memory: `${request}` } })),
    );
    await node.agent.write('score-e.yaml', podManifest('score-e', of({})));
    const score = async (name: string, qos: string): Promise<number> =>
      oomScore(groups(qos, await node.agent.waitForPod(name, isRunning)).of('main'));
    const own = Number(await readFile('/proc/self/oom_score_adj', 'utf8'));
    // Who may not lower scores gets containers no lower than his own (containerd's restrict_oom_score_adj).
    const least = (wanted: number): number => (wanted < own ? own : wanted);
    const adjusted = (await mayRaiseLimits()) ? (wanted: number) => wanted : least;
    expect(await score('score-g', '')).toBe(adjusted(-997));
    const burstable = Math.floor(1000 - (1000 * request) / total);
    expect(
      Math.abs((await score('score-b', 'burstable')) - adjusted(Math.max(3, burstable))),
    ).toBeLessThanOrEqual(1);
    expect(await score('score-e', 'besteffort')).toBe(1000);
  });
});
