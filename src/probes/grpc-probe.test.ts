import { Server, ServerCredentials, type ServerUnaryCall, status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { decodeStatus, encodeRequest } from './grpc-health.ts';
import { probeGrpc } from './grpc-probe.ts';

const CHECK = '/grpc.health.v1.Health/Check';
const seen: { service: string; agent: string; authority: string }[] = [];
let server: Server | undefined;
afterEach(() => {
  server?.forceShutdown();
  seen.length = 0;
});

type Answer = Buffer | { code: status; details: string } | 'nothing';

async function serve(answer: Answer, path = CHECK): Promise<number> {
  server = new Server();
  const bytes = (value: Buffer): Buffer => value;
  const definition = {
    check: {
      path,
      requestStream: false,
      responseStream: false,
      requestSerialize: bytes,
      requestDeserialize: bytes,
      responseSerialize: bytes,
      responseDeserialize: bytes,
    },
  } as const;
  server.addService(definition, {
    check: (call: ServerUnaryCall<Buffer, Buffer>, done: (error: object | null, value?: Buffer) => void) => {
      seen.push({
        service: call.request.toString('latin1'),
        agent: String(call.metadata.get('user-agent')[0]),
        authority: call.getHost(),
      });
      if (answer === 'nothing') return;
      if (Buffer.isBuffer(answer)) done(null, answer);
      else done(answer);
    },
  });
  const made = server;
  return new Promise((resolve, reject) => {
    made.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

const probeAt = (port: number, service = '', timeoutMs = 3000) =>
  probeGrpc('127.0.0.1', port, service, { timeoutMs, signal: AbortSignal.timeout(8000) });

describe('probeGrpc', () => {
  test('a server that serves', async () => {
    const port = await serve(Buffer.from([8, 1]));
    expect(await probeAt(port, 'shop')).toEqual({ kind: 'success', words: 'service healthy' });
    expect(seen).toHaveLength(1);
    expect(seen[0]?.service).toBe('\n\u0004shop');
    expect(seen[0]?.agent).toMatch(/^kube-probe\/1\.36 /);
    expect(seen[0]?.authority).toBe(`127.0.0.1:${port}`);
  });

  test.each([
    [Buffer.from([8, 2]), 'service unhealthy (responded with "NOT_SERVING")'],
    [Buffer.alloc(0), 'service unhealthy (responded with "UNKNOWN")'],
    [
      { code: status.NOT_FOUND, details: 'unknown service' },
      'error: health rpc probe failed: rpc error: code = NotFound desc = unknown service',
    ],
  ])('%j is a failure', async (answer, words) => {
    expect(await probeAt(await serve(answer))).toEqual({ kind: 'failure', words });
  });

  test('a server without the health service', async () => {
    const port = await serve(Buffer.alloc(0), '/other.Service/Call');
    expect(await probeAt(port)).toMatchObject({
      kind: 'failure',
      words: expect.stringMatching(
        /^error: this server does not implement the grpc health protocol \(grpc\.health\.v1\.Health\): /,
      ) as string,
    });
  });

  test('no answer in time', async () => {
    expect(await probeAt(await serve('nothing'), '', 500)).toEqual({
      kind: 'failure',
      words: 'timeout: health rpc did not complete within 500ms',
    });
  });

  test('nobody listens', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    expect(await probeAt(port, '', 1000)).toEqual({
      kind: 'failure',
      words: `timeout: failed to connect service "127.0.0.1:${port}" within 1s: context deadline exceeded`,
    });
  });
});

describe('the messages', () => {
  test('requests of any length', () => {
    expect(encodeRequest('').length).toBe(0);
    const long = encodeRequest('x'.repeat(300));
    expect([...long.subarray(0, 3)]).toEqual([0x0a, 0xac, 0x02]);
    expect(long.length).toBe(303);
  });

  test('fields that nobody knows are skipped', () => {
    // A varint, eight bytes, a text and four bytes, then the status.
    const other = [0x10, 0x96, 0x01, 0x19, 0, 0, 0, 0, 0, 0, 0, 0, 0x22, 2, 0x61, 0x62, 0x2d, 1, 2, 3, 4];
    expect(decodeStatus(Buffer.from([...other, 8, 1]))).toBe('SERVING');
    expect(decodeStatus(Buffer.from([8, 9]))).toBe('9');
  });

  test('whatever comes, reading it ends', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => typeof decodeStatus(bytes) === 'string'),
    );
  });
});
