/** Standalone mode as a systemd service: what the first boot shows. */
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareLimits, groupOf } from './expected.ts';
import {
  containersOf,
  groupFile,
  home,
  identity,
  nodelet,
  podNamed,
  pods,
  processesBelow,
  processesNamed,
  run,
  warningsOf,
} from './machine.ts';
import type { Pod } from './machine.ts';
import { check, equal, tell, until } from './report.ts';

const manifests = '/etc/nodelet/manifests';
const containerd = '/run/nodelet/containerd/containerd.sock';
/** Containers of these run for ever; the others end or fail by design. */
export const lasting = ['web', 'sidecar', 'guaranteed', 'limits'];
export const ended = ['once', 'retry', 'settings', 'oom'];

const state = async (): Promise<string> =>
  (await run('systemctl', 'show', '--property=ActiveState', '--value', 'nodelet')).trim();
const mainPid = async (): Promise<string> =>
  (await run('systemctl', 'show', '--property=MainPID', '--value', 'nodelet')).trim();

export async function settled(): Promise<string | undefined> {
  const all = await pods();
  const missing = [...lasting, ...ended, 'crash'].filter((name) => !all.has(name));
  if (missing.length > 0) return `no pod ${missing.join(', ')}`;
  const problems = [
    ...lasting.filter((name) => !isReady(all.get(name))),
    ...ended.filter((name) => !['Succeeded', 'Failed'].includes(all.get(name)?.status?.phase ?? '')),
  ];
  return problems.length === 0
    ? undefined
    : problems.map((name) => `${name} is ${all.get(name)?.status?.phase ?? 'unknown'}`).join(', ');
}

const isReady = (pod: Pod | undefined): boolean =>
  pod?.status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') ?? false;

/** What must not change while the agent goes and comes. */
async function picture(): Promise<string[]> {
  const all = await pods();
  return [...lasting, ...ended].map((name) => {
    const pod = all.get(name);
    return pod === undefined ? `${name}: missing` : identity(pod);
  });
}

/** Of pods whose processes stay the same as long as they run. */
async function podProcesses(): Promise<number[]> {
  const all = await pods();
  const found = ['web', 'guaranteed', 'limits'].flatMap((name) => {
    const pod = all.get(name);
    return pod === undefined ? [] : processesBelow(groupOf(pod));
  });
  return found.sort((a, b) => a - b);
}

const runtimeProcesses = (): string[] =>
  ['containerd', 'containerd-shim-runc-v2'].flatMap((name) => processesNamed(name)).sort();

export async function install(): Promise<void> {
  mkdirSync(manifests, { recursive: true });
  writeFileSync('/etc/default/nodelet', 'NODELET_FLAGS="--sandbox-image=nodelet.local/pause:1"\n');
  copyFileSync(join(home, 'deploy/systemd/nodelet.service'), '/etc/systemd/system/nodelet.service');
  await run('systemctl', 'daemon-reload');
  await check('systemd finds nothing to say about the unit', async () => {
    equal(await run('systemd-analyze', 'verify', 'nodelet.service'), '', 'systemd-analyze verify');
  });
  await check('nodelet check finds the machine fit', async () => {
    const text = await run(nodelet, 'check', 'standalone');
    tell('NOTE', text.trimEnd());
    if (text.includes('FAIL')) throw new Error('a line says FAIL');
    if (!text.includes('cgroup v2')) throw new Error('no line says cgroup v2');
  });
}

export async function start(): Promise<void> {
  await check('systemctl enable --now nodelet starts it', async () => {
    await run('systemctl', 'enable', '--quiet', '--now', 'nodelet');
    await until(120, async () => ((await run(nodelet, 'get', 'node')) === '' ? 'no answer' : undefined));
    equal(await state(), 'active', 'the unit');
  });
  for (const file of readdirSync(join(home, 'images'))) {
    await run('ctr', '-a', containerd, '-n', 'k8s.io', 'images', 'import', join(home, 'images', file));
  }
  for (const folder of ['deploy/examples/standalone', 'test/machine/manifests']) {
    for (const file of readdirSync(join(home, folder))) {
      copyFileSync(join(home, folder, file), join(manifests, file));
    }
  }
  await check('the example pods come up', () => until(180, settled));
  tell('NOTE', (await run(nodelet, 'get', 'pods', '-o', 'wide')).trimEnd());
}

