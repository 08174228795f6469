import {
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '#host/clock.ts';
import { silentLogger } from '#lib/logger.ts';
import { kubeletRule, standaloneRule } from './file-rules.ts';
import { PathSource } from './path-source.ts';
import type { PathSourceOptions } from './path-source.ts';
import type { AdoptUid, SourceUpdate } from './source.ts';

/** Real folders, real inotify, real time. */
let root: string;
let dir: string;
let running: PathSource[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sources-'));
  dir = join(root, 'manifests');
  await mkdir(dir);
});

afterEach(async () => {
  await Promise.all(running.map((source) => source.stop()));
  running = [];
  await rm(root, { recursive: true });
});

const pod = (name: string, image = 'i:1', more = ''): string =>
  `apiVersion: v1\nkind: Pod\nmetadata:\n  name: ${name}\nspec:\n  containers:\n  - name: c\n    image: ${image}\n${more}`;

class Watched {
  readonly source: PathSource;
  readonly updates: SourceUpdate[] = [];
  #wake: () => void = () => undefined;

  constructor(options: Partial<PathSourceOptions> = {}) {
    this.source = new PathSource({
      path: dir,
      rule: standaloneRule,
      nodeName: 'node',
      adopt: () => undefined,
      clock: systemClock,
      logger: silentLogger,
      cacheDir: join(root, 'cache'),
      ...options,
    });
    running.push(this.source);
  }

  async start(): Promise<this> {
    await this.source.start((update) => {
      this.updates.push(update);
      this.#wake();
    });
    return this;
  }

  get last(): SourceUpdate {
    return this.updates.at(-1) ?? { pods: [], problems: [] };
  }

  /** `name image` of each pod. */
  get pods(): string[] {
    return this.last.pods.map((each) => `${each.metadata.name} ${each.spec.containers[0]?.image ?? ''}`);
  }

  get problems(): string[] {
    return this.last.problems.map((each) => `${each.origin.slice(dir.length + 1)}: ${each.message}`);
  }

  uid(i = 0): string {
    return this.last.pods[i]?.metadata.uid ?? '';
  }

