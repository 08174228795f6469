import { expect, test } from 'vitest';
import type { Event, Pod } from '#lib/kube/types.ts';
import { describePod } from './pod.ts';

const now = Date.UTC(2026, 0, 1, 1);
const ago = (seconds: number): string => new Date(now - seconds * 1000).toISOString();

const pod: Pod = {
  metadata: { name: 'web-node', namespace: 'default', labels: { b: '2', a: '1' } },
  spec: {
    nodeName: 'node',
    containers: [
      {
        name: 'app',
        image: 'nginx:1',
        ports: [{ containerPort: 80, protocol: 'TCP' }],
        env: [{ name: 'A', value: '1' }],
        volumeMounts: [{ name: 'data', mountPath: '/data' }],
      },
    ],
    volumes: [{ name: 'data', emptyDir: {} }],
    tolerations: [{ operator: 'Exists', effect: 'NoExecute' }],
  },
  status: {
    phase: 'Running',
    hostIP: '192.0.2.1',
    podIP: '10.87.0.5',
    podIPs: [{ ip: '10.87.0.5' }],
    qosClass: 'BestEffort',
    conditions: [{ type: 'Ready', status: 'True' }],
    containerStatuses: [
      {
        name: 'app',
        image: 'nginx:1',
        imageID: 'sha256:1',
        containerID: 'containerd://1',
        ready: false,
        restartCount: 5,
        state: { waiting: { reason: 'CrashLoopBackOff' } },
      },
    ],
  },
};

const event = (given: Partial<Event>): Event => ({
  metadata: {},
  involvedObject: {},
  type: 'Warning',
  source: { component: 'kubelet' },
  ...given,
});

test('as kubectl prints it', () => {
  const events = [
    event({
      reason: 'BackOff',
      message: 'Back-off\n',
      count: 12,
      firstTimestamp: ago(3000),
      lastTimestamp: ago(130),
    }),
    event({
      reason: 'Pulled',
      type: 'Normal',
      message: 'there',
      count: 1,
      firstTimestamp: ago(4000),
      lastTimestamp: ago(4000),
    }),
  ];
  expect(describePod(pod, events, now)).toBe(`Name:         web-node
Namespace:    default
Node:         node/192.0.2.1
Labels:       a=1
              b=2
Annotations:  <none>
Status:       Running
IP:           10.87.0.5
IPs:
  IP:  10.87.0.5
Containers:
  app:
    Container ID:   containerd://1
    Image:          nginx:1
    Image ID:       sha256:1
    Port:           80/TCP
    Host Port:      0/TCP
    State:          Waiting
      Reason:       CrashLoopBackOff
    Ready:          False
    Restart Count:  5
    Environment:
      A:  1
    Mounts:
      /data from data (rw)
Conditions:
  Type    Status
  Ready   True${' '}
Volumes:
  data:
    Type:        EmptyDir (a temporary directory that shares a pod's lifetime)
    Medium:${'      '}
    SizeLimit:   <unset>
QoS Class:       BestEffort
Node-Selectors:  <none>
Tolerations:     :NoExecute op=Exists
Events:
  Type     Reason   Age                   From     Message
  ----     ------   ----                  ----     -------
  Normal   Pulled   66m                   kubelet  there
  Warning  BackOff  2m10s (x12 over 50m)  kubelet  Back-off
`);
});

test('a secret’s reference is shown, never a value; a terminal’s orders are not obeyed', () => {
  const text = describePod(
    {
      ...pod,
      metadata: { ...pod.metadata, annotations: { evil: '\u001b[2J' } },
      spec: {
        containers: [
          {
            name: 'app',
            env: [{ name: 'P', valueFrom: { secretKeyRef: { name: 's', key: 'k', optional: true } } }],
          },
        ],
      },
    },
    [],
    now,
  );
  expect(text).toContain("<set to the key 'k' in secret 's'>");
  expect(text).not.toContain('\u001b');
  expect(text).toContain('\nEvents:          <none>\n');
});
