import { chmodSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { withDir } from '#host/open-dir.ts';
import type { OpenDir } from '#host/open-dir.ts';
import { compressOlder, moveAside, removeExcess } from './rotate-file.ts';
import { tempLogs } from './testing/log-writer.ts';

const second = (n: number): string => `20260102-0304${String(n).padStart(2, '0')}`;
const NOW = new Date(2026, 0, 2, 3, 4, 30).getTime();

function folder(setting: { path: string }, files: Record<string, string>): void {
  const dir = dirname(setting.path);
  mkdirSync(dir, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content);
}

const content = (setting: { path: string }): Record<string, string> => {
  const dir = dirname(setting.path);
  return Object.fromEntries(
    readdirSync(dir)
      .sort()
      .map((name) => {
        const bytes = readFileSync(join(dir, name));
        return [name, (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()];
      }),
  );
};

const inDir = async (setting: { root: string; path: string }, work: (dir: OpenDir) => Promise<unknown>) => {
  await withDir(setting.root, dirname(setting.path), work);
};

describe('moveAside', () => {
  it('renames, then has the log reopened', async () => {
    using setting = tempLogs();
    folder(setting, { '0.log': 'old' });
    await inDir(setting, (dir) =>
      moveAside(dir, '0.log', NOW, () => {
        expect(content(setting)).toEqual({ [`0.log.${second(30)}`]: 'old' });
        writeFileSync(setting.path, 'new');
        return Promise.resolve();
      }),
    );
    expect(content(setting)).toEqual({ '0.log': 'new', [`0.log.${second(30)}`]: 'old' });
  });

  it('gives the log its name back if it can’t be reopened', async () => {
    using setting = tempLogs();
    folder(setting, { '0.log': 'old' });
    const failure = new Error('no such container');
    const moving = inDir(setting, (dir) => moveAside(dir, '0.log', NOW, () => Promise.reject(failure)));
    await expect(moving).rejects.toBe(failure);
    expect(content(setting)).toEqual({ '0.log': 'old' });
  });

  it('never replaces what the runtime opened in spite of its error', async () => {
    using setting = tempLogs();
    folder(setting, { '0.log': 'old' });
    const moving = inDir(setting, (dir) =>
      moveAside(dir, '0.log', NOW, () => {
        writeFileSync(setting.path, 'new');
        return Promise.reject(new Error('deadline'));
      }),
    );
    await expect(moving).rejects.toThrow('deadline');
    expect(content(setting)).toEqual({ '0.log': 'new', [`0.log.${second(30)}`]: 'old' });
  });
});

describe('removeExcess', () => {
  it('removes the oldest; a file and its compressed form are one; others’ files stay', async () => {
    using setting = tempLogs();
    const stay = {
      '0.log': '',
      '0.log.other': 'o',
      '1.log': '',
      [`1.log.${second(1)}`]: 'x',
      [`0.log.${second(4)}`]: 'd',
    };
    folder(setting, { ...stay, [`0.log.${second(1)}`]: 'a', [`0.log.${second(2)}`]: 'b' });
    await inDir(setting, (dir) => removeExcess(dir, '0.log', 1));
    expect(content(setting)).toEqual(stay);
  });
});

describe('compressOlder', () => {
  const signal = new AbortController().signal;

  it('compresses all but the newest, with the mode they had', async () => {
    using setting = tempLogs();
    folder(setting, { '0.log': '', [`0.log.${second(1)}`]: 'one', [`0.log.${second(2)}`]: 'two' });
    chmodSync(join(dirname(setting.path), `0.log.${second(1)}`), 0o600);
    await inDir(setting, (dir) => compressOlder(dir, '0.log', signal));
    expect(content(setting)).toEqual({
      '0.log': '',
      [`0.log.${second(1)}.gz`]: 'one',
      [`0.log.${second(2)}`]: 'two',
    });
    const { mode } = statSync(join(dirname(setting.path), `0.log.${second(1)}.gz`));
    expect(mode & 0o777).toBe(0o600);
  });

  it('mends what was left by a run that was killed', async () => {
    using setting = tempLogs();
    folder(setting, {
      [`0.log.${second(1)}.tmp`]: 'half',
      [`0.log.${second(1)}`]: 'one',
      [`0.log.${second(3)}`]: 'newest',
    });
    await inDir(setting, (dir) => compressOlder(dir, '0.log', signal));
    const mended = { [`0.log.${second(1)}.gz`]: 'one', [`0.log.${second(3)}`]: 'newest' };
    expect(content(setting)).toEqual(mended);
    // Killed between the renaming of the compressed file and the removal of the plain one.
    folder(setting, { [`0.log.${second(1)}`]: 'one' });
    await inDir(setting, (dir) => compressOlder(dir, '0.log', signal));
    expect(content(setting)).toEqual(mended);
  });

  it('leaves nothing half done when it is stopped', async () => {
    using setting = tempLogs();
    const files = { [`0.log.${second(1)}`]: 'x'.repeat(8 << 20), [`0.log.${second(2)}`]: '' };
    folder(setting, files);
    const abort = new AbortController();
    const compressing = inDir(setting, (dir) => compressOlder(dir, '0.log', abort.signal));
    setTimeout(() => abort.abort(), 5);
    await compressing.catch(() => undefined);
    expect(readdirSync(dirname(setting.path)).some((name) => name.endsWith('.tmp'))).toBe(false);
    expect(Object.values(content(setting))).toContain(files[`0.log.${second(1)}`]);
  });
});
