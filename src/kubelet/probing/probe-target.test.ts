import { describe, expect, test } from 'vitest';
import type { Container } from '#lib/kube/types.ts';
import { type Probe, probeTarget } from './probe-target.ts';

const run = () => Promise.reject(new Error('not here'));
const container: Container = {
  name: 'main',
  ports: [{ name: 'web', containerPort: 8080 }],
  env: [
    { name: 'FILE', value: '/tmp/ok' },
    { name: 'SECRET', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
  ],
};
const target = (probe: Probe) => probeTarget(probe, container, '10.0.0.2', run);

describe('probeTarget', () => {
  test.each<[Probe, object]>([
    [{ tcpSocket: { port: 'web' } }, { kind: 'tcp', host: '10.0.0.2', port: 8080 }],
    [{ tcpSocket: { port: '80', host: 'x' } }, { kind: 'tcp', host: 'x', port: 80 }],
    [{ httpGet: { port: 'web' } }, { kind: 'http', request: { host: '10.0.0.2', port: 8080, path: '/' } }],
    [{ grpc: { port: 5 } }, { kind: 'grpc', host: '10.0.0.2', port: 5, service: '' }],
    [
      { exec: { command: ['cat', '$(FILE)', '$(SECRET)', '$(NONE)', '$$(FILE)'] } },
      { kind: 'exec', command: ['cat', '/tmp/ok', '', '$(NONE)', '$(FILE)'] },
    ],
    [
      { httpGet: { port: 'none' } },
      {
        kind: 'invalid',
        words: 'container main has no port "none": use a number from 1 to 65535 or a name in its ports',
      },
    ],
    [{}, { kind: 'invalid' }],
  ])('%j', (probe, expected) => {
    expect(target(probe)).toMatchObject(expected);
  });
});
