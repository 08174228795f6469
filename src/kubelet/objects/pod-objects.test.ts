import { describe, expect, test } from 'vitest';
import { InternalError } from '#lib/errors.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import { FakeClock, settle } from '#lib/testing/fake-clock.ts';
import { LocalObjects } from './local-objects.ts';
import { noObjects } from './no-objects.ts';
import { PodReferences } from './pod-references.ts';
import type { PodObjects, RuntimeClassLister, ServiceLister } from './ports.ts';
import { RuntimeHandlers } from './runtime-handlers.ts';
import { FakeWatches } from './testing/fake-watches.ts';
import { WatchedObjects } from './watched-objects.ts';

const signal = new AbortController().signal;
const podOf = (uid: string, configMap: string, ...secrets: string[]): AgentPod => ({
  metadata: { name: uid, namespace: 'ns', uid },
  spec: {
    containers: [],
    volumes: [
      { name: 'c', configMap: { name: configMap } },
      ...secrets.map((secretName) => ({ name: secretName, secret: { secretName } })),
    ],
  },
});
const changesOf = (objects: PodObjects): string[] => {
  const seen: string[] = [];
  objects.onChange((uid) => seen.push(uid));
  return seen;
};

describe('watched objects', () => {
  const made = () => {
    const watches = new FakeWatches();
    const clock = new FakeClock();
    const objects = new WatchedObjects(watches, clock);
    return { watches, clock, objects, changed: changesOf(objects) };
  };

  test('just what is named is watched, once, for as long as somebody names it', () => {
    const { watches, objects } = made();
    objects.register(podOf('a', 'cm', 's'));
    objects.register(podOf('b', 'cm'));
    expect(watches.held()).toEqual(['configmaps ns/cm', 'secrets ns/s']);
    objects.register(podOf('a', 'cm', 't'));
    expect(watches.held()).toEqual(['configmaps ns/cm', 'secrets ns/t']);
    objects.release('a');
    expect(watches.held()).toEqual(['configmaps ns/cm']);
    objects.release('b');
    objects.release('b');
    expect(watches.held()).toEqual([]);
  });

  test('what is known, and who is told', () => {
    const { watches, objects, changed } = made();
    objects.register(podOf('a', 'cm'));
    objects.register(podOf('b', 'cm'));
    objects.register(podOf('c', 'other'));
    expect(objects.configMap('ns', 'cm')).toEqual({ state: 'unknown' });
    const trouble = new InternalError('no connection');
    watches.fail('configmaps ns/cm', trouble);
    expect(objects.configMap('ns', 'cm')).toEqual({ state: 'unknown', trouble });
    watches.answer('configmaps ns/cm', undefined);
    expect(objects.configMap('ns', 'cm')).toMatchObject({ state: 'absent' });
    const object = { metadata: { name: 'cm' }, data: { a: 'b' } };
    watches.answer('configmaps ns/cm', object);
    expect(objects.configMap('ns', 'cm')).toEqual({ state: 'present', object });
    expect(objects.secret('ns', 'cm')).toEqual({ state: 'unknown' });
    expect(changed).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
  });

  test('settled: when all is known, or after a second', async () => {
    const { watches, clock, objects } = made();
    objects.register(podOf('a', 'cm', 's'));
    const seen: string[] = [];
    const wait = async (word: string): Promise<void> => {
      await objects.settled('a', signal);
      seen.push(word);
    };
    const first = wait('answered');
    watches.answer('configmaps ns/cm', undefined);
    await settle();
    expect(seen).toEqual([]);
    watches.fail('secrets ns/s', new InternalError('forbidden'));
    await settle();
    expect(seen).toEqual([]);
    watches.answer('secrets ns/s', {});
    await first;
    expect(seen).toEqual(['answered']);
    objects.register(podOf('a', 'cm', 's', 'silent'));
    const second = wait('a second later');
    await clock.advance(999);
    expect(seen).toEqual(['answered']);
    await clock.advance(1);
    await second;
    expect(seen).toEqual(['answered', 'a second later']);
    expect(clock.pending).toBe(0);
    const abort = new AbortController();
    const third = objects.settled('a', abort.signal);
    abort.abort(new InternalError('ends'));
    await expect(third).rejects.toThrow('ends');
  });
});

