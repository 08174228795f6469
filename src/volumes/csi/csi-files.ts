/** Where CSI volumes are on this node, and what is written down of them: upstream's paths and files. */
import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { ensureDir, listDir, readText, removeFile, writeAtomic } from '#host/files.ts';
import { safeSegment } from '#lib/path-segment.ts';

export const CSI_DIRECTORY = 'kubernetes.io~csi';
const DATA = 'vol_data.json';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The VolumeAttachment's name. */
export const attachmentName = (handle: string, driver: string, nodeName: string): string =>
  `csi-${sha256(`${handle}${driver}${nodeName}`)}`;

/** The handle of a pod's own (inline) volume. */
export const inlineHandle = (podUid: string, volumeName: string): string =>
  `csi-${sha256(`${podUid}${volumeName}`)}`;

/** As the volume is called in the Node's status. */
export const uniqueName = (driver: string, handle: string): string => `kubernetes.io/csi/${driver}^${handle}`;

export interface DevicePlace {
  /** Holds vol_data.json; stands for the volume as a whole. */
  folder: string;
  staging: string;
}

const csiRoot = (root: string): string => join(root, 'plugins/kubernetes.io/csi');

export function mountPlace(root: string, driver: string, handle: string): DevicePlace {
  const folder = join(csiRoot(root), safeSegment(driver, 'CSI driver'), sha256(handle));
  return { folder, staging: join(folder, 'globalmount') };
}

export function blockPlace(root: string, name: string): DevicePlace & { publish: string } {
  const devices = join(csiRoot(root), 'volumeDevices');
  safeSegment(name, 'PersistentVolume');
  return {
    folder: join(devices, name, 'data'),
    staging: join(devices, 'staging', name),
    publish: join(devices, 'publish', name),
  };
}

export const isBlockFolder = (folder: string): boolean =>
  folder.includes('/kubernetes.io/csi/volumeDevices/');

/** What vol_data.json holds; upstream reads and writes the same keys, and passes over others. */
export interface VolumeData {
  driverName: string;
  volumeHandle: string;
  specVolID?: string;
  nodeName?: string;
  attachmentID?: string;
  volumeLifecycleMode?: string;
  /** The boot in which staging, or publishing with all that follows it, came to its end. */
  doneInBoot?: string;
}

/** undefined where there is none, or none that says whose volume it is. */
export async function readData(folder: string): Promise<VolumeData | undefined> {
  const text = await readText(join(folder, DATA));
  if (text === undefined) return undefined;
  try {
    const data = JSON.parse(text) as Partial<VolumeData>;
    const { driverName, volumeHandle } = data;
    return typeof driverName === 'string' && typeof volumeHandle === 'string'
      ? { ...data, driverName, volumeHandle }
      : undefined;
  } catch {
    return undefined;
  }
}

export async function writeData(folder: string, data: VolumeData): Promise<void> {
  await ensureDir(folder, 0o750);
  await writeAtomic(join(folder, DATA), JSON.stringify(data), 0o600);
}

export const removeData = (folder: string): Promise<void> => removeFile(join(folder, DATA));

export const bootId = async (): Promise<string> =>
  ((await readText('/proc/sys/kernel/random/boot_id')) ?? '').trim();

/** A volume that a pod has on the disk. */
export interface PodVolumeFiles {
  uid: string;
  /** The PersistentVolume's name, or an inline volume's own. */
  name: string;
  isBlock: boolean;
  /** What is published there. */
  target: string;
  /** Where vol_data.json is. */
  folder: string;
  data: VolumeData | undefined;
}

/** All CSI volumes of the pod, by the disk. */
export async function volumesOfPod(root: string, uid: string): Promise<PodVolumeFiles[]> {
  const pod = join(root, 'pods', uid);
  const found: PodVolumeFiles[] = [];
  for (const { name } of (await listDir(join(pod, 'volumes', CSI_DIRECTORY))) ?? []) {
    const folder = join(pod, 'volumes', CSI_DIRECTORY, name);
    found.push({
      uid,
      name,
      isBlock: false,
      target: join(folder, 'mount'),
      folder,
      data: await readData(folder),
    });
  }
  for (const { name } of (await listDir(join(pod, 'volumeDevices', CSI_DIRECTORY))) ?? []) {
    const { folder, publish } = blockPlace(root, name);
    found.push({
      uid,
      name,
      isBlock: true,
      target: join(publish, uid),
      folder,
      data: await readData(folder),
    });
  }
  return found;
}

export async function volumesOfAllPods(root: string): Promise<PodVolumeFiles[]> {
  const pods = (await listDir(join(root, 'pods'))) ?? [];
  const each = await Promise.all(pods.map(({ name }) => volumesOfPod(root, name)));
  return each.flat();
}

/** The folders of all volumes that drivers may hold for this node. */
export async function deviceFolders(root: string): Promise<string[]> {
  const top = csiRoot(root);
  const found: string[] = [];
  for (const { name: driver } of (await listDir(top)) ?? []) {
    for (const { name } of (await listDir(join(top, driver))) ?? []) {
      if (driver !== 'volumeDevices') found.push(join(top, driver, name));
      else if (name !== 'staging' && name !== 'publish') found.push(join(top, driver, name, 'data'));
    }
  }
  return found;
}

/** Where a volume's folder is known, the place to unstage. */
export const placeOfFolder = (root: string, folder: string): DevicePlace =>
  isBlockFolder(folder)
    ? blockPlace(root, basename(dirname(folder)))
    : { folder, staging: join(folder, 'globalmount') };
