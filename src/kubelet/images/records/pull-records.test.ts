import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ImageBed, dockerConfig, imagePod } from '../testing/image-bed.ts';
import { recordFileName } from './files.ts';
import { decodePulled, encodeIntent } from './format.ts';

let bed: ImageBed;
beforeEach(() => {
  bed = new ImageBed();
});
afterEach(() => bed.destroy());

const container = { name: 'c', image: 'reg.io/app:1', imagePullPolicy: 'IfNotPresent' };
const withSecret = (name: string, ...secrets: string[]) =>
  imagePod(name, { imagePullSecrets: secrets.map((secret) => ({ name: secret })) });
const pulls = () => bed.images.script.log('PullImage').length;
const dir = (name: 'pulling' | 'pulled') => join(bed.root, 'image_manager', name);
const recordOf = (id: string) => decodePulled(readFileSync(join(dir('pulled'), recordFileName(id)), 'utf8'));
const writeIntent = (image: string) =>
  bed.write(`image_manager/pulling/${recordFileName(image)}`, encodeIntent({ image }));

/** Publishes the image for one user, and lets a pod with that user's secret pull it. */
async function pulledPrivately() {
  bed.pullSecret('right', { 'reg.io': 'right:pw' });
  const image = bed.images.publish('reg.io/app:1', { registryUser: 'right' });
  const owner = withSecret('owner', 'right');
  await bed.ensure(owner, container);
  expect(bed.show(owner)).toBe('ready');
  bed.takeEvents();
  return image;
}

describe('an image pulled with a pod secret', () => {
  test('is recorded with a hash, and nothing of the login', async () => {
    const image = await pulledPrivately();
    expect(recordOf(image.id)).toEqual({
      lastUpdatedTime: '2026-01-01T00:00:00Z',
      imageRef: image.id,
      credentialMapping: {
        'reg.io/app': {
          kubernetesSecrets: [
            {
              uid: 'file:default/right',
              namespace: 'default',
              name: 'right',
              credentialHash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
            },
          ],
        },
      },
    });
    expect(readdirSync(dir('pulling'))).toEqual([]);
    const text = readFileSync(join(dir('pulled'), recordFileName(image.id)), 'utf8');
    expect(text).not.toContain('pw');
  });

  test('is not handed to a pod without the secret', async () => {
    await pulledPrivately();
    const stranger = imagePod('stranger');
    await bed.ensure(stranger, container);
    expect(bed.show(stranger)).toBe('failed ErrImagePull 10000');
    await bed.advance(60_000);
    expect(bed.show(stranger)).toContain('ImagePullBackOff');
    const never = imagePod('never');
    const state = await bed.ensure(never, { ...container, imagePullPolicy: 'Never' });
    // The same words as if it weren't there.
    expect(state).toMatchObject({
      reason: 'ErrImageNeverPull',
      message: 'Container image "reg.io/app:1" is not present with pull policy of Never',
    });
  });

  test('is handed to a pod with the secret, or the same login under another name, without a pull', async () => {
    const image = await pulledPrivately();
    bed.pullSecret('copy', { 'reg.io': 'right:pw' });
    for (const pod of [withSecret('a', 'right'), withSecret('b', 'copy')]) {
      await bed.ensure(pod, container);
      expect(bed.show(pod)).toBe('ready');
    }
    expect(pulls()).toBe(1);
    expect(
      recordOf(image.id).credentialMapping?.['reg.io/app']?.kubernetesSecrets?.map((each) => each.name),
    ).toEqual(['copy', 'right']);
    // Written down, it holds although the login changes later.
    bed.pullSecret('copy', { 'reg.io': 'right:changed' });
    await bed.ensure(withSecret('c', 'copy'), container);
    expect(pulls()).toBe(1);
  });

  test('is pulled again for other logins, and then known for them too', async () => {
    const image = await pulledPrivately();
    bed.pullSecret('wrong', { 'reg.io': 'wrong:pw' });
    const wrong = withSecret('wrong', 'wrong');
    await bed.ensure(wrong, container);
    expect(bed.show(wrong)).toBe('failed ErrImagePull 10000');
    bed.write('config.json', dockerConfig({ 'reg.io': 'right:pw' }));
    const anybody = imagePod('anybody');
    await bed.ensure(anybody, container);
    expect(bed.show(anybody)).toBe('ready');
    expect(recordOf(image.id).credentialMapping).toEqual({ 'reg.io/app': { nodePodsAccessible: true } });
    const before = pulls();
    await bed.ensure(imagePod('another'), container);
    expect(pulls()).toBe(before);
  });

  test('is known after a restart', async () => {
    await pulledPrivately();
    bed.restart();
    await bed.ensure(imagePod('stranger'), container);
    expect(bed.show(imagePod('stranger'))).toBe('failed ErrImagePull 10000');
    await bed.ensure(withSecret('friend', 'right'), container);
    expect(bed.show(withSecret('friend', 'right'))).toBe('ready');
    expect(pulls()).toBe(2);
  });

  test('is not handed out while it arrives, under whatever name', async () => {
    bed.pullSecret('right', { 'reg.io': 'right:pw' });
    const digest = `reg.io/app@sha256:${'0'.repeat(64)}`;
    bed.images.publish('reg.io/app:1', { registryUser: 'right' });
    const hold = bed.images.script.hang('PullImage');
    bed.request(withSecret('owner', 'right'), container);
    await bed.until(() => hold.waiting === 1);
    // There already, but its pull hasn't ended.
    bed.images.add('reg.io/app:1', { repoDigests: [digest] });
    bed.request(imagePod('tag'), container);
    bed.request(imagePod('digest'), { ...container, image: digest });
    await bed.until(() => hold.waiting === 3);
    expect([bed.show(imagePod('tag')), bed.show(imagePod('digest'))]).toEqual(['pulling', 'pulling']);
  });
});

