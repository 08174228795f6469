import { describe, expect, test } from 'vitest';
import { expand } from './expansion.ts';

describe('expand', () => {
  const variables = new Map([
    ['A', 'one'],
    ['B', '$(A)'],
    ['EMPTY', ''],
    ['with.dot-and_x', 'dotted'],
  ]);

  test.each([
    ['plain', 'plain'],
    ['$(A)', 'one'],
    ['x$(A)y$(A)', 'xoneyone'],
    ['$(B)', '$(A)'],
    ['$(EMPTY)!', '!'],
    ['$(NONE)', '$(NONE)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$one'],
    ['$$$$', '$$'],
    ['$A $', '$A $'],
    ['$(A', '$(A'],
    ['$(', '$('],
    ['$()', '$()'],
    ['$(with.dot-and_x)', 'dotted'],
    ['100$%', '100$%'],
  ])('%s becomes %s', (text, expected) => {
    expect(expand(text, variables)).toBe(expected);
  });
});
