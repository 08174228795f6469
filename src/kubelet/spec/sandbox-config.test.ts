import { describe, expect, test } from 'vitest';
import type { PortMapping } from '#cri/types.ts';
import type { AgentPod, Container, PodSpec } from '#lib/kube/types.ts';
import { sandboxConfig } from './sandbox-config.ts';

const configOf = (spec: Partial<PodSpec>) => {
  const pod: AgentPod = {
    metadata: { name: 'web', namespace: 'ns', uid: 'u' },
    spec: { containers: [{ name: 'c' }], ...spec },
  };
  return sandboxConfig(pod, {
    attempt: 0,
    cgroupParent: '/p',
    clusterDomain: 'cluster.local',
    dns: undefined,
    paths: { root: '/r', podLogs: '/l', containerLogs: '/c' },
  });
};
const container = (name: string, ports: Container['ports'], more: Partial<Container> = {}): Container => ({
  name,
  ...(ports === undefined ? {} : { ports }),
  ...more,
});
const tcp = (containerPort: number, hostPort: number, hostIp = ''): PortMapping => ({
  protocol: 'TCP',
  containerPort,
  hostPort,
  hostIp,
});

describe('ports', () => {
  test.each<[string, Partial<PodSpec>, PortMapping[]]>([
    ['none', {}, []],
    [
      'of all containers that go on running',
      {
        containers: [
          container('a', [{ containerPort: 80, hostPort: 8080 }]),
          container('b', [{ containerPort: 53, protocol: 'UDP', hostIP: '192.0.2.1', hostPort: 5353 }]),
        ],
        initContainers: [
          container('side', [{ containerPort: 90, hostPort: 9090 }], { restartPolicy: 'Always' }),
          container('once', [{ containerPort: 91, hostPort: 9191 }]),
        ],
      },
      [
        tcp(90, 9090),
        tcp(80, 8080),
        { protocol: 'UDP', containerPort: 53, hostPort: 5353, hostIp: '192.0.2.1' },
      ],
    ],
    [
      'a port of one name, or the same port, counts once in a container',
      {
        containers: [
          container('a', [
            { name: 'x', containerPort: 80, hostPort: 1 },
            { name: 'x', containerPort: 81, hostPort: 2 },
            { containerPort: 82, hostPort: 3 },
            { containerPort: 82, hostPort: 3 },
            { containerPort: 82, hostPort: 3, hostIP: '0.0.0.0' },
            { containerPort: 82, hostPort: 3, hostIP: '::' },
          ]),
          container('b', [{ name: 'x', containerPort: 83 }]),
        ],
      },
      [tcp(80, 1), tcp(82, 3), tcp(82, 3, '0.0.0.0'), tcp(82, 3, '::'), tcp(83, 0)],
    ],
    [
      'on the node’s network nothing is mapped',
      { hostNetwork: true, containers: [container('a', [{ containerPort: 80, hostPort: 80 }])] },
      [],
    ],
  ])('%s', (_what, spec, expected) => {
    expect(configOf(spec).portMappings).toEqual(expected);
  });
});

describe('host name', () => {
  test.each<[Partial<PodSpec>, string]>([
    [{}, 'web'],
    [{ hostname: 'db', subdomain: 'sub' }, 'db'],
    [{ hostname: 'db', subdomain: 'sub', setHostnameAsFQDN: true }, 'db.sub.ns.svc.cluster.local'],
    [{ setHostnameAsFQDN: true }, 'web'],
    [{ hostnameOverride: 'a.example' }, 'a.example'],
    [{ hostname: 'db', hostNetwork: true }, ''],
    // Upstream doesn't even look at a name that the kernel will never be told.
    [{ hostname: 'db', subdomain: 's'.repeat(60), setHostnameAsFQDN: true, hostNetwork: true }, ''],
  ])('%j is %j', (spec, expected) => {
    expect(configOf(spec).hostname).toBe(expected);
  });

  test('a full name that the kernel can’t take', () => {
    const spec = { subdomain: 's'.repeat(60), setHostnameAsFQDN: true };
    expect(() => configOf(spec)).toThrow(/is too long \(64 characters is the max, 85 characters requested\)/);
  });
});

test.each<[Partial<PodSpec>, object]>([
  [{}, { network: 'POD', pid: 'CONTAINER', ipc: 'POD' }],
  [{ hostNetwork: true }, { network: 'NODE', pid: 'CONTAINER', ipc: 'POD' }],
  [{ hostPID: true }, { network: 'POD', pid: 'NODE', ipc: 'POD' }],
  [{ hostIPC: true }, { network: 'POD', pid: 'CONTAINER', ipc: 'NODE' }],
  [{ shareProcessNamespace: true }, { network: 'POD', pid: 'POD', ipc: 'POD' }],
  [
    { shareProcessNamespace: true, hostPID: true },
    { network: 'POD', pid: 'NODE', ipc: 'POD' },
  ],
])('namespaces of %j', (spec, expected) => {
  expect(configOf(spec).linux.securityContext.namespaceOptions).toEqual(expected);
});
