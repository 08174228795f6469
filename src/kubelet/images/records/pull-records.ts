import type { ImageService } from '#cri/runtime.ts';
import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import { bareImageName, canonicalImageName, parseImageName } from '#lib/kube/image-name.ts';
import type { Logger } from '#lib/logger.ts';
import { PriorityGate } from '#lib/priority-gate.ts';
import type { Credential } from '../credential.ts';
import type { VerificationPolicy } from '../verification-policy.ts';
import type { RecordFiles } from './files.ts';
import { recordTime } from './format.ts';
import type { PulledRecord, RecordedCredentials, RecordedSecret, RecordedServiceAccount } from './format.ts';
import { mergeRecord } from './merge.ts';

/** Beyond this many secrets, a match by hash or identity alone is no longer written down. */
const SECRETS_TO_REMEMBER = 100;

/**
 * Remembers which images the agent pulled and with whose login, so that an image pulled with one pod's secret isn't
 * handed to a pod that could not pull it itself.
 *
 * An intent is on disk before a pull begins and stays until its outcome is: an image that came with a process that
 * died counts as pulled by the agent, with nobody's login shown.
 */
export class PullRecords {
  readonly #files: RecordFiles;
  readonly #policy: VerificationPolicy;
  readonly #images: ImageService;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** Pulls under way by the image's name as their intent spells it. */
  readonly #underWay = new Map<string, number>();
  readonly #gate = new PriorityGate(1);
  readonly #never = new AbortController().signal;
  #adopted: Promise<void> | undefined;

  constructor(
    files: RecordFiles,
    policy: VerificationPolicy,
    images: ImageService,
    clock: Clock,
    logger: Logger,
  ) {
    this.#files = files;
    this.#policy = policy;
    this.#images = images;
    this.#clock = clock;
    this.#logger = logger;
  }

