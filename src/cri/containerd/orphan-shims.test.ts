import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ProcessInfo } from '#host/processes.ts';
import { silentLogger } from '#lib/logger.ts';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { FakeContainerd } from '../testing/fake-containerd.ts';
import { OrphanShims } from './orphan-shims.ts';

const program = '/usr/bin/containerd-shim-runc-v2';
const socket = '/run/containerd/containerd.sock';
const daemon = (id: string, address = socket, namespace = 'k8s.io'): string[] => [
  program,
  '-namespace',
  namespace,
  '-id',
  id,
  '-address',
  address,
];

let clock: FakeClock;
let containerd: FakeContainerd;
let running: ProcessInfo[];
let withChildren: Set<number>;
let ended: number[];
let looks: number;
let stop: AbortController;

const start = (args: readonly string[], more: Partial<ProcessInfo> = {}): number => {
  const pid = 100 + running.length;
  running.push({ pid, startTime: `${pid}`, args, program, mountNamespace: 'own', ...more });
  return pid;
};

function watch(endpoint = `unix://${socket}`): OrphanShims {
  const shims = new OrphanShims({
    api: containerd,
    endpoint,
    clock,
    log: silentLogger,
    processes: {
      find: (match) => {
        looks += 1;
        return Promise.resolve(running.filter(({ args }) => match(args)));
      },
      parents: () => Promise.resolve(withChildren),
      ownMountNamespace: () => Promise.resolve('own'),
      realPath: (path) => Promise.resolve(path.replace(/^\/var\/run\//, '/run/')),
      end: ({ pid }) => {
        ended.push(pid);
        running = running.filter((each) => each.pid !== pid);
        return Promise.resolve();
      },
    },
  });
  void shims.run(stop.signal);
  return shims;
}

beforeEach(() => {
  clock = new FakeClock();
  containerd = new FakeContainerd();
  running = [];
  withChildren = new Set();
  ended = [];
  looks = 0;
  stop = new AbortController();
});
afterEach(() => stop.abort());

test('a shim that watches nothing and that containerd does not know is ended within seconds', async () => {
  const orphan = start(daemon('a'));
  watch();
  await clock.advance(3000);
  expect(ended).toEqual([orphan]);
});

test.each<[string, string[], Partial<ProcessInfo>]>([
  ['of another containerd', daemon('a', '/run/k3s/containerd.sock'), {}],
  ['of another namespace', daemon('a', socket, 'moby'), {}],
  ['of another mount namespace', daemon('a'), { mountNamespace: 'of a container' }],
  ['of another kind', ['/usr/bin/containerd-shim-kata-v2', ...daemon('a').slice(1)], {}],
  ['that starts a shim', [...daemon('a'), 'start'], {}],
  ['that cleans up', [...daemon('a'), '-bundle', '/x', 'delete'], {}],
  ['without an ID', [program, '-namespace', 'k8s.io', '-address', socket], {}],
])('one %s is left alone', async (_, args, more) => {
  start(args, more);
  watch();
  await clock.advance(200_000);
  expect(ended).toEqual([]);
});

test('one that containerd knows, or that has a process, is left alone', async () => {
  containerd.containers.add('known');
  start(daemon('known'));
  withChildren.add(start(daemon('busy')));
  watch();
  await clock.advance(200_000);
  expect(ended).toEqual([]);
});

test('a process that took over the number in between has to be seen twice itself', async () => {
  start(daemon('a'));
  watch();
  await clock.advance(1000);
  running[0] = { ...(running[0] as ProcessInfo), startTime: 'later', args: daemon('b') };
  await clock.advance(1500);
  expect(ended).toEqual([]);
  await clock.advance(2500);
  expect(ended).toEqual([100]);
});

test('links in the endpoint do not matter', async () => {
  start(daemon('a'));
  watch('unix:///var/run/containerd/containerd.sock');
  await clock.advance(3000);
  expect(ended).toEqual([100]);
});

test('nothing is ended while containerd does not answer, or where only CRI is passed', async () => {
  start(daemon('a'));
  containerd.criOnly = true;
  watch();
  await clock.advance(200_000);
  expect(ended).toEqual([]);
  containerd.criOnly = false;
  await clock.advance(63_000);
  expect(ended).toEqual([100]);
});

test('looks each minute, soon after changes, and never more often', async () => {
  const shims = watch();
  await clock.advance(1000);
  expect(looks).toBe(1);
  await clock.advance(60_000);
  expect(looks).toBe(2);
  for (let change = 0; change < 300; change += 1) {
    shims.lookSoon();
    await clock.advance(100);
  }
  expect(looks).toBeGreaterThanOrEqual(6);
  expect(looks).toBeLessThanOrEqual(7);
});
