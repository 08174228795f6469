import { beforeEach, describe, expect, test } from 'vitest';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { runtimeStatus } from '../errors.ts';
import { containerConfig, sandboxConfig } from '../testing/configs.ts';
import { FakeContainerd } from '../testing/fake-containerd.ts';
import { FakeRuntime } from '../testing/fake-runtime.ts';
import { removeLeftRecord, removePastTasks, removeTask } from './removal.ts';

let clock: FakeClock;
let runtime: FakeRuntime;
let containerd: FakeContainerd;
let sandbox: string;
let container: string;

beforeEach(async () => {
  clock = new FakeClock();
  runtime = new FakeRuntime(clock);
  containerd = new FakeContainerd();
  const config = sandboxConfig('p');
  sandbox = await runtime.runPodSandbox(config, '');
  container = await runtime.createContainer(sandbox, containerConfig('c', 'img'), config);
});

const caught = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

const remove = (): Promise<void> =>
  removePastTasks(
    containerd,
    () => runtime.removePodSandbox(sandbox),
    () => Promise.resolve([container, sandbox]),
    clock,
  );

async function inTime<T>(work: Promise<T>): Promise<T> {
  const settled = work.then(
    () => undefined,
    () => undefined,
  );
  await clock.advance(10_000);
  await settled;
  return work;
}

describe('a removal that is refused for what containerd lost sight of', () => {
  beforeEach(() => {
    runtime.script.failNext('RemovePodSandbox', 'FAILED_PRECONDITION', 'cannot delete running task');
  });

  test.each(['stopped', 'dying', 'running'] as const)(
    'goes through once its %s task is gone',
    async (state) => {
      containerd.tasks.set(container, state);
      containerd.tasks.set('of another pod', 'running');
      await inTime(remove());
      expect([...containerd.tasks.keys()]).toEqual(['of another pod']);
      expect(await runtime.listPodSandbox()).toEqual([]);
    },
  );

  test('stays refused where there is no task', async () => {
    expect(runtimeStatus(await caught(remove()))).toBe('FAILED_PRECONDITION');
    expect(runtime.script.log('RemovePodSandbox')).toHaveLength(1);
  });

  test('stays refused where only CRI is passed', async () => {
    containerd.criOnly = true;
    expect(await caught(remove())).toMatchObject({ details: 'cannot delete running task' });
  });
});

test.each(['UNAVAILABLE', 'UNKNOWN', 'DEADLINE_EXCEEDED'] as const)(
  'another failure (%s) touches no task',
  async (status) => {
    runtime.script.failNext('RemovePodSandbox', status);
    containerd.tasks.set(container, 'stopped');
    expect(runtimeStatus(await caught(remove()))).toBe(status);
    expect(containerd.tasks.size).toBe(1);
  },
);

test('a task that does not end is given up, and the error says so', async () => {
  containerd.killTask = () => Promise.resolve();
  containerd.tasks.set(container, 'running');
  expect(runtimeStatus(await caught(inTime(removeTask(containerd, container, clock))))).toBe(
    'FAILED_PRECONDITION',
  );
});

describe('what is kept of a removed sandbox', () => {
  test('goes, the task first', async () => {
    containerd.containers.add(sandbox).add('another');
    containerd.tasks.set(sandbox, 'running');
    await inTime(removeLeftRecord(containerd, sandbox, clock));
    expect([...containerd.containers]).toEqual(['another']);
    expect(containerd.tasks.size).toBe(0);
  });

  test('is nothing most of the time', async () => {
    containerd.tasks.set(sandbox, 'running');
    await removeLeftRecord(containerd, sandbox, clock);
    expect(containerd.tasks.size).toBe(1);
  });

  test('can not be known where only CRI is passed', async () => {
    containerd.criOnly = true;
    await removeLeftRecord(containerd, sandbox, clock);
  });
});
