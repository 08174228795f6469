import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { ProcessError } from './process.ts';
import { processRef } from './processes.ts';
import type { ProcessRef } from './processes.ts';

export interface DaemonOptions {
  /** Its standard output and error are appended to this file. */
  logFile: string;
  /** The whole environment: nothing else is handed on. */
  env: NodeJS.ProcessEnv;
}

/**
 * Starts a program in a session of its own that goes on when this process ends, however it ends. It holds no
 * descriptor of this process but its log.
 */
export async function startDaemon(
  program: string,
  args: readonly string[],
  options: DaemonOptions,
): Promise<ProcessRef> {
  const log = await open(options.logFile, 'a', 0o640);
  try {
    const child = spawn(program, args, {
      shell: false,
      detached: true,
      cwd: '/',
      env: options.env,
      stdio: ['ignore', log.fd, log.fd],
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause: NodeJS.ErrnoException) =>
        reject(
          new ProcessError(program, `cannot be started: ${cause.message}`, { code: cause.code ?? 'ESPAWN' }),
        ),
      );
    });
    child.unref();
    const started = child.pid === undefined ? undefined : await processRef(child.pid);
    if (started === undefined) throw new ProcessError(program, 'ended at once', { code: 'EXIT' });
    return started;
  } finally {
    await log.close();
  }
}
