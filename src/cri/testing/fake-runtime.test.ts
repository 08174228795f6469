import { describe, expect, test } from 'vitest';
import { systemClock } from '#host/clock.ts';
import { FakeClock, settle } from '#lib/testing/fake-clock.ts';
import { runtimeStatus } from '../errors.ts';
import { containerConfig, sandboxConfig } from './configs.ts';
import { runtimeContract } from './contract.ts';
import type { Act } from './contract.ts';
import type { FakeBehaviour } from './fake-machine.ts';
import { FakeImages } from './fake-images.ts';
import { FakeRuntime } from './fake-runtime.ts';

function behaviourOf(act: Act): FakeBehaviour {
  if (act === 'runs') return {};
  if (act === 'ignores TERM') return { ignoresTerm: true };
  if (act === 'cannot start') return { startError: 'no such file' };
  return { exitAfter: { ms: 0, code: act.exits } };
}

describe.each([true, false])('the fake does as containerd (modern: %s)', (modern) => {
  runtimeContract(() => {
    const images = new FakeImages(systemClock);
    images.add('nodelet.local/busybox:1');
    const runtime = new FakeRuntime(systemClock, { images });
    runtime.modern = modern;
    return Promise.resolve({
      runtime,
      images,
      image: 'nodelet.local/busybox:1',
      events: modern,
      version2: modern,
      container(name, act, attempt = 0) {
        runtime.behave(name, behaviourOf(act));
        return containerConfig(name, 'nodelet.local/busybox:1', { attempt });
      },
    });
  });
});

