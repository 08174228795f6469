import { spawn } from 'node:child_process';
import { DeadlineError, NodeletError } from '#lib/errors.ts';

/** A program that could not be started, or that ended with anything but 0. */
export class ProcessError extends NodeletError {
  readonly code: string;
  readonly exitCode: number | undefined;
  readonly stderr: string;

  constructor(
    program: string,
    problem: string,
    details: { code: string; exitCode?: number; stderr?: string },
  ) {
    const words = details.stderr?.trim();
    super(`${program}: ${problem}${words ? `: ${words}` : ''}`);
    this.code = details.code;
    this.exitCode = details.exitCode;
    this.stderr = details.stderr ?? '';
  }
}

export interface RunOptions {
  /** Written to the program's standard input, which is then closed; without it the input is /dev/null. */
  input?: string | Buffer;
  /** Milliseconds until the program is killed; 30,000 unless given. */
  timeoutMs?: number;
  signal?: AbortSignal;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** File descriptors of this process that the program gets as 3, 4 …; nothing else is handed on. */
  fds?: number[];
  /** Bytes of output kept a stream; 16 MiB unless given. More is an error. */
  maxOutput?: number;
}

export interface RunResult {
  stdout: string;
  stderr: string;
}

/**
 * Runs a program to its end: an argument array, no shell, explicit standard streams. Rejects with ProcessError on
 * a non-zero exit and with DeadlineError on time-out (the program is killed first).
 */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const max = options.maxOutput ?? 16 << 20;
  const timeoutMs = options.timeoutMs ?? 30_000;
  return new Promise((resolve, reject) => {
    if (options.signal?.aborted) {
      reject(options.signal.reason as Error);
      return;
    }
    const child = spawn(program, args, {
      shell: false,
      cwd: options.cwd,
      env: options.env,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...(options.fds ?? [])],
    });
    const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    let kept = 0;
    let failure: Error | undefined;
    const fail = (error: Error): void => {
      failure ??= error;
      child.kill('SIGKILL');
    };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.on('data', (chunk: Buffer) => {
        kept += chunk.length;
        if (kept > max) fail(new ProcessError(program, `wrote more than ${max} bytes`, { code: 'E2BIG' }));
        else output[name].push(chunk);
      });
    }
    const timer = setTimeout(
      () => fail(new DeadlineError(`${program} did not end within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const abort = (): void => fail(options.signal?.reason as Error);
    options.signal?.addEventListener('abort', abort, { once: true });
    const settle = (): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', abort);
    };
    child.on('error', (cause: NodeJS.ErrnoException) => {
      settle();
      reject(
        new ProcessError(program, `cannot be started: ${cause.message}`, { code: cause.code ?? 'ESPAWN' }),
      );
    });
    child.on('close', (code, signal) => {
      settle();
      const stdout = Buffer.concat(output.stdout).toString();
      const stderr = Buffer.concat(output.stderr).toString();
      if (failure !== undefined) reject(failure);
      else if (code === 0) resolve({ stdout, stderr });
      else {
        const how = code === null ? `killed by ${signal ?? 'a signal'}` : `exit status ${code}`;
        reject(
          new ProcessError(program, how, {
            code: 'EXIT',
            ...(code === null ? {} : { exitCode: code }),
            stderr,
          }),
        );
      }
    });
    // A program that ends without reading its input makes the write fail; its exit status tells the story.
    child.stdin?.on('error', () => undefined);
    if (options.input !== undefined) child.stdin?.end(options.input);
  });
}