describe('local objects', () => {
  test('known as a whole; only pods that name what has changed are told', () => {
    const objects = new LocalObjects();
    const changed = changesOf(objects);
    objects.register(podOf('a', 'cm'));
    objects.register(podOf('b', 'other', 's'));
    expect(objects.configMap('ns', 'cm')).toMatchObject({
      state: 'unknown',
      trouble: { message: 'not every source of manifests has been read yet' },
    });
    const cm = { metadata: { name: 'cm', namespace: 'ns' }, data: { a: '1' } };
    const secret = { metadata: { name: 's', namespace: 'ns' }, data: { x: 'eA==' }, stringData: { y: 'y' } };
    objects.replace({ configMaps: [cm], secrets: [secret] });
    expect(changed.splice(0).sort()).toEqual(['a', 'b']);
    expect(objects.configMap('ns', 'cm')).toEqual({ state: 'present', object: cm });
    expect(objects.configMap('ns', 'other')).toEqual({ state: 'absent' });
    expect(objects.secret('ns', 's')).toMatchObject({ object: { data: { x: 'eA==', y: 'eQ==' } } });
    objects.replace({ configMaps: [structuredClone(cm)], secrets: [structuredClone(secret)] });
    expect(changed).toEqual([]);
    objects.replace({ configMaps: [{ ...cm, data: { a: '2' } }], secrets: [secret] });
    expect(changed.splice(0)).toEqual(['a']);
    objects.replace({});
    expect(changed.splice(0).sort()).toEqual(['a', 'b']);
    objects.release('a');
    objects.replace({ configMaps: [cm] });
    expect(changed).toEqual([]);
  });

  test('until all sources were read, what is missing may still come', () => {
    const objects = new LocalObjects();
    const changed = changesOf(objects);
    objects.register(podOf('a', 'cm'));
    objects.register(podOf('b', 'other'));
    const cm = { metadata: { name: 'cm', namespace: 'ns' } };
    objects.replace({ configMaps: [cm], isComplete: false });
    expect(changed.splice(0)).toEqual(['a']);
    expect(objects.configMap('ns', 'cm').state).toBe('present');
    expect(objects.configMap('ns', 'other').state).toBe('unknown');
    objects.replace({ configMaps: [cm] });
    expect(changed.splice(0)).toEqual(['b']);
    expect(objects.configMap('ns', 'other').state).toBe('absent');
  });

  test('a pod is held up until all it names is there or all sources were read, and a second at most', async () => {
    const clock = new FakeClock();
    const objects = new LocalObjects(clock);
    objects.register(podOf('a', 'cm'));
    let settled = 0;
    const wait = (): void => void objects.settled('a', signal).then(() => settled++);
    wait();
    await clock.advance(999);
    expect(settled).toBe(0);
    await clock.advance(1);
    expect(settled).toBe(1);
    wait();
    await settle();
    expect(settled).toBe(1);
    objects.replace({});
    await settle();
    expect(settled).toBe(2);
    const other = new LocalObjects(clock);
    other.register(podOf('a', 'cm'));
    other.replace({ configMaps: [{ metadata: { name: 'cm', namespace: 'ns' } }], isComplete: false });
    await other.settled('a', signal);
    expect(clock.pending).toBe(0);
  });

  test('a static pod’s pull secrets are among what it names', () => {
    const objects = new LocalObjects();
    const changed = changesOf(objects);
    const pod = podOf('a', 'cm');
    pod.spec.imagePullSecrets = [{ name: 'pull' }];
    pod.metadata.annotations = { 'kubernetes.io/config.source': 'file' };
    objects.replace({});
    objects.register(pod);
    objects.replace({ secrets: [{ metadata: { name: 'pull', namespace: 'ns' } }] });
    expect(changed).toEqual(['a']);
  });
});

test('without an API server nothing is known, and the reason given', () => {
  expect(noObjects.secret('ns', 's')).toMatchObject({
    state: 'unknown',
    trouble: { message: 'this agent has no API server to read it from' },
  });
});

