import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '#lib/logger.ts';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { SdNotify, notifyByProgram, sdNotify, watchdogMs } from './sd-notify.ts';

test.each([
  [{}, undefined],
  [{ WATCHDOG_USEC: '0' }, undefined],
  [{ WATCHDOG_USEC: 'x' }, undefined],
  [{ WATCHDOG_USEC: '30000000' }, 30_000],
  [{ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 30_000],
  [{ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, undefined],
])('the watchdog of %j', (env, ms) => {
  expect(watchdogMs(env, 7)).toBe(ms);
});

describe('SdNotify', () => {
  test('says ready, and lives twice in each interval as long as it is alive', async () => {
    const said: string[] = [];
    const clock = new FakeClock();
    const stop = new AbortController();
    let alive = true;
    const notify = new SdNotify({
      send: (words) => {
        said.push(...words);
        return Promise.resolve();
      },
      watchdogMs: 10_000,
      clock,
      logger: silentLogger,
    });
    await notify.ready();
    const watching = notify.watch(() => alive, stop.signal);
    await clock.advance(4999);
    expect(said).toEqual(['READY=1', 'WATCHDOG=1']);
    await clock.advance(1);
    expect(said).toEqual(['READY=1', 'WATCHDOG=1', 'WATCHDOG=1']);
    alive = false;
    await clock.advance(20_000);
    expect(said).toHaveLength(3);
    stop.abort();
    await watching;
  });

  test('a failure is no failure of the agent', async () => {
    const send = (): Promise<void> => Promise.reject(new Error('no systemd'));
    const notify = new SdNotify({
      send,
      watchdogMs: undefined,
      clock: new FakeClock(),
      logger: silentLogger,
    });
    await notify.ready();
    await notify.watch(() => true, new AbortController().signal);
  });
});

describe('the program', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nodelet-notify-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test('gets the words as arguments and the socket in its environment', async () => {
    const program = join(folder, 'systemd-notify');
    await writeFile(program, '#!/bin/sh\nprintf "%s|" "$NOTIFY_SOCKET" "$@" >"$OUT"\n');
    await chmod(program, 0o755);
    const out = join(folder, 'out');
    const env = { NOTIFY_SOCKET: '/run/s', OUT: out, PATH: process.env['PATH'] };
    await notifyByProgram(program, env)(['READY=1'], undefined);
    expect(await readFile(out, 'utf8')).toBe('/run/s|--|READY=1|');
  });

  test('is needed only where somebody listens', async () => {
    expect(await sdNotify({}, new FakeClock(), silentLogger)).toBeUndefined();
  });
});
