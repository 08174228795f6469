/** Gathers what a node's status is made of. No source can hold it up for long or make it fail. */
import { isIP } from 'node:net';
import type { ImageService, RuntimeService } from '#cri/runtime.ts';
import type { Image, RuntimeVersion } from '#cri/types.ts';
import { freeSpace } from '#host/free-space.ts';
import { readMachineFacts } from '#host/machine-facts.ts';
import type { Clock } from '#lib/clock.ts';
import { NotFoundError } from '#lib/errors.ts';
import type { NodeAddress } from './addresses.ts';
import { chooseAddresses, readAddressFacts, resolveNodeName } from './addresses.ts';
import type { NodeFacts } from './node-status.ts';
import type { PressureSource } from './pressure.ts';
import { Refreshed } from './refreshed.ts';
import { runtimeTroubles } from './runtime-troubles.ts';
import type { RuntimeWord } from './runtime-troubles.ts';
import type { NodeSettings } from './settings.ts';

export interface FactSources {
  settings: NodeSettings;
  rootDir: string;
  runtime: Pick<RuntimeService, 'version'>;
  /** What the runtime said when the agent connected. */
  runtimeVersion: RuntimeVersion;
  images: Pick<ImageService, 'listImages'>;
  health: { readonly word: RuntimeWord };
  pressure: PressureSource;
  /** What else keeps the node from being ready: `node is shutting down`. */
  troubles?: () => readonly string[];
  warnings?: () => readonly string[];
  /** undefined until what was mounted before is known again. */
  volumesInUse?: () => readonly string[] | undefined;
  kubernetesVersion: string;
  clock: Clock;
}

const IMAGES_AGE_MS = 30_000;
const VERSION_AGE_MS = 60_000;
/** The resolver's call holds one of the few threads that files are read with until it gives up. */
const NAME_AGE_MS = 5 * 60_000;
const CALL_MS = 10_000;
const WAIT_MS = 250;

export class FactCollector {
  readonly #sources: FactSources;
  readonly #images: Refreshed<Image[]>;
  readonly #version: Refreshed<RuntimeVersion>;
  readonly #name: Refreshed<string[]>;

  constructor(sources: FactSources) {
    this.#sources = sources;
    const { images, runtime, clock, settings } = sources;
    this.#images = new Refreshed(() => images.listImages({ deadlineMs: CALL_MS }), IMAGES_AGE_MS, clock);
    this.#version = new Refreshed(() => runtime.version({ deadlineMs: CALL_MS }), VERSION_AGE_MS, clock);
    this.#name = new Refreshed(() => resolve(settings.nodeName), NAME_AGE_MS, clock);
  }

  /** `before`: the addresses that the Node object has. */
  async collect(before: readonly NodeAddress[] = []): Promise<NodeFacts> {
    const { settings, rootDir, health, pressure, runtimeVersion, kubernetesVersion } = this.#sources;
    const [machine, space, images, version, resolved, under] = await Promise.all([
      readMachineFacts(),
      freeSpace(rootDir).catch(() => undefined),
      this.#images.get(WAIT_MS),
      this.#version.get(WAIT_MS),
      this.#needsName() ? this.#name.get(WAIT_MS) : [],
      pressure.read(),
    ]);
    const { word } = health;
    return {
      machine,
      ephemeralStorageBytes: space?.totalBytes,
      runtimeVersion: version ?? runtimeVersion,
      runtime: word.last?.status,
      images,
      addresses: chooseAddresses(settings, await readAddressFacts(resolved ?? []), before),
      volumesInUse: this.#sources.volumesInUse?.(),
      kubernetesVersion,
      pressure: under,
      troubles: [...runtimeTroubles(word), ...(this.#sources.troubles?.() ?? [])],
      warnings: this.#sources.warnings?.() ?? [],
    };
  }

  /** Asking the resolver can take long: only where its answer counts. */
  #needsName(): boolean {
    const { nodeIps, hostname } = this.#sources.settings;
    return isIP(hostname) === 0 && nodeIps.every((each) => ['0.0.0.0', '::'].includes(each));
  }
}

/** No answer is no reason to forget the one before. */
async function resolve(name: string): Promise<string[]> {
  const found = await resolveNodeName(name);
  if (found.length === 0) throw new NotFoundError(`the name ${name} resolves to no address`);
  return found;
}
