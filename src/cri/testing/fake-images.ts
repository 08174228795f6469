import type { Clock } from '#lib/clock.ts';
import { deadlines } from '../deadlines.ts';
import { RuntimeError } from '../errors.ts';
import type { CallOptions, ImageService } from '../runtime.ts';
import type { AuthConfig, FilesystemUsage, Image, ImageSpec, PodSandboxConfig } from '../types.ts';
import { CallScript } from './call-script.ts';

const LIMITS = deadlines();

/** What a fake image may say of itself; the rest is made up. */
export type FakeImage = Partial<Omit<Image, 'repoTags'>>;

/**
 * An ImageService in memory. `add` puts an image on the node, `publish` into the registry that pulls draw from.
 * Names are compared as they are given: normalizing them (docker.io/library/…:latest) is the agent's work.
 */
export class FakeImages implements ImageService {
  readonly script: CallScript;
  readonly #clock: Clock;
  readonly #local = new Map<string, Image>();
  readonly #registry = new Map<string, { image: Image; username: string | undefined }>();
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.script = new CallScript(clock);
  }

  /** Puts an image on the node. */
  add(name: string, image: FakeImage = {}): Image {
    const made = this.#make(name, image);
    this.#local.set(made.id, made);
    return made;
  }

  /** Puts an image into the registry; with `username`, a pull without that user's credentials is refused. */
  publish(name: string, image: FakeImage & { registryUser?: string } = {}): Image {
    const { registryUser, ...rest } = image;
    const made = this.#make(name, rest);
    this.#registry.set(name, { image: made, username: registryUser });
    return made;
  }

  /** The image on the node by tag, digest or ID. */
  find(name: string): Image | undefined {
    for (const image of this.#local.values()) {
      if (image.id === name || image.repoTags.includes(name) || image.repoDigests.includes(name)) {
        return image;
      }
    }
    return undefined;
  }

  listImages(options?: CallOptions): Promise<Image[]> {
    return this.#call('ListImages', '', [], LIMITS.read, options, () => [...this.#local.values()]);
  }

  imageStatus(image: ImageSpec, options?: CallOptions): Promise<Image | undefined> {
    return this.#call('ImageStatus', image.image, [image], LIMITS.read, options, () =>
      this.find(image.image),
    );
  }

  pullImage(
    image: ImageSpec,
    auth: AuthConfig | undefined,
    sandbox: PodSandboxConfig | undefined,
    options?: CallOptions,
  ): Promise<string> {
    return this.#call('PullImage', image.image, [image, auth, sandbox], undefined, options, () => {
      const published = this.#registry.get(image.image);
      const problem = `failed to pull and unpack image "${image.image}": failed to resolve reference "${image.image}"`;
      if (published === undefined) {
        throw new RuntimeError('PullImage', 'NOT_FOUND', `${problem}: ${image.image}: not found`);
      }
      if (published.username !== undefined && published.username !== auth?.username) {
        const words = 'pull access denied, repository does not exist or may require authorization';
        throw new RuntimeError('PullImage', 'UNKNOWN', `${problem}: ${words}: authorization failed`);
      }
      // The newest pull takes the tag from an older image of that name.
      for (const older of this.#local.values()) {
        if (older.id !== published.image.id) {
          older.repoTags = older.repoTags.filter((tag) => tag !== image.image);
        }
      }
      this.#local.set(published.image.id, published.image);
      return published.image.id;
    });
  }

  removeImage(image: ImageSpec, options?: CallOptions): Promise<void> {
    return this.#call('RemoveImage', image.image, [image], LIMITS.change, options, () => {
      const found = this.find(image.image);
      if (found !== undefined) this.#local.delete(found.id);
    });
  }

  imageFsInfo(options?: CallOptions): Promise<FilesystemUsage[]> {
    return this.#call('ImageFsInfo', '', [], LIMITS.read, options, () => [
      {
        timestamp: this.#clock.now(),
        mountpoint: '/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs',
        usedBytes: [...this.#local.values()].reduce((sum, image) => sum + image.size, 0),
        inodesUsed: this.#local.size * 100,
      },
    ]);
  }

  #make(name: string, image: FakeImage): Image {
    const hex = (++this.#count).toString(16).padStart(64, '0');
    const byDigest = name.includes('@');
    const repository = name.replace(/@.*$/, '').replace(/:[^:/]*$/, '');
    return {
      id: `sha256:${hex}`,
      repoTags: byDigest ? [] : [name],
      repoDigests: byDigest ? [name] : [`${repository}@sha256:${hex}`],
      size: 1_000_000,
      username: '',
      pinned: false,
      ...image,
    };
  }

  #call<T>(
    verb: string,
    target: string,
    args: readonly unknown[],
    deadlineMs: number | undefined,
    options: CallOptions | undefined,
    work: () => T,
  ): Promise<T> {
    return this.script.play({ verb, target, args }, deadlineMs, options, work);
  }
}
