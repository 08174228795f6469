import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ApiObject, ObjectChange } from '#lib/kube/client.ts';
import { object } from '../testing/fake-list-watch.ts';
import { ObjectStore } from './store.ts';

const words = (changes: ObjectChange<ApiObject>[]): string[] =>
  changes.map(
    ({ type, object }) => `${type} ${object.metadata?.uid ?? ''}@${object.metadata?.resourceVersion ?? ''}`,
  );

describe('ObjectStore', () => {
  test.each<[string, ApiObject[], ApiObject[], string[]]>([
    ['nothing new', [object('a', '1')], [object('a', '1')], []],
    ['one more', [object('a', '1')], [object('a', '1'), object('b', '2')], ['added uid-b@2']],
    ['one less', [object('a', '1'), object('b', '2')], [object('b', '2')], ['deleted uid-a@1']],
    ['another version', [object('a', '1')], [object('a', '3')], ['changed uid-a@3']],
    [
      'deleted and made again',
      [object('a', '1', 'x')],
      [object('a', '3', 'y')],
      ['deleted x@1', 'added y@3'],
    ],
  ])('a list with %s', (_name, before, after, expected) => {
    const store = new ObjectStore<ApiObject>();
    store.replace(before);
    expect(words(store.replace(after))).toEqual(expected);
    expect(words(store.list().map((each) => ({ type: 'added', object: each })))).toEqual(
      after.map(({ metadata }) => `added ${metadata?.uid ?? ''}@${metadata?.resourceVersion ?? ''}`),
    );
  });

  test('what is not news keeps its identity', () => {
    const store = new ObjectStore<ApiObject>();
    const first = object('a', '1');
    store.replace([first]);
    const list = store.list();
    store.replace([object('a', '1')]);
    expect(store.get({ namespace: 'ns', name: 'a' })).toBe(first);
    expect(store.apply({ type: 'MODIFIED', object: object('a', '1') })).toEqual([]);
    expect(store.list()).toEqual(list);
  });

  test('events', () => {
    const store = new ObjectStore<ApiObject>();
    expect(words(store.apply({ type: 'ADDED', object: object('a', '1') }))).toEqual(['added uid-a@1']);
    const [change] = store.apply({ type: 'MODIFIED', object: object('a', '2') });
    expect(change).toMatchObject({
      type: 'changed',
      before: { metadata: { resourceVersion: '1' } },
      object: { metadata: { resourceVersion: '2' } },
    });
    expect(words(store.apply({ type: 'ADDED', object: object('a', '4', 'new') }))).toEqual([
      'deleted uid-a@2',
      'added new@4',
    ]);
    expect(words(store.apply({ type: 'DELETED', object: object('a', '5', 'new') }))).toEqual([
      'deleted new@5',
    ]);
    expect(store.apply({ type: 'DELETED', object: object('a', '5', 'new') })).toEqual([]);
    expect(store.apply({ type: 'MODIFIED', object: object('b', '6') })).toMatchObject([{ type: 'added' }]);
  });

  test('names of several namespaces, or none, are apart', () => {
    const store = new ObjectStore<ApiObject>();
    store.replace([object('a', '1'), { metadata: { name: 'a', uid: 'node' } }]);
    expect(store.get({ name: 'a' })?.metadata?.uid).toBe('node');
    expect(store.get({ namespace: 'other', name: 'a' })).toBeUndefined();
    expect(store.list()).toHaveLength(2);
  });

  /** Whoever follows the changes by UID must end with what the store holds, and never see a wrong step. */
  test('changes lead from one content to the next', () => {
    const one = fc.record({
      name: fc.constantFrom('a', 'b', 'c'),
      uid: fc.constantFrom('1', '2'),
      version: fc.integer({ min: 1, max: 5 }),
    });
    const step = fc.oneof(
      fc.record({ list: fc.uniqueArray(one, { selector: ({ name }) => name }) }),
      fc.record({ type: fc.constantFrom('ADDED' as const, 'MODIFIED' as const, 'DELETED' as const), one }),
    );
    const make = ({ name, uid, version }: { name: string; uid: string; version: number }): ApiObject =>
      object(name, String(version), `${name}-${uid}`);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const store = new ObjectStore<ApiObject>();
        const followed = new Map<string, ApiObject>();
        for (const each of steps) {
          const changes =
            'list' in each
              ? store.replace(each.list.map(make))
              : store.apply({ type: each.type, object: make(each.one) });
          for (const change of changes) {
            const uid = change.object.metadata?.uid ?? '';
            expect(followed.has(uid)).toBe(change.type !== 'added');
            if (change.type === 'changed') expect(followed.get(uid)).toBe(change.before);
            if (change.type === 'deleted') followed.delete(uid);
            else followed.set(uid, change.object);
          }
          expect(new Set(followed.values())).toEqual(new Set(store.list()));
        }
      }),
    );
  });
});
