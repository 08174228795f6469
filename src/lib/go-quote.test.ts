import { expect, test } from 'vitest';
import { goQuote } from './go-quote.ts';

test.each([
  ['plain', '"plain"'],
  ['with "quotes" and \\', String.raw`"with \"quotes\" and \\"`],
  ['two\nlines\tand\r', String.raw`"two\nlines\tand\r"`],
  ['\u0007\b\f\v', String.raw`"\a\b\f\v"`],
  ['\u0000\u001b\u007f', String.raw`"\x00\x1b\x7f"`],
  ['grüße, 日本 😀', '"grüße, 日本 😀"'],
  ['\u00a0\u200b\ufeff\u2028', String.raw`"\u00a0\u200b\ufeff\u2028"`],
  ['\u{e0001}', String.raw`"\U000e0001"`],
])('%j', (text, quoted) => {
  expect(goQuote(text)).toBe(quoted);
});
