import { dirname } from 'node:path';
import { trimLog } from '#host/bounded-log.ts';
import { ensureDir, readText, removeFile, writeAtomic } from '#host/files.ts';
import { hasSysResource, isOnOverlay } from '#host/privilege.ts';
import { run } from '#host/process.ts';
import { isRunning } from '#host/processes.ts';
import type { ProcessRef } from '#host/processes.ts';
import { sleep } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/logger.ts';
import { renderContainerdConfig } from './config.ts';
import { endInstance, findInstance, isCurrent, spawnInstance, waitUntilReady } from './instance.ts';
import { layoutOf } from './layout.ts';
import type { Layout } from './layout.ts';
import { ensureMasquerade } from './masquerade.ts';
import { conflistPath, rangeOfConflist, renderConflist } from './network.ts';
import { findPrograms } from './programs.ts';
import type { Programs, ProgramsWish } from './programs.ts';
import { choosePodRange, routedRanges } from './range.ts';
import { removeRemains } from './remains.ts';
import { giveOwnScope } from './scope.ts';

export interface PrivateContainerdOptions extends ProgramsWish {
  clock: Clock;
  log: Logger;
  /** Images and records; `/var/lib/nodelet/containerd` unless given. */
  root?: string;
  /** Sockets and mounts; `/run/nodelet/containerd` unless given. */
  state?: string;
  /** `registry.k8s.io/pause:3.10` unless given. */
  sandboxImage?: string;
  /** Pods' addresses, `10.87.0.0/16`; unless given, one that this machine doesn't route yet, kept from then on. */
  podRange?: string;
  /** Says whether the runtime at an endpoint is ready for calls; accepting connections is enough unless given. */
  probe?: (endpoint: string, signal: AbortSignal) => Promise<boolean>;
  /** Told when containerd has died, and when it is back. */
  onChange?: (change: 'down' | 'up') => void;
}

const defaultSandboxImage = 'registry.k8s.io/pause:3.10';
const checkMs = 1000;
const firstPauseMs = 500;
const longestPauseMs = 30_000;
/** A containerd that ran this long starts its back-off anew. */
const stableMs = 60_000;
const maxLogBytes = 16 << 20;

/**
 * A containerd of the agent's own, with its own root, state, socket and bridge network. It runs in a session of
 * its own and outlives the agent, as the pods do; the next agent adopts it. Only `stop` ends it.
 */
export class PrivateContainerd {
  readonly layout: Layout;
  readonly #options: PrivateContainerdOptions;
  #supervision: { stop: AbortController; ended: Promise<void> } | undefined;

  constructor(options: PrivateContainerdOptions) {
    this.#options = options;
    this.layout = layoutOf(options.root, options.state);
  }

  /** Where it answers, `unix:///…`. */
  get endpoint(): string {
    return `unix://${this.layout.socket}`;
  }

  /**
   * Starts it, or adopts the one that runs, and supervises it from then on. Returns its endpoint once it answers.
   * Throws MissingProgramsError, PodRangeError or ContainerdStartError.
   */
  async start(signal: AbortSignal): Promise<string> {
    await this.release();
    const { log } = this.#options;
    const programs = await findPrograms(this.#options);
    const changed = await this.#writeConfiguration(programs, signal);
    let instance = await this.#adopt(programs, changed, signal);
    if (instance === undefined) {
      instance = await this.#launch(programs, signal);
      log.info({ pid: instance.pid, program: programs.containerd }, 'started a private containerd');
    }
    const stop = new AbortController();
    this.#supervision = { stop, ended: this.#supervise(instance, programs, stop.signal) };
    return this.endpoint;
  }

  /** Ends the supervision; containerd and the pods run on. For the agent's own end. */
  async release(): Promise<void> {
    const supervision = this.#supervision;
    this.#supervision = undefined;
    supervision?.stop.abort();
    await supervision?.ended;
  }

  /**
   * Ends containerd, every container that still runs under it and its network, and removes its folders, images
   * included. Also where it doesn't run (any more).
   */
  async stop(signal: AbortSignal): Promise<void> {
    await this.release();
    const { clock, log } = this.#options;
    for (
      let one = await findInstance(this.layout);
      one !== undefined;
      one = await findInstance(this.layout)
    ) {
      await endInstance(one, clock, signal);
    }
    const runc = await findPrograms(this.#options).then(
      (programs) => programs.runc,
      () => undefined,
    );
    await removeRemains({ layout: this.layout, runc, clock, log, signal });
  }

  /** Writes what containerd and the CNI plugins read; says whether containerd's part differs from before. */
  async #writeConfiguration(programs: Programs, signal: AbortSignal): Promise<boolean> {
    const { layout } = this;
    await ensureDir(layout.root, 0o711);
    await ensureDir(layout.state, 0o711);
    await ensureDir(layout.cniConfig, 0o700);
    await this.#writeNetwork(programs, signal);
    const text = renderContainerdConfig({
      root: layout.data,
      state: layout.run,
      socket: layout.socket,
      sandboxImage: this.#options.sandboxImage ?? defaultSandboxImage,
      runc: programs.runc,
      cniPlugins: programs.cniPlugins,
      cniConfig: layout.cniConfig,
      snapshotter: (await isOnOverlay(layout.root)) ? 'native' : 'overlayfs',
      restrictOomScore: !(await hasSysResource()),
    });
    const changed = (await readText(layout.config)) !== text;
    if (changed) await writeAtomic(layout.config, text, 0o600);
    return changed;
  }

