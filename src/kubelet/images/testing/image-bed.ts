/** An ImageManager on a fake runtime, a clock moved by hand and a real temporary folder. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { FakeImages } from '#cri/testing/fake-images.ts';
import type { AgentPod, Container, PodSpec } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import { FakeClock, settle } from '#lib/testing/fake-clock.ts';
import type { ImageState } from '../../pod/ports.ts';
import { ImageManager } from '../image-manager.ts';
import type { ImageManagerOptions } from '../image-manager.ts';
import { NodeCredentials, nodeCredentialPaths } from '../node-credentials.ts';
import { PodCredentials } from '../pod-credentials.ts';
import { FilePullSecrets, pullSecretsDir } from '../pull-secrets.ts';
import { RecordFiles } from '../records/files.ts';
import { PullRecords } from '../records/pull-records.ts';
import { verificationPolicy } from '../verification-policy.ts';
import type { VerificationPolicyName } from '../verification-policy.ts';

export function imagePod(name: string, spec: Partial<PodSpec> = {}): AgentPod {
  return {
    metadata: { name, namespace: 'default', uid: `uid-${name}` },
    spec: { containers: [], ...spec },
  };
}

/** A docker config.json with one login a registry: `{ 'reg.io': 'user:password' }`. */
export const dockerConfig = (logins: Record<string, string>): string =>
  JSON.stringify({
    auths: Object.fromEntries(
      Object.entries(logins).map(([registry, login]) => [
        registry,
        { auth: Buffer.from(login).toString('base64') },
      ]),
    ),
  });

/** Keeps every line as JSON, at every level. */
export function recordingLogger(lines: string[]): Logger {
  const line =
    (level: string) =>
    (fields: object, message: string): void => {
      const errors = Object.values(fields).filter((value) => value instanceof Error);
      const stacks = errors.map((error) => `${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`);
      lines.push(JSON.stringify({ level, message, stacks, ...fields }));
    };
  const logger: Logger = {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    child: () => logger,
  };
  return logger;
}

export interface ImageBedOptions extends ImageManagerOptions {
  policy?: VerificationPolicyName;
}

export class ImageBed {
  readonly root = mkdtempSync(join(tmpdir(), 'nodelet-images-'));
  readonly clock = new FakeClock();
  readonly images = new FakeImages(this.clock);
  readonly events: string[] = [];
  readonly logs: string[] = [];
  /** Pods whose worker was woken, in order. */
  readonly changes: string[] = [];
  manager: ImageManager;
  records: PullRecords;
  readonly #options: ImageBedOptions;

  constructor(options: ImageBedOptions = {}) {
    this.#options = options;
    [this.manager, this.records] = this.#make();
  }

  /** A new process on the same node; the old one gets nothing more done. */
  restart(): void {
    [this.manager, this.records] = this.#make();
  }

  #make(): [ImageManager, PullRecords] {
    const logger = recordingLogger(this.logs);
    const { policy = 'NeverVerifyPreloadedImages' } = this.#options;
    const files = new RecordFiles(this.root, logger);
    const records = new PullRecords(files, verificationPolicy(policy), this.images, this.clock, logger);
    const manager = new ImageManager({
      service: this.images,
      records,
      credentials: new PodCredentials({
        secrets: new FilePullSecrets(pullSecretsDir(this.root), logger),
        node: new NodeCredentials(nodeCredentialPaths(this.root, join(this.root, 'home')), logger),
      }),
      events: {
        event: (pod, type, reason, message, container) => {
          const at = container === undefined ? pod.metadata.name : `${pod.metadata.name}/${container}`;
          this.events.push(`${at} ${type} ${reason} ${message}`);
        },
      },
      clock: this.clock,
      logger,
      onChange: (uid) => this.changes.push(uid),
      options: this.#options,
    });
    return [manager, records];
  }

  /** Writes a file below the root folder. */
  write(path: string, text: string, mode = 0o600): void {
    const file = join(this.root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, { mode });
  }

  pullSecret(name: string, logins: Record<string, string>): void {
    this.write(`pull-secrets/default/${name}.json`, dockerConfig(logins));
  }

  request(pod: AgentPod, container: Partial<Container> & { name: string }, attempt = 0): void {
    this.manager.request({ pod, container, attempt });
  }

  state(pod: AgentPod, container = 'c', attempt = 0): ImageState {
    return this.manager.state(pod.metadata.uid, container, attempt);
  }

  /** The state in one line: `failed ErrImagePull 10000`, the last being the milliseconds until the next attempt. */
  show(pod: AgentPod, container = 'c', attempt = 0): string {
    const state = this.state(pod, container, attempt);
    if (state.kind !== 'failed') return state.kind;
    const left = state.retryAt === undefined ? '-' : state.retryAt - this.clock.now();
    return `failed ${state.reason} ${left}`;
  }

  /** Lets files and calls settle without moving the clock: until nothing has stirred for a while. */
  async settle(): Promise<void> {
    const stirred = (): number =>
      this.images.script.calls.length + this.events.length + this.changes.length + this.logs.length;
    let [last, quiet] = [stirred(), 0];
    while (quiet < 4) {
      await settle();
      await new Promise((resolve) => setTimeout(resolve, 3));
      quiet = stirred() === last ? quiet + 1 : 0;
      last = stirred();
    }
  }

  /** Waits, in real time but without moving the clock, until something holds. */
  async until(holds: () => boolean): Promise<void> {
    for (let turn = 0; turn < 1000 && !holds(); turn++) {
      await settle();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    if (!holds()) throw new Error(`never: ${holds.toString()}`);
    await this.settle();
  }

  /** Requests, and waits until that has an outcome. */
  async ensure(
    pod: AgentPod,
    container: Partial<Container> & { name: string },
    attempt = 0,
  ): Promise<ImageState> {
    this.request(pod, container, attempt);
    await this.until(() => {
      const state = this.state(pod, container.name, attempt);
      const local = ['ErrImageNeverPull', 'ImageInspectError', 'InvalidImageName'];
      return (
        state.kind === 'ready' ||
        (state.kind === 'failed' && (state.retryAt !== undefined || local.includes(state.reason)))
      );
    });
    return this.state(pod, container.name, attempt);
  }

  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms);
    await this.settle();
  }

  /** The events since the last call. */
  takeEvents(): string[] {
    return this.events.splice(0);
  }

  destroy(): void {
    this.manager.stop();
    rmSync(this.root, { recursive: true, force: true });
  }
}
