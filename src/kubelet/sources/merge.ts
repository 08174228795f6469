import type { AgentPod } from '#lib/kube/types.ts';
import { fullName } from '#lib/kube/types.ts';
import type { ManifestProblem } from '#server/view.ts';
import type { SourceUpdate } from './source.ts';
import type { TrackedManifest } from './tracked-manifest.ts';

/**
 * One source's manifests, in order of precedence, as one set: the first that defines a pod wins, the others are told.
 * Those that are `leaving` only fill in. `originText` says for people where a manifest is.
 */
export function mergeManifests(
  manifests: readonly TrackedManifest[],
  originText: (origin: string) => string,
  leaving: readonly TrackedManifest[] = [],
): Required<Omit<SourceUpdate, 'provisional'>> {
  const pods: AgentPod[] = [];
  const problems: ManifestProblem[] = [];
  const origins = new Map<string, string>();
  const names = new Map<string, string>();
  for (const manifest of [...manifests, ...leaving]) {
    problems.push(...manifest.problems);
    for (const pod of manifest.pods) {
      const { uid } = pod.metadata;
      const sameName = names.get(fullName(pod));
      const sameUid = origins.get(uid);
      if (sameName !== undefined || sameUid !== undefined) {
        if (leaving.includes(manifest)) continue;
        const other = sameName ?? sameUid ?? '';
        problems.push({
          origin: manifest.origin,
          field: sameName === undefined ? 'metadata.uid' : 'metadata.name',
          value: JSON.stringify(sameName === undefined ? uid : fullName(pod)),
          message: `${other} defines the same pod and comes first: only that one runs`,
          lastGoodRuns: false,
        });
        continue;
      }
      names.set(fullName(pod), originText(manifest.origin));
      origins.set(uid, originText(manifest.origin));
      pods.push(pod);
    }
  }
  return { pods, problems, origins };
}

/** Whether two updates say the same, whatever the order of their pods. */
export function sameUpdate(a: SourceUpdate | undefined, b: SourceUpdate): boolean {
  const pods = new Set(a?.pods);
  return (
    a !== undefined &&
    a.pods.length === b.pods.length &&
    b.pods.every((pod) => pods.has(pod)) &&
    JSON.stringify(a.problems) === JSON.stringify(b.problems)
  );
}
