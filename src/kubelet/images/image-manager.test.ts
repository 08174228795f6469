import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ImageBed, imagePod } from './testing/image-bed.ts';

let bed: ImageBed;
beforeEach(() => {
  bed = new ImageBed();
});
afterEach(() => bed.destroy());

const pod = imagePod('web');
const policy = (imagePullPolicy: string, image = 'reg.io/app:1') => ({ name: 'c', image, imagePullPolicy });
const missing =
  'failed to pull and unpack image "reg.io/app:1": failed to resolve reference "reg.io/app:1": reg.io/app:1: not found';
const notFound = `rpc error: code = NotFound desc = ${missing}`;

describe('policies', () => {
  test('nothing is known of what nobody asked for', () => {
    expect(bed.show(pod)).toBe('unknown');
  });

  test('IfNotPresent with a present image makes no pull', async () => {
    const image = bed.images.add('reg.io/app:1', { uid: 1000 });
    bed.request(pod, policy('IfNotPresent'));
    expect(bed.state(pod)).toEqual({ kind: 'pulling', since: bed.clock.now() });
    await bed.settle();
    expect(bed.state(pod)).toEqual({ kind: 'ready', ref: image.id, image });
    expect(bed.changes).toEqual(['uid-web']);
    expect(bed.images.script.log('PullImage')).toEqual([]);
    expect(bed.takeEvents()).toEqual([
      'web/c Normal Pulled Container image "reg.io/app:1" already present on machine and can be accessed by the pod',
    ]);
  });

  test('IfNotPresent with a missing image pulls it and says how long that took', async () => {
    const image = bed.images.publish('reg.io/app:1', { size: 4321 });
    const hold = bed.images.script.hang('PullImage');
    bed.request(pod, policy('IfNotPresent'));
    await bed.until(() => hold.waiting === 1);
    await bed.advance(1234);
    expect(bed.show(pod)).toBe('pulling');
    hold.release();
    await bed.settle();
    expect(bed.state(pod)).toEqual({ kind: 'ready', ref: image.id, image });
    expect(bed.takeEvents()).toEqual([
      'web/c Normal Pulling Pulling image "reg.io/app:1"',
      'web/c Normal Pulled Successfully pulled image "reg.io/app:1" in 1.234s (1.234s including waiting). Image size: 4321 bytes.',
    ]);
  });

  test('Always pulls also what is present, once for each attempt', async () => {
    bed.images.add('reg.io/app:1');
    bed.images.publish('reg.io/app:1');
    await bed.ensure(pod, policy('Always'));
    await bed.ensure(pod, policy('Always'));
    expect(bed.images.script.log('PullImage')).toHaveLength(1);
    expect(bed.show(pod, 'c', 1)).toBe('unknown');
    await bed.ensure(pod, policy('Always'), 1);
    expect(bed.show(pod, 'c', 1)).toBe('ready');
    expect(bed.show(pod, 'c', 0)).toBe('unknown');
    expect(bed.images.script.log('PullImage')).toHaveLength(2);
  });

  test('Always does not fall back to the present image when the registry fails', async () => {
    bed.images.add('reg.io/app:1');
    await bed.ensure(pod, policy('Always'));
    expect(bed.show(pod)).toBe('failed ErrImagePull 10000');
    await bed.advance(5000);
    expect(bed.show(pod)).toBe('failed ImagePullBackOff 5000');
  });

  test('Never uses what is present', async () => {
    bed.images.add('reg.io/app:1');
    await bed.ensure(pod, policy('Never'));
    expect(bed.show(pod)).toBe('ready');
  });

  test('Never without the image fails until somebody loads it, and repeats itself seldom', async () => {
    const state = await bed.ensure(pod, policy('Never'));
    const message = 'Container image "reg.io/app:1" is not present with pull policy of Never';
    expect(state).toEqual({ kind: 'failed', reason: 'ErrImageNeverPull', message, retryAt: undefined });
    const told = [
      `web/c Warning ErrImageNeverPull ${message}`,
      'web/c Warning Failed Error: ErrImageNeverPull',
    ];
    expect(bed.takeEvents()).toEqual(told);
    for (let second = 0; second < 290; second += 10) await bed.advance(10_000);
    expect(bed.takeEvents()).toEqual([]);
    expect(bed.changes).toHaveLength(1);
    await bed.advance(20_000);
    expect(bed.takeEvents()).toEqual(told);
    bed.images.add('reg.io/app:1');
    await bed.advance(10_000);
    expect(bed.show(pod)).toBe('ready');
    expect(bed.changes).toHaveLength(3);
    expect(bed.images.script.log('PullImage')).toEqual([]);
  });

  test.each([
    ['app', 'Always'],
    ['app:latest', 'Always'],
    ['app:1', 'IfNotPresent'],
    [`app@sha256:${'0'.repeat(64)}`, 'IfNotPresent'],
  ])('without a policy %s is pulled %s', async (image, expected) => {
    bed.images.add(image === 'app' ? 'app:latest' : image);
    await bed.ensure(pod, { name: 'c', image });
    expect(bed.show(pod)).toBe(expected === 'Always' ? 'failed ErrImagePull 10000' : 'ready');
  });
});

