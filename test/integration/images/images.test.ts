import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ImageState } from '#kubelet/pod/ports.ts';
import { startContainerd } from '#test/bed/containerd.ts';
import type { TestContainerd } from '#test/bed/containerd.ts';
import { startRegistry } from '#test/bed/registry.ts';
import type { TestRegistry } from '#test/bed/registry.ts';
import { busyboxImage } from '../../../scripts/image/images.ts';
import { makePod, startImageNode } from './image-node.ts';
import type { ImageNode } from './image-node.ts';
import { startSlowRegistry } from './slow-registry.ts';
import type { SlowRegistry } from './slow-registry.ts';

const user = { username: 'ada', password: 'lovelace-5ecret' };
let registry: TestRegistry;
let containerd: TestContainerd;
let node: ImageNode;
let images = 0;

beforeAll(async () => {
  registry = await startRegistry({ auth: user });
  containerd = await startContainerd({ registryConfig: registry.configDir });
});
afterAll(async () => {
  await containerd?.destroy();
  await registry?.destroy();
});
beforeEach(async () => {
  node = await startImageNode(containerd.endpoint);
  await node.pullSecret('right', registry.host, `${user.username}:${user.password}`);
  await node.pullSecret('wrong', registry.host, `${user.username}:guessed`);
});
afterEach(() => node.close());

/** Pushes an image that the runtime hasn't seen, and returns what it is called. */
async function pushNew(config = {}) {
  const tag = `v${++images}`;
  const files = [{ path: 'tag', kind: 'file' as const, data: Buffer.from(tag) }];
  return registry.push(await busyboxImage(`any/app:${tag}`, config, files));
}

const reason = (state: ImageState): string => (state.kind === 'failed' ? state.reason : state.kind);
const manifestsOf = (image: string) => {
  const [path = '', tag = ''] = image.slice(image.indexOf('/') + 1).split(':');
  return registry.requests(new RegExp(`"(?:HEAD|GET) /v2/${path}/manifests/${tag} .*" 200 `));
};

