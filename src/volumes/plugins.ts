import { EmptyDirPlugin } from './empty-dir.ts';
import type { MemoryOptions } from './memory-folder.ts';
import { HostPathPlugin } from './host-path.ts';
import type { VolumePlugin } from './plugin.ts';

/** The kinds of volumes that need nothing but the node itself. */
export const localPlugins = (options: MemoryOptions): VolumePlugin[] => [
  new EmptyDirPlugin(options),
  new HostPathPlugin(),
];
