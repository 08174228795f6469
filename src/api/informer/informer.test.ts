import { describe, expect, test } from 'vitest';
import { resources } from '#lib/kube/client.ts';
import type { ApiObject, ObjectChange } from '#lib/kube/client.ts';
import { silentLogger } from '#lib/logger.ts';
import { MetricsRegistry } from '#lib/metrics.ts';
import { FakeClock, settle } from '#lib/testing/fake-clock.ts';
import { FakeListWatch, bookmark, object, refusal } from '../testing/fake-list-watch.ts';
import { WatchingInformerFactory } from './informer.ts';
import { InformerMetrics } from './informer-metrics.ts';

const NODE = { fieldSelector: 'spec.nodeName=n' };

function setUp(trim?: (object: ApiObject) => ApiObject) {
  const clock = new FakeClock();
  const client = new FakeListWatch();
  const registry = new MetricsRegistry();
  const errors: object[] = [];
  const logger = {
    ...silentLogger,
    error: (fields: object) => void errors.push(fields),
    child: () => logger,
  };
  const factory = new WatchingInformerFactory({
    client,
    clock,
    random: () => 0,
    logger,
    metrics: new InformerMetrics(registry),
  });
  const stop = new AbortController();
  const informer = factory.informer(resources.pods, NODE, {
    signal: stop.signal,
    ...(trim === undefined ? {} : { trim }),
  });
  const calls: string[][] = [];
  const listen = (changes: readonly ObjectChange<ApiObject>[]): void => {
    calls.push(changes.map(({ type, object: { metadata } }) => `${type} ${metadata?.name ?? ''}`));
  };
  informer.onChange(listen);
  return {
    clock,
    client,
    registry,
    errors,
    informer,
    stop,
    calls,
    names: () => informer.list().map((each) => each.metadata?.name),
  };
}

/** A first list of `a` and an open watch from version 10. */
async function watching() {
  const bed = setUp();
  bed.client.lastList().answer([object('a', '9')], '10');
  await settle();
  bed.client.lastWatch().open();
  bed.calls.length = 0;
  return bed;
}

describe('the first list', () => {
  test('comes from the cache, and is told once: its objects, and that it is in', async () => {
    const { client, informer, calls, clock } = setUp();
    const { query, resource } = client.lastList();
    expect({ query, plural: resource.plural }).toEqual({
      query: { ...NODE, limit: 500, resourceVersion: '0' },
      plural: 'pods',
    });
    expect([informer.hasSynced, informer.lastContact]).toEqual([false, undefined]);
    let isSynced = false;
    void informer.synced(new AbortController().signal).then(() => (isSynced = true));
    await settle();
    expect([isSynced, calls.length]).toEqual([false, 0]);
    client.lastList().answer([object('a', '1'), object('b', '2')], '7');
    await settle();
    expect(isSynced).toBe(true);
    expect(calls).toEqual([['added a', 'added b'], []]);
    expect([informer.hasSynced, informer.lastContact]).toEqual([true, clock.now()]);
    expect(informer.get({ namespace: 'ns', name: 'b' })?.metadata?.uid).toBe('uid-b');
  });

  test('an empty one is told, too', async () => {
    const { client, informer, calls } = setUp();
    client.lastList().answer([], '7');
    await settle();
    expect(calls).toEqual([[]]);
    expect(informer.hasSynced).toBe(true);
  });

  test('synced() gives up with its signal', async () => {
    const { informer } = setUp();
    const stop = new AbortController();
    const result = informer.synced(stop.signal).catch((error: unknown) => error);
    stop.abort(new Error('enough'));
    expect(await result).toMatchObject({ message: 'enough' });
  });

  test('pages are shown only together', async () => {
    const { client, calls, names } = setUp();
    client.lastList().answer([object('a', '1')], '7', 'c1');
    await settle();
    expect([names(), calls, client.watches.length]).toEqual([[], [], 0]);
    expect(client.lastList().query).toEqual({ ...NODE, limit: 500, continueFrom: 'c1' });
    client.lastList().answer([object('b', '2')], '7', 'c2');
    await settle();
    client.lastList().answer([object('c', '3')], '7');
    await settle();
    expect(names()).toEqual(['a', 'b', 'c']);
    expect(calls).toEqual([['added a', 'added b', 'added c'], []]);
  });

  test('when the pages expire, everything is listed at once', async () => {
    const { client, names } = setUp();
    client.lastList().answer([object('a', '1')], '7', 'c1');
    await settle();
    client.lastList().fail(refusal(410, 'Expired'));
    await settle();
    expect(client.lastList().query).toEqual(NODE);
    client.lastList().answer([object('b', '8')], '9');
    await settle();
    expect(names()).toEqual(['b']);
    expect(client.lastWatch().options.resourceVersion).toBe('9');
  });

  test('fails: tried again, ever more rarely, until it works', async () => {
    const { client, clock, informer, calls } = setUp();
    const at: number[] = [];
    const began = clock.now();
    for (const error of [
      refusal(0),
      refusal(500),
      refusal(403),
      refusal(401),
      refusal(503),
      refusal(0),
      refusal(0),
    ]) {
      client.lastList().fail(error);
      await settle();
      expect(informer.trouble).toBe(error);
      const before = client.lists.length;
      while (client.lists.length === before) await clock.advance(100);
      at.push(clock.now() - began);
    }
    expect(at).toEqual([800, 2400, 5600, 12_000, 24_800, 50_400, 80_400]);
    expect([informer.hasSynced, calls.length]).toEqual([false, 0]);
    client.lastList().answer([], '1');
    await settle();
    expect([informer.hasSynced, informer.trouble]).toEqual([true, undefined]);
  });

  test('429: waits as long as Retry-After asks', async () => {
    const { client, clock } = setUp();
    client.lastList().fail(refusal(429, 'TooManyRequests', 7000));
    await clock.advance(6900);
    expect(client.lists).toHaveLength(1);
    await clock.advance(200);
    expect(client.lists).toHaveLength(2);
  });
});

