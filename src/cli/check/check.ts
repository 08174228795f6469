export type Level = 'ok' | 'warn' | 'FAIL';

export interface Finding {
  level: Level;
  /** What was looked at and what was found. */
  what: string;
  /** What to do about it. */
  mend?: string;
}

export type CheckMode = 'standalone' | 'kubelet';

export interface CheckWish {
  mode: CheckMode;
  /** undefined: standalone's private containerd. */
  runtimeEndpoint: string | undefined;
  rootDir: string;
  runtimeRoot: string;
  podLogsDir: string;
  socket: string;
}

/** Looks at one thing of the machine; never changes anything. */
export type Check = (wish: CheckWish, signal: AbortSignal) => Promise<Finding[]>;

export const ok = (what: string): Finding => ({ level: 'ok', what });
export const warn = (what: string, mend: string): Finding => ({ level: 'warn', what, mend });
export const fail = (what: string, mend: string): Finding => ({ level: 'FAIL', what, mend });
