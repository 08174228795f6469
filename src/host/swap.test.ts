import { expect, test } from 'vitest';
import { swapAreas } from './swap.ts';

const head = 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n';

test.each([
  ['', []],
  [head, []],
  [`${head}/dev/dm-1                               partition\t998396\t\t0\t\t-2\n`, ['/dev/dm-1']],
  [`${head}/swap file 1 0 -2\n/dev/zram0 partition 1 0 100\n`, ['/swap', '/dev/zram0']],
])('%j', (text, areas) => {
  expect(swapAreas(text)).toEqual(areas);
});
