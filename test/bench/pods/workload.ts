/** The pod that is measured: one container that runs until TERM and then ends at once. */
import type { AgentPod, Pod } from '#lib/kube/types.ts';
import { withPodDefaults } from '#lib/kube/defaults.ts';

export function manifest(name: string, image: string): Pod & { metadata: { name: string } } {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      terminationGracePeriodSeconds: 5,
      containers: [
        {
          name: 'main',
          image,
          command: ['sh', '-c', 'trap "exit 0" TERM; sleep 100000 & wait'],
        },
      ],
    },
  };
}

let count = 0;

/** The same pod as the agent would see it, under a UID that no other pod has. */
export function agentPod(image: string): AgentPod {
  count += 1;
  const pod = withPodDefaults(manifest(`bare-${count}`, image));
  const uid = `ba5e0000-0000-4000-8000-${String(count).padStart(12, '0')}`;
  if (pod.spec === undefined) throw new TypeError('a pod without a spec');
  return { ...pod, metadata: { name: `bare-${count}`, namespace: 'default', uid }, spec: pod.spec };
}
