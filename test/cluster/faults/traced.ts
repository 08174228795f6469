/** Pods that write a line each time that one of their containers starts, so that a second start can't be missed. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ObjectMeta, PodSpec } from '#lib/kube/types.ts';
import { container, podManifest, untilTerm } from '#test/bed/manifests.ts';

export class Trace {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** `dir`: of the agent. */
  static async create(dir: string): Promise<Trace> {
    const folder = join(dir, 'trace');
    await mkdir(folder, { recursive: true });
    return new Trace(folder);
  }

  /** A pod of one container, which runs `script` once it has left its line; without one it runs until TERM. */
  pod(name: string, script = untilTerm, spec: Partial<PodSpec> = {}, metadata: ObjectMeta = {}): string {
    const main = container('main', `echo "$UID_OF_POD" >>/trace/${name}; ${script}`, {
      env: [{ name: 'UID_OF_POD', valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } }],
      volumeMounts: [{ name: 'trace', mountPath: '/trace' }, ...mountsOf(spec)],
    });
    const { volumes = [], ...more } = spec;
    const all = [...volumes, { name: 'trace', hostPath: { path: this.#folder } }];
    return podManifest(name, [main], { volumes: all, ...more }, metadata);
  }

  /** UIDs of the pods of this name, once for each start. */
  async starts(name: string): Promise<string[]> {
    const text = await readFile(join(this.#folder, name), 'utf8').catch(() => '');
    return text.split('\n').filter(Boolean);
  }
}

/** Volumes that nobody mounts aren't even set up. */
const mountsOf = ({ volumes = [] }: Partial<PodSpec>): { name: string; mountPath: string }[] =>
  volumes.map(({ name }) => ({ name, mountPath: `/volumes/${name}` }));
