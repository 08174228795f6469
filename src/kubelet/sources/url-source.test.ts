import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '#host/clock.ts';
import { UsageError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { silentLogger } from '#lib/logger.ts';
import { httpGet } from './http-get.ts';
import type { SourceUpdate } from './source.ts';
import { UrlSource } from './url-source.ts';
import type { UrlSourceOptions } from './url-source.ts';

/** A real server on the loopback address. */
let root: string;
let servers: Server[] = [];
let sources: UrlSource[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sources-url-'));
});

afterEach(async () => {
  await Promise.all(sources.map((source) => source.stop()));
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  servers = [];
  sources = [];
  await rm(root, { recursive: true });
});

async function serve(answer: RequestListener, server = createServer()): Promise<string> {
  servers.push(server);
  server.on('request', answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const pod = (name: string, image = 'i:1'): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'c', image }] },
});
const POD = JSON.stringify(pod('web'));

interface Watched {
  source: UrlSource;
  updates: SourceUpdate[];
  until(check: (last: SourceUpdate) => boolean): Promise<void>;
}

async function watch(url: string, more: Partial<UrlSourceOptions> = {}): Promise<Watched> {
  const source = new UrlSource({
    url,
    headers: {},
    nodeName: 'node',
    adopt: () => undefined,
    clock: systemClock,
    logger: silentLogger,
    cacheDir: join(root, 'cache'),
    pollMs: 20,
    ...more,
  });
  sources.push(source);
  const updates: SourceUpdate[] = [];
  await source.start((update) => updates.push(update));
  return {
    source,
    updates,
    async until(check) {
      for (let i = 0; i < 100; i++) {
        const last = updates.at(-1);
        if (last !== undefined && check(last)) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      throw new Error(`still: ${JSON.stringify(updates.at(-1))}`);
    },
  };
}

const names = (update: SourceUpdate | undefined): string[] =>
  (update?.pods ?? []).map((each) => each.metadata.name);
const images = (update: SourceUpdate | undefined): unknown[] =>
  (update?.pods ?? []).map((each) => each.spec.containers[0]?.image);

describe('what a URL may answer', () => {
  it.each([
    ['a Pod as JSON', POD, ['web-node']],
    [
      'a Pod as YAML',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: c, image: i}]}\n',
      ['web-node'],
    ],
    [
      'a PodList',
      JSON.stringify({ apiVersion: 'v1', kind: 'PodList', items: [pod('a'), pod('b')] }),
      ['a-node', 'b-node'],
    ],
    ['an empty list', JSON.stringify({ apiVersion: 'v1', kind: 'PodList', items: [] }), []],
  ])('%s', async (_what, text, expected) => {
    const url = `http://${await serve((_request, response) => response.end(text))}/pods?token=hush`;
    const { updates } = await watch(url);
    expect(updates).toHaveLength(1);
    expect(names(updates[0])).toEqual(expected);
    expect(updates[0]?.problems).toEqual([]);
    const [first] = updates[0]?.pods ?? [];
    expect(first?.metadata.annotations?.['kubernetes.io/config.source']).toBe(first && 'http');
    expect([...(updates[0]?.origins?.values() ?? [])].join()).not.toContain('hush');
  });

  it('nothing at all counts as seen, and is told', async () => {
    const { updates } = await watch(`http://${await serve((_request, response) => response.end())}/`);
    expect(updates).toMatchObject([
      { pods: [], problems: [{ message: expect.stringContaining('empty') as string }] },
    ]);
  });

  it.each<[string, (response: ServerResponse, request: IncomingMessage) => void]>([
    ['no object', (response) => response.end('hello')],
    ['404', (response) => response.writeHead(404).end(POD)],
    [
      'an answer that breaks off',
      (response) =>
        void response.writeHead(200, { 'content-length': 999 }).write(POD, () => response.destroy()),
    ],
    ['no answer', (response) => response.destroy()],
  ])('%s on the first try is silence', async (_what, answer) => {
    const { updates } = await watch(
      `http://${await serve((request, response) => answer(response, request))}/`,
    );
    expect(updates).toEqual([]);
  });
});

it('changes are followed; failures keep what runs and are told', async () => {
  let answer: RequestListener = (_request, response) => response.end(POD);
  const url = `http://${await serve((request, response) => answer(request, response))}/`;
  const watched = await watch(url, { timeoutMs: 300 });
  const uid = watched.updates[0]?.pods[0]?.metadata.uid;

  const failures: [RequestListener, string][] = [
    [(_request, response) => response.writeHead(503).end(), 'answers 503'],
    [(_request, response) => response.end(POD.replace('"web"', '"WEB"')), 'must be lower case'],
    [(_request, response) => response.end('{'), 'not valid YAML'],
    [() => undefined, 'no whole answer within 300 ms'],
    [(_request, response) => response.end(), 'empty'],
  ];
  for (const [failing, message] of failures) {
    answer = failing;
    await watched.until((last) => last.problems.some((each) => each.message.includes(message)));
    expect(watched.updates.at(-1)?.pods[0]?.metadata.uid).toBe(uid);
  }
  answer = (_request, response) => response.end(JSON.stringify(pod('web', 'i:2')));
  await watched.until((last) => images(last).join() === 'i:2');
  expect(watched.updates.at(-1)?.problems).toEqual([]);
  expect(watched.updates.at(-1)?.pods[0]?.metadata.uid).not.toBe(uid);
});

