import { mkdir, mkdtemp, readFile, rename } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '#cri/grpc/connect.ts';
import type { RuntimeConnection } from '#cri/grpc/connect.ts';
import { runtimeStatus } from '#cri/errors.ts';
import { containerConfig, sandboxConfig } from '#cri/testing/configs.ts';
import { until } from '#cri/testing/contract.ts';
import { systemClock } from '#host/clock.ts';
import { containerdVersion, startContainerd } from '#test/bed/containerd.ts';
import type { TestContainerd } from '#test/bed/containerd.ts';
import { startRegistry } from '#test/bed/registry.ts';
import type { TestRegistry } from '#test/bed/registry.ts';
import { busyboxImage } from '../../../scripts/image/images.ts';

let containerd: TestContainerd;
let registry: TestRegistry;
let connection: RuntimeConnection;
let major: number;
let minor: number;
let logs: string;
const pod = sandboxConfig('web');
let sandbox: string;

beforeAll(async () => {
  registry = await startRegistry({ auth: { username: 'ann', password: 'secret' } });
  containerd = await startContainerd({ registryConfig: registry.configDir });
  connection = await connect(containerd.endpoint, { clock: systemClock });
  [major = 0, minor = 0] = await containerdVersion();
  logs = await mkdtemp(join(tmpdir(), 'logs-'));
  await mkdir(join(logs, 'app'));
  pod.logDirectory = logs;
  sandbox = await connection.runtime.runPodSandbox(pod, '');
});

afterAll(async () => {
  connection?.close();
  await containerd?.destroy();
  await registry?.destroy();
});

let containers = 0;
async function start(
  script: string,
  more: Partial<Parameters<typeof containerConfig>[2]> = {},
): Promise<string> {
  const config = containerConfig(`c${(containers += 1)}`, containerd.image, {
    command: ['/bin/sh', '-c', script],
    ...more,
  });
  const id = await connection.runtime.createContainer(sandbox, config, pod);
  await connection.runtime.startContainer(id);
  return id;
}

const text = (buffer: Buffer): string => buffer.toString('utf8');
const statusOf = (call: Promise<unknown>): Promise<unknown> => call.then(() => 'OK', runtimeStatus);

describe('the runtime itself', () => {
  test('version, status and cgroup driver', async () => {
    const { runtime, version } = connection;
    expect(version).toMatchObject({ runtimeName: 'containerd', runtimeApiVersion: 'v1' });
    const { conditions, runtimeHandlers } = await runtime.status();
    expect(conditions).toContainEqual({ type: 'RuntimeReady', status: true, reason: '', message: '' });
    expect(conditions).toContainEqual({ type: 'NetworkReady', status: true, reason: '', message: '' });
    if (major >= 2) expect(runtimeHandlers.map((each) => each.name)).toContain('runc');
    expect(await runtime.cgroupDriver()).toBe(major >= 2 ? 'cgroupfs' : undefined);
    await runtime.updatePodCidr('10.1.2.0/24');
  });
});

describe('what a container gets', () => {
  test('environment, arguments, user, working directory and mounts', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mount-'));
    const config = containerConfig('config', containerd.image, {
      command: [
        '/bin/sh',
        '-c',
        'echo "$GREETING|$0|$(id -u):$(id -g):$(id -G)|$(pwd)" >/out/file; sleep 1000',
      ],
      args: ['argument'],
      envs: [{ key: 'GREETING', value: 'grüß "dich"\n' }],
      workingDir: '/tmp',
      mounts: [
        { containerPath: '/out', hostPath: folder, readonly: false, propagation: 'PROPAGATION_PRIVATE' },
      ],
    });
    config.linux.securityContext.runAsUser = 0;
    config.linux.securityContext.runAsGroup = 7;
    config.linux.securityContext.supplementalGroups = [5000];
    config.linux.resources = { cpuShares: 512, memoryLimitInBytes: 64 << 20, oomScoreAdj: 1000 };
    const id = await connection.runtime.createContainer(sandbox, config, pod);
    await connection.runtime.startContainer(id);
    const written = await until(
      () => readFile(join(folder, 'file'), 'utf8').catch(() => ''),
      (words) => words.endsWith('/tmp\n'),
    );
    expect(written).toContain('grüß "dich"\n|argument|0:7:7 ');
    expect(written).toContain('5000');
    const status = await connection.runtime.containerStatus(id);
    expect(status.mounts).toMatchObject([{ containerPath: '/out', hostPath: folder, readonly: false }]);
    if (major >= 2) expect(status.user).toMatchObject({ uid: 0, gid: 7 });
    const score = await connection.runtime.execSync(id, ['/bin/cat', '/proc/1/oom_score_adj'], 5);
    expect(text(score.stdout)).toBe('1000\n');
    await connection.runtime.updateContainerResources(id, { cpuShares: 256, memoryLimitInBytes: 128 << 20 });
  });

  test('its output in its log, and another file after the log was moved away and reopened', async () => {
    const id = await start('i=0; while :; do echo line $i; i=$((i+1)); sleep 0.05; done', {
      logPath: 'app/0.log',
    });
    const file = join(logs, 'app/0.log');
    const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
    await until(
      () => read(file),
      (log) => log.includes('line 3'),
    );
    await rename(file, `${file}.old`);
    await connection.runtime.reopenContainerLog(id);
    const fresh = await until(
      () => read(file),
      (log) => log.split('\n').length > 3,
    );
    const old = await read(`${file}.old`);
    expect(old).toMatch(/^\S+ stdout F line 0\n/);
    const numbers = `${old}${fresh}`.match(/(?<=line )\d+/g)?.map(Number) ?? [];
    expect(numbers).toEqual(numbers.map((_, index) => index));
    expect((await connection.runtime.containerStatus(id)).logPath).toBe(file);
  });

  test('OOMKilled when it takes more memory than it may', async () => {
    const config = containerConfig('hungry', containerd.image, {
      command: ['/bin/sh', '-c', 'exec dd if=/dev/zero of=/dev/null bs=200M count=5'],
    });
    config.linux.resources = { memoryLimitInBytes: 32 << 20, memorySwapLimitInBytes: 32 << 20 };
    const id = await connection.runtime.createContainer(sandbox, config, pod);
    await connection.runtime.startContainer(id);
    const status = await until(
      () => connection.runtime.containerStatus(id),
      (each) => each.state === 'CONTAINER_EXITED',
    );
    expect(status).toMatchObject({ reason: 'OOMKilled', exitCode: 137 });
  });
});

