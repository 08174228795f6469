import { once } from 'node:events';
import http, { type RequestListener } from 'node:http';
import https from 'node:https';
import { type AddressInfo, type Server, connect, createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '#host/clock.ts';
import { HttpGetError, httpGet } from './http-get.ts';
import { probeHttp } from './http-probe.ts';
import { type HttpGetAction, httpRequest } from './http-request.ts';
import type { Outcome } from './outcome.ts';
import { weakCertificate } from './testing/weak-certificate.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listening(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const serve = (listener: RequestListener): Promise<number> => listening(http.createServer(listener));

const options = (timeoutMs = 2000) => ({ clock: systemClock, timeoutMs, signal: AbortSignal.timeout(8000) });
const probeAt = (port: number, action: Partial<HttpGetAction> = {}, timeoutMs?: number): Promise<Outcome> =>
  probeHttp(httpRequest(action, port, '127.0.0.1', 'kube-probe/1.36'), options(timeoutMs));

describe('probeHttp', () => {
  test.each([
    [200, { kind: 'success', words: 'body' }],
    [204, { kind: 'success', words: '' }],
    [304, { kind: 'warning', words: 'Probe terminated redirects, Response body: ' }],
    [302, { kind: 'warning', words: 'Probe terminated redirects, Response body: body' }],
    [400, { kind: 'failure', words: 'HTTP probe failed with statuscode: 400' }],
    [503, { kind: 'failure', words: 'HTTP probe failed with statuscode: 503' }],
  ])('status %i (without Location)', async (status, outcome) => {
    const port = await serve((_request, response) => response.writeHead(status).end('body'));
    expect(await probeAt(port)).toEqual(outcome);
  });

  test('says who it is, and asks for no connection to be kept', async () => {
    const seen: http.IncomingMessage[] = [];
    const port = await serve((request, response) => {
      seen.push(request);
      response.end();
    });
    await probeAt(port, { path: 'x y', httpHeaders: [{ name: 'Host', value: 'shop' }] });
    const [request] = seen;
    expect(request?.url).toBe('/x%20y');
    expect(request?.headers).toEqual({
      host: 'shop',
      'user-agent': 'kube-probe/1.36',
      accept: '*/*',
      connection: 'close',
    });
  });

  test('takes no notice of a proxy', async () => {
    process.env['HTTP_PROXY'] = process.env['http_proxy'] = 'http://127.0.0.1:1';
    try {
      const port = await serve((_request, response) => response.end());
      expect((await probeAt(port)).kind).toBe('success');
    } finally {
      delete process.env['HTTP_PROXY'];
      delete process.env['http_proxy'];
    }
  });

  test('follows redirects on its host, with Host kept where the host isn’t named', async () => {
    const hosts: (string | undefined)[] = [];
    const port = await serve((request, response) => {
      hosts.push(request.headers.host);
      if (request.url === '/a') response.writeHead(302, { Location: '/b' }).end();
      else if (request.url === '/b')
        response.writeHead(307, { Location: `http://127.0.0.1:${port}/c?d` }).end();
      else response.writeHead(request.url === '/c?d' ? 200 : 500).end('there');
    });
    const action = { path: '/a', httpHeaders: [{ name: 'Host', value: 'shop' }] };
    expect(await probeAt(port, action)).toEqual({ kind: 'success', words: 'there' });
    expect(hosts).toEqual(['shop', 'shop', `127.0.0.1:${port}`]);
  });

  test('a redirect to another host is success with a warning', async () => {
    const port = await serve((_request, response) =>
      response.writeHead(302, { Location: 'http://elsewhere.invalid/' }).end('Found'),
    );
    expect(await probeAt(port)).toEqual({
      kind: 'warning',
      words: 'Probe terminated redirects, Response body: Found',
    });
  });

  test('gives up after ten redirects', async () => {
    let count = 0;
    const port = await serve((_request, response) =>
      response.writeHead(302, { Location: `/${++count}` }).end(),
    );
    const outcome = await probeAt(port);
    expect(outcome).toEqual({
      kind: 'failure',
      words: `Get "http://127.0.0.1:${port}/10": stopped after 10 redirects`,
    });
    expect(count).toBe(10);
  });

  test('HTTPS: whatever the certificate', async () => {
    const certificate = await weakCertificate();
    const server = https.createServer(
      { ...certificate, ciphers: 'DEFAULT@SECLEVEL=0' },
      (_request, response) => response.end('secret'),
    );
    const port = await listening(server);
    expect(await probeAt(port, { scheme: 'HTTPS' })).toEqual({ kind: 'success', words: 'secret' });
  });

  test('HTTPS to a server that speaks HTTP', async () => {
    const port = await serve((_request, response) => response.end());
    expect(await probeAt(port, { scheme: 'HTTPS' })).toEqual({
      kind: 'failure',
      words: `Get "https://127.0.0.1:${port}/": http: server gave HTTP response to HTTPS client`,
    });
  });

  test('nobody listens', async () => {
    const server = createServer();
    const port = await listening(server);
    server.close();
    const words = (scheme: string): string =>
      `Get "${scheme}://127.0.0.1:${port}/": dial tcp 127.0.0.1:${port}: connect: connection refused`;
    expect(await probeAt(port)).toEqual({ kind: 'failure', words: words('http') });
    expect(await probeAt(port, { scheme: 'HTTPS' })).toEqual({ kind: 'failure', words: words('https') });
  });

  test('a server that hangs up at once, and one that resets', async () => {
    const hangs = await listening(createServer((socket) => socket.end()));
    expect(await probeAt(hangs)).toMatchObject({
      kind: 'failure',
      words: expect.stringMatching(/: EOF$/) as string,
    });
    const resets = await listening(
      createServer((socket) => socket.once('data', () => socket.resetAndDestroy())),
    );
    expect(await probeAt(resets)).toMatchObject({
      kind: 'failure',
      words: expect.stringMatching(/: read: connection reset by peer$/) as string,
    });
  });

  test('a header that can’t be sent is a failure', async () => {
    const port = await serve((_request, response) => response.end());
    expect(await probeAt(port, { httpHeaders: [{ name: 'X', value: 'a\nb' }] })).toMatchObject({
      kind: 'failure',
    });
  });
});

/** Passes connections on to `port`; tells how the client ended each. */
async function relay(port: number): Promise<{ port: number; ends: Promise<'end' | 'reset'>[] }> {
  const ends: Promise<'end' | 'reset'>[] = [];
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const inner = connect(port, '127.0.0.1');
    inner.on('error', () => client.destroy());
    // Whoever reads it no more must not hide its end.
    inner.on('close', () => client.resume());
    client.pipe(inner).pipe(client);
    ends.push(
      new Promise((resolve) => {
        client.on('error', () => resolve('reset'));
        client.on('end', () => resolve('end'));
      }),
    );
    client.on('close', () => inner.destroy());
  });
  return { port: await listening(server), ends };
}