/** The unit that a process belongs to. */
const unitOf = (pid: string): string =>
  readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('/').at(-1) ?? '';

export async function units(): Promise<void> {
  await check('containerd and the shims have a unit of their own', async () => {
    equal(unitOf(await mainPid()), 'nodelet.service', 'the agent’s unit');
    const runtime = runtimeProcesses().map((each) => unitOf(each.split('@')[0] ?? ''));
    const wrong = runtime.filter((unit) => !/^nodelet-containerd-[0-9a-f]{8}\.scope$/.test(unit));
    equal(wrong, [], 'other units');
    if (runtime.length < 2) throw new Error(`only ${runtime.length} processes of the runtime`);
  });
}

export async function limits(): Promise<void> {
  for (const name of ['guaranteed', 'limits', 'web']) {
    await check(`cgroup v2 limits of ${name} and its containers`, async () => {
      const pod = await podNamed(name);
      compareLimits(name, pod, groupOf(pod));
    });
  }
  await check('the QoS classes have their part of the CPU', () => {
    equal(groupFile('kubepods/besteffort', 'cpu.weight'), '1', 'besteffort cpu.weight');
    // 500m of pod limits; oom requests no CPU.
    equal(groupFile('kubepods/burstable', 'cpu.weight'), '59', 'burstable cpu.weight');
  });
  await check('an OOM kill takes the whole container and says OOMKilled', async () => {
    const pod = await podNamed('oom');
    const ended = containersOf(pod)[0]?.state?.['terminated'];
    equal([ended?.reason, ended?.exitCode], ['OOMKilled', 137], 'how it ended');
    equal(pod.status?.phase, 'Failed', 'the phase');
  });
  await check('the agent and its runtime are not in the pods’ groups', async () => {
    const all = processesBelow('kubepods').map(String);
    const wrong = runtimeProcesses()
      .map((each) => each.split('@')[0] ?? '')
      .filter((pid) => all.includes(pid));
    equal(wrong, [], 'runtime processes in kubepods');
    equal(all.includes(await mainPid()), false, 'the agent in kubepods');
  });
  await check('nodelet top reads cgroup v2', async () => {
    const text = await run(nodelet, 'top', 'pods', '-A');
    if (!text.includes('guaranteed')) throw new Error(text);
  });
}

/** The unit has a new process, or undefined. */
async function replaced(before: string): Promise<string | undefined> {
  const now = await mainPid();
  return now === before || now === '0' ? `the process is ${now}` : undefined;
}

/** Runs `work`, which takes the agent away and brings it back; pods, shims and containerd must not notice. */
async function survives(name: string, work: () => Promise<void>): Promise<void> {
  // Also after a check that failed half-way.
  await run('systemctl', 'start', 'nodelet');
  await until(60, settled).catch(() => undefined);
  await check(name, async () => {
    const before = await picture();
    const processes = { pods: await podProcesses(), runtime: runtimeProcesses() };
    const agent = await mainPid();
    await work();
    await until(120, settled);
    if ((await mainPid()) === agent) throw new Error('the agent is the same process as before');
    equal(await picture(), before, 'containers and restart counts');
    equal(await podProcesses(), processes.pods, 'the pods’ processes');
    equal(runtimeProcesses(), processes.runtime, 'containerd and its shims');
  });
}

