import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '#lib/logger.ts';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { type HealthCheck, HealthzServer } from './healthz.ts';

let end: AbortController;
let port: number;
let trouble: string | undefined;
const checks: HealthCheck[] = [
  { name: 'ping', trouble: () => undefined },
  { name: 'syncloop', trouble: () => trouble },
];

beforeEach(async () => {
  end = new AbortController();
  trouble = undefined;
  port = await freePort();
});
afterEach(() => end.abort());

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: free } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return free;
}

function serve(clock = new FakeClock()): Promise<void> {
  const server = new HealthzServer({ address: '127.0.0.1', port, checks, clock, logger: silentLogger });
  return server.run(end.signal);
}

async function get(path: string, method = 'GET'): Promise<[status: number, text: string]> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers: { connection: 'close' } });
  return [answer.status, await answer.text()];
}

test('says ok, or what is wrong', async () => {
  const done = serve();
  await expect.poll(() => get('/healthz').catch(() => undefined)).toEqual([200, 'ok']);
  expect(await get('/healthz?verbose')).toEqual([200, '[+]ping ok\n[+]syncloop ok\nhealthz check passed\n']);
  trouble = 'no pod was looked at for 3m0s';
  expect(await get('/healthz')).toEqual([
    500,
    '[+]ping ok\n[-]syncloop failed: no pod was looked at for 3m0s\nhealthz check failed\n',
  ]);
  expect(await get('/healthz/ping')).toEqual([200, 'ok']);
  expect((await get('/healthz/syncloop'))[0]).toBe(500);
  expect(await get('/healthz?exclude=syncloop')).toEqual([200, 'ok']);
  expect((await get('/healthz', 'POST'))[0]).toBe(405);
  for (const path of ['/', '/healthz/none', '/healthz/ping/more', '/metrics']) {
    expect((await get(path))[0]).toBe(404);
  }
  end.abort();
  await done;
  await expect(get('/healthz')).rejects.toThrow();
});

test('a port that is taken is served once it is free', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
  const clock = new FakeClock();
  const done = serve(clock);
  await expect.poll(() => clock.pending).toBe(1);
  await new Promise((resolve) => other.close(resolve));
  await clock.advance(5000);
  await expect.poll(() => get('/healthz').catch(() => undefined)).toEqual([200, 'ok']);
  end.abort();
  await done;
});
