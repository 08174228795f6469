import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { KubeletOptions } from '#config/kubelet-options.ts';
import type { StandaloneOptions } from '#config/standalone-options.ts';
import { systemClock } from '#host/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { silentLogger } from '#lib/logger.ts';
import { LocalServer } from '#server/local-server.ts';
import { FakeView, podView } from '#server/testing/fake-view.ts';
import type { PodView } from '#server/view.ts';
import { runCli } from './run.ts';

const now = Date.UTC(2026, 0, 1, 1);
const ago = (seconds: number): string => new Date(now - seconds * 1000).toISOString();
const clock: Clock = { ...systemClock, now: () => now };

class Sink extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

let folder: string;
let socket: string;
let view: FakeView;
let server: LocalServer;
let started: { kubelet?: KubeletOptions; standalone?: StandaloneOptions };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nodelet-'));
  socket = join(folder, 'nodelet.sock');
  view = new FakeView();
  started = {};
  const info = {
    pid: 1,
    mode: 'standalone',
    version: '',
    kubernetesVersion: '',
    nodeName: '',
    startedAt: 0,
  } as const;
  server = new LocalServer({ socket, view, info, clock: systemClock, logger: silentLogger });
  await server.start();
});

afterEach(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Result {
  status: number;
  out: string;
  err: string;
}

async function run(
  line: string | string[],
  options: { stdin?: Readable; calledAs?: string } = {},
): Promise<Result> {
  const stdout = new Sink();
  const stderr = new Sink();
  const status = await runCli(
    typeof line === 'string' ? line.split(' ').filter((word) => word !== '') : line,
    options.calledAs ?? '/usr/bin/nodelet',
    {
      standalone: (given) => {
        started.standalone = given;
        return Promise.resolve(0);
      },
      kubelet: (given) => {
        started.kubelet = given;
        return Promise.resolve(0);
      },
    },
    { stdin: options.stdin ?? Readable.from([]), stdout, stderr, env: { NODELET_SOCKET: socket }, clock },
  );
  return { status, out: stdout.text, err: stderr.text };
}

const web = (): PodView => ({
  ...podView('default', 'web-node', {
    metadata: { namespace: 'default', name: 'web-node', uid: 'u1', creationTimestamp: ago(300) },
    status: {
      phase: 'Running',
      podIP: '10.87.0.5',
      podIPs: [{ ip: '10.87.0.5' }],
      containerStatuses: [
        {
          name: 'app',
          image: 'busybox',
          imageID: 'sha256:1',
          ready: true,
          restartCount: 2,
          state: { running: { startedAt: ago(60) } },
          lastState: { terminated: { exitCode: 1, finishedAt: ago(65) } },
        },
      ],
    },
  }),
  origin: 'file /etc/nodelet/manifests/web.yaml',
});

const db = (): PodView =>
  podView('other', 'db-node', {
    metadata: { namespace: 'other', name: 'db-node', uid: 'u2', creationTimestamp: ago(7200) },
    status: { phase: 'Pending' },
  });

describe('get', () => {
  beforeEach(() => {
    view.podViews = [db(), web()];
  });

  test('pods of the default namespace', async () => {
    const { status, out, err } = await run('get pods');
    expect(out).toBe(
      'NAME       READY   STATUS    RESTARTS      AGE\nweb-node   1/1     Running   2 (65s ago)   5m\n',
    );
    expect([status, err]).toEqual([0, '']);
  });

  test('all namespaces, wide', async () => {
    expect((await run('get po -A -o wide')).out).toBe(
      'NAMESPACE   NAME       READY   STATUS    RESTARTS      AGE    IP          NODE   NOMINATED NODE   READINESS GATES\n' +
        'default     web-node   1/1     Running   2 (65s ago)   5m     10.87.0.5   node   <none>           <none>\n' +
        'other       db-node    0/1     Pending   0             120m   <none>      node   <none>           <none>\n',
    );
  });

  test.each([
    ['get pods -o name -A', 'pod/web-node\npod/db-node\n'],
    ['get pod web -o name', 'pod/web-node\n'],
    ['get pod/web-node -o=name', 'pod/web-node\n'],
    ['get pods other/db -o name', 'pod/db-node\n'],
    ['get pods -nother -oname', 'pod/db-node\n'],
    ['get pods db --no-headers -n other', 'db-node   0/1   Pending   0     120m\n'],
  ])('%s', async (line, out) =>
    expect((await run(line)).out.replaceAll(/ {3,}/g, '   ')).toBe(out.replaceAll(/ {3,}/g, '   ')),
  );

  test('json of one, yaml of several', async () => {
    expect(JSON.parse((await run('get pod web -o json')).out)).toEqual(web().pod);
    const yaml = (await run('get pods -A -o yaml')).out;
    expect(yaml).toMatch(/^apiVersion: v1\nitems:\n/);
    expect(yaml).toContain('\n    name: db-node\n');
    expect(yaml).toContain('\n    creationTimestamp: "2025-12-31T23:00:00.000Z"\n');
  });

  test('none', async () => {
    expect(await run('get pods -n empty')).toEqual({
      status: 0,
      out: '',
      err: 'No resources found in empty namespace.\n',
    });
  });

  test('a pod that isn’t there, or is elsewhere', async () => {
    expect(await run('get pod nope')).toMatchObject({
      status: 1,
      err: expect.stringContaining('"nope" not found') as string,
    });
    expect((await run('get pod db')).err).toContain('there is one in namespace other');
  });

  test('manifests that are not in force are told', async () => {
    view.problemList = [
      {
        origin: '/etc/nodelet/manifests/a.yaml',
        document: 2,
        field: 'spec',
        message: 'is missing',
        lastGoodRuns: true,
      },
    ];
    expect((await run('get pods')).err).toBe('1 manifest is not in force: see "nodelet get problems"\n');
    const { out } = await run('get problems');
    expect(out).toContain('/etc/nodelet/manifests/a.yaml#2');
    expect(out).toContain('last good');
  });

  test('the node', async () => {
    view.nodeObject = {
      metadata: { name: 'node', creationTimestamp: ago(90), labels: { 'node-role.kubernetes.io/edge': '' } },
      status: {
        conditions: [{ type: 'Ready', status: 'True' }],
        nodeInfo: { kubeletVersion: 'v1.36.2' } as never,
      },
    };
    expect((await run('get node')).out).toBe(
      'NAME   STATUS   ROLES   AGE   VERSION\nnode   Ready    edge    90s   v1.36.2\n',
    );
  });
});

describe('usage errors end with 2, failures with 1', () => {
  test.each([
    ['', 2, ''],
    ['gte', 2, 'did you mean get'],
    ['get', 2, 'get what'],
    ['get podz', 2, 'did you mean pod'],
    ['get pods --outptu=json', 2, 'did you mean --output'],
    ['get pods -o csv', 2, 'allowed: '],
    ['logs', 2, 'takes a pod'],
    ['logs web --since=1h --since-time=2026-01-01T00:00:00Z', 2, 'exclude each other'],
    ['exec web', 2, 'a pod and a command'],
    ['apply', 2, 'by -f'],
    ['delete', 2, 'delete pod'],
    ['describe service', 2, 'allowed: pod, node'],
    ['describe node elsewhere', 1, 'this node is node'],
    ['get services', 1, 'not built yet'],
    ['explain ip 10.0.0.1:80', 1, 'not built yet'],
    ['kube-proxy', 1, 'not built yet'],
    ['kube-proxy --proxy-mode=userspace', 2, 'allowed: '],
    ['run --proxy-config=/no/such/file', 2, 'there is no file /no/such/file'],
    ['kubelet --config=/no/such/file', 2, 'flag --config: there is no file'],
    ['kubelet --feature-gates=Nope=true', 2, 'no feature gate'],
    ['kubelet --no-such', 2, 'unknown flag --no-such'],
    ['logs nope', 1, 'not found'],
    ['get pods --socket=/nonexistent/x.sock', 1, 'no agent runs: there is no socket /nonexistent/x.sock'],
  ])('nodelet %s: %d', async (line, status, message) => {
    const result = await run(line);
    expect(result.status).toBe(status);
    expect(result.err).toContain(message);
  });
});

describe('the daemons', () => {
  test('by command and by the link’s name', async () => {
    await run('kubelet --pod-manifest-path=/m --max-pods=5');
    expect(started.kubelet).toMatchObject({ podManifestPath: '/m', maxPods: 5 });
    await run('--max-pods=7', { calledAs: '/usr/local/bin/kubelet' });
    expect(started.kubelet).toMatchObject({ maxPods: 7 });
    await run('standalone --manifests /m2');
    await run('run --max-pods=9 --kubeconfig=/k --cluster-cidr=10.0.0.0/8');
    expect(started.kubelet).toMatchObject({ maxPods: 9, cluster: { kubeconfig: '/k' } });
    expect(started.kubelet?.warnings.join()).toContain('the proxy role is not built yet');
    expect(started.standalone).toMatchObject({ manifestsDir: '/m2' });
  });

  test('versions, as kubeadm reads them', async () => {
    expect((await run('--version', { calledAs: 'kubelet' })).out).toBe('Kubernetes v1.36.2\n');
    expect((await run('kubelet --version')).out).toBe('Kubernetes v1.36.2\n');
    expect((await run('--version', { calledAs: 'kube-proxy' })).out).toBe('Kubernetes v1.36.2\n');
    expect((await run('version')).out).toMatch(/^nodelet v\d/);
  });

  test.each([
    '--help',
    'help',
    'kubelet --help',
    'kube-proxy --help',
    'run --help',
    'standalone -h',
    'help logs',
    'get --help',
    'exec --help',
    'check --help',
  ])('nodelet %s', async (line) => {
    const result = await run(line);
    expect(result.status).toBe(0);
    expect(result.out).toContain('Usage:');
    expect(started).toEqual({});
  });
});

describe('logs', () => {
  beforeEach(() => {
    view.podViews = [web()];
  });

  test('with options', async () => {
    const result = await run('logs web app --tail=5 --since=1500ms -p --timestamps --limit-bytes=10');
    expect(result).toEqual({ status: 0, out: 'one\ntwo\n', err: '' });
    expect(view.lastLogs).toEqual({
      container: 'app',
      follow: false,
      previous: true,
      timestamps: true,
      tailLines: 5,
      sinceSeconds: 2,
      limitBytes: 10,
    });
  });

  test('one of several containers is named', async () => {
    view.podViews[0]!.pod.spec!.containers.push({ name: 'side' });
    const result = await run('logs -f web');
    expect(result.err).toBe('Defaulted container "app" out of: app, side\n');
    expect(view.lastLogs).toMatchObject({ container: 'app', follow: true });
  });

  test('a reader that goes ends it silently', async () => {
    view.log = async function* endless() {
      for (;;) yield Buffer.from('yes\n');
    };
    const stdout = new PassThrough();
    const stderr = new Sink();
    const none = (): Promise<number> => Promise.resolve(0);
    const ended = runCli(
      ['logs', 'web'],
      'nodelet',
      { standalone: none, kubelet: none },
      { stdin: Readable.from([]), stdout, stderr, env: { NODELET_SOCKET: socket }, clock },
    );
    await new Promise((resolve) => stdout.once('readable', resolve));
    stdout.destroy(Object.assign(new Error('EPIPE'), { code: 'EPIPE' }));
    expect(await ended).toBe(0);
    expect(stderr.text).toBe('');
  });
});

describe('apply and delete', () => {
  test('apply: a file, a directory, standard input', async () => {
    await writeFile(join(folder, 'b.yaml'), 'b');
    await writeFile(join(folder, 'a.json'), 'a');
    await writeFile(join(folder, '.c.yaml'), 'hidden');
    await writeFile(join(folder, 'd.txt'), 'other');
    expect(await run(['apply', '-f', folder])).toEqual({
      status: 0,
      out: 'pod/web created\npod/web created\n',
      err: '',
    });
    expect(view.applied).toEqual(['a', 'b']);
    await run('apply -f -', { stdin: Readable.from(['kind: Pod']) });
    expect(view.applied.at(-1)).toBe('kind: Pod');
    expect(await run(['apply', '-f', join(folder, 'none.yaml')])).toMatchObject({ status: 2 });
  });

  test('delete by name and by file', async () => {
    view.podViews = [web(), db()];
    expect((await run('delete pod web --grace-period=3')).out).toBe('pod "web-node" deleted\n');
    const manifest =
      'kind: Pod\nmetadata:\n  name: db\n  namespace: other\n---\nkind: ConfigMap\nmetadata: {name: cm}\n---\nkind: Job\n';
    await run('delete -f -', { stdin: Readable.from([manifest]) });
    expect(view.deleted).toEqual([
      { namespace: 'default', name: 'web-node', grace: 3 },
      { namespace: 'other', name: 'db-node', grace: undefined },
    ]);
    expect((await run('delete secret/s -n other')).out).toBe('secret "s" deleted\n');
    expect(view.deletedObjects).toEqual(['ConfigMap default/cm', 'Secret other/s']);
    expect((await run('delete deployment web')).err).toContain('delete takes pods, configmaps, secrets');
  });

  test('get configmaps and secrets: names and keys', async () => {
    const from = { origin: '/m/a.yaml', keys: ['a', 'b.conf'] };
    view.objectList = [
      { kind: 'ConfigMap', metadata: { namespace: 'default', name: 'cm' }, ...from },
      { kind: 'Secret', metadata: { namespace: 'default', name: 's' }, type: 'Opaque', ...from },
      { kind: 'Secret', metadata: { namespace: 'ns', name: 't' }, type: 'Opaque', ...from, keys: [] },
    ];
    expect((await run('get cm')).out).toBe('NAME   KEYS       FROM\ncm     a,b.conf   /m/a.yaml\n');
    expect((await run('get secrets -A')).out).toBe(
      'NAMESPACE   NAME   TYPE     KEYS       FROM\n' +
        'default     s      Opaque   a,b.conf   /m/a.yaml\n' +
        'ns          t      Opaque   <none>     /m/a.yaml\n',
    );
    expect((await run('get secret t -n ns -o name')).out).toBe('secret/t\n');
    expect(await run('get configmap none')).toMatchObject({
      status: 1,
      err: expect.stringContaining('configmaps "none" not found in namespace default') as string,
    });
    expect(await run('get cm -n other')).toMatchObject({
      out: '',
      err: 'No resources found in other namespace.\n',
    });
  });
});

describe('explain', () => {
  test('the chain of waits', async () => {
    view.podViews = [
      {
        ...web(),
        waits: [
          {
            subject: 'image busybox:9',
            reason: 'ImagePullBackOff',
            message: 'the registry has no such tag',
            until: now + 42_000,
          },
          { subject: 'container app', reason: 'PodInitializing', message: 'It waits for its image.' },
        ],
      },
    ];
    expect((await run('explain pod web')).out).toBe(
      'pod default/web-node: Running, 1/1 ready, 2 (65s ago) restarts; from file /etc/nodelet/manifests/web.yaml\n' +
        '1. image busybox:9: ImagePullBackOff: the registry has no such tag. Next try in 42s.\n' +
        '2. container app: PodInitializing: It waits for its image.\n',
    );
  });

  test('a pod that never came to be', async () => {
    view.problemList = [
      {
        origin: '/m/x.yaml',
        field: 'spec.containers',
        value: '[]',
        message: 'must not be empty',
        lastGoodRuns: false,
      },
    ];
    const result = await run('explain pod x');
    expect(result.status).toBe(1);
    expect(result.out).toContain(
      'manifest /m/x.yaml is not in force: spec.containers: must not be empty (value: [])',
    );
  });
});

test('top sums containers', async () => {
  const usage = { namespace: 'default', pod: 'web-node' };
  view.usageList = [
    { ...usage, container: 'app', cpuCores: 0.25, memoryBytes: 10 * 1024 * 1024 },
    { ...usage, container: 'side', cpuCores: undefined, memoryBytes: 5 * 1024 * 1024 },
  ];
  expect((await run('top pods')).out).toBe(
    'NAME       CPU(cores)   MEMORY(bytes)\nweb-node   250m         15Mi\n',
  );
  expect((await run('top pods --containers')).out).toContain('web-node   side   <unknown>    5Mi\n');
});