describe('policies', () => {
  test.each([
    ['NeverVerify', true],
    ['NeverVerifyPreloadedImages', false],
    ['AlwaysVerify', false],
  ] as const)('%s gives a stranger the pulled image: %s', async (policy, given) => {
    bed.destroy();
    bed = new ImageBed({ policy });
    await pulledPrivately();
    await bed.ensure(imagePod('stranger'), container);
    expect(bed.show(imagePod('stranger'))).toBe(given ? 'ready' : 'failed ErrImagePull 10000');
  });

  test.each([
    ['NeverVerify', 0],
    ['NeverVerifyPreloadedImages', 0],
    ['AlwaysVerify', 1],
  ] as const)('%s with a preloaded image: %i pulls', async (policy, expected) => {
    bed.destroy();
    bed = new ImageBed({ policy });
    bed.images.add('reg.io/app:1');
    await bed.ensure(imagePod('a'), container);
    expect(pulls()).toBe(expected);
  });
});

describe('a process killed in the middle', () => {
  test('leaves an intent, and an image that came with it belongs to nobody', async () => {
    bed.pullSecret('right', { 'reg.io': 'right:pw' });
    bed.images.publish('reg.io/app:1', { registryUser: 'right' });
    const hold = bed.images.script.hang('PullImage');
    bed.request(withSecret('owner', 'right'), container);
    await bed.until(() => hold.waiting === 1);
    expect(readdirSync(dir('pulling'))).toEqual([recordFileName('reg.io/app:1')]);
    // Killed here; the runtime finishes all the same.
    const image = bed.images.add('reg.io/app:1');
    bed.write(`image_manager/pulled/.${recordFileName('draft')}.77.new`, '{');
    bed.restart();
    await bed.records.adopt();
    expect(readdirSync(dir('pulling'))).toEqual([]);
    expect(readdirSync(dir('pulled'))).toEqual([recordFileName(image.id)]);
    expect(recordOf(image.id).credentialMapping).toEqual({});
    const never = imagePod('never');
    await bed.ensure(never, { ...container, imagePullPolicy: 'Never' });
    expect(bed.show(never)).toBe('failed ErrImageNeverPull -');
  });

  test('the intent of an image that did not come stays, under any spelling the image comes later', async () => {
    writeIntent('app');
    bed.restart();
    await bed.records.adopt();
    expect(readdirSync(dir('pulling'))).toHaveLength(1);
    const image = bed.images.add('docker.io/library/app:latest');
    bed.restart();
    await bed.records.adopt();
    expect(readdirSync(dir('pulling'))).toEqual([]);
    expect(existsSync(join(dir('pulled'), recordFileName(image.id)))).toBe(true);
  });

  test('a runtime that is down delays the reckoning, but does not cancel it', async () => {
    writeIntent('reg.io/app:1');
    bed.images.add('reg.io/app:1');
    bed.images.script.down = true;
    await bed.ensure(imagePod('a'), container);
    expect(bed.show(imagePod('a'))).toBe('failed ImageInspectError -');
    bed.images.script.down = false;
    await bed.advance(10_000);
    expect(bed.show(imagePod('a'))).toBe('failed ErrImagePull 10000');
  });
});

