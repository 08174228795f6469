import { createHash, randomBytes } from 'node:crypto';
import { PassThrough, Readable, Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { frameType, pingFrame, rstStreamFrame } from './frames.ts';
import { runSession, type SessionStreams, type TerminalSize } from './session.ts';
import { FakeServer } from './testing/fake-server.ts';

class Sink extends Writable {
  chunks: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.chunks.push(chunk);
    done();
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }
}

function start(given: Partial<SessionStreams> = {}, statusMs = 50) {
  const server = new FakeServer();
  const stdout = new Sink();
  const stderr = new Sink();
  const streams = { stdin: undefined, stdout, stderr, terminal: undefined, ...given };
  const outcome = runSession(server.client, Buffer.alloc(0), streams, { statusMs });
  outcome.catch(() => undefined);
  /** Waits until the server has answered as many streams. */
  const opened = async (count: number): Promise<string[]> => {
    await expect.poll(() => server.received.size).toBe(count);
    return [...server.received.keys()];
  };
  return { server, stdout, stderr, outcome, opened };
}

const exit = (code: number) => ({
  status: 'Failure',
  reason: 'NonZeroExitCode',
  message: `command terminated with non-zero exit code: ${code}`,
  details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
});

describe('runSession', () => {
  test('outputs and success', async () => {
    const { server, stdout, stderr, outcome, opened } = start();
    expect(await opened(3)).toEqual(['error', 'stdout', 'stderr']);
    server.send('stdout', 'out');
    server.send('stderr', 'err');
    server.send('stdout', '!', true);
    server.finish({ status: 'Success' });
    expect(await outcome).toEqual({ exitCode: 0, error: undefined });
    expect([stdout.text, stderr.text]).toEqual(['out!', 'err']);
  });

  test.each([1, 3, 137])('exit code %d', async (code) => {
    const { server, outcome, opened } = start();
    await opened(3);
    server.finish(exit(code));
    expect(await outcome).toEqual({ exitCode: code, error: undefined });
  });

  test('a command that couldn’t run', async () => {
    const { server, outcome, opened } = start();
    await opened(3);
    server.finish({ status: 'Failure', reason: 'InternalError', message: 'no such file' });
    expect(await outcome).toEqual({ exitCode: 1, error: 'no such file' });
  });

  test('stdin is sent whole, then half-closed, and output goes on', async () => {
    const bytes = randomBytes(300_000);
    const { server, stdout, outcome, opened } = start({
      stdin: Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000)]),
    });
    expect(await opened(4)).toEqual(['error', 'stdin', 'stdout', 'stderr']);
    await expect.poll(() => server.finished.has('stdin')).toBe(true);
    const got = Buffer.concat(server.received.get('stdin') ?? []);
    expect(createHash('sha256').update(got).digest('hex')).toBe(
      createHash('sha256').update(bytes).digest('hex'),
    );
    server.send('stdout', 'after');
    server.finish({ status: 'Success' });
    await outcome;
    expect(stdout.text).toBe('after');
  });

  test('nothing is sent before the streams are accepted', async () => {
    const server = new FakeServer();
    server.reply = false;
    const stdin = new PassThrough();
    stdin.end('early');
    const outcome = runSession(server.client, Buffer.alloc(0), {
      stdin,
      stdout: new Sink(),
      stderr: undefined,
      terminal: undefined,
    });
    outcome.catch(() => undefined);
    await expect.poll(() => server.streams.size).toBe(3);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(server.finished.size).toBe(0);
    server.client.destroy();
    await expect(outcome).rejects.toMatchObject({ code: 'SPDY' });
  });

  test('an open stdin doesn’t hold the end up', async () => {
    const stdin = new PassThrough();
    const { server, outcome, opened } = start({ stdin });
    await opened(4);
    server.finish(exit(2));
    expect(await outcome).toMatchObject({ exitCode: 2 });
    expect(stdin.listenerCount('data')).toBe(0);
  });

  test('a status that does not follow the outputs’ end is not waited for for ever, where there is input', async () => {
    const { server, outcome, opened } = start({ stdin: new PassThrough() });
    await opened(4);
    server.send('stdout', '', true);
    server.send('stderr', '', true);
    await expect(outcome).rejects.toThrow('does not tell how it ended');
    expect(server.client.writableEnded).toBe(true);
  });

  test('a status that waits behind a slow reader is waited for', async () => {
    const waiting: (() => void)[] = [];
    const stdout = new Writable({
      highWaterMark: 1,
      write: (_chunk, _encoding, done) => void waiting.push(done),
    });
    const { server, outcome, opened } = start({ stdin: new PassThrough(), stdout, stderr: undefined });
    await opened(3);
    server.send('stdout', 'read by nobody for a while', true);
    await new Promise((resolve) => setTimeout(resolve, 20));
    server.finish(exit(4));
    await new Promise((resolve) => setTimeout(resolve, 150));
    for (const done of waiting) done();
    expect(await outcome).toMatchObject({ exitCode: 4 });
  });

  test('a status may come late where there is no input, or while an output is open', async () => {
    const [without, open] = [start(), start({ stdin: new PassThrough() })];
    await without.opened(3);
    await open.opened(4);
    for (const { server } of [without, open]) server.send('stdout', '', true);
    without.server.send('stderr', '', true);
    await new Promise((resolve) => setTimeout(resolve, 150));
    for (const { server } of [without, open]) server.finish(exit(4));
    expect(await without.outcome).toMatchObject({ exitCode: 4 });
    expect(await open.outcome).toMatchObject({ exitCode: 4 });
  });

  test('terminal sizes go out as they change', async () => {
    let tell: (size: TerminalSize) => void = () => undefined;
    let ended = false;
    const { server, outcome, opened } = start({
      stdin: new PassThrough(),
      stderr: undefined,
      terminal: (onSize) => {
        tell = onSize;
        onSize({ columns: 80, rows: 24 });
        return () => {
          ended = true;
        };
      },
    });
    expect(await opened(4)).toEqual(['error', 'stdin', 'stdout', 'resize']);
    await expect.poll(() => server.text('resize')).toBe('{"Width":80,"Height":24}\n');
    tell({ columns: 100, rows: 50 });
    await expect.poll(() => server.text('resize')).toContain('{"Width":100,"Height":50}\n');
    server.finish({ status: 'Success' });
    await outcome;
    expect(ended).toBe(true);
  });

  test('pings are answered, settings and the like ignored', async () => {
    const { server, outcome, opened } = start();
    await opened(3);
    server.socket.write(pingFrame(8));
    server.socket.write(Buffer.from('800300040000000400000000', 'hex'));
    server.socket.write(Buffer.from('80030009000000080000000300001000', 'hex'));
    await expect.poll(() => server.controls.some(({ type }) => type === frameType.ping)).toBe(true);
    server.finish({ status: 'Success' });
    await outcome;
  });

  test.each<[string, (server: FakeServer) => void]>([
    ['the connection breaks', (server) => server.client.destroy()],
    ['the status is no JSON', (server) => (server.send('error', 'oops'), server.socket.end())],
    ['a frame is too long', (server) => server.socket.write(Buffer.from('8003000200ffffff', 'hex'))],
    [
      'the server opens a stream',
      (server) => server.socket.write(Buffer.from('800300010000000400000002', 'hex')),
    ],
    [
      'every stream is reset',
      (server) => [1, 3, 5].forEach((id) => server.socket.write(rstStreamFrame(id, 5))),
    ],
  ])('%s: the end is unknown', async (_what, act) => {
    const { server, outcome, opened } = start();
    await opened(3);
    act(server);
    await expect(outcome).rejects.toMatchObject({ code: 'SPDY' });
  });

  test('a slow reader holds the server back, and loses nothing', async () => {
    const waiting: (() => void)[] = [];
    let size = 0;
    const stdout = new Writable({
      highWaterMark: 1024,
      write(chunk: Buffer, _encoding, done) {
        size += chunk.length;
        waiting.push(done);
      },
    });
    const { server, outcome, opened } = start({ stdout });
    await opened(3);
    let accepted = 0;
    for (let sent = 0; sent < 64; sent += 1) {
      server.send('stdout', Buffer.alloc(16 * 1024));
      if (!server.socket.writableNeedDrain) accepted += 1;
    }
    server.finish({ status: 'Success' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(size).toBeLessThan(64 * 16 * 1024);
    expect(accepted).toBeLessThan(64);
    const feeder = setInterval(() => waiting.splice(0).forEach((done) => done()), 1);
    expect(await outcome).toMatchObject({ exitCode: 0 });
    await expect.poll(() => size).toBe(64 * 16 * 1024);
    clearInterval(feeder);
  });
});
