import { dirname } from 'node:path';
import type { CgroupFiles } from '#host/cgroup-files.ts';

class KernelError extends Error {
  readonly code: string;
  constructor(code: string, path: string) {
    super(`${code}: ${path}`);
    this.code = code;
  }
}

/**
 * A kernel with one cgroup hierarchy (v1 or v2) at `/cg`, made up of maps: new groups get the files that
 * `template` lists; a group with processes or children is busy; killed processes leave.
 */
export class FakeKernel implements CgroupFiles {
  readonly ownPid = 4242;
  readonly texts = new Map<string, string>();
  readonly groups = new Map<string, Set<number>>();
  readonly writes: string[] = [];
  readonly killed: number[] = [];
  /** Processes that SIGKILL doesn't end. */
  readonly immortal = new Set<number>();
  readonly refusals = new Map<string, string>();
  readonly #template: Readonly<Record<string, string>>;

  constructor(template: Readonly<Record<string, string>>, tops: readonly string[] = ['/cg']) {
    this.#template = template;
    for (const top of tops) this.#add(top);
  }

  #add(path: string): void {
    this.groups.set(path, new Set());
    for (const [file, text] of Object.entries(this.#template)) this.texts.set(`${path}/${file}`, text);
  }

  enter(path: string, ...pids: number[]): void {
    for (const pid of pids) this.groups.get(path)?.add(pid);
  }

  text(path: string): string | undefined {
    return this.texts.get(path);
  }

  read(path: string): Promise<string | undefined> {
    if (path.endsWith('/cgroup.procs')) {
      const pids = this.groups.get(dirname(path));
      return Promise.resolve(pids && [...pids, ''].join('\n'));
    }
    return Promise.resolve(this.texts.get(path));
  }

  write(path: string, text: string): Promise<void> {
    this.writes.push(`${path}=${text}`);
    const refusal = this.refusals.get(`${path}=${text}`) ?? this.refusals.get(path);
    if (refusal !== undefined) return Promise.reject(new KernelError(refusal, path));
    if (!this.texts.has(path)) return Promise.reject(new KernelError('ENOENT', path));
    if (path.endsWith('/cgroup.kill')) {
      for (const [group, pids] of this.groups) {
        if (`${group}/`.startsWith(`${dirname(path)}/`)) for (const pid of pids) this.kill(pid);
      }
    }
    if (path.endsWith('/cgroup.subtree_control')) {
      const now = this.texts.get(path)?.split(' ').filter(Boolean) ?? [];
      this.texts.set(path, [...now, ...text.replaceAll('+', '').split(' ')].join(' '));
    } else this.texts.set(path, text);
    return Promise.resolve();
  }

  makeDir(path: string): Promise<boolean> {
    if (this.groups.has(path)) return Promise.resolve(false);
    const refusal = this.refusals.get(path);
    if (refusal !== undefined) return Promise.reject(new KernelError(refusal, path));
    if (!this.groups.has(dirname(path))) return Promise.reject(new KernelError('ENOENT', path));
    this.#add(path);
    return Promise.resolve(true);
  }

  async removeDir(path: string): Promise<'removed' | 'busy'> {
    const busy = (this.groups.get(path)?.size ?? 0) > 0 || ((await this.childDirs(path)) ?? []).length > 0;
    if (busy) return 'busy';
    this.groups.delete(path);
    return 'removed';
  }

  childDirs(path: string): Promise<string[] | undefined> {
    if (!this.groups.has(path)) return Promise.resolve(undefined);
    const names = [...this.groups.keys()].filter((each) => dirname(each) === path && each !== path);
    return Promise.resolve(names.map((each) => each.slice(path.length + 1)));
  }

  kill(pid: number): void {
    this.killed.push(pid);
    if (this.immortal.has(pid)) return;
    for (const pids of this.groups.values()) pids.delete(pid);
  }
}
