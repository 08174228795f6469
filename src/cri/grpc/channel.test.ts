import { Server, ServerCredentials, status as Status } from '@grpc/grpc-js';
import type {
  ServerUnaryCall,
  ServerWritableStream,
  UntypedServiceImplementation,
  sendUnaryData,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { ServiceDefinition } from '@grpc/proto-loader';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '#host/clock.ts';
import { UsageError } from '#lib/errors.ts';
import { RuntimeError } from '../errors.ts';
import { Channel, targetOf } from './channel.ts';
import { RuntimeConnectError, connect } from './connect.ts';
import { GrpcRuntimeService } from './runtime-service.ts';

const library = loadSync(fileURLToPath(new URL('runtime.v1.proto', import.meta.url)), {
  longs: Number,
  enums: String,
});
const definition = (name: string): ServiceDefinition => library[`runtime.v1.${name}`] as ServiceDefinition;

type Handler = (
  call: ServerUnaryCall<object, object> & ServerWritableStream<object, object>,
  answer: sendUnaryData<object>,
) => void;

let folder: string;
let socket: string;
let server: Server | undefined;
let channel: Channel;

async function serve(handlers: Record<string, Handler>, images: Record<string, Handler> = {}): Promise<void> {
  server = new Server();
  server.addService(definition('RuntimeService'), handlers as UntypedServiceImplementation);
  server.addService(definition('ImageService'), images as UntypedServiceImplementation);
  await new Promise<void>((resolve, reject) =>
    server?.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    ),
  );
}

const caught = (call: Promise<unknown>): Promise<unknown> =>
  call.then(() => undefined).catch((error: unknown) => error);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cri-'));
  socket = join(folder, 'runtime.sock');
  channel = new Channel(`unix://${socket}`);
});

afterEach(() => {
  channel.close();
  server?.forceShutdown();
  server = undefined;
  rmSync(folder, { recursive: true });
});

test.each([
  ['unix:///run/a.sock', 'unix:/run/a.sock'],
  ['unix:/run/a.sock', 'unix:/run/a.sock'],
  ['/run/a.sock', 'unix:/run/a.sock'],
])('endpoint %s', (endpoint, target) => {
  expect(targetOf(endpoint)).toBe(target);
});

test.each(['', 'run/a.sock', 'tcp://localhost:1', 'unix://run/a.sock', 'npipe:////./pipe/x'])(
  'endpoint %j is refused',
  (endpoint) => {
    expect(() => targetOf(endpoint)).toThrow(UsageError);
  },
);

