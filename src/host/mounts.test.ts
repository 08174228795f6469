import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mountAt, mountHolding, mountsBelow, parseMountInfo } from './mounts.ts';

const line = (id: number, mountPoint: string, type = 'tmpfs'): string =>
  `${id} 1 0:${id} / ${mountPoint} rw,relatime shared:1 master:2 - ${type} none rw,size=1k`;

describe('parseMountInfo', () => {
  test('reads all fields, with any number of optional ones', () => {
    const text = [
      '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue',
      '41 31 0:38 / /sys/fs/cgroup/unified ro - cgroup2 cgroup2 rw',
      '',
    ].join('\n');
    expect(parseMountInfo(text)).toEqual([
      {
        id: 36,
        parentId: 35,
        device: '98:0',
        root: '/mnt1',
        mountPoint: '/mnt2',
        options: ['rw', 'noatime'],
        optionalFields: ['master:1'],
        type: 'ext3',
        source: '/dev/root',
        superOptions: ['rw', 'errors=continue'],
      },
      expect.objectContaining({ mountPoint: '/sys/fs/cgroup/unified', optionalFields: [], type: 'cgroup2' }),
    ]);
  });

  test.each([
    ['/a\\040b', '/a b'],
    ['/tab\\011x', '/tab\tx'],
    ['/back\\134slash', '/back\\slash'],
    ['/line\\012end', '/line\nend'],
    ['/\\303\\244', '/ä'],
    ['/ä\\040ö', '/ä ö'],
    ['/\\13', '/\\13'],
  ])('%s stands for %j', (written, path) => {
    expect(parseMountInfo(line(1, written))[0]?.mountPoint).toBe(path);
  });

  test('any path survives the kernel’s escaping', () => {
    const escape = (path: string): string =>
      path.replace(/[ \t\n\\]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const path = `/${text.replaceAll('\0', '')}`;
        expect(parseMountInfo(line(1, escape(path)))[0]?.mountPoint).toBe(path);
      }),
    );
  });

  test('leaves out what is no entry', () => {
    expect(parseMountInfo('\nnonsense\n1 2 3\n')).toEqual([]);
  });
});

describe('looking up', () => {
  const mounts = parseMountInfo(
    [line(1, '/'), line(2, '/pods/a'), line(3, '/pods/a/vol'), line(4, '/pods/ab'), line(5, '/pods/a')].join(
      '\n',
    ),
  );
  const ids = (path: string): number[] => mountsBelow(mounts, path).map(({ id }) => id);

  test('mountsBelow: the latest first, no neighbours of like name', () => {
    expect(ids('/pods/a')).toEqual([5, 3, 2]);
    expect(ids('/pods')).toEqual([5, 4, 3, 2]);
    expect(ids('/pods/abc')).toEqual([]);
  });

  test('mountAt and mountHolding see the uppermost', () => {
    expect(mountAt(mounts, '/pods/a')?.id).toBe(5);
    expect(mountAt(mounts, '/pods')).toBeUndefined();
    expect(mountHolding(mounts, '/pods/a/x')?.id).toBe(5);
    expect(mountHolding(mounts, '/pods/a/vol/x')?.id).toBe(3);
    expect(mountHolding(mounts, '/pods/abc')?.id).toBe(1);
  });
});