it('an unreachable server at start: the last good version runs on', async () => {
  const address = await serve((_request, response) => response.end(POD));
  const first = await watch(`http://${address}/`);
  await first.source.stop();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  const second = await watch(`http://${address}/`);
  expect(second.updates).toHaveLength(1);
  expect(second.updates[0]?.pods[0]?.metadata.uid).toBe(first.updates[0]?.pods[0]?.metadata.uid);
  expect(second.updates[0]?.problems).toMatchObject([
    { message: expect.stringContaining('cannot be reached') as string, lastGoodRuns: true },
  ]);
});

it('headers are sent, every value of a name; secrets show up nowhere', async () => {
  const seen: IncomingMessage[] = [];
  const address = await serve((request, response) => {
    seen.push(request);
    response.writeHead(seen.length === 1 ? 200 : 500).end(POD);
  });
  const lines: unknown[] = [];
  const log = (fields: object, message: string): void => void lines.push(fields, message);
  const logger: Logger = { debug: log, info: log, warn: log, error: log, child: () => logger };
  const watched = await watch(`http://user:hush1@${address}/p?key=hush2`, {
    headers: { 'Metadata-Flavor': ['a', 'b'], 'X-Token': ['hush3'] },
    logger,
  });
  await watched.until((last) => last.problems.length > 0);
  expect(seen[0]?.headers).toMatchObject({
    'metadata-flavor': 'a, b',
    'x-token': 'hush3',
    authorization: 'Basic dXNlcjpodXNoMQ==',
  });
  expect(JSON.stringify([lines, watched.updates, watched.source.name])).not.toMatch(/hush/);
});

it.each(['ftp://x/', 'file:///etc/passwd', 'nonsense', ''])('refuses the URL %j', (url) => {
  expect(() => new UrlSource({ url } as UrlSourceOptions)).toThrow(UsageError);
});

describe('httpGet', () => {
  const options = (): Parameters<typeof httpGet>[1] => ({
    headers: { Authorization: ['secret'], 'X-A': ['1'] },
    timeoutMs: 2000,
    maxBytes: 1000,
    signal: new AbortController().signal,
  });

  it('follows redirects, without secrets to another host', async () => {
    const seen: (string | undefined)[] = [];
    const there = await serve((request, response) => {
      seen.push(request.headers.authorization, request.headers['x-a'] as string);
      response.end('there');
    });
    const here = await serve((request, response) => {
      seen.push(request.headers.authorization);
      const location = request.url === '/' ? '/next' : `http://${there}/`;
      response.writeHead(request.url === '/' ? 302 : 307, { location }).end();
    });
    expect(await httpGet(new URL(`http://${here}/`), options())).toBe('there');
    expect(seen).toEqual(['secret', 'secret', undefined, '1']);
  });

  it.each<[string, RequestListener, RegExp]>([
    [
      'an endless redirect',
      (_request, response) => response.writeHead(302, { location: '/' }).end(),
      /more than 10 redirects/,
    ],
    [
      'a redirect to a file',
      (_request, response) => response.writeHead(302, { location: 'file:///etc/shadow' }).end(),
      /no http or https/,
    ],
    ['a redirect to nowhere', (_request, response) => response.writeHead(302).end(), /answers 302/],
    ['too long an answer', (_request, response) => response.end('x'.repeat(1001)), /more than 1000 bytes/],
    ['no UTF-8', (_request, response) => response.end(Buffer.from([0xff])), /not UTF-8/],
  ])('refuses %s', async (_what, answer, message) => {
    await expect(httpGet(new URL(`http://${await serve(answer)}/`), options())).rejects.toThrow(message);
  });

  it('has one deadline for all, also for an answer that trickles', async () => {
    const address = await serve((_request, response) => {
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    });
    const started = performance.now();
    await expect(
      httpGet(new URL(`http://${address}/`), { ...options(), timeoutMs: 200 }),
    ).rejects.toMatchObject({
      code: 'DEADLINE',
    });
    expect(performance.now() - started).toBeLessThan(1500);
  });

  it('speaks TLS, to whom it may trust only', async ({ skip }) => {
    const args =
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1 ' +
      '-addext subjectAltName=IP:127.0.0.1 -keyout key -out cert';
    const made = spawnSync('openssl', args.split(' '), { cwd: root });
    if (made.status !== 0) skip('needs the program openssl');
    const cert = await readFile(join(root, 'cert'), 'utf8');
    const server = createTlsServer({ cert, key: await readFile(join(root, 'key')) });
    const url = new URL(`https://${await serve((_request, response) => response.end('safe'), server)}/`);
    expect(await httpGet(url, { ...options(), ca: [cert] })).toBe('safe');
    await expect(httpGet(url, options())).rejects.toThrow(/cannot be reached/);
  });
});

it('ConfigMaps and Secrets count where they are asked for, also alone and when the URL fails later', async () => {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'cm' }, data: { a: '1' } };
  let fails = false;
  const at = await serve((_request, response) => {
    response.statusCode = fails ? 500 : 200;
    response.end(JSON.stringify(object));
  });
  const served = await watch(`http://${at}/`, { servesObjects: true });
  await served.until((last) => last.objects?.[0]?.object.data?.['a'] === '1');
  expect(served.updates.at(-1)).toMatchObject({
    pods: [],
    problems: [],
    objects: [{ origin: `http://${at}/` }],
  });
  fails = true;
  await served.until((last) => last.problems[0]?.lastGoodRuns === true);
  expect(served.updates.at(-1)?.objects).toHaveLength(1);
  await served.source.stop();
  const again = await watch(`http://${at}/`, { servesObjects: true });
  await again.until((last) => last.objects?.length === 1);
  fails = false;
  const kubelet = await watch(`http://${at}/`, { cacheDir: join(root, 'other') });
  await kubelet.until((last) => last.problems[0]?.field === 'kind');
  expect(kubelet.updates.at(-1)?.objects).toEqual([]);
});
