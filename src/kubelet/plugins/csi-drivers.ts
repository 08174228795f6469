import type { Clock } from '#lib/clock.ts';
import { NodeletError, describeError } from '#lib/errors.ts';
import type { Informer } from '#lib/kube/client.ts';
import type { CsiDriver } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import { CsiDriverMissingError, type CsiDrivers, type CsiNodeService } from '#volumes/csi/node-service.ts';
import { SETTLE_MS, withinMs } from '../objects/within.ts';
import { CsiClient } from './csi-client.ts';
import type { CsiNodeDrivers } from './csi-node-drivers.ts';
import type { PluginHandler, PluginInfo } from './registration.ts';

export class CsiPluginError extends NodeletError {
  readonly code = 'CSI_PLUGIN';
}

export interface CsiDriverRegistryOptions {
  nodeDrivers: Pick<CsiNodeDrivers, 'install' | 'uninstall'>;
  /** All CSIDriver objects. */
  objects: Pick<Informer<CsiDriver>, 'hasSynced' | 'synced' | 'get'>;
  /** A driver has come, or come back. */
  onRegistered(): void;
  clock: Clock;
  logger: Logger;
}

interface Registered {
  endpoint: string;
  client: CsiClient;
}

const UNINSTALL_MS = 30_000;

/** The CSI drivers that have registered with this process. */
export class CsiDriverRegistry implements CsiDrivers, PluginHandler {
  readonly #options: CsiDriverRegistryOptions;
  readonly #drivers = new Map<string, Registered>();

  constructor(options: CsiDriverRegistryOptions) {
    this.#options = options;
  }

  service(driver: string): CsiNodeService {
    const found = this.#drivers.get(driver);
    if (found === undefined) throw new CsiDriverMissingError(driver);
    return found.client;
  }

  async described(driver: string, signal: AbortSignal): Promise<CsiDriver['spec'] | undefined> {
    const { objects, clock } = this.#options;
    if (!objects.hasSynced) await withinMs(clock, SETTLE_MS, signal, (soon) => objects.synced(soon));
    if (!objects.hasSynced)
      throw new CsiPluginError('the CSIDriver objects have not been read yet', { retryable: true });
    return objects.get({ name: driver })?.spec;
  }

  async register(plugin: PluginInfo, signal: AbortSignal): Promise<void> {
    const { name, endpoint, supportedVersions } = plugin;
    if (!supportedVersions.some((version) => /^v?1(\.\d+){1,2}$/.test(version))) {
      throw new CsiPluginError(
        `validation failed for CSI Driver ${name} at endpoint ${endpoint}: none of the versions specified ` +
          `${JSON.stringify(supportedVersions)} are supported`,
      );
    }
    const client = new CsiClient(endpoint);
    try {
      await this.#options.nodeDrivers.install(name, await client.info(signal), signal);
    } catch (error) {
      client.close();
      throw error;
    }
    this.#drivers.get(name)?.client.close();
    this.#drivers.set(name, { endpoint, client });
    this.#options.onRegistered();
  }

  async deregister({ name, endpoint }: PluginInfo): Promise<void> {
    const found = this.#drivers.get(name);
    // Another process of the driver has registered meanwhile, at a socket of its own.
    if (found === undefined || found.endpoint !== endpoint) return;
    found.client.close();
    this.#drivers.delete(name);
    await this.#options.nodeDrivers
      .uninstall(name, AbortSignal.timeout(UNINSTALL_MS))
      .catch((error: unknown) => {
        this.#options.logger.warn(
          { err: error, driver: name },
          `a CSI driver has gone, but CSINode still names it: ${describeError(error)}`,
        );
      });
  }

  close(): void {
    for (const { client } of this.#drivers.values()) client.close();
    this.#drivers.clear();
  }
}
