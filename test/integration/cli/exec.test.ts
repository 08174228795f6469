import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentClient } from '#cli/client.ts';
import { runSession } from '#cli/remotecommand/session.ts';
import { connect, type RuntimeConnection } from '#cri/grpc/connect.ts';
import { containerConfig, sandboxConfig } from '#cri/testing/configs.ts';
import { systemClock } from '#host/clock.ts';
import { silentLogger } from '#lib/logger.ts';
import { LocalServer } from '#server/local-server.ts';
import { FakeView, podView } from '#server/testing/fake-view.ts';
import type { ExecOptions } from '#server/view.ts';
import { containerdVersion, startContainerd, type TestContainerd } from '#test/bed/containerd.ts';

const entry = fileURLToPath(new URL('entry.ts', import.meta.url));

/** The view of a node whose only pod is a real one. */
class RuntimeView extends FakeView {
  readonly #runtime: RuntimeConnection['runtime'];
  readonly #containerId: string;

  constructor(runtime: RuntimeConnection['runtime'], containerId: string) {
    super();
    this.#runtime = runtime;
    this.#containerId = containerId;
    this.podViews = [podView('default', 'web-node')];
  }

  override exec(_namespace: string, _name: string, options: ExecOptions): Promise<string> {
    const { command, stdin, stdout, stderr, tty } = options;
    return this.#runtime.exec({ containerId: this.#containerId, cmd: command, stdin, stdout, stderr, tty });
  }
}

let containerd: TestContainerd;
let connection: RuntimeConnection;
let server: LocalServer;
let folder: string;
let socket: string;

beforeAll(async () => {
  containerd = await startContainerd();
  connection = await connect(containerd.endpoint, { clock: systemClock });
  const { runtime } = connection;
  const pod = sandboxConfig('web');
  const sandbox = await runtime.runPodSandbox(pod, '');
  const config = containerConfig('app', containerd.image, { command: ['/bin/sh', '-c', 'sleep 10000'] });
  const id = await runtime.createContainer(sandbox, config, pod);
  await runtime.startContainer(id);
  folder = await mkdtemp(join(tmpdir(), 'cli-'));
  socket = join(folder, 'nodelet.sock');
  server = new LocalServer({
    socket,
    view: new RuntimeView(runtime, id),
    info: {
      pid: process.pid,
      mode: 'standalone',
      version: '',
      kubernetesVersion: '',
      nodeName: 'node',
      startedAt: 0,
    },
    clock: systemClock,
    logger: silentLogger,
  });
  await server.start();
});

afterAll(async () => {
  await server?.stop();
  connection?.close();
  await containerd?.destroy();
  await rm(folder, { recursive: true, force: true });
});

interface Result {
  code: number | null;
  stdout: Buffer;
  stderr: string;
}

/** Runs a program to its end with some input. */
function program(name: string, args: readonly string[], input?: Buffer): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(name, args, { env: { ...process.env, NODELET_SOCKET: socket } });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on('error', () => undefined);
    child.once('error', reject);
    child.once('close', (code) =>
      resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() }),
    );
    child.stdin.end(input);
  });
}

const nodelet = (args: readonly string[], input?: Buffer): Promise<Result> =>
  program(process.execPath, [entry, ...args], input);

