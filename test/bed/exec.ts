import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Runs a program to its end and gives its standard output; rejects with what it wrote to standard error. */
export async function exec(
  program: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; timeout?: number } = {},
): Promise<string> {
  const { stdout } = await execute(program, args, { timeout: 60_000, maxBuffer: 64 << 20, ...options });
  return stdout;
}
