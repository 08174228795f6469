/** What the directory of manifests holds, as the soak edits it. */
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestAgent } from '#test/bed/agent.ts';
import { container, podManifest, untilTerm } from '#test/bed/manifests.ts';
import type { Random } from './random.ts';

const kinds = ['plain', 'pair', 'init', 'sidecar', 'memory', 'slow', 'job', 'crash'] as const;
type Kind = (typeof kinds)[number];

export interface Slot {
  file: string;
  name: string;
  kind: Kind;
  /** Of the good version that was written last; no two versions of any slot are alike. */
  version: number;
  /** absent: no file. broken: the file holds no pod now. */
  state: 'absent' | 'good' | 'broken';
}

/** The pod of one version: it appends `job VERSION` to /trace/runs if it is one that runs once. */
function manifest({ name, kind, version }: Slot, traceFolder: string): string {
  const env = [{ name: 'VERSION', value: `${version}` }];
  const trace = [{ name: 'trace', hostPath: { path: traceFolder } }];
  const traceMount = [{ name: 'trace', mountPath: '/trace' }];
  const main = (script?: string, more = {}) => container('main', script, { env, ...more });
  switch (kind) {
    case 'plain':
      return podManifest(name, [main()]);
    case 'pair':
      return podManifest(name, [main(), container('second')]);
    case 'init':
      return podManifest(name, [main(undefined, { volumeMounts: [{ name: 'work', mountPath: '/data' }] })], {
        initContainers: [
          container('setup', 'echo ready >/data/ready', {
            volumeMounts: [{ name: 'work', mountPath: '/data' }],
          }),
        ],
        volumes: [{ name: 'work', emptyDir: {} }],
      });
    case 'sidecar':
      return podManifest(name, [main()], {
        initContainers: [container('helper', untilTerm, { restartPolicy: 'Always' })],
      });
    case 'memory':
      return podManifest(name, [main(undefined, { volumeMounts: [{ name: 'm', mountPath: '/m' }] })], {
        volumes: [{ name: 'm', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }],
      });
    case 'slow':
      return podManifest(name, [main("trap 'sleep 0.4; exit 0' TERM; sleep 2147483647 & wait $!")]);
    case 'job':
      return podManifest(name, [main('echo job $VERSION >>/trace/runs', { volumeMounts: traceMount })], {
        restartPolicy: 'Never',
        volumes: trace,
      });
    case 'crash':
      return podManifest(name, [main('exit 1')]);
  }
}

const broken = [
  '{',
  'apiVersion: v1\nkind: Pod\nmetadata: [',
  'kind: Pod\nmetadata: {name: "UPPER CASE"}\n',
  'a: b\n',
];

export class Edits {
  readonly slots: Slot[];
  readonly #agent: TestAgent;
  readonly #random: Random;
  readonly #traceFolder: string;
  #versions = 0;

  constructor(agent: TestAgent, random: Random, traceFolder: string, count = 10) {
    this.#agent = agent;
    this.#random = random;
    this.#traceFolder = traceFolder;
    this.slots = Array.from({ length: count }, (_, index) => ({
      file: `slot${index}.yaml`,
      name: `slot${index}`,
      kind: random.pick(kinds),
      version: 0,
      state: 'absent',
    }));
  }

  /** One random edit; says what it was. */
  async random(): Promise<string> {
    const slot = this.#random.pick(this.slots);
    if (slot.state === 'absent') {
      slot.kind = this.#random.pick(kinds);
      return this.#put(slot, 'add');
    }
    if (slot.state === 'broken') {
      if (this.#random.below(3) === 0) return this.drop(slot);
      // Back to the same version, or on to the next.
      return this.#random.below(2) === 0 ? this.restore(slot) : this.#put(slot, 'mend');
    }
    switch (this.#random.below(5)) {
      case 0:
        return this.drop(slot);
      case 1:
        return this.spoil(slot);
      case 2: {
        // As `touch` does, or an editor that saves without a change.
        await appendFile(join(this.#agent.manifests, slot.file), '\n');
        return `touch ${slot.name}`;
      }
      default:
        return this.#put(slot, 'change');
    }
  }

  async drop(slot: Slot): Promise<string> {
    slot.state = 'absent';
    await this.#agent.remove(slot.file);
    return `remove ${slot.name}`;
  }

  async spoil(slot: Slot): Promise<string> {
    slot.state = 'broken';
    await writeFile(join(this.#agent.manifests, slot.file), this.#random.pick(broken));
    return `break ${slot.name}`;
  }

  async restore(slot: Slot): Promise<string> {
    slot.state = 'good';
    await this.#write(slot);
    return `restore ${slot.name} to version ${slot.version}`;
  }

  async #put(slot: Slot, what: string): Promise<string> {
    this.#versions += 1;
    slot.version = this.#versions;
    slot.state = 'good';
    await this.#write(slot);
    return `${what} ${slot.name}: ${slot.kind}, version ${slot.version}`;
  }

  /** In one go as `mv` does, or in place and in two halves as careless programs do. */
  async #write(slot: Slot): Promise<void> {
    const text = manifest(slot, this.#traceFolder);
    if (this.#random.below(2) === 0) return this.#agent.write(slot.file, text);
    const path = join(this.#agent.manifests, slot.file);
    const half = Math.floor(text.length / 2);
    await writeFile(path, text.slice(0, half));
    await appendFile(path, text.slice(half));
  }
}
