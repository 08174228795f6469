import { describe, expect, test } from 'vitest';
import { codeOf } from '#lib/errors.ts';
import { ApiError, isApiConflict, isApiNotFound, isApiTooManyRequests } from '#lib/kube/api-error.ts';
import { resources } from '#lib/kube/client.ts';
import type { ApiObject } from '#lib/kube/client.ts';
import { ApiBed, testCa, until } from '../testing/bed.ts';
import { TestCa } from '../testing/certs.ts';

const pod = { namespace: 'ns', name: 'web' };
const { pods, nodes, leases, serviceAccounts, secrets } = resources;
const failed = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: unknown) => error,
  );

describe.each(['h2', 'https', 'http'] as const)('over %s', (protocol) => {
  test('gets an object, with all headers that upstream sends', async () => {
    await using bed = await ApiBed.start({ protocol });
    bed.credentials.set({ authorization: 'Bearer t' });
    bed.server.handler = (_request, reply) => reply.answer(200, { metadata: { name: 'web' } });
    const got = await bed.api.client.get(pods, pod, bed.call);
    expect(got).toEqual({ metadata: { name: 'web' } });
    const [request] = bed.server.requests;
    expect(request).toMatchObject({ method: 'GET', body: '' });
    expect(request?.url.pathname).toBe('/api/v1/namespaces/ns/pods/web');
    expect(request?.headers).toMatchObject({
      'user-agent': 'nodelet/test',
      accept: 'application/json',
      authorization: 'Bearer t',
    });
    expect(request?.headers['content-type']).toBeUndefined();
  });

  test('every verb has its method, path, type and body', async () => {
    await using bed = await ApiBed.start({ protocol });
    bed.server.handler = (_request, reply) => reply.answer(201, { kind: 'X' });
    const { client } = bed.api;
    await client.create(pods, { namespace: 'ns' }, { a: 1 }, bed.call);
    await client.create(serviceAccounts, { namespace: 'ns', name: 'sa', subresource: 'token' }, {}, bed.call);
    await client.replace(leases, { namespace: 'kube-node-lease', name: 'n' }, {}, bed.call);
    await client.patch(pods, { ...pod, subresource: 'status' }, { type: 'strategic', body: {} }, bed.call);
    await client.patch(nodes, { name: 'n' }, { type: 'merge', body: {} }, bed.call);
    await client.patch(nodes, { name: 'n' }, { type: 'json', body: [] }, bed.call);
    await client.delete(pods, pod, { gracePeriodSeconds: 0, preconditions: { uid: 'u' } }, bed.call);
    const seen = bed.server.requests.map(({ method, url, headers }) => [
      method,
      url.pathname,
      headers['content-type'],
    ]);
    expect(seen).toEqual([
      ['POST', '/api/v1/namespaces/ns/pods', 'application/json'],
      ['POST', '/api/v1/namespaces/ns/serviceaccounts/sa/token', 'application/json'],
      ['PUT', '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n', 'application/json'],
      ['PATCH', '/api/v1/namespaces/ns/pods/web/status', 'application/strategic-merge-patch+json'],
      ['PATCH', '/api/v1/nodes/n', 'application/merge-patch+json'],
      ['PATCH', '/api/v1/nodes/n', 'application/json-patch+json'],
      ['DELETE', '/api/v1/namespaces/ns/pods/web', 'application/json'],
    ]);
    expect(bed.server.requests[0]?.body).toBe('{"a":1}');
    expect(JSON.parse(bed.server.requests[6]?.body ?? '')).toEqual({
      kind: 'DeleteOptions',
      apiVersion: 'v1',
      gracePeriodSeconds: 0,
      preconditions: { uid: 'u' },
    });
  });

  test('lists a page', async () => {
    await using bed = await ApiBed.start({ protocol });
    bed.server.handler = (_request, reply) =>
      reply.answer(200, {
        items: [{ metadata: { name: 'a' } }],
        metadata: { resourceVersion: '7', continue: 'c' },
      });
    const selection = { fieldSelector: 'spec.nodeName=n', limit: 5, continueFrom: 'x', resourceVersion: '0' };
    const page = await bed.api.client.list(pods, selection, bed.call);
    expect(page).toEqual({ items: [{ metadata: { name: 'a' } }], resourceVersion: '7', continue: 'c' });
    const url = bed.server.requests[0]?.url;
    expect(url?.pathname).toBe('/api/v1/pods');
    expect(Object.fromEntries(url?.searchParams ?? [])).toEqual({
      fieldSelector: 'spec.nodeName=n',
      limit: '5',
      continue: 'x',
      resourceVersion: '0',
    });
  });

  test('an empty list may come as null, and no continue as an empty one', async () => {
    await using bed = await ApiBed.start({ protocol });
    bed.server.handler = (_request, reply) =>
      reply.answer(200, { items: null, metadata: { resourceVersion: '7', continue: '' } });
    expect(await bed.api.client.list(pods, {}, bed.call)).toEqual({ items: [], resourceVersion: '7' });
  });

  test('a refusal is an ApiError with what the Status says', async () => {
    await using bed = await ApiBed.start({ protocol });
    const status = (code: number, reason: string, details?: object) => ({
      kind: 'Status',
      code,
      reason,
      message: `it is ${reason}`,
      details,
    });
    bed.server.handler = (_request, reply) => reply.answer(404, status(404, 'NotFound'));
    const missing = await failed(bed.api.client.get(pods, pod, bed.call));
    expect(isApiNotFound(missing)).toBe(true);
    expect(missing).toMatchObject({ message: 'it is NotFound', reason: 'NotFound', retryable: false });
    bed.server.handler = (_request, reply) => reply.answer(409, status(409, 'Conflict'));
    expect(isApiConflict(await failed(bed.api.client.replace(pods, pod, {}, bed.call)))).toBe(true);
    bed.server.handler = (_request, reply) =>
      reply.answer(429, status(429, 'TooManyRequests', { retryAfterSeconds: 9 }), { 'retry-after': '3' });
    const busy = await failed(bed.api.client.get(pods, pod, bed.call));
    expect(isApiTooManyRequests(busy)).toBe(true);
    expect(busy).toMatchObject({ retryAfterMs: 3000, retryable: true });
    bed.server.handler = (_request, reply) => reply.answer(503, 'overloaded', { 'retry-after': '1' });
    expect(await failed(bed.api.client.get(pods, pod, bed.call))).toMatchObject({
      status: 503,
      reason: '',
      message: 'the server answers 503 Service Unavailable: overloaded',
      retryAfterMs: 1000,
      retryable: true,
    });
  });

  test('redirects are not followed', async () => {
    await using bed = await ApiBed.start({ protocol });
    bed.server.handler = (_request, reply) => reply.answer(302, {}, { location: '/elsewhere' });
    expect(await failed(bed.api.client.get(pods, pod, bed.call))).toMatchObject({ status: 302 });
    expect(bed.server.requests).toHaveLength(1);
  });

  test('a slow answer fails at the deadline, and does not hold up other calls', async () => {
    await using bed = await ApiBed.start({ protocol });
    bed.server.handler = (request, reply) => {
      if (!request.url.pathname.endsWith('slow')) reply.answer(200, {});
    };
    const { client } = bed.api;
    const slow = failed(client.get(pods, { ...pod, name: 'slow' }, { ...bed.call, deadlineMs: 150 }));
    await client.get(pods, pod, bed.call);
    const error = await slow;
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 0, retryable: true });
    expect((error as Error).message).toMatch(
      /^GET https?:\/\/127\.0\.0\.1:\d+\/api\/v1\/namespaces\/ns\/pods\/slow: no answer within 150 ms$/,
    );
  });

  test('the deadline covers the body, too', async () => {
    await using bed = await ApiBed.start({ protocol });
    bed.server.handler = (_request, reply) => {
      reply.open();
      reply.write('{"metadata"');
    };
    const error = await failed(bed.api.client.get(pods, pod, { ...bed.call, deadlineMs: 150 }));
    expect(error).toMatchObject({ status: 0, retryable: true });
  });

  test('an aborted call rejects with the reason, at once, and the server sees it go', async () => {
    await using bed = await ApiBed.start({ protocol });
    let gone = false;
    bed.server.handler = (_request, reply) => {
      void reply.closed.then(() => (gone = true));
    };
    const stop = new AbortController();
    const result = failed(bed.api.client.get(pods, pod, { signal: stop.signal }));
    await until(() => bed.server.requests.length === 1);
    const reason = new Error('enough');
    stop.abort(reason);
    expect(await result).toBe(reason);
    await until(() => gone, 'the end at the server');
    expect(await failed(bed.api.client.get(pods, pod, { signal: stop.signal }))).toBe(reason);
  });

  test('an answer that breaks off, or is no JSON, is no answer', async () => {
    await using bed = await ApiBed.start({ protocol });
    bed.server.handler = (_request, reply) => reply.answer(200, 'password: "hunter2');
    const nonsense = await failed(bed.api.client.get(secrets, pod, bed.call));
    expect(nonsense).toMatchObject({ status: 0, retryable: true });
    expect((nonsense as Error).message).not.toContain('hunter2');
    bed.server.handler = (request, reply) => {
      reply.open();
      reply.write('{"metadata"');
      setTimeout(() => (request.session ?? request.socket).destroy(), 20);
    };
    expect(await failed(bed.api.client.get(pods, pod, bed.call))).toMatchObject({ status: 0 });
  });

  test('an answer with too many bytes is cut off', async () => {
    await using bed = await ApiBed.start({ protocol });
    bed.server.handler = (_request, reply) => reply.answer(200, { metadata: { name: 'x'.repeat(66 << 20) } });
    const error = await failed(bed.api.client.get(pods, pod, bed.call));
    expect((error as Error).message).toContain('more than 67108864 bytes');
  });

  test('a big answer comes whole', async () => {
    await using bed = await ApiBed.start({ protocol });
    const name = 'ü€'.repeat(1 << 20);
    bed.server.handler = (_request, reply) => reply.answer(200, { metadata: { name } });
    const got = await bed.api.client.get<ApiObject>(pods, pod, bed.call);
    expect(got.metadata?.name === name).toBe(true);
  });

  test('connections are kept', async () => {
    await using bed = await ApiBed.start({ protocol });
    bed.server.handler = (_request, reply) => reply.answer(200, {});
    for (let i = 0; i < 5; i++) await bed.api.client.get(pods, pod, bed.call);
    expect(new Set(bed.server.requests.map(({ connection }) => connection)).size).toBe(1);
  });

  test('a connection that was closed while idle is no failure', async () => {
    await using bed = await ApiBed.start({ protocol });
    bed.server.handler = (_request, reply) => reply.answer(200, {});
    for (let i = 0; i < 3; i++) {
      await bed.api.client.get(pods, pod, bed.call);
      for (const socket of bed.server.sockets) socket.destroy();
    }
    expect(bed.server.requests).toHaveLength(3);
  });

  test('each lane has connections of its own', async () => {
    await using bed = await ApiBed.start({ protocol });
    bed.server.handler = (_request, reply) => reply.answer(200, {});
    for (const lane of ['lease', 'status', 'events', 'general', undefined] as const) {
      await bed.api.client.get(pods, pod, { ...bed.call, ...(lane === undefined ? {} : { lane }) });
    }
    const [lease, status, events, general, other] = bed.server.requests.map(({ connection }) => connection);
    expect(new Set([lease, status, events, general]).size).toBe(4);
    expect(other).toBe(general);
  });

  test('401: once more with credentials that have changed, else none', async () => {
    await using bed = await ApiBed.start({ protocol });
    bed.server.handler = ({ headers }, reply) =>
      headers['authorization'] === 'Bearer new' ? reply.answer(200, {}) : reply.answer(401, {});
    expect(await failed(bed.api.client.get(pods, pod, bed.call))).toMatchObject({ status: 401 });
    expect(bed.server.requests).toHaveLength(1);
    bed.credentials.afterRefusal = { authorization: 'Bearer wrong' };
    expect(await failed(bed.api.client.get(pods, pod, bed.call))).toMatchObject({ status: 401 });
    expect(bed.server.requests).toHaveLength(3);
    bed.credentials.afterRefusal = { authorization: 'Bearer new' };
    await bed.api.client.create(pods, { namespace: 'ns' }, {}, bed.call);
    expect(bed.server.requests).toHaveLength(5);
  });

  test('counts calls and their time', async () => {
    await using bed = await ApiBed.start({ protocol });
    bed.server.handler = (_request, reply) => reply.answer(404);
    await failed(bed.api.client.get(pods, pod, bed.call));
    await bed.server.stop();
    await failed(bed.api.client.get(pods, pod, bed.call));
    const host = bed.credentials.server.host;
    const text = bed.metrics.text();
    expect(text).toContain(`rest_client_requests_total{code="404",method="GET",host="${host}"} 1\n`);
    expect(text).toMatch(/rest_client_requests_total\{code="<error>",method="GET",host="[^"]+"\} [12]\n/);
    expect(text).toMatch(/rest_client_request_duration_seconds_count\{verb="GET",host="[^"]+"\} [23]\n/);
  });

  test('nobody there: status 0, retryable, with the address', async () => {
    await using bed = await ApiBed.start({ protocol });
    await bed.server.stop();
    const error = await failed(bed.api.client.get(pods, pod, bed.call));
    expect(error).toMatchObject({ status: 0, retryable: true, code: 'API' });
    expect((error as Error).message).toContain('ECONNREFUSED');
    expect(codeOf((error as Error).cause)).toBe('CONNECTION');
  });
});

