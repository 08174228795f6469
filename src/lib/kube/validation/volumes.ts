import { configKey, dns1123Label } from '../names.ts';
import { parseQuantity } from '../quantity.ts';
import type { Container, Volume } from '../types.ts';
import { validateFieldRef, validateResourceFieldRef, VOLUME_FIELDS } from './env.ts';
import type { Field } from './field.ts';
import { validateDescending, validateNoBacksteps, validateNonReserved, validateNoNul } from './paths.ts';

const HOST_PATH_TYPES = [
  '',
  'DirectoryOrCreate',
  'Directory',
  'FileOrCreate',
  'File',
  'Socket',
  'CharDevice',
  'BlockDevice',
];
const MOST_MODE = 0o777;

type DownwardItem = NonNullable<NonNullable<Volume['downwardAPI']>['items']>[number];
type KeyItem = NonNullable<NonNullable<Volume['secret']>['items']>[number];

function validateMode(mode: number | undefined, field: Field): void {
  if (mode === undefined || (mode >= 0 && mode <= MOST_MODE)) return;
  field.error(mode, `must be between 0 and 0777 (octal), that is ${MOST_MODE}`);
}

function validateKeys(items: KeyItem[] | undefined, field: Field): void {
  for (const [i, item] of (items ?? []).entries()) {
    field.at(i, 'key').checkName(item.key, configKey);
    field.at(i, 'path').checkName(item.path, validateNonReserved);
    validateMode(item.mode, field.at(i, 'mode'));
  }
}

function validateDownward(items: DownwardItem[] | undefined, field: Field): void {
  for (const [i, item] of (items ?? []).entries()) {
    const at = field.at(i);
    at.at('path').checkName(item.path, validateNonReserved);
    validateMode(item.mode, at.at('mode'));
    if ((item.fieldRef === undefined) === (item.resourceFieldRef === undefined)) {
      at.error(undefined, 'must have exactly one of fieldRef, resourceFieldRef');
    }
    if (item.fieldRef !== undefined) validateFieldRef(item.fieldRef, VOLUME_FIELDS, at.at('fieldRef'));
    if (item.resourceFieldRef !== undefined) {
      validateResourceFieldRef(item.resourceFieldRef, true, at.at('resourceFieldRef'));
    }
  }
}

function validateSource(volume: Volume, field: Field): void {
  const { emptyDir, hostPath, nfs, image, secret, configMap, downwardAPI, projected } = volume;
  if (emptyDir !== undefined) {
    const { medium = '', sizeLimit } = emptyDir;
    if (medium !== '' && medium !== 'Memory' && !/^HugePages(-.+)?$/.test(medium)) {
      field.at('emptyDir', 'medium').error(medium, 'must be "", "Memory", "HugePages" or "HugePages-SIZE"');
    }
    if (sizeLimit !== undefined && parseQuantity(sizeLimit).sign < 0) {
      field.at('emptyDir', 'sizeLimit').error(sizeLimit, 'must not be negative');
    }
  }
  if (hostPath !== undefined) {
    field
      .at('hostPath', 'path')
      .checkName(hostPath.path, (path) => validateNoBacksteps(path) ?? validateNoNul(path));
    field.at('hostPath', 'type').oneOf(hostPath.type, HOST_PATH_TYPES);
  }
  if (nfs !== undefined) {
    if (!nfs.server) field.at('nfs', 'server').required();
    field
      .at('nfs', 'path')
      .checkName(nfs.path, (path) => (path.startsWith('/') ? undefined : 'must be an absolute path'));
  }
  if (image !== undefined) {
    if (!image.reference) field.at('image', 'reference').required();
    field.at('image', 'pullPolicy').oneOf(image.pullPolicy, ['Always', 'IfNotPresent', 'Never']);
  }
  for (const [kind, source] of Object.entries({ secret, configMap, downwardAPI, projected })) {
    validateMode(source?.defaultMode, field.at(kind, 'defaultMode'));
  }
  validateKeys(secret?.items, field.at('secret', 'items'));
  validateKeys(configMap?.items, field.at('configMap', 'items'));
  validateDownward(downwardAPI?.items, field.at('downwardAPI', 'items'));
  for (const [i, source] of (projected?.sources ?? []).entries()) {
    const at = field.at('projected', 'sources', i);
    if (Object.keys(source).length !== 1) at.error(undefined, 'must have exactly one kind of source');
    validateKeys(source.secret?.items, at.at('secret', 'items'));
    validateKeys(source.configMap?.items, at.at('configMap', 'items'));
    validateDownward(source.downwardAPI?.items, at.at('downwardAPI', 'items'));
  }
}

