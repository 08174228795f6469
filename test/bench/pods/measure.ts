/** One comparison of the agent with the bare calls, alternating between the two so that both see the same noise. */
import { setTimeout as wait } from 'node:timers/promises';
import type { TestAgent } from '../../bed/agent.ts';
import { type Memory, memoryOf, processorTimeOf } from '../process-cost.ts';
import { median } from '../statistics.ts';
import type { AgentPods } from './agent-pods.ts';
import type { BareCalls, BarePod } from './bare.ts';

export interface Sizes {
  pods: number;
  runs: number;
  idleSeconds: number;
}

/** How many sandboxes are made and removed at once in the best bare run. */
export interface Concurrency {
  start: number;
  remove: number;
}

/** Milliseconds, one entry a measurement. */
export interface Times {
  start: number[];
  medianPod: number[];
  remove: number[];
}

export const noTimes = (): Times => ({ start: [], medianPod: [], remove: [] });

export interface Figures {
  one: { bare: Times; agent: Times };
  many: { bare: Times; agent: Times };
  memory: { none: Memory[]; one: Memory[]; many: Memory[]; idle: Memory[] };
  takeOver: number[];
  version: number[];
  getPods: number[];
  /** Percent of one processor. */
  idle: { agent: number; containerd: number } | undefined;
}

export const noFigures = (): Figures => ({
  one: { bare: noTimes(), agent: noTimes() },
  many: { bare: noTimes(), agent: noTimes() },
  memory: { none: [], one: [], many: [], idle: [] },
  takeOver: [],
  version: [],
  getPods: [],
  idle: undefined,
});

/**
 * Long enough for the agent's echoes of what happened last (events, lists, housekeeping) to be over, and for a new
 * container's shell to have set its trap: TERM before that is lost on a container's first process.
 */
export const SETTLE_MS = 700;
const CONCURRENCIES = [1, 2, 4, 8, 16];

export async function findConcurrency(
  bare: BareCalls,
  pods: number,
): Promise<Concurrency & { log: string[] }> {
  const log: string[] = [];
  const best = { start: { at: 1, ms: Infinity }, remove: { at: 1, ms: Infinity } };
  for (const at of CONCURRENCIES) {
    const run = await bare.start(pods, at);
    const start = Math.max(...run.started);
    await wait(SETTLE_MS);
    const remove = await bare.remove(run.pods, at);
    log.push(`${at} at once: ${seconds(start)} to start, ${seconds(remove)} to remove`);
    if (start < best.start.ms) best.start = { at, ms: start };
    if (remove < best.remove.ms) best.remove = { at, ms: remove };
  }
  return { start: best.start.at, remove: best.remove.at, log };
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

async function measureBareOne(bare: BareCalls, agent: TestAgent, times: Times): Promise<void> {
  // It would look at these pods, too, and take part of the processor.
  process.kill(agent.pid(), 'SIGSTOP');
  let pods: BarePod[];
  try {
    const run = await bare.start(1, 1);
    pods = run.pods;
    times.start.push(...run.started);
    await wait(SETTLE_MS);
    times.remove.push(await bare.remove(pods, 1));
  } finally {
    process.kill(agent.pid(), 'SIGCONT');
  }
  await wait(SETTLE_MS);
}

async function measureAgentOne(
  pods: AgentPods,
  times: Times,
  whileItRuns: () => Promise<void>,
): Promise<void> {
  times.start.push(...(await pods.start(1)));
  await wait(SETTLE_MS);
  await whileItRuns();
  times.remove.push(await pods.remove());
  await wait(SETTLE_MS);
}

/** The agent must not run. */
export async function measureBareMany(
  bare: BareCalls,
  count: number,
  at: Concurrency,
  times: Times,
): Promise<void> {
  const run = await bare.start(count, at.start);
  times.start.push(Math.max(...run.started));
  times.medianPod.push(median(run.started));
  await wait(SETTLE_MS);
  times.remove.push(await bare.remove(run.pods, at.remove));
}

async function timeOf(work: () => Promise<{ code: number }>): Promise<number> {
  const begin = performance.now();
  const { code } = await work();
  if (code !== 0) throw new Error(`the command ended with status ${code}`);
  return performance.now() - begin;
}

export async function measureIdle(
  agent: Pick<TestAgent, 'pid'>,
  containerdPid: number,
  idleSeconds: number,
): Promise<{ agent: number; containerd: number }> {
  await wait(5000);
  const begin = performance.now();
  const before = [await processorTimeOf(agent.pid()), await processorTimeOf(containerdPid)] as const;
  await wait(idleSeconds * 1000);
  const after = [await processorTimeOf(agent.pid()), await processorTimeOf(containerdPid)] as const;
  const percent = 100 / (performance.now() - begin);
  return { agent: (after[0] - before[0]) * percent, containerd: (after[1] - before[1]) * percent };
}

export interface RunOptions {
  agent: TestAgent;
  pods: AgentPods;
  bare: BareCalls;
  containerdPid: number;
  sizes: Sizes;
  /** How many single pods of each kind. */
  singles: number;
  isLast: boolean;
}

/** One run of the agent, from its start to its end; it begins and ends without pods. */
export async function measureAgent(
  figures: Figures,
  { agent, pods, bare, containerdPid, sizes, singles, isLast }: RunOptions,
): Promise<void> {
  const memory = (): Promise<Memory> => memoryOf(agent.pid());
  await agent.restart();
  await wait(2000);
  figures.memory.none.push(await memory());
  // The first pod of a process meets code that has not been compiled yet.
  await pods.start(1);
  await wait(SETTLE_MS);
  await pods.remove();
  await wait(SETTLE_MS);
  for (let i = 0; i < singles; i += 1) {
    await measureBareOne(bare, agent, figures.one.bare);
    await measureAgentOne(pods, figures.one.agent, async () => {
      if (i === singles - 1) figures.memory.one.push(await memory());
    });
  }
  const started = await pods.start(sizes.pods);
  figures.many.agent.start.push(Math.max(...started));
  figures.many.agent.medianPod.push(median(started));
  await wait(3000);
  figures.memory.many.push(await memory());
  if (isLast) {
    figures.idle = await measureIdle(agent, containerdPid, sizes.idleSeconds);
    figures.memory.idle.push(await memory());
  }
  figures.takeOver.push(await pods.takeOver(sizes.pods));
  for (let i = 0; i < 5; i += 1) {
    figures.version.push(await timeOf(() => agent.cli('version')));
    figures.getPods.push(await timeOf(() => agent.cli('get', 'pods')));
  }
  await wait(SETTLE_MS);
  figures.many.agent.remove.push(await pods.remove());
  await agent.stop();
}
