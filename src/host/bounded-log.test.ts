import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { tailOf, trimLog } from './bounded-log.ts';

let dir: string;
let log: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'log-'));
  log = join(dir, 'log');
});
afterEach(() => rm(dir, { recursive: true }));

test('a log that is too long is emptied and its end kept', async () => {
  await writeFile(log, 'abcdefghijkl');
  expect(await trimLog(log, 12)).toBe(false);
  await appendFile(log, 'm');
  expect(await trimLog(log, 12)).toBe(true);
  expect(await readFile(log, 'utf8')).toBe('');
  expect(await readFile(`${log}.1`, 'utf8')).toBe('hijklm');
});

test('no log is no need to do anything', async () => {
  expect(await trimLog(log, 0)).toBe(false);
  expect(await tailOf(log, 10)).toBe('');
});
