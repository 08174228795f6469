/** Runs commands in containers, through the runtime, and ends what runs for too long with all that it has started. */
import { runtimeStatus } from '#cri/errors.ts';
import type { RuntimeService } from '#cri/runtime.ts';
import { type ProcessStat, ticksSinceBoot } from '#host/process-stats.ts';
import { signalProcess } from '#host/processes.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import type { Logger } from '#lib/logger.ts';
import type { CommandResult, RunCommand } from '#probes/exec-probe.ts';
import { execFamily, execRoots } from './exec-family.ts';

export interface ContainerCommandsParts {
  runtime: Pick<RuntimeService, 'execSync'>;
  /** The processes of a container. */
  processesOf(podUid: string, containerId: string): Promise<ProcessStat[]>;
  clock: Clock;
  log: Logger;
}

/** Families are looked up so long before the time is over: after a root's end nothing tells who belonged to it. */
const LOOK_BEFORE_MS = 150;
/** How long after its time, and then how often, it is looked whether the runtime has ended the command. */
const LOOK_AFTER_MS = 250;

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
      return { kind: 'exited', ...result };
    } catch (error) {
      if (runtimeStatus(error) !== 'DEADLINE_EXCEEDED') throw error;
      await watch?.clear();
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

interface Family {
  root: ProcessStat;
  members: ProcessStat[];
}

/**
 * Watches over one command. The runtime kills only a command's first process at the time-out, and then waits for
 * whoever still holds its output: left alone, every time-out would leave processes behind and hold up the next probe.
 * Which of the commands in the container this one is shows when the runtime kills it; until then all count.
 */
class Watch implements Disposable {
  readonly #parts: ContainerCommandsParts;
  readonly #call: Call;
  readonly #began: number;
  #timer: Timer;
  #families: Promise<Family[]> = Promise.resolve([]);

  constructor(parts: ContainerCommandsParts, call: Call) {
    this.#parts = parts;
    this.#call = call;
    this.#began = parts.clock.monotonic();
    this.#timer = parts.clock.after(call.timeoutSeconds * 1000 - LOOK_BEFORE_MS, () => {
      this.#families = this.#find();
      this.#clearAfter(LOOK_BEFORE_MS + LOOK_AFTER_MS);
    });
  }

  #clearAfter(ms: number): void {
    this.#timer = this.#parts.clock.after(ms, () => {
      this.#clearAfter(LOOK_AFTER_MS);
      void this.clear();
    });
  }

  /** Kills what is left of commands whose first process has ended since the look. Never rejects. */
  async clear(): Promise<void> {
    const { podUid, command } = this.#call;
    try {
      const families = await this.#families;
      if (families.length === 0) return;
      const processes = await this.#processes();
      for (const { root, members } of families) {
        if (processes.some(({ pid, startTime }) => pid === root.pid && startTime === root.startTime))
          continue;
        for (const each of execFamily(processes, root, members)) await signalProcess(each, 'SIGKILL');
      }
    } catch (error) {
      const { log } = this.#parts;
      log.warn({ err: error, uid: podUid, command: command[0] }, 'what a command left could not be ended');
    }
  }

  async #find(): Promise<Family[]> {
    try {
      const elapsed = this.#parts.clock.monotonic() - this.#began;
      const since = (await ticksSinceBoot()) - Math.floor(elapsed / 10);
      const processes = await this.#processes();
      return execRoots(processes, since).map((root) => ({ root, members: execFamily(processes, root) }));
    } catch {
      return [];
    }
  }

  #processes(): Promise<ProcessStat[]> {
    return this.#parts.processesOf(this.#call.podUid, this.#call.containerId);
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
  }
}