/** A list that arrives when `arrive` is called. */
function lateList() {
  const handlers: (() => void)[] = [];
  const list = {
    hasSynced: false,
    list: () => [],
    get: ({ name }: { name: string }) => (name === 'sandboxed' ? { handler: 'runsc' } : undefined),
    synced: (until: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        handlers.push(resolve);
        until.addEventListener('abort', () => reject(until.reason as Error), { once: true });
      }),
    onChange: (handler: () => void) => void handlers.push(handler),
    arrive: () => {
      list.hasSynced = true;
      for (const handler of handlers) handler();
    },
  };
  return list satisfies ServiceLister & RuntimeClassLister;
}

describe('references', () => {
  const apiPod = podOf('a', 'cm');

  test('a change is counted before anybody is told; content apart from what only unblocks', () => {
    const objects = new LocalObjects();
    const services = lateList();
    const runtimeClasses = lateList();
    const references = new PodReferences({ objects, services, runtimeClasses, clock: new FakeClock() });
    const told: unknown[] = [];
    references.onDirty((uid) => told.push([uid, references.contentVersion('a'), references.version('a')]));
    references.register(apiPod);
    objects.replace({});
    services.arrive();
    services.arrive();
    runtimeClasses.arrive();
    runtimeClasses.arrive();
    references.changed('a');
    expect(told).toEqual([
      ['a', 1, 1],
      [undefined, 1, 2],
      [undefined, 1, 3],
      [undefined, 1, 4],
      ['a', 2, 5],
    ]);
  });

  test('what is held for a pod ends with it', () => {
    const forgotten: string[] = [];
    const perPod = [{ forget: (uid: string) => void forgotten.push(uid) }];
    const objects = new LocalObjects();
    const references = new PodReferences({
      objects,
      services: undefined,
      runtimeClasses: undefined,
      perPod,
      clock: new FakeClock(),
    });
    references.register(apiPod);
    references.release('a');
    objects.replace({});
    expect(forgotten).toEqual(['a']);
    expect(references.version('a')).toBe(0);
  });

  test('waits a moment for services, for a static pod not at all, for RuntimeClasses only where one is named', async () => {
    const clock = new FakeClock();
    const services = lateList();
    const runtimeClasses = lateList();
    const references = new PodReferences({ objects: noObjects, services, runtimeClasses, clock });
    const staticPod: AgentPod = {
      ...apiPod,
      metadata: { ...apiPod.metadata, annotations: { 'kubernetes.io/config.source': 'file' } },
    };
    await references.settled(staticPod, 'container', signal);
    await references.settled(apiPod, 'volumes', signal);
    await references.settled(apiPod, 'sandbox', signal);
    let isDone = false;
    const wait = references.settled(apiPod, 'container', signal).then(() => (isDone = true));
    await settle();
    expect(isDone).toBe(false);
    services.arrive();
    await wait;
    const named = { ...apiPod, spec: { ...apiPod.spec, runtimeClassName: 'x' } };
    const late = references.settled(named, 'sandbox', signal);
    await clock.advance(1000);
    await late;
  });
});

describe('handler of a RuntimeClass', () => {
  const podNaming = (runtimeClassName?: string): AgentPod => ({
    ...podOf('a', 'cm'),
    spec: { containers: [], ...(runtimeClassName === undefined ? {} : { runtimeClassName }) },
  });

  test('by name; the default without one', () => {
    const classes = lateList();
    classes.arrive();
    const handlers = new RuntimeHandlers(classes);
    expect(handlers.handlerOf(podNaming())).toEqual({ handler: '' });
    expect(handlers.handlerOf(podNaming(''))).toEqual({ handler: '' });
    expect(handlers.handlerOf(podNaming('sandboxed'))).toEqual({ handler: 'runsc' });
    expect(() => handlers.handlerOf(podNaming('none'))).toThrow('runtimeclass.node.k8s.io "none" not found');
  });

  test('not known yet, or not to be known', () => {
    expect(() => new RuntimeHandlers(lateList()).handlerOf(podNaming('none'))).toThrow(
      /has not been read yet/,
    );
    expect(new RuntimeHandlers(undefined).handlerOf(podNaming('x'))).toMatchObject({
      handler: '',
      warning: expect.stringContaining('without an API server') as string,
    });
  });
});
