/** Which calls carry a deadline of their own, in milliseconds; ExecSync, StopContainer and PullImage differ. */
export interface Deadlines {
  /** Answers that the runtime has at hand: short, so that a runtime that hangs is noticed. */
  read: number;
  /** Calls that change something: upstream's runtimeRequestTimeout. */
  change: number;
  /** RunPodSandbox: the CNI plugins run inside it, so twice as long, as upstream. */
  sandbox: number;
}

/** Upstream's runtimeRequestTimeout, unless configured otherwise. */
export const DEFAULT_REQUEST_TIMEOUT_MS = 120_000;
const READ_MS = 20_000;
const EXEC_MARGIN_MS = 10_000;

/** The deadlines that follow from KubeletConfiguration's runtimeRequestTimeout. */
export function deadlines(requestTimeoutMs: number = DEFAULT_REQUEST_TIMEOUT_MS): Deadlines {
  return {
    read: Math.min(READ_MS, requestTimeoutMs),
    change: requestTimeoutMs,
    sandbox: 2 * requestTimeoutMs,
  };
}

/** StopContainer returns once the container has stopped, so the grace period comes on top. */
export const stopDeadline = (of: Deadlines, timeoutSeconds: number): number =>
  of.change + timeoutSeconds * 1000;

/**
 * ExecSync ends by itself at its own timeout, so only a little more is waited for; without a timeout there is no
 * deadline either.
 */
export const execDeadline = (timeoutSeconds: number): number | undefined =>
  timeoutSeconds > 0 ? timeoutSeconds * 1000 + EXEC_MARGIN_MS : undefined;
