/** Groups as folders in every hierarchy of the machine: making, limiting, listing. Removing is in removal.ts. */
import { dirname, join } from 'node:path';
import type { CgroupFiles } from '#host/cgroup-files.ts';
import { codeOf, describeError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { CgroupError } from './errors.ts';
import { allMountsOf, mountsOf } from './layout.ts';
import type { CgroupLayout, CgroupMount } from './layout.ts';
import { v1Files, v2Files } from './limit-files.ts';
import type { CgroupLimits } from './pod-limits.ts';

export interface CgroupTreeOptions {
  layout: CgroupLayout;
  files: CgroupFiles;
  /** Huge page sizes of the machine, as `2MB`. */
  hugePageSizes: readonly string[];
  logger: Logger;
}

/** Handed down on cgroup v2 so that runtimes find them in the pod's group. */
const HANDED_DOWN = ['cpu', 'cpuset', 'io', 'memory', 'hugetlb', 'pids'];

/** All paths are relative to the hierarchies' mount points and begin with `/`. */
export class CgroupTree {
  readonly #layout: CgroupLayout;
  readonly #files: CgroupFiles;
  readonly #hugePageSizes: readonly string[];
  readonly #logger: Logger;
  /** What was said already: a controller that is missing would otherwise be named with every pod. */
  readonly #said = new Set<string>();
  /** Of v1's many hierarchies: folders that have been made with all above them, so that a pod's group is one call. */
  readonly #parents = new Set<string>();

  constructor(options: CgroupTreeOptions) {
    this.#layout = options.layout;
    this.#files = options.files;
    this.#hugePageSizes = options.hugePageSizes;
    this.#logger = options.logger;
  }

  get mounts(): readonly CgroupMount[] {
    return mountsOf(this.#layout);
  }

  /** The group's folders, one a hierarchy, whether they exist or not. */
  folders(path: string): string[] {
    return allMountsOf(this.#layout).map(({ mountPoint }) => join(mountPoint, path));
  }

  /**
   * Makes the group and those above it in every hierarchy. Says whether it is new everywhere, so that its files
   * still hold the kernel's defaults.
   */
  async make(path: string): Promise<boolean> {
    try {
      const fresh = await Promise.all(this.mounts.map((mount) => this.#makeIn(mount, path)));
      return fresh.every(Boolean);
    } catch (cause) {
      const readOnly = this.mounts.find(({ writable }) => !writable);
      const mend = readOnly === undefined ? '' : `: ${readOnly.mountPoint} is mounted read-only`;
      throw new CgroupError(`cgroup ${path} can't be made${mend}`, { cause, retryable: true });
    }
  }

  async #makeIn(mount: CgroupMount, path: string): Promise<boolean> {
    const target = join(mount.mountPoint, path);
    if (this.#parents.has(dirname(target))) {
      try {
        return await this.#makeOne(mount, target);
      } catch (error) {
        // Somebody has removed the groups above since: make them again.
        if (codeOf(error) !== 'ENOENT') throw error;
      }
    }
    let folder = mount.mountPoint;
    let fresh = false;
    for (const part of path.split('/').filter((word) => word !== '')) {
      if (this.#layout.version === 1) this.#parents.add(folder);
      folder = join(folder, part);
      fresh = await this.#makeOne(mount, folder);
    }
    return fresh;
  }

  async #makeOne(mount: CgroupMount, folder: string): Promise<boolean> {
    const parent = dirname(folder);
    if (this.#layout.version === 2) await this.#handDown(parent, mount.controllers);
    const fresh = await this.#files.makeDir(folder);
    if (mount.controllers.includes('cpuset') && this.#layout.version === 1) {
      await this.#inheritCpuset(parent, folder);
    }
    return fresh;
  }

  /** A new v1 cpuset allows no CPU and no memory node, and no process can enter it until it has some. */
  async #inheritCpuset(parent: string, folder: string): Promise<void> {
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const own = await this.#files.read(join(folder, file));
      if (own === undefined || own.trim() !== '') continue;
      const inherited = (await this.#files.read(join(parent, file)))?.trim();
      if (inherited) await this.#files.write(join(folder, file), inherited);
    }
  }

  /** On v2 a group has only the controllers that its parent hands down. */
  async #handDown(parent: string, controllers: readonly string[]): Promise<void> {
    const control = join(parent, 'cgroup.subtree_control');
    const enabled = new Set((await this.#files.read(control))?.split(/\s+/));
    const wanted = HANDED_DOWN.filter((name) => controllers.includes(name) && !enabled.has(name));
    if (wanted.length === 0) return;
    try {
      await this.#files.write(control, wanted.map((name) => `+${name}`).join(' '));
      return;
    } catch {
      // One that can't be handed down must not keep the others back.
    }
    for (const name of wanted) {
      try {
        await this.#files.write(control, `+${name}`);
      } catch (error) {
        const why = codeOf(error) === 'EBUSY' ? 'it holds processes itself' : describeError(error);
        this.#sayOnce(`${parent}:${name}`, `${parent} can't hand down controller ${name}: ${why}`);
      }
    }
  }

  /**
   * Writes the limits. `fresh`: the group is new, so defaults need not be written, and a refusal is an error; on
   * an existing group what is undefined is reset, and a refusal is only reported: a limit below what is in use
   * can't be set, and the pod shall keep running.
   */
  async limit(path: string, limits: CgroupLimits, fresh: boolean): Promise<void> {
    await this.#write(path, limits, { keepDefaults: fresh, strict: fresh });
  }

  /** Writes only what `limits` names and leaves everything else as it is. */
  async adjust(path: string, limits: CgroupLimits): Promise<void> {
    await this.#write(path, limits, { keepDefaults: true, strict: false });
  }

  /** As `adjust`, but a refusal is an error. */
  async enforce(path: string, limits: CgroupLimits): Promise<void> {
    await this.#write(path, limits, { keepDefaults: true, strict: true });
  }

  async #write(
    path: string,
    limits: CgroupLimits,
    how: { keepDefaults: boolean; strict: boolean },
  ): Promise<void> {
    const list = this.#layout.version === 2 ? v2Files : v1Files;
    for (const { controller, file, value, isDefault } of list(limits, this.#hugePageSizes)) {
      if (isDefault && how.keepDefaults) continue;
      const mount = this.mounts.find(({ controllers }) => controllers.includes(controller));
      if (mount === undefined) {
        if (!isDefault) this.#missing(controller);
        continue;
      }
      try {
        await this.#files.write(join(mount.mountPoint, path, file), value);
      } catch (cause) {
        if (codeOf(cause) === 'ENOENT') {
          if (!isDefault) this.#missing(file);
          continue;
        }
        const problem = `cgroup ${path}: ${file} can't be set to ${value}`;
        if (how.strict) throw new CgroupError(problem, { cause, retryable: true });
        this.#logger.warn({ err: cause, cgroup: path }, problem);
      }
    }
  }

  #missing(what: string): void {
    this.#sayOnce(what, `the kernel offers no cgroup ${what}: pods run without the limits that need it`);
  }

  #sayOnce(key: string, message: string): void {
    if (this.#said.has(key)) return;
    this.#said.add(key);
    this.#logger.warn({ cgroup: key }, message);
  }

  async exists(path: string): Promise<boolean> {
    const found = await Promise.all(this.folders(path).map((folder) => this.#files.childDirs(folder)));
    return found.some((children) => children !== undefined);
  }

  /** Names of the groups directly below `path` in any hierarchy. */
  async children(path: string): Promise<Set<string>> {
    const lists = await Promise.all(this.folders(path).map((folder) => this.#files.childDirs(folder)));
    return new Set(lists.flatMap((names) => names ?? []));
  }
}
