import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Container } from '#lib/kube/types.ts';
import { nodeAddress } from '#test/bed/bed.ts';
import { container, isRunning, podManifest, statusOf } from '#test/bed/manifests.ts';
import { useNode } from './node.ts';

const node = useNode();

type Hooks = NonNullable<Container['lifecycle']>;

/** Writes the time since boot with a word in front. */
const note = (word: string): string => `echo ${word} $(cut -d" " -f1 /proc/uptime) >>/trace/trace`;
const noted: string[] = [
  'sh',
  '-c',
  `${note('start')}; trap '${note('term')}; exit 0' TERM; sleep 2147483647 & wait $!`,
];

/** A folder of the node that pods write their notes to. */
async function traces(name: string) {
  const path = join(node.agent.dir, 'traces', name);
  await mkdir(path, { recursive: true });
  const read = async (): Promise<[string, number][]> =>
    (await readFile(join(path, 'trace'), 'utf8').catch(() => ''))
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [word = '', time] = line.split(' ');
        return [word, Number(time)];
      });
  return {
    volumes: [{ name: 'trace', hostPath: { path } }],
    mount: { volumeMounts: [{ name: 'trace', mountPath: '/trace' }] },
    add: (file: string) => writeFile(join(path, file), ''),
    read,
    words: async () => (await read()).map(([word]) => word),
  };
}

const events = async (pod: string, reason: string): Promise<string[]> =>
  (await node.agent.client.events({ namespace: 'default', name: `${pod}-n1` })).flatMap((event) =>
    event.reason === reason ? [event.message ?? ''] : [],
  );

/** A pod `name` of one container with these hooks, whose notes are in its traces. */
async function run(name: string, lifecycle: Hooks, grace = 10) {
  const trace = await traces(name);
  const main = container('main', '', { command: noted, lifecycle, ...trace.mount });
  const spec = { volumes: trace.volumes, terminationGracePeriodSeconds: grace };
  await node.agent.write(`${name}.yaml`, podManifest(name, [main], spec));
  return trace;
}
const shell = (script: string): NonNullable<Hooks['preStop']> => ({
  exec: { command: ['sh', '-c', script] },
});

async function end(name: string): Promise<void> {
  await node.agent.remove(`${name}.yaml`);
  await node.agent.waitForGone(name);
}

