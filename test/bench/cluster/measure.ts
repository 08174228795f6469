/** One contender through everything that is measured; bare calls take turns with it. */
import { setTimeout as wait } from 'node:timers/promises';
import type { RuntimeConnection } from '#cri/grpc/connect.ts';
import type { ControlPlane } from '#test/control-plane/control-plane.ts';
import type { BareCalls } from '../pods/bare.ts';
import { SETTLE_MS, measureIdle, noTimes } from '../pods/measure.ts';
import type { Sizes, Times } from '../pods/measure.ts';
import { memoryOf } from '../process-cost.ts';
import type { Memory } from '../process-cost.ts';
import { median } from '../statistics.ts';
import type { ClusterPods } from './cluster-pods.ts';
import { startUntilReady } from './contender.ts';
import type { Contender } from './contender.ts';

/** What one contender took. */
export interface Taken {
  one: Times;
  many: Times;
  memory: { none: Memory[]; many: Memory[] };
  /** Percent of one processor, with many idle pods. */
  idle: { agent: number; containerd: number } | undefined;
  /** Processor time in milliseconds while many pods came. */
  cpuMany: number[];
  /** From the process's start, beside many pods, to a Ready node. */
  nodeReady: number[];
}

export const nothingTaken = (): Taken => ({
  one: noTimes(),
  many: noTimes(),
  memory: { none: [], many: [] },
  idle: undefined,
  cpuMany: [],
  nodeReady: [],
});

export interface Round {
  plane: ControlPlane;
  contender: Contender;
  pods: ClusterPods;
  bare: BareCalls;
  connection: RuntimeConnection;
  containerdPid: number;
  sizes: Sizes;
  singles: number;
  isLast: boolean;
  cpuOf: (pid: number) => Promise<number>;
}

/** Single bare pods, while the contender stands still: it would look at these pods, too. */
async function bareOne({ contender, bare }: Round, times: Times): Promise<void> {
  process.kill(contender.pid(), 'SIGSTOP');
  try {
    const run = await bare.start(1, 1);
    times.start.push(...run.started);
    await wait(SETTLE_MS);
    times.remove.push(await bare.remove(run.pods, 1));
  } finally {
    process.kill(contender.pid(), 'SIGCONT');
  }
  await wait(SETTLE_MS);
}

async function contenderOne({ pods }: Round, times: Times): Promise<void> {
  times.start.push(...(await pods.start(1)));
  await wait(SETTLE_MS);
  times.remove.push(...(await pods.remove()));
  await wait(SETTLE_MS);
}

/** What a contender has left in the runtime when it was stopped (kubelet: dead sandboxes, until its next sweep). */
async function sweep({ runtime }: RuntimeConnection): Promise<void> {
  for (const { id } of await runtime.listPodSandbox()) {
    await runtime.stopPodSandbox(id);
    await runtime.removePodSandbox(id);
  }
}

/** From the start of the process to its end; begins and ends without pods. */
export async function measureContender(taken: Taken, bareTimes: Times, round: Round): Promise<void> {
  const { plane, contender, pods, sizes, cpuOf } = round;
  await startUntilReady(plane, contender);
  await wait(3000);
  taken.memory.none.push(await memoryOf(contender.pid()));
  // The first pod meets cold code and cold caches.
  await contenderOne(round, noTimes());
  for (let i = 0; i < round.singles; i += 1) {
    await bareOne(round, bareTimes);
    await contenderOne(round, taken.one);
  }
  const before = await cpuOf(contender.pid());
  const started = await pods.start(sizes.pods);
  taken.cpuMany.push((await cpuOf(contender.pid())) - before);
  taken.many.start.push(Math.max(...started));
  taken.many.medianPod.push(median(started));
  await wait(5000);
  taken.memory.many.push(await memoryOf(contender.pid()));
  if (round.isLast) taken.idle = await measureIdle(contender, round.containerdPid, sizes.idleSeconds);
  await contender.stop();
  taken.nodeReady.push(await startUntilReady(plane, contender));
  await wait(5000);
  const restarts = await pods.restarts();
  if (restarts > 0) throw new Error(`${contender.title} started ${restarts} containers again`);
  taken.many.remove.push(Math.max(...(await pods.remove())));
  await wait(SETTLE_MS);
  await contender.stop();
  await sweep(round.connection);
}