export function validateVolumes(volumes: readonly Volume[], field: Field): void {
  const names = new Set<string>();
  for (const [i, volume] of volumes.entries()) {
    const at = field.at(i);
    at.at('name').checkName(volume.name, dns1123Label);
    if (volume.name && names.has(volume.name))
      at.at('name').error(volume.name, 'another volume has this name');
    names.add(volume.name);
    const kinds = Object.keys(volume).filter((key) => key !== 'name');
    if (kinds.length !== 1)
      at.error(undefined, `must be of exactly one kind, not ${kinds.join(' and ') || 'none'}`);
    validateSource(volume, at);
  }
}

/** A container's mounts and block devices of the pod's volumes. */
export function validateMounts(container: Container, volumes: readonly Volume[], field: Field): void {
  const paths = new Set<string>();
  const mounts = container.volumeMounts ?? [];
  const devices = container.volumeDevices ?? [];
  for (const [i, mount] of mounts.entries()) {
    const at = field.at('volumeMounts', i);
    requireVolume(mount.name, volumes, at.at('name'));
    takePath(mount.mountPath, paths, at.at('mountPath'));
    if (mount.subPath) at.at('subPath').check(mount.subPath, validateDescending(mount.subPath));
    if (mount.subPathExpr) {
      at.at('subPathExpr').check(mount.subPathExpr, validateDescending(mount.subPathExpr));
      if (mount.subPath) at.at('subPathExpr').error(mount.subPathExpr, 'must not be set beside subPath');
    }
    validatePropagation(container, mount, at);
  }
  for (const [i, device] of devices.entries()) {
    const at = field.at('volumeDevices', i);
    requireVolume(device.name, volumes, at.at('name'));
    const volume = volumes.find((each) => each.name === device.name);
    if (volume !== undefined && !volume.persistentVolumeClaim && !volume.ephemeral) {
      at.at('name').error(device.name, 'must be a persistentVolumeClaim or ephemeral volume', [
        'spec',
        'volumes',
      ]);
    }
    takePath(device.devicePath, paths, at.at('devicePath'));
    if (device.devicePath)
      at.at('devicePath').check(device.devicePath, validateNoBacksteps(device.devicePath));
    if (mounts.some((mount) => mount.name === device.name)) {
      at.at('name').error(device.name, 'must not be in volumeMounts, too');
    }
  }
}

function requireVolume(name: string | undefined, volumes: readonly Volume[], field: Field): void {
  if (!name) field.required();
  else if (!volumes.some((volume) => volume.name === name)) {
    const known = volumes.map((volume) => volume.name).join(', ');
    field.error(name, `the pod has no volume of this name (it has ${known || 'none'})`, ['spec', 'volumes']);
  }
}

function takePath(path: string | undefined, taken: Set<string>, field: Field): void {
  if (!path) return field.required();
  field.check(path, validateNoNul(path));
  if (taken.has(path)) field.error(path, 'must be the only one at this path');
  taken.add(path);
}

type Mount = NonNullable<Container['volumeMounts']>[number];

function validatePropagation(container: Container, mount: Mount, field: Field): void {
  const { mountPropagation, recursiveReadOnly } = mount;
  field.at('mountPropagation').oneOf(mountPropagation, ['None', 'HostToContainer', 'Bidirectional']);
  if (mountPropagation === 'Bidirectional' && container.securityContext?.privileged !== true) {
    field.at('mountPropagation').error(mountPropagation, 'is for privileged containers only');
  }
  const at = field.at('recursiveReadOnly');
  at.oneOf(recursiveReadOnly, ['Disabled', 'IfPossible', 'Enabled']);
  if (recursiveReadOnly === undefined || recursiveReadOnly === 'Disabled') return;
  if (mount.readOnly !== true) at.error(recursiveReadOnly, 'needs readOnly: true');
  if (mountPropagation !== undefined && mountPropagation !== 'None') {
    at.error(recursiveReadOnly, 'needs mountPropagation: None');
  }
}
