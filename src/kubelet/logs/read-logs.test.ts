import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setImmediate, setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { systemClock } from '#host/clock.ts';
import { OpenDir } from '#host/open-dir.ts';
import { silentLogger } from '#lib/logger.ts';
import { readLogs } from './read-logs.ts';
import type { ReadLogsOptions } from './read-logs.ts';
import { compressOlder, moveAside, removeExcess } from './rotate-file.ts';
import { LogWriter, criLine, tempLogs } from './testing/log-writer.ts';

interface Setting {
  root: string;
  path: string;
  running?: () => boolean;
  signal?: AbortSignal;
}

function open(setting: Setting, options: Partial<ReadLogsOptions> = {}): AsyncGenerator<Buffer, void> {
  return readLogs(
    setting.path,
    { follow: false, timestamps: false, ...options },
    {
      root: setting.root,
      clock: systemClock,
      logger: silentLogger,
      signal: setting.signal ?? new AbortController().signal,
      isRunning: () => Promise.resolve(setting.running?.() ?? false),
    },
  );
}

async function all(chunks: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts).toString('latin1');
}

function write(setting: { path: string }, ...lines: string[]): void {
  mkdirSync(dirname(setting.path), { recursive: true });
  writeFileSync(setting.path, lines.join(''));
}

async function rotate(path: string, reopen: () => Promise<void>): Promise<void> {
  const dir = (await OpenDir.open(dirname(path)))!;
  try {
    await moveAside(dir, basename(path), Date.now(), reopen);
  } finally {
    await dir.close();
  }
}

