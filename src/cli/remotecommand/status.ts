import { SpdyError } from './frames.ts';

export interface Outcome {
  /** The command's exit code; 1 where there is none because of `error`. */
  exitCode: number;
  /** Why the command couldn't be run or its end isn't known. */
  error: string | undefined;
}

interface StatusObject {
  status?: unknown;
  message?: unknown;
  reason?: unknown;
  details?: { causes?: { reason?: unknown; message?: unknown }[] };
}

/**
 * The end of a command from what came on the error stream: a `Status` object (protocol v4.channel.k8s.io), whose
 * reason NonZeroExitCode has the code as the message of its cause ExitCode.
 */
export function outcomeOf(text: string): Outcome {
  if (text === '') throw new SpdyError('the session broke off before the command ended');
  let status: StatusObject;
  try {
    status = JSON.parse(text) as StatusObject;
  } catch {
    throw new SpdyError('the end of the command can’t be read: its status is no JSON');
  }
  if (status.status === 'Success') return { exitCode: 0, error: undefined };
  if (status.reason === 'NonZeroExitCode') {
    const cause = status.details?.causes?.find(({ reason }) => reason === 'ExitCode');
    const code = Number(cause?.message);
    if (Number.isInteger(code) && code > 0 && code < 256) return { exitCode: code, error: undefined };
  }
  const message = typeof status.message === 'string' ? status.message : 'the command failed';
  return { exitCode: 1, error: message };
}
