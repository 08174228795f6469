import { describe, expect, test } from 'vitest';
import { ApiError } from '#lib/kube/api-error.ts';
import type { ObjectName, Resource } from '#lib/kube/client.ts';
import { isRetryable } from '#lib/errors.ts';
import type { AgentPod, PersistentVolume, PersistentVolumeClaim, Volume } from '#lib/kube/types.ts';
import { VolumeError } from '../errors.ts';
import { boundVolume } from './bound-volume.ts';

const signal = new AbortController().signal;

interface Case {
  claim?: Partial<PersistentVolumeClaim> | undefined;
  pv?: Partial<PersistentVolume> | undefined;
  volume?: Volume;
  pod?: Partial<AgentPod['spec']>;
  matches?: boolean;
  refuses?: number;
}

const named: Volume = { name: 'v', persistentVolumeClaim: { claimName: 'data', readOnly: true } };
const claimOf = (more: Partial<PersistentVolumeClaim> = {}): PersistentVolumeClaim => ({
  metadata: { name: 'data', uid: 'claim-1' },
  spec: { volumeName: 'pv-1' },
  status: { phase: 'Bound' },
  ...more,
});
const pvOf = (more: Partial<PersistentVolume> = {}): PersistentVolume => ({
  metadata: { name: 'pv-1' },
  spec: { local: { path: '/d' }, claimRef: { uid: 'claim-1' } },
  ...more,
});

function find(from: Case) {
  const asked: string[] = [];
  const get = (resource: Resource, at: ObjectName): Promise<never> => {
    asked.push(`${resource.plural} ${at.namespace ?? ''}/${at.name}`);
    const objects: Record<string, unknown> = {
      persistentvolumeclaims: 'claim' in from ? from.claim && claimOf(from.claim) : claimOf(),
      persistentvolumes: 'pv' in from ? from.pv && pvOf(from.pv) : pvOf(),
    };
    const object = objects[resource.plural];
    const status = from.refuses ?? 404;
    return object === undefined || from.refuses !== undefined
      ? Promise.reject(new ApiError({ status, reason: '', message: 'the server’s words' }))
      : Promise.resolve(object as never);
  };
  const pod: AgentPod = {
    metadata: { name: 'p', namespace: 'ns', uid: 'u-1' },
    spec: { containers: [], ...from.pod },
  };
  const sources = { client: { get }, matchesNode: () => from.matches ?? true };
  return { asked, found: boundVolume(pod, from.volume ?? named, sources, signal) };
}

test('a claim leads to its volume; what is read only is for the pod to say', async () => {
  const { asked, found } = find({});
  expect(await found).toMatchObject({ name: 'pv-1', readOnly: true, spec: { local: { path: '/d' } } });
  expect(asked).toEqual(['persistentvolumeclaims ns/data', 'persistentvolumes /pv-1']);
});

describe('refused, and tried again', () => {
  const owner = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'another', controller: true };
  const gone = { deletionTimestamp: '2026-01-01T00:00:00Z', uid: 'claim-1' };
  test.each<[string, Case, string]>([
    ['no claim', { claim: undefined }, 'persistentvolumeclaim "data" not found'],
    ['not allowed yet', { refuses: 403 }, 'does not let this node read it'],
    ['no answer', { refuses: 0 }, 'persistentvolumeclaim "data": it can’t be read: the server’s words'],
    ['not bound', { claim: { status: { phase: 'Pending' } } }, 'is not bound (phase Pending)'],
    ['bound without a name', { claim: { spec: {} } }, 'is not bound (phase Bound)'],
    ['lost', { claim: { status: { phase: 'Lost' } } }, 'has lost its volume pv-1'],
    ['being deleted', { claim: { metadata: gone } }, 'is being deleted'],
    ['no volume', { pv: undefined }, 'persistentvolume "pv-1" not found'],
    ['not bound back', { pv: { spec: {} } }, 'it has no claimRef'],
    ['bound to another', { pv: { spec: { claimRef: { uid: 'x' } } } }, 'is bound to another claim (UID x)'],
    [
      'elsewhere',
      {
        matches: false,
        pv: {
          spec: {
            claimRef: { uid: 'claim-1' },
            nodeAffinity: { required: { nodeSelectorTerms: [{}] } },
          },
        },
      },
      'volume node affinity check failed: no matching NodeSelectorTerms',
    ],
    [
      'a device that is to be mounted',
      {
        pv: { spec: { volumeMode: 'Block', claimRef: { uid: 'claim-1' } } },
        pod: { containers: [{ name: 'c', volumeMounts: [{ name: 'v', mountPath: '/d' }] }] },
      },
      'volume v has volumeMode Block, but is specified in volumeMounts',
    ],
    [
      'a folder that is to be a device',
      { pod: { containers: [{ name: 'c', volumeDevices: [{ name: 'v', devicePath: '/d' }] }] } },
      'volume v has volumeMode Filesystem, but is specified in volumeDevices',
    ],
    [
      'an ephemeral claim of another pod',
      {
        volume: { name: 'v', ephemeral: {} },
        claim: { metadata: { uid: 'claim-1', ownerReferences: [owner] } },
      },
      'persistentvolumeclaim "p-v" was not made for this pod',
    ],
  ])('%s', async (_, from, words) => {
    const error: unknown = await find(from).found.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(VolumeError);
    expect((error as VolumeError).problem).toContain(words);
    expect(isRetryable(error)).toBe(true);
  });
});

test('a claim that protection still keeps may be used while it is being deleted', async () => {
  const metadata = {
    uid: 'claim-1',
    deletionTimestamp: '2026-01-01T00:00:00Z',
    finalizers: ['kubernetes.io/pvc-protection'],
  };
  await expect(find({ claim: { metadata } }).found).resolves.toMatchObject({ name: 'pv-1' });
});

test('an ephemeral volume’s claim is the pod’s own', async () => {
  const ownerReferences = [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u-1', controller: true }];
  const from = {
    volume: { name: 'v', ephemeral: {} },
    claim: { metadata: { uid: 'claim-1', ownerReferences } },
  };
  const { asked, found } = find(from);
  expect(await found).toMatchObject({ readOnly: false });
  expect(asked[0]).toBe('persistentvolumeclaims ns/p-v');
});
