import { readdir } from 'node:fs/promises';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { TestAgent } from '../../bed/agent.ts';
import type { TaskEvents } from './task-events.ts';
import { manifest } from './workload.ts';

/** Longest that a pod's directory may outlive its sandbox. */
const LEFT_MS = 60_000;

/** Puts manifests before the agent and takes them away; containerd's events tell when it has acted. */
export class AgentPods {
  readonly #agent: TestAgent;
  readonly #events: TaskEvents;
  readonly #image: string;
  #files: string[] = [];
  #count = 0;

  constructor(agent: TestAgent, events: TaskEvents, image: string) {
    this.#agent = agent;
    this.#events = events;
    this.#image = image;
  }

  /** Milliseconds from the first file until each container ran, in order. */
  async start(count: number): Promise<number[]> {
    const texts = Array.from({ length: count }, () => {
      this.#count += 1;
      const name = `bench-${this.#count}`;
      return { file: `${name}.yaml`, text: JSON.stringify(manifest(name, this.#image)) };
    });
    const begin = this.#events.begin();
    for (const { file, text } of texts) {
      const draft = join(this.#agent.manifests, `.${file}`);
      writeFileSync(draft, text);
      renameSync(draft, join(this.#agent.manifests, file));
      this.#files.push(file);
    }
    return (await this.#events.started(count)).map((at) => at - begin);
  }

  /** Removes all files: milliseconds until nothing of the pods is left in containerd and in the pods' directory. */
  async remove(): Promise<number> {
    const files = this.#files;
    this.#files = [];
    const begin = this.#events.begin();
    for (const file of files) rmSync(join(this.#agent.manifests, file));
    await this.#events.removed(files.length);
    const pods = join(this.#agent.rootDir, 'pods');
    while ((await readdir(pods)).length > 0) {
      if (performance.now() - begin > LEFT_MS) throw new Error(`something is left in ${pods}`);
      await wait(2);
    }
    return performance.now() - begin;
  }

  /** Starts the agent beside running pods: milliseconds until it reports `count` pods that run and are ready. */
  async takeOver(count: number): Promise<number> {
    await this.#agent.stop();
    const begin = this.#events.begin();
    await this.#agent.spawn();
    await this.#agent.waitFor(async () => {
      const views = await this.#agent.pods();
      const ready = views.filter(({ pod }) =>
        pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'),
      );
      return ready.length === count;
    });
    const taken = performance.now() - begin;
    if ((await this.#events.started(0)).length > 0) throw new Error('the new agent started containers again');
    return taken;
  }
}
