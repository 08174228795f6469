import { describe, expect, test } from 'vitest';
import { resources } from '#lib/kube/client.ts';
import type { ApiObject, ObjectChange } from '#lib/kube/client.ts';
import { ApiBed, until } from '../testing/bed.ts';
import type { ApiBedOptions } from '../testing/bed.ts';
import { TestCa } from '../testing/certs.ts';
import type { Received, Reply } from '../testing/http-server.ts';

const { pods, configMaps } = resources;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const object = (name: string, resourceVersion: string): ApiObject => ({
  metadata: { name, namespace: 'ns', uid: `uid-${name}`, resourceVersion },
});
const line = (type: string, of: unknown): string => `${JSON.stringify({ type, object: of })}\n`;

/** A bed whose server lists `a` at version 10 and keeps watches open, and an informer on it. */
async function start(options: ApiBedOptions = {}) {
  const bed = await ApiBed.start(options);
  const watches: { request: Received; reply: Reply; from: string | null }[] = [];
  let lists = 0;
  bed.server.handler = (request, reply) => {
    const query = request.url.searchParams;
    if (query.get('watch') !== 'true') {
      lists += 1;
      reply.answer(200, { items: [object('a', '9')], metadata: { resourceVersion: '10' } });
      return;
    }
    reply.open();
    watches.push({ request, reply, from: query.get('resourceVersion') });
  };
  const seen: string[] = [];
  const informer = bed.api.informers.informer(pods, {}, { signal: bed.stop.signal });
  informer.onChange((changes: readonly ObjectChange<ApiObject>[]) => {
    for (const { type, object: of } of changes) seen.push(`${type} ${of.metadata?.name ?? ''}`);
  });
  await until(() => watches.length === 1, 'the first watch');
  return { bed, watches, seen, informer, lists: () => lists };
}

describe.concurrent.each(['h2', 'https', 'http'] as const)('a watch over %s', (protocol) => {
  test('takes events however they are cut', async () => {
    const { bed, watches, seen, informer } = await start({ protocol });
    await using _bed = bed;
    const text =
      line('ADDED', object('ä€', '11')) +
      line('MODIFIED', object('a', '12')) +
      line('BOOKMARK', object('', '13'));
    const reply = watches[0]?.reply;
    for (let i = 0; i < text.length; i += 7) {
      reply?.write(text.slice(i, i + 7));
      if (i % 21 === 0) await pause(1);
    }
    await until(() => seen.length === 3);
    expect(seen).toEqual(['added a', 'added ä€', 'changed a']);
    expect(informer.get({ namespace: 'ns', name: 'a' })?.metadata?.resourceVersion).toBe('12');
    const query = watches[0]?.request.url.searchParams;
    expect(query?.get('allowWatchBookmarks')).toBe('true');
    expect(Number(query?.get('timeoutSeconds'))).toBe(300);
  });

  test('that breaks goes on from where it was', async () => {
    const { bed, watches, seen, informer, lists } = await start({ protocol });
    await using _bed = bed;
    watches[0]?.reply.write(line('ADDED', object('b', '11')));
    await until(() => seen.length === 2);
    (watches[0]?.request.session ?? watches[0]?.request.socket)?.destroy();
    await until(() => watches.length === 2, 'the second watch');
    expect(watches[1]?.from).toBe('11');
    watches[1]?.reply.write(line('DELETED', object('b', '12')));
    await until(() => seen.length === 3);
    expect([seen.at(-1), lists(), informer.trouble]).toEqual(['deleted b', 1, undefined]);
  });

  test('that ends with an ERROR event leads to a list', async () => {
    const { bed, watches, lists } = await start({ protocol });
    await using _bed = bed;
    watches[0]?.reply.write(
      line('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' }),
    );
    await until(() => lists() === 2, 'the second list');
    await until(() => watches.length === 2);
  });

  test('of nonsense is not believed', async () => {
    const { bed, watches, seen, lists } = await start({ protocol });
    await using _bed = bed;
    watches[0]?.reply.write('<html>\n');
    await until(() => watches.length === 2, 'the second watch');
    expect([watches[1]?.from, seen, lists()]).toEqual(['10', ['added a'], 1]);
  });

  test('survives a server that goes away and comes back', async () => {
    const { bed, watches, informer, lists } = await start({ protocol });
    await using _bed = bed;
    const port = bed.server.port;
    await bed.server.stop();
    await until(() => informer.trouble !== undefined, 'the trouble');
    expect(informer.list()).toHaveLength(1);
    const { HttpServer } = await import('../testing/http-server.ts');
    const { testCa } = await import('../testing/bed.ts');
    const back = await HttpServer.start({ protocol, ca: await testCa(), port });
    try {
      back.handler = bed.server.handler;
      await until(() => watches.length === 2, 'the second watch');
      await until(() => informer.trouble === undefined, 'the end of the trouble');
      expect(lists()).toBe(1);
    } finally {
      bed.stop.abort(new Error('over'));
      await back.stop();
    }
  });

  test('ends at the server when its user stops', async () => {
    const { bed, watches } = await start({ protocol });
    await using _bed = bed;
    let isGone = false;
    void watches[0]?.reply.closed.then(() => (isGone = true));
    bed.stop.abort(new Error('stopped'));
    await until(() => isGone, 'the end at the server');
    await pause(50);
    expect(watches).toHaveLength(1);
  });
});

