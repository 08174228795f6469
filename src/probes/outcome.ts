/**
 * What one probe found. The words are upstream's where upstream has any: people and alerts read them in events.
 *
 * - `warning` counts as success and is told in an event;
 * - `error`: the prober itself failed, so that nothing is known of the container.
 */
export type Outcome =
  | { kind: 'success'; words: string }
  | { kind: 'warning'; words: string }
  | { kind: 'failure'; words: string }
  | { kind: 'error'; words: string };

export const success = (words = ''): Outcome => ({ kind: 'success', words });
export const failure = (words: string): Outcome => ({ kind: 'failure', words });

/** As upstream: what a probe may take in of an answer or an output. */
export const MAX_OUTPUT_BYTES = 10 << 10;

export const USER_AGENT = 'kube-probe/1.36';
