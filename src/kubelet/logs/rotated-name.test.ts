import { describe, expect, it } from 'vitest';
import { newStamp, rotatedFiles, stampOf } from './rotated-name.ts';

describe('rotatedFiles', () => {
  it('finds the files of one log, oldest first, and nothing else', () => {
    const names = [
      '0.log',
      '0.log.20260102-030406',
      '0.log.20260102-030405.gz',
      '0.log.20260102-030406.gz',
      '0.log.20260102-030407.tmp',
      '10.log.20260102-030405',
      '0.log.bak',
      '0.log.20260102-030405.xz',
      '0.logs',
    ];
    expect(rotatedFiles(names, '0.log').map(({ name, form }) => [name.slice(6), form])).toEqual([
      ['20260102-030405.gz', 'gz'],
      ['20260102-030406', 'plain'],
      ['20260102-030406.gz', 'gz'],
      ['20260102-030407.tmp', 'tmp'],
    ]);
  });
});

describe('newStamp', () => {
  const at = new Date(2026, 0, 2, 3, 4, 5).getTime();
  const files = (...stamps: string[]) =>
    rotatedFiles(
      stamps.map((stamp) => `0.log.${stamp}`),
      '0.log',
    );

  it.each([
    ['nothing there', [], '20260102-030405'],
    ['older ones', ['20260102-030404', '20251231-235959.gz'], '20260102-030405'],
    ['one of this second', ['20260102-030405'], '20260102-030406'],
    ['a compressed one of this second', ['20260102-030405.gz'], '20260102-030406'],
    ['a clock that went back over a new year', ['20261231-235959'], '20270101-000000'],
  ])('with %s', (_, stamps, expected) => {
    expect(newStamp(at, files(...stamps))).toBe(expected);
  });

  it('is in local time', () => {
    expect(stampOf(at)).toBe('20260102-030405');
  });
});
