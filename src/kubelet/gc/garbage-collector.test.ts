import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { gcBed } from './testing/gc-bed.ts';

const signal = (): AbortSignal => new AbortController().signal;

describe('GarbageCollector', () => {
  it('removes a living pod’s older dead containers with all their files, and nothing else', async () => {
    using bed = gcBed();
    bed.desired = new Set(['uid-web']);
    const sandbox = await bed.sandbox('web', 'ready');
    const [old, last, running] = [
      await bed.container(sandbox, 'web', 'main', 0),
      await bed.container(sandbox, 'web', 'main', 1),
      await bed.container(sandbox, 'web', 'main', 2, true),
    ];
    expect(await bed.collector().run(signal())).toMatchObject({ containers: 1, sandboxes: 0, failures: 0 });
    expect(bed.ids()).toEqual([last.id, running.id, sandbox]);
    expect(old.files.filter(bed.exists)).toEqual([]);
    expect([...last.files, ...running.files].filter((path) => !bed.exists(path))).toEqual([]);
    expect(bed.exists(bed.podDir('web'))).toBe(true);
  });

  it('removes everything of a pod that is gone', async () => {
    using bed = gcBed();
    const sandbox = await bed.sandbox('gone', 'dead');
    await bed.container(await bed.sandbox('gone', 'ready', 1), 'gone', 'main', 0);
    bed.runtime.killSandbox(bed.ids().at(-1) ?? sandbox);
    bed.cgroups.add('uid-gone');
    expect(await bed.collector().run(signal())).toEqual({
      containers: 1,
      sandboxes: 2,
      logDirectories: 1,
      links: 0,
      podDirectories: 1,
      cgroups: 1,
      failures: 0,
      blocked: [],
    });
    expect(bed.ids()).toEqual([]);
    for (const path of [bed.paths.podLogs, bed.paths.containerLogs, dirname(bed.podDir('gone'))]) {
      expect(readdirSync(path)).toEqual([]);
    }
    expect(bed.tornDown).toEqual(['uid-gone']);
    // The address is freed before the sandbox goes.
    const calls = bed.runtime.script.calls.map(({ verb }) => verb);
    expect(calls.indexOf('StopPodSandbox')).toBeLessThan(calls.indexOf('RemovePodSandbox'));
  });

  it('removes nothing before every source of pods was seen', async () => {
    using bed = gcBed();
    bed.desired = undefined;
    const sandbox = await bed.sandbox('web', 'dead');
    mkdirSync(bed.podDir('web'));
    await bed.collector().run(signal());
    expect(bed.ids()).toEqual([sandbox]);
    expect(bed.exists(bed.podDir('web'))).toBe(true);
  });

  it('keeps the folders and the cgroup of a pod that the runtime still runs', async () => {
    using bed = gcBed();
    const sandbox = await bed.sandbox('orphan', 'ready');
    const { id, files } = await bed.container(sandbox, 'orphan', 'main', 0, true);
    bed.cgroups.add('uid-orphan');
    await bed.collector().run(signal());
    expect(bed.ids()).toEqual([id, sandbox]);
    expect(files.filter((path) => !bed.exists(path))).toEqual([]);
    expect(bed.tornDown).toEqual([]);
    expect([...bed.cgroups]).toEqual(['uid-orphan']);
  });

  it('leaves a static pod that comes back under its UID while the collector is at work', async () => {
    using bed = gcBed();
    mkdirSync(bed.podDir('back'));
    mkdirSync(bed.logDir('back'));
    bed.onExclusive = (uid) => bed.desired?.add(uid);
    expect(await bed.collector().run(signal())).toMatchObject({ logDirectories: 0, podDirectories: 0 });
    expect(bed.exists(bed.podDir('back'))).toBe(true);
    expect(bed.exists(bed.logDir('back'))).toBe(true);
  });

  it('leaves what a worker protects', async () => {
    using bed = gcBed();
    const sandbox = await bed.sandbox('ending', 'dead');
    mkdirSync(bed.podDir('ending'));
    bed.protected.add('uid-ending');
    bed.protected.add(sandbox);
    await bed.collector().run(signal());
    expect(bed.ids()).toEqual([sandbox]);
    expect(bed.exists(bed.podDir('ending'))).toBe(true);
  });

  it('stops at mounts and at data, reports once for all pods and again only on a change', async () => {
    using bed = gcBed();
    const volume = join(bed.podDir('a'), 'volumes/kubernetes.io~csi/data');
    const data = join(bed.podDir('b'), 'volumes/kubernetes.io~empty-dir/cache/file');
    mkdirSync(volume, { recursive: true });
    mkdirSync(dirname(data), { recursive: true });
    writeFileSync(data, 'precious');
    writeFileSync(join(bed.podDir('b'), 'etc-hosts'), '');
    bed.mounts = [volume];
    bed.cgroups = new Set(['uid-a']);
    const collector = bed.collector();
    const { blocked } = await collector.run(signal());
    expect(blocked.map(({ uid, path, why }) => ({ uid, path, why }))).toEqual([
      { uid: 'uid-a', path: volume, why: 'mount' },
      { uid: 'uid-b', path: data, why: 'file' },
    ]);
    // Nothing of a pod whose volumes are still there is touched, nor its cgroup.
    expect(bed.exists(join(bed.podDir('b'), 'etc-hosts'))).toBe(true);
    expect([...bed.cgroups]).toEqual(['uid-a']);
    await collector.run(signal());
    expect(bed.reports).toEqual([blocked]);
    bed.mounts = [];
    rmSync(data);
    await collector.run(signal());
    expect(bed.reports).toEqual([blocked, []]);
    expect(readdirSync(dirname(bed.podDir('a')))).toEqual([]);
  });

  it('goes on where one thing fails', async () => {
    using bed = gcBed();
    mkdirSync(bed.podDir('a'));
    mkdirSync(bed.podDir('b'));
    const sandbox = await bed.sandbox('c', 'ready');
    const one = await bed.container(sandbox, 'c', 'one', 0);
    const two = await bed.container(sandbox, 'c', 'two', 0);
    bed.runtime.script.failNext('RemoveContainer');
    bed.onTearDown = (uid) => {
      if (uid === 'uid-a') throw new Error('umount: busy');
    };
    const result = await bed.collector({ concurrency: 1 }).run(signal());
    expect(result).toMatchObject({ containers: 1, podDirectories: 1, failures: 1 });
    expect(result.blocked).toEqual([{ uid: 'uid-a', path: '', why: 'error', message: 'umount: busy' }]);
    expect(bed.ids()).toEqual([one.id, sandbox]);
    expect(two.files.filter(bed.exists)).toEqual([]);
  });

  it('removes dead links, but not those of containers whose log is just being rotated', async () => {
    using bed = gcBed();
    bed.desired = new Set(['uid-web']);
    const sandbox = await bed.sandbox('web', 'ready');
    const running = await bed.container(sandbox, 'web', 'main', 0, true);
    renameSync(running.log, `${running.log}.20260102-030406`);
    const links = (name: string): string => join(bed.paths.containerLogs, name);
    symlinkSync('/nowhere', links('x_default_main-0123456789abcdef.log'));
    symlinkSync('/nowhere', links('x_default_main-short.log'));
    symlinkSync('/nowhere', links('notes.txt'));
    writeFileSync(links('file-0123456789abcdef.log'), '');
    expect(await bed.collector().run(signal())).toMatchObject({ links: 2 });
    expect(readdirSync(bed.paths.containerLogs).map(links).sort()).toEqual(
      [links('file-0123456789abcdef.log'), links('notes.txt'), running.link].sort(),
    );
  });

  it('never goes through a link in the pods’ folders', async () => {
    using bed = gcBed();
    const outside = join(bed.paths.root, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'data'), '');
    symlinkSync(outside, bed.podDir('link'));
    mkdirSync(bed.podDir('a'));
    symlinkSync(outside, join(bed.podDir('a'), 'plugins'));
    symlinkSync(outside, join(bed.paths.podLogs, 'default_x_uid-x'));
    await bed.collector().run(signal());
    expect(readdirSync(outside)).toEqual(['data']);
    expect(bed.exists(bed.podDir('a'))).toBe(false);
  });

  it('is one run at a time, and ends with its signal', async () => {
    using bed = gcBed();
    mkdirSync(bed.podDir('a'));
    const collector = bed.collector();
    const [first, second] = [collector.run(signal()), collector.run(signal())];
    expect(await first).toBe(await second);
    const abort = new AbortController();
    mkdirSync(bed.podDir('b'));
    bed.onTearDown = () => abort.abort();
    await collector.run(abort.signal);
    expect(bed.exists(bed.podDir('b'))).toBe(true);
  });
});
