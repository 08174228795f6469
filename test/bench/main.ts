/**
 * `node test/bench/main.ts pods|cluster [--containerd MAJOR.MINOR]… [--pods N] [--runs N]`: measures the agent against
 * the bare calls it is made of, once a containerd, each in a test bed of its own (scripts/isolate). docs/benchmarks.md
 * says what the figures mean.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isolate } from '../../scripts/isolate/isolate.ts';
import { findContainerds, wanted } from '../bed/versions.ts';
import { findAssets } from '../control-plane/real/assets.ts';

const say = (text: string): void => void process.stdout.write(`${text}\n`);

const usage = `usage: npm run bench -- pods|cluster [--containerd MAJOR.MINOR]... [--pods N] [--runs N] [--idle SECONDS]
  pods               static pods on containerd: how long they take to start and end, and what the agent costs
  cluster            pods of an API server: the real one where KUBEBUILDER_ASSETS names its programs, otherwise a fake;
                     kubelet beside nodelet where NODELET_BENCH_KUBELET names its program
  --containerd V     a version that test/setup.sh has found; repeatable. Without it: the distribution's
  --pods N           how many pods come at once (50)
  --runs N           how often everything is repeated; the table shows medians (3)
  --idle SECONDS     how long idle processor time is measured (60)
  --program FILE     another build's bin/nodelet, to compare`;

function wholeNumber(name: string, text: string): string {
  if (!/^[1-9]\d{0,3}$/.test(text))
    throw new Error(`--${name} ${text}: must be a whole number from 1 to 9999`);
  return text;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      containerd: { type: 'string', multiple: true },
      pods: { type: 'string', default: '50' },
      runs: { type: 'string', default: '3' },
      idle: { type: 'string', default: '60' },
      program: { type: 'string' },
    },
  });
  const [what] = positionals;
  if (positionals.length !== 1 || (what !== 'pods' && what !== 'cluster')) {
    say(usage);
    return 2;
  }
  const sizes = ['pods', 'runs', 'idle'] as const;
  const args = sizes.map((name) => wholeNumber(name, values[name]));
  const inside = fileURLToPath(new URL(`${what}/run.ts`, import.meta.url));
  const assets = await findAssets();
  if (what === 'cluster' && typeof assets === 'string') say(`the fake control plane, because ${assets}`);
  let worst = 0;
  for (const version of wanted(await findContainerds(), values.containerd ?? ['1.6'])) {
    if (version.binary === undefined) {
      say(`containerd ${version.version}: ${version.missing ?? 'not found'}`);
      worst = 1;
      continue;
    }
    const env = {
      NODELET_TEST_BED: '1',
      NODELET_TEST_CONTAINERD: version.binary,
      TMPDIR: '/run/bed/tmp',
      NODELET_TEST_CONTROL_PLANE: typeof assets === 'string' ? 'fake' : 'real',
      ...(values.program === undefined ? {} : { NODELET_TEST_PROGRAM: values.program }),
    };
    say(`\n== ${what}, containerd ${version.version}`);
    const run = await isolate('nodelet-bench', [process.execPath, inside, ...args], env);
    const stop = (): void => run.kill();
    process.once('SIGINT', stop).once('SIGTERM', stop);
    worst = Math.max(worst, await run.status);
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
  return worst;
}

process.exitCode = await main();
