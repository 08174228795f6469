import { describe, expect, test } from 'vitest';
import { resources } from '#lib/kube/client.ts';
import type { ApiObject } from '#lib/kube/client.ts';
import { silentLogger } from '#lib/logger.ts';
import { MetricsRegistry } from '#lib/metrics.ts';
import { FakeClock, settle } from '#lib/testing/fake-clock.ts';
import { InformerMetrics } from '../informer/informer-metrics.ts';
import { FakeListWatch, object, refusal } from '../testing/fake-list-watch.ts';
import { SharedObjectWatches } from './object-watches.ts';

const { configMaps, secrets } = resources;
const at = { namespace: 'ns', name: 'a' };
const never = new AbortController().signal;

function setUp() {
  const clock = new FakeClock();
  const client = new FakeListWatch();
  const errors: object[] = [];
  const logger = {
    ...silentLogger,
    error: (fields: object) => void errors.push(fields),
    child: () => logger,
  };
  const watches = new SharedObjectWatches({
    client,
    clock,
    random: () => 0,
    logger,
    metrics: new InformerMetrics(new MetricsRegistry()),
  });
  return { clock, client, errors, watches };
}

describe('one object', () => {
  test('is asked for by name alone, and unknown until the answer', async () => {
    const { client, watches } = setUp();
    let changes = 0;
    const hold = watches.acquire(configMaps, at, () => (changes += 1));
    expect(hold.get()).toEqual({ state: 'unknown' });
    expect(client.lastList().query).toMatchObject({ namespace: 'ns', fieldSelector: 'metadata.name=a' });
    let isSettled = false;
    void hold.settled(never).then(() => (isSettled = true));
    await settle();
    expect([isSettled, changes]).toEqual([false, 0]);
    const it = object('a', '1');
    client.lastList().answer([it], '5');
    await settle();
    expect([isSettled, changes]).toEqual([true, 1]);
    expect(hold.get()).toEqual({ state: 'present', object: it });
    expect(client.lastWatch()).toMatchObject({
      selection: { namespace: 'ns', fieldSelector: 'metadata.name=a' },
      options: { resourceVersion: '5' },
    });
    await hold.settled(never);
  });

  test('comes, changes and goes', async () => {
    const { client, watches } = setUp();
    const seen: unknown[] = [];
    const hold = watches.acquire(configMaps, at, () => {
      const { state, object: of } = hold.get();
      seen.push(of === undefined ? state : of.metadata?.resourceVersion);
    });
    client.lastList().answer([], '5');
    await settle();
    const watch = client.lastWatch().open();
    watch.send(['ADDED', object('a', '6')]);
    const view = hold.get();
    watch.send(['MODIFIED', object('a', '6')]);
    expect(hold.get()).toBe(view);
    watch.send(['MODIFIED', object('a', '7')], ['MODIFIED', object('a', '8')]);
    watch.send(['DELETED', object('a', '9')]);
    watch.send(['ADDED', object('a', '10', 'other')]);
    expect(seen).toEqual(['absent', '6', '8', 'absent', '10']);
  });

  test('a server that passes the selector over does no harm', async () => {
    const { client, watches } = setUp();
    const hold = watches.acquire(configMaps, at);
    client.lastList().answer([object('b', '1'), object('a', '2')], '5');
    await settle();
    client
      .lastWatch()
      .open()
      .send(['MODIFIED', object('a', '6')], ['ADDED', object('c', '7')]);
    expect(hold.get().object?.metadata?.resourceVersion).toBe('6');
    client.lastWatch().send(['DELETED', object('b', '8')]);
    expect(hold.get().state).toBe('present');
  });

  test('immutable: not looked at again', async () => {
    const { client, clock, watches } = setUp();
    const hold = watches.acquire(configMaps, at);
    client.lastList().answer([{ ...object('a', '1'), immutable: true } as ApiObject], '5');
    await clock.advance(600_000);
    expect([client.lists.length, client.watches.length]).toEqual([1, 0]);
    expect(hold.get().state).toBe('present');
    expect(clock.pending).toBe(0);
    hold.release();
    watches.acquire(configMaps, at);
    expect(client.lists).toHaveLength(2);
  });

  test('immutable only later: the watch ends then', async () => {
    const { client, clock, watches } = setUp();
    watches.acquire(configMaps, at);
    client.lastList().answer([object('a', '1')], '5');
    await settle();
    client
      .lastWatch()
      .open()
      .send(['MODIFIED', { ...object('a', '6'), immutable: true } as ApiObject]);
    await clock.advance(600_000);
    expect(client.watches).toHaveLength(1);
    expect(client.lastWatch().options.signal.aborted).toBe(true);
  });

  test('is not allowed: settled as unknown with the trouble, told once, tried on', async () => {
    const { client, clock, watches } = setUp();
    let changes = 0;
    const hold = watches.acquire(secrets, at, () => (changes += 1));
    client.lastList().fail(refusal(403, 'Forbidden'));
    await hold.settled(never);
    expect([hold.get().state, hold.trouble]).toMatchObject(['unknown', { status: 403 }]);
    await clock.advance(200);
    client.lastList().fail(refusal(403, 'Forbidden'));
    await clock.advance(400);
    expect(changes).toBe(1);
    client.lastList().answer([object('a', '1')], '5');
    await settle();
    expect([hold.get().state, hold.trouble, changes]).toEqual(['present', undefined, 2]);
  });

  test('outages leave what was known', async () => {
    const { client, clock, watches } = setUp();
    let changes = 0;
    const hold = watches.acquire(secrets, at, () => (changes += 1));
    client.lastList().answer([object('a', '1')], '5');
    await settle();
    client.lastWatch().fail(refusal(0));
    await clock.advance(60_000);
    client.lastWatch().fail(refusal(0));
    await settle();
    expect([hold.get().state, hold.trouble, changes]).toMatchObject(['present', { status: 0 }, 1]);
  });

  test('settled gives up with its signal', async () => {
    const { watches } = setUp();
    const stop = new AbortController();
    const result = watches
      .acquire(secrets, at)
      .settled(stop.signal)
      .catch((error: unknown) => error);
    stop.abort(new Error('enough'));
    expect(await result).toMatchObject({ message: 'enough' });
  });
});

