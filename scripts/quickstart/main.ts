/**
 * `node scripts/quickstart/main.ts [--check] [--isolated]`: runs nodelet on the examples until Ctrl-C; with --check
 * until every example pod is as it should be, in network and mount namespaces of its own.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { AgentClient } from '#cli/client.ts';
import type { PodView } from '#server/view.ts';
import { pauseName } from '../image/images.ts';
import { isolate } from '../isolate/isolate.ts';
import { unmet, webUrl } from './expectations.ts';
import { cleanUp, logEnd, startNodelet } from './nodelet.ts';
import type { RunningNodelet } from './nodelet.ts';
import { checkout, nodeName, places } from './places.ts';
import { prepareImages } from './runtime.ts';
import { LiveView } from './view.ts';

const checkMs = 180_000;
const insideMark = 'NODELET_QUICKSTART_INSIDE';

const { values } = parseArgs({
  options: { check: { type: 'boolean', default: false }, isolated: { type: 'boolean', default: false } },
});
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const inside = process.env[insideMark] !== undefined;

const ending = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => ending.abort(signal));
}

/** Waits, but not beyond the end. */
const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    ending.signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });

/** How to go on in another terminal; undefined until the web server has an address. */
function hint(views: readonly PodView[]): string | undefined {
  const web = views.find((view) => view.pod.metadata?.name === `web-${nodeName}`);
  const url = web === undefined ? undefined : webUrl(web);
  if (url === undefined) return undefined;
  return [
    '',
    'In another terminal:',
    `  curl ${url}`,
    `  export NODELET_SOCKET=${places.socket}`,
    '  bin/nodelet get pods -o wide',
    `  bin/nodelet logs -f -c ship-logs sidecar-${nodeName}`,
    `  bin/nodelet exec -it web-${nodeName} -- sh`,
    `  bin/nodelet explain pod default/crash-${nodeName}`,
    `Change a file in ${places.manifests} and watch. Ctrl-C ends everything and cleans up.`,
    '',
  ].join('\n');
}

/** Watches until told to end, or with --check until all is well; returns what is wrong. */
async function watch(nodelet: RunningNodelet): Promise<string[]> {
  const client = new AgentClient(places.socket, ending.signal);
  const view = new LiveView(process.stdout);
  const deadline = Date.now() + checkMs;
  let exit: number | undefined;
  void nodelet.exited.then((status) => (exit = status));
  let hinted = false;
  let problems = ['nodelet does not answer at its socket'];
  while (!ending.signal.aborted) {
    if (exit !== undefined) return [`nodelet ended with status ${exit}`, await logEnd()];
    const views = await client.pods().catch(() => undefined);
    if (views !== undefined) {
      problems = await unmet(views);
      const words = hinted || values.check ? undefined : hint(views);
      if (words !== undefined) {
        view.interrupt(words);
        hinted = true;
      }
      view.show(views, Date.now());
    }
    if (values.check && problems.length === 0) return [];
    if (values.check && Date.now() > deadline) return [...problems, await logEnd()];
    await pause(500);
  }
  return values.check ? [`stopped by ${String(ending.signal.reason)}`] : [];
}

async function runHere(): Promise<number> {
  if (
    existsSync(places.socket) &&
    (await new AgentClient(places.socket, ending.signal).pods().catch(() => undefined))
  ) {
    say(`another quickstart runs already (it answers at ${places.socket})`);
    return 1;
  }
  if (existsSync(places.root)) {
    say('removing what an earlier quickstart left');
    await cleanUp(pauseName);
  }
  let problems: string[] = [];
  try {
    say('starting a private containerd and making the images');
    const sandboxImage = await prepareImages(ending.signal);
    say(`starting nodelet on ${places.manifests}`);
    const nodelet = await startNodelet(sandboxImage);
    try {
      problems = await watch(nodelet);
    } finally {
      await nodelet.stop();
    }
  } catch (error) {
    if (!ending.signal.aborted || values.check)
      problems = [error instanceof Error ? error.message : String(error)];
  }
  say('cleaning up');
  await cleanUp(pauseName).catch((error: unknown) => problems.push(String(error)));
  for (const problem of problems) say(problem);
  if (values.check)
    say(problems.length === 0 ? 'quickstart: every example pod is as it should be' : 'quickstart: failed');
  return problems.length === 0 ? 0 : 1;
}

async function runIsolated(): Promise<number> {
  const command = [process.execPath, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  const run = await isolate('nodelet-quickstart', command, { [insideMark]: '1' });
  const first = await run.firstProcess();
  if (!values.check && first !== undefined) {
    say('The quickstart runs in namespaces of its own. To enter them from another terminal:');
    say(`  nsenter --target ${first} --all --wd=${checkout}`);
  }
  // The terminal sends Ctrl-C to everybody in it; TERM comes to this process alone and is handed on.
  ending.signal.addEventListener('abort', () => {
    if (ending.signal.reason !== 'SIGINT') void run.terminate();
  });
  return await run.status;
}

// The agent's clock keeps no process alive by itself.
const alive = setInterval(() => undefined, 60_000);
process.exitCode = (values.check || values.isolated) && !inside ? await runIsolated() : await runHere();
clearInterval(alive);
