/** Random edits of a node's pods, and random faults of its API server, for the soak. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Pod } from '#lib/kube/types.ts';
import { container, untilTerm } from '#test/bed/manifests.ts';
import { createPodOn } from '#test/control-plane/actions.ts';
import type { TestClient } from '#test/control-plane/client.ts';
import type { FakeControlPlane } from '#test/control-plane/fake/fake-control-plane.ts';
import type { RequestMatch } from '#test/control-plane/fake/faults/match.ts';
import { testResources } from '#test/control-plane/resources.ts';
import type { Random } from '../../integration/soak/random.ts';
import type { Trace } from './traced.ts';

const { pods, configMaps } = testResources;
export const kinds = ['plain', 'init', 'settings', 'memory', 'slow', 'job', 'failing-job', 'crash'] as const;
export type Kind = (typeof kinds)[number];

export const runsOnce = (kind: Kind): boolean => kind === 'job' || kind === 'failing-job';

export interface Made {
  uid: string;
  name: string;
  kind: Kind;
}

function manifest(trace: Trace, name: string, kind: Kind): string {
  const metadata = { labels: { kind } };
  const never = { restartPolicy: 'Never' } as const;
  switch (kind) {
    case 'plain':
      return trace.pod(name, untilTerm, {}, metadata);
    case 'init':
      return trace.pod(name, untilTerm, { initContainers: [container('setup', 'true')] }, metadata);
    case 'settings':
      return trace.pod(
        name,
        untilTerm,
        { volumes: [{ name: 's', configMap: { name: 'settings' } }] },
        metadata,
      );
    case 'memory':
      return trace.pod(
        name,
        untilTerm,
        { volumes: [{ name: 'm', emptyDir: { medium: 'Memory' } }] },
        metadata,
      );
    case 'slow':
      return trace.pod(name, "trap 'sleep 1; exit 0' TERM; sleep 2147483647 & wait $!", {}, metadata);
    case 'job':
      return trace.pod(name, 'sleep 1', never, metadata);
    case 'failing-job':
      return trace.pod(name, 'sleep 2; exit 3', never, metadata);
    case 'crash':
      return trace.pod(name, 'sleep 1; exit 1', {}, metadata);
  }
}

/** What a scheduler, controllers and people do, by a way to the server that always works. */
export class Edits {
  /** All that were ever made. */
  readonly made: Made[] = [];
  readonly #admin: TestClient;
  readonly #trace: Trace;
  readonly #random: Random;
  readonly #names: string[];
  #version = 0;

  constructor(admin: TestClient, trace: Trace, random: Random, count: number) {
    this.#admin = admin;
    this.#trace = trace;
    this.#random = random;
    this.#names = Array.from({ length: count }, (_, index) => `slot-${index}`);
  }

  async prepare(): Promise<void> {
    await this.#admin.create(configMaps, this.#settings());
  }

  /** One random edit; says what it was. */
  async random(): Promise<string> {
    const name = this.#random.pick(this.#names);
    const pod = await this.#admin.find<Pod>(pods, { name });
    if (pod === undefined) return this.#create(name);
    const force = { gracePeriodSeconds: 0 };
    switch (this.#random.below(6)) {
      case 0:
        await this.#admin.delete(pods, { name });
        return `delete ${name}`;
      case 1:
        await this.#admin.delete(pods, { name }, force);
        return `delete ${name} by force`;
      case 2: {
        await this.#admin.delete(pods, { name }, force);
        return `replace: ${await this.#create(name)}`;
      }
      case 3:
        await this.#admin.replace(configMaps, this.#settings());
        return 'change settings';
      default: {
        this.#version += 1;
        const labels = { version: `${this.#version}` };
        await this.#admin.patch(pods, { name }, { metadata: { labels } }, 'merge');
        return `label ${name}`;
      }
    }
  }

  async #create(name: string): Promise<string> {
    const kind = this.#random.pick(kinds);
    const pod = await createPodOn(this.#admin, manifest(this.#trace, name, kind), 'n1');
    const uid = pod.metadata?.uid ?? '';
    this.made.push({ uid, name, kind });
    return `create ${name}: ${kind}, ${uid}`;
  }

  #settings(): object {
    this.#version += 1;
    const metadata = { name: 'settings', namespace: 'default' };
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { version: `${this.#version}` } };
  }
}

const node = { user: /^system:node:/ } as const;
const writes: RequestMatch = { ...node, verb: ['create', 'update', 'patch', 'delete'] };

/** One random fault of the server, from its beginning to its end. */
export async function randomFault(
  fake: FakeControlPlane,
  random: Random,
  tell: (what: string) => void,
): Promise<void> {
  const ms = 300 + random.below(3000);
  const during = async (what: string, end: () => unknown): Promise<void> => {
    tell(`${what} for ${ms} ms`);
    await wait(ms);
    await end();
  };
  switch (random.below(11)) {
    case 0:
      await fake.stop();
      return during('server gone', () => fake.start());
    case 1:
      fake.goDeaf();
      return during('server deaf', () => fake.hear());
    case 2:
      tell('connections freeze');
      return fake.freezeConnections();
    case 3:
      tell('connections are cut');
      return fake.cutConnections();
    case 4:
      tell('watches end');
      return fake.dropWatches(node, random.below(2) === 0);
    case 5:
      tell('watches expire');
      return fake.expireWatches(node);
    case 6:
      return during('watches stall', fake.stallWatches(node));
    case 7: {
      const fault = fake.misbehave(node, { type: 'refuse', status: 503 });
      return during('503', () => fault.stop());
    }
    case 8: {
      const refusal = { type: 'refuse', status: 429, retryAfterSeconds: 1 } as const;
      const fault = fake.misbehave({ ...node, resource: 'pods/status' }, refusal);
      return during('429 on statuses', () => fault.stop());
    }
    case 9: {
      const fault = fake.misbehave(writes, { type: 'lose-answer' }, 5);
      return during('answers of writes get lost', () => fault.stop());
    }
    default: {
      const fault = fake.misbehave(node, { type: 'answer-late', ms: 2000 });
      return during('answers come late', () => fault.stop());
    }
  }
}
