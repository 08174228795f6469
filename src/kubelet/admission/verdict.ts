/** What admission says of a pod, with upstream's reasons and messages. */
export type Verdict = { admitted: true } | Rejection;

export interface Rejection {
  admitted: false;
  /** `OutOfcpu`, `NodeAffinity` …: becomes the pod's `status.reason`. */
  reason: string;
  message: string;
}

export const ADMITTED: Verdict = { admitted: true };

export const rejected = (reason: string, message: string): Rejection => ({
  admitted: false,
  reason,
  message,
});

/** One check that a pod didn't pass. Only a lack of resources can be mended, by ending other pods. */
export type Misfit =
  | {
      kind: 'resource';
      resource: string;
      /** Thousandths for `cpu`, whole units for everything else. */
      requested: number;
      used: number;
      capacity: number;
    }
  | { kind: 'predicate'; name: string; description: string };

/** The rejection that a misfit amounts to. */
export function rejectionOf(misfit: Misfit): Rejection {
  if (misfit.kind === 'predicate') {
    return rejected(misfit.name, `Predicate ${misfit.name} failed: ${misfit.description}`);
  }
  const { resource, requested, used, capacity } = misfit;
  return rejected(
    `OutOf${resource}`,
    `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
  );
}
