/**
 * `node test/run.ts [--unit | --containerd MAJOR.MINOR | --control-plane fake|real]… [FILTER…]`: the unit tests, then
 * the integration tests once a containerd, then the cluster tests once a control plane (the fake one; the real one too
 * where KUBEBUILDER_ASSETS names a folder with its programs), each file in a test bed of its own (scripts/isolate):
 * what one leaves behind is not the next one's trouble. FILTER picks test files as vitest does;
 * `--control-plane` runs cluster tests only.
 */
import { glob, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isolate } from '../scripts/isolate/isolate.ts';
import { keepKernelSettings } from '../scripts/isolate/kernel-settings.ts';
import { findContainerds, wanted } from './bed/versions.ts';
import type { Version } from './bed/versions.ts';
import type { Summary } from './bed/summary.ts';
import { findAssets } from './control-plane/real/assets.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const vitest = join(root, 'node_modules/vitest/vitest.mjs');
const minutes = Number(process.env['NODELET_TEST_MINUTES'] ?? 70);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    containerd: { type: 'string', multiple: true },
    'control-plane': { type: 'string', multiple: true },
    unit: { type: 'boolean', default: false },
    'test-name': { type: 'string', short: 't' },
  },
});

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const total: Summary = { passed: 0, failed: [], skipped: [], complete: true };
const results = await mkdtemp(join(tmpdir(), 'nodelet-test-'));

const running = new Set<{ kill(): void }>();
let stopped: string | undefined;
const stop = (why: string): void => {
  stopped ??= why;
  for (const run of running) run.kill();
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop(signal));
const timer = setTimeout(() => stop(`more than ${minutes} minutes`), minutes * 60_000);

type Start = (
  command: string[],
  env: NodeJS.ProcessEnv,
  output: number,
) => Promise<{ status: Promise<number>; kill(): void }>;

const startPlainly: Start = async (command, env, output) => {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    stdio: ['ignore', output, output],
    cwd: root,
    env: { ...process.env, ...env },
  });
  const status = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 137));
  });
  return { status, kill: () => void child.kill('SIGKILL') };
};

async function runProject(
  project: string,
  title: string,
  env: NodeJS.ProcessEnv,
  start: Start,
  files: readonly string[] = positionals,
): Promise<void> {
  if (stopped !== undefined) return;
  const name = join(results, title.replaceAll(/\W+/g, '-'));
  const file = `${name}.json`;
  const command = [
    process.execPath,
    vitest,
    'run',
    '--root',
    root,
    '--project',
    project,
    '--passWithNoTests',
  ];
  command.push('--reporter=default', `--reporter=${join(root, 'test/bed/summary.ts')}`);
  if (values['test-name'] !== undefined) command.push('-t', values['test-name']);
  // Several may run at once: each one's output is shown whole, at its end.
  const output = await open(`${name}.log`, 'w+');
  const run = await start([...command, ...files], { ...env, NODELET_TEST_SUMMARY: file }, output.fd);
  running.add(run);
  if (stopped !== undefined) run.kill();
  const status = await run.status;
  running.delete(run);
  await output.close();
  say(`\n== ${title}\n${await readFile(`${name}.log`, 'utf8')}`);
  const text = await readFile(file, 'utf8').catch(() => undefined);
  const nothing: Summary = { passed: 0, failed: [], skipped: [], complete: false };
  const summary = text === undefined ? nothing : (JSON.parse(text) as Summary);
  if (!summary.complete) total.failed.push(`${title}: vitest ended with status ${status} before its end`);
  total.passed += summary.passed;
  total.failed.push(...summary.failed.map((name) => `${title}: ${name}`));
  total.skipped.push(...summary.skipped.map((skip) => ({ ...skip, name: `${title}: ${skip.name}` })));
  if (status !== 0 && summary.failed.length === 0)
    total.failed.push(`${title}: vitest ended with status ${status}`);
}

/** The test files that the filters pick, in a steady order. */
async function filesOf(project: 'integration' | 'cluster'): Promise<string[]> {
  const files: string[] = [];
  for await (const file of glob(`test/${project}/**/*.test.ts`, { cwd: root })) {
    if (positionals.length === 0 || positionals.some((each) => file.includes(each))) files.push(file);
  }
  return files.sort();
}

/** Beds at once: much of a test is waiting, and a test of faults does hardly anything else. */
const LANES = 2;
const FAULT_LANES = 5;
/** Of the tests of faults those that last longest: begun first, so that the end waits for none of them. */
const LONG = ['/stall.', '/outage.', '/soak.', '/expired.'];

