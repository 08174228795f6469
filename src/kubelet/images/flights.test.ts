import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ImageBed, imagePod } from './testing/image-bed.ts';

let bed: ImageBed;
beforeEach(() => {
  bed = new ImageBed();
});
afterEach(() => bed.destroy());

const pod = imagePod('web');
const policy = (imagePullPolicy: string, image = 'reg.io/app:1') => ({ name: 'c', image, imagePullPolicy });

describe('flights', () => {
  test('one pull serves every pod that wants the image with the same logins, under any name of it', async () => {
    bed.images.publish('app:latest');
    const hold = bed.images.script.hang('PullImage');
    const pods = ['a', 'b', 'c'].map((name) => imagePod(name));
    bed.request(pods[0]!, policy('Always', 'app'));
    await bed.until(() => hold.waiting === 1);
    await bed.advance(500);
    bed.request(pods[1]!, policy('IfNotPresent', 'docker.io/library/app:latest'));
    bed.request(pods[2]!, policy('Always', 'app:latest'));
    await bed.until(() => bed.events.length === 3);
    await bed.advance(500);
    hold.release();
    await bed.settle();
    expect(pods.map((each) => bed.show(each))).toEqual(['ready', 'ready', 'ready']);
    expect(bed.images.script.log('PullImage')).toEqual(['PullImage app:latest']);
    const pulled = bed.takeEvents().filter((text) => text.includes(' Pulled '));
    expect(pulled.toSorted()).toEqual([
      'a/c Normal Pulled Successfully pulled image "app" in 1s (1s including waiting). Image size: 1000000 bytes.',
      'b/c Normal Pulled Successfully pulled image "docker.io/library/app:latest" in 500ms (500ms including waiting). Image size: 1000000 bytes.',
      'c/c Normal Pulled Successfully pulled image "app:latest" in 500ms (500ms including waiting). Image size: 1000000 bytes.',
    ]);
  });

  test.each([
    [{}, 5],
    [{ maxParallelImagePulls: 2 }, 2],
    [{ serializeImagePulls: true, maxParallelImagePulls: 4 }, 1],
    [{ serializeImagePulls: false }, 5],
  ])(
    'with %j at most %i pulls run, in the order of asking; present images do not wait',
    async (options, most) => {
      bed.destroy();
      bed = new ImageBed(options);
      bed.images.add('here:1');
      const names = Array.from({ length: 8 }, (_, index) => `app${index}:1`);
      for (const name of names) bed.images.publish(name);
      const hold = bed.images.script.hang('PullImage');
      for (const name of names) bed.request(imagePod(name), { name: 'c', image: name });
      await bed.settle();
      expect(hold.waiting).toBe(most);
      await bed.ensure(imagePod('here'), { name: 'c', image: 'here:1' });
      expect(bed.show(imagePod('here'))).toBe('ready');
      hold.release();
      await bed.settle();
      await bed.settle();
      const pulls = bed.images.script.log('PullImage');
      expect(pulls.toSorted()).toEqual(names.map((name) => `PullImage ${name}`));
      expect(pulls.slice(most)).toEqual(pulls.slice(most).toSorted());
    },
  );

  test('a pull goes on while anybody wants it, and ends with the last', async () => {
    const other = imagePod('other');
    bed.images.publish('reg.io/app:1');
    const hold = bed.images.script.hang('PullImage');
    bed.request(pod, policy('IfNotPresent'));
    bed.request(other, policy('IfNotPresent'));
    await bed.until(() => hold.waiting === 1 && bed.events.length === 2);
    bed.manager.forget('uid-web');
    expect(bed.show(pod)).toBe('unknown');
    await bed.settle();
    expect(hold.waiting).toBe(1);
    bed.manager.forget('uid-other');
    await bed.settle();
    expect(hold.waiting).toBe(0);
    expect(bed.changes).toEqual([]);
    // Whoever comes now starts anew.
    hold.release();
    await bed.ensure(other, policy('IfNotPresent'));
    expect(bed.show(other)).toBe('ready');
    expect(bed.clock.pending).toBe(0);
    expect(readdirSync(join(bed.root, 'image_manager', 'pulling'))).toEqual([]);
  });

  test('a pod that goes while it waits for its turn is not pulled for', async () => {
    bed.destroy();
    bed = new ImageBed({ serializeImagePulls: true });
    for (const name of ['a:1', 'b:1', 'c:1']) bed.images.publish(name);
    const hold = bed.images.script.hang('PullImage');
    bed.request(imagePod('a'), { name: 'c', image: 'a:1' });
    await bed.until(() => hold.waiting === 1);
    for (const name of ['b', 'c']) bed.request(imagePod(name), { name: 'c', image: `${name}:1` });
    await bed.until(() => bed.events.length === 3);
    bed.manager.forget('uid-b');
    hold.release();
    await bed.until(() => bed.show(imagePod('c')) === 'ready');
    expect(bed.images.script.log('PullImage')).toEqual(['PullImage a:1', 'PullImage c:1']);
  });
});
