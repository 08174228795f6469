import type { FakeObjects } from '#lib/kube/testing/fake-objects.ts';
import type { AgentPod } from '#lib/kube/types.ts';

const names = ['config', 'secret'];

export const churnPod: AgentPod = {
  metadata: { name: 'p', namespace: 'ns', uid: 'u-1' },
  spec: {
    containers: [{ name: 'c', volumeMounts: names.map((name) => ({ name, mountPath: `/${name}` })) }],
    volumes: [
      { name: 'config', configMap: { name: 'cm' } },
      { name: 'secret', secret: { secretName: 's' } },
    ],
  },
};

/** Content number `round`: every file holds the number, and which files there are depends on it. */
export function contentOf(objects: FakeObjects, round: number): void {
  const keys = ['a', 'b', 'c', 'd'].filter((_, index) => index === 0 || ((round >> index) & 1) === 1);
  const data = Object.fromEntries(keys.map((key) => [key, String(round)]));
  objects.configMaps.set('ns/cm', { data });
  objects.secrets.set('ns/s', data);
}
