import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mergePatch } from './merge-patch.ts';
import { fieldTable, sameJson, type Json } from './field.ts';
import { readObject } from './read.ts';
import { Settings } from './settings.ts';

const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>;

/** The example table of RFC 7386, appendix A. */
test.each<[Json, Json, Json]>([
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [
    ['a', 'b'],
    ['c', 'd'],
    ['c', 'd'],
  ],
  [{ a: 'foo' }, null, null],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: 'b', c: null }, { a: 'b' }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
])('merge patch of %j by %j', (target, patch, merged) => {
  expect(mergePatch(target, patch)).toEqual(merged);
});

describe('properties', () => {
  test('a patch holds afterwards, and twice is once', () => {
    fc.assert(
      fc.property(json, json, (target, patch) => {
        const once = mergePatch(target, patch);
        expect(mergePatch(once, patch)).toEqual(once);
      }),
    );
  });

  test('sameJson is equality', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        expect(sameJson(a, JSON.parse(JSON.stringify(a)) as Json)).toBe(true);
        expect(sameJson(a, b)).toBe(JSON.stringify(sorted(a)) === JSON.stringify(sorted(b)));
      }),
    );
  });
});

/** With the names of maps in order. */
function sorted(value: Json): Json {
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? 0 : value;
  if (Array.isArray(value)) return value.map(sorted);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, each]) => [name, sorted(each)]));
}

describe('Settings', () => {
  const specs = fieldTable('works', [
    ['a.b', 'int', 3, 'A number.'],
    ['a.c', 'headers', undefined, 'Secrets.', { secret: true }],
    ['d', 'list', ['x'], 'Texts.'],
  ]);
  const origin = { file: '/f', lineOf: () => undefined };

  test('effective() has everything that is set or has a default', () => {
    const { fields } = readObject({ a: { c: { X: ['s3cr3t'] } } }, specs, origin);
    expect(new Settings(specs, fields).effective()).toEqual({
      a: { b: 3, c: { X: ['<masked>'] } },
      d: ['x'],
    });
  });

  test('bad() tells where the value is from', () => {
    const { fields } = readObject({ a: { b: 4 } }, specs, origin);
    const settings = new Settings(specs, fields);
    expect(settings.bad('a.b', 'less').message).toBe('/f: field a.b: 4 is not allowed; allowed: less');
    expect(settings.bad('d', 'more').message).toBe('field d: ["x"] is not allowed; allowed: more');
  });
});
