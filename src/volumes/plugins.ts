import { EmptyDirPlugin } from './empty-dir.ts';
import type { EmptyDirOptions } from './empty-dir.ts';
import { HostPathPlugin } from './host-path.ts';
import type { VolumePlugin } from './plugin.ts';

/** The kinds of volumes that need nothing but the node itself. */
export const localPlugins = (options: EmptyDirOptions): VolumePlugin[] => [
  new EmptyDirPlugin(options),
  new HostPathPlugin(),
];
