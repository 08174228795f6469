import { describe, expect, it } from 'vitest';
import { imageTag, withPodDefaults } from './defaults.ts';
import type { Container, PodSpec, Volume } from './types.ts';

const specOf = (spec: Partial<PodSpec>): PodSpec => {
  const pod = withPodDefaults({ metadata: { name: 'a' }, spec: { containers: [], ...spec } });
  return pod.spec as PodSpec;
};
const containerOf = (container: Partial<Container>, spec: Partial<PodSpec> = {}): Container =>
  specOf({ ...spec, containers: [{ name: 'c', image: 'i:1', ...container }] }).containers[0] as Container;
const volumeOf = (volume: Partial<Volume>): Volume =>
  specOf({ volumes: [{ name: 'v', ...volume }] }).volumes?.[0] as Volume;

it.each([
  ['nginx', 'latest'],
  ['nginx:latest', 'latest'],
  ['nginx:1.27', '1.27'],
  ['localhost:5000/nginx', 'latest'],
  ['localhost:5000/nginx:2', '2'],
  ['nginx@sha256:00', undefined],
  ['nginx:latest@sha256:00', 'latest'],
  ['', 'latest'],
])('the tag of %j is %j', (reference, tag) => expect(imageTag(reference)).toBe(tag));

describe('a pod', () => {
  it('gets what the API server fills in', () => {
    expect(
      withPodDefaults({ metadata: { name: 'a' }, spec: { containers: [{ name: 'c', image: 'nginx' }] } }),
    ).toEqual({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a', namespace: 'default' },
      spec: {
        dnsPolicy: 'ClusterFirst',
        restartPolicy: 'Always',
        schedulerName: 'default-scheduler',
        terminationGracePeriodSeconds: 30,
        securityContext: {},
        enableServiceLinks: true,
        containers: [
          {
            name: 'c',
            image: 'nginx',
            imagePullPolicy: 'Always',
            terminationMessagePath: '/dev/termination-log',
            terminationMessagePolicy: 'File',
            resources: {},
          },
        ],
      },
    });
  });

  it('keeps what is given, zero and false included', () => {
    const given = { terminationGracePeriodSeconds: 0, enableServiceLinks: false, restartPolicy: 'Never' };
    expect(specOf(given)).toMatchObject(given);
  });

  it('leaves its argument alone', () => {
    const pod = { metadata: { name: 'a' }, spec: { containers: [{ name: 'c', image: 'nginx' }] } };
    withPodDefaults(pod);
    expect(pod).toEqual({ metadata: { name: 'a' }, spec: { containers: [{ name: 'c', image: 'nginx' }] } });
  });
});

describe('containers', () => {
  it('take the pull policy from the tag', () => {
    expect(containerOf({ image: 'a:1' }).imagePullPolicy).toBe('IfNotPresent');
    expect(containerOf({ image: 'a@sha256:00' }).imagePullPolicy).toBe('IfNotPresent');
    expect(containerOf({ image: 'a:1', imagePullPolicy: 'Never' }).imagePullPolicy).toBe('Never');
  });

  it('request what they limit, canonically written', () => {
    const limits = { cpu: '0.5', memory: '1024Mi' };
    expect(containerOf({ resources: { limits, requests: { cpu: '0.1' } } }).resources).toEqual({
      limits: { cpu: '500m', memory: '1Gi' },
      requests: { cpu: '100m', memory: '1Gi' },
    });
  });

  it('round amounts up to thousandths', () => {
    expect(containerOf({ resources: { requests: { cpu: '100500u' } } }).resources?.requests).toEqual({
      cpu: '101m',
    });
  });

  it('take host ports on the host network only', () => {
    const ports = [{ containerPort: 80 }];
    expect(containerOf({ ports }).ports).toEqual([{ containerPort: 80, protocol: 'TCP' }]);
    expect(containerOf({ ports }, { hostNetwork: true }).ports).toEqual([
      { containerPort: 80, hostPort: 80, protocol: 'TCP' },
    ]);
  });

  it('have probes with all numbers', () => {
    expect(containerOf({ livenessProbe: { httpGet: { port: 80 } } }).livenessProbe).toEqual({
      httpGet: { port: 80, path: '/', scheme: 'HTTP' },
      timeoutSeconds: 1,
      periodSeconds: 10,
      successThreshold: 1,
      failureThreshold: 3,
    });
    expect(containerOf({ startupProbe: { grpc: { port: 1 } } }).startupProbe?.grpc).toEqual({
      port: 1,
      service: '',
    });
    const hook = { preStop: { httpGet: { port: 'web' } } };
    expect(containerOf({ lifecycle: hook }).lifecycle?.preStop?.httpGet).toEqual({
      port: 'web',
      path: '/',
      scheme: 'HTTP',
    });
  });

  it('know the version of downward fields', () => {
    const env = [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }];
    expect(containerOf({ env }).env?.[0]?.valueFrom?.fieldRef?.apiVersion).toBe('v1');
  });
});

it.each<[Partial<Volume>, Partial<Volume>]>([
  [{}, { emptyDir: {} }],
  [{ hostPath: { path: '/a' } }, { hostPath: { path: '/a', type: '' } }],
  [{ secret: { secretName: 's' } }, { secret: { secretName: 's', defaultMode: 420 } }],
  [{ configMap: { defaultMode: 0 } }, { configMap: { defaultMode: 0 } }],
  [{ image: { reference: 'a' } }, { image: { reference: 'a', pullPolicy: 'Always' } }],
  [{ image: { reference: 'a:1' } }, { image: { reference: 'a:1', pullPolicy: 'IfNotPresent' } }],
  [
    { downwardAPI: { items: [{ path: 'a', fieldRef: { fieldPath: 'metadata.name' } }] } },
    {
      downwardAPI: {
        defaultMode: 420,
        items: [{ path: 'a', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } }],
      },
    },
  ],
])('a volume %j becomes %j', (given, expected) =>
  expect(volumeOf(given)).toEqual({ name: 'v', ...expected }),
);

describe('pod-level resources', () => {
  const container = (cpu: string, more: Partial<Container> = {}): Container => ({
    name: 'c',
    image: 'i:1',
    resources: { requests: { cpu } },
    ...more,
  });

  it('request what the containers need together, sidecars beside and init containers before', () => {
    const spec = {
      resources: { limits: { cpu: '4', memory: '1Gi' } },
      initContainers: [container('100m', { restartPolicy: 'Always' }), container('2')],
      containers: [container('300m'), container('400m')],
    };
    // Side by side: 100 + 300 + 400; at start-up: 100 + 2000.
    expect(specOf(spec).resources).toEqual({
      limits: { cpu: '4', memory: '1Gi' },
      requests: { cpu: '2100m', memory: '1Gi' },
    });
  });

  it('stay away where none are given', () => {
    expect(specOf({ containers: [container('1')] }).resources).toBeUndefined();
  });
});
