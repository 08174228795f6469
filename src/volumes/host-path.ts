import { kindAt, makeFile, makeFolder } from '#host/volume-files.ts';
import type { FileKind } from '#host/volume-files.ts';
import { VolumeError } from './errors.ts';
import type { HostVolume, VolumePlugin, VolumeRequest } from './plugin.ts';

/** What each type of hostPath wants to find, and what it makes where nothing is. */
const TYPES: Readonly<Record<string, { wants: FileKind; make?: (path: string) => Promise<void> }>> = {
  DirectoryOrCreate: { wants: 'directory', make: (path) => makeFolder(path, 0o755) },
  Directory: { wants: 'directory' },
  FileOrCreate: { wants: 'file', make: (path) => makeFile(path, 0o644) },
  File: { wants: 'file' },
  Socket: { wants: 'socket' },
  CharDevice: { wants: 'character device' },
  BlockDevice: { wants: 'block device' },
};

/** A file or folder of the node itself. It outlives the pod, and nothing is removed with it. */
export class HostPathPlugin implements VolumePlugin {
  readonly kind = 'hostPath';
  readonly directory = undefined;
  readonly ownsContents = false;

  async setUp({ volume }: VolumeRequest): Promise<HostVolume> {
    const path = volume.hostPath?.path ?? '';
    const type = volume.hostPath?.type ?? '';
    const fail = (problem: string, more: { cause?: unknown; retryable?: boolean } = {}): never => {
      throw new VolumeError(volume.name, `hostPath ${path}: ${problem}`, more);
    };
    if (!path.startsWith('/')) fail('the path must be absolute', { retryable: false });
    if (path.split('/').includes('..')) fail('the path must not contain ".."', { retryable: false });
    const ready: HostVolume = { hostPath: path, readOnly: false, selinuxRelabel: false };
    if (type === '') return ready;

    const rule = TYPES[type];
    if (rule === undefined) {
      const known = Object.keys(TYPES).join(', ');
      return fail(`type ${JSON.stringify(type)} does not exist; allowed are "", ${known}`, {
        retryable: false,
      });
    }
    try {
      let found = await kindAt(path);
      if (found === undefined && rule.make !== undefined) {
        await rule.make(path);
        found = await kindAt(path);
      }
      if (found !== rule.wants) {
        const what = found === undefined ? 'nothing is there' : `found a ${found}`;
        fail(`type ${type} wants a ${rule.wants}, but ${what}`);
      }
    } catch (cause) {
      if (cause instanceof VolumeError) throw cause;
      fail(`can't be ${rule.make === undefined ? 'looked at' : 'made'}`, { cause });
    }
    return ready;
  }
}
