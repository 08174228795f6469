import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { renderContainerdConfig } from '#cri/containerd/config.ts';
import { conflistPath, renderConflist } from '#cri/containerd/network.ts';
import { buildImage } from '../../scripts/image/image.ts';
import type { BuiltImage, Image } from '../../scripts/image/image.ts';
import { busyboxImage, pauseImage } from '../../scripts/image/images.ts';
import { assertBed, mayRaiseLimits } from './bed.ts';
import { exec } from './exec.ts';
import { takeInventory } from './inventory.ts';
import type { Inventory } from './inventory.ts';

export interface ContainerdOptions {
  /** Further images to import, besides pause and busybox. */
  images?: Image[];
  /** Pods' addresses; each containerd of one bed needs its own. `10.77.0.0/24` unless given. */
  range?: string;
  logLevel?: 'debug' | 'info' | 'warn';
  /** A folder of `HOST/hosts.toml`, for registries without TLS. */
  registryConfig?: string;
}

export interface TestContainerd {
  /** The CRI endpoint, `unix:///…`. */
  readonly endpoint: string;
  readonly socket: string;
  readonly stateDir: string;
  readonly rootDir: string;
  readonly logFile: string;
  readonly cniConfigDir: string;
  /** Of the sandbox image. */
  readonly pauseImage: string;
  /** Of an image with busybox as every program: `nodelet.local/busybox:1`. */
  readonly image: string;
  readonly images: ReadonlyMap<string, BuiltImage>;
  pid(): number;
  /** TERM, and waits for its end. Pods run on. */
  stop(): Promise<void>;
  /** KILL, and waits for its end. Pods run on. */
  kill9(): Promise<void>;
  /** Starts it again after stop() or kill9(); ends it first where it runs. */
  restart(): Promise<void>;
  /** `ctr -n k8s.io …`: its standard output. */
  ctr(...args: string[]): Promise<string>;
  /** Imports one more image (unpacked), as if it had been pulled. */
  importImage(image: Image): Promise<BuiltImage>;
  inventory(): Promise<Inventory>;
  log(): Promise<string>;
  /** Ends containerd and everything it ran, and removes its folder: for afterAll. */
  destroy(): Promise<void>;
}

/** The containerd under test: its own folder comes first in PATH, so that shim and ctr are of the same version. */
const binary = process.env['NODELET_TEST_CONTAINERD'] ?? '/usr/bin/containerd';
const path = [dirname(binary), process.env['PATH'] ?? '', '/usr/sbin', '/sbin'].join(delimiter);
const env = { ...process.env, PATH: path };

/** The version under test as numbers: `[1, 6, 20]`. */
export async function containerdVersion(): Promise<number[]> {
  const words = (await exec(binary, ['--version'])).split(' ');
  const text = words.find((word) => /^v?\d+\.\d+\.\d+/.test(word)) ?? '0.0.0';
  return (/\d+\.\d+\.\d+/.exec(text)?.[0] ?? '').split('.').map(Number);
}

async function answers(socket: string): Promise<boolean> {
  const connection = createConnection(socket);
  try {
    await once(connection, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    connection.destroy();
  }
}

let ranges = 0;

/**
 * A containerd of the version under test with fresh folders, its own bridge network, and the images made here.
 * Only inside the test bed (test/run.ts): it throws elsewhere.
 */
export async function startContainerd(options: ContainerdOptions = {}): Promise<TestContainerd> {
  assertBed();
  const dir = await mkdtemp(join(tmpdir(), 'cd-'));
  const at = (name: string): string => join(dir, name);
  const [socket, stateDir, rootDir, logFile, cniConfigDir] = [
    at('containerd.sock'),
    at('state'),
    at('root'),
    at('containerd.log'),
    at('net.d'),
  ];
  const number = (ranges += 1);
  const network = {
    name: `bed${number}`,
    bridge: `bed${number}`,
    range: options.range ?? `10.77.${number}.0/24`,
    reservations: at('reservations'),
  };
  const images = new Map<string, BuiltImage>();
  const pause = await pauseImage();
  const busybox = await busyboxImage();
  await mkdir(cniConfigDir, { recursive: true });
  await writeFile(conflistPath(cniConfigDir, network), renderConflist(network));
  await writeFile(
    at('config.toml'),
    renderContainerdConfig({
      root: rootDir,
      state: stateDir,
      socket,
      sandboxImage: pause.name,
      runc: '/usr/sbin/runc',
      cniPlugins: '/usr/lib/cni',
      cniConfig: cniConfigDir,
      snapshotter: 'overlayfs',
      restrictOomScore: !(await mayRaiseLimits()),
      ...(options.registryConfig === undefined ? {} : { registryConfig: options.registryConfig }),
      ...(options.logLevel === undefined ? {} : { logLevel: options.logLevel }),
    }),
  );

  let child: ChildProcess | undefined;
  const log = (): Promise<string> => readFile(logFile, 'utf8');
  const ctr = (...args: string[]): Promise<string> =>
    exec('ctr', ['--address', socket, '--namespace', 'k8s.io', ...args], { env });

  async function start(): Promise<void> {
    const output = await open(logFile, 'a');
    try {
      child = spawn(binary, ['--config', at('config.toml')], {
        env,
        detached: true,
        stdio: ['ignore', output.fd, output.fd],
      });
    } finally {
      await output.close();
    }
    const deadline = Date.now() + 30_000;
    while (!(await answers(socket))) {
      if (child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`containerd does not start:\n${(await log()).slice(-4000)}`);
      }
      await wait(20);
    }
  }

  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  async function importImage(image: Image): Promise<BuiltImage> {
    const built = buildImage(image);
    const file = at('import.tar');
    await writeFile(file, built.archive);
    await ctr('images', 'import', file);
    await rm(file);
    images.set(image.name, built);
    return built;
  }

  const inventory = (): Promise<Inventory> =>
    takeInventory({ ctr, socket, dir, reservations: join(network.reservations, network.name) });

  await start();
  for (const image of [pause, busybox, ...(options.images ?? [])]) await importImage(image);
  await ctr('images', 'label', pause.name, 'io.cri-containerd.pinned=pinned');

  return {
    endpoint: `unix://${socket}`,
    socket,
    stateDir,
    rootDir,
    logFile,
    cniConfigDir,
    pauseImage: pause.name,
    image: busybox.name,
    images,
    pid: () => child?.pid ?? 0,
    stop: () => end('SIGTERM'),
    kill9: () => end('SIGKILL'),
    async restart() {
      await end('SIGTERM');
      await start();
    },
    ctr,
    importImage,
    inventory,
    log,
    async destroy() {
      const { shims, mounts } = await inventory().catch(() => takeInventory({ socket, dir }));
      await end('SIGKILL');
      for (const shim of shims) await exec('kill', ['-9', `${shim.pid}`]).catch(() => undefined);
      for (const mount of mounts.toReversed())
        await exec('umount', ['-l', '--', mount]).catch(() => undefined);
      await exec('ip', ['link', 'delete', network.bridge]).catch(() => undefined);
      await rm(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
