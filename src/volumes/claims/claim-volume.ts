import { join } from 'node:path';
import { safeSegment } from '#lib/path-segment.ts';
import type { Volume } from '#lib/kube/types.ts';
import { VolumeError } from '../errors.ts';
import type { HostVolume, PodFolder, VolumePlugin, VolumeRequest } from '../plugin.ts';
import { refusalOf } from '../refused-kinds.ts';
import type { PersistentKind } from '../sources/source.ts';
import { usersOnDisk } from '../users-on-disk.ts';
import { type BoundVolume, type ClaimSources, boundVolume } from './bound-volume.ts';

const GROUP = 'pv.beta.kubernetes.io/gid';

export interface ClaimVolumesOptions {
  root: string;
  /** undefined: there is no API server to ask for claims. */
  claims: ClaimSources | undefined;
  kinds: readonly PersistentKind[];
}

/** Which pod of this process has claimed which PersistentVolume, for kinds that leave no trace on the disk. */
type Claimed = Map<string, Set<string>>;

/** Volumes of pods that name a claim, or have one made for them: the PersistentVolume behind it decides the rest. */
class ClaimVolume implements VolumePlugin {
  readonly kind: string;
  readonly directory = undefined;
  readonly ownsContents = false;
  readonly refreshes = true;
  readonly #options: ClaimVolumesOptions;
  readonly #claimed: Claimed;
  readonly #told: readonly PersistentKind[];

  /** `kinds`: of those to tell of a pod's end. */
  constructor(
    kind: string,
    options: ClaimVolumesOptions,
    claimed: Claimed,
    kinds: readonly PersistentKind[],
  ) {
    this.#told = kinds;
    this.kind = kind;
    this.#options = options;
    this.#claimed = claimed;
  }

  isDue(podUid: string, volume: Volume): boolean {
    return this.#options.kinds.some((each) => each.isDue?.(podUid, volume.name) === true);
  }

  async setUp(request: VolumeRequest): Promise<HostVolume> {
    const { pod, volume, podFolder, signal } = request;
    const { claims, kinds } = this.#options;
    if (claims === undefined) {
      const message = `kind ${this.kind} needs an API server, which this agent has none of`;
      throw new VolumeError(volume.name, message, { retryable: false });
    }
    const bound = await boundVolume(pod, volume, claims, signal);
    const kind = kinds.find((each) => each.kind in bound.spec);
    if (kind === undefined) throw this.#unknown(volume, bound);
    const name = safeSegment(bound.name, 'PersistentVolume');
    await this.#checkAlone(request, bound, kind);
    const at = (place: string): string => join(podFolder, place, kind.directory ?? kind.kind, name);
    const ready = await kind.setUp({
      ...request,
      folder: at('volumes'),
      metaFolder: at('plugins'),
      bound,
      readOnly: bound.readOnly,
    });
    const group = groupOf(bound);
    return group === undefined ? ready : { ...ready, groups: [group] };
  }

  /** ReadWriteOncePod: the scheduler sees to it, but it isn't the only one to give a node pods. */
  async #checkAlone(
    { pod, volume }: VolumeRequest,
    bound: BoundVolume,
    { directory }: PersistentKind,
  ): Promise<void> {
    const { uid } = pod.metadata;
    const users = this.#claimed.get(bound.name) ?? new Set();
    this.#claimed.set(bound.name, users);
    if (bound.spec.accessModes?.includes('ReadWriteOncePod') === true) {
      const onDisk =
        directory === undefined ? [] : await usersOnDisk(this.#options.root, directory, bound.name);
      if ([...users, ...onDisk].some((other) => other !== uid))
        throw new VolumeError(
          volume.name,
          'volume uses the ReadWriteOncePod access mode and is already in use by another pod',
        );
    }
    users.add(uid);
  }

  #unknown(volume: Volume, { name, spec }: BoundVolume): VolumeError {
    const known = this.#options.kinds.map(({ kind }) => kind);
    const source = Object.keys(spec).find((field) => refusalOf(field) !== undefined);
    const why =
      (source === undefined ? undefined : refusalOf(source)) ??
      `its kind is not supported here; supported are ${known.join(', ')}`;
    return new VolumeError(volume.name, `persistentvolume ${JSON.stringify(name)}: ${why}`);
  }

  async beforeTearDown(pod: PodFolder): Promise<void> {
    for (const kind of this.#told) await kind.beforeTearDown?.(pod);
  }

  afterTearDown(podUid: string): void {
    for (const [name, users] of this.#claimed) {
      users.delete(podUid);
      if (users.size === 0) this.#claimed.delete(name);
    }
    for (const kind of this.#told) kind.afterTearDown?.(podUid);
  }
}

function groupOf({ volume }: BoundVolume): number | undefined {
  const text = volume.metadata?.annotations?.[GROUP];
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/** `persistentVolumeClaim` and `ephemeral`, which differ only in the claim's name. */
export function claimPlugins(options: ClaimVolumesOptions): VolumePlugin[] {
  const claimed: Claimed = new Map();
  return [
    new ClaimVolume('persistentVolumeClaim', options, claimed, options.kinds),
    new ClaimVolume('ephemeral', options, claimed, []),
  ];
}
