import type { MetricsRegistry } from '#lib/metrics.ts';

/** Upstream's metrics of its API client. */
export class ClientMetrics {
  readonly #host: string;
  readonly #requests;
  readonly #durations;

  constructor(registry: MetricsRegistry, host: string) {
    this.#host = host;
    this.#requests = registry.counter(
      'rest_client_requests_total',
      'Number of HTTP requests, partitioned by status code, method, and host.',
      ['code', 'method', 'host'],
    );
    this.#durations = registry.histogram(
      'rest_client_request_duration_seconds',
      'Request latency in seconds. Broken down by verb, and host.',
      ['verb', 'host'],
      [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60],
    );
  }

  /** `status` 0: no answer came. */
  exchanged(method: string, status: number, ms: number): void {
    const host = this.#host;
    this.#requests.add({ code: status === 0 ? '<error>' : String(status), method, host });
    this.#durations.observe({ verb: method, host }, ms / 1000);
  }
}
