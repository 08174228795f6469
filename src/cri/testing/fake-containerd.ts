import type { ContainerdApi } from '../containerd/api.ts';
import { RuntimeError } from '../errors.ts';

/** containerd beneath its CRI, in memory: records and tasks. */
export class FakeContainerd implements ContainerdApi {
  readonly containers = new Set<string>();
  readonly tasks = new Map<string, 'running' | 'dying' | 'stopped'>();
  /** Set where the socket passes nothing but CRI. */
  criOnly = false;

  async hasContainer(id: string): Promise<boolean> {
    this.#answer('Get');
    return this.containers.has(id);
  }

  async removeContainer(id: string): Promise<void> {
    this.#answer('Delete');
    if (this.tasks.has(id)) throw new Error(`the record of ${id} would go before its task`);
    this.containers.delete(id);
  }

  /** What dies is stopped when it is asked for again. */
  async removeTask(id: string): Promise<boolean> {
    this.#answer('Delete');
    const state = this.tasks.get(id);
    if (state === undefined) return false;
    if (state !== 'stopped') {
      if (state === 'dying') this.tasks.set(id, 'stopped');
      throw new RuntimeError('Delete', 'FAILED_PRECONDITION', 'cannot delete a running process');
    }
    this.tasks.delete(id);
    return true;
  }

  async killTask(id: string): Promise<void> {
    this.#answer('Kill');
    if (this.tasks.get(id) === 'running') this.tasks.set(id, 'dying');
  }

  #answer(verb: string): void {
    if (this.criOnly) throw new RuntimeError(verb, 'UNIMPLEMENTED', 'unknown service');
  }
}
