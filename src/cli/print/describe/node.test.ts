import { expect, test } from 'vitest';
import type { Event, Node, Pod } from '#lib/kube/types.ts';
import { describeNode } from './node.ts';

const now = Date.parse('2026-01-01T00:10:00Z');
const at = '2026-01-01T00:00:00Z';

const node: Node = {
  metadata: {
    name: 'n1',
    creationTimestamp: at,
    labels: { 'kubernetes.io/os': 'linux', 'node-role.kubernetes.io/edge': '' },
  },
  spec: {
    taints: [
      { key: 'b', effect: 'NoSchedule', value: 'x' },
      { key: 'a', effect: 'NoExecute' },
    ],
    podCIDR: '10.1.0.0/24',
  },
  status: {
    addresses: [{ type: 'InternalIP', address: '192.0.2.10' }],
    capacity: { cpu: '4', memory: '8Gi', 'example.org/dongle': '2', pods: '110' },
    allocatable: { cpu: '2', memory: '4Gi', 'example.org/dongle': '2', pods: '110' },
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'KubeletReady',
        message: 'kubelet is posting ready status',
        lastHeartbeatTime: at,
        lastTransitionTime: at,
      },
    ],
    nodeInfo: { kubeletVersion: 'v1.36.2', osImage: 'Debian' } as never,
  },
};
const pod = (name: string, phase: string): Pod => ({
  metadata: { name, namespace: 'default', creationTimestamp: at },
  spec: {
    containers: [
      {
        name: 'c',
        resources: { requests: { cpu: '250m', memory: '1Gi' }, limits: { cpu: '3', memory: '1Gi' } },
      },
    ],
  },
  status: { phase },
});
const event = {
  type: 'Normal',
  reason: 'Starting',
  message: 'Starting kubelet.',
  lastTimestamp: at,
  firstTimestamp: at,
  source: { component: 'kubelet' },
} as Event;

test('a node, as kubectl describe prints it', () => {
  const text = describeNode(node, [pod('web', 'Running'), pod('done', 'Succeeded')], [event], now);
  const lines = text.split('\n').map((line) => line.trimEnd().replaceAll(/ {2,}/g, '  '));
  for (const line of [
    'Name:  n1',
    'Roles:  edge',
    'Taints:  a:NoExecute',
    '  b=x:NoSchedule',
    'Unschedulable:  false',
    '  Type  Status  LastHeartbeatTime  LastTransitionTime  Reason  Message',
    'Addresses:',
    '  InternalIP:  192.0.2.10',
    'Capacity:',
    '  example.org/dongle:  2',
    '  OS Image:  Debian',
    'PodCIDR:  10.1.0.0/24',
    'Non-terminated Pods:  (1 in total)',
    '  default  web  250m (12%)  3 (150%)  1Gi (25%)  1Gi (25%)  10m',
    '  cpu  250m (12%)  3 (150%)',
    '  memory  1Gi (25%)  1Gi (25%)',
    '  ephemeral-storage  0 (0%)  0 (0%)',
    '  example.org/dongle  0  0',
    'Events:',
    '  Normal  Starting  10m  kubelet  Starting kubelet.',
  ]) {
    expect(lines).toContain(line);
  }
  expect(text).not.toContain('done');
  expect(lines.find((line) => line.startsWith('  Ready'))).toMatch(
    /True.*KubeletReady {2}kubelet is posting/,
  );
});

test('a node of which nothing is known is no crash', () => {
  const text = describeNode({ metadata: { name: 'bare' } }, [], [], now);
  expect(text).toContain('(0 in total)');
  expect(text).toContain('Events:');
});
