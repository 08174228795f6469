/** Inside the test bed: `node run.ts PODS RUNS IDLE_SECONDS` prints the table for the containerd under test. */
import { mkdtemp } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#host/clock.ts';
import { connect } from '#cri/grpc/connect.ts';
import { prepareAgent } from '../../bed/agent.ts';
import { startContainerd } from '../../bed/containerd.ts';
import { renderTable } from '../table.ts';
import { AgentPods } from './agent-pods.ts';
import { BareCalls } from './bare.ts';
import { findConcurrency, measureAgent, measureBareMany, noFigures } from './measure.ts';
import { details, rowsOf } from './report.ts';
import { TaskEvents } from './task-events.ts';

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Single pods of each kind over all runs, at least. */
const SINGLES = 12;

const [pods = 50, runs = 3, idleSeconds = 60] = process.argv.slice(2).map(Number);
const sizes = { pods, runs, idleSeconds };
const containerd = await startContainerd({ logLevel: 'warn' });
const connection = await connect(containerd.endpoint, { clock: systemClock });
const image = await connection.images.imageStatus({ image: containerd.image });
if (image === undefined) throw new Error(`the image ${containerd.image} is not there`);
const bare = new BareCalls(connection, image, await mkdtemp(join(tmpdir(), 'bare-')));
const agent = await prepareAgent({ containerd, flags: ['--v=0'] });
const events = new TaskEvents(containerd.socket, containerd.pauseImage);
const agentPods = new AgentPods(agent, events, containerd.image);
const figures = noFigures();

try {
  await bare.remove((await bare.start(1, 1)).pods, 1);
  const at = await findConcurrency(bare, pods);
  for (const line of at.log) say(`bare calls, ${pods} pods, ${line}`);
  for (let run = 1; run <= runs; run += 1) {
    await measureBareMany(bare, pods, at, figures.many.bare);
    await measureAgent(figures, {
      agent,
      pods: agentPods,
      bare,
      containerdPid: containerd.pid(),
      sizes,
      singles: Math.ceil(SINGLES / runs),
      isLast: run === runs,
    });
  }
  // A second bare run after the last of the agent, so that no kind has the quieter half to itself.
  await measureBareMany(bare, pods, at, figures.many.bare);
  say('');
  for (const line of details(figures)) say(line);
  say(`${availableParallelism()} processors, load ${loadavg()[0]?.toFixed(1)}; medians of ${runs} runs\n`);
  say(renderTable(rowsOf(figures, sizes)));
} finally {
  events.close();
  connection.close();
  await agent.stop();
  await containerd.destroy();
}
