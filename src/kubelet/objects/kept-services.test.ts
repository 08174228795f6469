import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Service } from '#lib/kube/types.ts';
import { silentLogger } from '#lib/logger.ts';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { KeptServices } from './kept-services.ts';

const service = (name: string): Service => ({ metadata: { name, namespace: 'default' }, spec: {} });

/** An informer by hand. */
class Lister {
  hasSynced = false;
  items: Service[] = [];
  #handlers: (() => void)[] = [];
  readonly #first = Promise.withResolvers<void>();

  list(): readonly Service[] {
    return this.items;
  }

  synced(): Promise<void> {
    return this.#first.promise;
  }

  onChange(handler: () => void): void {
    this.#handlers.push(handler);
  }

  arrive(...names: string[]): void {
    this.items = names.map(service);
    this.hasSynced = true;
    this.#first.resolve();
    for (const handler of this.#handlers) handler();
  }
}

let dir: string;
let clock: FakeClock;
const file = (): string => join(dir, 'services.json');
const make = async (): Promise<{ inner: Lister; kept: KeptServices; changed: () => void }> => {
  const inner = new Lister();
  const kept = new KeptServices({ services: inner, file: file(), afterMs: 10_000, clock, log: silentLogger });
  const changed = vi.fn<() => void>();
  kept.onChange(changed);
  await kept.start();
  return { inner, kept, changed };
};
const names = (kept: KeptServices): (string | undefined)[] =>
  kept.list().map(({ metadata }) => metadata?.name);
const never = new AbortController().signal;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kept-'));
  clock = new FakeClock();
});
afterEach(() => rm(dir, { recursive: true, force: true }));

test('what the server gave is kept, for root only, and stands in where the next agent waits too long', async () => {
  const first = await make();
  first.inner.arrive('a', 'b');
  await clock.advance(5000);
  await vi.waitFor(async () => expect(await readFile(file(), 'utf8')).toContain('"b"'));

  const { inner, kept, changed } = await make();
  await clock.advance(9999);
  expect([kept.hasSynced, names(kept)]).toEqual([false, []]);
  expect(changed).not.toHaveBeenCalled();
  await clock.advance(1);
  expect([kept.hasSynced, names(kept)]).toEqual([true, ['a', 'b']]);
  expect(changed).toHaveBeenCalledOnce();
  await kept.synced(never);
  inner.arrive('c');
  expect(names(kept)).toEqual(['c']);
  expect(changed).toHaveBeenCalledTimes(2);
});

test('a list that was there before is kept, too', async () => {
  const inner = new Lister();
  inner.arrive('early');
  const kept = new KeptServices({ services: inner, file: file(), afterMs: 1, clock, log: silentLogger });
  await kept.start();
  await clock.advance(5000);
  await vi.waitFor(async () => expect(await readFile(file(), 'utf8')).toContain('early'));
});

test('a server that answers in time is the only one that counts', async () => {
  await writeFile(file(), JSON.stringify([service('old')]));
  const { inner, kept, changed } = await make();
  inner.arrive();
  await clock.advance(60_000);
  expect([kept.hasSynced, names(kept)]).toEqual([true, []]);
  expect(changed).toHaveBeenCalledOnce();
});

test.each([['none'], ['{'], ['{}']])('a file that holds %s is none', async (text) => {
  if (text !== 'none') await writeFile(file(), text);
  const { kept } = await make();
  await clock.advance(60_000);
  expect(kept.hasSynced).toBe(false);
});