describe('failed pulls', () => {
  test('leave nothing behind', async () => {
    await bed.ensure(imagePod('a'), container);
    expect(readdirSync(dir('pulling'))).toEqual([]);
    expect(readdirSync(dir('pulled'))).toEqual([]);
  });

  test('an image that arrived although the answer was lost belongs to nobody', async () => {
    bed.images.publish('reg.io/app:1');
    bed.images.script.failNext('PullImage', 'DEADLINE_EXCEEDED', 'too slow', { answerOnly: true });
    await bed.ensure(imagePod('a'), container);
    expect(bed.show(imagePod('a'))).toBe('failed ErrImagePull 10000');
    const id = bed.images.find('reg.io/app:1')?.id ?? '';
    expect(recordOf(id).credentialMapping).toEqual({});
    expect(readdirSync(dir('pulling'))).toEqual([]);
  });

  test('an image that an administrator loaded meanwhile stays preloaded', async () => {
    const hold = bed.images.script.hang('PullImage');
    bed.request(imagePod('a'), container);
    await bed.until(() => hold.waiting === 1);
    bed.images.add('reg.io/app:1');
    hold.release();
    await bed.until(() => bed.show(imagePod('a')).startsWith('failed'));
    await bed.advance(1000);
    await bed.advance(10_000);
    expect(bed.show(imagePod('a'))).toBe('ready');
  });

  test('a pull does not begin where its intent can not be written', async () => {
    await bed.ensure(imagePod('a'), { ...container, image: 'here:1' });
    bed.images.publish('reg.io/app:1');
    const { rmSync, writeFileSync } = await import('node:fs');
    rmSync(dir('pulling'), { recursive: true });
    writeFileSync(dir('pulling'), '');
    const before = pulls();
    const state = await bed.ensure(imagePod('b'), container);
    expect(state).toMatchObject({
      reason: 'ErrImagePull',
      message: expect.stringMatching(
        /^Failed to record image pull intent for container image "reg.io\/app:1": /,
      ) as string,
    });
    expect(pulls()).toBe(before);
  });
});

test('an unreadable record means: show that you may', async () => {
  const image = bed.images.add('reg.io/app:1');
  bed.write(`image_manager/pulled/${recordFileName(image.id)}`, '{"kind":');
  await bed.ensure(imagePod('a'), container);
  expect(bed.show(imagePod('a'))).toBe('failed ErrImagePull 10000');
});

test('prune drops the records of images that are gone, but not what has just been written', async () => {
  const image = await pulledPrivately();
  const now = bed.clock.now();
  await bed.records.prune(new Set(), now);
  expect(readdirSync(dir('pulled'))).toHaveLength(1);
  await bed.records.prune(new Set([image.id]), now + 1000);
  expect(readdirSync(dir('pulled'))).toHaveLength(1);
  await bed.records.prune(new Set(), now + 1000);
  expect(readdirSync(dir('pulled'))).toHaveLength(0);
});