describe('HTTP/2', () => {
  test('a dead path costs a watch no longer than a PING', async () => {
    const { bed, watches, seen } = await start({
      proxy: true,
      api: { timing: { pingEveryMs: 200, pingTimeoutMs: 200 } },
    });
    await using _bed = bed;
    bed.proxy?.freeze();
    await until(() => watches.length === 2, 'the second watch', 3000);
    watches[1]?.reply.write(line('ADDED', object('b', '11')));
    await until(() => seen.length === 2);
  });

  test('a GOAWAY lets open watches go on', async () => {
    const { bed, watches, seen } = await start();
    await using _bed = bed;
    for (const session of bed.server.sessions) session.goaway(0);
    await pause(30);
    watches[0]?.reply.write(line('ADDED', object('b', '11')));
    await until(() => seen.length === 2);
    expect(watches).toHaveLength(1);
  });

  test('another client certificate: watches move to it at once, and miss nothing', async () => {
    const clientCa = await TestCa.make('clients');
    const bed = await ApiBed.start({ clientCa });
    await using _bed = bed;
    bed.credentials.set(await clientCa.issue('CN=old'));
    const users: (string | undefined)[] = [];
    bed.server.handler = ({ url, user }, reply) => {
      if (url.searchParams.get('watch') === 'true') {
        users.push(user);
        reply.open();
      } else reply.answer(200, { items: [], metadata: { resourceVersion: '10' } });
    };
    bed.api.informers.informer(pods, {}, { signal: bed.stop.signal });
    const hold = bed.api.watches.acquire(configMaps, { namespace: 'ns', name: 'a' });
    await until(() => users.length === 2);
    await pause(1100);
    bed.credentials.set(await clientCa.issue('CN=new'));
    await until(() => users.length === 4, 'the watches over the new connection');
    expect(users.slice(2)).toEqual(['new', 'new']);
    await until(() => bed.server.sessions.size === 1, 'the end of the old connections');
    expect(hold.get().state).toBe('absent');
  });

  test('three hundred watched objects', async () => {
    const bed = await ApiBed.start({ maxConcurrentStreams: 100 });
    await using _bed = bed;
    const open = new Map<string, Reply>();
    bed.server.handler = ({ url }, reply) => {
      const name = url.searchParams.get('fieldSelector') ?? '';
      if (url.searchParams.get('watch') === 'true') {
        reply.open();
        open.set(name, reply);
      } else reply.answer(200, { items: [], metadata: { resourceVersion: '10' } });
    };
    const holds = Array.from({ length: 300 }, (_, i) =>
      bed.api.watches.acquire(configMaps, { namespace: 'ns', name: `o${i}` }),
    );
    await until(() => open.size === 300, 'all watches');
    for (const [i, hold] of holds.entries()) {
      expect(hold.get().state).toBe('absent');
      open.get(`metadata.name=o${i}`)?.write(line('ADDED', object(`o${i}`, '11')));
    }
    await until(() => holds.every((hold) => hold.get().state === 'present'), 'all events');
    for (const hold of holds) hold.release();
    bed.api.close();
  });
});
