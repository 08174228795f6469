import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '#host/clock.ts';
import { probeTcp } from './tcp-probe.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
async function listening(onSocket: (socket: Socket) => void): Promise<number> {
  const server = createServer(onSocket);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
const options = (timeoutMs = 1000) => ({ clock: systemClock, timeoutMs, signal: AbortSignal.timeout(5000) });

test.each(['', 'SSH-2.0-server\r\n'])(
  'a connection is enough, and ends in order (greeting %j)',
  async (greeting) => {
    const ends: Promise<string>[] = [];
    const port = await listening((socket) => {
      ends.push(
        new Promise((resolve) => {
          socket.on('end', () => resolve('end'));
          socket.on('error', () => resolve('reset'));
        }),
      );
      socket.resume();
      if (greeting !== '') socket.write(greeting);
    });
    expect(await probeTcp('127.0.0.1', port, options())).toEqual({ kind: 'success', words: '' });
    expect(await Promise.all(ends)).toEqual(['end']);
  },
);

test('nobody listens', async () => {
  const port = await listening(() => undefined);
  servers.pop()?.close();
  expect(await probeTcp('127.0.0.1', port, options())).toEqual({
    kind: 'failure',
    words: `dial tcp 127.0.0.1:${port}: connect: connection refused`,
  });
});

test('a name that is none', async () => {
  expect(await probeTcp('none.invalid', 80, options(4000))).toMatchObject({
    kind: 'failure',
    words: expect.stringMatching(/^dial tcp: lookup none\.invalid: /) as string,
  });
});
