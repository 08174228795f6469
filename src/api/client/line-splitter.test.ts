import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineSplitter } from './line-splitter.ts';

test('lines come out whole, however they are cut', () => {
  const text = fc.array(fc.string({ unit: 'grapheme' }).map((each) => each.replaceAll('\n', ' ')));
  fc.assert(
    fc.property(text, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (lines, cuts) => {
      const bytes = Buffer.from(lines.map((each) => `${each}\n`).join(''));
      const splitter = new LineSplitter(1 << 20);
      const out: string[] = [];
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const length = cuts[i % cuts.length] ?? 1;
        out.push(...splitter.push(bytes.subarray(at, at + length)));
        at += length;
      }
      expect(out).toEqual(lines);
    }),
  );
});

test('a line without end is not collected for ever', () => {
  const splitter = new LineSplitter(10);
  expect(splitter.push(Buffer.from('0123456789\n01234'))).toEqual(['0123456789']);
  expect(() => splitter.push(Buffer.from('567890'))).toThrow('more than 10 bytes');
});