  /**
   * Turns the intents of a process that died into records, for the images that its pulls brought. Once; again
   * after a failure. Everything else waits for it.
   */
  adopt(): Promise<void> {
    this.#adopted ??= this.#adopt().catch((error: unknown) => {
      this.#adopted = undefined;
      throw error;
    });
    return this.#adopted;
  }

  /** Notes that a pull begins. Rejects where that can't be written: the pull must not begin then. */
  begin(image: string): Promise<void> {
    return this.#inTurn(async () => {
      await this.#files.writeIntent(image);
      this.#underWay.set(image, (this.#underWay.get(image) ?? 0) + 1);
    });
  }

  /** Notes a pull's success: the image's ID, every name that it was asked by, and the login that worked. */
  pulled(
    image: string,
    names: Iterable<string>,
    imageId: string,
    used: Credential | undefined,
  ): Promise<void> {
    return this.#inTurn(async () => {
      try {
        for (const name of names) await this.#write(name, imageId, recorded(used));
      } catch (error) {
        // The intent stays, so that the image still counts as pulled by the agent.
        this.#logger.error({ image, imageId, err: error }, 'a pulled image can not be recorded');
        return;
      }
      await this.#end(image);
    });
  }

  /**
   * Notes a pull's failure. `arrivedId`: the image that is there nevertheless although it wasn't before, where the
   * runtime did not say how the pull ended.
   */
  failed(image: string, arrivedId?: string): Promise<void> {
    return this.#inTurn(async () => {
      try {
        if (arrivedId !== undefined) await this.#write(image, arrivedId, undefined);
        await this.#end(image);
      } catch (error) {
        this.#logger.error({ image, err: error }, 'a failed image pull can not be recorded');
      }
    });
  }

  /** Ends the bookkeeping of a pull whose outcome nobody knows; the intent stays for the next process. */
  abandoned(image: string): void {
    this.#leave(image);
  }

  /** Whether a pod that asks for a present image has to pull it, to show that it may have it. */
  async mustPull(
    image: string,
    imageId: string,
    candidates: () => Promise<readonly Credential[]>,
  ): Promise<boolean> {
    let record: PulledRecord | undefined;
    let pulledByAgent: boolean;
    try {
      record = await this.#files.pulled(imageId);
      pulledByAgent = record !== undefined || this.#isUnderWay(image) || (await this.#files.hasIntent(image));
    } catch (error) {
      this.#logger.warn(
        { image, problem: describeError(error) },
        'the image is pulled: its record is unreadable',
      );
      return true;
    }
    if (!this.#policy(image, pulledByAgent)) return false;
    const mapping = record?.credentialMapping ?? {};
    const name = bareImageName(image);
    const known = Object.hasOwn(mapping, name) ? mapping[name] : undefined;
    if (known?.nodePodsAccessible === true) return false;
    const shown = known?.kubernetesSecrets ?? [];
    const accounts = known?.kubernetesServiceAccounts ?? [];
    if (shown.length + accounts.length === 0) return true;
    for (const candidate of await candidates()) {
      const { account } = candidate;
      if (account !== undefined && accounts.some((each) => isSameAccount(each, account))) return false;
      const [secret] = recorded(candidate).kubernetesSecrets ?? [];
      if (secret === undefined) continue;
      const match = findShown(shown, secret);
      if (match === undefined) continue;
      if (match !== 'same' && shown.length < SECRETS_TO_REMEMBER)
        await this.#remember(image, imageId, candidate);
      return false;
    }
    return true;
  }

  /** Drops the records of images that are neither in `imageIds` nor were touched since `sinceMs` (wall time). */
  prune(imageIds: ReadonlySet<string>, sinceMs: number): Promise<void> {
    return this.#inTurn(async () => {
      for (const { imageRef, lastUpdatedTime } of await this.#files.allPulled()) {
        if (imageIds.has(imageRef) || Date.parse(lastUpdatedTime) >= sinceMs) continue;
        await this.#files.removePulled(imageRef);
      }
    });
  }

  async #adopt(): Promise<void> {
    await this.#files.prepare();
    const intents = await this.#files.intents();
    if (intents.length === 0) return;
    const images = await this.#images.listImages();
    const idOf = new Map<string, string>();
    for (const { id, repoTags, repoDigests } of images) {
      for (const name of [...repoTags, ...repoDigests]) idOf.set(canonicalOr(name), id);
    }
    for (const { image } of intents) {
      const id = idOf.get(canonicalOr(image));
      if (id === undefined) continue;
      await this.#write(image, id, undefined);
      await this.#files.removeIntent(image);
    }
  }

  /** One change of the files at a time, in order; what was begun is finished. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#gate.run(0, this.#never, work);
  }

  async #remember(image: string, imageId: string, candidate: Credential): Promise<void> {
    try {
      await this.#inTurn(() => this.#write(image, imageId, recorded(candidate)));
    } catch (error) {
      this.#logger.warn(
        { image, problem: describeError(error) },
        "an image's record can not be brought up to date",
      );
    }
  }

  async #write(image: string, imageId: string, shown: RecordedCredentials | undefined): Promise<void> {
    const old = await this.#files.pulled(imageId).catch(() => undefined);
    const merged = mergeRecord(old, imageId, bareImageName(image), shown, recordTime(this.#clock.now()));
    if (merged !== undefined) await this.#files.writePulled(merged);
  }

  async #end(image: string): Promise<void> {
    // Another pull of the same image, with another login, may still rely on the intent.
    if ((this.#underWay.get(image) ?? 0) <= 1) await this.#files.removeIntent(image);
    this.#leave(image);
  }

  #leave(image: string): void {
    const left = (this.#underWay.get(image) ?? 0) - 1;
    if (left > 0) this.#underWay.set(image, left);
    else this.#underWay.delete(image);
  }

  /** Under any spelling: while a private image arrives it must not pass for a preloaded one. */
  #isUnderWay(image: string): boolean {
    return this.#underWay.keys().some((each) => mayBeSame(each, image));
  }
}

/** A tag and a digest of one repository may name the same image; two tags are taken for two. */
function mayBeSame(one: string, other: string): boolean {
  const [a, b] = [parseImageName(one), parseImageName(other)];
  if (a.repository !== b.repository) return false;
  return a.digest === undefined && b.digest === undefined
    ? a.tag === b.tag
    : a.digest === b.digest || !a.digest || !b.digest;
}

function canonicalOr(name: string): string {
  try {
    return canonicalImageName(name);
  } catch {
    return name;
  }
}

const isSameAccount = (a: RecordedServiceAccount, b: RecordedServiceAccount): boolean =>
  a.uid === b.uid && a.namespace === b.namespace && a.name === b.name;

function recorded(used: Credential | undefined): RecordedCredentials {
  if (used?.account !== undefined) return { kubernetesServiceAccounts: [used.account] };
  if (used?.source === undefined) return { nodePodsAccessible: true };
  return { kubernetesSecrets: [{ ...used.source, credentialHash: used.hash }] };
}

/**
 * How a secret has been shown before: the very same; its login under another name; or the secret itself with
 * another login, which counts too, so that changing a password needs no pull.
 */
function findShown(
  shown: readonly RecordedSecret[],
  secret: RecordedSecret,
): 'same' | 'hash' | 'identity' | undefined {
  const found = shown.map((each) => {
    const hash = each.credentialHash !== '' && each.credentialHash === secret.credentialHash;
    const identity =
      each.uid === secret.uid && each.namespace === secret.namespace && each.name === secret.name;
    if (hash) return identity ? 'same' : 'hash';
    return identity ? 'identity' : undefined;
  });
  return (['same', 'hash', 'identity'] as const).find((kind) => found.includes(kind));
}
