import { basename } from 'node:path';
import { realPath } from '#host/files.ts';
import { endProcess, findProcesses, ownMountNamespace, parents } from '#host/processes.ts';
import type { ProcessInfo, ProcessRef } from '#host/processes.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/logger.ts';
import { targetOf } from '../grpc/channel.ts';
import type { ContainerdApi } from './api.ts';

export interface OrphanShimsOptions {
  api: Pick<ContainerdApi, 'hasContainer'>;
  /** containerd's, `unix:///…`: shims carry its path among their arguments. */
  endpoint: string;
  clock: Clock;
  log: Logger;
  processes?: ShimProcesses;
}

/** What is asked of the machine. */
export interface ShimProcesses {
  find(match: (args: readonly string[]) => boolean): Promise<readonly ProcessInfo[]>;
  /** The numbers of all processes that have children. */
  parents(): Promise<ReadonlySet<number>>;
  ownMountNamespace(): Promise<string>;
  realPath(path: string): Promise<string | undefined>;
  end(shim: ProcessRef, signal: AbortSignal): Promise<void>;
}

const INTERVAL_MS = 60_000;
/** Between the two looks that have to agree, and after something has changed: a look reads of every process. */
const SOON_MS = 2000;
const HINTED_MS = 6000;
const END_GRACE_MS = 3000;

/**
 * Ends shims that watch nothing and that containerd knows nothing of any more. A call that is cut off while a shim
 * starts, or while it makes a container, leaves one behind, which nothing but a reboot would end.
 *
 * It is one where containerd, asked by its own API, has no container of the shim's ID (it makes the record before it
 * starts the shim, and removes it after the shim's end), and the shim has no children: twice in a row. Other kinds of
 * shims, those of other containerds and of other mount namespaces are left alone.
 */
export class OrphanShims {
  readonly #options: OrphanShimsOptions;
  readonly #processes: ShimProcesses;
  #hinted = false;
  #hurry: () => void = () => undefined;

  constructor(options: OrphanShimsOptions) {
    this.#options = options;
    this.#processes = options.processes ?? {
      find: findProcesses,
      parents,
      ownMountNamespace,
      realPath,
      end: (shim, signal) => endProcess(shim, END_GRACE_MS, options.clock, signal),
    };
  }

  /** Pods have changed: brings the next look forward. */
  lookSoon(): void {
    this.#hinted = true;
    this.#hurry();
  }

  /** Looks at once, each minute, and when asked, until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    let suspects: ReadonlySet<string> = new Set();
    while (!signal.aborted) {
      try {
        this.#hinted = false;
        suspects = await this.#look(suspects, signal);
      } catch (error) {
        // containerd may be away; the next look is as good.
        if (!signal.aborted) this.#options.log.debug({ err: error }, 'shims could not be looked at');
      }
      const pause = this.#hinted ? HINTED_MS : INTERVAL_MS;
      await this.#pause(suspects.size > 0 ? SOON_MS : pause, signal);
    }
  }

  /** Ends what was suspected before and still is; returns the new suspects. */
  async #look(before: ReadonlySet<string>, signal: AbortSignal): Promise<ReadonlySet<string>> {
    const { api, log } = this.#options;
    const suspects = new Set<string>();
    const shims = await this.#shims();
    if (shims.length === 0) return suspects;
    const parents = await this.#processes.parents();
    for (const shim of shims.filter(({ pid }) => !parents.has(pid))) {
      const id = valueOf(shim.args, '-id') ?? '';
      if (id === '' || (await api.hasContainer(id, { signal }))) continue;
      const key = `${shim.pid} ${shim.startTime}`;
      if (!before.has(key)) {
        suspects.add(key);
        continue;
      }
      log.warn({ pid: shim.pid, sandbox: id }, 'ending a shim that containerd has lost sight of');
      await this.#processes.end(shim, signal);
    }
    return suspects;
  }

  async #shims(): Promise<ProcessInfo[]> {
    const { endpoint } = this.#options;
    const [socket, mounts] = await Promise.all([
      this.#real(targetOf(endpoint).slice('unix:'.length)),
      this.#processes.ownMountNamespace(),
    ]);
    const found: ProcessInfo[] = [];
    for (const shim of await this.#processes.find(isShim)) {
      const address = valueOf(shim.args, '-address') ?? '';
      if (shim.mountNamespace === mounts && (await this.#real(address)) === socket) found.push(shim);
    }
    return found;
  }

  async #real(path: string): Promise<string> {
    return (await this.#processes.realPath(path)) ?? path;
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        signal.removeEventListener('abort', end);
        this.#hurry = () => undefined;
        resolve();
      };
      let timer = clock.after(ms, end);
      if (signal.aborted) return end();
      signal.addEventListener('abort', end, { once: true });
      this.#hurry = () => {
        this.#hurry = () => undefined;
        timer.cancel();
        timer = clock.after(Math.min(ms, HINTED_MS), end);
      };
    });
  }
}

/** runc's shim as a daemon in CRI's namespace, not one of its commands (`start`, `delete`), which end by themselves. */
function isShim(args: readonly string[]): boolean {
  return (
    basename(args[0] ?? '') === 'containerd-shim-runc-v2' &&
    valueOf(args, '-namespace') === 'k8s.io' &&
    !args.includes('start') &&
    !args.includes('delete')
  );
}

function valueOf(args: readonly string[], flag: string): string | undefined {
  const index = args.indexOf(flag);
  return index < 0 ? undefined : args[index + 1];
}
