import type { RuntimeStatus } from '#cri/types.ts';

/** A runtime that hasn't answered for so long counts as down; until then it may just be restarting. */
export const RUNTIME_DOWN_AFTER_MS = 30_000;

export interface RuntimeWord {
  /** Its last answer to Status, and how many milliseconds ago it came; undefined: there was none yet. */
  last: { status: RuntimeStatus; ageMs: number } | undefined;
}

const CONDITIONS = [
  ['RuntimeReady', 'container runtime not ready'],
  ['NetworkReady', 'container runtime network not ready'],
] as const;

/** Why the runtime keeps the node from being ready, in upstream's words. */
export function runtimeTroubles({ last }: RuntimeWord): string[] {
  if (last === undefined) return ['container runtime status check may not have completed yet'];
  const troubles = last.ageMs >= RUNTIME_DOWN_AFTER_MS ? ['container runtime is down'] : [];
  for (const [type, words] of CONDITIONS) {
    const condition = last.status.conditions.find((each) => each.type === type);
    if (condition === undefined) troubles.push(`${words}: the runtime does not report ${type}`);
    else if (!condition.status) {
      const { reason, message } = condition;
      troubles.push(`${words}: ${type}=false reason:${reason} message:${message}`);
    }
  }
  return troubles;
}