export async function restarts(): Promise<void> {
  await survives('systemctl stop and start: same containers, same processes', async () => {
    const processes = await podProcesses();
    const runtime = runtimeProcesses();
    await run('systemctl', 'stop', 'nodelet');
    equal(await state(), 'inactive', 'the unit');
    equal(
      processesBelow('kubepods').filter((pid) => processes.includes(pid)),
      processes,
      'the pods’ processes while it is stopped',
    );
    equal(runtimeProcesses(), runtime, 'containerd and its shims while it is stopped');
    await run('systemctl', 'start', 'nodelet');
  });
  await survives('systemctl restart: same containers', async () => {
    await run('systemctl', 'restart', 'nodelet');
  });
  await survives('the agent is killed: systemd starts it again, same containers', async () => {
    const before = await mainPid();
    await run('systemctl', 'kill', '--kill-whom=main', '--signal=KILL', 'nodelet');
    await until(60, () => replaced(before));
  });
  await survives('systemctl kill -s KILL nodelet, all of the unit: same containers', async () => {
    const before = await mainPid();
    await run('systemctl', 'kill', '--signal=KILL', 'nodelet');
    await until(60, () => replaced(before));
  });
  await check('the private containerd is killed: it comes back, same containers', async () => {
    const before = await picture();
    const [first = ''] = processesNamed('containerd');
    process.kill(Number(first.split('@')[0]), 'SIGKILL');
    await until(60, () => {
      const now = processesNamed('containerd');
      return now.length === 1 && now[0] !== first ? undefined : `containerd: ${now.join(', ')}`;
    });
    await until(60, settled);
    equal(await picture(), before, 'containers and restart counts');
  });
  const problems = await warningsOf('nodelet');
  tell('NOTE', `warnings of the unit:\n${problems.slice(-3000)}`);
}

const memory = '/var/lib/machine-test/before-reboot.json';

export async function remember(): Promise<void> {
  await run('systemctl', 'start', 'nodelet');
  await until(60, settled).catch(() => undefined);
  const all = Object.fromEntries(await pods());
  mkdirSync('/var/lib/machine-test', { recursive: true });
  writeFileSync(memory, JSON.stringify(all));
}

export async function afterReboot(): Promise<void> {
  const before = JSON.parse(readFileSync(memory, 'utf8')) as Record<string, Pod>;
  await check('after a reboot the pods come back by themselves', () => until(180, settled));
  tell('NOTE', (await run(nodelet, 'get', 'pods', '-A')).trimEnd());
  const after = await pods();
  const counts = (pod: Pod | undefined): number[] =>
    (pod?.status?.containerStatuses ?? []).map((each) => each.restartCount);
  for (const name of lasting) {
    await check(`after a reboot ${name} has restarted once more, under its UID`, () => {
      equal(
        counts(after.get(name)),
        counts(before[name]).map((count) => count + 1),
        'restart counts',
      );
      equal(after.get(name)?.metadata.uid, before[name]?.metadata.uid, 'the UID');
    });
  }
  for (const name of ended) {
    await check(`after a reboot ${name} is ended as before and did not run again`, () => {
      equal(counts(after.get(name)), counts(before[name]), 'restart counts');
      equal(after.get(name)?.status?.phase, before[name]?.status?.phase, 'the phase');
    });
  }
  await check('after a reboot nothing is there twice', async () => {
    const ctr = ['-a', containerd, '-n', 'k8s.io'];
    const tasks = (await run('ctr', ...ctr, 'tasks', 'list'))
      .split('\n')
      .filter((line) => / RUNNING/.test(line));
    // A sandbox and its containers each; sidecar has its helper, limits two, crash its sandbox and maybe a container.
    const least = 2 + 3 + 2 + 3 + 1;
    if (tasks.length < least || tasks.length > least + 1) {
      throw new Error(`${tasks.length} tasks run, not ${least} or one more`);
    }
    equal(processesNamed('containerd').length, 1, 'containerds');
    for (const name of lasting) {
      const pod = after.get(name);
      if (pod !== undefined && name !== 'sidecar' && name !== 'web') compareLimits(name, pod, groupOf(pod));
    }
  });
}
