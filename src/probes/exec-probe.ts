import { formatDuration } from '#lib/go-duration.ts';
import { goQuote } from '#lib/go-quote.ts';
import { describeError } from '#lib/errors.ts';
import { MAX_OUTPUT_BYTES, type Outcome, failure, success } from './outcome.ts';

export type CommandResult =
  | { kind: 'exited'; exitCode: number; stdout: Buffer; stderr: Buffer }
  /** It ran for longer than it may, and has been ended. */
  | { kind: 'timedOut' };

/**
 * Runs a command in the container, without a shell, for `timeoutSeconds` at most (0: as long as it takes). Rejects
 * where it can't be run, or with the signal's reason.
 */
export type RunCommand = (
  command: readonly string[],
  timeoutSeconds: number,
  signal: AbortSignal,
) => Promise<CommandResult>;

/** What a command said, both streams, as far as a person may want to read it. */
export const outputOf = ({ stdout, stderr }: { stdout: Buffer; stderr: Buffer }): string =>
  Buffer.concat([stdout, stderr]).subarray(0, MAX_OUTPUT_BYTES).toString();

/** Exit status 0 is success; a command that can't be run says nothing of the container. */
export async function probeExec(
  command: readonly string[],
  timeoutSeconds: number,
  run: RunCommand,
  signal: AbortSignal,
): Promise<Outcome> {
  let result: CommandResult;
  try {
    result = await run(command, timeoutSeconds, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    return { kind: 'error', words: describeError(error) };
  }
  if (result.kind === 'timedOut') {
    const after = formatDuration(timeoutSeconds * 1000);
    return failure(`command timed out: ${goQuote(command.join(' '))} timed out after ${after}`);
  }
  return result.exitCode === 0 ? success(outputOf(result)) : failure(outputOf(result));
}