describe('the watch', () => {
  test('begins where the list ended, and asks for bookmarks and an end', async () => {
    const { client } = await watching();
    const { selection, options } = client.lastWatch();
    expect(selection).toEqual(NODE);
    expect(options).toMatchObject({ resourceVersion: '10', timeoutSeconds: 300 });
  });

  test('its events change the copy, and are told in one call a piece', async () => {
    const { client, calls, names } = await watching();
    client.lastWatch().send(['ADDED', object('b', '11')], ['MODIFIED', object('a', '12')]);
    client.lastWatch().send(['DELETED', object('b', '13')]);
    client.lastWatch().send(['BOOKMARK', bookmark('14')]);
    expect(calls).toEqual([['added b', 'changed a'], ['deleted b']]);
    expect(names()).toEqual(['a']);
  });

  test('an end in its time is followed by the next watch from there, bookmarks counted', async () => {
    const { client, clock, calls, informer } = await watching();
    client.lastWatch().send(['BOOKMARK', bookmark('20')]);
    await clock.advance(60_000);
    client.lastWatch().end();
    await settle();
    expect(client.watches).toHaveLength(2);
    expect(client.lastWatch().options.resourceVersion).toBe('20');
    expect(client.lists).toHaveLength(1);
    expect([calls, informer.trouble]).toEqual([[], undefined]);
  });

  test('a broken connection is followed by a watch from there, at once where the old one was good', async () => {
    const { client, clock, informer, names } = await watching();
    client.lastWatch().send(['ADDED', object('b', '11')]);
    await clock.advance(5000);
    client.lastWatch().fail(refusal(0));
    await settle();
    expect(client.lastWatch().options.resourceVersion).toBe('11');
    expect(client.watches).toHaveLength(2);
    // The server is away: the copy stays, and the tries become rare.
    client.lastWatch().fail(refusal(0));
    await settle();
    expect(informer.trouble).toMatchObject({ status: 0 });
    await clock.advance(120_000);
    for (let i = 0; i < 5; i++) {
      client.lastWatch().fail(refusal(0));
      await clock.advance(120_000);
    }
    expect([client.watches.length, client.lists.length, names()]).toEqual([8, 1, ['a', 'b']]);
    client.lastWatch().open();
    expect(informer.trouble).toBeUndefined();
  });

  test('silence: quietly watched again from there, without a list', async () => {
    const { client, clock, informer, calls } = await watching();
    await clock.advance(60_000);
    client.lastWatch().send(['BOOKMARK', bookmark('20')]);
    await clock.advance(89_000);
    expect(client.watches).toHaveLength(1);
    await clock.advance(1000);
    expect(client.watches).toHaveLength(2);
    expect(client.watches[0]?.options.signal.aborted).toBe(true);
    expect(client.lastWatch().options.resourceVersion).toBe('20');
    expect([client.lists.length, calls, informer.trouble]).toEqual([1, [], undefined]);
  });

  test('a watch that is not taken has the deadline of its call, not that of silence', async () => {
    const { client, clock } = await watching();
    client.lastWatch().end();
    await clock.advance(1000);
    const pending = client.lastWatch();
    await clock.advance(200_000);
    expect(client.lastWatch()).toBe(pending);
  });

  test.each([
    ['410', refusal(410, 'Expired')],
    ['an ERROR event', refusal(410, 'Gone')],
    ['a refusal of the version', refusal(400, 'BadRequest')],
    ['an internal error', refusal(500, 'InternalError')],
  ])('%s: listed again, not from the cache, and only differences are told', async (_name, error) => {
    const { client, clock, calls, names } = await watching();
    client.lastWatch().send(['ADDED', object('b', '11')]);
    calls.length = 0;
    client.lastWatch().fail(error);
    await clock.advance(800);
    expect(client.lists).toHaveLength(2);
    expect(client.lastList().query).toEqual({ ...NODE, limit: 500 });
    expect(names()).toEqual(['a', 'b']);
    client.lastList().answer([object('b', '11', 'other'), object('c', '30')], '40');
    await settle();
    expect(calls).toEqual([['deleted a', 'deleted b', 'added b', 'added c']]);
    expect(client.lastWatch().options.resourceVersion).toBe('40');
  });

  test.each([429, 502, 503, 504])('%i: watched again from there, after a while', async (status) => {
    const { client, clock } = await watching();
    client.lastWatch().fail(refusal(status, '', 4000));
    await clock.advance(3900);
    expect(client.watches).toHaveLength(1);
    await clock.advance(200);
    expect([client.watches.length, client.lists.length]).toEqual([2, 1]);
  });

  test('watches that end at once are tried ever more rarely; an event makes the next try early', async () => {
    const { client, clock } = await watching();
    for (let i = 0; i < 6; i++) {
      const before = client.watches.length;
      client.lastWatch().open().end();
      while (client.watches.length === before) await clock.advance(100);
    }
    let before = clock.now();
    client.lastWatch().open().end();
    await clock.advance(29_900);
    expect(client.watches).toHaveLength(7);
    await clock.advance(200);
    client
      .lastWatch()
      .open()
      .send(['ADDED', object('b', '11')]);
    before = clock.now();
    client.lastWatch().end();
    while (client.watches.length === 8) await clock.advance(100);
    expect(clock.now() - before).toBe(800);
  });

  test('410 again and again does not become a storm of lists', async () => {
    const { client, clock } = await watching();
    client.lastWatch().fail(refusal(410));
    for (let second = 0; second < 120; second++) {
      await clock.advance(1000);
      client.lastList().answer([], '50');
      await settle();
      client.lastWatch().fail(refusal(410));
    }
    expect(client.lists.length).toBeLessThan(10);
  });

  test('metrics tell why watches began again', async () => {
    const { client, clock, registry } = await watching();
    await clock.advance(2000);
    client.lastWatch().end();
    await settle();
    client.lastWatch().open();
    await clock.advance(90_000);
    client.lastWatch().fail(refusal(410));
    await clock.advance(800);
    client.lastList().answer([], '50');
    await settle();
    const text = registry.text();
    for (const line of [
      'nodelet_watch_restarts_total{resource="pods",reason="ended"} 1',
      'nodelet_watch_restarts_total{resource="pods",reason="silent"} 1',
      'nodelet_watch_restarts_total{resource="pods",reason="expired"} 1',
      'nodelet_watch_lists_total{resource="pods"} 2',
      `nodelet_watch_last_contact_timestamp_seconds{resource="pods"} ${clock.now() / 1000}`,
    ]) {
      expect(text).toContain(`${line}\n`);
    }
  });
});