describe.each(['HTTP', 'HTTPS'])('how a connection of %s ends', (scheme) => {
  const listen = async (listener: RequestListener) => {
    const tls = { ...(await weakCertificate()), ciphers: 'DEFAULT@SECLEVEL=0' };
    const server = scheme === 'HTTP' ? http.createServer(listener) : https.createServer(tls, listener);
    return relay(await listening(server));
  };

  test('in order after an answer, also where the server would keep it', async () => {
    const { port, ends } = await listen((_request, response) => {
      response.setHeader('Connection', 'keep-alive');
      response.end('x'.repeat(5000));
    });
    expect((await probeAt(port, { scheme })).kind).toBe('success');
    expect(await Promise.all(ends)).toEqual(['end']);
  });

  test('in order after an answer that is longer than what is read of it', async () => {
    const { port, ends } = await listen((_request, response) => response.end('x'.repeat(100_000)));
    const outcome = await probeAt(port, { scheme });
    expect(outcome).toEqual({ kind: 'success', words: 'x'.repeat(10_240) });
    expect(await Promise.all(ends)).toEqual(['end']);
  });

  test('with a reset when no answer comes in time', async () => {
    const { port, ends } = await listen(() => undefined);
    expect(await probeAt(port, { scheme }, 300)).toEqual({
      kind: 'failure',
      words: `Get "${scheme.toLowerCase()}://127.0.0.1:${port}/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
    });
    expect(await Promise.all(ends)).toEqual(['reset']);
  });

  test('an answer that stops in the middle is no result', async () => {
    const { port, ends } = await listen((_request, response) => response.write('begin'));
    expect(await probeAt(port, { scheme }, 300)).toEqual({
      kind: 'error',
      words: expect.stringMatching(/Client\.Timeout or context cancellation while reading body/) as string,
    });
    expect(await Promise.all(ends)).toEqual(['reset']);
    const broken = await listen((_request, response) => {
      response.writeHead(200, { 'Content-Length': 100 });
      response.write('begin', () => response.destroy());
    });
    expect(await probeAt(broken.port, { scheme })).toMatchObject({ kind: 'error' });
  });

  test('an endless answer is cut off', async () => {
    let sent = 0;
    const { port } = await listen((_request, response) => {
      const more = (): void => {
        sent += 65_536;
        if (!response.destroyed) response.write(Buffer.alloc(65_536), more);
      };
      response.on('error', () => undefined);
      more();
    });
    expect((await probeAt(port, { scheme })).kind).toBe('success');
    await new Promise((resolve) => setTimeout(resolve, 200));
    const before = sent;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(sent).toBe(before);
  });
});

test('httpGet ends with its signal', async () => {
  const port = await serve(() => undefined);
  const abort = new AbortController();
  const got = httpGet(httpRequest({}, port, '127.0.0.1', 'x'), {
    clock: systemClock,
    timeoutMs: undefined,
    signal: abort.signal,
  });
  setTimeout(() => abort.abort(new HttpGetError('enough')), 50);
  await expect(got).rejects.toThrow('enough');
});
