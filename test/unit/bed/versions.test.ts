import { expect, test } from 'vitest';
import { wanted } from '../../bed/versions.ts';
import type { Version } from '../../bed/versions.ts';

const found: Version[] = [
  { version: '2.1.9', binary: '/cache/containerd-2/usr/bin/containerd' },
  { version: '1.7.24', binary: '/cache/containerd-1.7/usr/bin/containerd' },
  { version: '1.6.20', binary: '/usr/bin/containerd' },
];
const missing: Version = { version: '2', missing: 'no such suite' };
const names = (wishes: string[] | undefined, from = found): string[] =>
  wanted(from, wishes).map(({ version, missing: why }) =>
    why === undefined ? version : `${version}: ${why}`,
  );

test('without a wish it is the newest and the distribution’s', () => {
  expect(names(undefined)).toEqual(['2.1.9', '1.6.20']);
});

test('one that could not be had is named, to be counted as skipped', () => {
  expect(names(undefined, [missing, ...found.slice(2)])).toEqual(['2: no such suite', '1.6.20']);
});

test('a wish picks by the version’s beginning, at a dot', () => {
  expect(names(['1.7', '2'])).toEqual(['1.7.24', '2.1.9']);
  expect(names(['1'])).toEqual(['1.7.24', '1.6.20']);
  expect(names(['2.10'])).toEqual(['2.10: not found; test/setup.sh gets it']);
});