  /** Milliseconds until `check` holds; fails after five seconds, long before polling would see anything. */
  async until(check: () => boolean): Promise<number> {
    const started = performance.now();
    while (!check()) {
      const left = 5000 - (performance.now() - started);
      if (left <= 0) throw new Error(`still: ${JSON.stringify([this.pods, this.problems])}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, Math.min(left, 20));
      });
    }
    return performance.now() - started;
  }

  untilPods = (...pods: string[]): Promise<number> => this.until(() => this.pods.join() === pods.join());
}

const quiet = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const file = (name: string): string => join(dir, name);
const isRoot = process.getuid?.() === 0;

describe('ConfigMaps and Secrets', () => {
  const object = (kind: string, name: string, value: string): string =>
    `apiVersion: v1\nkind: ${kind}\nmetadata: {name: ${name}}\n${kind === 'Secret' ? 'stringData' : 'data'}: {k: "${value}"}\n`;
  /** `KEY=VALUE FILE` of each. */
  const held = (watched: Watched): string[] =>
    (watched.last.objects ?? []).map((each) => {
      const value = each.object.data?.['k'] ?? '';
      const text = each.kind === 'Secret' ? Buffer.from(value, 'base64').toString() : value;
      return `${each.kind} ${each.object.metadata?.name ?? ''}=${text} ${each.origin.slice(dir.length + 1)}`;
    });

  it('come, change and go with their documents', async () => {
    await writeFile(file('a.yaml'), `${object('ConfigMap', 'cm', '1')}---\n${pod('web')}`);
    const watched = await new Watched().start();
    expect(held(watched)).toEqual(['ConfigMap cm=1 a.yaml']);
    expect(watched.pods).toEqual(['web-node i:1']);
    await writeFile(file('b.yaml'), object('Secret', 's', 'x'));
    await watched.until(() => held(watched).includes('Secret s=x b.yaml'));
    await writeFile(file('b.yaml'), object('Secret', 's', 'y'));
    await watched.until(() => held(watched).includes('Secret s=y b.yaml'));
    await writeFile(file('a.yaml'), pod('web'));
    await watched.until(() => held(watched).join() === 'Secret s=y b.yaml');
    await rm(file('b.yaml'));
    await watched.until(() => held(watched).length === 0);
    expect(watched.problems).toEqual([]);
    expect(watched.pods).toEqual(['web-node i:1']);
  });

  it('of two of one name the first file counts, and the problem says so', async () => {
    await writeFile(file('a.yaml'), object('ConfigMap', 'cm', '1'));
    await writeFile(file('b.yaml'), `${object('ConfigMap', 'cm', '2')}---\n${object('Secret', 'cm', '3')}`);
    const watched = await new Watched().start();
    expect(held(watched)).toEqual(['ConfigMap cm=1 a.yaml', 'Secret cm=3 b.yaml']);
    expect(watched.last.problems).toEqual([
      {
        origin: file('b.yaml'),
        field: 'metadata.name',
        value: '"ConfigMap default/cm"',
        message: `${file('a.yaml')} defines the same ConfigMap and comes first: only that one counts`,
        lastGoodRuns: false,
      },
    ]);
    await rm(file('a.yaml'));
    await watched.until(() => held(watched)[0] === 'ConfigMap cm=2 b.yaml');
    expect(watched.problems).toEqual([]);
  });

  it('a broken document keeps its object, also over a restart; the record is for root only', async () => {
    const broken = object('Secret', 's', 'x').replace('stringData', 'type: kubernetes.io/tls\nstringData');
    await writeFile(file('a.yaml'), `${object('Secret', 's', 'good')}---\n${object('ConfigMap', 'cm', '1')}`);
    const first = await new Watched().start();
    await writeFile(file('a.yaml'), `${broken}---\n${object('ConfigMap', 'cm', '2')}`);
    await first.until(() => first.problems.length > 0);
    expect(held(first)).toEqual(['ConfigMap cm=2 a.yaml', 'Secret s=good a.yaml']);
    expect(first.last.problems.map(({ field, lastGoodRuns }) => [field, lastGoodRuns])).toEqual([
      ['data["tls.crt"]', true],
      ['data["tls.key"]', true],
    ]);
    await first.source.stop();
    const second = await new Watched().start();
    expect(held(second)).toEqual(['ConfigMap cm=2 a.yaml', 'Secret s=good a.yaml']);
    for (const name of await readdir(join(root, 'cache')))
      expect((await stat(join(root, 'cache', name))).mode & 0o777).toBe(0o600);
    expect((await stat(join(root, 'cache'))).mode & 0o777).toBe(0o700);
    await writeFile(file('a.yaml'), `kind: [`);
    const third = await new Watched().start();
    expect(held(third)).toEqual(['ConfigMap cm=2 a.yaml', 'Secret s=good a.yaml']);
  });

  it('a broken ConfigMap keeps no pod that was taken out, and a broken pod no ConfigMap', async () => {
    await writeFile(file('a.yaml'), `${object('ConfigMap', 'cm', '1')}---\n${pod('web')}---\n${pod('db')}`);
    const watched = await new Watched().start();
    const bad = object('ConfigMap', 'new', '1').replace('k:', '"..":');
    await writeFile(file('a.yaml'), `${bad}---\n${pod('web')}`);
    await watched.until(() => watched.problems.length > 0);
    expect(watched.pods).toEqual(['web-node i:1']);
    expect(held(watched)).toEqual(['ConfigMap cm=1 a.yaml']);
    await writeFile(file('a.yaml'), pod('other', 'i:1', '  restartPolicy: x\n'));
    await watched.until(() => held(watched).length === 0);
    expect(watched.pods).toEqual(['web-node i:1']);
  });

  it("aren't served by the kubelet's rule", async () => {
    await writeFile(file('a.yaml'), object('ConfigMap', 'cm', '1'));
    const watched = await new Watched({ rule: kubeletRule }).start();
    expect(held(watched)).toEqual([]);
    expect(watched.problems).toEqual([
      'a.yaml: a ConfigMap of a manifest is there for pods in standalone mode only',
    ]);
  });
});

describe('a folder', () => {
  it('that is empty or missing counts as seen', async () => {
    expect((await new Watched().start()).updates).toEqual([
      { pods: [], problems: [], origins: new Map(), objects: [] },
    ]);
    await rm(dir, { recursive: true });
    expect((await new Watched().start()).updates).toHaveLength(1);
  });

  it('tells who its pods are and where they come from', async () => {
    await writeFile(file('web.yaml'), pod('web'));
    const { last } = await new Watched().start();
    const [only] = last.pods;
    expect(only?.metadata).toMatchObject({
      name: 'web-node',
      namespace: 'default',
      uid: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
    });
    expect(only?.metadata.annotations).toMatchObject({ 'kubernetes.io/config.source': 'file' });
    expect([...(last.origins ?? [])]).toEqual([[only?.metadata.uid, `file ${file('web.yaml')}`]]);
  });

  it('adding, changing and removing a file is seen well within a second', async () => {
    const watched = await new Watched().start();
    const times: Record<string, number> = {};
    await writeFile(file('web.yaml'), pod('web'));
    times['added'] = await watched.untilPods('web-node i:1');
    const first = watched.uid();
    await quiet(100);
    await writeFile(file('web.yaml'), pod('web', 'i:2'));
    times['changed'] = await watched.untilPods('web-node i:2');
    expect(watched.uid()).not.toBe(first);
    await writeFile(file('.web.new'), pod('web', 'i:3'));
    await rename(file('.web.new'), file('web.yaml'));
    times['replaced'] = await watched.untilPods('web-node i:3');
    await unlink(file('web.yaml'));
    times['removed'] = await watched.untilPods();
    expect(Object.entries(times).filter(([, ms]) => ms > 1000)).toEqual([]);
    expect(await readdir(join(root, 'cache'))).toEqual([]);
  });

  it('the same meaning in other words is no change', async () => {
    await writeFile(file('web.yaml'), pod('web'));
    const watched = await new Watched().start();
    const { pods } = watched.last;
    await writeFile(file('web.yaml'), `# comment\n${pod('web', '"i:1"', '  restartPolicy: Always\n')}`);
    await quiet(200);
    expect(watched.last.pods[0]).toBe(pods[0]);
  });

  it('a broken edit keeps the last good version and says so; mending it goes on', async () => {
    await writeFile(file('web.yaml'), pod('web'));
    const watched = await new Watched().start();
    await writeFile(file('web.yaml'), pod('web').replace('image: i:1', 'image: 5'));
    await watched.until(() => watched.last.problems.length > 0);
    expect(watched.pods).toEqual(['web-node i:1']);
    expect(watched.last.problems).toEqual([
      {
        origin: file('web.yaml'),
        document: 1,
        line: 8,
        field: 'spec.containers[0].image',
        value: '5',
        message: expect.stringContaining('numbers need quotes') as string,
        lastGoodRuns: true,
      },
    ]);
    await writeFile(file('web.yaml'), pod('web', 'i:2'));
    await watched.untilPods('web-node i:2');
    expect(watched.problems).toEqual([]);
  });

  it('a typing error in the name does not end the pod', async () => {
    await writeFile(file('web.yaml'), pod('web'));
    const watched = await new Watched().start();
    await writeFile(file('web.yaml'), pod('Web', 'i:2'));
    await watched.until(() => watched.last.problems.length > 0);
    expect(watched.pods).toEqual(['web-node i:1']);
    expect(watched.last.problems).toMatchObject([{ field: 'metadata.name', lastGoodRuns: true }]);
  });

  it('a half-written file is waited for without a word', async () => {
    await writeFile(file('web.yaml'), `${pod('web')}---\n${pod('db')}`);
    const watched = await new Watched({ settleMs: 4000 }).start();
    const whole = `${pod('web', 'i:2')}---\n${pod('db', 'i:2')}`;
    for (const part of [0, 20, 130, 170]) {
      await writeFile(file('web.yaml'), whole.slice(0, part));
      await quiet(60);
    }
    await writeFile(file('web.yaml'), whole);
    await watched.untilPods('web-node i:2', 'db-node i:2');
    expect(watched.updates.flatMap((each) => each.problems)).toEqual([]);
    expect(watched.updates.every((each) => each.pods.length === 2)).toBe(true);
  });

  it('an emptied file keeps its pods, one of comments does not', async () => {
    await writeFile(file('web.yaml'), pod('web'));
    const watched = await new Watched().start();
    await writeFile(file('web.yaml'), '');
    await watched.until(() => watched.last.problems.length > 0);
    expect(watched.pods).toEqual(['web-node i:1']);
    await writeFile(file('web.yaml'), '# off\n');
    await watched.untilPods();
    expect(watched.problems).toEqual([]);
  });

  it('editors may do as they do', async () => {
    await writeFile(file('web.yaml'), pod('web'));
    const watched = await new Watched({ settleMs: 4000, goneMs: 2000 }).start();
    // vim: swap file, probe, backup by renaming, new file, backup gone.
    await writeFile(file('.web.yaml.swp'), 'b0VIM');
    await writeFile(file('4913'), '');
    await unlink(file('4913'));
    await rename(file('web.yaml'), file('web.yaml~'));
    await quiet(60);
    await writeFile(file('web.yaml'), pod('web', 'i:2'));
    await unlink(file('web.yaml~'));
    await unlink(file('.web.yaml.swp'));
    // Emacs: lock and auto-save.
    await symlink('user@host.1', file('.#web.yaml'));
    await writeFile(file('#web.yaml#'), 'half');
    await watched.untilPods('web-node i:2');
    await quiet(300);
    expect(watched.updates.map((each) => [each.pods.length, each.problems.length])).toEqual([
      [1, 0],
      [1, 0],
    ]);
  });

  it('renaming a manifest changes nothing for its pod', async () => {
    await writeFile(file('b.yaml'), pod('web'));
    const watched = await new Watched().start();
    const uid = watched.uid();
    await rename(file('b.yaml'), file('a.yaml'));
    await watched.until(() => watched.last.origins?.get(uid) === `file ${file('a.yaml')}`);
    await quiet(300);
    expect(watched.updates.every((each) => each.pods.length === 1 && each.problems.length === 0)).toBe(true);
    expect(watched.uid()).toBe(uid);
  });

  it('of two files with one pod the first by name counts, and the other takes over', async () => {
    await writeFile(file('b.yaml'), pod('web', 'i:2'));
    await writeFile(file('a.yaml'), pod('web', 'i:1'));
    const watched = await new Watched().start();
    expect(watched.pods).toEqual(['web-node i:1']);
    expect(watched.problems).toEqual([
      `b.yaml: file ${file('a.yaml')} defines the same pod and comes first: only that one runs`,
    ]);
    await unlink(file('a.yaml'));
    await watched.untilPods('web-node i:2');
    expect(watched.problems).toEqual([]);
  });

  it('a ConfigMap mount that is switched', async () => {
    const version = async (name: string, image: string): Promise<void> => {
      await mkdir(file(name));
      await writeFile(join(dir, name, 'web.yaml'), pod('web', image));
    };
    await version('..1', 'i:1');
    await symlink('..1', file('..data'));
    await symlink('..data/web.yaml', file('web.yaml'));
    const watched = await new Watched().start();
    expect(watched.pods).toEqual(['web-node i:1']);
    await version('..2', 'i:2');
    await symlink('..2', file('..data_tmp'));
    await rename(file('..data_tmp'), file('..data'));
    await watched.untilPods('web-node i:2');
    await rm(file('..1'), { recursive: true });
    await quiet(150);
    expect(watched.problems).toEqual([]);
  });

  it('a manifest that is a link to elsewhere', async () => {
    const elsewhere = join(root, 'elsewhere');
    await mkdir(elsewhere);
    await writeFile(join(elsewhere, 'x'), pod('web'));
    await symlink(join(elsewhere, 'x'), file('web.yaml'));
    const watched = await new Watched().start();
    await writeFile(join(elsewhere, 'x'), pod('web', 'i:2'));
    await watched.untilPods('web-node i:2');
  });

  it('appears later, with folders above it, is replaced and is gone', async () => {
    const path = join(root, 'a', 'b');
    const watched = await new Watched({ path }).start();
    await mkdir(path, { recursive: true });
    await writeFile(join(path, 'web.yaml'), pod('web'));
    await watched.untilPods('web-node i:1');
    await mkdir(join(root, 'new'));
    await writeFile(join(root, 'new', 'web.yaml'), pod('web', 'i:2'));
    await rename(path, join(root, 'old'));
    await rename(join(root, 'new'), path);
    await watched.untilPods('web-node i:2');
    // The watch is on the new folder, not on the old one that still exists.
    await writeFile(join(path, 'web.yaml'), pod('web', 'i:3'));
    await watched.untilPods('web-node i:3');
    await rm(path, { recursive: true });
    await watched.untilPods();
  });

  it('without inotify polling does', async () => {
    const hidden = join(root, 'hidden');
    await mkdir(hidden);
    // The target of a link inside a linked folder is not watched: only polling sees it.
    await mkdir(join(hidden, 'deep'));
    await writeFile(join(hidden, 'deep', 'x'), pod('web'));
    await symlink('deep/x', join(hidden, 'y'));
    await symlink(join(hidden, 'y'), file('web.yaml'));
    const watched = await new Watched({ pollMs: 100 }).start();
    await writeFile(join(hidden, 'deep', 'x'), pod('web', 'i:2'));
    await watched.untilPods('web-node i:2');
  });

  it('what is no plain file is told and never waited for', async () => {
    expect(spawnSync('mkfifo', [file('pipe.yaml')]).status).toBe(0);
    await mkdir(file('folder.yaml'));
    await writeFile(file('web.yaml'), pod('web'));
    const watched = await new Watched().start();
    expect(watched.pods).toEqual(['web-node i:1']);
    expect(watched.problems).toEqual(['pipe.yaml: cannot be read: is not a plain file']);
  });

  it('a file that grows too long or is no text keeps its last good version', async () => {
    await writeFile(file('web.yaml'), pod('web'));
    const watched = await new Watched().start();
    await writeFile(file('web.yaml'), `#${'x'.repeat(10 << 20)}`);
    await watched.until(() => /more than 10485760 bytes/.test(watched.problems.join()));
    await writeFile(file('web.yaml'), Buffer.from([0xff, 0xfe, 0x41, 0x00]));
    await watched.until(() => /not UTF-8/.test(watched.problems.join()));
    expect(watched.pods).toEqual(['web-node i:1']);
    expect(watched.last.problems[0]?.lastGoodRuns).toBe(true);
  });

  it('a change back within one tick of the clock is not missed', async () => {
    const watched = await new Watched().start();
    const now = new Date();
    for (let i = 0; i < 20; i++) {
      await writeFile(file('web.yaml'), pod('web', `i:${i % 10}`));
      await utimes(file('web.yaml'), now, now);
      await quiet(i * 3);
    }
    await watched.untilPods('web-node i:9');
  });

  it('one change among a thousand files reads one file', async () => {
    for (let i = 0; i < 1000; i++) await writeFile(file(`p${i}.yaml`), pod(`p${i}`));
    const watched = await new Watched().start();
    expect(watched.last.pods).toHaveLength(1000);
    await quiet(300);
    const before = watched.last.pods;
    await writeFile(file('p500.yaml'), pod('p500', 'i:2'));
    const ms = await watched.until(() => watched.last.pods !== before);
    expect(
      watched.last.pods.filter((each, i) => each !== before[i]).map((each) => each.metadata.name),
    ).toEqual(['p500-node']);
    expect(ms).toBeLessThan(2000);
  }, 60_000);
});

describe('file rules', () => {
  const names = [
    'a.yaml',
    'b.yml',
    'c.json',
    'd.manifest',
    'e',
    '.f.yaml',
    'g.yaml~',
    '.h.swp',
    'i.yaml.swp',
    '#j.yaml#',
    '4913',
    'k.yaml.bak',
  ];

  it.each([
    ['standalone', standaloneRule, ['a.yaml', 'b.yml', 'c.json']],
    ['kubelet', kubeletRule, ['a.yaml', 'b.yml', 'c.json', 'd.manifest', 'e', 'k.yaml.bak']],
  ])('%s', (_name, rule, expected) => expect(names.filter((name) => rule.accepts(name))).toEqual(expected));
});

describe('a single file', () => {
  it('is followed as it appears, changes and goes', async () => {
    const watched = await new Watched({ path: file('one'), rule: kubeletRule }).start();
    expect(watched.updates).toHaveLength(1);
    await writeFile(file('other'), pod('other'));
    await writeFile(file('one'), pod('web'));
    await watched.untilPods('web-node i:1');
    await writeFile(file('one'), pod('web', 'i:2'));
    await watched.untilPods('web-node i:2');
    await unlink(file('one'));
    await watched.untilPods();
  });
});

describe('over a restart of the agent', () => {
  const restart = async (
    change: () => Promise<void>,
    options: Partial<PathSourceOptions> = {},
  ): Promise<Watched> => {
    await running.pop()?.stop();
    await change();
    return new Watched(options).start();
  };

  it('the same text has the same UID', async () => {
    await writeFile(file('web.yaml'), pod('web'));
    const before = (await new Watched().start()).uid();
    expect((await restart(async () => undefined)).uid()).toBe(before);
  });

  it('a manifest that was broken meanwhile runs on as it was', async () => {
    await writeFile(file('web.yaml'), pod('web'));
    await writeFile(file('db.yaml'), pod('db'));
    const uids = (await new Watched().start()).last.pods.map((each) => each.metadata.uid);
    const after = await restart(async () => {
      await writeFile(file('web.yaml'), 'kind: [');
      await writeFile(file('db.yaml'), pod('db').replace('i:1', '" i"'));
    });
    expect(after.pods).toEqual(['db-node i:1', 'web-node i:1']);
    expect(after.last.pods.map((each) => each.metadata.uid)).toEqual(uids);
    expect(after.last.problems.map((each) => each.lastGoodRuns)).toEqual([true, true]);
  });

  it('keeps what may be secret to root', async () => {
    await writeFile(file('web.yaml'), pod('web'));
    await new Watched().start();
    const cache = join(root, 'cache');
    const [name = ''] = await readdir(cache);
    expect((await stat(cache)).mode & 0o777).toBe(0o700);
    expect((await stat(join(cache, name))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(cache, name), 'utf8')).toContain('web');
  });

  it('a file that went away meanwhile is forgotten, and so is a half-written record', async () => {
    await writeFile(file('web.yaml'), pod('web'));
    await new Watched().start();
    const [name = ''] = await readdir(join(root, 'cache'));
    await writeFile(join(root, 'cache', `.${name}.123.new`), '{');
    const after = await restart(() => unlink(file('web.yaml')));
    expect(after.pods).toEqual([]);
    expect(await readdir(join(root, 'cache'))).toEqual([]);
  });

  it.each(['', '{', '{"version":1}', '{"version":1,"origin":"a","nodeName":"node","digest":"","pods":[{}]}'])(
    'a kept record %j does no harm',
    async (text) => {
      await writeFile(file('web.yaml'), pod('web'));
      await new Watched().start();
      const [name = ''] = await readdir(join(root, 'cache'));
      const after = await restart(() => writeFile(join(root, 'cache', name), text));
      expect(after.pods).toEqual(['web-node i:1']);
    },
  );

  it('takes the UID of what runs, unless that is what an older text made', async () => {
    await writeFile(file('web.yaml'), pod('web'));
    const byKubelet: AdoptUid = ({ metadata }) => (metadata.name === 'web-node' ? 'kubelets' : undefined);
    const first = await new Watched({ adopt: byKubelet }).start();
    expect(first.uid()).toBe('kubelets');
    // Adoption is a matter of the start: a later edit makes another pod.
    await writeFile(file('web.yaml'), pod('web', 'i:2'));
    await first.untilPods('web-node i:2');
    const second = first.uid();
    expect(second).toMatch(/^[0-9a-f]{32}$/);
    // Edited while the agent is away: the pod of the older text still runs and looks alike.
    const change = (): Promise<void> =>
      writeFile(file('web.yaml'), pod('web', 'i:2', '    env: [{name: A}]\n'));
    const third = await restart(change, { adopt: () => second });
    expect(third.uid()).not.toBe(second);
    const fourth = await restart(async () => undefined, { adopt: () => 'kubelets' });
    expect(fourth.uid()).toBe('kubelets');
    // Nothing runs any more, but it is still the same pod.
    expect((await restart(async () => undefined)).uid()).toBe('kubelets');
  });

  it('other words of the same meaning leave the pod alone, while the agent runs and while it does not', async () => {
    await writeFile(file('web.yaml'), pod('web'));
    const watched = await new Watched().start();
    const [before] = watched.last.pods;
    await writeFile(file('web.yaml'), pod('web', 'i:1', '  restartPolicy: Always\n'));
    await writeFile(file('next.yaml'), pod('next'));
    await watched.untilPods('next-node i:1', 'web-node i:1');
    expect(watched.last.pods).toContain(before);
    const words = pod('web', 'i:1', '  dnsPolicy: ClusterFirst\n');
    const after = await restart(() => writeFile(file('web.yaml'), words));
    expect(after.pods).toEqual(['next-node i:1', 'web-node i:1']);
    expect(after.uid(1)).toBe(before?.metadata.uid);
  });

  it('has the same UID where nothing is kept and nothing can be adopted', async () => {
    await writeFile(file('web.yaml'), pod('web'));
    const uid = (await new Watched().start()).uid();
    const after = await restart(() => rm(join(root, 'cache'), { recursive: true }));
    expect(after.uid()).toBe(uid);
  });

  it('a UID in the manifest is the pod’s', async () => {
    await writeFile(file('web.yaml'), pod('web').replace('name: web', 'name: web\n  uid: mine'));
    const watched = await new Watched({ adopt: () => 'kubelets' }).start();
    expect(watched.uid()).toBe('mine');
    await writeFile(file('web.yaml'), pod('web').replace('name: web', 'name: web\n  uid: other'));
    await watched.until(() => watched.uid() === 'other');
  });
});

describe.runIf(isRoot)('what cannot be read', () => {
  it('a folder that is a file of another kind is silent until it can be listed', async () => {
    const path = join(root, 'pipe');
    expect(spawnSync('mkfifo', [path]).status).toBe(0);
    const watched = await new Watched({ path }).start();
    expect(watched.updates).toEqual([]);
    await unlink(path);
    await mkdir(path);
    await watched.until(() => watched.updates.length === 1);
  });

  it('a folder that turns unreadable keeps its pods and says so', async () => {
    await writeFile(file('web.yaml'), pod('web'));
    const watched = await new Watched().start();
    await rename(dir, join(root, 'away'));
    expect(spawnSync('mkfifo', [dir]).status).toBe(0);
    await watched.until(() => watched.last.problems.length > 0);
    expect(watched.pods).toEqual(['web-node i:1']);
    expect(watched.last.problems).toMatchObject([{ origin: dir, lastGoodRuns: true }]);
  });
});
