import { spawn } from 'node:child_process';
import { readFile, readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const enter = fileURLToPath(new URL('enter.sh', import.meta.url));

export interface Isolated {
  /** The command's exit status; 137 where it was killed. */
  readonly status: Promise<number>;
  /** The number of the namespaces' first process, for nsenter; undefined where it has ended. */
  firstProcess(): Promise<number | undefined>;
  /** Asks the command to end (TERM). */
  terminate(): Promise<void>;
  /** Ends the command and everything that it ever started, at once. */
  kill(): void;
}

/** The mount points of the machine's cgroup hierarchies: one on version 2, one a controller on version 1. */
async function cgroupMounts(): Promise<string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).trim().split('\n');
  return lines
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] ?? '')
    .filter((mount) => mount.startsWith('/sys/fs/cgroup'));
}

async function removeTree(cgroup: string): Promise<void> {
  const entries = await readdir(cgroup, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(cgroup, entry.name));
  await rmdir(cgroup).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

/** Removes the cgroups of one run; its processes may take a moment to be gone. */
async function removeCgroups(group: string): Promise<void> {
  for (const mount of await cgroupMounts()) {
    for (let tries = 50; ; tries -= 1) {
      try {
        await removeTree(join(mount, group));
        break;
      } catch (error) {
        if (tries === 0) throw new Error(`can't remove cgroup ${join(mount, group)}`, { cause: error });
        await wait(200);
      }
    }
  }
}

/** Removes what runs of the same kind left that were killed before they could (their process is gone). */
async function sweep(prefix: string): Promise<void> {
  for (const mount of await cgroupMounts()) {
    for (const name of await readdir(mount).catch(() => [])) {
      const pid = name.startsWith(`${prefix}-`)
        ? /^(\d+)-\d+$/.exec(name.slice(prefix.length + 1))?.[1]
        : undefined;
      if (pid === undefined) continue;
      const alive = await readFile(`/proc/${pid}/stat`).then(
        () => true,
        () => false,
      );
      if (!alive) await removeTree(join(mount, name)).catch(() => undefined);
    }
  }
}

let runs = 0;

/**
 * Runs a command in network, mount, PID and cgroup namespaces of its own (scripts/isolate/inside.sh says what
 * they look like). Whatever becomes of it or of this process, nothing that it started stays: the kernel ends the
 * whole PID namespace with its first process, and that dies with this one.
 */
export async function isolate(
  prefix: string,
  command: readonly string[],
  env: NodeJS.ProcessEnv = {},
  /** Where the command's output and errors go; this process's own unless given. */
  output?: number,
): Promise<Isolated> {
  await sweep(prefix);
  runs += 1;
  const group = `${prefix}-${process.pid}-${runs}`;
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'bash', enter, group, ...command], {
    stdio: output === undefined ? 'inherit' : ['ignore', output, output],
    env: { ...process.env, ...env },
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 137));
  });
  const cleanEnd = async (): Promise<number> => {
    try {
      return await ended;
    } finally {
      await removeCgroups(group);
    }
  };
  // unshare's one child is the namespaces' first process; it takes a moment to be there.
  const firstProcess = async (): Promise<number | undefined> => {
    for (let tries = 100; tries > 0 && child.exitCode === null; tries -= 1) {
      const path = `/proc/${child.pid}/task/${child.pid}/children`;
      const first = Number((await readFile(path, 'utf8').catch(() => '')).trim().split(' ')[0]);
      const program = await readFile(`/proc/${child.pid}/comm`, 'utf8').catch(() => '');
      if (first > 0 && program.startsWith('unshare')) return first;
      await wait(20);
    }
    return undefined;
  };
  return {
    status: cleanEnd(),
    firstProcess,
    async terminate() {
      // It hands TERM on to the command.
      const first = await firstProcess();
      if (first === undefined) child.kill('SIGKILL');
      else process.kill(first, 'SIGTERM');
    },
    kill: () => void child.kill('SIGKILL'),
  };
}
