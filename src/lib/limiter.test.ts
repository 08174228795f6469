import { expect, test } from 'vitest';
import { Limiter } from './limiter.ts';
import { settle } from './testing/fake-clock.ts';

function fixture(limit: number) {
  const limiter = new Limiter(limit);
  const log: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  const run = (name: string, signal?: AbortSignal) =>
    limiter.run(async () => {
      log.push(`+${name}`);
      await new Promise<void>((resolve, reject) =>
        ends.set(name, (error) => (error === undefined ? resolve() : reject(error))),
      );
      log.push(`-${name}`);
      return name;
    }, signal);
  return { limiter, log, run, end: (name: string, error?: Error) => ends.get(name)?.(error) };
}

test('runs as many as it may and the others in the order of their coming', async () => {
  const { limiter, log, run, end } = fixture(2);
  const all = ['a', 'b', 'c', 'd'].map((name) => run(name));
  await settle();
  expect(log).toEqual(['+a', '+b']);
  expect(limiter.waiting).toBe(2);
  end('b');
  await settle();
  end('a');
  await settle();
  expect(log).toEqual(['+a', '+b', '-b', '+c', '-a', '+d']);
  end('c');
  end('d');
  expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd']);
});

test('a failure gives its place back', async () => {
  const { log, run, end } = fixture(1);
  const first = run('a');
  const second = run('b');
  await settle();
  end('a', new Error('broken'));
  await expect(first).rejects.toThrow('broken');
  await settle();
  end('b');
  expect(await second).toBe('b');
  expect(log).toEqual(['+a', '+b', '-b']);
});

test('who gives up waiting never runs and holds nobody up', async () => {
  const { limiter, log, run, end } = fixture(1);
  const first = run('a');
  const controller = new AbortController();
  const second = run('b', controller.signal);
  const third = run('c');
  await settle();
  controller.abort(new Error('not needed'));
  await expect(second).rejects.toThrow('not needed');
  expect(limiter.waiting).toBe(1);
  end('a');
  await first;
  await settle();
  end('c');
  await third;
  expect(log).toEqual(['+a', '-a', '+c', '-c']);
});

test('a signal that is aborted already wins over a free place', async () => {
  const { log, run } = fixture(1);
  await expect(run('a', AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
  expect(log).toEqual([]);
});
