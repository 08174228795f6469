import { NodeletError, describeError } from '#lib/errors.ts';

/** A step that could not be done, filed under what it holds up. */
export class StepFailure extends NodeletError {
  readonly code = 'STEP_FAILURE';
  readonly subject: string;
  /** Upstream's reason for status and events. */
  readonly reason: string;

  constructor(subject: string, reason: string, cause: unknown) {
    super(describeError(cause), { cause, retryable: true });
    this.subject = subject;
    this.reason = reason;
  }
}

/** Runs `work`; whatever it throws becomes a StepFailure of this subject and reason. */
export async function filedUnder<T>(subject: string, reason: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof StepFailure ? error : new StepFailure(subject, reason, error);
  }
}
