import { chmodSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AuthConfig } from '#cri/types.ts';
import { nodeCredentialPaths } from './node-credentials.ts';
import { ImageBed, dockerConfig, imagePod } from './testing/image-bed.ts';

let bed: ImageBed;
beforeEach(() => {
  bed = new ImageBed();
});
afterEach(() => bed.destroy());

const container = { name: 'c', image: 'reg.io/team/app:1' };
const withSecrets = (name: string, ...secrets: string[]) =>
  imagePod(name, { imagePullSecrets: secrets.map((secret) => ({ name: secret })) });
/** The user of each pull so far; `-` is an anonymous one. */
const users = () =>
  bed.images.script.calls
    .filter(({ verb }) => verb === 'PullImage')
    .map(({ args }) => (args[1] as AuthConfig | undefined)?.username ?? '-');
const warnings = () => bed.logs.filter((line) => line.includes('"warn"') && line.includes('"file"'));

test("upstream's places, in upstream's order", () => {
  expect(nodeCredentialPaths('/var/lib/kubelet', '/root')).toEqual({
    json: ['/var/lib/kubelet/config.json', '/root/.docker/config.json', '/.docker/config.json'],
    legacy: ['/var/lib/kubelet/.dockercfg', '/root/.dockercfg', '/.dockercfg'],
  });
  expect(nodeCredentialPaths('/r', undefined).json).toEqual(['/r/config.json', '/.docker/config.json']);
});

describe("the node's logins", () => {
  test('the first file that is there is the only one used', async () => {
    bed.write('home/.docker/config.json', dockerConfig({ 'reg.io': 'home:pw' }));
    await bed.ensure(imagePod('a'), container);
    bed.write('config.json', dockerConfig({ 'other.io': 'root:pw' }));
    await bed.ensure(imagePod('b'), container);
    bed.write('config.json', dockerConfig({ 'reg.io': 'root:pw', 'reg.io/team': 'team:pw' }));
    await bed.ensure(imagePod('c'), container);
    expect(users()).toEqual(['home', '-', 'team', 'root']);
  });

  test('.dockercfg counts only where there is no config.json, and a broken file counts as none', async () => {
    bed.write('.dockercfg', JSON.stringify({ 'https://reg.io': { username: 'old', password: 'pw' } }));
    bed.write('config.json', '{"auths": {"reg.io": {"auth": "??"}}}');
    await bed.ensure(imagePod('a'), container);
    bed.write('config.json', dockerConfig({ 'reg.io': 'new:pw' }));
    await bed.ensure(imagePod('b'), container);
    expect(users()).toEqual(['old', 'new']);
    expect(warnings()).toHaveLength(1);
    expect(warnings()[0]).toContain("ignored: entry 1 of auths: field auth isn't base64");
    expect(warnings()[0]).toContain(join(bed.root, 'config.json'));
  });

  test('credential helpers are named as ignored, once', async () => {
    bed.write('config.json', JSON.stringify({ auths: {}, credHelpers: { 'reg.io': 'x' }, credsStore: 'y' }));
    await bed.ensure(imagePod('a'), container);
    await bed.ensure(imagePod('b'), container);
    expect(warnings()).toHaveLength(1);
    expect(warnings()[0]).toContain(
      'credHelpers is not supported and ignored; credsStore is not supported and ignored',
    );
    expect(warnings()[0]).toContain(join(bed.root, 'config.json'));
  });

  test('each login is tried in turn, and all their errors are told', async () => {
    bed.write('config.json', dockerConfig({ 'reg.io/team': 'a:pw', 'reg.io': 'b:pw' }));
    bed.images.script.failNext('PullImage', 'UNKNOWN', 'denied for a');
    bed.images.script.failNext('PullImage', 'UNKNOWN', 'denied for b');
    expect(await bed.ensure(imagePod('a'), container)).toMatchObject({
      message: '[denied for a, denied for b]',
    });
    expect(users()).toEqual(['a', 'b']);
  });
});

