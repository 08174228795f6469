/** Runs commands in containers, through the runtime, and ends what runs for too long with all that it has started. */
import { runtimeStatus } from '#cri/errors.ts';
import type { RuntimeService } from '#cri/runtime.ts';
import { type ProcessStat, ticksSinceBoot } from '#host/process-stats.ts';
import { signalProcess } from '#host/processes.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/logger.ts';
import type { CommandResult, RunCommand } from '#probes/exec-probe.ts';
import { execFamily, execRoot } from './exec-family.ts';

export interface ContainerCommandsParts {
  runtime: Pick<RuntimeService, 'execSync'>;
  /** The processes of a container. */
  processesOf(podUid: string, containerId: string): Promise<ProcessStat[]>;
  clock: Clock;
  log: Logger;
}

/** The family is looked up so long before its time is over: after the root's end nothing tells who belonged to it. */
const LOOK_BEFORE_MS = 150;
/** How long after its time the runtime may take to end the command by itself. */
const PATIENCE_MS = 250;

export class ContainerCommands {
  readonly #parts: ContainerCommandsParts;

  constructor(parts: ContainerCommandsParts) {
    this.#parts = parts;
  }

  in(podUid: string, containerId: string): RunCommand {
    return (command, timeoutSeconds, signal) =>
      this.#run({ podUid, containerId, command, timeoutSeconds, signal });
  }

  async #run(call: Call): Promise<CommandResult> {
    const { runtime } = this.#parts;
    const { containerId, command, timeoutSeconds, signal } = call;
    using watch = timeoutSeconds > 0 ? new Watch(this.#parts, call) : undefined;
    try {
      const result = await runtime.execSync(containerId, [...command], timeoutSeconds, { signal });
      if (watch?.hasKilled === true) return { kind: 'timedOut' };
      return { kind: 'exited', ...result };
    } catch (error) {
      if (runtimeStatus(error) !== 'DEADLINE_EXCEEDED' && watch?.hasKilled !== true) throw error;
      await watch?.end();
      return { kind: 'timedOut' };
    }
  }
}

interface Call {
  podUid: string;
  containerId: string;
  command: readonly string[];
  timeoutSeconds: number;
  signal: AbortSignal;
}

/**
 * Watches over one command. The runtime kills only the command's first process at the time-out, and then waits for
 * whoever still holds its output: left alone, every time-out would leave processes behind and hold up the next probe.
 */
class Watch implements Disposable {
  readonly #parts: ContainerCommandsParts;
  readonly #call: Call;
  readonly #began: number;
  readonly #timers: { cancel(): void }[];
  #look: Promise<{ root: ProcessStat; family: ProcessStat[] } | undefined> | undefined;
  hasKilled = false;

  constructor(parts: ContainerCommandsParts, call: Call) {
    this.#parts = parts;
    this.#call = call;
    this.#began = parts.clock.monotonic();
    const ms = call.timeoutSeconds * 1000;
    this.#timers = [
      parts.clock.after(ms - LOOK_BEFORE_MS, () => {
        this.#look = this.#find();
      }),
      parts.clock.after(ms + PATIENCE_MS, () => void this.end()),
    ];
  }

  /** Kills what is left of the command. Never rejects. */
  async end(): Promise<void> {
    const { podUid, command } = this.#call;
    const { log } = this.#parts;
    try {
      const found = await this.#look;
      if (found === undefined) return;
      const left = execFamily(await this.#processes(), found.root, found.family);
      for (const each of left) if (await signalProcess(each, 'SIGKILL')) this.hasKilled = true;
    } catch (error) {
      log.warn({ err: error, uid: podUid, command: command[0] }, 'what a command left could not be ended');
    }
  }

  async #find(): Promise<{ root: ProcessStat; family: ProcessStat[] } | undefined> {
    try {
      const elapsed = this.#parts.clock.monotonic() - this.#began;
      const since = (await ticksSinceBoot()) - Math.floor(elapsed / 10);
      const processes = await this.#processes();
      const root = execRoot(processes, this.#call.command, since);
      return root === undefined ? undefined : { root, family: execFamily(processes, root) };
    } catch {
      return undefined;
    }
  }

  #processes(): Promise<ProcessStat[]> {
    return this.#parts.processesOf(this.#call.podUid, this.#call.containerId);
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) timer.cancel();
  }
}
