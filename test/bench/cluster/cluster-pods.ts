import type { Pod } from '#lib/kube/types.ts';
import type { ControlPlane } from '#test/control-plane/control-plane.ts';
import { testResources } from '#test/control-plane/resources.ts';
import type { TestWatch } from '#test/control-plane/watch.ts';
import { manifest } from '../pods/workload.ts';

const { pods } = testResources;

/** How many requests a client that makes many pods has under way. */
const WIDTH = 4;
const DEADLINE_MS = 180_000;

const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') === true;

let count = 0;

/** Pods of one node: made and deleted through the API server, whose watch tells when they are ready and gone. */
export class ClusterPods {
  readonly #plane: ControlPlane;
  readonly #nodeName: string;
  readonly #image: string;
  #names: string[] = [];

  constructor(plane: ControlPlane, nodeName: string, image: string) {
    this.#plane = plane;
    this.#nodeName = nodeName;
    this.#image = image;
  }

  /** Milliseconds from the first write until each pod is Ready, in order. */
  async start(number: number): Promise<number[]> {
    const made = Array.from({ length: number }, () => {
      count += 1;
      const pod = manifest(`bench-${count}`, this.#image);
      return { ...pod, spec: { ...pod.spec, nodeName: this.#nodeName } };
    });
    const names = made.map(({ metadata }) => metadata.name);
    this.#names.push(...names);
    const watch = await this.#watch();
    const begin = performance.now();
    const seen = this.#times(watch, names, begin, ({ object }) => isReady(object));
    await sideBySide(made, (pod) => this.#plane.client.create(pods, pod));
    return seen;
  }

  /** Deletes them all: milliseconds from the first request until each is gone, in order. */
  async remove(): Promise<number[]> {
    const names = this.#names;
    this.#names = [];
    const watch = await this.#watch();
    const begin = performance.now();
    const seen = this.#times(watch, names, begin, ({ type }) => type === 'DELETED');
    await sideBySide(names, (name) => this.#plane.client.delete(pods, { name }));
    return seen;
  }

  /** Restarts of containers that the API server knows of. */
  async restarts(): Promise<number> {
    const { items } = await this.#plane.client.list<Pod>(pods, {
      fieldSelector: `spec.nodeName=${this.#nodeName}`,
    });
    const counts = items.flatMap(({ status }) => status?.containerStatuses ?? []);
    return counts.reduce((sum, { restartCount }) => sum + restartCount, 0);
  }

  async #watch(): Promise<TestWatch<Pod>> {
    const fieldSelector = `spec.nodeName=${this.#nodeName}`;
    const { resourceVersion } = await this.#plane.client.list<Pod>(pods, { fieldSelector });
    return this.#plane.client.watch<Pod>(pods, { fieldSelector, resourceVersion });
  }

  async #times(
    watch: TestWatch<Pod>,
    names: readonly string[],
    begin: number,
    holds: (event: { type: string; object: Pod }) => boolean,
  ): Promise<number[]> {
    const waiting = new Set(names);
    const times: number[] = [];
    try {
      while (waiting.size > 0) {
        const event = await watch.next(DEADLINE_MS).catch((error: unknown) => {
          throw new Error(`${waiting.size} of ${names.length} pods are waited for in vain`, { cause: error });
        });
        if (event === undefined) throw new Error('the watch of pods ended');
        if (holds(event) && waiting.delete(event.object.metadata?.name ?? ''))
          times.push(performance.now() - begin);
      }
    } finally {
      watch.close();
    }
    return times;
  }
}

async function sideBySide<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const rest = items.values();
  const lane = async (): Promise<void> => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: WIDTH }, lane));
}