describe('several holds', () => {
  test('share one watch, which ends with the last', async () => {
    const { client, clock, watches } = setUp();
    const told: string[] = [];
    const one = watches.acquire(configMaps, at, () => told.push('one'));
    const two = watches.acquire(configMaps, { ...at }, () => told.push('two'));
    client.lastList().answer([object('a', '1')], '5');
    await settle();
    client.lastWatch().open();
    expect([client.lists.length, watches.size]).toEqual([1, 1]);
    expect(one.get()).toBe(two.get());
    one.release();
    one.release();
    client.lastWatch().send(['MODIFIED', object('a', '6')]);
    expect(told).toEqual(['one', 'two', 'two']);
    expect(client.lastWatch().options.signal.aborted).toBe(false);
    two.release();
    expect([client.lastWatch().options.signal.aborted, watches.size]).toEqual([true, 0]);
    await clock.advance(600_000);
    expect([client.lists.length, client.watches.length, clock.pending]).toEqual([1, 1, 0]);
    expect(two.get().state).toBe('present');
  });

  test('a hold on what is known already has it at once', async () => {
    const { client, watches } = setUp();
    watches.acquire(configMaps, at);
    client.lastList().answer([object('a', '1')], '5');
    await settle();
    const later = watches.acquire(configMaps, at);
    expect(later.get().state).toBe('present');
    await later.settled(never);
  });

  test('the same name of another kind, or namespace, is another object', () => {
    const { client, watches } = setUp();
    watches.acquire(configMaps, at);
    watches.acquire(secrets, at);
    watches.acquire(configMaps, { ...at, namespace: 'other' });
    expect([watches.size, client.lists.length]).toEqual([3, 3]);
  });

  test('one that throws does not keep the news from the others', async () => {
    const { client, watches, errors } = setUp();
    let changes = 0;
    watches.acquire(configMaps, at, () => {
      throw new Error('broken');
    });
    watches.acquire(configMaps, at, () => (changes += 1));
    client.lastList().answer([], '5');
    await settle();
    expect([changes, errors.length]).toEqual([1, 1]);
  });

  test('released and held again while an answer is under way', async () => {
    const { client, watches } = setUp();
    let changes = 0;
    watches.acquire(configMaps, at, () => (changes += 1)).release();
    const again = watches.acquire(configMaps, at);
    const [first, second] = client.lists;
    first?.answer([object('a', '1')], '5');
    await settle();
    expect([again.get().state, changes]).toEqual(['unknown', 0]);
    second?.answer([], '6');
    await settle();
    expect(again.get().state).toBe('absent');
  });
});

test('close() ends everything', async () => {
  const { client, clock, watches } = setUp();
  for (let i = 0; i < 5; i++) watches.acquire(configMaps, { namespace: 'ns', name: `o${i}` });
  watches.close();
  await clock.advance(60_000);
  expect([client.lists.length, clock.pending]).toEqual([5, 0]);
});
