import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { assertBed } from '../../bed/bed.ts';
import { exec } from '../../bed/exec.ts';
import { processes, takeInventory } from '../../bed/inventory.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const main = join(root, 'scripts/quickstart/main.ts');
// The quickstart takes the containerd that comes first in PATH.
const PATH = [dirname(process.env['NODELET_TEST_CONTAINERD'] ?? ''), process.env['PATH']].join(delimiter);

beforeAll(async () => {
  assertBed();
  await exec(process.execPath, [join(root, 'scripts/build.ts')]);
});

/** All that the quickstart may leave on the machine. */
async function traces(): Promise<object> {
  const folders = ['/var/lib/nodelet', '/run/nodelet', '/run/containerd/s', '/var/lib/cni/results'];
  const names = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
  const rules = await exec('iptables-save', []);
  const own = /containerd|nodelet(\.mjs)? standalone/;
  return {
    ...(await takeInventory({ socket: '', dir: '/var/lib/nodelet' })),
    folders: await Promise.all(folders.map(names)),
    links: await names('/sys/class/net'),
    cgroups: (await names('/sys/fs/cgroup/memory')).filter((name) => /kubepods|nodelet/.test(name)),
    rules: rules.split('\n').filter((line) => /^(-A|:CNI)/.test(line)),
    processes: (await processes()).filter(({ args }) => own.test(args.join(' '))).map(({ args }) => args),
  };
}

async function quickstart(
  args: string[],
  onOutput: (text: string, pid: number) => void,
): Promise<{ status: number | null; output: string }> {
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...process.env, PATH },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    onOutput(output, child.pid ?? 0);
  });
  const [status] = (await once(child, 'exit')) as [number | null];
  return { status, output };
}

test('the check ends by itself with every example as it should be', async () => {
  const { status, output } = await quickstart(['--check'], () => undefined);
  expect(output).toContain('every example pod is as it should be');
  expect(status).toBe(0);
});

test('TERM ends it and cleans up', async () => {
  const before = await traces();
  let told = false;
  const { status, output } = await quickstart([], (text, pid) => {
    // Not before pods run, so that there is something to clean up.
    if (told || !/web-quickstart\s+1\/1\s+Running/.test(text)) return;
    told = true;
    process.kill(pid, 'SIGTERM');
  });
  expect(output).toContain('curl http://10.');
  expect(status).toBe(0);
  expect(await traces()).toEqual(before);
});

test('one that was killed is cleaned up by the next', async () => {
  const before = await traces();
  let told = false;
  await quickstart([], (text, pid) => {
    if (told || !/ContainerCreating|Running/.test(text)) return;
    told = true;
    process.kill(pid, 'SIGKILL');
  });
  expect(existsSync('/var/lib/nodelet/quickstart')).toBe(true);
  const agents = async (): Promise<unknown[]> =>
    (await processes()).filter(({ args }) => args.includes('standalone'));
  await expect.poll(agents, { timeout: 10_000 }).toEqual([]);
  told = false;
  const { status, output } = await quickstart([], (text, pid) => {
    if (told || !/web-quickstart\s+1\/1\s+Running/.test(text)) return;
    told = true;
    process.kill(pid, 'SIGINT');
  });
  expect(output).toContain('an earlier quickstart left');
  expect(status).toBe(0);
  expect(await traces()).toEqual(before);
});
