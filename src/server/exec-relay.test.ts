import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '#host/clock.ts';
import { silentLogger } from '#lib/logger.ts';
import { ConflictError } from './errors.ts';
import { LocalServer } from './local-server.ts';
import { FakeView, podView } from './testing/fake-view.ts';

const path = '/v1/namespaces/default/pods/web-node/exec?command=cat&stdin=true&stdout=true';
const switching =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n' +
  'X-Stream-Protocol-Version: v4.channel.k8s.io\r\nX-Secret: s3cr3t\r\n\r\n';

let folder: string;
let socket: string;
let view: FakeView;
let server: LocalServer;
let runtime: Server;
let runtimeSockets: Set<Socket>;
let requests: string[];
/** What the runtime does with a connection once it has the request. */
let onSession: (connection: Socket) => void;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nodelet-'));
  socket = join(folder, 'nodelet.sock');
  runtimeSockets = new Set();
  requests = [];
  onSession = (connection) => {
    connection.write(switching);
    connection.on('data', (chunk: Buffer) => connection.write(chunk));
  };
  runtime = createServer({ allowHalfOpen: true }, (connection) => {
    runtimeSockets.add(connection);
    connection.on('error', () => undefined);
    connection.once('end', () => connection.end());
    connection.once('close', () => runtimeSockets.delete(connection));
    connection.once('data', (chunk: Buffer) => {
      requests.push(chunk.toString());
      onSession(connection);
    });
  });
  await new Promise<void>((resolve) => runtime.listen(0, '127.0.0.1', resolve));
  const address = runtime.address();
  view = new FakeView();
  view.podViews = [podView('default', 'web-node')];
  view.streamUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/exec/TOKEN`;
  const info = {
    pid: 1,
    mode: 'kubelet',
    version: '',
    kubernetesVersion: '',
    nodeName: '',
    startedAt: 0,
  } as const;
  server = new LocalServer({ socket, view, info, clock: systemClock, logger: silentLogger });
  await server.start();
});

afterEach(async () => {
  await server.stop();
  runtime.close();
  for (const connection of runtimeSockets) connection.destroy();
  await rm(folder, { recursive: true, force: true });
});

type Outcome =
  | { kind: 'session'; socket: Duplex; head: Buffer; headers: object }
  | { kind: 'answer'; status: number; text: string };

function open(target = path, headers: Record<string, string> = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      socketPath: socket,
      method: 'POST',
      path: target,
      agent: false,
      headers: {
        connection: 'Upgrade',
        upgrade: 'SPDY/3.1',
        'x-stream-protocol-version': 'v4.channel.k8s.io',
        'content-length': '0',
        ...headers,
      },
    });
    outgoing.once('error', reject);
    outgoing.once('upgrade', (answer, stream: Duplex, head: Buffer) => {
      stream.on('error', () => undefined);
      resolve({ kind: 'session', socket: stream, head, headers: answer.headers });
    });
    outgoing.once('response', (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      answer.once('end', () => resolve({ kind: 'answer', status: answer.statusCode ?? 0, text }));
    });
    outgoing.end();
  });
}

async function session(): Promise<Duplex> {
  const outcome = await open();
  if (outcome.kind !== 'session') throw new Error(`no session: ${outcome.status}`);
  return outcome.socket;
}

describe('exec', () => {
  test('asks the view and speaks to the runtime as it wants', async () => {
    const outcome = await open();
    expect(outcome.kind).toBe('session');
    expect(view.lastExec).toEqual({ command: ['cat'], stdin: true, stdout: true, stderr: false, tty: false });
    expect(requests[0]).toMatch(/^POST \/exec\/TOKEN HTTP\/1\.1\r\n/);
    expect(requests[0]?.toLowerCase()).toContain('upgrade: spdy/3.1\r\n');
    expect(requests[0]?.toLowerCase()).toContain('x-stream-protocol-version: v4.channel.k8s.io\r\n');
    if (outcome.kind !== 'session') return;
    expect(outcome.headers).toMatchObject({ 'x-stream-protocol-version': 'v4.channel.k8s.io' });
    expect(outcome.headers).not.toHaveProperty('x-secret');
    outcome.socket.destroy();
  });

  test('bytes pass untouched both ways, and an end is no end of the way back', async () => {
    const stream = await session();
    const bytes = randomBytes(5 << 20);
    const hash = createHash('sha256');
    const ended = new Promise<void>((resolve) => stream.once('end', resolve));
    stream.on('data', (chunk: Buffer) => hash.update(chunk));
    stream.end(bytes);
    await ended;
    expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
    await expect.poll(() => server.sessions).toBe(0);
  });

  test('what comes right behind the headers isn’t lost', async () => {
    onSession = (connection) => connection.write(`${switching}hello`);
    const outcome = await open();
    if (outcome.kind !== 'session') throw new Error('no session');
    const text = [outcome.head.toString()];
    outcome.socket.on('data', (chunk: Buffer) => text.push(chunk.toString()));
    await expect.poll(() => text.join('')).toBe('hello');
    outcome.socket.destroy();
  });

  test('last words reach the client although it keeps talking', async () => {
    onSession = (connection) => {
      connection.write(switching);
      connection.once('data', () => connection.write('exit 3', () => connection.destroy()));
    };
    const stream = await session();
    const text: string[] = [];
    stream.on('data', (chunk: Buffer) => text.push(chunk.toString()));
    const closed = new Promise<void>((resolve) => stream.once('close', resolve));
    const timer = setInterval(() => stream.write(Buffer.alloc(4096)), 1);
    await expect.poll(() => text.join('')).toBe('exit 3');
    clearInterval(timer);
    stream.destroy();
    await closed;
    await expect.poll(() => server.sessions).toBe(0);
  });

  test('a client that goes from a server that doesn’t care leaves nothing', async () => {
    onSession = (connection) => {
      connection.removeAllListeners('end');
      connection.write(switching);
    };
    const stream = await session();
    stream.destroy();
    await expect.poll(() => server.sessions, { timeout: 15_000 }).toBe(0);
    for (const connection of runtimeSockets) connection.end();
    await expect.poll(() => runtimeSockets.size).toBe(0);
  }, 20_000);

  test.each([
    ['404', 'HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\ns3cr3t', 502],
    [
      'a redirect',
      'HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n',
      502,
    ],
    ['garbage', 'SSH-2.0-OpenSSH_9.2\r\n\r\n', 502],
  ])('%s from the runtime ends both connections', async (_what, text, status) => {
    onSession = (connection) => connection.write(text);
    const outcome = await open();
    expect(outcome).toMatchObject({ kind: 'answer', status });
    expect(JSON.stringify(outcome)).not.toMatch(/s3cr3t|169\.254/);
    await expect.poll(() => runtimeSockets.size).toBe(0);
    await expect.poll(() => server.sessions).toBe(0);
  });

  test.each(['https://127.0.0.1/x', '//127.0.0.1:1/exec', 'ftp://a/', '', 'http://u:p@127.0.0.1/x'])(
    'the URL %j isn’t used',
    async (url) => {
      view.streamUrl = url;
      expect(await open()).toMatchObject({ kind: 'answer', status: 502 });
    },
  );

  test('a runtime that can’t be reached', async () => {
    view.streamUrl = 'http://127.0.0.1:1/exec/x';
    const outcome = await open();
    expect(outcome).toMatchObject({ kind: 'answer', status: 502 });
    expect(JSON.stringify(outcome)).toContain('can’t be reached');
  });

  test('the view’s refusal reaches the client', async () => {
    view.execError = new ConflictError('container "app" isn’t running');
    const outcome = await open();
    expect(outcome).toMatchObject({ kind: 'answer', status: 409 });
    expect(JSON.stringify(outcome)).toContain('running');
  });

  test.each<[string, Record<string, string>, number]>([
    [path, { upgrade: 'websocket' }, 400],
    ['/v1/namespaces/default/pods/web-node/exec?stdout=true', {}, 400],
    ['/v1/namespaces/default/pods/web-node/exec?command=a', {}, 400],
    ['/v1/namespaces/default/pods/web-node/exec?command=a&stderr=true&tty=true', {}, 400],
    ['/v1/namespaces/default/pods/none/exec?command=a&stdout=true', {}, 404],
    ['/v1/pods', {}, 404],
  ])('%s %j is refused with %d', async (target, headers, status) => {
    expect(await open(target, headers)).toMatchObject({ kind: 'answer', status });
    expect(requests).toEqual([]);
  });

  test('sessions end when the server stops', async () => {
    const stream = await session();
    const closed = new Promise<void>((resolve) => stream.once('close', resolve));
    stream.resume();
    await server.stop();
    await closed;
    await expect.poll(() => runtimeSockets.size).toBe(0);
  });

  test('1,000 disconnects leave nothing', async () => {
    const descriptors = async (): Promise<number> => (await readdir('/proc/self/fd')).length;
    const before = await descriptors();
    for (let round = 0; round < 20; round += 1) {
      const streams = await Promise.all(Array.from({ length: 50 }, session));
      streams.forEach((stream, index) => {
        if (index % 2 === 0) stream.write('x');
        stream.destroy();
      });
    }
    await expect.poll(() => server.sessions).toBe(0);
    await expect.poll(() => runtimeSockets.size).toBe(0);
    await expect.poll(descriptors).toBeLessThanOrEqual(before + 2);
  }, 30_000);
});
