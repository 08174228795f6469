import { EmptyDirPlugin } from './empty-dir.ts';
import type { MemoryOptions } from './memory-folder.ts';
import { HostPathPlugin } from './host-path.ts';
import type { VolumePlugin } from './plugin.ts';
import { refusedPlugins } from './refused-kinds.ts';
import { NfsPlugin } from './sources/nfs.ts';

/** The kinds of volumes that need nothing but the node itself. */
export const localPlugins = (options: MemoryOptions): VolumePlugin[] => [
  new EmptyDirPlugin(options),
  new HostPathPlugin(),
  new NfsPlugin(),
  ...refusedPlugins(),
];
