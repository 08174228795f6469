import { describe, expect, test } from 'vitest';
import type { Image } from '#cri/types.ts';
import type { Node } from '#lib/kube/types.ts';
import { nodeStatus, statusImages, updatedNode } from './node-status.ts';
import { initialNode, reconciledNode } from './registration-object.ts';
import { factsOf, machine, settingsOf } from './testing/facts.ts';

const now = Date.parse('2026-01-01T00:00:00Z');
const image = (id: string, size: number, names = 1): Image => ({
  id,
  size,
  repoTags: Array.from({ length: names }, (_, at) => `${id}:${at}`),
  repoDigests: [`${id}@sha256:0`],
  username: '',
  pinned: false,
});

describe('statusImages', () => {
  test('the largest first, at most so many, at most five names each, digests first', () => {
    const found = statusImages([image('small', 1), image('big', 9, 7), image('middle', 5)], 2);
    expect(found).toEqual([
      { names: ['big@sha256:0', 'big:0', 'big:1', 'big:2', 'big:3'], sizeBytes: 9 },
      { names: ['middle@sha256:0', 'middle:0'], sizeBytes: 5 },
    ]);
  });

  test('-1: all', () => {
    expect(
      statusImages(
        Array.from({ length: 60 }, (_, at) => image(`i${at}`, at)),
        -1,
      ),
    ).toHaveLength(60);
  });
});

describe('nodeStatus', () => {
  test('says all of the machine and the runtime', () => {
    const runtime = {
      runtimeHandlers: [
        { name: 'kata', recursiveReadOnlyMounts: false, userNamespaces: false },
        { name: '', recursiveReadOnlyMounts: true, userNamespaces: true },
      ],
      features: { supplementalGroupsPolicy: true },
    };
    const status = nodeStatus(
      {},
      factsOf({ runtime, machine: { ...machine, swapBytes: 1024 } }),
      settingsOf(),
      now,
    );
    expect(status).toMatchObject({
      nodeInfo: {
        machineID: 'm-1',
        systemUUID: 's-1',
        bootID: 'boot-1',
        kernelVersion: '6.1.0',
        osImage: 'Debian GNU/Linux 12 (bookworm)',
        containerRuntimeVersion: 'containerd://2.1.0',
        kubeletVersion: 'v1.36.2',
        kubeProxyVersion: '',
        operatingSystem: 'linux',
        architecture: 'amd64',
        swap: { capacity: 1024 },
      },
      daemonEndpoints: { kubeletEndpoint: { Port: 10_250 } },
      features: { supplementalGroupsPolicy: true },
      runtimeHandlers: [
        { features: { recursiveReadOnlyMounts: true, userNamespaces: true } },
        { name: 'kata', features: { recursiveReadOnlyMounts: false, userNamespaces: false } },
      ],
    });
    expect(status).not.toHaveProperty('declaredFeatures');
  });

  test('what others write stays', () => {
    const before = {
      volumesAttached: [{ name: 'v', devicePath: '/dev/x' }],
      volumesInUse: ['v'],
      conditions: [{ type: 'NetworkUnavailable', status: 'False' }],
    };
    const status = nodeStatus(before, factsOf(), settingsOf(), now);
    expect(status.volumesAttached).toEqual(before.volumesAttached);
    expect(status.volumesInUse).toEqual(['v']);
    expect(status.conditions?.[0]).toEqual(before.conditions[0]);
  });

  test('volumes in use are the agent’s word once it knows', () => {
    const status = nodeStatus({ volumesInUse: ['v'] }, factsOf({ volumesInUse: [] }), settingsOf(), now);
    expect(status.volumesInUse).toEqual([]);
  });

  test('without a size of the disk the node isn’t ready', () => {
    const ready = nodeStatus(
      {},
      factsOf({ ephemeralStorageBytes: undefined }),
      settingsOf(),
      now,
    ).conditions?.at(-1);
    expect(ready).toMatchObject({
      status: 'False',
      message: 'missing node capacity for resources: ephemeral-storage',
    });
  });

  test('an address that can’t be found out leaves the old ones', () => {
    const addresses = [{ type: 'InternalIP', address: '192.0.2.1' }];
    const status = nodeStatus({ addresses }, factsOf({ addresses: { trouble: 'x' } }), settingsOf(), now);
    expect(status.addresses).toEqual(addresses);
  });
});

describe('initialNode', () => {
  test('labels, taints, annotation, provider', () => {
    const taint = { key: 'dedicated', value: 'db', effect: 'NoSchedule' };
    const node = initialNode(
      factsOf(),
      settingsOf({
        hostname: 'host',
        nodeLabels: { disk: 'ssd', 'kubernetes.io/hostname': 'mine' },
        registerWithTaints: [taint],
        cloudProvider: 'external',
        providerId: 'cloud://1',
        nodeIps: ['192.0.2.10'],
      }),
      now,
    );
    expect(node).toMatchObject({
      metadata: {
        name: 'n1',
        labels: {
          'kubernetes.io/hostname': 'mine',
          'kubernetes.io/os': 'linux',
          'kubernetes.io/arch': 'amd64',
          'beta.kubernetes.io/os': 'linux',
          'beta.kubernetes.io/arch': 'amd64',
          disk: 'ssd',
        },
        annotations: {
          'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
          'alpha.kubernetes.io/provided-node-ip': '192.0.2.10',
        },
      },
      spec: {
        taints: [
          taint,
          { key: 'node.cloudprovider.kubernetes.io/uninitialized', value: 'true', effect: 'NoSchedule' },
        ],
        providerID: 'cloud://1',
      },
    });
    expect(node.status?.conditions).toHaveLength(4);
  });
});

describe('reconciledNode', () => {
  const existing: Node = {
    metadata: {
      name: 'n1',
      labels: { 'kubernetes.io/os': 'plan9', disk: 'hdd', mine: 'x' },
      annotations: { note: 'x' },
    },
    spec: { unschedulable: true, taints: [{ key: 'a', effect: 'NoSchedule' }] },
  };
  const settings = settingsOf({
    nodeLabels: { disk: 'ssd', 'topology.kubernetes.io/zone': 'z1' },
    registerWithTaints: [{ key: 'new', effect: 'NoSchedule' }],
  });
  const node = reconciledNode(existing, initialNode(factsOf(), settings, now));

  test('default labels come back, others stay as they are', () => {
    expect(node.metadata?.labels).toEqual({
      'beta.kubernetes.io/arch': 'amd64',
      'beta.kubernetes.io/os': 'linux',
      'kubernetes.io/arch': 'amd64',
      'kubernetes.io/hostname': 'n1',
      'kubernetes.io/os': 'linux',
      'topology.kubernetes.io/zone': 'z1',
      disk: 'hdd',
      mine: 'x',
    });
  });

  test('taints and cordons stay; annotations but the agent’s own too', () => {
    expect(node.spec).toEqual(existing.spec);
    expect(node.metadata?.annotations).toEqual({
      note: 'x',
      'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
    });
  });

  test('the annotation goes where the setting is off', () => {
    const off = settingsOf({ enableControllerAttachDetach: false });
    const result = reconciledNode(node, initialNode(factsOf(), off, now));
    expect(result.metadata?.annotations).toEqual({ note: 'x' });
  });
});

test('updatedNode takes the provided address away where there is none to provide', () => {
  const node = {
    metadata: { annotations: { 'alpha.kubernetes.io/provided-node-ip': '1.2.3.4', other: 'x' } },
  };
  expect(updatedNode(node, factsOf(), settingsOf(), now).metadata?.annotations).toEqual({ other: 'x' });
});