describe.concurrent('lifecycle hooks', () => {
  test('postStart: the container waits for it, in what is shown too', async () => {
    const wait = 'while [ ! -f /trace/go ]; do sleep 0.1; done; ';
    const trace = await run('post', { postStart: shell(wait + note('hook')) });
    await node.agent.waitFor(async () => (await trace.words()).includes('start'));
    const view = await node.agent.waitForPod('post', (each) => statusOf(each)?.containerID !== undefined);
    expect(view.pod.status?.phase).toBe('Pending');
    expect(statusOf(view)).toMatchObject({
      ready: false,
      started: false,
      state: { waiting: { reason: 'ContainerCreating' } },
    });
    await trace.add('go');
    await node.agent.waitForPod('post', (each) => isRunning(each) && statusOf(each)?.ready === true);
    expect(await trace.words()).toEqual(['start', 'hook']);
  });

  test('postStart: a failure kills the container and is told', async () => {
    await run('post-fails', { postStart: shell('echo no >&2; exit 4') });
    const view = await node.agent.waitForPod(
      'post-fails',
      (each) => statusOf(each)?.state?.waiting?.reason === 'PostStartHookError',
    );
    expect(statusOf(view)?.state?.waiting?.message).toMatch(/exited with 4: no/);
    expect(await events('post-fails', 'FailedPostStartHook')).toEqual(['PostStartHook failed']);
    await node.agent.waitForPod('post-fails', (each) => (statusOf(each)?.restartCount ?? 0) > 0);
    expect(await events('post-fails', 'Failed')).toEqual([]);
  });

  test('preStop: exec, then TERM; sleep waits; a hook that fails holds up nothing', async () => {
    const exec = await run('pre-exec', { preStop: shell(`sleep 1; ${note('hook')}`) });
    const sleep = await run('pre-sleep', { preStop: { sleep: { seconds: 2 } } });
    await run('pre-fails', { preStop: shell('exit 1') });
    for (const name of ['pre-exec', 'pre-sleep', 'pre-fails']) await node.agent.waitForPod(name, isRunning);
    await node.agent.waitFor(async () => (await sleep.words()).length > 0 && (await exec.words()).length > 0);
    await node.agent.remove('pre-sleep.yaml');
    const asked = Number((await readFile('/proc/uptime', 'utf8')).split(' ')[0]);
    await Promise.all([end('pre-exec'), end('pre-fails'), node.agent.waitForGone('pre-sleep')]);
    expect(await exec.words()).toEqual(['start', 'hook', 'term']);
    const term = (await sleep.read()).find(([word]) => word === 'term')?.[1] ?? 0;
    expect(term - asked).toBeGreaterThanOrEqual(1.9);
    expect(term - asked).toBeLessThan(6);
    expect(await events('pre-fails', 'FailedPreStopHook')).toEqual(['PreStopHook failed']);
  });

  test('preStop: one that goes on too long is cut off with the grace period', async () => {
    const trace = await run('pre-long', { preStop: shell(`${note('hook')}; sleep 1000`) }, 3);
    await node.agent.waitForPod('pre-long', isRunning);
    await node.agent.waitFor(async () => (await trace.words()).length > 0);
    await end('pre-long');
    const [, hook, term] = await trace.read();
    expect(hook?.[0]).toBe('hook');
    expect(term?.[0]).toBe('term');
    expect((term?.[1] ?? 0) - (hook?.[1] ?? 0)).toBeGreaterThanOrEqual(2.5);
  });

  test('httpGet: to any address, any status will do', async () => {
    const seen: string[] = [];
    const server = createServer((request, response) => {
      seen.push(`${request.url} ${request.headers['user-agent']} ${request.headers['x-a']}`);
      response.writeHead(503).end();
    }).listen(0, nodeAddress);
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const httpGet = { host: nodeAddress, port, httpHeaders: [{ name: 'X-A', value: 'b' }] };
      await run('http-hooks', {
        postStart: { httpGet: { ...httpGet, path: 'started', scheme: 'HTTPS' } },
        preStop: { httpGet: { ...httpGet, path: '/stopping' } },
      });
      await node.agent.waitForPod('http-hooks', isRunning);
      expect(seen).toEqual(['/started kube-lifecycle/1.36 b']);
      await end('http-hooks');
      expect(seen[1]).toBe('/stopping kube-lifecycle/1.36 b');
      expect(await events('http-hooks', 'FailedPreStopHook')).toEqual([]);
    } finally {
      server.close();
    }
  });
});

describe('over a kill -9 of the agent', () => {
  test('a hook that was cut off before TERM runs again, one after TERM doesn’t', async () => {
    const deaf: Container['command'] = [
      'sh',
      '-c',
      `trap '${note('term')}' TERM; while :; do sleep 0.1; done`,
    ];
    const trace = await traces('cut-off');
    const preStop = shell(`${note('hook')}; [ -f /trace/quick ] || sleep 1000`);
    const main = container('main', '', { command: deaf, lifecycle: { preStop }, ...trace.mount });
    const spec = { volumes: trace.volumes, terminationGracePeriodSeconds: 15 };
    await node.agent.write('cut-off.yaml', podManifest('cut-off', [main], spec));
    await node.agent.waitForPod('cut-off', isRunning);
    await node.agent.remove('cut-off.yaml');
    await node.agent.waitFor(async () => (await trace.words()).includes('hook'));
    await node.agent.kill9();
    await trace.add('quick');
    await node.agent.restart();
    await node.agent.waitFor(async () => (await trace.words()).includes('term'));
    await node.agent.kill9();
    await node.agent.restart();
    await node.agent.waitForPod('cut-off', ({ terminating }) => terminating);
    await node.agent.waitForGone('cut-off');
    expect((await trace.words()).filter((word) => word === 'hook')).toHaveLength(2);
  });

  test('a postStart hook runs again, and only then the container counts', async () => {
    const trace = await run('again', {
      postStart: shell(`${note('hook')}; while [ ! -f /trace/go ]; do sleep 0.1; done`),
    });
    await node.agent.waitFor(async () => (await trace.words()).includes('hook'));
    await node.agent.kill9();
    await node.agent.restart();
    await node.agent.waitFor(
      async () => (await trace.words()).filter((word) => word === 'hook').length === 2,
    );
    const early = await node.agent.pod('again');
    expect(early && statusOf(early)).toMatchObject({ ready: false });
    await trace.add('go');
    const view = await node.agent.waitForPod('again', (each) => statusOf(each)?.ready === true);
    expect(statusOf(view)?.restartCount).toBe(0);
    expect((await trace.words()).filter((word) => word === 'start')).toHaveLength(1);
  });
});
