import { startDaemon } from '#host/daemon.ts';
import { tailOf } from '#host/bounded-log.ts';
import { endProcess, findProcesses, isRunning, ownMountNamespace } from '#host/processes.ts';
import type { ProcessInfo, ProcessRef } from '#host/processes.ts';
import { socketAnswers } from '#host/socket.ts';
import { sleep } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { NodeletError } from '#lib/errors.ts';
import type { Layout } from './layout.ts';
import type { Programs } from './programs.ts';

export class ContainerdStartError extends NodeletError {
  readonly code = 'CONTAINERD_START';

  constructor(problem: string, log: string) {
    const last = log.trim().split('\n').slice(-5).join('\n');
    super(`the private containerd ${problem}${last === '' ? '' : `; the end of its log:\n${last}`}`, {
      retryable: true,
    });
  }
}

/** How long containerd may take until it answers: with many containers to look after it needs a while. */
const readyMs = 60_000;
const stopGraceMs = 15_000;

/** What containerd gets of the agent's environment: the way to registries, and no secrets. */
const handedOn = /^(https?_proxy|no_proxy|all_proxy|lang|tz)$/i;

/**
 * The running containerd of this layout, whoever started it. It is known by its arguments, so nothing has to be
 * written down that a crash could keep from being written. The mount namespace keeps a process in a container,
 * which may call itself anything, from being taken for it.
 */
export async function findInstance(layout: Layout): Promise<ProcessInfo | undefined> {
  const mounts = await ownMountNamespace();
  const found = await findProcesses(
    (args) => args[1] === '--config' && args[2] === layout.config && (args[0] ?? '').includes('containerd'),
  );
  return found.find((each) => each.mountNamespace === mounts);
}

export async function spawnInstance(layout: Layout, programs: Programs): Promise<ProcessRef> {
  const env: NodeJS.ProcessEnv = { PATH: programs.path };
  for (const [name, value] of Object.entries(process.env)) if (handedOn.test(name)) env[name] = value;
  return await startDaemon(programs.containerd, ['--config', layout.config], { logFile: layout.log, env });
}

/** Waits until the process answers at its socket and `probe` accepts it; throws where it ends or takes too long. */
export async function waitUntilReady(
  layout: Layout,
  instance: ProcessRef,
  probe: (endpoint: string, signal: AbortSignal) => Promise<boolean>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const deadline = clock.monotonic() + readyMs;
  for (let pause = 10; ; pause = Math.min(2 * pause, 200)) {
    if ((await socketAnswers(layout.socket, 1000)) && (await probe(`unix://${layout.socket}`, signal)))
      return;
    if (!(await isRunning(instance))) {
      throw new ContainerdStartError('ended at its start', await tailOf(layout.log, 4096));
    }
    if (clock.monotonic() > deadline) {
      throw new ContainerdStartError(
        `does not answer within ${readyMs / 1000} s`,
        await tailOf(layout.log, 4096),
      );
    }
    await sleep(clock, pause, signal);
  }
}

export const endInstance = (instance: ProcessRef, clock: Clock, signal?: AbortSignal): Promise<void> =>
  endProcess(instance, stopGraceMs, clock, signal);

/** Whether the running program is still the file that would be started now (a package upgrade replaces it). */
export const isCurrent = (instance: ProcessInfo, programs: Programs): boolean =>
  instance.args[0] === programs.containerd && !instance.program.endsWith(' (deleted)');
