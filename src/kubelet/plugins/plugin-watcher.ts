import { join } from 'node:path';
import { type DirWatch, watchDir } from '#host/dir-watch.ts';
import { ensureDir, listDir, statOf } from '#host/files.ts';
import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import { KeyedQueue } from '#lib/keyed-queue.ts';
import type { Logger } from '#lib/logger.ts';
import { type PluginHandler, type PluginInfo, notifyPlugin, pluginInfo } from './registration.ts';

export interface PluginWatcherOptions {
  /** `ROOT/plugins_registry`. */
  folder: string;
  /** By the plugins' type. */
  handlers: ReadonlyMap<string, PluginHandler>;
  clock: Clock;
  logger: Logger;
}

interface Plugin {
  /** Changes when the socket is another one of the same name. */
  identity: string;
  info: PluginInfo | undefined;
  failures: number;
}

const POLL_MS = 10_000;
const MAX_DEPTH = 3;
const retryDelay = (failures: number): number => Math.min(500 * 2 ** Math.min(failures, 10), 120_000);

/** Plugins register by a socket in a folder and deregister by its removal. */
export class PluginWatcher {
  readonly #options: PluginWatcherOptions;
  readonly #plugins = new Map<string, Plugin>();
  readonly #stopping = new AbortController();
  /** One socket at a time; '' looks at the folder. */
  readonly #queue: KeyedQueue;
  readonly #watches = new Map<string, DirWatch>();

  constructor(options: PluginWatcherOptions) {
    this.#options = options;
    this.#queue = new KeyedQueue(options.clock, (key) => (key === '' ? this.#look() : this.#treat(key)));
  }

  async start(): Promise<void> {
    await ensureDir(this.#options.folder, 0o750);
    this.#queue.add('');
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const watch of this.#watches.values()) watch.close();
    await this.#queue.stop();
  }

  async #look(): Promise<void> {
    try {
      const found = new Map<string, string>();
      await this.#find(this.#options.folder, 0, found);
      for (const path of this.#plugins.keys()) if (!found.has(path)) this.#queue.add(path);
      for (const [path, identity] of found) {
        if (this.#plugins.get(path)?.identity !== identity) this.#queue.add(path);
      }
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'the folder of plugin sockets can’t be looked at');
    }
    this.#queue.add('', POLL_MS);
  }

  async #find(folder: string, depth: number, found: Map<string, string>): Promise<void> {
    if (this.#watches.get(folder)?.active !== true) {
      this.#watches.set(
        folder,
        watchDir(folder, () => this.#queue.add('', 50)),
      );
    }
    for (const entry of (await listDir(folder)) ?? []) {
      if (entry.name.startsWith('.')) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory() && depth < MAX_DEPTH) await this.#find(path, depth + 1, found);
      const identity = entry.isSocket() ? await identityOf(path) : undefined;
      if (identity !== undefined) found.set(path, identity);
    }
  }

  async #treat(path: string): Promise<void> {
    const identity = await identityOf(path).catch(() => undefined);
    const known = this.#plugins.get(path);
    if (known?.identity === identity && known?.info !== undefined) return;
    if (known?.info !== undefined && known.identity !== identity) {
      await this.#handlerOf(known.info)?.deregister(known.info);
      known.info = undefined;
      this.#options.logger.info({ socket: path }, 'a plugin has gone');
    }
    if (identity === undefined) {
      this.#plugins.delete(path);
      return;
    }
    const plugin = known?.identity === identity ? known : { identity, info: undefined, failures: 0 };
    this.#plugins.set(path, plugin);
    await this.#register(path, plugin);
  }

  #handlerOf({ type }: PluginInfo): PluginHandler | undefined {
    return this.#options.handlers.get(type);
  }

  async #register(path: string, plugin: Plugin): Promise<void> {
    const { logger } = this.#options;
    const { signal } = this.#stopping;
    let trouble: string | undefined;
    let info: PluginInfo | undefined;
    try {
      info = await pluginInfo(path, signal);
      const handler = this.#handlerOf(info);
      if (handler === undefined)
        trouble = `no handler registered for plugin type: ${info.type} at socket ${path}`;
      else await handler.register(info, signal);
    } catch (error) {
      if (signal.aborted) return;
      trouble = `plugin registration failed with err: ${describeError(error)}`;
    }
    const { type, name } = info ?? {};
    if (trouble === undefined) {
      plugin.info = info;
      plugin.failures = 0;
      logger.info({ socket: path, type, name }, 'a plugin has registered');
    } else {
      logger.warn({ socket: path, type, name }, trouble);
      this.#queue.add(path, retryDelay(plugin.failures++));
    }
    if (info === undefined) return;
    await notifyPlugin(path, trouble, signal).catch((error: unknown) =>
      logger.warn({ err: error, socket: path }, 'a plugin can’t be told how its registration went'),
    );
  }
}

async function identityOf(path: string): Promise<string | undefined> {
  const stats = await statOf(path);
  return stats?.isSocket() === true ? `${stats.dev} ${stats.ino} ${stats.ctimeMs}` : undefined;
}
