import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from './clock.ts';
import { startDaemon } from './daemon.ts';
import {
  endProcess,
  findProcesses,
  isRunning,
  parents,
  processRef,
  signalProcess,
  waitForEnd,
} from './processes.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'processes-'));
});
afterEach(() => rm(dir, { recursive: true }));

describe('a running process', () => {
  test('is found by its arguments, and is no other of the same number', async () => {
    const child = spawn('sleep', ['98765'], { stdio: 'ignore' });
    await once(child, 'spawn');
    const [found] = await findProcesses((args) => args[1] === '98765');
    expect(found).toMatchObject({ pid: child.pid, args: ['sleep', '98765'] });
    if (found === undefined) return;
    expect(await isRunning(found)).toBe(true);
    expect(await isRunning({ ...found, startTime: '1' })).toBe(false);
    expect(await signalProcess({ ...found, startTime: '1' }, 'SIGKILL')).toBe(false);
    expect(await waitForEnd(found, 30, systemClock)).toBe(false);
    await endProcess(found, 5000, systemClock);
    expect(await isRunning(found)).toBe(false);
    expect(child.signalCode ?? (await once(child, 'exit'))[1]).toBe('SIGTERM');
  });

  test('has a parent', async () => {
    const child = spawn('sleep', ['98764'], { stdio: 'ignore' });
    await once(child, 'spawn');
    const found = await parents();
    expect(found.has(process.pid)).toBe(true);
    expect(found.has(child.pid ?? 0)).toBe(false);
    child.kill();
    await once(child, 'exit');
  });

  test('that does not heed TERM is killed', async () => {
    const script = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('up')`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    const exit = once(child, 'exit');
    await once(child.stdout, 'data');
    const found = await processRef(child.pid ?? 0);
    if (found === undefined) throw new Error('not running');
    await endProcess(found, 100, systemClock);
    expect((await exit)[1]).toBe('SIGKILL');
  });
});

test('a number without a process is not running', async () => {
  expect(await processRef(2 ** 22 + 1)).toBeUndefined();
});

describe('a daemon', () => {
  test('has a session of its own, only the environment given, and writes to its log', async () => {
    const logFile = join(dir, 'log');
    const script = `console.log(JSON.stringify(process.env)); setInterval(() => {}, 1000)`;
    const daemon = await startDaemon(process.execPath, ['-e', script], { logFile, env: { ONLY: 'this' } });
    try {
      const stat = await readFile(`/proc/${daemon.pid}/stat`, 'utf8');
      const session = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3];
      expect(session).toBe(`${daemon.pid}`);
      await expect.poll(() => readFile(logFile, 'utf8')).toContain('"ONLY":"this"');
      expect(await readFile(logFile, 'utf8')).not.toContain('PATH');
    } finally {
      await endProcess(daemon, 0, systemClock);
    }
  });

  test('that can’t be started is an error', async () => {
    const attempt = startDaemon(join(dir, 'nothing'), [], { logFile: join(dir, 'log'), env: {} });
    await expect(attempt).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
