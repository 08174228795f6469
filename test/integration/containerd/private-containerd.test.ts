import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findInstance } from '#cri/containerd/instance.ts';
import { PrivateContainerd } from '#cri/containerd/private-containerd.ts';
import type { PrivateContainerdOptions } from '#cri/containerd/private-containerd.ts';
import { connect } from '#cri/grpc/connect.ts';
import type { RuntimeConnection } from '#cri/grpc/connect.ts';
import { systemClock } from '#host/clock.ts';
import { silentLogger } from '#lib/logger.ts';
import { buildImage } from '../../../scripts/image/image.ts';
import { busyboxImage, pauseImage } from '../../../scripts/image/images.ts';
import { nodeAddress, removeCgroups } from '../../bed/bed.ts';
import { exec } from '../../bed/exec.ts';
import { takeInventory } from '../../bed/inventory.ts';
import { runPod, sandboxConfig } from '../../bed/pods.ts';

const containerd = process.env['NODELET_TEST_CONTAINERD'] ?? '';
const signal = AbortSignal.timeout(600_000);

let dir: string;
let options: PrivateContainerdOptions;
let pause: string;
let busybox: string;
let archives: string[];
const changes: string[] = [];
const instances: PrivateContainerd[] = [];

beforeAll(async () => {
  const images = [await pauseImage(), await busyboxImage()];
  const folder = await mkdtemp(join(tmpdir(), 'images-'));
  archives = images.map((_, index) => join(folder, `${index}.tar`));
  await Promise.all(
    images.map((image, index) => writeFile(archives[index] ?? '', buildImage(image).archive)),
  );
  [pause = '', busybox = ''] = images.map((image) => image.name);
});

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'private-'));
  changes.length = 0;
  options = {
    clock: systemClock,
    log: silentLogger,
    root: join(dir, 'root'),
    state: join(dir, 'state'),
    containerd,
    sandboxImage: pause,
    onChange: (change) => changes.push(change),
  };
});

afterEach(async () => {
  // One that is supervised would come back.
  for (const instance of instances.splice(0)) await instance.release();
  await new PrivateContainerd(options).stop(signal);
  await removeCgroups('kubepods');
});

async function importImages(instance: PrivateContainerd): Promise<void> {
  for (const archive of archives) {
    const where = ['--address', instance.layout.socket, '--namespace', 'k8s.io'];
    await exec(join(dirname(containerd), 'ctr'), [...where, 'images', 'import', archive]);
  }
}

const started = async (more: Partial<PrivateContainerdOptions> = {}): Promise<PrivateContainerd> => {
  const instance = new PrivateContainerd({ ...options, ...more });
  instances.push(instance);
  await instance.start(signal);
  return instance;
};

const pidOf = async (instance: PrivateContainerd): Promise<number | undefined> =>
  (await findInstance(instance.layout))?.pid;

const page = async (url: string): Promise<string> =>
  (await fetch(url, { signal: AbortSignal.timeout(5000) })).text();

/** A pod with a web server, and its address; host port 8081 leads to it. */
async function webPod(
  connection: RuntimeConnection,
): Promise<{ containerId: string; sandboxId: string; address: string }> {
  const sandbox = sandboxConfig('web', join(tmpdir(), 'pod-logs'), 8081);
  const script = 'mkdir /www && echo hello > /www/index.html && exec httpd -f -p 80 -h /www';
  const pod = await runPod(connection, sandbox, busybox, ['sh', '-c', script]);
  await expect.poll(() => page(`http://${pod.address}/`).catch(String), { timeout: 10_000 }).toBe('hello\n');
  return pod;
}

async function inRuntime<T>(work: (connection: RuntimeConnection) => Promise<T>): Promise<T> {
  const connection = await connect(new PrivateContainerd(options).endpoint, { clock: systemClock });
  try {
    return await work(connection);
  } finally {
    connection.close();
  }
}

const runningContainers = (): Promise<string[]> =>
  inRuntime(async ({ runtime }) =>
    (await runtime.listContainers({ state: 'CONTAINER_RUNNING' })).map((container) => container.id),
  );

/** All that a pod or its network may leave on the machine. */
async function traces(): Promise<object> {
  const { layout } = new PrivateContainerd(options);
  const names = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
  const rules = await exec('iptables-save', []);
  const inventory = await takeInventory({ socket: layout.socket, dir });
  return {
    ...inventory,
    // The pods' own cgroups are the agent's to remove.
    cgroups: inventory.cgroups.filter((path) => !/\/pod[^/]*$/.test(path)),
    folders: await names(dir),
    shimSockets: await names('/run/containerd/s'),
    results: await names('/var/lib/cni/results'),
    links: await names('/sys/class/net'),
    rules: rules.split('\n').filter((line) => /^(-A|:CNI)/.test(line)),
  };
}

