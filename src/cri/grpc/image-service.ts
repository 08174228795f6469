import { deadlines } from '../deadlines.ts';
import type { Deadlines } from '../deadlines.ts';
import { runtimeStatus } from '../errors.ts';
import type { CallOptions, ImageService } from '../runtime.ts';
import type { AuthConfig, FilesystemUsage, Image, ImageSpec, PodSandboxConfig } from '../types.ts';
import type { Channel } from './channel.ts';
import { filesystemFrom } from './stats-messages.ts';
import type { WireFilesystem } from './stats-messages.ts';

/** CRI's image service over gRPC. `requestTimeoutMs`: KubeletConfiguration's runtimeRequestTimeout. */
export class GrpcImageService implements ImageService {
  readonly #channel: Channel;
  readonly #limits: Deadlines;

  constructor(channel: Channel, requestTimeoutMs?: number) {
    this.#channel = channel;
    this.#limits = deadlines(requestTimeoutMs);
  }

  async listImages(options?: CallOptions): Promise<Image[]> {
    const { images } = await this.#call<{ images: Image[] }>('ListImages', {}, this.#limits.read, options);
    return images.map(imageFrom);
  }

  async imageStatus(image: ImageSpec, options?: CallOptions): Promise<Image | undefined> {
    const answer = await this.#call<{ image?: Image }>('ImageStatus', { image }, this.#limits.read, options);
    return answer.image === undefined ? undefined : imageFrom(answer.image);
  }

  async pullImage(
    image: ImageSpec,
    auth: AuthConfig | undefined,
    sandbox: PodSandboxConfig | undefined,
    options?: CallOptions,
  ): Promise<string> {
    const request = { image, auth, sandboxConfig: sandbox };
    return (await this.#call<{ imageRef: string }>('PullImage', request, undefined, options)).imageRef;
  }

  async removeImage(image: ImageSpec, options?: CallOptions): Promise<void> {
    try {
      await this.#call('RemoveImage', { image }, this.#limits.change, options);
    } catch (error) {
      if (runtimeStatus(error) !== 'NOT_FOUND') throw error;
    }
  }

  async imageFsInfo(options?: CallOptions): Promise<FilesystemUsage[]> {
    const answer = await this.#call<{ imageFilesystems: WireFilesystem[] }>(
      'ImageFsInfo',
      {},
      this.#limits.read,
      options,
    );
    return answer.imageFilesystems.map(filesystemFrom);
  }

  #call<T extends object>(
    verb: string,
    request: object,
    deadlineMs: number | undefined,
    options: CallOptions | undefined,
  ): Promise<T> {
    const limited = { ...(deadlineMs === undefined ? {} : { deadlineMs }), ...options };
    return this.#channel.call<T>('ImageService', verb, request, limited);
  }
}

/** Without the fields that the contract doesn't name. */
const imageFrom = ({ id, repoTags, repoDigests, size, uid, username, pinned }: Image): Image => ({
  id,
  repoTags,
  repoDigests,
  size,
  ...(uid === undefined ? {} : { uid }),
  username,
  pinned,
});
