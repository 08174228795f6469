/** Objects of contract tests, and a way to wait for what a real control plane does in its own time. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Pod, PodSpec } from '#lib/kube/types.ts';

let pods = 0;

/** A pod that nobody runs, with a name of its own. */
export function barePod(spec: Partial<PodSpec> = {}, metadata: Pod['metadata'] = {}): Pod {
  pods += 1;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `pod-${pods}`, ...metadata },
    spec: {
      automountServiceAccountToken: false,
      containers: [{ name: 'main', image: 'nodelet.local/busybox:1' }],
      ...spec,
    },
  };
}

/** Polls until the call gives something other than undefined or false; a rejection counts as not yet. */
export async function eventually<T>(
  call: () => Promise<T | undefined | false>,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let trouble: unknown;
  for (;;) {
    try {
      const value = await call();
      if (value !== undefined && value !== false) return value;
      trouble = undefined;
    } catch (error) {
      trouble = error;
    }
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms`, { cause: trouble });
    await wait(50);
  }
}