const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe('exec', () => {
  test('outputs stay apart, and the exit status is the command’s', async () => {
    const result = await nodelet(['exec', 'web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
    expect(result.stdout.toString()).toBe('out\n');
    expect(result.stderr).toBe('err\ncommand terminated with exit code 7\n');
    expect(result.code).toBe(7);
  });

  test.each([
    [['true'], 0],
    [['false'], 1],
    [['sh', '-c', 'kill -9 $$'], 137],
    [['sh', '-c', 'exit 255'], 255],
  ])('%j ends with %d', async (command, code) => {
    expect((await nodelet(['exec', 'web-node', '--', ...command])).code).toBe(code);
  });

  test('a program that isn’t there', async () => {
    const result = await nodelet(['exec', 'web', '--', '/no/such/program']);
    expect(result.code).not.toBe(0);
    expect(result.stderr).toMatch(/no such file/);
  });

  test('standard input ends where it ends', async () => {
    const result = await nodelet(['exec', '-i', 'web', '--', 'cat'], Buffer.from('x\n'));
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout.toString()).toBe('x\n');
  });

  test.each([1, 2, 3])('50 MB both ways, intact (%d)', async () => {
    const bytes = randomBytes(50 << 20);
    const result = await nodelet(['exec', '-i', 'web', '--', 'cat'], bytes);
    expect(result.code).toBe(0);
    expect(result.stdout.length).toBe(bytes.length);
    expect(sha(result.stdout)).toBe(sha(bytes));
  });

  test('50 MB out, to a slow reader', async () => {
    const result = await program('/bin/sh', [
      '-c',
      `${process.execPath} ${entry} exec web -- dd if=/dev/zero bs=1M count=50 2>/dev/null | { sleep 1; wc -c; }`,
    ]);
    expect(result.stdout.toString().trim()).toBe(String(50 << 20));
  });

  test('a reader that closes early ends the command line silently', async () => {
    const result = await program('/bin/sh', [
      '-c',
      `${process.execPath} ${entry} exec web -- sh -c 'while :; do echo yes; done' | head -n 2; echo "status \${PIPESTATUS:-0}"`,
    ]);
    expect(result.stdout.toString()).toMatch(/^yes\nyes\nstatus/);
    expect(result.stderr).toBe('');
  });

  test('the exit status survives a command that doesn’t read its input', async () => {
    for (let round = 0; round < 5; round += 1) {
      const result = await nodelet(['exec', '-i', 'web', '--', 'sh', '-c', 'exit 3'], Buffer.alloc(60_000));
      expect(result).toMatchObject({ code: 3, stderr: 'command terminated with exit code 3\n' });
    }
  });

  // With more input than the pipes hold, containerd waits for ever for its own copy of it to end, and tells no status.
  test('a command that ends without reading a lot of input ends the session, without its exit status', async () => {
    const input = Buffer.alloc(1 << 20);
    const result = await nodelet(['exec', '-i', 'web', '--', 'sh', '-c', 'echo out; sleep 1; exit 3'], input);
    expect(result.stdout.toString()).toBe('out\n');
    expect(result.stderr).toContain('the runtime does not tell how it ended');
    expect(result.code).toBe(1);
    expect((await nodelet(['exec', 'web', '--', 'true'])).code).toBe(0);
  });

  test('a terminal: its size, its keys, Ctrl-C, and its end', async () => {
    const keys = join(folder, 'keys');
    await writeFile(keys, 'stty size; tty; sleep 100\n');
    const command = `stty cols 91 rows 33; ${process.execPath} ${entry} exec -it web -- sh`;
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      env: { ...process.env, NODELET_SOCKET: socket, SHELL: '/bin/sh' },
    });
    let seen = '';
    child.stdout.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const shows = async (text: string | RegExp): Promise<void> => {
      await expect.poll(() => seen, { timeout: 15_000 }).toMatch(text);
    };
    await shows(/# /);
    child.stdin.write('stty size; echo st""arted; sleep 1000\n');
    await shows(/33 91/);
    await shows(/started/);
    // Ctrl-C goes to the command, not to the command line: the shell lives on.
    child.stdin.write('\u0003');
    child.stdin.write('echo al""ive; exit 5\n');
    await shows(/alive/);
    expect(await ended).toBe(5);
  });

  test('a terminal is refused without one', async () => {
    const result = await nodelet(['exec', '-it', 'web', '--', 'tty'], Buffer.from(''));
    expect(result.stderr).toMatch(/Unable to use a TTY/);
    expect(result.stdout.toString()).toBe('not a tty\n');
  });

  // The shim of containerd 1.6 takes minutes for 200, one lock for all that they do; later ones take seconds.
  test('200 at once (40 with containerd 1.6)', async () => {
    const [major = 0] = await containerdVersion();
    const count = major >= 2 ? 200 : 40;
    const client = new AgentClient(socket, new AbortController().signal);
    const one = async (index: number): Promise<string> => {
      const chunks: Buffer[] = [];
      const stdout = new Writable({
        write(chunk: Buffer, _encoding, done) {
          chunks.push(chunk);
          done();
        },
      });
      const stdin = new PassThrough();
      stdin.end(`input ${index}`);
      const { socket: stream, head } = await client.exec('default', 'web-node', {
        command: ['sh', '-c', `cat; exit ${index % 5}`],
        stdin: true,
        stdout: true,
        stderr: true,
        tty: false,
      });
      const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
      const outcome = await runSession(stream, head, { stdin, stdout, stderr: sink, terminal: undefined });
      return `${Buffer.concat(chunks).toString()} ${outcome.exitCode} ${outcome.error ?? ''}`;
    };
    const before = (await readdir('/proc/self/fd')).length;
    const all = await Promise.all(Array.from({ length: count }, (_, index) => one(index)));
    expect(all).toEqual(Array.from({ length: count }, (_, index) => `input ${index} ${index % 5} `));
    await expect.poll(() => server.sessions, { timeout: 15_000 }).toBe(0);
    await expect
      .poll(async () => (await readdir('/proc/self/fd')).length, { timeout: 5000 })
      .toBeLessThanOrEqual(before + 2);
  });
});
