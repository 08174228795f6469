import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '#lib/logger.ts';
import { FakeClock, settle } from '#lib/testing/fake-clock.ts';
import { PodChanges } from './events.ts';
import { containerConfig, sandboxConfig } from './testing/configs.ts';
import { FakeRuntime } from './testing/fake-runtime.ts';

let clock: FakeClock;
let runtime: FakeRuntime;
let changes: PodChanges;
let told: string[];
let stop: AbortController;
let running: Promise<void> | undefined;

beforeEach(() => {
  clock = new FakeClock();
  runtime = new FakeRuntime(clock);
  told = [];
  stop = new AbortController();
  changes = new PodChanges({
    runtime,
    clock,
    logger: silentLogger,
    handlers: { onChange: (uid) => told.push(uid), onReconnect: () => told.push('RECONNECT') },
  });
});

afterEach(async () => {
  stop.abort();
  await running;
  expect(clock.pending).toBe(0);
});

/** Runs it, lets its start pass, and returns what it told until now. */
async function start(ms = 3000): Promise<string[]> {
  running = changes.run(stop.signal);
  await clock.advance(ms);
  return told.splice(0);
}

async function pod(name: string): Promise<{ sandbox: string; container: string }> {
  const config = sandboxConfig(name, { uid: name });
  const sandbox = await runtime.runPodSandbox(config, '');
  const container = await runtime.createContainer(sandbox, containerConfig('c', 'i'), config);
  await runtime.startContainer(container);
  return { sandbox, container };
}

const lists = (): number => runtime.script.log('ListPodSandbox').length;

describe.each([true, false])('events: %s', (modern) => {
  beforeEach(() => {
    runtime.modern = modern;
  });

  test('the first list reports every pod', async () => {
    await pod('a');
    await pod('b');
    expect(await start()).toEqual(['a', 'b']);
    expect(changes.health).toMatchObject({ events: modern, failures: 0, inFlightSince: undefined });
  });

  test('an exit is told within a second, and only its own pod', async () => {
    const { container } = await pod('a');
    await pod('b');
    await start();
    runtime.exit(container, 1);
    await clock.advance(modern ? 0 : 1000);
    expect(told).toEqual(['a']);
  });

  test('nothing is told while nothing changes', async () => {
    await pod('a');
    await start();
    await clock.advance(60_000);
    expect(told).toEqual([]);
  });

  test('after the runtime was away everything may have changed, and what did is named', async () => {
    const { container } = await pod('a');
    await start();
    runtime.crash();
    await clock.advance(10_000);
    expect(told).toEqual([]);
    expect(changes.health.failures).toBeGreaterThan(5);
    expect(changes.health.events).toBe(false);
    runtime.exit(container, 1);
    runtime.restore();
    await clock.advance(1000);
    expect(told).toEqual(['RECONNECT', 'a']);
    expect(changes.health).toMatchObject({ failures: 0, lastError: undefined });
  });

  test('a runtime that hangs shows as a list in flight, and there is never a second one', async () => {
    await start();
    const hold = runtime.script.hang('ListContainers');
    await clock.advance(modern ? 30_000 : 1000);
    const health = changes.health;
    expect(health.inFlightSince).toBeGreaterThan(health.lastSuccess ?? Infinity);
    expect(hold.waiting).toBe(1);
    await clock.advance(15_000);
    expect(changes.health).toMatchObject({
      inFlightSince: health.inFlightSince,
      lastSuccess: health.lastSuccess,
    });
    expect(hold.waiting).toBe(1);
    await clock.advance(6000);
    expect(changes.health.failures).toBe(1);
    expect(changes.health.lastError).toContain('ListContainers');
    hold.release();
  });
});

test('lists are rare beside working events', async () => {
  await start();
  const before = lists();
  await clock.advance(60_000);
  expect(lists() - before).toBe(2);
});

test('a change that no event told is found by the slow list', async () => {
  const { container } = await pod('a');
  await start();
  // Not through the fake's own methods, which would send the event.
  const lost = runtime.machine.containers.get(container);
  if (lost !== undefined) lost.state = 'CONTAINER_EXITED';
  await clock.advance(30_000);
  expect(told).toEqual(['a']);
});

test('without events it lists each second', async () => {
  runtime.modern = false;
  await start();
  const before = lists();
  await clock.advance(10_000);
  expect(lists() - before).toBe(10);
});

test('a stream that breaks while the runtime lives is opened again', async () => {
  const { container } = await pod('a');
  await start();
  runtime.breakEvents();
  await settle();
  expect(told).toEqual(['RECONNECT']);
  await clock.advance(3000);
  expect(changes.health.events).toBe(true);
  told.length = 0;
  runtime.exit(container, 0);
  expect(told).toEqual(['a']);
});

test('a newer runtime that comes in place of an old one is asked for events', async () => {
  runtime.modern = false;
  await start();
  runtime.crash();
  await clock.advance(5000);
  runtime.modern = true;
  runtime.restore();
  await clock.advance(4000);
  expect(changes.health.events).toBe(true);
});

test('a runtime that ends its stream at once is listed often and asked ever more rarely', async () => {
  let asked = 0;
  runtime.containerEvents = async () => {
    asked++;
    await Promise.resolve();
  };
  await start();
  const before = lists();
  asked = 0;
  await clock.advance(600_000);
  expect(changes.health.events).toBe(false);
  expect(lists() - before).toBeGreaterThan(590);
  expect(asked).toBeLessThan(12);
});

test('an event that names no pod is matched by its sandbox', async () => {
  const { sandbox } = await pod('a');
  let tell: (id: string) => void = () => undefined;
  const events = runtime.containerEvents.bind(runtime);
  runtime.containerEvents = (onEvent, signal) => {
    tell = (containerId) => onEvent({ containerId, type: 'CONTAINER_DELETED_EVENT', createdAt: 1 });
    return events(onEvent, signal);
  };
  await start();
  tell(sandbox);
  expect(told).toEqual(['a']);
  const before = lists();
  tell('unheard-of');
  await settle();
  expect(lists()).toBe(before + 1);
});
