import type { MetricsRegistry } from '#lib/metrics.ts';
import type { Resource } from '#lib/kube/client.ts';

/** Why a watch began again: its server ended it, it went silent, it broke, or its version was too old. */
export type RestartReason = 'ended' | 'silent' | 'failed' | 'expired';

/** How well the watches go; all watches of one kind share their series. */
export class InformerMetrics {
  readonly #restarts;
  readonly #lists;
  readonly #last;

  constructor(registry: MetricsRegistry) {
    this.#restarts = registry.counter(
      'nodelet_watch_restarts_total',
      'Watches that began again, by kind and why the one before ended.',
      ['resource', 'reason'],
    );
    this.#lists = registry.counter('nodelet_watch_lists_total', 'Whole lists fetched, by kind.', [
      'resource',
    ]);
    this.#last = registry.gauge(
      'nodelet_watch_last_contact_timestamp_seconds',
      'When a list or watch of the kind last brought a word from the server.',
      ['resource'],
    );
  }

  restarted(resource: Resource, reason: RestartReason): void {
    this.#restarts.add({ resource: resource.plural, reason });
  }

  listed(resource: Resource): void {
    this.#lists.add({ resource: resource.plural });
  }

  contact(resource: Resource, wallMs: number): void {
    this.#last.set({ resource: resource.plural }, wallMs / 1000);
  }
}
