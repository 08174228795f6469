import type { Container, PodSandbox } from './types.ts';

/** What of the runtime's lists tells whether a pod changed. */
export interface Snapshot {
  /** By pod UID: the IDs and states of all its sandboxes and containers as one text. */
  readonly pods: ReadonlyMap<string, string>;
  /** The pod UID of each sandbox and container. */
  readonly owners: ReadonlyMap<string, string>;
}

export const EMPTY_SNAPSHOT: Snapshot = { pods: new Map(), owners: new Map() };

export function snapshotOf(sandboxes: readonly PodSandbox[], containers: readonly Container[]): Snapshot {
  const owners = new Map<string, string>();
  const parts = new Map<string, string[]>();
  const add = (uid: string, id: string, state: string): void => {
    owners.set(id, uid);
    const part = `${id} ${state}`;
    const known = parts.get(uid);
    if (known === undefined) parts.set(uid, [part]);
    else known.push(part);
  };
  for (const sandbox of sandboxes) add(sandbox.metadata.uid, sandbox.id, sandbox.state);
  for (const container of containers) {
    // The two lists are not of one moment: a container's sandbox may be missing from the other list.
    const uid = owners.get(container.podSandboxId) ?? container.labels['io.kubernetes.pod.uid'];
    if (uid !== undefined) add(uid, container.id, container.state);
  }
  const pods = new Map<string, string>();
  // containerd lists in no order.
  for (const [uid, each] of parts) pods.set(uid, each.sort().join('\n'));
  return { pods, owners };
}

/** The UIDs of pods that came, went, or have another set of IDs and states. */
export function changedPods(before: Snapshot, after: Snapshot): string[] {
  const changed: string[] = [];
  for (const [uid, text] of after.pods) if (before.pods.get(uid) !== text) changed.push(uid);
  for (const uid of before.pods.keys()) if (!after.pods.has(uid)) changed.push(uid);
  return changed;
}
