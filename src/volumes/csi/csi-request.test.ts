import { describe, expect, test } from 'vitest';
import type { CsiDriver } from '#lib/kube/types.ts';
import { attachmentName, inlineHandle, mountPlace, uniqueName } from './csi-files.ts';
import {
  type CsiVolume,
  accessModeOf,
  capabilityOf,
  modeRefusal,
  needsFsGroup,
  podInfo,
} from './csi-request.ts';
import type { CsiNodeCapability } from './node-service.ts';

const none: ReadonlySet<CsiNodeCapability> = new Set();
const volumeOf = (more: Partial<CsiVolume> = {}): CsiVolume => ({
  pod: {
    metadata: { name: 'p', namespace: 'ns', uid: 'u-1' },
    spec: { containers: [], serviceAccountName: 'sa', securityContext: { fsGroup: 7 } },
  },
  volumeName: 'v',
  name: 'pv',
  driver: 'd',
  handle: 'h',
  mode: 'Persistent',
  isBlock: false,
  readOnly: false,
  fsType: 'ext4',
  attributes: {},
  mountOptions: ['noatime'],
  accessModes: ['ReadWriteOnce'],
  publishSecret: undefined,
  stageSecret: undefined,
  expandSecret: undefined,
  ...more,
});

test.each<[string[], CsiNodeCapability[], string]>([
  [[], [], 'SINGLE_NODE_WRITER'],
  [['ReadWriteOnce', 'ReadOnlyMany'], [], 'SINGLE_NODE_WRITER'],
  [['ReadWriteOnce'], ['SINGLE_NODE_MULTI_WRITER'], 'SINGLE_NODE_MULTI_WRITER'],
  [['ReadWriteOncePod'], [], 'SINGLE_NODE_WRITER'],
  [['ReadWriteOncePod'], ['SINGLE_NODE_MULTI_WRITER'], 'SINGLE_NODE_SINGLE_WRITER'],
  [['ReadOnlyMany'], [], 'MULTI_NODE_READER_ONLY'],
  [['ReadWriteMany'], [], 'MULTI_NODE_MULTI_WRITER'],
])('%j with %j is %s', (modes, capabilities, expected) => {
  expect(accessModeOf(modes, new Set(capabilities))).toBe(expected);
});

test('what the driver is to make of it', () => {
  const accessMode = { mode: 'SINGLE_NODE_WRITER' };
  expect(capabilityOf(volumeOf(), none)).toEqual({
    accessMode,
    mount: { fsType: 'ext4', mountFlags: ['noatime'] },
  });
  expect(capabilityOf(volumeOf(), new Set(['VOLUME_MOUNT_GROUP']))).toMatchObject({
    mount: { volumeMountGroup: '7' },
  });
  expect(capabilityOf(volumeOf({ isBlock: true }), none)).toEqual({ accessMode, block: {} });
});

describe('who gives the files to the group', () => {
  test.each<[string, Partial<CsiVolume>, CsiDriver['spec'] | undefined, CsiNodeCapability[], boolean]>([
    ['by default: one writer and a file system', {}, undefined, [], true],
    ['no file system named', { fsType: '' }, {}, [], false],
    ['many writers', { accessModes: ['ReadWriteMany'] }, {}, [], false],
    ['many writers, but the driver says File', { accessModes: [] }, { fsGroupPolicy: 'File' }, [], true],
    ['the driver says None', {}, { fsGroupPolicy: 'None' }, [], false],
    ['the driver does it', {}, { fsGroupPolicy: 'File' }, ['VOLUME_MOUNT_GROUP'], false],
    ['read only', { readOnly: true }, {}, [], false],
    ['a device', { isBlock: true }, { fsGroupPolicy: 'File' }, [], false],
    ['a pod’s own', { mode: 'Ephemeral', accessModes: [] }, {}, [], true],
  ])('%s', (_, volume, spec, capabilities, expected) => {
    expect(needsFsGroup(volumeOf(volume), spec, new Set(capabilities))).toBe(expected);
  });
});

test.each<[CsiVolume['mode'], CsiDriver['spec'] | undefined, string | undefined]>([
  ['Persistent', undefined, undefined],
  ['Persistent', {}, undefined],
  ['Ephemeral', undefined, 'volume mode "Ephemeral" not supported by driver d (no CSIDriver object)'],
  ['Ephemeral', {}, 'volume mode "Ephemeral" not supported by driver d (only supports ["Persistent"])'],
  ['Ephemeral', { volumeLifecycleModes: ['Ephemeral'] }, undefined],
])('%s under %j', (mode, spec, expected) => {
  expect(modeRefusal(volumeOf({ mode }), spec)).toBe(expected);
});

test('the pod is told of only where the driver asks', () => {
  expect(podInfo(volumeOf(), {})).toEqual({});
  expect(podInfo(volumeOf(), { podInfoOnMount: true })).toEqual({
    'csi.storage.k8s.io/pod.name': 'p',
    'csi.storage.k8s.io/pod.namespace': 'ns',
    'csi.storage.k8s.io/pod.uid': 'u-1',
    'csi.storage.k8s.io/serviceAccount.name': 'sa',
    'csi.storage.k8s.io/ephemeral': 'false',
  });
});

test('names as upstream makes them', () => {
  expect(uniqueName('d', 'h')).toBe('kubernetes.io/csi/d^h');
  // printf 'hdn' | sha256sum, and so on.
  expect(attachmentName('h', 'd', 'n')).toBe(
    'csi-9072ed11cc1acb5fa433a877ff339b6311d013f33bddd1d0092711a8ace5b16d',
  );
  expect(inlineHandle('u', 'v')).toBe('csi-e6184ce10e266134fdcfa401e8f1a95005bcd4f18d16b62b757323e2833fe9a9');
  expect(mountPlace('/r', 'd', 'h').staging).toBe(
    '/r/plugins/kubernetes.io/csi/d/aaa9402664f1a41f40ebbc52c9993eb66aeb366602958fdfaa283b71e64db123/globalmount',
  );
});
