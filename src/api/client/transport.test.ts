import type { ServerHttp2Session } from 'node:http2';
import { describe, expect, test } from 'vitest';
import { codeOf } from '#lib/errors.ts';
import { resources } from '#lib/kube/client.ts';
import { ApiBed, until } from '../testing/bed.ts';

const { pods, leases } = resources;
const pod = { namespace: 'ns', name: 'web' };
const lease = { namespace: 'kube-node-lease', name: 'n' };
const failed = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: unknown) => error,
  );
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('a path that dies without a word', () => {
  test('PING finds it while a call is open, and the next call goes another way', async () => {
    await using bed = await ApiBed.start({
      proxy: true,
      api: { timing: { pingEveryMs: 100, pingTimeoutMs: 200 } },
    });
    bed.server.handler = (request, reply) => {
      if (!request.url.pathname.endsWith('slow')) reply.answer(200, {});
    };
    const { client } = bed.api;
    const slow = failed(client.get(pods, { ...pod, name: 'slow' }, { ...bed.call, deadlineMs: 5000 }));
    await until(() => bed.server.requests.length === 1);
    await pause(700);
    // Answered PINGs leave it alone.
    expect(bed.server.sessions.size).toBe(1);
    bed.proxy?.freeze();
    const began = performance.now();
    const error = await slow;
    expect(performance.now() - began).toBeLessThan(2500);
    expect((error as Error).message).toContain('answers no PING within 200 ms');
    await client.get(pods, pod, { ...bed.call, deadlineMs: 1000 });
  });

  test.each(['h2', 'https'] as const)('costs one lease at most (%s)', async (protocol) => {
    await using bed = await ApiBed.start({ protocol, proxy: true });
    bed.server.handler = (_request, reply) => reply.answer(200, {});
    const { client } = bed.api;
    const renew = (): Promise<unknown> =>
      client.replace(leases, lease, {}, { ...bed.call, lane: 'lease', deadlineMs: 200 });
    await renew();
    const status = (): Promise<unknown> =>
      client.get(pods, pod, { ...bed.call, lane: 'status', deadlineMs: 2000 });
    await status();
    bed.proxy?.freeze();
    const stuck = failed(status());
    const began = performance.now();
    expect(codeOf(((await failed(renew())) as Error).cause)).toBe('DEADLINE');
    // The other lanes' calls don't wait for deadlines of their own.
    expect(await stuck).toMatchObject({ status: 0 });
    expect(performance.now() - began).toBeLessThan(1000);
    await renew();
    await status();
    expect(bed.logged.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  test('the second missed lease leaves the other lanes alone', async () => {
    await using bed = await ApiBed.start();
    bed.server.handler = (request, reply) => {
      if (!request.url.pathname.includes('leases')) reply.answer(200, {});
    };
    const { client } = bed.api;
    const renew = (): Promise<unknown> =>
      failed(client.replace(leases, lease, {}, { ...bed.call, lane: 'lease', deadlineMs: 50 }));
    const get = (): Promise<unknown> => client.get(pods, pod, bed.call);
    const connections = (): (number | undefined)[] =>
      bed.server.requests.filter(({ url }) => url.pathname.includes('pods')).map((each) => each.connection);
    await get();
    await renew();
    await get();
    await renew();
    await get();
    const [first, second, third] = connections();
    expect(second).not.toBe(first);
    expect(third).toBe(second);
  });

  test('a server that accepts and says nothing is given up after a while', async () => {
    await using bed = await ApiBed.start({ proxy: true, api: { timing: { connectMs: 100 } } });
    bed.proxy?.freeze(true);
    const error = await failed(bed.api.client.get(pods, pod, bed.call));
    expect((error as Error).message).toContain('no connection within 100 ms');
    bed.proxy?.thaw();
    bed.server.handler = (_request, reply) => reply.answer(200, {});
    await bed.api.client.get(pods, pod, bed.call);
  });
});

describe('HTTP/2', () => {
  test('GOAWAY: calls under way are answered, the next goes over another connection', async () => {
    await using bed = await ApiBed.start();
    const release: (() => void)[] = [];
    bed.server.handler = (request, reply) => {
      if (request.url.pathname.endsWith('slow')) release.push(() => reply.answer(200, {}));
      else reply.answer(200, {});
    };
    const { client } = bed.api;
    const slow = client.get(pods, { ...pod, name: 'slow' }, bed.call);
    await until(() => release.length === 1);
    for (const session of bed.server.sessions) session.goaway(0);
    await pause(20);
    await client.get(pods, pod, bed.call);
    release[0]?.();
    await slow;
    expect(bed.server.requests.map(({ connection }) => connection)).toEqual([1, 2]);
  });

  test('what the server did not look at before its GOAWAY is sent again, whatever it is', async () => {
    await using bed = await ApiBed.start();
    const { client } = bed.api;
    bed.server.handler = (request, reply) => {
      if (bed.server.requests.length !== 2) reply.answer(201, {});
      else request.session?.goaway(0, 1);
    };
    await client.create(pods, { namespace: 'ns' }, {}, bed.call);
    await client.create(pods, { namespace: 'ns' }, {}, bed.call);
    expect(bed.server.requests.map(({ connection }) => connection)).toEqual([1, 1, 2]);
  });

  test('what the server looked at is not sent again unless it only reads', async () => {
    await using bed = await ApiBed.start();
    const { client } = bed.api;
    bed.server.handler = (request) => request.session?.destroy();
    expect(await failed(client.create(pods, { namespace: 'ns' }, {}, bed.call))).toMatchObject({ status: 0 });
    expect(bed.server.requests).toHaveLength(1);
  });

  test('a refused stream is sent again', async () => {
    await using bed = await ApiBed.start();
    const { client } = bed.api;
    let isFirst = true;
    bed.server.handler = (request, reply) => {
      if (isFirst) request.refuse();
      else reply.answer(200, {});
      isFirst = false;
    };
    await client.create(pods, { namespace: 'ns' }, {}, bed.call);
    expect(bed.server.requests).toHaveLength(2);
  });

  test("another connection is made where one's calls are full", async () => {
    await using bed = await ApiBed.start({ maxConcurrentStreams: 4 });
    const release: (() => void)[] = [];
    bed.server.handler = (_request, reply) => void release.push(() => reply.answer(200, {}));
    const calls = Array.from({ length: 10 }, () => bed.api.client.get(pods, pod, bed.call));
    await until(() => release.length === 10, 'ten calls at the server');
    expect(bed.server.sessions.size).toBe(3);
    for (const answer of release) answer();
    await Promise.all(calls);
  });

  test('a server that closes connections as soon as it has them is not stormed', async () => {
    await using bed = await ApiBed.start();
    for (const greet of [
      (session: ServerHttp2Session) => session.close(),
      (session: ServerHttp2Session) => session.settings({ maxConcurrentStreams: 0 }),
      (session: ServerHttp2Session) => void session.once('localSettings', () => session.close()),
    ]) {
      bed.server.connections = 0;
      bed.server.onSession = greet;
      const error = await failed(bed.api.client.get(pods, pod, { ...bed.call, deadlineMs: 500 }));
      expect(error).toMatchObject({ status: 0 });
      expect(bed.server.connections).toBeLessThan(4);
    }
  });

  test('a connection without calls is closed after a while', async () => {
    await using bed = await ApiBed.start({ api: { timing: { idleMs: 50 } } });
    bed.server.handler = (_request, reply) => reply.answer(200, {});
    await bed.api.client.get(pods, pod, bed.call);
    expect(bed.server.sessions.size).toBe(1);
    await until(() => bed.server.sessions.size === 0, 'the end of the connection');
    await bed.api.client.get(pods, pod, bed.call);
  });
});

test.each(['h2', 'https', 'http'] as const)('close() ends calls under way (%s)', async (protocol) => {
  await using bed = await ApiBed.start({ protocol });
  bed.server.handler = () => undefined;
  const result = failed(bed.api.client.get(pods, pod, bed.call));
  await until(() => bed.server.requests.length === 1);
  bed.api.close();
  expect(await result).toMatchObject({ status: 0 });
  expect(await failed(bed.api.client.get(pods, pod, bed.call))).toMatchObject({ status: 0 });
  await until(() => bed.server.sockets.size === 0, 'the end of the connections');
});