describe('logins', () => {
  test('a pod with the right one gets the image, others do not, and none sees a secret', async () => {
    const image = await pushNew();
    const [owner, guesser, stranger] = [
      makePod('owner', 'right'),
      makePod('guesser', 'wrong'),
      makePod('stranger'),
    ];
    const state = await node.ensure(owner, image.name);
    expect(state).toMatchObject({ kind: 'ready', ref: image.id, image: { id: image.id } });
    for (const pod of [guesser, stranger]) {
      expect(reason(await node.ensure(pod, image.name))).toBe('ErrImagePull');
      expect(reason(await node.until(pod, (each) => reason(each) === 'ImagePullBackOff'))).toBe(
        'ImagePullBackOff',
      );
    }
    expect(reason(await node.ensure(makePod('never'), image.name, 'Never'))).toBe('ErrImageNeverPull');
    expect(node.events.filter((text) => text.startsWith('owner'))).toEqual([
      `owner Pulling Pulling image "${image.name}"`,
      expect.stringMatching(
        /^owner Pulled Successfully pulled image ".*" in \d\S* \(\d\S* including waiting\)\. Image size: [1-9]\d+ bytes\.$/,
      ),
    ]);
    const told = JSON.stringify([node.events, node.state(guesser), node.state(stranger)]);
    expect(told).toMatch(/401|[Uu]nauthorized|authorization failed/);
    expect(told).not.toContain(user.password);
    expect(told).not.toContain('guessed');
  });

  test('whoever has shown the login gets the present image without a request', async () => {
    const image = await pushNew();
    await node.ensure(makePod('owner', 'right'), image.name);
    const before = await registry.requests(/"(HEAD|GET) /);
    expect(reason(await node.ensure(makePod('friend', 'right'), image.name))).toBe('ready');
    expect(reason(await node.ensure(makePod('never', 'right'), image.name, 'Never'))).toBe('ready');
    expect(await registry.requests(/"(HEAD|GET) /)).toBe(before);
    const [record = ''] = await node.records('pulled');
    const text = await readFile(join(node.root, 'image_manager', 'pulled', record), 'utf8');
    expect(JSON.parse(text)).toMatchObject({ kind: 'ImagePulledRecord', imageRef: image.id });
    expect(await node.records('pulling')).toEqual([]);
  });

  test('Always asks the registry for a present image', async () => {
    const image = await pushNew();
    await node.ensure(makePod('owner', 'right'), image.name);
    const before = await manifestsOf(image.name);
    expect(reason(await node.ensure(makePod('other', 'right'), image.name, 'Always'))).toBe('ready');
    expect(await manifestsOf(image.name)).toBeGreaterThan(before);
  });
});

test('a preloaded image is used without a request', async () => {
  const before = await registry.requests(/"(HEAD|GET) /);
  const state = await node.ensure(makePod('a'), containerd.image);
  expect(state).toMatchObject({ kind: 'ready', ref: containerd.images.get(containerd.image)?.id });
  expect(await registry.requests(/"(HEAD|GET) /)).toBe(before);
});

test("the image's user is handed on", async () => {
  const numeric = await pushNew({ User: '1000:1000' });
  const named = await pushNew({ User: 'app' });
  expect(await node.ensure(makePod('a', 'right'), numeric.name)).toMatchObject({
    image: { uid: 1000, username: '' },
  });
  expect(await node.ensure(makePod('b', 'right'), named.name)).toMatchObject({ image: { username: 'app' } });
});

test('an image by digest, with a tag or without', async () => {
  const image = await pushNew();
  const bare = image.name.slice(0, image.name.lastIndexOf(':'));
  for (const [pod, name] of [
    [makePod('digest', 'right'), `${bare}@${image.digest}`],
    [makePod('both', 'right'), `${image.name}@${image.digest}`],
  ] as const) {
    expect(await node.ensure(pod, name)).toMatchObject({ kind: 'ready', ref: image.id });
  }
});

test('a missing tag', async () => {
  const image = await pushNew();
  const state = await node.ensure(makePod('a', 'right'), `${image.name}-missing`);
  expect(reason(state)).toBe('ErrImagePull');
  expect(state).toMatchObject({
    message: expect.stringMatching(/^rpc error: code = NotFound desc = .*not found/) as string,
  });
  expect(await node.records('pulling')).toEqual([]);
});

test('a registry that is down: ErrImagePull, ImagePullBackOff, and the image once it is up again', async () => {
  const image = await pushNew();
  const pod = makePod('a', 'right');
  await registry.stop();
  try {
    const began = Date.now();
    const state = await node.ensure(pod, image.name);
    expect(reason(state)).toBe('ErrImagePull');
    expect(state).toMatchObject({ message: expect.stringContaining('connection refused') as string });
    const backOff = await node.until(pod, (each) => reason(each) === 'ImagePullBackOff', 3000);
    expect(backOff).toMatchObject({
      message: expect.stringMatching(
        /^Back-off pulling image ".*": ErrImagePull: .*connection refused/,
      ) as string,
    });
    const retryAt = backOff.kind === 'failed' ? (backOff.retryAt ?? 0) : 0;
    expect(retryAt - began).toBeGreaterThanOrEqual(10_000);
    await registry.start();
    await wait(retryAt - Date.now());
    node.request(pod, image.name);
    await node.until(pod, (each) => each.kind === 'ready');
  } finally {
    await registry.start();
  }
});

test('an image loaded by hand while its registry is down ends the wait', async () => {
  const image = await busyboxImage(`${registry.host}/any/byhand:1`, { Env: ['A=byhand'] });
  const pod = makePod('a');
  expect(reason(await node.ensure(pod, image.name))).toBe('ErrImagePull');
  const built = await containerd.importImage(image);
  expect(await node.until(pod, (each) => each.kind === 'ready')).toMatchObject({ ref: built.id });
});

describe('a slow registry', () => {
  let open: TestRegistry;
  let slow: SlowRegistry;
  beforeAll(async () => {
    open = await startRegistry({ port: 5001 });
  });
  afterAll(() => open?.destroy());
  beforeEach(async () => {
    // Its host's configuration has to be where this containerd looks.
    slow = await startSlowRegistry({ ...open, configDir: registry.configDir });
  });
  afterEach(() => slow.close());

  async function pushSlow() {
    const tag = `s${++images}`;
    const files = [{ path: 'tag', kind: 'file' as const, data: Buffer.from(tag) }];
    const built = await open.push(await busyboxImage(`any/app:${tag}`, {}, files));
    return { ...built, tag, name: built.name.replace(open.host, slow.host) };
  }

  async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
    for (let tries = 0; !(await holds()); tries++) {
      if (tries > 1000) throw new Error(`never: ${holds.toString()}`);
      await wait(10);
    }
  }

  test('six pods make one pull, and a present image does not wait for it', async () => {
    const image = await pushSlow();
    const pods = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => makePod(name));
    for (const pod of pods) node.request(pod, image.name);
    await until(() => slow.held > 0);
    expect(reason(await node.ensure(makePod('local'), containerd.image))).toBe('ready');
    slow.release();
    for (const pod of pods) await node.until(pod, (state) => state.kind === 'ready');
    expect(await open.requests(new RegExp(`"HEAD /v2/app/manifests/${image.tag} .*" 200 `))).toBe(1);
  });

  test('a pull that nobody wants any more is cancelled in the runtime', async () => {
    const image = await pushSlow();
    const pod = makePod('a');
    node.request(pod, image.name);
    await until(() => slow.held > 0);
    node.manager.forget(pod.metadata.uid);
    await until(() => slow.held === 0);
    expect(slow.givenUp).toBeGreaterThan(0);
    await until(async () => (await node.records('pulling')).length === 0);
    expect(await node.records('pulled')).toEqual([]);
    slow.release();
    expect(reason(await node.ensure(pod, image.name))).toBe('ready');
  });

  test('kill -9 in the middle of a pull: the next process pulls anew and cleans up', async () => {
    const image = await pushSlow();
    const program = fileURLToPath(new URL('one-pull.ts', import.meta.url));
    const child = spawn(process.execPath, [program, containerd.endpoint, node.root, image.name], {
      stdio: 'inherit',
    });
    await until(() => slow.held > 0);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await node.records('pulling')).toHaveLength(1);
    expect(await node.records('pulled')).toEqual([]);
    await until(() => slow.held === 0);
    slow.release();
    expect(await node.ensure(makePod('next'), image.name)).toMatchObject({ kind: 'ready', ref: image.id });
    expect(await node.records('pulling')).toEqual([]);
    expect(await node.records('pulled')).toHaveLength(1);
  });
});
