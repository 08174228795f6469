import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { ensureDir, listDir, readText, removeFile, writeAtomic } from '#host/files.ts';
import type { ConfigMap, Pod, Secret } from '#lib/kube/types.ts';
import { safeSegment } from '#lib/path-segment.ts';
import { BadRequestError } from '#server/errors.ts';
import type { AppliedView } from '#server/view.ts';
import type { LocalObject } from './objects/local-object.ts';
import { readManifest } from './sources/manifest-pods.ts';
import { staticNameSuffix } from './sources/static-pod.ts';

type AppliedKind = 'Pod' | LocalObject['kind'];

const MAX_FILE_NAME = 230;

/**
 * Pods, ConfigMaps and Secrets given to `nodelet apply`: one file each in a folder of the agent's own, which a source
 * of manifests watches like any other. Only root may read them.
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
    const { pods, objects, findings } = readManifest(text, {
      nameSuffix: staticNameSuffix(this.#nodeName),
      servesObjects: true,
    });
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
    // What pods name comes before them.
    for (const { kind, object } of objects.values()) applied.push(await this.#keep(kind, object));
    for (const pod of pods.values()) applied.push(await this.#keep('Pod', pod));
    return applied;
  }

  async #keep(kind: AppliedKind, object: Pod | ConfigMap | Secret): Promise<AppliedView> {
    const { name = '', namespace = 'default' } = object.metadata ?? {};
    const file = this.#file(kind, namespace, name);
    const before = await readText(file);
    const now = `${JSON.stringify(object, undefined, 2)}\n`;
    if (before !== now) await writeAtomic(file, now, 0o600);
    const changed = before === undefined ? 'created' : 'configured';
    return { kind, namespace, name, result: before === now ? 'unchanged' : changed };
  }

  /** Removes what was applied under the pod's name on this node (`NAME-NODE`); false where nothing was. */
  async remove(namespace: string, name: string): Promise<boolean> {
    const suffix = staticNameSuffix(this.#nodeName);
    return this.#remove('Pod', namespace, name.endsWith(suffix) ? name.slice(0, -suffix.length) : name);
  }

  /** As `remove`, for a ConfigMap or Secret. */
  removeObject(kind: LocalObject['kind'], namespace: string, name: string): Promise<boolean> {
    return this.#remove(kind, namespace, name);
  }

  async #remove(kind: AppliedKind, namespace: string, name: string): Promise<boolean> {
    const file = this.#file(kind, namespace, name);
    if ((await readText(file)) === undefined) return false;
    await removeFile(file);
    return true;
  }

  /** Makes the folder, so that it is watched from the start; says how many manifests it holds. */
  async prepare(): Promise<number> {
    await ensureDir(this.#dir, 0o700);
    return ((await listDir(this.#dir)) ?? []).length;
  }

  #file(kind: AppliedKind, namespace: string, name: string): string {
    // Names have no '_'.
    const whole = kind === 'Pod' ? `${namespace}_${name}` : `${kind}_${namespace}_${name}`;
    // A file name holds less than the longest namespace and name together.
    const short = `${whole.slice(0, 150)}_${createHash('sha256').update(whole).digest('hex')}`;
    const file = whole.length > MAX_FILE_NAME ? short : whole;
    return join(this.#dir, safeSegment(`${file}.json`, 'manifest name'));
  }
}
