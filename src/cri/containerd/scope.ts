/** A unit of systemd for the private containerd, apart from the agent's. */
import { randomBytes } from 'node:crypto';
import { statOf } from '#host/files.ts';
import { run } from '#host/process.ts';
import type { RunResult } from '#host/process.ts';
import type { Logger } from '#lib/logger.ts';

const callMs = 10_000;
/** What systemd takes for "no limit". */
const infinity = '18446744073709551615';
/** Containers' shims end by TERM; whoever doesn't must not hold up the machine's shutdown. */
const stopUs = '10000000';

export interface ScopeOptions {
  log: Logger;
  signal: AbortSignal;
  /** Whether systemd is the machine's first process, as sd_booted(3) finds out. */
  isBooted?: () => Promise<boolean>;
  runner?: (
    program: string,
    args: readonly string[],
    options: { timeoutMs: number; signal: AbortSignal },
  ) => Promise<RunResult>;
}

/**
 * The words for `busctl` that make systemd put a process into a scope unit of its own (org.freedesktop.systemd1(5),
 * systemd.scope(5)). The unit ends with the last process in it.
 */
export function scopeCall(unit: string, pid: number): string[] {
  const properties = [
    ['Description', 's', 'The private containerd of nodelet'],
    ['PIDs', 'au', '1', String(pid)],
    ['Slice', 's', 'system.slice'],
    // Shims and containers below it are containerd's business.
    ['Delegate', 'b', 'true'],
    ['TasksMax', 't', infinity],
    ['TimeoutStopUSec', 't', stopUs],
    ['CollectMode', 's', 'inactive-or-failed'],
  ];
  const manager = [
    'org.freedesktop.systemd1',
    '/org/freedesktop/systemd1',
    'org.freedesktop.systemd1.Manager',
  ];
  const call = ['StartTransientUnit', 'ssa(sv)a(sa(sv))', unit, 'fail', String(properties.length)];
  return ['--system', 'call', '--', ...manager, ...call, ...properties.flat(), '0'];
}

/**
 * Takes a containerd that has just been started out of the agent's unit, so that whatever systemd does to all
 * processes of that (`systemctl kill`, a limit, an end for lack of memory) leaves containerd and the containers'
 * shims alone. Where that can't be done they stay, which KillMode=process is enough for most of the time.
 */
export async function giveOwnScope(pid: number, options: ScopeOptions): Promise<void> {
  const { log, signal, isBooted = systemdIsBooted, runner = run } = options;
  if (!(await isBooted())) return;
  // The shims of an earlier containerd keep its scope: every start needs another name.
  const unit = `nodelet-containerd-${randomBytes(4).toString('hex')}.scope`;
  try {
    await runner('busctl', scopeCall(unit, pid), { timeoutMs: callMs, signal });
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ err: error, pid }, 'systemd gave the private containerd no unit of its own');
  }
}

const systemdIsBooted = async (): Promise<boolean> =>
  (await statOf('/run/systemd/system'))?.isDirectory() ?? false;
