/** `content-churn.ts ROOT`: renews a pod's volumes with ever new content until it is killed (by objects.test.ts). */
import { silentLogger } from '#lib/logger.ts';
import { systemClock } from '#host/clock.ts';
import { FakeObjects } from '#lib/kube/testing/fake-objects.ts';
import { objectPlugins } from '#volumes/object-volumes.ts';
import { PodVolumeManager } from '#volumes/pod-volumes.ts';
import { churnPod, contentOf } from './content-pod.ts';

const root = process.argv[2] ?? '';
const signal = AbortSignal.timeout(30_000);
const objects = new FakeObjects();
const manager = new PodVolumeManager({
  root,
  plugins: objectPlugins(
    { objects, tokens: undefined, allocatable: () => new Map() },
    { allocatableMemoryBytes: () => 2 ** 26, noswap: false, clock: systemClock },
  ),
  clock: systemClock,
  logger: silentLogger,
});
console.log('ready');
for (let round = 0; !signal.aborted; round++) {
  contentOf(objects, round);
  await manager.setUp(churnPod, signal);
}