describe('handlers', () => {
  test('one that throws hinders neither the others nor the copy', async () => {
    const { client, informer, calls, names, errors } = setUp();
    informer.onChange(() => {
      throw new Error('broken');
    });
    const later: number[] = [];
    informer.onChange((changes) => void later.push(changes.length));
    client.lastList().answer([object('a', '1')], '1');
    await settle();
    client
      .lastWatch()
      .open()
      .send(['ADDED', object('b', '2')]);
    client.lastWatch().send(['ADDED', object('c', '3')]);
    expect(names()).toEqual(['a', 'b', 'c']);
    expect(calls).toHaveLength(4);
    expect(later).toEqual([1, 0, 1, 1]);
    expect(errors).toHaveLength(4);
  });

  test('see the copy as it is after the change', async () => {
    const { client, informer, names } = setUp();
    const seen: unknown[] = [];
    informer.onChange(() => seen.push([informer.hasSynced, ...names()]));
    client.lastList().answer([object('a', '1')], '1');
    await settle();
    client
      .lastWatch()
      .open()
      .send(['DELETED', object('a', '2')]);
    expect(seen).toEqual([[true, 'a'], [true, 'a'], [true]]);
  });
});

test('managed fields are dropped, then what the user does not want', async () => {
  const seen: unknown[] = [];
  const { client, informer } = setUp((each) => {
    seen.push(each.metadata?.managedFields);
    return { metadata: { ...each.metadata, labels: { trimmed: 'yes' } } };
  });
  const fat = (name: string): ApiObject => ({
    ...object(name, '1'),
    metadata: { ...object(name, '1').metadata, managedFields: [{ manager: 'm' }] },
  });
  client.lastList().answer([fat('a')], '1');
  await settle();
  client
    .lastWatch()
    .open()
    .send(['ADDED', fat('b')]);
  expect(seen).toEqual([undefined, undefined]);
  expect(informer.list().map((each) => each.metadata?.labels)).toEqual([
    { trimmed: 'yes' },
    { trimmed: 'yes' },
  ]);
  expect(JSON.stringify(informer.list())).not.toContain('managedFields');
});

