import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { buildImage } from '../../../scripts/image/image.ts';
import { tar } from '../../../scripts/image/tar.ts';
import type { TarEntry } from '../../../scripts/image/tar.ts';

const entries: TarEntry[] = [
  { path: 'bin', kind: 'directory' },
  { path: 'bin/tool', kind: 'file', mode: 0o4755, uid: 3, gid: 4, data: Buffer.alloc(1000, 'x') },
  { path: 'bin/link', kind: 'symlink', target: '/bin/tool' },
  { path: 'empty', kind: 'file' },
];

test('tar reads what was written, with owners, modes and links', () => {
  const listed = execFileSync('tar', ['--list', '--verbose', '--numeric-owner', '--utc'], {
    input: tar(entries),
  });
  const lines = listed.toString().trim().split('\n');
  expect(lines.map((line) => line.replaceAll(/\s+/g, ' '))).toEqual([
    'drwxr-xr-x 0/0 0 1970-01-01 00:00 bin/',
    '-rwsr-xr-x 3/4 1000 1970-01-01 00:00 bin/tool',
    'lrwxr-xr-x 0/0 0 1970-01-01 00:00 bin/link -> /bin/tool',
    '-rw-r--r-- 0/0 0 1970-01-01 00:00 empty',
  ]);
});

test('a name that doesn’t fit is refused, not cut', () => {
  expect(() => tar([{ path: 'x'.repeat(101), kind: 'file' }])).toThrow(RangeError);
});

describe('an image', () => {
  const image = { name: 'example.test/a:1', config: { Cmd: ['tool'] }, layers: [entries] };

  test('has the same digests each time', () => {
    expect(buildImage(image)).toEqual(buildImage(image));
  });

  test.each([
    ['its configuration', { ...image, config: { Cmd: ['other'] } }],
    ['a file', { ...image, layers: [entries.slice(0, 3)] }],
  ])('has others when %s changes', (_, other) => {
    expect(buildImage(other).digest).not.toBe(buildImage(image).digest);
    expect(buildImage(other).id).not.toBe(buildImage(image).id);
  });

  test('keeps them under another name', () => {
    expect(buildImage({ ...image, name: 'example.test/b:2' }).digest).toBe(buildImage(image).digest);
  });
});
