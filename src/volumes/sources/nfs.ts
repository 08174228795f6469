import { findProgram, programFolders } from '#host/find-program.ts';
import { mountFileSystem } from '#host/mounts.ts';
import { isIPv6 } from 'node:net';
import { VolumeError } from '../errors.ts';
import type { HostVolume, VolumePlugin, VolumeRequest } from '../plugin.ts';
import { mountOnce } from './mounted.ts';
import type { PersistentKind, PersistentRequest } from './source.ts';

const DIRECTORY = 'kubernetes.io~nfs';
/** A server that doesn't answer keeps mount.nfs waiting for two minutes by itself. */
const MOUNT_MS = 60_000;

interface NfsMount {
  server: string;
  path: string;
  options: readonly string[];
}

async function mountNfs(
  request: VolumeRequest & { readOnly: boolean },
  { server, path, options }: NfsMount,
): Promise<HostVolume> {
  const { folder, volume, readOnly, signal } = request;
  if (server === '' || server.startsWith('-'))
    throw new VolumeError(volume.name, `nfs.server ${JSON.stringify(server)} is not a host`);
  if ((await findProgram('mount.nfs', programFolders(process.env['PATH']))) === undefined) {
    throw new VolumeError(
      volume.name,
      'this node has no program mount.nfs: install the package nfs-common (Debian, Ubuntu) or nfs-utils (Fedora, RHEL, ' +
        'SUSE, Alpine)',
    );
  }
  const source = `${isIPv6(server) ? `[${server}]` : server}:${path}`;
  const mount = { type: 'nfs', source, target: folder, options: [...(readOnly ? ['ro'] : []), ...options] };
  // The server decides who may do what: fsGroup is not applied, as upstream.
  await mountOnce(request, () => mountFileSystem(mount, { signal, timeoutMs: MOUNT_MS }), undefined);
  return { hostPath: folder, readOnly, selinuxRelabel: false };
}

/** A pod's own NFS volume. */
export class NfsPlugin implements VolumePlugin {
  readonly kind = 'nfs';
  readonly directory = DIRECTORY;
  readonly ownsContents = false;

  setUp(request: VolumeRequest): Promise<HostVolume> {
    const { server = '', path = '', readOnly = false } = request.volume.nfs ?? {};
    return mountNfs({ ...request, readOnly }, { server, path, options: [] });
  }
}

/** A PersistentVolume on NFS. */
export const nfsKind: PersistentKind = {
  kind: 'nfs',
  directory: DIRECTORY,
  setUp: (request: PersistentRequest) => {
    const { nfs, mountOptions = [] } = request.bound.spec;
    const readOnly = request.readOnly || nfs?.readOnly === true;
    const { server = '', path = '' } = nfs ?? {};
    return mountNfs({ ...request, readOnly }, { server, path, options: mountOptions });
  },
};