/** Files that load the machine themselves, or whose subject is how long something takes. */
const ALONE = ['/soak/', '/quickstart/', 'pods/manifests.test', 'integration/cli/'];
const mostlyWaits = (file: string): boolean => file.includes('/faults/');
const needsTheMachine = (file: string): boolean => ALONE.some((part) => file.includes(part));

/** Each file of the project in a bed of its own, some at once. */
async function runInBeds(
  project: 'integration' | 'cluster',
  title: string,
  { version, binary }: Version,
  more: NodeJS.ProcessEnv = {},
): Promise<void> {
  const env = {
    NODELET_TEST_BED: '1',
    NODELET_TEST_CONTAINERD: binary,
    NODELET_TEST_CONTAINERD_VERSION: version,
    TMPDIR: '/run/bed/tmp',
    ...more,
  };
  const start: Start = (command, extra, output) =>
    isolate('nodelet-test', command, { ...env, ...extra }, output);
  const run = (file: string): Promise<void> => runProject(project, `${title}: ${file}`, env, start, [file]);
  const files = await filesOf(project);
  const inLanes = async (some: readonly string[], lanes: number): Promise<void> => {
    const left = some.values();
    const lane = async (): Promise<void> => {
      for (const file of left) await run(file);
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  };
  const together = files.filter((file) => !needsTheMachine(file));
  await inLanes(files.filter(needsTheMachine), 1);
  await inLanes(
    together.filter((file) => !mostlyWaits(file)),
    LANES,
  );
  const isLong = (file: string): number => Number(LONG.some((part) => file.includes(part)));
  await inLanes(
    together.filter(mostlyWaits).sort((a, b) => isLong(b) - isLong(a)),
    FAULT_LANES,
  );
}

const usable = (versions: readonly Version[], tests: string): Version[] =>
  versions.filter(({ version, binary, missing }) => {
    if (binary === undefined) {
      total.skipped.push({ name: `${tests} with containerd ${version}`, reason: missing ?? 'not found' });
    }
    return binary !== undefined;
  });

/** With the newest containerd only: what differs between versions is the integration tests' subject. */
async function runCluster(newest: Version): Promise<void> {
  if ((await filesOf('cluster')).length === 0) return;
  const asked = values['control-plane'] ?? ['fake', 'real'];
  const title = (plane: string): string =>
    `cluster tests with containerd ${newest.version} and the ${plane} control plane`;
  if (asked.includes('fake')) {
    await runInBeds('cluster', title('fake'), newest, { NODELET_TEST_CONTROL_PLANE: 'fake' });
  }
  if (!asked.includes('real')) return;
  const assets = await findAssets();
  if (typeof assets === 'string') {
    const skip = { name: title('real'), reason: assets };
    if (values['control-plane'] === undefined) total.skipped.push(skip);
    else total.failed.push(`${skip.name}: ${assets}`);
  } else await runInBeds('cluster', title('real'), newest, { NODELET_TEST_CONTROL_PLANE: 'real' });
}

const restoreKernelSettings = await keepKernelSettings();
try {
  const clusterOnly = values['control-plane'] !== undefined;
  const wrong = values['control-plane']?.find((plane) => !['fake', 'real'].includes(plane));
  if (wrong !== undefined) throw new Error(`--control-plane ${wrong}: must be fake or real`);
  if (values.containerd === undefined && !clusterOnly) {
    // A test's clocks, sockets and temporary folders need nothing of the machine.
    await runProject('unit', 'unit tests', {}, startPlainly);
  }
  if (!values.unit) {
    const versions = usable(wanted(await findContainerds(), values.containerd), 'tests in the bed');
    if (!clusterOnly) {
      for (const each of versions) {
        await runInBeds('integration', `integration tests with containerd ${each.version}`, each);
      }
    }
    if (versions[0] !== undefined) await runCluster(versions[0]);
  }
} catch (error) {
  total.failed.push(
    `the test run itself: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  );
} finally {
  clearTimeout(timer);
  await restoreKernelSettings();
  await rm(results, { recursive: true, force: true });
}

if (stopped !== undefined) total.failed.push(`the run was stopped: ${stopped}`);
const none = total.passed + total.failed.length === 0;
say('');
for (const { name, reason } of total.skipped) say(`skipped: ${name} (${reason})`);
for (const name of total.failed) say(`failed: ${name}`);
if (none) say('no test ran');
say(`tests: ${total.passed} passed, ${total.failed.length} failed, ${total.skipped.length} skipped`);
process.exit(total.failed.length > 0 || none ? 1 : 0);