describe('calls', () => {
  test('an error carries verb, status and the bare words', async () => {
    await serve({
      PodSandboxStatus: (_, answer) =>
        answer({ code: Status.NOT_FOUND, details: 'rpc error: code = NotFound desc = no such sandbox' }),
    });
    const error = await caught(new GrpcRuntimeService(channel).podSandboxStatus('x'));
    expect(error).toBeInstanceOf(RuntimeError);
    expect(error).toMatchObject({
      verb: 'PodSandboxStatus',
      status: 'NOT_FOUND',
      code: 'NOT_FOUND',
      details: 'no such sandbox',
      message: 'PodSandboxStatus: no such sandbox',
    });
  });

  test('a call without an answer ends at its deadline', async () => {
    await serve({ Version: () => undefined });
    const error = await caught(new GrpcRuntimeService(channel).version({ deadlineMs: 100 }));
    expect(error).toMatchObject({ status: 'DEADLINE_EXCEEDED', retryable: true });
  });

  test("a signal cancels the call at the server and rejects with the signal's reason", async () => {
    const reason = new Error('enough');
    const abort = new AbortController();
    const cancelled = new Promise<void>((resolve) => {
      void serve({
        Version: (call) => {
          call.on('cancelled', resolve);
          abort.abort(reason);
        },
      });
    });
    expect(await caught(new GrpcRuntimeService(channel).version({ signal: abort.signal }))).toBe(reason);
    await cancelled;
  });

  test('a signal that has aborted already makes no call', async () => {
    let calls = 0;
    await serve({ Version: (_, answer) => answer(null, { version: String(++calls) }) });
    const call = new GrpcRuntimeService(channel).version({ signal: AbortSignal.abort(new Error('before')) });
    expect(await caught(call)).toMatchObject({ message: 'before' });
    expect(calls).toBe(0);
  });

  test('nobody there is UNAVAILABLE at once', async () => {
    expect(await caught(new GrpcRuntimeService(channel).version())).toMatchObject({ status: 'UNAVAILABLE' });
  });

  test('a runtime that comes back is reached again within two seconds', async () => {
    const handlers: Record<string, Handler> = { Version: (_, answer) => answer(null, { runtimeName: 'r' }) };
    const runtime = new GrpcRuntimeService(channel);
    await serve(handlers);
    await runtime.version();
    server?.forceShutdown();
    // Long enough that gRPC's own back-off would have grown past what is asked for here.
    for (let at = 0; at < 30; at++) {
      expect(await caught(runtime.version())).toMatchObject({ status: 'UNAVAILABLE' });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await serve(handlers);
    const began = performance.now();
    while ((await caught(runtime.version())) !== undefined)
      await new Promise((resolve) => setTimeout(resolve, 50));
    expect(performance.now() - began).toBeLessThan(2000);
  });

  test('stopping and removing what is gone succeeds', async () => {
    const gone: Handler = (_, answer) => answer({ code: Status.NOT_FOUND, details: 'gone' });
    await serve({ StopContainer: gone, RemoveContainer: gone, StopPodSandbox: gone, RemovePodSandbox: gone });
    const runtime = new GrpcRuntimeService(channel);
    await runtime.stopContainer('x', 1);
    await runtime.removeContainer('x');
    await runtime.stopPodSandbox('x');
    await runtime.removePodSandbox('x');
  });

  test('a message of 10 MiB comes through', async () => {
    const stdout = Buffer.alloc(10 << 20, 'x');
    await serve({ ExecSync: (_, answer) => answer(null, { stdout, exitCode: 0 }) });
    const result = await new GrpcRuntimeService(channel).execSync('x', ['y'], 0);
    expect(result.stdout.equals(stdout)).toBe(true);
  });

  test('no RuntimeConfig: the cgroup driver is unknown', async () => {
    await serve({});
    expect(await new GrpcRuntimeService(channel).cgroupDriver()).toBeUndefined();
  });
});

describe('events', () => {
  const abort = new AbortController();

  test('come with their pod, until the stream breaks', async () => {
    await serve({
      GetContainerEvents: (call) => {
        call.write({
          containerId: 'c',
          containerEventType: 'CONTAINER_STOPPED_EVENT',
          createdAt: 1_795_175_506_894_260_000,
          podSandboxStatus: { metadata: { uid: 'u' } },
        });
        call.write({ containerId: 's', containerEventType: 'CONTAINER_DELETED_EVENT', createdAt: 0 });
        call.end();
      },
    });
    const events: unknown[] = [];
    const error = await caught(
      new GrpcRuntimeService(channel).containerEvents((event) => events.push(event), abort.signal),
    );
    expect(events).toEqual([
      { containerId: 'c', type: 'CONTAINER_STOPPED_EVENT', createdAt: 1_795_175_506_894.26, podUid: 'u' },
      { containerId: 's', type: 'CONTAINER_DELETED_EVENT', createdAt: 0 },
    ]);
    expect(error).toMatchObject({ status: 'UNAVAILABLE', verb: 'GetContainerEvents' });
  });

  test('the signal ends the stream without an error', async () => {
    const stop = new AbortController();
    const cancelled = new Promise<void>((resolve) => {
      void serve({
        GetContainerEvents: (call) => {
          call.on('cancelled', resolve);
          stop.abort();
        },
      });
    });
    await new GrpcRuntimeService(channel).containerEvents(() => undefined, stop.signal);
    await cancelled;
  });

  test('are UNIMPLEMENTED where there are none', async () => {
    await serve({});
    const error = await caught(
      new GrpcRuntimeService(channel).containerEvents(() => undefined, abort.signal),
    );
    expect(error).toMatchObject({ status: 'UNIMPLEMENTED', retryable: false });
  });
});

describe('connect', () => {
  const working: Record<string, Handler> = {
    Version: (_, answer) => answer(null, { runtimeName: 'r', runtimeVersion: '1', runtimeApiVersion: 'v1' }),
    Status: (_, answer) => answer(null, {}),
  };
  const images: Record<string, Handler> = { ImageStatus: (_, answer) => answer(null, {}) };
  const short = { clock: systemClock, timeoutMs: 500 };

  test('waits for a runtime that starts later', async () => {
    const connecting = connect(socket, { clock: systemClock, timeoutMs: 5000 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    await serve(working, images);
    const connection = await connecting;
    expect(connection.version).toEqual({ runtimeName: 'r', runtimeVersion: '1', runtimeApiVersion: 'v1' });
    connection.close();
  });

  test('nothing there: says where it looked and what to do', async () => {
    const error = await caught(connect(`unix://${socket}`, short));
    expect(error).toBeInstanceOf(RuntimeConnectError);
    expect(error).toMatchObject({ code: 'RUNTIME_CONNECT', retryable: true });
    expect(String(error)).toContain(`unix://${socket}`);
    expect(String(error)).toContain('ENOENT');
    expect(String(error)).toContain('--container-runtime-endpoint');
  });

  test('something else there: says so at once', async () => {
    server = new Server();
    await new Promise((resolve) =>
      server?.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), resolve),
    );
    const began = performance.now();
    const error = await caught(connect(socket, { clock: systemClock, timeoutMs: 5000 }));
    expect(error).toMatchObject({ code: 'RUNTIME_CONNECT', retryable: false });
    expect(String(error)).toContain('disabled_plugins');
    expect(performance.now() - began).toBeLessThan(2000);
  });

  test('waits while the runtime recovers its state', async () => {
    let asked = 0;
    const Status_: Handler = (_, answer) =>
      ++asked < 3 ? answer({ code: Status.UNKNOWN, details: 'not initialized yet' }) : answer(null, {});
    await serve({ ...working, Status: Status_ }, images);
    (await connect(socket, { clock: systemClock, timeoutMs: 5000 })).close();
    expect(asked).toBe(3);
  });

  test('the signal ends the waiting', async () => {
    const reason = new Error('stop');
    const stop = new AbortController();
    const connecting = caught(connect(socket, { clock: systemClock, signal: stop.signal }));
    setTimeout(() => stop.abort(reason), 100);
    expect(await connecting).toBe(reason);
  });
});
