import { belongsToGroup, giveToGroup } from '#host/volume-owner.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import type { AgentPod } from '#lib/kube/types.ts';

/** A warning about a pod, as the pod worker's PodEvents takes it. */
export interface VolumeEvents {
  event(pod: AgentPod, type: 'Normal' | 'Warning', reason: string, message: string): void;
}

export interface FsGroupOptions {
  clock: Clock;
  events: VolumeEvents;
}

const FIRST_WORD_MS = 30_000;
const NEXT_WORD_MS = 60_000;
const REASON = 'VolumePermissionChangeInProgress';

/**
 * Gives the volume at `path` to the pod's fsGroup, if it has one and its fsGroupChangePolicy asks for it. Large volumes
 * take long: then events say so.
 */
export async function applyFsGroup(
  volume: { pod: AgentPod; path: string; readOnly: boolean; signal: AbortSignal },
  { clock, events }: FsGroupOptions,
): Promise<void> {
  const { pod, path, readOnly, signal } = volume;
  const { fsGroup: group, fsGroupChangePolicy } = pod.spec.securityContext ?? {};
  if (group === undefined) return;
  if (fsGroupChangePolicy === 'OnRootMismatch' && (await belongsToGroup(path, group, readOnly))) return;
  // From the pod's UID on, as upstream: the rest is the same for all.
  const at = path.indexOf(pod.metadata.uid);
  const shown = at < 0 ? path : path.slice(at);
  let files = 0;
  let timer: Timer;
  const tell = (words: string): void => {
    events.event(pod, 'Warning', REASON, `Setting volume ownership for ${shown} ${words}`);
    timer = clock.after(NEXT_WORD_MS, () => tell(`is in progress, processed ${files} files.`));
  };
  timer = clock.after(FIRST_WORD_MS, () =>
    tell(
      'is taking longer than expected, consider using OnRootMismatch - https://kubernetes.io/docs/tasks/' +
        'configure-pod-container/security-context/#configure-volume-permission-and-ownership-change-policy-for-pods',
    ),
  );
  try {
    await giveToGroup(path, { group, readOnly, signal, onFile: () => void files++ });
  } finally {
    timer.cancel();
  }
}
