import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '#host/clock.ts';
import { silentLogger } from '#lib/logger.ts';
import { errorTrailer, maxApplyBytes, type AgentInfo } from './api.ts';
import { BadRequestError, SocketInUseError } from './errors.ts';
import { LocalServer } from './local-server.ts';
import { FakeView, podView } from './testing/fake-view.ts';
import { call } from './testing/http.ts';

const info: AgentInfo = {
  pid: 4711,
  mode: 'standalone',
  version: '0.1.0',
  kubernetesVersion: 'v1.36.2',
  nodeName: 'node',
  startedAt: 0,
};

let folder: string;
let socket: string;
let view: FakeView;
let server: LocalServer;
const newServer = (): LocalServer =>
  new LocalServer({ socket, view, info, clock: systemClock, logger: silentLogger });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nodelet-'));
  socket = join(folder, 'run', 'nodelet.sock');
  view = new FakeView();
  view.podViews = [podView('default', 'web-node'), podView('other', 'db-node')];
  server = newServer();
  await server.start();
});

afterEach(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('the socket', () => {
  test('is for root only, in a folder for root only', async () => {
    expect((await stat(socket)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'run'))).mode & 0o777).toBe(0o700);
  });

  test('goes at the stop', async () => {
    await server.stop();
    await expect(stat(socket)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('of a living agent is refused, with its process', async () => {
    const second = newServer();
    await expect(second.start()).rejects.toThrow(SocketInUseError);
    await expect(second.start()).rejects.toThrow(/nodelet standalone, process 4711/);
    expect((await call(socket, 'GET', '/v1/agent')).status).toBe(200);
  });

  test('that a killed agent left is replaced', async () => {
    await server.stop();
    // A listening socket whose file outlives it, as after a kill -9.
    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen(`${socket}.dead`, resolve));
    const { rename } = await import('node:fs/promises');
    await rename(`${socket}.dead`, socket);
    await new Promise<void>((resolve) => dead.close(() => resolve()));
    expect((await stat(socket)).isSocket()).toBe(true);
    server = newServer();
    await server.start();
    expect((await call(socket, 'GET', '/v1/agent')).status).toBe(200);
  });

  test('never replaces a file', async () => {
    await server.stop();
    await writeFile(socket, 'precious');
    server = newServer();
    await expect(server.start()).rejects.toThrow(/is no socket/);
  });
});

describe('routes', () => {
  test.each([
    ['GET', '/v1/agent', info],
    ['GET', '/v1/problems', { items: [] }],
    ['GET', '/v1/events', { items: [] }],
    ['GET', '/v1/usage', { items: [] }],
  ])('%s %s', async (method, path, body) => {
    const answer = await call(socket, method, path);
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toEqual(body);
  });

  test('pods', async () => {
    const all = JSON.parse((await call(socket, 'GET', '/v1/pods')).text) as unknown;
    expect(all).toEqual({ items: view.podViews });
    const one = JSON.parse((await call(socket, 'GET', '/v1/namespaces/other/pods/db-node')).text) as unknown;
    expect(one).toEqual(view.podViews[1]);
  });

  test.each([
    ['GET', '/v1/namespaces/other/pods/none', 404, 'NotFound'],
    ['GET', '/v1/nothing', 404, 'NotFound'],
    ['GET', '/', 404, 'NotFound'],
    ['GET', '/v1/namespaces/a%2/pods/b', 400, 'BadRequest'],
    ['PUT', '/v1/pods', 405, 'MethodNotAllowed'],
    ['DELETE', '/v1/namespaces/other/pods/db-node?gracePeriodSeconds=-1', 400, 'BadRequest'],
    ['GET', '/v1/namespaces/other/pods/db-node/log?follow=maybe', 400, 'BadRequest'],
    ['GET', '/v1/namespaces/other/pods/db-node/log?tailLines=x', 400, 'BadRequest'],
    ['GET', '/v1/namespaces/other/pods/db-node/log?sinceTime=yesterday', 400, 'BadRequest'],
    ['POST', '/v1/namespaces/other/pods/db-node/exec?command=ls', 400, 'BadRequest'],
  ])('%s %s: %d', async (method, path, status, reason) => {
    const answer = await call(socket, method, path);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text)).toMatchObject({ code: status, reason });
    expect(answer.text).toContain('"message":"');
  });

  test('an unexpected error stays in the agent', async () => {
    view.usage = () => Promise.reject(new Error('s3cr3t'));
    const answer = await call(socket, 'GET', '/v1/usage');
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain('s3cr3t');
  });

  test('delete hands the grace period on', async () => {
    await call(socket, 'DELETE', '/v1/namespaces/default/pods/web-node?gracePeriodSeconds=7');
    await call(socket, 'DELETE', '/v1/namespaces/default/pods/web-node');
    expect(view.deleted.map(({ grace }) => grace)).toEqual([7, undefined]);
  });

  test('/configz shows the configuration where there is one', async () => {
    expect((await call(socket, 'GET', '/configz')).status).toBe(404);
    await server.stop();
    const configuration = { kind: 'KubeletConfiguration', maxPods: 110 };
    server = new LocalServer({ socket, view, info, configuration, clock: systemClock, logger: silentLogger });
    await server.start();
    const answer = await call(socket, 'GET', '/configz');
    expect(JSON.parse(answer.text)).toEqual({ kubeletconfig: configuration });
  });

  test('apply', async () => {
    const answer = await call(socket, 'POST', '/v1/apply', { body: 'kind: Pod\n# ä' });
    expect(JSON.parse(answer.text)).toMatchObject({ items: [{ result: 'created' }] });
    expect(view.applied).toEqual(['kind: Pod\n# ä']);
  });

  test('apply refuses more than 10 MiB, announced or not, and what is no UTF-8', async () => {
    const announced = await call(socket, 'POST', '/v1/apply', {
      headers: { 'content-length': String(maxApplyBytes + 1), expect: '100-continue' },
    }).catch(() => undefined);
    expect(announced?.status ?? 413).toBe(413);
    const bad = await call(socket, 'POST', '/v1/apply', { body: Buffer.from([0xff, 0xfe]) });
    expect(bad.status).toBe(400);
    const chunked = await new Promise<number>((resolve) => {
      const outgoing = request({ socketPath: socket, method: 'POST', path: '/v1/apply', agent: false });
      outgoing.once('response', (response) => resolve(response.statusCode ?? 0));
      outgoing.once('error', () => resolve(413));
      for (let sent = 0; sent <= maxApplyBytes; sent += 1 << 20) outgoing.write(Buffer.alloc(1 << 20, 'a'));
      outgoing.end();
    });
    expect(chunked).toBe(413);
    expect(view.applied).toEqual([]);
  });

  test('too large headers are refused', async () => {
    const answer = await call(socket, 'GET', '/v1/pods', { headers: { x: 'y'.repeat(80_000) } });
    expect(answer.status).toBe(431);
  });
});