describe('failures', () => {
  test('shows ErrImagePull for a second, then ImagePullBackOff, and tries again when asked after the back-off', async () => {
    const state = await bed.ensure(pod, policy('IfNotPresent'));
    expect(state).toEqual({
      kind: 'failed',
      reason: 'ErrImagePull',
      message: notFound,
      retryAt: bed.clock.now() + 10_000,
    });
    expect(bed.takeEvents()).toEqual([
      'web/c Normal Pulling Pulling image "reg.io/app:1"',
      `web/c Warning Failed Failed to pull image "reg.io/app:1": ${notFound}`,
      'web/c Warning Failed Error: ErrImagePull',
    ]);
    await bed.advance(999);
    expect(bed.show(pod)).toBe('failed ErrImagePull 9001');
    await bed.advance(1);
    expect(bed.state(pod)).toEqual({
      kind: 'failed',
      reason: 'ImagePullBackOff',
      message: `Back-off pulling image "reg.io/app:1": ErrImagePull: ${notFound}`,
      retryAt: bed.clock.now() + 9000,
    });
    expect(bed.takeEvents()).toEqual([
      'web/c Normal BackOff Back-off pulling image "reg.io/app:1"',
      'web/c Warning Failed Error: ImagePullBackOff',
    ]);
    expect(bed.changes).toHaveLength(2);
    // Too early.
    bed.request(pod, policy('IfNotPresent'));
    await bed.settle();
    expect(bed.images.script.log('PullImage')).toHaveLength(1);
    await bed.advance(9000);
    bed.images.publish('reg.io/app:1');
    await bed.ensure(pod, policy('IfNotPresent'));
    expect(bed.show(pod)).toBe('ready');
  });

  test('keeps showing the last failure while it tries again', async () => {
    await bed.ensure(pod, policy('Always'));
    await bed.advance(10_000);
    const hold = bed.images.script.hang('PullImage');
    bed.request(pod, policy('Always'));
    await bed.until(() => hold.waiting === 1);
    expect(bed.show(pod)).toBe('failed ImagePullBackOff -');
    hold.release();
    await bed.ensure(pod, policy('Always'));
    expect(bed.show(pod)).toBe('failed ErrImagePull 20000');
    expect(bed.images.script.log('PullImage')).toHaveLength(2);
  });

  test('backs off 10 s to 300 s, doubling; a success does not reset it, ten quiet minutes do', async () => {
    const delays: string[] = [];
    for (let attempt = 0; attempt < 7; attempt++) {
      await bed.ensure(pod, policy('Always'));
      delays.push(bed.show(pod));
      const state = bed.state(pod);
      await bed.advance(state.kind === 'failed' ? state.retryAt! - bed.clock.now() : 0);
    }
    expect(delays.map((text) => Number(text.split(' ')[2]))).toEqual([
      10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000,
    ]);
    bed.images.publish('reg.io/app:1');
    await bed.ensure(pod, policy('Always'));
    expect(bed.show(pod)).toBe('ready');
    bed.images.script.failNext('PullImage');
    await bed.ensure(pod, policy('Always'), 1);
    expect(bed.show(pod, 'c', 1)).toBe('failed ErrImagePull 300000');
    await bed.advance(601_000);
    bed.images.script.failNext('PullImage');
    await bed.ensure(pod, policy('Always'), 1);
    expect(bed.show(pod, 'c', 1)).toBe('failed ErrImagePull 10000');
  });

  test('two containers of a pod share pull and back-off, another pod has its own', async () => {
    const other = imagePod('db');
    bed.request(pod, policy('IfNotPresent'));
    bed.request(pod, { ...policy('IfNotPresent'), name: 'd' });
    await bed.settle();
    expect([bed.show(pod), bed.show(pod, 'd')]).toEqual([
      'failed ErrImagePull 10000',
      'failed ErrImagePull 10000',
    ]);
    await bed.advance(4000);
    await bed.ensure(pod, { ...policy('IfNotPresent'), name: 'e' });
    expect(bed.show(pod, 'e')).toBe('failed ImagePullBackOff 6000');
    expect(bed.images.script.log('PullImage')).toHaveLength(1);
    await bed.ensure(other, policy('IfNotPresent'));
    expect(bed.show(other)).toBe('failed ErrImagePull 10000');
    expect(bed.images.script.log('PullImage')).toHaveLength(2);
  });

  test('a wall clock that is set back does not hold a retry up', async () => {
    await bed.ensure(pod, policy('Always'));
    await bed.advance(4000);
    const { clock } = bed;
    const before = clock.now.bind(clock);
    clock.now = () => before() - 3_600_000;
    expect(bed.show(pod)).toBe('failed ImagePullBackOff 6000');
    await bed.advance(6000);
    bed.images.publish('reg.io/app:1');
    await bed.ensure(pod, policy('Always'));
    expect(bed.show(pod)).toBe('ready');
  });

  test('an image loaded by hand ends the back-off', async () => {
    await bed.ensure(pod, policy('IfNotPresent'));
    for (let wait = 0; wait < 2; wait++) {
      await bed.advance(20_000 * (wait + 1));
      await bed.ensure(pod, policy('IfNotPresent'));
    }
    await bed.advance(1000);
    expect(bed.show(pod)).toBe('failed ImagePullBackOff 39000');
    bed.images.add('reg.io/app:1');
    bed.changes.length = 0;
    await bed.advance(10_000);
    expect(bed.show(pod)).toBe('ready');
    expect(bed.changes).toEqual(['uid-web']);
  });

  test.each([
    [
      'RegistryUnavailable: no route',
      'RegistryUnavailable',
      'image pull failed for reg.io/app:1 because the registry is unavailable: no route',
    ],
    [
      'SignatureValidationFailed: bad key',
      'SignatureValidationFailed',
      'image pull failed for reg.io/app:1 because the signature validation failed: bad key',
    ],
  ])('a runtime that says %s', async (details, reason, message) => {
    bed.images.script.failNext('PullImage', 'UNKNOWN', details);
    const state = await bed.ensure(pod, policy('IfNotPresent'));
    expect(state).toMatchObject({ kind: 'failed', reason, message });
    expect(bed.takeEvents().slice(1)).toEqual([
      `web/c Warning Failed Failed to pull image "reg.io/app:1": ${details}`,
      `web/c Warning Failed Error: ${reason}`,
    ]);
    await bed.advance(1000);
    expect(bed.state(pod)).toMatchObject({
      reason: 'ImagePullBackOff',
      message: `Back-off pulling image "reg.io/app:1": ${reason}: ${message}`,
    });
  });

  test('a name that is none is never asked of the runtime', async () => {
    const message =
      'Failed to apply default image tag "reg.io/Team/app": couldn\'t parse image name "reg.io/Team/app": ' +
      'invalid reference format: repository name (Team/app) must be lowercase';
    const state = await bed.ensure(pod, { name: 'c', image: 'reg.io/Team/app' });
    expect(state).toEqual({ kind: 'failed', reason: 'InvalidImageName', message, retryAt: undefined });
    expect(bed.takeEvents()).toEqual([
      `web/c Warning InspectFailed ${message}`,
      'web/c Warning Failed Error: InvalidImageName',
    ]);
    expect(bed.images.script.calls).toEqual([]);
    await bed.ensure(pod, { name: 'c', image: 'reg.io/team/app:1' });
    expect(bed.show(pod)).toBe('failed ErrImagePull 10000');
  });

  test('a runtime that can not tell is asked again', async () => {
    bed.images.add('reg.io/app:1');
    bed.images.script.failNext('ImageStatus', 'UNAVAILABLE', 'no connection');
    const state = await bed.ensure(pod, policy('IfNotPresent'));
    const message =
      'Failed to inspect image "reg.io/app:1": rpc error: code = Unavailable desc = no connection';
    expect(state).toEqual({ kind: 'failed', reason: 'ImageInspectError', message, retryAt: undefined });
    expect(bed.takeEvents()).toEqual([
      `web/c Warning InspectFailed ${message}`,
      'web/c Warning Failed Error: ImageInspectError',
    ]);
    await bed.advance(10_000);
    expect(bed.show(pod)).toBe('ready');
  });

  test('a pull that never ends is given up', async () => {
    bed.images.publish('reg.io/app:1');
    bed.images.script.hang('PullImage');
    bed.request(pod, policy('IfNotPresent'));
    await bed.until(() => bed.images.script.log('PullImage').length === 1);
    await bed.advance(7_199_000);
    expect(bed.show(pod)).toBe('pulling');
    await bed.advance(1000);
    expect(bed.state(pod)).toMatchObject({ reason: 'ErrImagePull' });
  });
});

test('a found image is looked for again after two minutes, since it may have been collected', async () => {
  bed.images.add('reg.io/app:1');
  await bed.ensure(pod, policy('IfNotPresent'));
  await bed.advance(120_000);
  expect(bed.show(pod)).toBe('ready');
  await bed.advance(1);
  expect(bed.show(pod)).toBe('unknown');
  await bed.ensure(pod, policy('IfNotPresent'));
  expect(bed.show(pod)).toBe('ready');
  expect(bed.images.script.log('ImageStatus')).toHaveLength(2);
});

test('the runtime gets the name with its default tag and the pod annotations', async () => {
  const annotated = imagePod('web');
  annotated.metadata.annotations = { a: 'b' };
  bed.images.publish('app:latest');
  await bed.ensure(annotated, { name: 'c', image: 'app' });
  const call = bed.images.script.calls.find(({ verb }) => verb === 'PullImage');
  expect(call?.args).toEqual([{ image: 'app:latest', annotations: { a: 'b' } }, undefined, undefined]);
});
