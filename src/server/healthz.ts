import type { Server, ServerResponse } from 'node:http';
import { createServer } from '#host/http.ts';
import { sleep } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';

/** One thing that must be well; `trouble` says why it isn't. */
export interface HealthCheck {
  name: string;
  trouble(): string | undefined;
}

export interface HealthzOptions {
  /** An IP address. */
  address: string;
  port: number;
  checks: readonly HealthCheck[];
  clock: Clock;
  logger: Logger;
}

const RETRY_MS = 5000;

interface Page {
  status: number;
  text: string;
}

/** Upstream's answer: `ok`, or a line a check with what failed; all lines with `?verbose`. */
export function healthPage(checks: readonly HealthCheck[], verbose: boolean): Page {
  const results = checks.map((check) => ({ name: check.name, trouble: check.trouble() }));
  const lines = results.map(({ name, trouble }) =>
    trouble === undefined ? `[+]${name} ok` : `[-]${name} failed: ${trouble}`,
  );
  if (results.some(({ trouble }) => trouble !== undefined)) {
    return { status: 500, text: `${lines.join('\n')}\nhealthz check failed\n` };
  }
  return { status: 200, text: verbose ? `${lines.join('\n')}\nhealthz check passed\n` : 'ok' };
}

/** `/healthz` and `/healthz/CHECK` without authentication, for whoever watches over the agent on this machine. */
export class HealthzServer {
  readonly #options: HealthzOptions;

  constructor(options: HealthzOptions) {
    this.#options = options;
  }

  /** Serves until the signal aborts. A port that is taken is tried again: another agent may be about to end. */
  async run(signal: AbortSignal): Promise<void> {
    const { address, port, clock, logger } = this.#options;
    let said = '';
    while (!signal.aborted) {
      try {
        await this.#serve(signal);
      } catch (error) {
        const problem = describeError(error);
        if (said !== problem) logger.warn({ address, port, problem }, 'healthz is not served; trying again');
        said = problem;
      }
      await sleep(clock, RETRY_MS, signal).catch(() => undefined);
    }
  }

  async #serve(signal: AbortSignal): Promise<void> {
    const { address, port } = this.#options;
    const server = createServer((request, response) => {
      request.resume();
      const page = this.#answer(request.method ?? '', new URL(request.url ?? '/', 'http://healthz'));
      reply(response, page);
    });
    server.headersTimeout = 5000;
    server.requestTimeout = 5000;
    server.maxConnections = 100;
    await listen(server, port, address);
    await new Promise<void>((resolve) => {
      const end = (): void => {
        server.close(() => resolve());
        server.closeAllConnections();
      };
      if (signal.aborted) end();
      else signal.addEventListener('abort', end, { once: true });
    });
  }

  #answer(method: string, { pathname, searchParams }: URL): Page {
    const [, root, name, ...rest] = pathname.split('/');
    const { checks } = this.#options;
    const chosen = name === undefined || name === '' ? checks : checks.filter((each) => each.name === name);
    if (root !== 'healthz' || rest.length > 0 || chosen.length === 0)
      return { status: 404, text: 'not found\n' };
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, text: 'only GET is allowed here\n' };
    const left = chosen.filter((each) => !searchParams.getAll('exclude').includes(each.name));
    return healthPage(left, searchParams.has('verbose'));
  }
}

const listen = (server: Server, port: number, host: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host }, () => resolve());
  });

function reply(response: ServerResponse, { status, text }: Page): void {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'x-content-type-options': 'nosniff',
  });
  response.end(text);
}
