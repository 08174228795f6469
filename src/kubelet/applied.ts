import { join } from 'node:path';
import { ensureDir, listDir, readText, removeFile, writeAtomic } from '#host/files.ts';
import { safeSegment } from '#lib/path-segment.ts';
import { BadRequestError } from '#server/errors.ts';
import type { AppliedView } from '#server/view.ts';
import { readManifest } from './sources/manifest-pods.ts';
import { staticNameSuffix } from './sources/static-pod.ts';

/**
 * Pods given to `nodelet apply`: one file each in a folder of the agent's own, which a source of manifests watches
 * like any other.
 */
export class AppliedManifests {
  readonly #dir: string;
  readonly #nodeName: string;

  constructor(dir: string, nodeName: string) {
    this.#dir = dir;
    this.#nodeName = nodeName;
  }

  /** Takes all of the manifests or, with a BadRequestError that names every fault, none. */
  async apply(text: string): Promise<AppliedView[]> {
    const { pods, findings } = readManifest(text, { nameSuffix: staticNameSuffix(this.#nodeName) });
    const faults = findings.filter((each) => each.severity !== 'warning');
    if (faults.length > 0) {
      const lines = faults.map(({ document, field, value, message }) =>
        [document === undefined ? '' : `document ${document}`, field ?? '', value ?? '', message]
          .filter(Boolean)
          .join(': '),
      );
      throw new BadRequestError(`nothing was applied: ${lines.join('; ')}`);
    }
    await ensureDir(this.#dir, 0o700);
    const applied: AppliedView[] = [];
    for (const pod of pods.values()) {
      const { name = '', namespace = 'default' } = pod.metadata ?? {};
      const file = this.#file(namespace, name);
      const before = await readText(file);
      const now = `${JSON.stringify(pod, undefined, 2)}\n`;
      if (before !== now) await writeAtomic(file, now, 0o600);
      const changed = before === undefined ? 'created' : 'configured';
      applied.push({ kind: 'Pod', namespace, name, result: before === now ? 'unchanged' : changed });
    }
    return applied;
  }

  /** Removes what was applied under the pod's name on this node (`NAME-NODE`); false where nothing was. */
  async remove(namespace: string, name: string): Promise<boolean> {
    const suffix = staticNameSuffix(this.#nodeName);
    const file = this.#file(namespace, name.endsWith(suffix) ? name.slice(0, -suffix.length) : name);
    if ((await readText(file)) === undefined) return false;
    await removeFile(file);
    return true;
  }

  /** Makes the folder, so that it is watched from the start; says how many manifests it holds. */
  async prepare(): Promise<number> {
    await ensureDir(this.#dir, 0o700);
    return ((await listDir(this.#dir)) ?? []).length;
  }

  #file(namespace: string, name: string): string {
    return join(this.#dir, safeSegment(`${namespace}_${name}.json`, 'manifest name'));
  }
}