describe('a private containerd', () => {
  test('gives pods addresses, a way in, and goes without a trace when told, pods and all', async () => {
    const before = await traces();
    const instance = await started();
    await importImages(instance);
    await inRuntime(async (connection) => {
      const { address, containerId } = await webPod(connection);
      expect(address).toMatch(/^10\.87\.0\.\d+$/);
      expect(await page(`http://${nodeAddress}:8081/`)).toBe('hello\n');
      const gateway = await connection.runtime.execSync(containerId, ['ip', 'route'], 5);
      expect(gateway.stdout.toString()).toContain('default via 10.87.0.1');
    });
    expect(await traces()).not.toEqual(before);
    await instance.stop(signal);
    expect(await traces()).toEqual(before);
  });

  test('after the agent has ended, the next one adopts it', async () => {
    const instance = await started();
    await importImages(instance);
    const { containerId } = await inRuntime(webPod);
    const pid = await pidOf(instance);
    await instance.release();
    const next = await started();
    expect(await pidOf(next)).toBe(pid);
    expect(await runningContainers()).toEqual([containerId]);
  });

  test('outlives an agent that is killed', async () => {
    const script = `
      import { PrivateContainerd } from '#cri/containerd/private-containerd.ts';
      import { systemClock } from '#host/clock.ts';
      import { silentLogger } from '#lib/logger.ts';
      const options = JSON.parse(process.env.OPTIONS);
      setInterval(() => undefined, 1000);
      await new PrivateContainerd({ ...options, clock: systemClock, log: silentLogger })
        .start(AbortSignal.timeout(60_000));
      console.log('started');`;
    const agent = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      env: { ...process.env, OPTIONS: JSON.stringify(options) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exit = once(agent, 'exit');
    await once(agent.stdout, 'data');
    const pid = await pidOf(new PrivateContainerd(options));
    expect(pid).toBeDefined();
    agent.kill('SIGKILL');
    await exit;
    expect(await pidOf(await started())).toBe(pid);
  });

  test('that is killed is started again, and its pods do not notice', async () => {
    const instance = await started();
    await importImages(instance);
    const { containerId, address } = await inRuntime(webPod);
    const pid = (await pidOf(instance)) ?? 0;
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => changes, { timeout: 20_000 }).toEqual(['down', 'up']);
    expect(await pidOf(instance)).not.toBe(pid);
    expect(await runningContainers()).toEqual([containerId]);
    expect(await page(`http://${address}/`)).toBe('hello\n');
  });

  test('that was killed while no agent ran is started by the next, with its pods', async () => {
    const instance = await started();
    await importImages(instance);
    const { containerId } = await inRuntime(webPod);
    await instance.release();
    process.kill((await pidOf(instance)) ?? 0, 'SIGKILL');
    await started();
    expect(await runningContainers()).toEqual([containerId]);
  });

  test('is restarted where its configuration changed, and only there', async () => {
    const instance = await started();
    await importImages(instance);
    const { containerId } = await inRuntime(webPod);
    const pid = await pidOf(instance);
    await instance.release();
    const next = await started({ sandboxImage: 'registry.example/other:1' });
    expect(await pidOf(next)).not.toBe(pid);
    expect(await runningContainers()).toEqual([containerId]);
  });

  test('whose remains are all that is left can still be removed', async () => {
    const before = await traces();
    const instance = await started();
    await importImages(instance);
    await inRuntime(webPod);
    await instance.release();
    process.kill((await pidOf(instance)) ?? 0, 'SIGKILL');
    await expect.poll(() => pidOf(instance)).toBeUndefined();
    await new PrivateContainerd(options).stop(signal);
    expect(await traces()).toEqual(before);
  });

  test('keeps the range that its pods have, and takes another only when told', async () => {
    const range = async (instance: PrivateContainerd): Promise<unknown> => {
      const file = join(instance.layout.cniConfig, `10-${instance.layout.bridge}.conflist`);
      return /"subnet": "(.*)"/.exec(await readFile(file, 'utf8'))?.[1];
    };
    await exec('ip', ['route', 'add', 'blackhole', '10.87.3.0/24']);
    try {
      const first = await started();
      expect(await range(first)).toBe('10.89.0.0/16');
      await exec('ip', ['route', 'add', 'blackhole', '10.89.3.0/24']);
      await first.release();
      expect(await range(await started())).toBe('10.89.0.0/16');
      expect(await range(await started({ podRange: '10.9.0.0/24' }))).toBe('10.9.0.0/24');
      await expect(started({ podRange: '10.87.0.0/16' })).rejects.toMatchObject({ code: 'POD_RANGE' });
    } finally {
      await exec('ip', ['route', 'flush', 'type', 'blackhole']);
    }
  });

  test('runs pods where its root lies on an overlay, as in a container', async () => {
    const layers = ['lower', 'upper', 'work', 'root'].map((name) => join(dir, name));
    const [lower = '', upper = '', work = '', root = ''] = layers;
    for (const layer of layers) await mkdir(layer);
    const how = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    await exec('mount', ['-t', 'overlay', '-o', how, 'overlay', root]);
    const onOverlay = { root: join(root, 'containerd') };
    try {
      const instance = await started(onOverlay);
      await importImages(instance);
      await inRuntime(webPod);
      await instance.stop(signal);
    } finally {
      await exec('umount', [root]);
    }
  });

  test('keeps its folders from other users', async () => {
    const { layout } = await started();
    const mode = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);
    expect(await mode(layout.root)).toBe('711');
    expect(await mode(layout.config)).toBe('600');
    expect(await mode(layout.socket)).toBe('660');
  });

  test('that can’t start says why', async () => {
    await writeFile(join(dir, 'state'), 'not a folder');
    await expect(started()).rejects.toThrow(/state|not a directory/i);
  });
});
