/** The kinds of volume that show a pod ConfigMaps, Secrets, tokens and itself. */
import { ContentVolume, type ContentKind, type ContentVolumeOptions } from './content-volume.ts';
import {
  type ContentSources,
  DEFAULT_MODE,
  configMapContent,
  downwardContent,
  secretContent,
} from './content.ts';
import type { VolumePlugin } from './plugin.ts';
import { projectedContent } from './projected-content.ts';

/** Mode, and whether the object may be missing, of a volume's source. */
const selectionOf = (source: { defaultMode?: number; optional?: boolean } | undefined) => ({
  isOptional: source?.optional === true,
  defaultMode: source?.defaultMode ?? DEFAULT_MODE,
});

const configMap = ({ objects }: ContentSources): ContentKind => ({
  kind: 'configMap',
  directory: 'kubernetes.io~configmap',
  inMemory: false,
  collect: ({ pod, volume: { configMap: source } }) =>
    configMapContent(objects, pod.metadata.namespace, source?.name ?? '', {
      ...selectionOf(source),
      items: source?.items,
    }),
});

const secret = ({ objects }: ContentSources): ContentKind => ({
  kind: 'secret',
  directory: 'kubernetes.io~secret',
  inMemory: true,
  collect: ({ pod, volume: { secret: source } }) =>
    secretContent(objects, pod.metadata.namespace, source?.secretName ?? '', {
      ...selectionOf(source),
      items: source?.items,
    }),
});

const downwardAPI = (sources: ContentSources): ContentKind => ({
  kind: 'downwardAPI',
  directory: 'kubernetes.io~downward-api',
  inMemory: true,
  collect: ({ pod, volume: { downwardAPI: source } }) =>
    downwardContent(pod, source?.items, source?.defaultMode ?? DEFAULT_MODE, () => sources.allocatable()),
});

const projected = (sources: ContentSources): ContentKind => ({
  kind: 'projected',
  directory: 'kubernetes.io~projected',
  inMemory: true,
  collect: ({ pod, volume, signal }) => projectedContent(pod, volume.projected ?? {}, sources, signal),
});

/** The plugins for PodVolumeManager's table. */
export const objectPlugins = (sources: ContentSources, options: ContentVolumeOptions): VolumePlugin[] =>
  [configMap, secret, downwardAPI, projected].map((kind) => new ContentVolume(kind(sources), options));