describe('exec', () => {
  let id: string;
  beforeAll(async () => {
    id = await start('while :; do sleep 0.1; done');
  });

  test('output, error output and exit code', async () => {
    const result = await connection.runtime.execSync(
      id,
      ['/bin/sh', '-c', 'echo out; echo err >&2; exit 4'],
      10,
    );
    expect([text(result.stdout), text(result.stderr), result.exitCode]).toEqual(['out\n', 'err\n', 4]);
  });

  test('its time-out is DEADLINE_EXCEEDED, soon, and ends the command', async () => {
    const began = performance.now();
    expect(await statusOf(connection.runtime.execSync(id, ['/bin/sleep', '777'], 1))).toBe(
      'DEADLINE_EXCEEDED',
    );
    expect(performance.now() - began).toBeLessThan(4000);
    const processes = await connection.runtime.execSync(id, ['/bin/ps'], 10);
    expect(text(processes.stdout)).not.toContain('777');
  });

  test('a program that is not there', async () => {
    expect(await statusOf(connection.runtime.execSync(id, ['/no/such/program'], 10))).toBe('UNKNOWN');
  });

  test('8 MiB of output', async () => {
    const command = ['/bin/sh', '-c', 'head -c 8388608 /dev/zero'];
    expect((await connection.runtime.execSync(id, command, 60)).stdout.length).toBe(8 << 20);
  });

  test('its signal ends the call', async () => {
    const signal = AbortSignal.timeout(200);
    const call = connection.runtime.execSync(id, ['/bin/sleep', '5'], 10, { signal });
    await expect(call).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  test('streams are served at the URL that comes', async () => {
    const both = { tty: false, stdin: false, stdout: true, stderr: true };
    const urls = [
      await connection.runtime.exec({ containerId: id, cmd: ['/bin/true'], ...both }),
      await connection.runtime.attach({ containerId: id, ...both }),
      await connection.runtime.portForward(sandbox, [80]),
    ];
    for (const url of urls) {
      const protocol = await new Promise((resolve, reject) => {
        const headers = {
          Connection: 'Upgrade',
          Upgrade: 'SPDY/3.1',
          'X-Stream-Protocol-Version': url.includes('portforward')
            ? 'portforward.k8s.io'
            : 'v4.channel.k8s.io',
        };
        const ask = request(url, { method: 'POST', headers, agent: false });
        ask.on('upgrade', (response, socket) => {
          socket.destroy();
          resolve(response.headers['upgrade']);
        });
        ask.on('response', (response) => reject(new Error(`status ${response.statusCode}`)));
        ask.on('error', reject);
        ask.end();
      });
      expect(protocol).toBe('SPDY/3.1');
    }
  });
});

describe('images', () => {
  test('pulled with the right credentials only, and removed', async () => {
    const { images } = connection;
    const name = `${registry.host}/team/app:1`;
    await registry.push({ ...(await busyboxImage()), name });
    expect(await statusOf(images.pullImage({ image: name }, undefined, undefined))).not.toBe('OK');
    expect(
      await statusOf(images.pullImage({ image: name }, { username: 'ann', password: 'x' }, undefined)),
    ).not.toBe('OK');
    const reference = await images.pullImage(
      { image: name },
      { username: 'ann', password: 'secret' },
      undefined,
    );
    const image = await images.imageStatus({ image: name });
    expect(image?.id).toBe(reference);
    expect(image?.repoDigests[0]).toMatch(/\/team\/app@sha256:[0-9a-f]{64}$/);
    await images.removeImage({ image: name });
    expect((await images.imageStatus({ image: name }))?.repoTags ?? []).not.toContain(name);
  });

  test('one that the registry does not have', async () => {
    const auth = { username: 'ann', password: 'secret' };
    const image = `${registry.host}/team/none:1`;
    expect(await statusOf(connection.images.pullImage({ image }, auth, undefined))).toBe('NOT_FOUND');
  });

  test('a pull without answer ends with its signal', async () => {
    const signal = AbortSignal.timeout(500);
    const call = connection.images.pullImage({ image: '192.0.2.53:5000/none:1' }, undefined, undefined, {
      signal,
    });
    await expect(call).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  test('one may be pinned', async () => {
    const image = await connection.images.imageStatus({ image: containerd.pauseImage });
    expect(image?.uid).toBe(65_535);
    expect(image?.pinned).toBe(major >= 2 || minor >= 7);
  });
});
