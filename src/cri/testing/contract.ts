/**
 * What containerd does, as tests that run against the real one (test/integration/cri) and against the fake, so that
 * the fake stays faithful.
 */
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { runtimeStatus } from '../errors.ts';
import type { RuntimeStatusCode } from '../errors.ts';
import type { ImageService, RuntimeService } from '../runtime.ts';
import type { ContainerConfig, ContainerEvent, ContainerStatus, PodSandboxConfig } from '../types.ts';
import { sandboxConfig } from './configs.ts';

/** How a container acts: runs until TERM and ends with 143, ends by itself, runs until KILL, or can't start. */
export type Act = 'runs' | { exits: number } | 'ignores TERM' | 'cannot start';

export interface ContractBed {
  runtime: RuntimeService;
  images: ImageService;
  /** The name of an image that is there. */
  image: string;
  /** From containerd 1.7. */
  events: boolean;
  /** From containerd 2. */
  version2: boolean;
  container(name: string, act: Act, attempt?: number): ContainerConfig;
}

const status = (call: Promise<unknown>): Promise<RuntimeStatusCode | 'OK' | undefined> =>
  call.then(
    () => 'OK' as const,
    (error: unknown) => runtimeStatus(error),
  );

/** Waits for what `read` gives to hold; times out with the test. */
export async function until<T>(read: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await read();
    if (holds(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export function runtimeContract(make: () => Promise<ContractBed>): void {
  let bed: ContractBed;
  let runtime: RuntimeService;
  let pods = 0;
  let pod: PodSandboxConfig;
  let sandbox: string;

  beforeAll(async () => {
    bed = await make();
    ({ runtime } = bed);
  });

  afterEach(async () => {
    for (const { id } of await runtime.listPodSandbox()) {
      await runtime.stopPodSandbox(id);
      await runtime.removePodSandbox(id);
    }
  });

  async function run(): Promise<void> {
    pods += 1;
    pod = sandboxConfig(`pod-${pods}`);
    sandbox = await runtime.runPodSandbox(pod, '');
  }

  const create = (name: string, act: Act, attempt?: number): Promise<string> =>
    runtime.createContainer(sandbox, bed.container(name, act, attempt), pod);

  async function start(name: string, act: Act, attempt?: number): Promise<string> {
    const id = await create(name, act, attempt);
    await runtime.startContainer(id);
    return id;
  }

  const exited = (id: string): Promise<ContainerStatus> =>
    until(
      () => runtime.containerStatus(id),
      (each) => each.state === 'CONTAINER_EXITED',
    );

  describe('sandboxes', () => {
    test('from ready over stopped to gone', async () => {
      await run();
      const before = await runtime.podSandboxStatus(sandbox);
      expect(before).toMatchObject({
        id: sandbox,
        state: 'SANDBOX_READY',
        metadata: pod.metadata,
        labels: pod.labels,
      });
      expect(before.ips).toHaveLength(1);
      expect(Math.abs(before.createdAt - Date.now())).toBeLessThan(60_000);
      await runtime.stopPodSandbox(sandbox);
      expect(await runtime.podSandboxStatus(sandbox)).toMatchObject({ state: 'SANDBOX_NOTREADY', ips: [] });
      await runtime.stopPodSandbox(sandbox);
      await runtime.removePodSandbox(sandbox);
      expect(await status(runtime.podSandboxStatus(sandbox))).toBe('NOT_FOUND');
      await runtime.removePodSandbox(sandbox);
      await runtime.stopPodSandbox(sandbox);
    });

    test('on the host network there is no address', async () => {
      const config = sandboxConfig('host', { hostname: '' });
      config.linux.securityContext.namespaceOptions.network = 'NODE';
      const id = await runtime.runPodSandbox(config, '');
      const { ips, namespaceOptions } = await runtime.podSandboxStatus(id);
      expect(ips).toEqual([]);
      expect(namespaceOptions.network).toBe('NODE');
    });

    test('on the host network there may be no host name, and a refused sandbox leaves nothing', async () => {
      const config = sandboxConfig('host', { hostname: 'host' });
      config.linux.securityContext.namespaceOptions.network = 'NODE';
      expect(await status(runtime.runPodSandbox(config, ''))).toBe('UNKNOWN');
      expect(await runtime.listPodSandbox()).toEqual([]);
      config.hostname = '';
      expect(await status(runtime.runPodSandbox(config, ''))).toBe('OK');
    });

    test('name and attempt are reserved until it is removed', async () => {
      await run();
      expect(await status(runtime.runPodSandbox(pod, ''))).toBe(
        bed.version2 ? 'FAILED_PRECONDITION' : 'UNKNOWN',
      );
      await runtime.stopPodSandbox(sandbox);
      expect(await status(runtime.runPodSandbox(pod, ''))).not.toBe('OK');
      await runtime.removePodSandbox(sandbox);
      expect(await status(runtime.runPodSandbox(pod, ''))).toBe('OK');
    });

    test('removing one that runs takes everything with it', async () => {
      await run();
      const id = await start('c', 'runs');
      await runtime.removePodSandbox(sandbox);
      expect(await status(runtime.containerStatus(id))).toBe('NOT_FOUND');
      expect(await runtime.listContainers({ podSandboxId: sandbox })).toEqual([]);
    });

    test('stopping kills what runs, and nothing starts in it any more', async () => {
      await run();
      const [running, created] = [await start('running', 'runs'), await create('created', 'runs')];
      await runtime.stopPodSandbox(sandbox);
      expect(await runtime.containerStatus(running)).toMatchObject({
        state: 'CONTAINER_EXITED',
        exitCode: 137,
      });
      expect((await runtime.containerStatus(created)).state).toBe('CONTAINER_CREATED');
      expect(await status(runtime.startContainer(created))).toBe('UNKNOWN');
      expect(await runtime.containerStatus(created)).toMatchObject({
        state: 'CONTAINER_EXITED',
        exitCode: 128,
        reason: 'StartError',
      });
      expect(await status(create('late', 'runs'))).toBe(bed.version2 ? 'OK' : 'NOT_FOUND');
    });

    test('lists are filtered by ID, state and labels', async () => {
      await run();
      const first = sandbox;
      await run();
      await runtime.stopPodSandbox(first);
      const ids = async (filter: Parameters<RuntimeService['listPodSandbox']>[0]): Promise<string[]> =>
        (await runtime.listPodSandbox(filter)).map((each) => each.id);
      expect((await ids(undefined)).sort()).toEqual([first, sandbox].sort());
      expect(await ids({ id: first })).toEqual([first]);
      expect(await ids({ state: 'SANDBOX_READY' })).toEqual([sandbox]);
      expect(await ids({ state: 'SANDBOX_NOTREADY' })).toEqual([first]);
      expect(await ids({ labelSelector: { 'io.kubernetes.pod.name': pod.metadata.name } })).toEqual([
        sandbox,
      ]);
      expect(await ids({ labelSelector: { nobody: 'x' } })).toEqual([]);
    });
  });

  describe('containers', () => {
    test.each([
      [0, 'Completed'],
      [3, 'Error'],
    ])('exit code %i is %s', async (exitCode, reason) => {
      await run();
      const id = await create('c', { exits: exitCode });
      const created = await runtime.containerStatus(id);
      expect(created).toMatchObject({
        id,
        state: 'CONTAINER_CREATED',
        metadata: { name: 'c', attempt: 0 },
        labels: { 'io.kubernetes.container.name': 'c' },
        startedAt: 0,
        finishedAt: 0,
        reason: '',
      });
      await runtime.startContainer(id);
      const ended = await exited(id);
      expect(ended).toMatchObject({ exitCode, reason, message: '' });
      expect(ended.createdAt).toBe(created.createdAt);
      expect(ended.startedAt).toBeGreaterThanOrEqual(ended.createdAt);
      // The end is the shim's time and the start containerd's: a short life may seem to end before it began.
      expect(Math.abs(ended.finishedAt - ended.startedAt)).toBeLessThan(5000);
    });

    test('one that runs cannot be started again, nor can one that ended', async () => {
      await run();
      const id = await start('c', 'runs');
      expect(await status(runtime.startContainer(id))).toBe('UNKNOWN');
      expect((await runtime.containerStatus(id)).state).toBe('CONTAINER_RUNNING');
      await runtime.stopContainer(id, 0);
      expect(await status(runtime.startContainer(id))).toBe('UNKNOWN');
    });

    test('one whose program is missing has ended with a StartError', async () => {
      await run();
      const id = await create('c', 'cannot start');
      expect(await status(runtime.startContainer(id))).toBe('UNKNOWN');
      const ended = await runtime.containerStatus(id);
      expect(ended).toMatchObject({
        state: 'CONTAINER_EXITED',
        exitCode: 128,
        reason: 'StartError',
        startedAt: 0,
      });
      expect(ended.message).not.toBe('');
    });

    test('name and attempt are reserved until it is removed', async () => {
      await run();
      const id = await create('c', 'runs');
      expect(await status(create('c', 'runs'))).toBe(bed.version2 ? 'FAILED_PRECONDITION' : 'UNKNOWN');
      await create('c', 'runs', 1);
      await runtime.removeContainer(id);
      expect(await status(create('c', 'runs'))).toBe('OK');
    });

    test('no sandbox or no image is NOT_FOUND', async () => {
      await run();
      const missing = { ...bed.container('c', 'runs'), image: { image: 'nodelet.local/missing:1' } };
      expect(await status(runtime.createContainer(sandbox, missing, pod))).toBe('NOT_FOUND');
      expect(await status(runtime.createContainer('gone', bed.container('c', 'runs'), pod))).toBe(
        'NOT_FOUND',
      );
      expect(await status(runtime.startContainer('gone'))).toBe('NOT_FOUND');
    });

    test('stopping: TERM, and KILL for those who do not listen', async () => {
      await run();
      const [polite, stubborn, hasty] = [
        await start('polite', 'runs'),
        await start('stubborn', 'ignores TERM'),
        await start('hasty', 'runs'),
      ];
      await Promise.all([
        runtime.stopContainer(polite, 30),
        runtime.stopContainer(stubborn, 1),
        runtime.stopContainer(hasty, 0),
      ]);
      expect(await runtime.containerStatus(polite)).toMatchObject({
        state: 'CONTAINER_EXITED',
        exitCode: 143,
      });
      expect(await runtime.containerStatus(stubborn)).toMatchObject({
        state: 'CONTAINER_EXITED',
        exitCode: 137,
      });
      expect(await runtime.containerStatus(hasty)).toMatchObject({
        state: 'CONTAINER_EXITED',
        exitCode: 137,
      });
      await runtime.stopContainer(polite, 30);
    });

    test('one that never started is not stopped by stopping', async () => {
      await run();
      const id = await create('c', 'runs');
      await runtime.stopContainer(id, 1);
      expect((await runtime.containerStatus(id)).state).toBe('CONTAINER_CREATED');
    });

    test('who gives up on stopping takes the KILL with them', async () => {
      await run();
      const id = await start('c', 'ignores TERM');
      const reason = new Error('enough');
      const stop = new AbortController();
      setTimeout(() => stop.abort(reason), 200);
      await expect(runtime.stopContainer(id, 1, { signal: stop.signal })).rejects.toBe(reason);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      expect((await runtime.containerStatus(id)).state).toBe('CONTAINER_RUNNING');
    });

    test('removing one that runs ends it, and removing or stopping it again succeeds', async () => {
      await run();
      const id = await start('c', 'ignores TERM');
      await runtime.removeContainer(id);
      expect(await status(runtime.containerStatus(id))).toBe('NOT_FOUND');
      await runtime.removeContainer(id);
      await runtime.stopContainer(id, 1);
    });

    test('lists are filtered by sandbox, ID, state and labels', async () => {
      await run();
      const other = await start('a', 'runs');
      await run();
      const [a, b] = [await start('a', 'runs'), await create('b', 'runs')];
      const ids = async (filter: Parameters<RuntimeService['listContainers']>[0]): Promise<string[]> =>
        (await runtime.listContainers(filter)).map((each) => each.id).sort();
      expect(await ids(undefined)).toEqual([other, a, b].sort());
      expect(await ids({ podSandboxId: sandbox })).toEqual([a, b].sort());
      expect(await ids({ id: other })).toEqual([other]);
      expect(await ids({ state: 'CONTAINER_CREATED' })).toEqual([b]);
      expect(await ids({ labelSelector: { 'io.kubernetes.container.name': 'a' } })).toEqual(
        [other, a].sort(),
      );
      const [listed] = await runtime.listContainers({ id: a });
      expect(listed).toMatchObject({ podSandboxId: sandbox, metadata: { name: 'a', attempt: 0 } });
      expect(listed?.image.image).toBe(bed.image);
    });

    test('only what runs can be entered or have its log reopened', async () => {
      await run();
      const [running, created] = [await start('running', 'runs'), await create('created', 'runs')];
      expect(await runtime.execSync(running, ['/bin/true'], 5)).toMatchObject({ exitCode: 0 });
      expect(await status(runtime.execSync(created, ['/bin/true'], 5))).toBe('UNKNOWN');
      expect(await status(runtime.execSync('gone', ['/bin/true'], 5))).toBe('NOT_FOUND');
      expect(await status(runtime.reopenContainerLog(created))).toBe('UNKNOWN');
    });

    test('usage is listed for what runs', async () => {
      await run();
      const [running] = [await start('running', 'runs'), await create('created', 'runs')];
      const stats = await until(
        () => runtime.listContainerStats({ podSandboxId: sandbox }),
        (all) => all.some((each) => each.cpu !== undefined),
      );
      const [mine] = stats.filter((each) => each.id === running);
      expect(mine).toMatchObject({ metadata: { name: 'running', attempt: 0 } });
      expect(mine?.cpu?.usageCoreNanoSeconds).toBeGreaterThanOrEqual(0);
      expect(mine?.memory?.workingSetBytes).toBeGreaterThan(0);
    });
  });

  test('events name container and pod, and come in order', async () => {
    const events: ContainerEvent[] = [];
    const stop = new AbortController();
    const stream = runtime.containerEvents((event) => events.push(event), stop.signal);
    if (!bed.events) {
      expect(await status(stream)).toBe('UNIMPLEMENTED');
      return;
    }
    // Nothing says when the subscription has taken hold.
    await new Promise((resolve) => setTimeout(resolve, 200));
    await run();
    const id = await start('c', { exits: 0 });
    await exited(id);
    await runtime.stopPodSandbox(sandbox);
    await runtime.removePodSandbox(sandbox);
    const of = (container: string): string[] =>
      events.filter((each) => each.containerId === container).map((each) => each.type.split('_')[1] ?? '');
    await until(
      () => Promise.resolve(of(sandbox)),
      (types) => types.includes('DELETED'),
    );
    stop.abort();
    await stream;
    expect(of(id)).toEqual(['CREATED', 'STARTED', 'STOPPED', 'DELETED']);
    expect(of(sandbox)).toEqual(['CREATED', 'STARTED', 'STOPPED', 'DELETED']);
    expect(events.find((each) => each.containerId === id)?.podUid).toBe(pod.metadata.uid);
  });

  describe('images', () => {
    test('those that are there, and those that are not', async () => {
      const image = await bed.images.imageStatus({ image: bed.image });
      expect(image?.repoTags).toEqual([bed.image]);
      expect(image?.id).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect(image?.size).toBeGreaterThan(0);
      expect((await bed.images.listImages()).map((each) => each.id)).toContain(image?.id);
      expect(await bed.images.imageStatus({ image: 'nodelet.local/missing:1' })).toBeUndefined();
      await bed.images.removeImage({ image: 'nodelet.local/missing:1' });
    });

    test('the filesystem that they lie on', async () => {
      const [filesystem] = await bed.images.imageFsInfo();
      expect(filesystem?.mountpoint).toMatch(/^\//);
    });
  });
}
