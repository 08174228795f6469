import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { checkout, places, standaloneFlags } from './places.ts';

const program = join(checkout, 'bin/nodelet');

export interface RunningNodelet {
  readonly exited: Promise<number>;
  stop(): Promise<void>;
}

async function spawnLogged(args: string[]): Promise<ChildProcess> {
  await mkdir(places.root, { recursive: true });
  const log = await open(places.log, 'a');
  try {
    // In a process group of its own: Ctrl-C reaches the quickstart alone, which ends things in order. Where the
    // quickstart is killed it can't; then the kernel tells nodelet.
    return spawn('setpriv', ['--pdeathsig', 'TERM', program, ...args], {
      stdio: ['ignore', log.fd, log.fd],
      detached: true,
    });
  } finally {
    await log.close();
  }
}

const exitOf = async (child: ChildProcess): Promise<number> => {
  if (child.exitCode !== null) return child.exitCode;
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 137;
};

/** Starts `nodelet standalone` on the examples. */
export async function startNodelet(sandboxImage: string): Promise<RunningNodelet> {
  const child = await spawnLogged(['standalone', ...standaloneFlags(sandboxImage)]);
  const exited = exitOf(child);
  return {
    exited,
    async stop() {
      child.kill('SIGTERM');
      const late = wait(10_000, undefined, { ref: false }).then(() => child.kill('SIGKILL'));
      await Promise.race([exited, late]);
      await exited;
    },
  };
}

/** `nodelet standalone --cleanup`, and the quickstart's own folders. Throws where something stays. */
export async function cleanUp(sandboxImage: string): Promise<void> {
  const child = await spawnLogged(['standalone', '--cleanup', ...standaloneFlags(sandboxImage)]);
  const status = await exitOf(child);
  if (status !== 0)
    throw new Error(`nodelet standalone --cleanup ended with status ${status}:\n${await logEnd()}`);
  await rm(places.root, { recursive: true, force: true });
  await rm(places.state, { recursive: true, force: true });
}

/** The last lines of nodelet's log. */
export async function logEnd(lines = 30): Promise<string> {
  const text = await readFile(places.log, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}
