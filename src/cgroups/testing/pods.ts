import type { AgentPod, Container, PodSpec } from '#lib/kube/types.ts';

type List = Record<string, string>;

export const box = (name: string, requests: List = {}, limits: List = {}): Container => ({
  name,
  resources: { requests, limits },
});

export const sidecar = (name: string, requests: List = {}, limits: List = {}): Container => ({
  ...box(name, requests, limits),
  restartPolicy: 'Always',
});

export const podOf = (spec: Partial<PodSpec>, annotations: List = {}, uid = 'u-1'): AgentPod => ({
  metadata: { name: 'p', namespace: 'default', uid, annotations },
  spec: { containers: [box('c')], ...spec },
});