describe('reading once', () => {
  const lines = [
    criLine('one', { time: '2026-01-01T00:00:01.5Z' }),
    criLine('oops', { time: '2026-01-01T00:00:02Z', stream: 'stderr' }),
    'no log line\n',
    criLine('long ', { time: '2026-01-01T00:00:03Z', tag: 'P' }),
    criLine('line', { time: '2026-01-01T00:00:04Z' }),
    criLine('', { time: '2026-01-01T00:00:05Z' }),
    criLine('last', { time: '2026-01-01T00:00:06Z' }),
  ];
  const at = (second: number): number => Date.parse(`2026-01-01T00:00:0${second}Z`);

  it.each<[string, Partial<ReadLogsOptions>, string]>([
    ['everything', {}, 'one\noops\nlong line\n\nlast\n'],
    ['one stream', { stream: 'stderr' }, 'oops\n'],
    [
      'timestamps, one a message',
      { timestamps: true, tailLines: 4 },
      '2026-01-01T00:00:03.000000000Z long line\n2026-01-01T00:00:05.000000000Z \n2026-01-01T00:00:06.000000000Z last\n',
    ],
    ['tail 0', { tailLines: 0 }, ''],
    ['tail 1', { tailLines: 1 }, 'last\n'],
    ['tail counts the lines of the file', { tailLines: 3 }, 'line\n\nlast\n'],
    ['tail of more than there is', { tailLines: 100 }, 'one\noops\nlong line\n\nlast\n'],
    ['since, inclusive', { sinceTime: at(2) }, 'oops\nlong line\n\nlast\n'],
    ['since by the fraction', { sinceTime: at(1) + 501 }, 'oops\nlong line\n\nlast\n'],
    ['since and tail', { sinceTime: at(5), tailLines: 6 }, '\nlast\n'],
    ['a limit in the middle of a line', { limitBytes: 6 }, 'one\noo'],
    [
      'a limit counts timestamps',
      { limitBytes: 35, timestamps: true },
      '2026-01-01T00:00:01.500000000Z one\n',
    ],
    ['a limit of 0', { limitBytes: 0 }, ''],
  ])('%s', async (_, options, expected) => {
    using setting = tempLogs();
    write(setting, ...lines);
    expect(await all(open(setting, options))).toBe(expected);
  });

  it('shows a last line that has no end, and does not count it as one of the tail', async () => {
    using setting = tempLogs();
    write(setting, criLine('a'), criLine('b'), criLine('c').slice(0, -1));
    expect(await all(open(setting))).toBe('a\nb\nc');
    expect(await all(open(setting, { tailLines: 1 }))).toBe('b\n');
  });

  it('finds the tail over many blocks, with long lines and any bytes', async () => {
    using setting = tempLogs();
    const long = 'x'.repeat(150_000);
    write(
      setting,
      ...Array.from({ length: 3000 }, (_, n) => criLine(`${n}`)),
      criLine(long),
      criLine('\xff\x00'),
    );
    expect((await all(open(setting, { tailLines: 2 }))).length).toBe(long.length + 1 + 4);
    const text = await all(open(setting, { tailLines: 2500 }));
    expect(text.split('\n').slice(0, 2)).toEqual(['502', '503']);
  });

  it('ends although the container writes on', async () => {
    using setting = tempLogs();
    const writer = new LogWriter(setting.path);
    for (let n = 0; n < 2000; n++) writer.line(`${n}`);
    let lines = 0;
    for await (const chunk of open(setting)) {
      lines += chunk.toString().split('\n').length - 1;
      for (let n = 0; n < 2000; n++) writer.line('more');
    }
    expect(lines).toBe(2000);
    writer.close();
  });

  it('says that there is no log', async () => {
    using setting = tempLogs();
    await expect(all(open(setting))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('waits a moment for a log that is being rotated', async () => {
    using setting = tempLogs();
    const reading = all(open({ ...setting, running: () => true }));
    await pause(100);
    write(setting, criLine('here'));
    expect(await reading).toBe('here\n');
  });
});

describe('safety', () => {
  const secret = (root: string): string => {
    const path = join(dirname(root), 'secret');
    writeFileSync(path, criLine('secret'));
    return path;
  };

  it.each<[string, (setting: { root: string; path: string }) => void]>([
    [
      'a link in place of the log',
      ({ root, path }) => {
        mkdirSync(dirname(path), { recursive: true });
        symlinkSync(secret(root), path);
      },
    ],
    [
      'a link in place of the container’s folder',
      ({ root, path }) => {
        const elsewhere = join(dirname(root), 'elsewhere');
        mkdirSync(elsewhere);
        renameSync(secret(root), join(elsewhere, '0.log'));
        mkdirSync(dirname(dirname(path)), { recursive: true });
        symlinkSync(elsewhere, dirname(path));
      },
    ],
    [
      'a pipe',
      ({ path }) => {
        mkdirSync(dirname(path), { recursive: true });
        execFileSync('mkfifo', [path]);
      },
    ],
    ['a folder', ({ path }) => void mkdirSync(path, { recursive: true })],
  ])('refuses %s', async (_, prepare) => {
    using setting = tempLogs();
    prepare(setting);
    await expect(all(open(setting))).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    const running = { ...setting, running: () => true };
    await expect(all(open(running, { follow: true }))).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });

  it('refuses a path outside of the root', async () => {
    using setting = tempLogs();
    secret(setting.root);
    const path = `${setting.root}/../secret`;
    await expect(all(open({ ...setting, path }))).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });
});

describe('following', () => {
  it('ends with the container, after its last words', async () => {
    using setting = tempLogs();
    const writer = new LogWriter(setting.path);
    writer.line('first');
    let asked = 0;
    const running = (): boolean => {
      if (asked++ === 0) {
        writer.line('second');
        return true;
      }
      // The runtime says "exited" before it has written everything.
      setTimeout(() => writer.line('last'), 50);
      return false;
    };
    const reading = all(open({ ...setting, running }, { follow: true }));
    expect(await reading).toBe('first\nsecond\nlast\n');
    writer.close();
  });

  it('shows new lines at once', async () => {
    using setting = tempLogs();
    const writer = new LogWriter(setting.path);
    const abort = new AbortController();
    const chunks = open({ ...setting, running: () => true, signal: abort.signal }, { follow: true });
    const first = chunks.next();
    await pause(200);
    const begin = performance.now();
    writer.line('now');
    expect((await first).value?.toString()).toBe('now\n');
    expect(performance.now() - begin).toBeLessThan(800);
    const end = chunks.next();
    abort.abort();
    expect(await end).toEqual({ done: true, value: undefined });
    writer.close();
  });

  it('begins with the tail and goes on, without its limit', async () => {
    using setting = tempLogs();
    const writer = new LogWriter(setting.path);
    for (const n of [1, 2, 3]) writer.line(`${n}`);
    let running = true;
    const reading = all(open({ ...setting, running: () => running }, { follow: true, tailLines: 1 }));
    await pause(100);
    for (const n of [4, 5]) writer.line(`${n}`);
    running = false;
    expect(await reading).toBe('3\n4\n5\n');
    writer.close();
  });

  it('waits for a log that is not there yet, and shows all of it', async () => {
    using setting = tempLogs();
    let running = true;
    const reading = all(open({ ...setting, running: () => running }, { follow: true, tailLines: 0 }));
    await pause(100);
    const writer = new LogWriter(setting.path);
    writer.line('hello');
    await pause(1500);
    running = false;
    expect(await reading).toBe('hello\n');
    writer.close();
  });

  it('ends where no log comes', async () => {
    using setting = tempLogs();
    expect(await all(open(setting, { follow: true }))).toBe('');
  });

  it('keeps following while the runtime can’t be asked', async () => {
    using setting = tempLogs();
    const writer = new LogWriter(setting.path);
    let available = false;
    const running = (): boolean => {
      if (!available) throw new Error('unavailable');
      return false;
    };
    const reading = all(open({ ...setting, running }, { follow: true }));
    await pause(1300);
    writer.line('still here');
    available = true;
    expect(await reading).toBe('still here\n');
    writer.close();
  });

  it('reads from the start again after somebody truncated the file', async () => {
    using setting = tempLogs();
    const writer = new LogWriter(setting.path);
    writer.line('before, long enough');
    let running = true;
    const reading = all(open({ ...setting, running: () => running }, { follow: true }));
    await pause(300);
    truncateSync(setting.path);
    await pause(300);
    writer.line('after');
    running = false;
    expect(await reading).toBe('before, long enough\nafter\n');
    writer.close();
  });

  it('loses nothing and repeats nothing over rotations, late writes and back-pressure', async () => {
    using setting = tempLogs();
    const total = 50_000;
    const writer = new LogWriter(setting.path);
    let running = true;
    const produce = async (): Promise<void> => {
      let next = 0;
      for (let batch = 1; next < total; batch++) {
        for (let count = 0; count < 500 && next < total; count++) writer.line(`line ${next++}`);
        await setImmediate();
        if (batch % 20 !== 0 || next + 30 > total) continue;
        const late = Array.from({ length: 20 }, () => `line ${next++}`);
        await rotate(setting.path, () => writer.reopen(late, 60));
        // Every other time a second rotation follows at once.
        if (batch % 40 === 0) {
          writer.line(`line ${next++}`);
          await rotate(setting.path, () => writer.reopen());
        }
      }
      running = false;
    };
    const consume = async (): Promise<string> => {
      const parts: Buffer[] = [];
      for await (const chunk of open({ ...setting, running: () => running }, { follow: true })) {
        parts.push(chunk);
        if (parts.length % 7 === 0) await pause(5);
      }
      return Buffer.concat(parts).toString();
    };
    const [, text] = await Promise.all([produce(), consume()]);
    expect(text).toBe(Array.from({ length: total }, (_, n) => `line ${n}\n`).join(''));
    expect(readdirSync(dirname(setting.path))).toHaveLength(7);
    writer.close();
  });

  it('still has the files that were compressed and removed while the reader slept', async () => {
    using setting = tempLogs();
    const writer = new LogWriter(setting.path);
    let running = true;
    const chunks = open({ ...setting, running: () => running }, { follow: true });
    writer.line('round 0');
    const seen = [((await chunks.next()).value ?? Buffer.alloc(0)).toString()];
    for (let round = 1; round <= 5; round++) {
      await rotate(setting.path, () => writer.reopen());
      writer.line(`round ${round}`);
      const dir = (await OpenDir.open(dirname(setting.path)))!;
      await removeExcess(dir, '0.log', 2);
      await compressOlder(dir, '0.log', new AbortController().signal);
      await dir.close();
      await pause(30);
    }
    running = false;
    seen.push(await all(chunks));
    expect(seen.join('')).toBe([0, 1, 2, 3, 4, 5].map((round) => `round ${round}\n`).join(''));
    writer.close();
  });

  it('lets go of its files when the reader leaves', async () => {
    using setting = tempLogs();
    const writer = new LogWriter(setting.path);
    writer.line('a');
    const open_ = (): number => readdirSync('/proc/self/fd').length;
    const before = open_();
    for await (const chunk of open({ ...setting, running: () => true }, { follow: true })) {
      expect(chunk.toString()).toBe('a\n');
      break;
    }
    rmSync(dirname(setting.path), { recursive: true });
    // The one inotify descriptor of the process stays with Node.
    expect(open_()).toBeLessThanOrEqual(before + 1);
    writer.close();
  });
});
