/** A CSI driver for tests: a volume is a folder (or for raw block a loop device) below a folder of this machine. */
import { mkdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Server, ServerCredentials, loadPackageDefinition, status } from '@grpc/grpc-js';
import type { ServiceClientConstructor, UntypedHandleCall } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { bindMount, mountAt, readMounts, unmount } from '#host/mounts.ts';
import { run } from '#host/process.ts';

export interface TestDriverOptions {
  name: string;
  /** The agent's root folder. */
  root: string;
  /** Where volumes' data are. */
  data: string;
  capabilities?: string[];
  topology?: Record<string, string>;
  maxVolumes?: number;
  versions?: string[];
}

type Fields = Record<string, unknown>;

export interface DriverCall {
  verb: string;
  request: Fields;
}

const definition = (file: string, service: string): ServiceClientConstructor => {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const loaded = loadPackageDefinition(
    loadSync(path, {
      keepCase: false,
      longs: Number,
      enums: String,
      defaults: true,
      arrays: true,
      objects: true,
    }),
  );
  let at: unknown = loaded;
  for (const part of service.split('.')) at = (at as Fields)[part];
  return at as ServiceClientConstructor;
};

type Handlers = Record<string, (request: Fields) => object | Promise<object>>;

async function serve(socket: string, service: ServiceClientConstructor, handlers: Handlers): Promise<Server> {
  await mkdir(dirname(socket), { recursive: true });
  await rm(socket, { force: true });
  const server = new Server();
  const calls = Object.entries(handlers).map(([verb, handle]): [string, UntypedHandleCall] => [
    verb,
    (
      call: { request: Fields },
      answer: (error: { code: number; details: string } | null, value?: object) => void,
    ): void => {
      Promise.resolve()
        .then(() => handle(call.request))
        .then(
          (value) => answer(null, value),
          (error: unknown) => answer({ code: status.INTERNAL, details: (error as Error).message }),
        );
    },
  ]);
  server.addService(service.service, Object.fromEntries(calls));
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    ),
  );
  return server;
}

export class TestDriver {
  readonly calls: DriverCall[] = [];
  /** What the agent has said of each registration: the error, or '' where it went well. */
  readonly notified: string[] = [];
  readonly #options: TestDriverOptions;
  readonly #failures = new Map<string, string>();
  #servers: Server[] = [];

  constructor(options: TestDriverOptions) {
    this.#options = options;
  }

  /** The next call of the verb fails with these words. */
  failNext(verb: string, words: string): void {
    this.#failures.set(verb, words);
  }

  /** The calls' verbs and what they were about, without those that only ask. */
  log(): string[] {
    return this.calls
      .filter(({ verb }) => !verb.startsWith('NodeGet'))
      .map(({ verb, request }) => `${verb} ${String(request['volumeId'])}`);
  }

  requests(verb: string): Fields[] {
    return this.calls.filter((call) => call.verb === verb).map(({ request }) => request);
  }

  get registrationSocket(): string {
    return join(this.#options.root, 'plugins_registry', `${this.#options.name}-reg.sock`);
  }

  async start(): Promise<void> {
    const { name, root, versions = ['1.0.0'] } = this.#options;
    const endpoint = join(root, 'plugins', name, 'csi.sock');
    this.#servers = [
      await serve(endpoint, definition('csi.proto', 'csi.v1.Node'), this.#handlers()),
      await serve(
        this.registrationSocket,
        definition('registration.proto', 'pluginregistration.Registration'),
        {
          GetInfo: () => ({ type: 'CSIPlugin', name, endpoint, supportedVersions: versions }),
          NotifyRegistrationStatus: (request) => {
            this.notified.push(request['pluginRegistered'] === true ? '' : String(request['error']));
            return {};
          },
        },
      ),
    ];
  }

  /** Removes the sockets, as a driver that is updated does. */
  async stop(): Promise<void> {
    for (const server of this.#servers.splice(0)) server.forceShutdown();
    await rm(this.registrationSocket, { force: true });
  }

  #handlers(): Handlers {
    const { capabilities = ['STAGE_UNSTAGE_VOLUME'], topology, maxVolumes = 0, name } = this.#options;
    const verbs: Handlers = {
      NodeGetInfo: () => ({
        nodeId: `node-of-${name}`,
        maxVolumesPerNode: maxVolumes,
        ...(topology === undefined ? {} : { accessibleTopology: { segments: topology } }),
      }),
      NodeGetCapabilities: () => ({ capabilities: capabilities.map((type) => ({ rpc: { type } })) }),
      NodeStageVolume: (request) => this.#stage(request),
      NodeUnstageVolume: ({ stagingTargetPath }) => letGo(String(stagingTargetPath)),
      NodePublishVolume: (request) => this.#publish(request),
      NodeUnpublishVolume: (request) => this.#unpublish(String(request['targetPath'])),
      NodeExpandVolume: ({ capacityRange }) => ({
        capacityBytes: (capacityRange as Fields)['requiredBytes'],
      }),
      NodeGetVolumeStats: () => ({ usage: [{ available: 1, total: 3, used: 2, unit: 'BYTES' }] }),
    };
    return Object.fromEntries(
      Object.entries(verbs).map(([verb, handle]) => [
        verb,
        (request: Fields) => {
          this.calls.push({ verb, request });
          const failure = this.#failures.get(verb);
          this.#failures.delete(verb);
          if (failure !== undefined) throw new Error(failure);
          return handle(request);
        },
      ]),
    );
  }

  async #folder(request: Fields): Promise<string> {
    const folder = join(this.#options.data, String(request['volumeId']));
    await mkdir(folder, { recursive: true });
    return folder;
  }

  async #stage(request: Fields): Promise<object> {
    const target = String(request['stagingTargetPath']);
    if (mountAt(await readMounts(), target) === undefined)
      await bindMount(await this.#folder(request), target);
    return {};
  }

  async #publish(request: Fields): Promise<object> {
    const target = String(request['targetPath']);
    if (mountAt(await readMounts(), target) !== undefined) return {};
    const staging = String(request['stagingTargetPath']);
    const { block } = request['volumeCapability'] as Fields;
    if (block) {
      const image = join(await this.#folder(request), 'image');
      await writeFile(image, Buffer.alloc(1 << 20));
      const device = (await run('losetup', ['-f', '--show', image])).stdout.trim();
      await writeFile(target, '');
      await bindMount(device, target);
      return {};
    }
    await mkdir(target, { recursive: true });
    const options = request['readonly'] === true ? ['ro'] : [];
    await bindMount(staging === '' ? await this.#folder(request) : staging, target, { options });
    return {};
  }

  async #unpublish(target: string): Promise<object> {
    await letGo(target);
    for (const device of await this.#devices()) await run('losetup', ['-d', device]).catch(() => undefined);
    await rm(target, { force: true }).catch(() => rmdir(target));
    return {};
  }

  /** Loop devices on images of this driver that nothing has mounted. */
  async #devices(): Promise<string[]> {
    const { stdout } = await run('losetup', ['-l', '-n', '-O', 'NAME,BACK-FILE']);
    return stdout
      .split('\n')
      .filter((line) => line.includes(this.#options.data))
      .map((line) => line.split(' ')[0] ?? '');
  }
}

async function letGo(target: string): Promise<object> {
  while (mountAt(await readMounts(), target) !== undefined) await unmount(target);
  return {};
}
