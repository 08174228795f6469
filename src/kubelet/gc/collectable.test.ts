import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Container, ContainerState, PodSandbox, SandboxState } from '#cri/types.ts';
import { DEFAULT_GC_POLICY, collectableContainers, collectableSandboxes } from './collectable.ts';
import type { GcPolicy, Living } from './collectable.ts';

const STATES = {
  C: 'CONTAINER_CREATED',
  R: 'CONTAINER_RUNNING',
  E: 'CONTAINER_EXITED',
  U: 'CONTAINER_UNKNOWN',
} as const satisfies Record<string, ContainerState>;

/** `pod/name/attempt:STATE`, created in the order given, one second apart. */
function containers(...words: string[]): Container[] {
  return words.map((word, index) => {
    const [id = '', state = 'E'] = word.split(':');
    const [uid = '', name = '', attempt = '0'] = id.split('/');
    return {
      id,
      podSandboxId: `sandbox-${uid}`,
      metadata: { name, attempt: Number(attempt) },
      state: STATES[state as keyof typeof STATES],
      createdAt: index * 1000,
      labels: uid === '' ? {} : { 'io.kubernetes.pod.uid': uid },
      annotations: {},
      image: { image: '' },
      imageRef: '',
    };
  });
}

const living = (desired: string[], protectedIds: string[] = []): Living => ({
  desired: new Set(desired),
  isProtected: (id) => protectedIds.includes(id),
});

const policy = (more: Partial<GcPolicy>): GcPolicy => ({ ...DEFAULT_GC_POLICY, ...more });
const NOW = 1_000_000;

const collected = (list: Container[], alive: Living, limits = DEFAULT_GC_POLICY): string[] =>
  collectableContainers(list, alive, limits, NOW).map(({ container }) => container.id);

describe('collectableContainers', () => {
  it.each<[string, string[], string[]]>([
    ['keeps one dead container beside the running one', ['a/c/0', 'a/c/1', 'a/c/2:R'], ['a/c/0']],
    ['keeps the newest dead one of each container', ['a/c/0', 'a/d/0', 'a/c/1'], ['a/c/0']],
    ['never takes a running one', ['gone/c/0:R', 'a/c/0:R', 'a/c/1:R'], []],
    [
      'takes all dead ones of a pod that is gone',
      ['gone/c/0', 'gone/c/1', 'gone/d/0:C'],
      ['gone/c/0', 'gone/c/1', 'gone/d/0'],
    ],
    ['leaves a created one that is about to start, and what ran before it', ['a/c/0', 'a/c/1:C'], []],
    ['takes a created one that was left behind', ['a/c/0:C', 'a/c/1', 'a/c/2:R'], ['a/c/0']],
    ['takes what is unknown like what is dead', ['a/c/0:U', 'a/c/1'], ['a/c/0']],
    ['knows nothing of containers without a pod’s labels', ['/c/0', '/c/1'], []],
  ])('%s', (_, list, expected) => {
    expect(collected(containers(...list), living(['a']))).toEqual(expected);
  });

  it('says what must be stopped before: the unknown', () => {
    const list = containers('gone/c/0:U', 'gone/c/1:E');
    expect(
      collectableContainers(list, living([]), DEFAULT_GC_POLICY, NOW).map(({ stopFirst }) => stopFirst),
    ).toEqual([true, false]);
  });

  it('leaves what a worker uses, by container, sandbox or pod', () => {
    const list = containers('gone/c/0', 'gone/c/1', 'gone/c/2');
    expect(collected(list, living([], ['gone/c/1']))).toEqual(['gone/c/0', 'gone/c/2']);
    expect(collected(list, living([], ['sandbox-gone']))).toEqual([]);
    expect(collected(list, living([], ['gone']))).toEqual(['gone/c/0', 'gone/c/1']);
  });

  it('counts the newest by attempt where the times are equal', () => {
    const list = containers('a/c/0', 'a/c/2', 'a/c/1').map((each) => ({ ...each, createdAt: 7 }));
    expect(collected(list, living(['a']))).toEqual(['a/c/0', 'a/c/1']);
  });

  it.each<[string, Partial<GcPolicy>, string[]]>([
    ['no dead ones', { maxPerPodContainer: 0 }, ['a/c/0', 'a/c/1', 'b/d/0', 'a/c/2']],
    ['no limit', { maxPerPodContainer: -1 }, []],
    ['a minimum age', { maxPerPodContainer: 0, minAgeMs: NOW - 1500 }, ['a/c/0', 'a/c/1']],
    ['a total, evenly', { maxPerPodContainer: -1, maxContainers: 2 }, ['a/c/0', 'a/c/1']],
    [
      'a total below the number of containers: the oldest go',
      { maxPerPodContainer: -1, maxContainers: 1 },
      ['a/c/0', 'a/c/1', 'b/d/0'],
    ],
    ['a total that is kept', { maxContainers: 2 }, ['a/c/0', 'a/c/1']],
  ])('%s', (_, limits, expected) => {
    const list = containers('a/c/0', 'a/c/1', 'b/d/0', 'a/c/2');
    expect(collected(list, living(['a', 'b']), policy(limits))).toEqual(expected);
  });

  it('never takes what runs, what is protected, or a living container’s newest dead one', () => {
    const word = fc
      .tuple(
        fc.constantFrom('a', 'b', 'gone'),
        fc.constantFrom('c', 'd'),
        fc.nat(9),
        fc.constantFrom('C', 'R', 'E', 'U'),
      )
      .map(([uid, name, attempt, state]) => `${uid}/${name}/${attempt}:${state}`);
    fc.assert(
      fc.property(
        fc.uniqueArray(word, { selector: (text) => text.split(':')[0] }),
        fc.nat(20),
        (words, pick) => {
          const list = containers(...words);
          const guarded = list[pick]?.id ?? '';
          const gone = new Set(collected(list, living(['a', 'b'], [guarded])));
          expect(gone.has(guarded)).toBe(false);
          for (const uid of ['a', 'b', 'gone']) {
            for (const name of ['c', 'd']) {
              const unit = list.filter(({ id }) => id.startsWith(`${uid}/${name}/`));
              const exited = unit.filter(
                ({ state }) => state === 'CONTAINER_EXITED' || state === 'CONTAINER_UNKNOWN',
              );
              const newest = exited.at(-1);
              const newestOfAll = unit.at(-1);
              expect(unit.some(({ id, state }) => state === 'CONTAINER_RUNNING' && gone.has(id))).toBe(false);
              if (uid !== 'gone' && newest !== undefined && newest === newestOfAll)
                expect(gone.has(newest.id)).toBe(false);
            }
          }
        },
      ),
    );
  });
});

