import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { takeInventory } from '../../bed/inventory.ts';
import { startContainerd } from '../../bed/containerd.ts';
import type { TestContainerd } from '../../bed/containerd.ts';

describe('the containerd under test', () => {
  let containerd: TestContainerd;
  beforeAll(async () => {
    containerd = await startContainerd();
  });
  afterAll(() => containerd.destroy());

  test('is of the version that was asked for', async () => {
    expect(await containerd.ctr('version')).toContain(process.env['NODELET_TEST_CONTAINERD_VERSION']);
  });

  test('has the CRI plugin running and the images under the digests they were built with', async () => {
    const plugins = await containerd.ctr('plugins', 'list');
    expect(plugins).toMatch(/\bcri\s.*\bok\b/);
    const listed = await containerd.ctr('images', 'list');
    for (const image of containerd.images.values()) {
      expect(listed).toMatch(new RegExp(`${image.name}\\s.*${image.digest}`));
    }
    expect(listed).toContain('io.cri-containerd.pinned=pinned');
  });

  test('runs containers that outlive it, and the inventory shows them until they are gone', async () => {
    const before = await containerd.inventory();
    await containerd.ctr('run', '--detach', containerd.image, 'one', 'sleep', '600');
    await containerd.kill9();
    await containerd.restart();
    expect(await containerd.ctr('tasks', 'list')).toMatch(/one\s+\d+\s+RUNNING/);
    const during = await containerd.inventory();
    expect(during.shims.map((shim) => shim.id)).toEqual(['one']);
    expect(during.mounts.length).toBeGreaterThan(before.mounts.length);
    await containerd.ctr('tasks', 'delete', '--force', 'one');
    await containerd.ctr('containers', 'delete', 'one');
    expect(await containerd.inventory()).toEqual(before);
  });

  test('its pause image ends at TERM', async () => {
    await containerd.ctr('run', '--detach', containerd.pauseImage, 'pause');
    await wait(200);
    await containerd.ctr('tasks', 'kill', '--signal', 'SIGTERM', 'pause');
    for (let tries = 50; /RUNNING/.test(await containerd.ctr('tasks', 'list')); tries -= 1) {
      expect(tries).toBeGreaterThan(0);
      await wait(50);
    }
    await containerd.ctr('containers', 'delete', 'pause');
  });
});

test('destroy leaves nothing', async () => {
  const containerd = await startContainerd();
  await containerd.ctr('run', '--detach', containerd.image, 'two', 'sleep', '600');
  await containerd.destroy();
  const left = await takeInventory({ socket: containerd.socket, dir: containerd.stateDir });
  expect(left).toMatchObject({ shims: [], mounts: [], networkNamespaces: [], links: [] });
});
