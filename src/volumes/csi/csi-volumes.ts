/** CSI volumes of this node: staged once a volume, published once a pod, and let go in the reverse order. */
import { basename, dirname, join } from 'node:path';
import { removeEmptyDir, replaceLink } from '#host/files.ts';
import { mountAt, readMounts, unmount } from '#host/mounts.ts';
import { removeEmptyTree } from '#host/trees.ts';
import { makeFolder } from '#host/volume-files.ts';
import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import { KeyedQueue } from '#lib/keyed-queue.ts';
import type { KubeClient } from '#lib/kube/client.ts';
import type { CsiDriver, Node } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import type { ServiceAccountTokens } from '../content.ts';
import { removeDeviceLinks } from '../device-links.ts';
import { VolumeError } from '../errors.ts';
import { type FsGroupOptions, applyFsGroup } from '../fs-group.ts';
import type { HostVolume, PodFolder } from '../plugin.ts';
import { untilAttached } from './attachment.ts';
import { secretValues, tokenAttributes } from './csi-context.ts';
import {
  CSI_DIRECTORY,
  type DevicePlace,
  type VolumeData,
  attachmentName,
  blockPlace,
  bootId,
  deviceFolders,
  isBlockFolder,
  mountPlace,
  placeOfFolder,
  readData,
  removeData,
  uniqueName,
  volumesOfAllPods,
  volumesOfPod,
  writeData,
} from './csi-files.ts';
import { type CsiVolume, capabilityOf, modeRefusal, needsFsGroup, podInfo } from './csi-request.ts';
import type { CsiDrivers, CsiNodeCapability, CsiNodeService, CsiStage } from './node-service.ts';
import { DuePods } from './due-pods.ts';
import { VolumesInUse } from './volumes-in-use.ts';

export interface CsiVolumesOptions extends FsGroupOptions {
  root: string;
  nodeName: string;
  client: Pick<KubeClient, 'get'>;
  node(): Node;
  drivers: CsiDrivers;
  tokens: ServiceAccountTokens | undefined;
  /** The node's status is to be written: `inUse` has changed. */
  onInUse(): void;
  /** The pod's volumes are to be renewed. */
  onDue(podUid: string): void;
  clock: Clock;
  logger: Logger;
}

/** How long one try waits for the volume to be attached before the pod hears that it isn't. */
const ATTACH_MS = 10_000;
const RETRY_MS = 15_000;
const UNSTAGE_MS = 120_000;

/** A volume's driver, as it stands for one call. */
interface Ready {
  service: CsiNodeService;
  capabilities: ReadonlySet<CsiNodeCapability>;
  spec: CsiDriver['spec'] | undefined;
}

export class CsiVolumes {
  readonly #options: CsiVolumesOptions;
  /** By the volume's folder: set up in turn, and looked at after each pod's end. */
  readonly #devices: KeyedQueue;
  readonly inUse: VolumesInUse;
  readonly due: DuePods;

  constructor(options: CsiVolumesOptions) {
    this.#options = options;
    this.#devices = new KeyedQueue(options.clock, (folder) => this.#release(folder));
    this.inUse = new VolumesInUse(options.clock, () => options.onInUse());
    this.due = new DuePods(options.clock, (uid) => options.onDue(uid));
  }

  /** Takes over what earlier processes left: call once, before the first pod's volumes. */
  async adopt(): Promise<void> {
    const { root } = this.#options;
    const volumes = await volumesOfAllPods(root);
    const staged = await Promise.all((await deviceFolders(root)).map(readData));
    const all = [
      ...volumes.flatMap(({ data }) => (data?.volumeLifecycleMode === 'Ephemeral' ? [] : data)),
      ...staged,
    ];
    const names = all.flatMap((data) =>
      data === undefined ? [] : uniqueName(data.driverName, data.volumeHandle),
    );
    for (const { uid } of volumes) this.due.adopt(uid);
    this.inUse.adopt(names);
    this.sweep();
  }