  async #writeNetwork(programs: Programs, signal: AbortSignal): Promise<void> {
    const { bridge, cniConfig, reservations } = this.layout;
    const path = conflistPath(cniConfig, { name: bridge });
    const before = (await readText(path)) ?? '';
    const wish = this.#options.podRange;
    const kept = rangeOfConflist(before);
    const env = { ...process.env, PATH: programs.path };
    const routes = await run(programs.ip, ['-json', '-4', 'route', 'show', 'table', 'all'], { signal, env });
    // A range that pods may already have stays, even if somebody else has come to route it since.
    const range =
      kept !== undefined && (wish === undefined || wish === kept)
        ? kept
        : choosePodRange(wish, routedRanges(routes.stdout.trim(), bridge));
    const forward = await run(programs.iptables, ['--wait', '10', '-S', 'FORWARD'], { signal, env });
    const openFirewall = forward.stdout.startsWith('-P FORWARD DROP');
    const text = renderConflist({ name: bridge, bridge, range, reservations, openFirewall });
    if (text !== before) await writeAtomic(path, text, 0o600);
    await ensureMasquerade({ iptables: programs.iptables, network: bridge, range, env, signal });
  }

  /** The containerd that an earlier agent left, ready; undefined where a new one has to be started. */
  async #adopt(programs: Programs, changed: boolean, signal: AbortSignal): Promise<ProcessRef | undefined> {
    const { clock, log } = this.#options;
    const instance = await findInstance(this.layout);
    if (instance === undefined) return undefined;
    const why = changed
      ? 'its configuration changed'
      : isCurrent(instance, programs)
        ? undefined
        : 'its program changed';
    if (why === undefined) {
      try {
        await waitUntilReady(this.layout, instance, this.#probe, clock, signal);
        log.info({ pid: instance.pid }, 'adopted the private containerd');
        return instance;
      } catch (error) {
        signal.throwIfAborted();
        log.warn(
          { err: error, pid: instance.pid },
          'the private containerd does not answer: it is restarted',
        );
      }
    } else log.info({ pid: instance.pid }, `the private containerd is restarted: ${why}`);
    await endInstance(instance, clock, signal);
    return undefined;
  }

  async #launch(programs: Programs, signal: AbortSignal): Promise<ProcessRef> {
    await ensureDir(dirname(this.layout.socket), 0o711);
    // A socket file whose owner was killed still stands there; it must not be taken for the new one's.
    await removeFile(this.layout.socket);
    await trimLog(this.layout.log, maxLogBytes);
    const instance = await spawnInstance(this.layout, programs);
    await giveOwnScope(instance.pid, { log: this.#options.log, signal });
    await waitUntilReady(this.layout, instance, this.#probe, this.#options.clock, signal);
    return instance;
  }

  readonly #probe = (endpoint: string, signal: AbortSignal): Promise<boolean> =>
    this.#options.probe?.(endpoint, signal) ?? Promise.resolve(true);

  /** Looks after one instance after the other until told to stop. Never rejects. */
  async #supervise(first: ProcessRef, programs: Programs, stop: AbortSignal): Promise<void> {
    const { clock, log, onChange } = this.#options;
    let instance: ProcessRef | undefined = first;
    let since = clock.monotonic();
    let pause = firstPauseMs;
    while (!stop.aborted) {
      try {
        if (instance !== undefined && (await isRunning(instance))) {
          if (clock.monotonic() - since > stableMs) pause = firstPauseMs;
          await trimLog(this.layout.log, maxLogBytes);
          await sleep(clock, checkMs, stop);
          continue;
        }
        if (instance !== undefined) {
          log.warn({ pid: instance.pid }, 'the private containerd has ended: it is started again');
          instance = undefined;
          onChange?.('down');
          if (clock.monotonic() - since < stableMs) {
            await sleep(clock, pause, stop);
            pause = Math.min(2 * pause, longestPauseMs);
          }
        }
        // Another agent, or a call of this one that was cut short, may have started it meanwhile.
        instance = (await findInstance(this.layout)) ?? (await this.#launch(programs, stop));
        since = clock.monotonic();
        log.info({ pid: instance.pid }, 'the private containerd is back');
        onChange?.('up');
      } catch (error) {
        if (stop.aborted) return;
        log.error({ err: error, retryInMs: pause }, 'the private containerd could not be started');
        await sleep(clock, pause, stop).catch(() => undefined);
        pause = Math.min(2 * pause, longestPauseMs);
      }
    }
  }
}
