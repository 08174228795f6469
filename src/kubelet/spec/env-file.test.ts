import { expect, test } from 'vitest';
import { envFileValue } from './env-file.ts';

const file = `# comment
A='one'
  B='two words' # after
C='first

 third'
D=''
E= 'late'
F='say "hi" $(A) \\n' \t
A='again'
`;

test.each<[string, string | undefined]>([
  ['A', 'one'],
  ['B', 'two words'],
  ['C', 'first\n\n third'],
  ['D', undefined],
  ['E', undefined],
  ['F', 'say "hi" $(A) \\n'],
  ['G', undefined],
])('%s', (name, value) => {
  expect(envFileValue(file, name)).toBe(value);
  expect(envFileValue(file.replaceAll('\n', '\r\n'), name)).toBe(value);
});

test.each([
  ['no equals', /line 1: missing '='/],
  ["='x'", /empty variable name/],
  ["A ='x'", /whitespace before '='/],
  ['A=x', /single quotes/],
  ['A="x"', /single quotes/],
  ['A=', /single quotes/],
  ["\nA='x' y", /line 2: unexpected content/],
  ["A='x''y'", /unexpected content/],
  ["\n\nA='x\ny\nz", /starting at line 3: unclosed/],
])('%j is refused', (text, words) => {
  expect(() => envFileValue(text, 'Z')).toThrow(words);
});

test('what comes after the variable isn’t looked at', () => {
  expect(envFileValue("A='x'\nrubbish", 'A')).toBe('x');
});
