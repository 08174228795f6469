import type { KubeClient } from '#lib/kube/client.ts';
import { describeError } from '#lib/errors.ts';
import type { Volume } from '#lib/kube/types.ts';
import { VolumeError } from '../errors.ts';
import type { HostVolume, PodFolder, VolumePlugin, VolumeRequest } from '../plugin.ts';
import type { PersistentKind, PersistentRequest } from '../sources/source.ts';
import { CSI_DIRECTORY, blockPlace, inlineHandle, mountPlace } from './csi-files.ts';
import { type CsiVolume, secretOf } from './csi-request.ts';
import type { CsiVolumes } from './csi-volumes.ts';
import { expand, hasGrown } from './expand.ts';
import type { CsiDrivers } from './node-service.ts';

export interface CsiKindsOptions {
  root: string;
  volumes: CsiVolumes;
  drivers: CsiDrivers;
  client: Pick<KubeClient, 'get' | 'patch'>;
}

/** PersistentVolumes of CSI drivers. */
export class CsiKind implements PersistentKind {
  readonly kind = 'csi';
  readonly directory = CSI_DIRECTORY;
  readonly #options: CsiKindsOptions;

  constructor(options: CsiKindsOptions) {
    this.#options = options;
  }

  async setUp(request: PersistentRequest): Promise<HostVolume> {
    const { bound, pod, volume, folder, signal } = request;
    const { spec, name } = bound;
    const { csi } = spec;
    if (csi === undefined || csi.driver === '' || csi.volumeHandle === '')
      throw new VolumeError(volume.name, `persistentvolume ${name}: csi needs driver and volumeHandle`);
    const own: CsiVolume = {
      pod,
      volumeName: volume.name,
      name,
      driver: csi.driver,
      handle: csi.volumeHandle,
      mode: 'Persistent',
      isBlock: spec.volumeMode === 'Block',
      readOnly: request.readOnly || csi.readOnly === true,
      fsType: csi.fsType ?? '',
      attributes: csi.volumeAttributes ?? {},
      mountOptions: spec.mountOptions ?? [],
      accessModes: spec.accessModes ?? [],
      publishSecret: secretOf(csi.nodePublishSecretRef),
      stageSecret: secretOf(csi.nodeStageSecretRef),
      expandSecret: secretOf(csi.nodeExpandSecretRef),
    };
    return inWords(volume.name, signal, async () => {
      const ready = await this.#options.volumes.setUp(own, folder, signal);
      if (hasGrown(bound)) await this.#expand(own, request, ready);
      return ready;
    });
  }

  #expand(volume: CsiVolume, { bound, signal }: PersistentRequest, { hostPath }: HostVolume): Promise<void> {
    const { root, drivers, client } = this.#options;
    const { staging } = volume.isBlock
      ? blockPlace(root, volume.name)
      : mountPlace(root, volume.driver, volume.handle);
    const service = drivers.service(volume.driver);
    return expand({
      volume,
      bound,
      service,
      client,
      volumePath: hostPath,
      stagingTargetPath: staging,
      signal,
    });
  }

  isDue(podUid: string, volumeName: string): boolean {
    return this.#options.volumes.due.isDue(podUid, volumeName);
  }

  beforeTearDown(pod: PodFolder): Promise<void> {
    return this.#options.volumes.beforeTearDown(pod);
  }

  afterTearDown(podUid: string): void {
    this.#options.volumes.afterTearDown(podUid);
  }
}

/** Volumes that a pod has a CSI driver make for it alone. */
export class CsiPlugin implements VolumePlugin {
  readonly kind = 'csi';
  readonly directory = CSI_DIRECTORY;
  readonly ownsContents = false;
  readonly refreshes = true;
  readonly #volumes: CsiVolumes;

  constructor(volumes: CsiVolumes) {
    this.#volumes = volumes;
  }

  isDue(podUid: string, { name }: Volume): boolean {
    return this.#volumes.due.isDue(podUid, name);
  }

  setUp({ pod, volume, folder, signal }: VolumeRequest): Promise<HostVolume> {
    const { csi } = volume;
    const secret = csi?.nodePublishSecretRef?.name;
    const own: CsiVolume = {
      pod,
      volumeName: volume.name,
      name: volume.name,
      driver: csi?.driver ?? '',
      handle: inlineHandle(pod.metadata.uid, volume.name),
      mode: 'Ephemeral',
      isBlock: false,
      readOnly: csi?.readOnly === true,
      fsType: csi?.fsType ?? '',
      attributes: csi?.volumeAttributes ?? {},
      mountOptions: [],
      accessModes: [],
      publishSecret: secret ? { namespace: pod.metadata.namespace, name: secret } : undefined,
      stageSecret: undefined,
      expandSecret: undefined,
    };
    return inWords(volume.name, signal, () => this.#volumes.setUp(own, folder, signal));
  }
}

async function inWords<T>(name: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof VolumeError || signal.aborted) throw cause;
    throw new VolumeError(name, describeError(cause), { cause });
  }
}
