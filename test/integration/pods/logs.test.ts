import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { container, hasPhase, isRunning, podManifest, statusOf, untilTerm } from '#test/bed/manifests.ts';
import { useNode } from './node.ts';

const node = useNode({ flags: ['--container-log-max-size=16Ki', '--container-log-max-files=3'] });
const program = process.env['NODELET_TEST_PROGRAM'] ?? 'bin/nodelet';

test('all, the last lines, with times, since a time, at most so many bytes', async () => {
  const script = 'for i in 1 2 3 4 5; do echo line $i; done; echo error >&2';
  await node.agent.write(
    'short.yaml',
    podManifest('short', [container('main', script)], { restartPolicy: 'Never' }),
  );
  await node.agent.waitForPod('short', hasPhase('Succeeded'));
  const logs = async (...flags: string[]): Promise<string[]> =>
    (await node.agent.cli('logs', 'short', ...flags)).stdout.split('\n').slice(0, -1);
  const all = await logs();
  // Two streams: the runtime keeps the order of each.
  expect(all.toSorted()).toEqual(['error', 'line 1', 'line 2', 'line 3', 'line 4', 'line 5']);
  expect(await logs('--tail=2')).toEqual(all.slice(-2));
  expect(await logs('--tail=0')).toEqual([]);
  expect((await logs('--timestamps', '--tail=1'))[0]).toMatch(
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z (error|line 5)$/,
  );
  expect((await logs('--since=1h')).length).toBe(6);
  expect(await logs('--since-time=2126-01-01T00:00:00Z')).toEqual([]);
  expect((await node.agent.cli('logs', 'short', '--limit-bytes=9')).stdout).toBe(
    `${all.join('\n')}\n`.slice(0, 9),
  );
  const missing = await node.agent.cli('logs', 'short', '-p');
  expect(missing.code).toBe(1);
  expect(missing.stderr).toContain('previous terminated container "main" in pod "short-n1" not found');
});

test('-p is the log of the instance before', async () => {
  const script = `cat /data/n 2>/dev/null && { ${untilTerm}; }; echo second >/data/n; echo first; exit 1`;
  await node.agent.write(
    'previous.yaml',
    podManifest(
      'previous',
      [container('main', script, { volumeMounts: [{ name: 'd', mountPath: '/data' }] })],
      {
        volumes: [{ name: 'd', emptyDir: {} }],
      },
    ),
  );
  await node.agent.waitForPod('previous', (view) => isRunning(view) && statusOf(view)?.restartCount === 1);
  await node.agent.waitFor(async () => (await node.agent.cli('logs', 'previous')).stdout === 'second\n');
  expect((await node.agent.cli('logs', 'previous', '-p')).stdout).toBe('first\n');
});

test('-f goes on across rotation and ends with the container', async () => {
  const lines = 700;
  // About 110 bytes a line, over some 15 seconds: the rotator looks every 10 seconds.
  const script = `i=0; while [ $i -lt ${lines} ]; do i=$((i+1)); echo "$i ${'x'.repeat(100)}"; [ $((i % 5)) = 0 ] && sleep 0.1; done; exit 0`;
  await node.agent.write(
    'long.yaml',
    podManifest('long', [container('main', script)], { restartPolicy: 'Never' }),
  );
  const view = await node.agent.waitForPod('long', isRunning);
  const child = spawn(program, ['logs', '-f', 'long', `--socket=${node.agent.socket}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let seen = '';
  child.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString()));
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect(code).toBe(0);
  expect(
    seen
      .trimEnd()
      .split('\n')
      .map((line) => Number(line.split(' ')[0])),
  ).toEqual(Array.from({ length: lines }, (_, index) => index + 1));
  const folder = join(node.agent.podLogs, `default_long-n1_${view.pod.metadata?.uid}`, 'main');
  const files = (await readdir(folder)).sort();
  expect(files[0]).toBe('0.log');
  expect(files.length).toBeGreaterThan(1);
  expect(files.length).toBeLessThanOrEqual(3);
});
