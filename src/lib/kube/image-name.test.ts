import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ImageNameError,
  bareImageName,
  canonicalImageName,
  parseImageName,
  withDefaultTag,
} from './image-name.ts';

const sha = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const digest = `sha256:${sha}`;

describe('parseImageName', () => {
  test.each([
    ['busybox', 'docker.io', 'docker.io/library/busybox', 'latest', undefined],
    ['busybox:1.36', 'docker.io', 'docker.io/library/busybox', '1.36', undefined],
    ['wardviaene/k8s-demo', 'docker.io', 'docker.io/wardviaene/k8s-demo', 'latest', undefined],
    ['index.docker.io/nginx', 'docker.io', 'docker.io/library/nginx', 'latest', undefined],
    ['docker.io/nginx:1', 'docker.io', 'docker.io/library/nginx', '1', undefined],
    ['docker.io/a/b', 'docker.io', 'docker.io/a/b', 'latest', undefined],
    [
      'gcr.io/google_containers/hpa-example',
      'gcr.io',
      'gcr.io/google_containers/hpa-example',
      'latest',
      undefined,
    ],
    ['localhost/app', 'localhost', 'localhost/app', 'latest', undefined],
    ['localhost:5000/app:v1', 'localhost:5000', 'localhost:5000/app', 'v1', undefined],
    ['localhost:5000', 'docker.io', 'docker.io/library/localhost', '5000', undefined],
    ['Registry/app', 'Registry', 'Registry/app', 'latest', undefined],
    ['[::1]:5000/app', '[::1]:5000', '[::1]:5000/app', 'latest', undefined],
    ['[fd00::1]/a/b:c', '[fd00::1]', '[fd00::1]/a/b', 'c', undefined],
    [`app@${digest}`, 'docker.io', 'docker.io/library/app', undefined, digest],
    [`reg.io/app:v1@${digest}`, 'reg.io', 'reg.io/app', 'v1', digest],
    ['a__b/c--d.e_f', 'docker.io', 'docker.io/a__b/c--d.e_f', 'latest', undefined],
    ['app:_a-B.c', 'docker.io', 'docker.io/library/app', '_a-B.c', undefined],
  ])('%s', (image, registry, repository, tag, digest) => {
    expect(parseImageName(image)).toEqual({ registry, repository, tag, digest });
  });

  test.each([
    ['', 'invalid reference format'],
    ['Busybox', 'invalid reference format: repository name (library/Busybox) must be lowercase'],
    ['reg.io/Team/app', 'invalid reference format: repository name (Team/app) must be lowercase'],
    ['app:', 'invalid reference format'],
    ['app:a b', 'invalid reference format'],
    [' app', 'invalid reference format'],
    ['app\n', 'invalid reference format'],
    ['a//b', 'invalid reference format'],
    ['a___b', 'invalid reference format'],
    ['https://reg.io/app', 'invalid reference format'],
    ['app:tag:tag', 'invalid reference format'],
    [`app:${'t'.repeat(129)}`, 'invalid reference format'],
    ['app@sha256:short', 'invalid reference format'],
    [`app@sha256:${sha.slice(0, 40)}`, 'invalid checksum digest length'],
    [`app@md5:${sha.slice(0, 32)}`, 'unsupported digest algorithm'],
    [`app@sha256:${sha.toUpperCase()}`, 'invalid checksum digest format'],
    [sha, `invalid repository name (${sha}), cannot specify 64-byte hexadecimal strings`],
    [`reg.io/${'a'.repeat(256)}`, 'repository name must not be more than 255 characters'],
    [`${'a.'.repeat(3000)}io/app`, 'invalid reference format'],
  ])('refuses %j', (image, message) => {
    expect(() => parseImageName(image)).toThrow(new ImageNameError(message));
  });

  test('a hostile name costs no more than a long one', () => {
    const began = performance.now();
    for (const name of [`${'a-'.repeat(2000)}!`, `${'a/'.repeat(2000)}!`, `${'a.'.repeat(2000)}/!`]) {
      expect(() => parseImageName(name)).toThrow(ImageNameError);
    }
    expect(performance.now() - began).toBeLessThan(1000);
  });
});

test.each([
  ['root', 'root:latest'],
  ['root:tag', 'root:tag'],
  ['localhost:5000/root', 'localhost:5000/root:latest'],
  [`root@${digest}`, `root@${digest}`],
  [`root:latest@${digest}`, `root:latest@${digest}`],
])('withDefaultTag(%s)', (image, expected) => {
  expect(withDefaultTag(image)).toBe(expected);
});

test.each([
  ['busybox', 'docker.io/library/busybox:latest'],
  [`reg.io/a:v1@${digest}`, `reg.io/a@${digest}`],
])('canonicalImageName(%s)', (image, expected) => {
  expect(canonicalImageName(image)).toBe(expected);
});

test.each([
  ['busybox', 'busybox'],
  ['reg.io:5000/a/b:v1', 'reg.io:5000/a/b'],
  [`a:v1@${digest}`, 'a'],
])('bareImageName(%s)', (image, expected) => {
  expect(bareImageName(image)).toBe(expected);
});

describe('properties', () => {
  const component = fc.stringMatching(/^[a-z0-9]{1,8}(?:(?:[._]|__|-{1,3})[a-z0-9]{1,8}){0,2}$/);
  const path = fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  const registry = fc.constantFrom('reg.example.com/', 'localhost:5000/', 'localhost/', '[::1]:80/', '');
  const tag = fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/), { nil: undefined });
  const name = fc
    .tuple(registry, path, tag, fc.boolean())
    .map(([host, path, tag, pinned]) => `${host}${path}${tag ? `:${tag}` : ''}${pinned ? `@${digest}` : ''}`)
    .filter((text) => !/^[a-f0-9]{64}$/.test(text));

  test('every name that the grammar makes is read, and its canonical form is stable', () => {
    fc.assert(
      fc.property(name, (image) => {
        const canonical = canonicalImageName(image);
        expect(canonicalImageName(canonical)).toBe(canonical);
        expect(canonicalImageName(withDefaultTag(image))).toBe(canonical);
        expect(image.startsWith(bareImageName(image))).toBe(true);
      }),
    );
  });

  test('any text is read or refused with an ImageNameError', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (text) => {
        try {
          expect(parseImageName(text).repository).toMatch(/^[^/]+\/[a-z0-9._/-]+$/);
        } catch (error) {
          expect(error).toBeInstanceOf(ImageNameError);
        }
      }),
    );
  });
});
