import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ExecResult } from '#cri/types.ts';
import type { Container } from '#lib/kube/types.ts';
import { PodBed, makePod } from './testing/pod-bed.ts';

const SECOND = 1000;
type Lifecycle = NonNullable<Container['lifecycle']>;
const exec = (...command: string[]): NonNullable<Lifecycle['preStop']> => ({ exec: { command } });
const done = (exitCode = 0, words = ''): ExecResult => ({
  stdout: Buffer.alloc(0),
  stderr: Buffer.from(words),
  exitCode,
});

describe('lifecycle hooks', () => {
  let bed: PodBed;
  /** The commands that were run in containers, as `CONTAINER: WORDS`. */
  let ran: string[];
  let answer: (command: string) => ExecResult | Promise<ExecResult>;
  beforeEach(() => {
    bed = new PodBed();
    ran = [];
    answer = () => done();
    bed.runtime.onExec = (container, cmd) => {
      ran.push(`${container.config.metadata.name}: ${cmd.join(' ')}`);
      return answer(cmd.join(' '));
    };
  });
  afterEach(async () => {
    bed.killAgent();
    await bed.workers.stop();
    bed.dispose();
  });
  const set = (spec: Parameters<typeof makePod>[1]) => bed.workers.setDesired([makePod('web', spec)]);
  const messages = (reason: string): string[] =>
    bed.events.list().flatMap((event) => (event.reason === reason ? [event.message ?? ''] : []));
  const after = <T>(ms: number, value: T): Promise<T> =>
    new Promise((resolve) => bed.clock.after(ms, () => resolve(value)));
  /** The grace period of each StopContainer. */
  const graces = (): unknown[] =>
    bed.runtime.script.calls.filter(({ verb }) => verb === 'StopContainer').map(({ args }) => args[1]);

  describe('postStart', () => {
    test('the container isn’t there, and nothing else starts, until it has ended', async () => {
      answer = () => after(5 * SECOND, done());
      set({
        containers: [
          { name: 'main', lifecycle: { postStart: exec('prepare', '$(X)') } },
          { name: 'next', lifecycle: {} },
        ],
      });
      await bed.until(() => ran.length === 1);
      await bed.run(4 * SECOND);
      expect(ran).toEqual(['main: prepare $(X)']);
      expect(bed.running()).toEqual(['main#0']);
      expect(bed.container('web')).toMatchObject({
        state: { waiting: { reason: 'ContainerCreating' } },
        ready: false,
        started: false,
      });
      expect(bed.status('web')?.phase).toBe('Pending');
      await bed.run(2 * SECOND);
      expect(bed.running()).toEqual(['main#0', 'next#0']);
      expect(bed.container('web')).toMatchObject({ state: { running: {} }, ready: true, started: true });
      await bed.run(60 * SECOND);
      expect(ran).toHaveLength(1);
    });

    test('its failure kills the container, with upstream’s words and no secrets in events', async () => {
      answer = () => done(3, 'secret');
      set({ containers: [{ name: 'main', lifecycle: { postStart: exec('sh', '-c', 'x') } }] });
      await bed.until(() => bed.container('web')?.state?.waiting?.reason === 'PostStartHookError');
      expect(bed.container('web')?.state?.waiting?.message).toBe(
        'Exec lifecycle hook ([sh -c x]) for Container "main" in Pod "web_default(uid-web)" failed - error: ' +
          `command 'sh -c x' exited with 3: secret, message: "secret"`,
      );
      expect(messages('FailedPostStartHook')).toEqual(['PostStartHook failed']);
      expect(messages('Killing')).toEqual(['FailedPostStartHook']);
      expect(JSON.stringify(bed.events.list())).not.toContain('secret');
      expect(graces()).toEqual([30]);
      answer = () => done();
      await bed.runUntil(() => bed.container('web')?.ready === true);
      expect(bed.container('web')).toMatchObject({
        restartCount: 1,
        lastState: { terminated: { exitCode: 143 } },
      });
    });

    test('a failing one is backed off like a crash', async () => {
      answer = () => done(1);
      set({ containers: [{ name: 'main', lifecycle: { postStart: exec('x') } }] });
      await bed.run(65 * SECOND);
      // At once, after 1 s, after 10, after 20 more.
      expect(ran.length).toBeLessThanOrEqual(5);
      expect(bed.container('web')?.state?.waiting?.reason).toBe('CrashLoopBackOff');
    });

    test('tcpSocket is no handler', async () => {
      set({ containers: [{ name: 'main', lifecycle: { postStart: { tcpSocket: { port: 80 } } } }] });
      await bed.until(() => bed.container('web')?.state?.waiting?.reason === 'PostStartHookError');
      expect(bed.container('web')?.state?.waiting?.message).toBe(
        'Cannot run handler: invalid handler: tcpSocket',
      );
    });

    test('sleep', async () => {
      set({ containers: [{ name: 'main', lifecycle: { postStart: { sleep: { seconds: 4 } } } }] });
      await bed.until(() => bed.running().length === 1);
      await bed.run(3900);
      expect(bed.container('web')?.ready).toBe(false);
      await bed.run(200);
      expect(bed.container('web')?.ready).toBe(true);
    });

    test('probes wait for it', async () => {
      let probed = 0;
      bed.probe = () => Promise.resolve({ kind: 'success', words: String(++probed) });
      answer = () => after(5 * SECOND, done());
      set({
        containers: [
          {
            name: 'main',
            lifecycle: { postStart: exec('x') },
            livenessProbe: { tcpSocket: { port: 1 }, periodSeconds: 1 },
          },
        ],
      });
      await bed.until(() => ran.length === 1);
      await bed.run(4 * SECOND);
      expect(probed).toBe(0);
      await bed.run(2 * SECOND);
      expect(probed).toBeGreaterThan(0);
    });

    test('one that was cut off by the agent’s end runs again', async () => {
      answer = () => after(10 * SECOND, done());
      set({ containers: [{ name: 'main', lifecycle: { postStart: exec('x') } }] });
      await bed.until(() => ran.length === 1);
      bed.restartAgent();
      answer = () => after(SECOND, done());
      set({ containers: [{ name: 'main', lifecycle: { postStart: exec('x') } }] });
      await bed.until(() => ran.length === 2);
      expect(bed.container('web')).toMatchObject({ ready: false, restartCount: 0 });
      await bed.run(2 * SECOND);
      expect(bed.container('web')).toMatchObject({ ready: true, restartCount: 0 });
      bed.restartAgent();
      set({ containers: [{ name: 'main', lifecycle: { postStart: exec('x') } }] });
      await bed.until(() => bed.container('web')?.ready === true);
      await bed.run(SECOND);
      expect(ran).toHaveLength(2);
    });

    test('the pod’s end doesn’t wait for it', async () => {
      answer = () => new Promise(() => undefined);
      set({ containers: [{ name: 'main', lifecycle: { postStart: exec('x') } }] });
      await bed.until(() => ran.length === 1);
      bed.workers.setDesired([]);
      await bed.runUntil(() => bed.workers.uids().size === 0);
      expect(messages('FailedPostStartHook')).toEqual([]);
    });
  });

  describe('preStop', () => {
    const withHook = (preStop: NonNullable<Lifecycle['preStop']>, more: object = {}) => ({
      containers: [{ name: 'main', lifecycle: { preStop } }],
      ...more,
    });
    const start = async (spec: Parameters<typeof makePod>[1], count = 1): Promise<void> => {
      set(spec);
      await bed.until(() => bed.running().length === count);
    };

    test('runs before TERM, after the event, and its whole seconds are taken from the grace period', async () => {
      let killing = 0;
      answer = () => {
        killing = messages('Killing').length;
        return after(4600, done());
      };
      await start(withHook(exec('drain')));
      bed.workers.setDesired([]);
      await bed.until(() => ran.length === 1);
      expect(killing).toBe(1);
      expect(graces()).toEqual([]);
      await bed.run(10 * SECOND);
      expect(bed.workers.uids().size).toBe(0);
      expect(graces()).toEqual([26]);
    });

    test('one that takes too long gets cut off, and the container still 2 s', async () => {
      answer = () => new Promise(() => undefined);
      await start(withHook(exec('drain'), { terminationGracePeriodSeconds: 10 }));
      bed.workers.setDesired([]);
      await bed.run(9 * SECOND);
      expect(graces()).toEqual([]);
      await bed.run(2 * SECOND);
      expect(bed.workers.uids().size).toBe(0);
      expect(graces()).toEqual([2]);
    });

    test('a pod that is to go at once gives it one second', async () => {
      answer = () => new Promise(() => undefined);
      await start(withHook(exec('drain')));
      bed.workers.end('uid-web', { gracePeriodSeconds: 0, forget: true });
      await bed.until(() => ran.length === 1);
      expect(graces()).toEqual([]);
      await bed.run(SECOND);
      expect(graces()).toEqual([2]);
    });

    test('an agent that comes when the grace period is over has no time for it', async () => {
      bed.runtime.behave('main', { ignoresTerm: true });
      answer = () => new Promise(() => undefined);
      const spec = withHook(exec('drain'));
      await start(spec);
      bed.workers.end('uid-web', { gracePeriodSeconds: 30, forget: true });
      await bed.until(() => ran.length === 1);
      bed.killAgent();
      await bed.clock.advance(40 * SECOND);
      bed.restartAgent();
      set(spec);
      bed.workers.end('uid-web', { gracePeriodSeconds: 30, forget: true });
      await bed.until(() => graces().length === 1);
      expect(graces()).toEqual([2]);
      expect(ran).toHaveLength(1);
    });

    test('its failure is told and changes nothing', async () => {
      answer = () => done(1, 'secret');
      await start(withHook(exec('drain')));
      bed.workers.setDesired([]);
      await bed.runUntil(() => bed.workers.uids().size === 0);
      expect(messages('FailedPreStopHook')).toEqual(['PreStopHook failed']);
      expect(JSON.stringify(bed.events.list())).not.toContain('secret');
    });

    test('a shorter grace period doesn’t run it again, and doesn’t wait longer for it', async () => {
      answer = () => after(20 * SECOND, done());
      await start(withHook(exec('drain')));
      bed.workers.end('uid-web', { gracePeriodSeconds: 30, forget: true });
      await bed.until(() => ran.length === 1);
      await bed.run(3 * SECOND);
      bed.workers.end('uid-web', { gracePeriodSeconds: 5, forget: true });
      await bed.run(4 * SECOND);
      expect(graces()).toEqual([]);
      await bed.run(3 * SECOND);
      expect(graces()).toEqual([2]);
      expect(ran).toHaveLength(1);
    });

    test('an agent that ends after TERM leaves nobody to run it again; one that ends before does', async () => {
      bed.runtime.behave('main', { ignoresTerm: true });
      answer = () => after(5 * SECOND, done());
      const spec = withHook(exec('drain'));
      await start(spec);
      const end = () => bed.workers.end('uid-web', { gracePeriodSeconds: 30, forget: true });
      end();
      await bed.until(() => ran.length === 1);
      await bed.run(2 * SECOND);
      bed.restartAgent();
      set(spec);
      end();
      await bed.until(() => ran.length === 2);
      await bed.run(6 * SECOND);
      expect(graces()).toHaveLength(1);
      bed.restartAgent();
      set(spec);
      end();
      await bed.until(() => graces().length === 2);
      expect(ran).toHaveLength(2);
    });

    test('of a restart, too: before a liveness kill', async () => {
      const answers = ['failure' as const];
      bed.probe = () => Promise.resolve({ kind: answers.pop() ?? 'success', words: '' });
      await start({
        containers: [
          {
            name: 'main',
            lifecycle: { preStop: exec('drain') },
            livenessProbe: { tcpSocket: { port: 1 }, failureThreshold: 1, terminationGracePeriodSeconds: 9 },
          },
        ],
      });
      await bed.runUntil(() => bed.running().includes('main#1'));
      expect(ran).toEqual(['main: drain']);
      expect(graces()).toEqual([9]);
    });

    test('sidecars: all hooks at once, then the order of the ends', async () => {
      answer = (command) => after(command === 'main' ? 6 * SECOND : SECOND, done());
      await start(
        {
          initContainers: ['one', 'two'].map((name) => ({
            name,
            restartPolicy: 'Always',
            lifecycle: { preStop: exec(name) },
          })),
          containers: [{ name: 'main', lifecycle: { preStop: exec('main') } }],
        },
        3,
      );
      bed.workers.setDesired([]);
      await bed.until(() => ran.length === 3);
      await bed.run(10 * SECOND);
      expect(bed.workers.uids().size).toBe(0);
      expect(bed.runtime.script.log('StopContainer').slice(0, 3)).toEqual([
        'StopContainer main',
        'StopContainer two',
        'StopContainer one',
      ]);
    });
  });

  test('httpGet: any status is well, and TLS is given up where the server has none', async () => {
    const seen: string[] = [];
    const server = createServer((request, response) => {
      seen.push(`${request.url} ${request.headers['user-agent']} ${request.headers.authorization}`);
      response.writeHead(500).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const httpGet = {
        host: '127.0.0.1',
        port: 'web',
        path: 'shutdown',
        scheme: 'HTTPS',
        httpHeaders: [{ name: 'Authorization', value: 'Bearer x' }],
      };
      set({
        containers: [
          {
            name: 'main',
            ports: [{ name: 'web', containerPort: port }],
            lifecycle: { postStart: { httpGet }, preStop: { httpGet: { ...httpGet, scheme: 'HTTP' } } },
          },
        ],
      });
      await bed.until(() => bed.container('web')?.ready === true);
      expect(seen).toEqual(['/shutdown kube-lifecycle/1.36 undefined']);
      expect(messages('LifecycleHTTPFallback')).toEqual([
        `request to HTTPS lifecycle hook 127.0.0.1:${port} got HTTP response, retry with HTTP succeeded`,
      ]);
      bed.workers.setDesired([]);
      await bed.runUntil(() => bed.workers.uids().size === 0);
      expect(seen[1]).toBe('/shutdown kube-lifecycle/1.36 Bearer x');
      expect(messages('FailedPreStopHook')).toEqual([]);
    } finally {
      server.close();
    }
  });
});
