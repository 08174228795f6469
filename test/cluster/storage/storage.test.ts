/** Claims and CSI volumes of pods on a node of a cluster; the test plays the controllers and the driver. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mountsBelow, readMounts } from '#host/mounts.ts';
import type { ApiObject } from '#lib/kube/client.ts';
import type { PersistentVolumeClaim, PodSpec, Volume } from '#lib/kube/types.ts';
import { container, hasPhase, isRunning, podManifest } from '#test/bed/manifests.ts';
import { useClusterNode } from '#test/control-plane/cluster-node.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { TestDriver } from '../../csi/driver.ts';
import { boundClaim, setBound } from './claims.ts';

const node = useClusterNode();
let data: string;
let driver: TestDriver;
const DRIVER = 'test.csi.nodelet';

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'data-'));
  driver = new TestDriver({
    name: DRIVER,
    root: node.agent.rootDir,
    data,
    capabilities: ['STAGE_UNSTAGE_VOLUME', 'EXPAND_VOLUME'],
    topology: { 'topology.test.csi/zone': 'z1' },
    maxVolumes: 7,
  });
});
afterAll(async () => {
  await driver.stop();
  await rm(data, { recursive: true, force: true });
});

const claimed = (claimName: string, readOnly = false): Volume => ({
  name: 'v',
  persistentVolumeClaim: { claimName, readOnly },
});
const podOf = (name: string, volume: Volume, script: string, spec: Partial<PodSpec> = {}): string =>
  podManifest(name, [container('c', script, { volumeMounts: [{ name: volume.name, mountPath: '/v' }] })], {
    restartPolicy: 'Never',
    volumes: [volume],
    ...spec,
  });
const forever = 'sleep 100000';
const csiDriver = async (spec: Record<string, unknown>): Promise<void> => {
  const { client } = node.plane;
  const object = { apiVersion: 'storage.k8s.io/v1', kind: 'CSIDriver', metadata: { name: DRIVER }, spec };
  await client.delete(testResources.csiDrivers, { name: DRIVER }).catch(() => undefined);
  await client.create(testResources.csiDrivers, object);
};
const messages = async (pod: string): Promise<string> =>
  (await node.events(pod)).map(({ message }) => message).join('\n');
const mountsOf = async (): Promise<string[]> =>
  mountsBelow(await readMounts(), node.agent.rootDir)
    .map(({ mountPoint }) => mountPoint)
    .filter((path) => path.includes('kubernetes.io~csi') || path.includes('/kubernetes.io/csi/'));

describe('a claim on a local volume', () => {
  const affinity = (value: string) => ({
    nodeAffinity: {
      required: {
        nodeSelectorTerms: [
          { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [value] }] },
        ],
      },
    },
  });

  test('the pod waits for it to be bound, says why, and keeps its data when it goes', async () => {
    await mkdir(join(data, 'local'));
    const source = { local: { path: join(data, 'local') }, ...affinity('n1') };
    await boundClaim(node.plane, 'local', source, false);
    await node.createPod(
      podOf('waits', claimed('local'), 'echo kept > /v/file; id -G > /v/groups', {
        securityContext: { fsGroup: 4242 },
      }),
    );
    await eventually(async () =>
      (await messages('waits')).includes('persistentvolumeclaim "local" is not bound'),
    );
    await setBound(node.plane, 'local');
    await node.waitForPod('waits', hasPhase('Succeeded'));
    await node.deletePod('waits');
    await node.waitForGone('waits');
    expect(await readFile(join(data, 'local/file'), 'utf8')).toBe('kept\n');
    expect((await stat(join(data, 'local'))).gid).toBe(4242);
  });

  test('elsewhere: the pod doesn’t start', async () => {
    await boundClaim(node.plane, 'elsewhere', { local: { path: data }, ...affinity('another') });
    await node.createPod(podOf('elsewhere', claimed('elsewhere'), forever));
    await eventually(async () => (await messages('elsewhere')).includes('volume node affinity check failed'));
    await node.deletePod('elsewhere', { gracePeriodSeconds: 0 });
  });
});

describe('a CSI driver', () => {
  test('registers, and the cluster knows it', async () => {
    await csiDriver({
      attachRequired: false,
      podInfoOnMount: true,
      volumeLifecycleModes: ['Persistent', 'Ephemeral'],
    });
    await driver.start();
    await eventually(() => Promise.resolve(driver.notified.includes('')));
    const csiNode = await node.plane.client.get<ApiObject & { spec: { drivers: unknown[] } }>(
      testResources.csiNodes,
      { name: 'n1' },
    );
    expect(csiNode.spec.drivers).toEqual([
      {
        name: DRIVER,
        nodeID: `node-of-${DRIVER}`,
        topologyKeys: ['topology.test.csi/zone'],
        allocatable: { count: 7 },
      },
    ]);
    const { metadata } = await node.waitForNode();
    expect(metadata?.labels).toMatchObject({ 'topology.test.csi/zone': 'z1' });
    expect(metadata?.annotations?.['csi.volume.kubernetes.io/nodeid']).toBe(
      JSON.stringify({ [DRIVER]: `node-of-${DRIVER}` }),
    );
  });

  test('stages once for two pods, through a restart of the agent, and unstages after the last', async () => {
    await boundClaim(node.plane, 'shared', {
      csi: { driver: DRIVER, volumeHandle: 'vol/1', fsType: 'ext4' },
    });
    const first = await node.createPod(podOf('first', claimed('shared'), `echo hello > /v/file; ${forever}`));
    await node.waitForPod('first', isRunning);
    const folder = join(
      node.agent.rootDir,
      'pods',
      first.metadata?.uid ?? '',
      'volumes/kubernetes.io~csi/shared',
    );
    expect(JSON.parse(await readFile(join(folder, 'vol_data.json'), 'utf8'))).toMatchObject({
      specVolID: 'shared',
      volumeHandle: 'vol/1',
      driverName: DRIVER,
      nodeName: 'n1',
      volumeLifecycleMode: 'Persistent',
    });
    await node.agent.kill9();
    await node.agent.restart();
    await node.createPod(podOf('second', claimed('shared', true), 'grep hello /v/file && ! touch /v/x'));
    await node.waitForPod('second', hasPhase('Succeeded'));
    const [publish] = driver.requests('NodePublishVolume');
    expect(publish).toMatchObject({
      targetPath: join(folder, 'mount'),
      volumeCapability: { mount: { fsType: 'ext4' }, accessMode: { mode: 'SINGLE_NODE_WRITER' } },
      volumeContext: { 'csi.storage.k8s.io/pod.name': 'first', 'csi.storage.k8s.io/ephemeral': 'false' },
    });
    expect(publish?.['stagingTargetPath']).toMatch(
      new RegExp(`/plugins/kubernetes.io/csi/${DRIVER}/[0-9a-f]{64}/globalmount$`),
    );
    await node.deletePod('second');
    await node.waitForGone('second');
    await node.deletePod('first', { gracePeriodSeconds: 1 });
    await node.waitForGone('first');
    await eventually(() => Promise.resolve(driver.log().at(-1) === 'NodeUnstageVolume vol/1'));
    expect(driver.log()).toEqual([
      'NodeStageVolume vol/1',
      'NodePublishVolume vol/1',
      'NodePublishVolume vol/1',
      'NodeUnpublishVolume vol/1',
      'NodeUnpublishVolume vol/1',
      'NodeUnstageVolume vol/1',
    ]);
    await eventually(async () => (await mountsOf()).length === 0);
    await eventually(
      async () => (await readdir(join(node.agent.rootDir, 'plugins/kubernetes.io/csi', DRIVER))).length === 0,
    );
    expect(await readFile(join(data, 'vol/1/file'), 'utf8')).toBe('hello\n');
  });

  test('the driver’s own words reach the pod’s events, and the next try may succeed', async () => {
    await boundClaim(node.plane, 'fails', { csi: { driver: DRIVER, volumeHandle: 'fails' } });
    driver.failNext('NodePublishVolume', 'the array is on fire');
    await node.createPod(podOf('fails', claimed('fails'), 'true'));
    await eventually(async () => (await messages('fails')).includes('the array is on fire'));
    await node.waitForPod('fails', hasPhase('Succeeded'));
    await node.deletePod('fails');
    await node.waitForGone('fails');
  });

  test('a volume that has grown is expanded, and the claim told', async () => {
    await boundClaim(node.plane, 'grown', {
      csi: { driver: DRIVER, volumeHandle: 'grown' },
      capacity: { storage: '2Gi' },
    });
    await node.createPod(podOf('grown', claimed('grown'), 'true'));
    await node.waitForPod('grown', hasPhase('Succeeded'));
    expect(driver.requests('NodeExpandVolume')).toMatchObject([
      { volumeId: 'grown', capacityRange: { requiredBytes: 2 ** 31 } },
    ]);
    const claim = await node.plane.client.get<PersistentVolumeClaim>(testResources.persistentVolumeClaims, {
      name: 'grown',
    });
    expect(claim.status?.capacity).toMatchObject({ storage: '2Gi' });
    await node.deletePod('grown');
    await node.waitForGone('grown');
  });

  test('a pod’s own volume is the driver’s for this pod alone', async () => {
    const volume: Volume = { name: 'own', csi: { driver: DRIVER, volumeAttributes: { size: 'small' } } };
    const pod = await node.createPod(podOf('inline', volume, 'echo x > /v/file'));
    await node.waitForPod('inline', hasPhase('Succeeded'));
    const request = driver.requests('NodePublishVolume').at(-1);
    expect(request).toMatchObject({
      stagingTargetPath: '',
      volumeContext: { size: 'small', 'csi.storage.k8s.io/ephemeral': 'true' },
    });
    expect(request?.['volumeId']).toMatch(/^csi-[0-9a-f]{64}$/);
    await node.deletePod('inline');
    await node.waitForGone('inline');
    const folder = join(node.agent.rootDir, 'pods', pod.metadata?.uid ?? '');
    await eventually(() =>
      stat(folder).then(
        () => false,
        () => true,
      ),
    );
  });

  test('a raw block volume is a device in the container', async () => {
    await boundClaim(node.plane, 'raw', {
      csi: { driver: DRIVER, volumeHandle: 'raw' },
      volumeMode: 'Block',
    });
    await node.createPod(
      podManifest(
        'raw',
        [
          container('c', 'test -b /dev/raw && dd if=/dev/raw of=/dev/null bs=4096 count=1', {
            volumeDevices: [{ name: 'v', devicePath: '/dev/raw' }],
          }),
        ],
        { restartPolicy: 'Never', volumes: [claimed('raw')] },
      ),
    );
    await node.waitForPod('raw', hasPhase('Succeeded'));
    await node.deletePod('raw');
    await node.waitForGone('raw');
    await eventually(() => Promise.resolve(driver.log().at(-1) === 'NodeUnstageVolume raw'));
  });

  test('an attachable volume: in use in the node’s status, attached, and only then mounted', async () => {
    await csiDriver({ attachRequired: true });
    await boundClaim(node.plane, 'attached', { csi: { driver: DRIVER, volumeHandle: 'vol-a' } });
    const name = `kubernetes.io/csi/${DRIVER}^vol-a`;
    await node.createPod(podOf('attached', claimed('attached'), forever));
    await node.waitForNode(({ status }) => status?.volumesInUse?.includes(name) === true);
    await eventually(async () =>
      (await messages('attached')).includes('volume not attached according to node status'),
    );
    expect(driver.log()).not.toContain('NodeStageVolume vol-a');
    const { client } = node.plane;
    const attachment = `csi-${createHash('sha256').update(`vol-a${DRIVER}n1`).digest('hex')}`;
    // The real control plane's attach-detach controller does its part itself; the driver's attacher is the test.
    const isFake = node.plane.fake !== undefined;
    if (isFake) {
      await client.create(testResources.volumeAttachments, {
        apiVersion: 'storage.k8s.io/v1',
        kind: 'VolumeAttachment',
        metadata: { name: attachment },
        spec: { attacher: DRIVER, nodeName: 'n1', source: { persistentVolumeName: 'attached' } },
      });
    }
    await client.patch(
      testResources.volumeAttachments,
      { name: attachment, subresource: 'status' },
      { status: { attached: true, attachmentMetadata: { lun: '3' } } },
      'merge',
    );
    if (isFake) {
      await client.patch(
        testResources.nodes,
        { name: 'n1', subresource: 'status' },
        { status: { volumesAttached: [{ name, devicePath: '' }] } },
        'merge',
      );
    }
    await node.waitForPod('attached', isRunning);
    expect(driver.requests('NodeStageVolume').at(-1)).toMatchObject({ publishContext: { lun: '3' } });
    await node.deletePod('attached', { gracePeriodSeconds: 1 });
    await node.waitForGone('attached');
    await node.waitForNode(({ status }) => status?.volumesInUse?.includes(name) !== true);
  });

  test('that removes its socket is no driver of this node any more', async () => {
    await driver.stop();
    await eventually(async () => {
      const csiNode = await node.plane.client.get<ApiObject & { spec: { drivers?: unknown[] } }>(
        testResources.csiNodes,
        { name: 'n1' },
      );
      return (csiNode.spec.drivers ?? []).length === 0;
    });
    await csiDriver({ attachRequired: false });
    await boundClaim(node.plane, 'gone', { csi: { driver: DRIVER, volumeHandle: 'gone' } });
    await node.createPod(podOf('gone', claimed('gone'), forever));
    await eventually(async () =>
      (await messages('gone')).includes(
        `driver name ${DRIVER} not found in the list of registered CSI drivers`,
      ),
    );
    await node.deletePod('gone', { gracePeriodSeconds: 0 });
    await writeFile(join(data, 'end'), '');
  });
});