describe('orders to the fake', () => {
  const make = (): { clock: FakeClock; runtime: FakeRuntime } => {
    const clock = new FakeClock();
    return { clock, runtime: new FakeRuntime(clock) };
  };
  const pod = sandboxConfig('web');
  const failed = (call: Promise<unknown>): Promise<unknown> => call.then(() => 'OK', runtimeStatus);

  test('the next call of a verb fails, once', async () => {
    const { runtime } = make();
    runtime.script.failNext('RunPodSandbox', 'UNAVAILABLE');
    expect(await failed(runtime.runPodSandbox(pod, ''))).toBe('UNAVAILABLE');
    expect(await failed(runtime.runPodSandbox(pod, ''))).toBe('OK');
  });

  test('only the answer is lost: the work is done', async () => {
    const { runtime } = make();
    runtime.script.failNext('RunPodSandbox', 'DEADLINE_EXCEEDED', 'lost', { answerOnly: true });
    expect(await failed(runtime.runPodSandbox(pod, ''))).toBe('DEADLINE_EXCEEDED');
    expect(await runtime.listPodSandbox()).toHaveLength(1);
    expect(await failed(runtime.runPodSandbox(pod, ''))).toBe('FAILED_PRECONDITION');
  });

  test('a verb hangs until it is released', async () => {
    const { runtime } = make();
    const hold = runtime.script.hang('RunPodSandbox');
    const call = runtime.runPodSandbox(pod, '');
    await settle();
    expect(hold.waiting).toBe(1);
    expect(runtime.machine.sandboxes.size).toBe(0);
    hold.release();
    await call;
    expect(runtime.machine.sandboxes.size).toBe(1);
    expect(await failed(runtime.runPodSandbox(sandboxConfig('next'), ''))).toBe('OK');
  });

  test('a call that hangs ends at its deadline and at its signal', async () => {
    const { clock, runtime } = make();
    const hold = runtime.script.hang('ContainerStatus');
    const late = failed(runtime.containerStatus('x'));
    await clock.advance(20_000);
    expect(await late).toBe('DEADLINE_EXCEEDED');
    const reason = new Error('stop');
    const stop = new AbortController();
    const aborted = runtime.containerStatus('x', { signal: stop.signal });
    const outcome = expect(aborted).rejects.toBe(reason);
    await settle();
    stop.abort(reason);
    await outcome;
    expect(hold.waiting).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test('calls are recorded in order, with what they are about', async () => {
    const { runtime } = make();
    const sandbox = await runtime.runPodSandbox(pod, '');
    const id = await runtime.createContainer(sandbox, containerConfig('app', 'i'), pod);
    await runtime.startContainer(id);
    await runtime.containerStatus(id);
    expect(runtime.script.changes()).toEqual([
      'RunPodSandbox web',
      'CreateContainer app',
      'StartContainer app',
    ]);
    expect(runtime.script.log('ContainerStatus')).toEqual(['ContainerStatus app']);
    expect(runtime.script.calls[1]?.args[0]).toBe(sandbox);
  });

  test('a container acts by its attempt', async () => {
    const { clock, runtime } = make();
    runtime.behave('app', (attempt) => ({ exitAfter: { ms: 500, code: attempt } }));
    const sandbox = await runtime.runPodSandbox(pod, '');
    for (const attempt of [0, 1]) {
      const id = await runtime.createContainer(sandbox, containerConfig('app', 'i', { attempt }), pod);
      await runtime.startContainer(id);
      await clock.advance(500);
      expect(await runtime.containerStatus(id)).toMatchObject({
        state: 'CONTAINER_EXITED',
        exitCode: attempt,
      });
    }
  });

  test('KILL comes when the grace period is over on the clock', async () => {
    const { clock, runtime } = make();
    runtime.behave('app', { ignoresTerm: true });
    const sandbox = await runtime.runPodSandbox(pod, '');
    const id = await runtime.createContainer(sandbox, containerConfig('app', 'i'), pod);
    await runtime.startContainer(id);
    const stop = runtime.stopContainer(id, 30);
    await clock.advance(29_999);
    expect(runtime.newest('app')?.state).toBe('CONTAINER_RUNNING');
    await clock.advance(1);
    await stop;
    expect(runtime.newest('app')).toMatchObject({ state: 'CONTAINER_EXITED', exitCode: 137 });
    expect(clock.pending).toBe(0);
  });

  test('a sandbox dies by itself, and the machine restarts', async () => {
    const { runtime } = make();
    const sandbox = await runtime.runPodSandbox(pod, '');
    const id = await runtime.createContainer(sandbox, containerConfig('app', 'i'), pod);
    await runtime.startContainer(id);
    runtime.killSandbox(sandbox);
    expect((await runtime.podSandboxStatus(sandbox)).state).toBe('SANDBOX_NOTREADY');
    expect((await runtime.containerStatus(id)).state).toBe('CONTAINER_RUNNING');
    runtime.reboot();
    expect(await runtime.containerStatus(id)).toMatchObject({ exitCode: 255, reason: 'Unknown' });
  });

  test('a runtime that is down answers nothing, and its pods run on', async () => {
    const { runtime } = make();
    const sandbox = await runtime.runPodSandbox(pod, '');
    runtime.crash();
    expect(await failed(runtime.podSandboxStatus(sandbox))).toBe('UNAVAILABLE');
    runtime.restore();
    expect((await runtime.podSandboxStatus(sandbox)).state).toBe('SANDBOX_READY');
  });

  test('images come from the registry, where one must say who one is', async () => {
    const images = new FakeImages(new FakeClock());
    images.publish('r/private:1', { registryUser: 'ann' });
    images.publish('r/app:1');
    const before = await images.pullImage({ image: 'r/app:1' }, undefined, undefined);
    images.publish('r/app:1');
    const after = await images.pullImage({ image: 'r/app:1' }, undefined, undefined);
    expect(after).not.toBe(before);
    expect(images.find('r/app:1')?.id).toBe(after);
    expect(images.find(before)?.repoTags).toEqual([]);
    expect(await failed(images.pullImage({ image: 'r/private:1' }, undefined, undefined))).toBe('UNKNOWN');
    expect(await failed(images.pullImage({ image: 'r/private:1' }, { username: 'ann' }, undefined))).toBe(
      'OK',
    );
    expect(await failed(images.pullImage({ image: 'r/none:1' }, undefined, undefined))).toBe('NOT_FOUND');
  });
});
