/** `churn.ts ROOT`: sets a pod's volumes up and takes them down until it is killed (by mounts.test.ts). */
import { systemClock } from '#host/clock.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import { silentLogger } from '#lib/logger.ts';
import { localPlugins } from '#volumes/plugins.ts';
import { PodVolumeManager } from '#volumes/pod-volumes.ts';

const root = process.argv[2] ?? '';
const signal = AbortSignal.timeout(30_000);
const manager = new PodVolumeManager({
  root,
  plugins: localPlugins({ allocatableMemoryBytes: () => 2 ** 26, noswap: false }),
  clock: systemClock,
  logger: silentLogger,
});
const names = ['m', 'd', 'n'];
const pod: AgentPod = {
  metadata: { name: 'p', namespace: 'default', uid: 'u-1' },
  spec: {
    containers: [{ name: 'c', volumeMounts: names.map((name) => ({ name, mountPath: `/${name}` })) }],
    volumes: [
      { name: 'm', emptyDir: { medium: 'Memory' } },
      { name: 'd', emptyDir: {} },
      { name: 'n', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
    ],
  },
};
console.log('ready');
while (!signal.aborted) {
  await manager.setUp(pod, signal);
  await manager.tearDown('u-1', signal);
}