describe('collectableSandboxes', () => {
  const sandboxes = (...words: string[]): PodSandbox[] =>
    words.map((word, index) => {
      const [id = '', state = 'N'] = word.split(':');
      const [uid = '', attempt = '0'] = id.split('/');
      const ready: SandboxState = state === 'R' ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY';
      return {
        id,
        metadata: { name: uid, uid, namespace: 'default', attempt: Number(attempt) },
        state: ready,
        createdAt: index * 1000,
        labels: uid === '' ? {} : { 'io.kubernetes.pod.uid': uid },
        annotations: {},
        runtimeHandler: '',
      };
    });

  it.each<[string, string[], string[], string[]]>([
    ['keeps a living pod’s newest', ['a/0', 'a/1'], [], ['a/0']],
    ['keeps the ready one, though it is older', ['a/0:R', 'a/1', 'a/2'], [], ['a/1']],
    ['takes all of a pod that is gone', ['gone/0', 'gone/1'], [], ['gone/0', 'gone/1']],
    ['leaves a ready one of a pod that is gone', ['gone/0:R'], [], []],
    ['leaves one that still has containers', ['gone/0', 'gone/1'], ['gone/0'], ['gone/1']],
    ['knows nothing of those without a pod’s labels', ['/0'], [], []],
  ])('%s', (_, list, used, expected) => {
    const inUse = used.map((id) => ({ ...containers('x/c/0')[0]!, podSandboxId: id }));
    expect(collectableSandboxes(sandboxes(...list), inUse, living(['a'])).map(({ id }) => id)).toEqual(
      expected,
    );
  });

  it('leaves what a worker uses', () => {
    const list = sandboxes('gone/0', 'gone/1');
    expect(collectableSandboxes(list, [], living([], ['gone/0'])).map(({ id }) => id)).toEqual(['gone/1']);
  });
});