describe('imagePullSecrets', () => {
  test("come before the node's logins", async () => {
    bed.write('config.json', dockerConfig({ 'reg.io': 'node:pw' }));
    bed.pullSecret('one', { 'reg.io': 'one:pw' });
    bed.pullSecret('two', { 'reg.io/team': 'two:pw' });
    bed.images.publish(container.image, { registryUser: 'node' });
    const pod = withSecrets('a', 'one', '', 'two');
    await bed.ensure(pod, container);
    expect(users()).toEqual(['two', 'one', 'node']);
    expect(bed.show(pod)).toBe('ready');
    expect(bed.takeEvents().join()).not.toContain('FailedToRetrieveImagePullSecret');
  });

  test('what can not be used is reported and the pull tried without', async () => {
    bed.pullSecret('open', { 'reg.io': 'open:pw' });
    chmodSync(join(bed.root, 'pull-secrets/default/open.json'), 0o640);
    bed.write('pull-secrets/default/broken.json', '{"auths": ');
    symlinkSync('open.json', join(bed.root, 'pull-secrets/default/link.json'));
    bed.pullSecret('good', { 'reg.io': 'good:pw' });
    bed.images.publish(container.image, { registryUser: 'good' });
    const pod = withSecrets('a', 'open', 'gone', 'broken', 'link', '../default/good', 'good');
    await bed.ensure(pod, container);
    expect(users()).toEqual(['good']);
    expect(bed.takeEvents()[0]).toBe(
      'a Warning FailedToRetrieveImagePullSecret Unable to retrieve some image pull secrets ' +
        '(open, gone, broken, link, ../default/good); attempting to pull the image may not succeed.',
    );
    expect(warnings().map((line) => (JSON.parse(line) as { problem: string }).problem)).toEqual([
      'has mode 0640: only its owner may read it; change it to 0600',
      'there is no such file',
      "isn't valid JSON",
      "isn't a regular file",
      'pull secret file "../default/good.json" can\'t be a file name',
    ]);
  });

  test('pods with different logins do not share a pull', async () => {
    bed.pullSecret('right', { 'reg.io': 'right:pw' });
    bed.pullSecret('wrong', { 'reg.io': 'wrong:pw' });
    bed.images.publish(container.image, { registryUser: 'right' });
    const pods = [
      withSecrets('a', 'right'),
      withSecrets('b', 'wrong'),
      imagePod('c'),
      withSecrets('d', 'right'),
    ];
    const hold = bed.images.script.hang('PullImage');
    for (const pod of pods) bed.request(pod, container);
    await bed.until(() => hold.waiting === 3 && bed.events.length === 4);
    hold.release();
    await bed.until(() => pods.every((pod) => bed.show(pod) !== 'pulling'));
    expect(pods.map((pod) => bed.show(pod))).toEqual([
      'ready',
      'failed ErrImagePull 10000',
      'failed ErrImagePull 10000',
      'ready',
    ]);
    expect(users().toSorted()).toEqual(['-', 'right', 'wrong']);
  });
});

describe('no secret is ever printed', () => {
  const canary = 'c4n4ry-5ecret';
  const auth = Buffer.from(`ada:${canary}`).toString('base64');
  const secrets = [canary, auth, Buffer.from(canary).toString('base64')];

  async function pullTwice(text: string) {
    bed.write('config.json', text);
    bed.write('.dockercfg', text);
    bed.write('pull-secrets/default/s.json', text);
    const pod = withSecrets('a', 's');
    await bed.ensure(pod, container);
    await bed.advance(20_000);
    await bed.ensure(pod, container);
    const printed = JSON.stringify([bed.logs, bed.events, bed.state(pod)]);
    for (const secret of secrets) expect(printed).not.toContain(secret);
    return printed;
  }

  test.each([
    [{ auth }, `denied: bad header "Basic ${auth}"`],
    [{ username: 'ada', password: canary }, `denied: ${canary}`],
    [{ username: 'ada', password: canary }, `Get "https://ada:${canary}@reg.io/v2/": 401`],
    [{ identitytoken: canary }, `Get "https://reg.io/token?refresh_token=${canary}": 401`],
    [{ registrytoken: canary }, `bad bearer ${canary}`],
  ])('that a runtime quotes: %j', async (entry, details) => {
    for (let pull = 0; pull < 4; pull++) bed.images.script.failNext('PullImage', 'UNKNOWN', details);
    expect(await pullTwice(JSON.stringify({ auths: { 'reg.io': entry } }))).toContain('[redacted]');
  });

  // Malformed in every way that a decoder might quote.
  test.each([
    `{"auths":{"reg.io":{"auth":"${auth}"}}`,
    `{"auths":{"reg.io":{"auth":"${canary}"}}}`,
    `{"auths":{"reg.io":{"auth":"${Buffer.from(canary).toString('base64')}"}}}`,
    `{"auths":{"reg.io":{"password":["${canary}"]}}}`,
    `{"auths":{"reg.io":"${canary}"}}`,
    `{"auths":"${canary}"}`,
    `{"auths":{"https://ada:${canary}@reg.io":{"auth":1}}}`,
    `{"auths":{"https://ada:${canary}@reg io":{}}}`,
    `{"credsStore":"${canary}","auths":{}}`,
    canary,
    `"${canary}"`,
    `{${canary}: 1}`,
    `{"auths":{"reg.io":{"password":"${canary}\u0000`,
  ])('of the file %j', async (text) => {
    const printed = await pullTwice(text);
    expect(printed).toContain(join(bed.root, 'config.json'));
  });
});
