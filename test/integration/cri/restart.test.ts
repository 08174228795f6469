import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { PodChanges } from '#cri/events.ts';
import { runtimeStatus } from '#cri/errors.ts';
import { connect } from '#cri/grpc/connect.ts';
import type { RuntimeConnection } from '#cri/grpc/connect.ts';
import { containerConfig, sandboxConfig } from '#cri/testing/configs.ts';
import { until } from '#cri/testing/contract.ts';
import { systemClock } from '#host/clock.ts';
import { silentLogger } from '#lib/logger.ts';
import { containerdVersion, startContainerd } from '#test/bed/containerd.ts';
import type { TestContainerd } from '#test/bed/containerd.ts';

let containerd: TestContainerd;
let connection: RuntimeConnection;
let changes: PodChanges;
let events: boolean;
let pods = 0;
const told: string[] = [];
const stop = new AbortController();
let running: Promise<void> | undefined;

beforeAll(async () => {
  const [major = 0, minor = 0] = await containerdVersion();
  events = major > 1 || minor >= 7;
  containerd = await startContainerd();
  connection = await connect(containerd.endpoint, { clock: systemClock });
  changes = new PodChanges({
    runtime: connection.runtime,
    clock: systemClock,
    logger: silentLogger,
    handlers: { onChange: (uid) => told.push(uid), onReconnect: () => told.push('RECONNECT') },
  });
  running = changes.run(stop.signal);
  await wait(2500);
});

afterEach(() => {
  process.kill(containerd.pid(), 'SIGCONT');
});

afterAll(async () => {
  stop.abort();
  await running;
  connection?.close();
  await containerd?.destroy();
});

/** A pod with one container that ends with 7, of itself after `script`, and how to make it end. */
async function pod(script = 'while [ ! -e /go ]; do sleep 0.02; done') {
  const config = sandboxConfig(`pod-${(pods += 1)}`);
  const { runtime } = connection;
  const sandbox = await runtime.runPodSandbox(config, '');
  const container = await runtime.createContainer(
    sandbox,
    containerConfig('c', containerd.image, { command: ['/bin/sh', '-c', `${script}; exit 7`] }),
    config,
  );
  await runtime.startContainer(container);
  const end = (): Promise<unknown> => runtime.execSync(container, ['/bin/touch', '/go'], 5);
  return { uid: config.metadata.uid, container, end };
}

const toldOf = (uid: string): Promise<boolean> =>
  until(
    () => Promise.resolve(told.includes(uid)),
    (is) => is,
  );

test('an exit is told: at once by event, within about a second by list', async () => {
  expect(changes.health).toMatchObject({ events, failures: 0 });
  const [one, other] = [await pod(), await pod()];
  await wait(1500);
  told.length = 0;
  await one.end();
  const began = performance.now();
  await toldOf(one.uid);
  expect(performance.now() - began).toBeLessThan(events ? 500 : 1500);
  expect(told).not.toContain(other.uid);
  const status = await until(
    () => connection.runtime.containerStatus(one.container),
    (each) => each.state === 'CONTAINER_EXITED',
  );
  expect(status.exitCode).toBe(7);
});

test('killed and started again, the runtime is reached by the same connection, and what happened meanwhile is told', async () => {
  const { uid, container } = await pod('sleep 4');
  await wait(1500);
  await containerd.kill9();
  told.length = 0;
  expect(await connection.runtime.version().then(() => 'OK', runtimeStatus)).toBe('UNAVAILABLE');
  await wait(4000);
  expect(changes.health).toMatchObject({ events: false });
  expect(changes.health.failures).toBeGreaterThan(1);
  expect(told).toEqual([]);
  await containerd.restart();
  const began = performance.now();
  await toldOf(uid);
  expect(performance.now() - began).toBeLessThan(3000);
  expect(told[0]).toBe('RECONNECT');
  const status = await connection.runtime.containerStatus(container);
  expect(status.state).toBe('CONTAINER_EXITED');
  // From 1.7, a containerd that starts clears away shims without processes, and the exit code with them.
  expect([status.exitCode, status.reason]).toEqual(events ? [255, 'Unknown'] : [7, 'Error']);
  await until(
    () => Promise.resolve(changes.health),
    (health) => health.events === events && health.failures === 0,
  );
  // And changes are told again.
  const next = await pod();
  await wait(1500);
  told.length = 0;
  await next.end();
  await toldOf(next.uid);
});

test('a runtime that hangs is seen: the call ends at its deadline and the list stays in flight', async () => {
  const { uid, end } = await pod();
  process.kill(containerd.pid(), 'SIGSTOP');
  await wait(200);
  const began = performance.now();
  const hung = connection.runtime.version({ deadlineMs: 1500 });
  expect(await hung.then(() => 'OK', runtimeStatus)).toBe('DEADLINE_EXCEEDED');
  expect(performance.now() - began).toBeLessThan(3000);
  if (!events) {
    await wait(1500);
    expect(Date.now() - (changes.health.inFlightSince ?? Date.now())).toBeGreaterThan(1000);
  }
  process.kill(containerd.pid(), 'SIGCONT');
  await connection.runtime.version();
  await wait(1500);
  told.length = 0;
  await end();
  await toldOf(uid);
});

test('no socket, and a socket that is no runtime: the message says what to do', async () => {
  const nowhere = connect('unix:///run/nowhere/containerd.sock', { clock: systemClock, timeoutMs: 500 });
  await expect(nowhere).rejects.toMatchObject({ code: 'RUNTIME_CONNECT', retryable: true });
  const other = connect(`${containerd.socket}.ttrpc`, { clock: systemClock, timeoutMs: 1000 });
  await expect(other).rejects.toMatchObject({ code: 'RUNTIME_CONNECT' });
  await expect(other).rejects.toThrow(containerd.socket);
});
