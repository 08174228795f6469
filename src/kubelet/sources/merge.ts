import type { AgentPod } from '#lib/kube/types.ts';
import { fullName } from '#lib/kube/types.ts';
import type { ManifestProblem } from '#server/view.ts';
import { type ServedObject, localKey } from '../objects/local-object.ts';
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
  return { pods, problems, origins, objects: mergeObjects(manifests, leaving, problems) };
}

/** As the pods. */
function mergeObjects(
  manifests: readonly TrackedManifest[],
  leaving: readonly TrackedManifest[],
  problems: ManifestProblem[],
): ServedObject[] {
  const all = new Map<string, ServedObject>();
  for (const object of manifests.flatMap((manifest) => manifest.objects)) {
    const first = all.get(localKey(object));
    if (first === undefined) all.set(localKey(object), object);
    else problems.push(doubledObject(object, first));
  }
  for (const object of leaving.flatMap((manifest) => manifest.objects))
    if (!all.has(localKey(object))) all.set(localKey(object), object);
  return [...all.values()];
}

/** That of two objects of one name the first counts. */
export const doubledObject = (second: ServedObject, first: ServedObject): ManifestProblem => ({
  origin: second.origin,
  field: 'metadata.name',
  value: JSON.stringify(localKey(second)),
  message: `${first.origin} defines the same ${second.kind} and comes first: only that one counts`,
  lastGoodRuns: false,
});

/** Whether two updates say the same, whatever the order. */
export function sameUpdate(a: SourceUpdate | undefined, b: SourceUpdate): boolean {
  const pods = new Set(a?.pods);
  const held = new Map(a?.objects?.map((each) => [each.object, each.origin]));
  const objects = b.objects ?? [];
  return (
    a !== undefined &&
    a.pods.length === b.pods.length &&
    b.pods.every((pod) => pods.has(pod)) &&
    held.size === objects.length &&
    objects.every((each) => held.get(each.object) === each.origin) &&
    JSON.stringify(a.problems) === JSON.stringify(b.problems)
  );
}
