import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NodeletError } from '../errors.ts';
import { Quantity, QuantityError, parseQuantity, parseQuantityField } from './quantity.ts';

describe('parseQuantity', () => {
  test.each<[string | number, number, number]>([
    ['0', 0, 0],
    ['1', 1, 1000],
    ['+1', 1, 1000],
    ['100m', 1, 100],
    ['1500m', 2, 1500],
    ['0.5', 1, 500],
    ['.5', 1, 500],
    ['5.', 5, 5000],
    ['1u', 1, 1],
    ['1n', 1, 1],
    ['1k', 1000, 1e6],
    ['1Ki', 1024, 1024e3],
    ['1.5Gi', 1610612736, 1610612736e3],
    ['1E', 1e18, NaN],
    ['2e3', 2000, 2e6],
    ['2E3', 2000, 2e6],
    ['5e-1', 1, 500],
    ['1e+3', 1000, 1e6],
    ['-1', -1, -1000],
    ['-0.5', -1, -500],
    ['0.0000000001', 1, 1],
    [2, 2, 2000],
    [0.25, 1, 250],
    [1e21, NaN, NaN],
    ['20Mi', 20971520, 20971520e3],
  ])('%s', (text, value, milli) => {
    const quantity = parseQuantity(text);
    if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) expect(quantity.value()).toBe(value);
    else expect(quantity.value()).toBe(Number.MAX_SAFE_INTEGER);
    if (Math.abs(milli) <= Number.MAX_SAFE_INTEGER) expect(quantity.milliValue()).toBe(milli);
    else expect(quantity.milliValue()).toBe(Number.MAX_SAFE_INTEGER);
  });

  test.each(
    [
      ['', ' 1', '1 ', '.', '+', '-', 'm', '1K', '1ki', '1mi', '1KI', '1kk', '1e', '1e+', '1.2.3', '--1'],
      ['1,5', '0x10', 'abc', '1Zi', '1e99999999', '1e61', NaN, Infinity, '٣', '9'.repeat(101)],
    ].flat(),
  )('refuses %j', (text) => {
    expect(() => parseQuantity(text)).toThrow(QuantityError);
  });

  test('the error names the value, what is allowed, and the field', () => {
    const read = (): Quantity => parseQuantityField('12 GB', 'spec.containers[0].resources.limits[memory]');
    expect(read).toThrow(/limits\[memory\].*"12 GB".*Ki Mi Gi/s);
    expect(read).toThrow(NodeletError);
  });

  test('binary suffixes stop at 2^63-1', () => {
    expect(parseQuantity('8Ei').nanos).toBe(((1n << 63n) - 1n) * 1_000_000_000n);
  });
});

describe('toString', () => {
  test.each([
    ['0', '0'],
    ['0Mi', '0'],
    ['1000m', '1'],
    ['1500m', '1500m'],
    ['0.1', '100m'],
    ['1024Mi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['1000Ki', '1000Ki'],
    ['1Ki', '1Ki'],
    ['0.5Ki', '512'],
    ['1000000', '1M'],
    ['12345', '12345'],
    ['1200', '1200'],
    ['12e3', '12e3'],
    ['1e1', '10'],
    ['100e-3', '100e-3'],
    ['-2Ki', '-2Ki'],
    ['-100m', '-100m'],
    ['0.0005Ki', '512m'],
    ['1000E', '1000E'],
  ])('%s prints as %s', (text, canonical) => {
    expect(parseQuantity(text).toString()).toBe(canonical);
    expect(JSON.stringify({ q: parseQuantity(text) })).toBe(`{"q":"${canonical}"}`);
  });

  const texts = fc
    .tuple(
      fc.constantFrom('', '+', '-'),
      fc.bigInt(0n, 10n ** 15n),
      fc.option(fc.stringMatching(/^\d{1,9}$/), { nil: undefined }),
      fc.constantFrom('n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E', 'Ki', 'Mi', 'Gi', 'e3', 'E-2', 'e+5'),
    )
    .map(([sign, whole, part, suffix]) => `${sign}${whole}${part === undefined ? '' : `.${part}`}${suffix}`);

  test('the canonical text is stable, and exact but for a fraction of a unit above 1024 in binary', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const quantity = parseQuantity(text);
        const again = parseQuantity(quantity.toString());
        expect(again.toString()).toBe(quantity.toString());
        if (quantity.format === 'BinarySI') expect(again.value()).toBe(quantity.value());
        else expect(again.nanos).toBe(quantity.nanos);
      }),
    );
  });

  test('value and milliValue never round towards zero and never by a whole unit', () => {
    fc.assert(
      fc.property(fc.bigInt(-(10n ** 20n), 10n ** 20n), (nanos) => {
        const quantity = new Quantity(nanos, 'DecimalSI');
        const magnitude = nanos < 0n ? -nanos : nanos;
        for (const [rounded, unit] of [
          [quantity.value(), 10n ** 9n],
          [quantity.milliValue(), 10n ** 6n],
        ] as const) {
          const back = BigInt(Math.abs(rounded)) * unit;
          expect(back >= magnitude && back - magnitude < unit).toBe(true);
        }
      }),
    );
  });
});

describe('arithmetic', () => {
  test('sums keep the first format, and zero has none of its own', () => {
    expect(parseQuantity('1Gi').plus(parseQuantity('1M')).format).toBe('BinarySI');
    expect(Quantity.zero.plus(parseQuantity('64Mi')).toString()).toBe('64Mi');
    expect(parseQuantity('1').minus(parseQuantity('1500m')).toString()).toBe('-500m');
  });

  test('compare orders by amount, whatever the suffix', () => {
    const sorted = ['1Gi', '1G', '999m', '1', '-1'].map(parseQuantity).sort((a, b) => a.compare(b));
    expect(sorted.map(String)).toEqual(['-1', '999m', '1', '1G', '1Gi']);
    expect(parseQuantity('1024Mi').compare(parseQuantity('1Gi'))).toBe(0);
  });

  test('fromMilli and fromInteger', () => {
    expect(Quantity.fromMilli(250).toString()).toBe('250m');
    expect(Quantity.fromInteger(2 ** 30, 'BinarySI').toString()).toBe('1Gi');
    expect([parseQuantity('0').sign, parseQuantity('1n').sign, parseQuantity('-1n').sign]).toEqual([
      0, 1, -1,
    ]);
  });
});