describe('the end', () => {
  type Bed = ReturnType<typeof setUp>;
  const moments: [string, (bed: Bed) => Promise<void>][] = [
    ['the first list', async () => undefined],
    [
      'the second page',
      async ({ client }) => {
        client.lastList().answer([object('a', '1')], '1', 'c');
        await settle();
      },
    ],
    [
      'a watch that is not open yet',
      async ({ client }) => {
        client.lastList().answer([], '1');
        await settle();
      },
    ],
    [
      'an open watch',
      async ({ client }) => {
        client.lastList().answer([], '1');
        await settle();
        client.lastWatch().open();
      },
    ],
    [
      'a wait after a failure',
      async ({ client }) => {
        client.lastList().fail(refusal(500));
        await settle();
      },
    ],
  ];
  test.each(moments)('during %s: nothing more is asked or told', async (_name, reach) => {
    const bed = setUp();
    await reach(bed);
    const before = {
      lists: bed.client.lists.length,
      watches: bed.client.watches.length,
      calls: bed.calls.length,
    };
    bed.stop.abort(new Error('stopped'));
    await settle();
    bed.client.lastList().answer([object('z', '1')], '1');
    if (bed.client.watches.length > 0) bed.client.lastWatch().send(['ADDED', object('z', '1')]);
    await bed.clock.advance(600_000);
    expect({
      lists: bed.client.lists.length,
      watches: bed.client.watches.length,
      calls: bed.calls.length,
    }).toEqual(before);
    expect(bed.clock.pending).toBe(0);
  });

  test('a handler may end it', async () => {
    const bed = setUp();
    bed.informer.onChange(() => bed.stop.abort(new Error('stopped')));
    const after: number[] = [];
    bed.informer.onChange((changes) => void after.push(changes.length));
    bed.client.lastList().answer([object('a', '1')], '1');
    await bed.clock.advance(10_000);
    expect(after).toEqual([]);
    expect(bed.client.watches).toHaveLength(0);
  });
});
