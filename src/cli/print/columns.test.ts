import { describe, expect, test } from 'vitest';
import { alignTabs, plain, table } from './columns.ts';

describe('alignTabs', () => {
  const align = (text: string): string => alignTabs(text, { minimum: 0, padding: 2 });

  test.each([
    ['a column', 'Name:\tweb\nNamespace:\tdefault\n', 'Name:       web\nNamespace:  default\n'],
    ['what isn’t ended by a tab is no cell', 'a\tlong text here\nbb\tx\n', 'a   long text here\nbb  x\n'],
    ['a line without the column ends it', 'a\tx\nplain\nlonger\ty\n', 'a  x\nplain\nlonger  y\n'],
    ['an empty cell', 'Labels:\ta=1\n\tb=2\n', 'Labels:  a=1\n         b=2\n'],
    ['columns within columns', 'a\tbbb\tc\nd\te\tf\ng\th\n', 'a  bbb  c\nd  e    f\ng  h\n'],
    ['nothing', '', ''],
  ])('%s', (_what, text, aligned) => expect(align(text)).toBe(aligned));
});

test('table: widths, three blanks, none at the end', () => {
  const text = table(
    ['NAME', 'READY', 'AGE'],
    [
      ['web-node', '1/1', '5s'],
      ['x', '0/1', '10m'],
    ],
  );
  expect(text).toBe('NAME       READY   AGE\nweb-node   1/1     5s\nx          0/1     10m\n');
});

test.each([
  ['\u001b[31mred\u0007', '^[[31mred^7'],
  ['a\rb', 'a\\rb'],
  ['tab\tand\nline', 'tab\tand\nline'],
  ['\u009b31m', '^9b31m'],
  ['ünï', 'ünï'],
])('plain %j', (text, shown) => expect(plain(text)).toBe(shown));