  /** Looks at every volume that may not be in use any more: after a pod's end, and when a driver comes (back). */
  sweep(): void {
    void deviceFolders(this.#options.root)
      .then((folders) => folders.forEach((folder) => this.#devices.add(folder)))
      .catch((error: unknown) => this.#options.logger.warn({ err: error }, 'CSI volumes can’t be looked at'));
  }

  stop(): void {
    this.due.stop();
    void this.#devices.stop();
  }

  /** `folder`: the pod's for this volume. Idempotent; renews what the driver wants renewed. */
  async setUp(volume: CsiVolume, folder: string, signal: AbortSignal): Promise<HostVolume> {
    const { root, drivers } = this.#options;
    const place = volume.isBlock
      ? blockPlace(root, volume.name)
      : mountPlace(root, volume.driver, volume.handle);
    const spec = await drivers.described(volume.driver, signal);
    const refusal = modeRefusal(volume, spec);
    if (refusal !== undefined) throw new VolumeError(volume.volumeName, refusal);
    const service = drivers.service(volume.driver);
    const ready: Ready = { service, spec, capabilities: await service.capabilities(signal) };
    const target = volume.isBlock
      ? join(blockPlace(root, volume.name).publish, volume.pod.metadata.uid)
      : join(folder, 'mount');
    const publish = (): Promise<void> => this.#publish(volume, { place, folder, target }, ready, signal);
    if (volume.mode === 'Ephemeral') await publish();
    else await this.#devices.exclusively(place.folder, publish);
    const mayGrow = volume.mode === 'Persistent' && ready.capabilities.has('EXPAND_VOLUME');
    this.due.done(volume.pod.metadata.uid, volume.volumeName, mayGrow || spec?.requiresRepublish === true);
    const { readOnly, isBlock } = volume;
    return {
      hostPath: target,
      readOnly,
      selinuxRelabel: !isBlock && spec?.seLinuxMount !== true,
      ...(isBlock ? { isDevice: true } : {}),
    };
  }

  async #publish(
    volume: CsiVolume,
    at: { place: DevicePlace; folder: string; target: string },
    ready: Ready,
    signal: AbortSignal,
  ): Promise<void> {
    const { client, nodeName, tokens } = this.#options;
    const { place, folder, target } = at;
    const { service, spec, capabilities } = ready;
    const boot = await bootId();
    const dataFolder = volume.isBlock ? place.folder : folder;
    const before = await readData(dataFolder);
    const isDone =
      before?.doneInBoot === boot &&
      before.volumeHandle === volume.handle &&
      mountAt(await readMounts(), target) !== undefined;
    if (isDone && spec?.requiresRepublish !== true) return;
    const data: VolumeData = {
      specVolID: volume.name,
      volumeHandle: volume.handle,
      driverName: volume.driver,
      nodeName,
      volumeLifecycleMode: volume.mode,
      attachmentID: attachmentName(volume.handle, volume.driver, nodeName),
    };
    // Written ahead: whoever takes the pod down must know that the driver may have been asked, and another pod's end
    // that the volume is in use.
    if (!isDone) await this.#note(volume, dataFolder, data);
    const isStaged = volume.mode === 'Persistent' && capabilities.has('STAGE_UNSTAGE_VOLUME');
    const publishContext = volume.mode === 'Persistent' ? await this.#attached(volume, spec, signal) : {};
    const volumeCapability = capabilityOf(volume, capabilities);
    const common = { volumeId: volume.handle, publishContext, volumeCapability };
    if (volume.mode === 'Persistent') await this.#stage(volume, place, isStaged, common, ready, boot, signal);
    const given = await tokenAttributes(volume.pod, spec, tokens, signal);
    const inSecrets = spec?.serviceAccountTokenInSecrets === true;
    const secrets = await secretValues(client, volume.publishSecret, signal);
    // The driver makes the target itself.
    await makeFolder(dirname(target), 0o750, 0o750);
    await service.publish(
      {
        ...common,
        ...(isStaged ? { stagingTargetPath: place.staging } : {}),
        targetPath: target,
        readonly: volume.readOnly,
        secrets: { ...secrets, ...(inSecrets ? given : {}) },
        volumeContext: { ...volume.attributes, ...podInfo(volume, spec), ...(inSecrets ? {} : given) },
      },
      signal,
    );
    if (isDone) return;
    if (needsFsGroup(volume, spec, capabilities))
      await applyFsGroup({ pod: volume.pod, path: target, readOnly: false, signal }, this.#options);
    if (!volume.isBlock) await writeData(folder, { ...data, doneInBoot: boot });
  }

  async #note(volume: CsiVolume, dataFolder: string, data: VolumeData): Promise<void> {
    if (!volume.isBlock) {
      await writeData(dataFolder, data);
      return;
    }
    if ((await readData(dataFolder)) === undefined) await writeData(dataFolder, data);
    const { uid } = volume.pod.metadata;
    const { root } = this.#options;
    const links = join(root, 'pods', uid, 'volumeDevices', CSI_DIRECTORY);
    await makeFolder(links, 0o750, 0o750);
    await replaceLink(join(blockPlace(root, volume.name).publish, uid), join(links, volume.name));
  }

  async #attached(
    volume: CsiVolume,
    spec: Ready['spec'],
    signal: AbortSignal,
  ): Promise<Record<string, string>> {
    if (spec?.attachRequired === false) return {};
    const reported = (name: string): Promise<boolean> => this.inUse.report(name, ATTACH_MS, signal);
    return untilAttached(
      volume,
      { ...this.#options, node: () => this.#options.node(), reported },
      ATTACH_MS,
      signal,
    );
  }

  async #stage(
    volume: CsiVolume,
    { folder, staging }: DevicePlace,
    isWanted: boolean,
    common: Pick<CsiStage, 'volumeId' | 'publishContext' | 'volumeCapability'>,
    { service }: Ready,
    boot: string,
    signal: AbortSignal,
  ): Promise<void> {
    const known = await readData(folder);
    if (known?.doneInBoot === boot) return;
    const data = { ...known, volumeHandle: volume.handle, driverName: volume.driver };
    await makeFolder(staging, 0o750, 0o750);
    await writeData(folder, data);
    if (!isWanted) return;
    const secrets = await secretValues(this.#options.client, volume.stageSecret, signal);
    const request = { ...common, stagingTargetPath: staging, secrets, volumeContext: volume.attributes };
    await service.stage(request, signal);
    await writeData(folder, { ...data, doneInBoot: boot });
  }

  /** Unpublishes all that the pod has, by the disk alone. Rejects where a driver that is needed isn't there. */
  async beforeTearDown({ uid, folder, signal }: PodFolder): Promise<void> {
    const { root, drivers } = this.#options;
    for (const volume of await volumesOfPod(root, uid)) {
      const { data, target } = volume;
      // Nothing was written down before anything was asked of a driver.
      if (data === undefined) continue;
      try {
        await drivers.service(data.driverName).unpublish(data.volumeHandle, target, signal);
        // From here to the end of the volume, whatever the signal: or the driver would be asked a second time.
        while (mountAt(await readMounts(), target) !== undefined) await unmount(target);
      } catch (cause) {
        signal.throwIfAborted();
        throw new VolumeError(volume.name, `can't be unpublished: ${describeError(cause)}`, { cause });
      }
      await removeEmptyTree(target);
      if (!volume.isBlock) await removeData(volume.folder);
    }
    await removeDeviceLinks(join(folder, 'volumeDevices', CSI_DIRECTORY));
  }

  afterTearDown(podUid: string): void {
    this.due.forget(podUid);
    this.sweep();
  }

  /** Unstages the volume if no pod has it any more; comes back to it as long as that fails. */
  async #release(folder: string): Promise<void> {
    const { root, drivers, logger } = this.#options;
    const signal = AbortSignal.timeout(UNSTAGE_MS);
    try {
      const data = await readData(folder);
      if (data === undefined || (await this.#isUsed(folder, data))) return;
      const { driverName, volumeHandle } = data;
      const { staging } = placeOfFolder(root, folder);
      const service = drivers.service(driverName);
      if ((await service.capabilities(signal)).has('STAGE_UNSTAGE_VOLUME'))
        await service.unstage(volumeHandle, staging, signal);
      const blocked = await removeEmptyTree(staging, signal);
      if (blocked.length > 0)
        throw new VolumeError(volumeHandle, `the driver left something at ${blocked[0]?.path ?? staging}`);
      await removeData(folder);
      await removeEmptyDir(folder);
      if (isBlockFolder(folder)) {
        await removeEmptyDir(dirname(folder));
        await removeEmptyDir(blockPlace(root, basename(dirname(folder))).publish);
      }
      this.inUse.remove(uniqueName(driverName, volumeHandle));
    } catch (error) {
      logger.warn({ err: error, folder }, `a CSI volume is still held: ${describeError(error)}`);
      this.#devices.add(folder, RETRY_MS);
    }
  }

  async #isUsed(folder: string, { driverName, volumeHandle }: VolumeData): Promise<boolean> {
    const isBlock = isBlockFolder(folder);
    return (await volumesOfAllPods(this.#options.root)).some(
      (each) =>
        each.isBlock === isBlock &&
        (isBlock
          ? each.folder === folder
          : each.data?.driverName === driverName && each.data.volumeHandle === volumeHandle),
    );
  }
}