describe('TLS', () => {
  test.each(['h2', 'https'] as const)('a server of another CA is refused (%s)', async (protocol) => {
    await using bed = await ApiBed.start({ protocol });
    bed.credentials.set({ ca: (await TestCa.make('stranger')).cert });
    const error = await failed(bed.api.client.get(pods, pod, bed.call));
    expect(error).toMatchObject({ status: 0 });
    expect(bed.server.requests).toHaveLength(0);
    bed.credentials.set({ insecure: true });
    bed.server.handler = (_request, reply) => reply.answer(200, {});
    await bed.api.client.get(pods, pod, bed.call);
  });

  test.each(['h2', 'https'] as const)('checks the server by tls-server-name (%s)', async (protocol) => {
    await using bed = await ApiBed.start({ protocol });
    bed.server.handler = (_request, reply) => reply.answer(200, {});
    bed.credentials.set({ serverName: 'api.test' });
    await bed.api.client.get(pods, pod, bed.call);
    bed.credentials.set({ serverName: 'other.test' });
    expect(await failed(bed.api.client.get(pods, pod, bed.call))).toMatchObject({ status: 0 });
    bed.credentials.set({ serverName: '127.0.0.2' });
    expect(await failed(bed.api.client.get(pods, pod, bed.call))).toMatchObject({ status: 0 });
  });

  test.each(['h2', 'https'] as const)(
    'a client certificate changes: calls under way end well, the next use the new one (%s)',
    async (protocol) => {
      const clientCa = await TestCa.make('clients');
      await using bed = await ApiBed.start({ protocol, clientCa });
      bed.credentials.set(await clientCa.issue('CN=old'));
      const release: (() => void)[] = [];
      bed.server.handler = (request, reply) => {
        if (request.url.pathname.endsWith('slow')) release.push(() => reply.answer(200, {}));
        else reply.answer(200, {});
      };
      const { client } = bed.api;
      const slow = client.get(pods, { ...pod, name: 'slow' }, bed.call);
      await until(() => release.length === 1);
      bed.credentials.set(await clientCa.issue('CN=new'));
      await client.get(pods, pod, bed.call);
      release[0]?.();
      await slow;
      expect(bed.server.requests.map(({ user }) => user)).toEqual(['old', 'new']);
      await until(() => bed.server.sockets.size === 1, 'the end of the old connection');
    },
  );

  test.each(['h2', 'https'] as const)(
    'a certificate that the server refuses is looked at again (%s)',
    async (protocol) => {
      const clientCa = await TestCa.make('clients');
      await using bed = await ApiBed.start({ protocol, clientCa });
      bed.server.handler = (_request, reply) => reply.answer(200, {});
      bed.credentials.set(await (await testCa()).issue('CN=stranger'));
      expect(await failed(bed.api.client.get(pods, pod, bed.call))).toMatchObject({ status: 0 });
      expect(bed.credentials.refusals).toBe(1);
      bed.credentials.afterRefusal = await clientCa.issue('CN=good');
      await bed.api.client.get(pods, pod, bed.call);
      expect(bed.server.requests.map(({ user }) => user)).toEqual(['good']);
    },
  );
});
