/** Inside the test bed: `node run.ts PODS RUNS IDLE_SECONDS` prints the table of a node of a cluster. */
import { mkdtemp } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { systemClock } from '#host/clock.ts';
import { connect } from '#cri/grpc/connect.ts';
import { nodeAddress } from '#test/bed/bed.ts';
import { startContainerd } from '#test/bed/containerd.ts';
import { startControlPlane } from '#test/control-plane/start.ts';
import { BareCalls } from '../pods/bare.ts';
import { SETTLE_MS, findConcurrency, measureBareMany, noTimes } from '../pods/measure.ts';
import { processorTimeOf } from '../process-cost.ts';
import { renderTable } from '../table.ts';
import { ClusterPods } from './cluster-pods.ts';
import { kubelet, nodelet } from './contender.ts';
import { measureContender, nothingTaken } from './measure.ts';
import { details, rowsOf } from './report.ts';

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Single pods of each kind over all runs, at least. */
const SINGLES = 12;

const [pods = 50, runs = 3, idleSeconds = 60] = process.argv.slice(2).map(Number);
const sizes = { pods, runs, idleSeconds };
const kubeletProgram = process.env['NODELET_BENCH_KUBELET'];
const containerd = await startContainerd({ logLevel: 'warn' });
const connection = await connect(containerd.endpoint, { clock: systemClock });
const plane = await startControlPlane({ fake: { address: nodeAddress, injectServiceAccountToken: true } });
const image = await connection.images.imageStatus({ image: containerd.image });
if (image === undefined) throw new Error(`the image ${containerd.image} is not there`);
const bare = new BareCalls(connection, image, await mkdtemp(join(tmpdir(), 'bare-')));
const contenders = [
  await nodelet(plane, containerd),
  ...(kubeletProgram === undefined ? [] : [await kubelet(kubeletProgram, plane, containerd)]),
];
const taken = { nodelet: nothingTaken(), kubelet: nothingTaken() };
const bareTimes = { one: noTimes(), many: noTimes() };

try {
  say(`against ${plane.title}`);
  await bare.remove((await bare.start(1, 1)).pods, 1);
  const at = await findConcurrency(bare, pods);
  for (const line of at.log) say(`bare calls, ${pods} pods, ${line}`);
  for (let run = 1; run <= runs; run += 1) {
    for (const contender of contenders) {
      await measureBareMany(bare, pods, at, bareTimes.many);
      await wait(SETTLE_MS);
      await measureContender(taken[contender.title], bareTimes.one, {
        plane,
        contender,
        pods: new ClusterPods(plane, contender.nodeName, containerd.image),
        bare,
        connection,
        containerdPid: containerd.pid(),
        sizes,
        singles: Math.ceil(SINGLES / runs),
        isLast: run === runs,
        cpuOf: processorTimeOf,
      });
    }
  }
  await measureBareMany(bare, pods, at, bareTimes.many);
  const figures = {
    bare: bareTimes,
    nodelet: taken.nodelet,
    kubelet: kubeletProgram === undefined ? undefined : taken.kubelet,
  };
  say('');
  for (const line of details(figures)) say(line);
  say(`${availableParallelism()} processors, load ${loadavg()[0]?.toFixed(1)}; medians of ${runs} runs\n`);
  say(renderTable(rowsOf(figures, sizes)));
} finally {
  for (const contender of contenders) await contender.stop();
  connection.close();
  await plane.destroy();
  await containerd.destroy();
}
