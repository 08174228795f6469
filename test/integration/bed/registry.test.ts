import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { busyboxImage } from '../../../scripts/image/images.ts';
import { startContainerd } from '../../bed/containerd.ts';
import type { TestContainerd } from '../../bed/containerd.ts';
import { startRegistry } from '../../bed/registry.ts';
import type { TestRegistry } from '../../bed/registry.ts';

const auth = { username: 'puller', password: 'secret-of-the-bed' };

describe.each([
  ['open', undefined],
  ['with a password', auth],
])('a registry %s', (_, credentials) => {
  let registry: TestRegistry;
  let containerd: TestContainerd;
  const login =
    credentials === undefined ? [] : ['--user', `${credentials.username}:${credentials.password}`];
  beforeAll(async () => {
    registry = await startRegistry(credentials === undefined ? {} : { auth: credentials });
    containerd = await startContainerd({ registryConfig: registry.configDir });
  });
  afterAll(async () => {
    await containerd.destroy();
    await registry.destroy();
  });
  const pull = (name: string, ...args: string[]): Promise<string> =>
    containerd.ctr('images', 'pull', '--plain-http', ...args, name);

  test('serves what was pushed under the digest it was built with', async () => {
    // With a file that no other image has, so that its layer has to be fetched.
    const file = { path: 'motd', kind: 'file', data: Buffer.from(registry.logFile) } as const;
    const image = await registry.push(await busyboxImage('anywhere/team/app:2', {}, [file]));
    expect(image.name).toBe(`${registry.host}/team/app:2`);
    await pull(image.name, ...login);
    expect(await containerd.ctr('images', 'list')).toContain(image.digest);
    expect(await registry.requests(/GET \/v2\/team\/app\/blobs/)).toBeGreaterThan(0);
  });

  test('lets in who knows its password, and nobody else', async () => {
    const image = await registry.push(await busyboxImage('anywhere/team/app:2'));
    const attempts = [pull(image.name), pull(image.name, '--user', 'puller:wrong')];
    const outcomes = await Promise.allSettled(attempts);
    const expected = credentials === undefined ? 'fulfilled' : 'rejected';
    expect(outcomes.map((outcome) => outcome.status)).toEqual([expected, expected]);
  });

  test('can be stopped and started, and keeps its images', async () => {
    const image = await registry.push(await busyboxImage('anywhere/team/app:3'));
    await registry.stop();
    await expect(pull(image.name, ...login)).rejects.toThrow(/refused/);
    await registry.start();
    await pull(image.name, ...login);
  });
});
