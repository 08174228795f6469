import { systemClock } from '#host/clock.ts';
import { silentLogger } from '#lib/logger.ts';
import type { Logger } from '#lib/logger.ts';
import { MetricsRegistry } from '#lib/metrics.ts';
import { createKubeApi } from '../api.ts';
import type { KubeApi, KubeApiOptions } from '../api.ts';
import { TestCa } from './certs.ts';
import { FreezableProxy } from './freezable-proxy.ts';
import { HttpServer } from './http-server.ts';
import type { HttpServerOptions } from './http-server.ts';
import { StaticCredentials } from './static-credentials.ts';

let sharedCa: Promise<TestCa> | undefined;

/** The CA of all servers of one test file. */
export const testCa = (): Promise<TestCa> => (sharedCa ??= TestCa.make());

export interface ApiBedOptions extends Partial<Omit<HttpServerOptions, 'ca'>> {
  /** Puts a proxy between client and server. */
  proxy?: boolean;
  api?: Partial<KubeApiOptions>;
}

/** A server, a client of it, and perhaps a proxy between; `await using` ends them. */
export class ApiBed implements AsyncDisposable {
  readonly server: HttpServer;
  readonly proxy: FreezableProxy | undefined;
  readonly credentials: StaticCredentials;
  readonly metrics: MetricsRegistry;
  readonly logged: { level: string; fields: object; message: string }[];
  readonly api: KubeApi;
  readonly stop = new AbortController();

  private constructor(
    parts: Pick<ApiBed, 'server' | 'proxy' | 'credentials' | 'metrics' | 'logged' | 'api'>,
  ) {
    this.server = parts.server;
    this.proxy = parts.proxy;
    this.credentials = parts.credentials;
    this.metrics = parts.metrics;
    this.logged = parts.logged;
    this.api = parts.api;
  }

  static async start(options: ApiBedOptions = {}): Promise<ApiBed> {
    const ca = await testCa();
    const server = await HttpServer.start({ protocol: 'h2', ca, ...options });
    const proxy = options.proxy === true ? await FreezableProxy.start(server.port) : undefined;
    const url = new URL(server.url);
    if (proxy !== undefined) url.port = String(proxy.port);
    const credentials = new StaticCredentials(url.href, { ca: ca.cert });
    const metrics = new MetricsRegistry();
    const logged: ApiBed['logged'] = [];
    const api = createKubeApi({
      credentials,
      clock: systemClock,
      logger: recorder(logged),
      metrics,
      userAgent: 'nodelet/test',
      random: () => 0,
      ...options.api,
    });
    return new ApiBed({ server, proxy, credentials, metrics, logged, api });
  }

  get call(): { signal: AbortSignal } {
    return { signal: this.stop.signal };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop.abort(new Error('the test is over'));
    this.api.close();
    await this.proxy?.stop();
    await this.server.stop();
  }
}

function recorder(logged: ApiBed['logged']): Logger {
  const at = (level: string) => (fields: object, message: string) => {
    logged.push({ level, fields, message });
  };
  const logger: Logger = {
    ...silentLogger,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => logger,
  };
  return logger;
}

/** Waits until `done` is true; real time, for what sockets bring. */
export async function until(done: () => boolean, what = 'the condition', ms = 5000): Promise<void> {
  const end = Date.now() + ms;
  while (!done()) {
    if (Date.now() > end) throw new Error(`${what} did not come about within ${ms} ms`);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}