describe('logs', () => {
  const path = '/v1/namespaces/default/pods/web-node/log';

  test('come with their options', async () => {
    const query = 'container=app&tailLines=5&sinceSeconds=60&timestamps=true&previous=true&limitBytes=9';
    const answer = await call(socket, 'GET', `${path}?${query}`);
    expect(answer.text).toBe('one\ntwo\n');
    expect(view.lastLogs).toEqual({
      container: 'app',
      follow: false,
      previous: true,
      timestamps: true,
      tailLines: 5,
      sinceSeconds: 60,
      limitBytes: 9,
    });
  });

  test('an error at the start has its status', async () => {
    view.log = () => {
      throw new BadRequestError('container "app" in pod "web-node" is waiting to start: ContainerCreating');
    };
    const answer = await call(socket, 'GET', path);
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('is waiting to start');
  });

  test('an error on the way is in the trailer', async () => {
    view.log = async function* broken() {
      yield Buffer.from('one\n');
      throw new BadRequestError('gone ✗');
    };
    const answer = await call(socket, 'GET', path);
    expect(answer.text).toBe('one\n');
    expect(JSON.parse(answer.trailers[errorTrailer] ?? '')).toMatchObject({ message: 'gone ?', code: 400 });
  });

  /** Follows, and says what came and whether the generator has ended. */
  function follow() {
    const seen = { text: '', status: 0, generatorEnded: false, answerEnded: false };
    view.log = async function* lines(_options, signal) {
      try {
        yield Buffer.from('first\n');
        await new Promise<void>((resolve) => {
          signal.addEventListener('abort', () => resolve());
        });
      } finally {
        seen.generatorEnded = true;
      }
    };
    const outgoing = request({ socketPath: socket, path: `${path}?follow=true`, agent: false });
    outgoing.on('error', () => undefined);
    outgoing.once('response', (answer) => {
      seen.status = answer.statusCode ?? 0;
      answer.on('error', () => undefined);
      answer.on('data', (chunk: Buffer) => {
        seen.text += chunk.toString();
      });
      answer.once('close', () => {
        seen.answerEnded = true;
      });
    });
    outgoing.end();
    return { seen, outgoing };
  }

  test('are flushed at once, and end when the client goes', async () => {
    const { seen, outgoing } = follow();
    await expect.poll(() => seen.text).toBe('first\n');
    expect(seen.generatorEnded).toBe(false);
    outgoing.destroy();
    await expect.poll(() => seen.generatorEnded).toBe(true);
  });

  test('end within a second when the server stops', async () => {
    const { seen } = follow();
    await expect.poll(() => seen.text).toBe('first\n');
    const begin = performance.now();
    await server.stop();
    expect(performance.now() - begin).toBeLessThan(1000);
    await expect.poll(() => seen.answerEnded).toBe(true);
    expect(seen.generatorEnded).toBe(true);
  });

  test('a silent log still answers', async () => {
    view.log = async function* silent(_options, signal) {
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve());
      });
      yield Buffer.alloc(0);
    };
    const outgoing = request({ socketPath: socket, path: `${path}?follow=true`, agent: false });
    const status = await new Promise<number>((resolve) => {
      outgoing.on('error', () => undefined);
      outgoing.once('response', (answer) => {
        answer.on('error', () => undefined);
        resolve(answer.statusCode ?? 0);
      });
      outgoing.end();
    });
    expect(status).toBe(200);
    outgoing.destroy();
  });

  test('a slow reader holds the log back', async () => {
    let produced = 0;
    view.log = async function* endless() {
      for (; produced < 10_000; produced += 1) yield Buffer.alloc(64 * 1024);
    };
    const outgoing = request({ socketPath: socket, path, agent: false });
    outgoing.on('error', () => undefined);
    await new Promise<void>((resolve) => {
      outgoing.once('response', (answer) => {
        answer.on('error', () => undefined);
        answer.pause();
        resolve();
      });
      outgoing.end();
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(produced).toBeLessThan(100);
    outgoing.destroy();
  });
});
