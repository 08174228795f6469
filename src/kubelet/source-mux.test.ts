import { expect, test } from 'vitest';
import type { ServedObject } from './objects/local-object.ts';
import { SourceMux } from './source-mux.ts';
import type { PodSource, SourceUpdate } from './sources/source.ts';

class Scripted implements PodSource {
  readonly kind = 'file';
  readonly name: string;
  deliver: (update: SourceUpdate) => void = () => undefined;

  constructor(name: string) {
    this.name = name;
  }

  start(deliver: (update: SourceUpdate) => void): Promise<void> {
    this.deliver = deliver;
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

const configMap = (name: string, origin: string): ServedObject => ({
  kind: 'ConfigMap',
  object: { metadata: { name, namespace: 'ns' } },
  origin,
});

test('objects of all sources: of two of one name that of the first source counts, whoever tells first', async () => {
  const [first, second] = [new Scripted('first'), new Scripted('second')];
  const mux = new SourceMux([first, second]);
  let seen: readonly ServedObject[] = [];
  await mux.start(() => (seen = mux.objects()));
  expect(mux.isComplete).toBe(false);
  const other = {
    kind: 'Secret',
    object: { metadata: { name: 'a', namespace: 'ns' } },
    origin: 'two',
  } as const;
  second.deliver({ pods: [], problems: [], objects: [configMap('a', 'two'), other] });
  expect(seen.map(({ kind, origin }) => [kind, origin])).toEqual([
    ['ConfigMap', 'two'],
    ['Secret', 'two'],
  ]);
  expect(mux.problems()).toEqual([]);
  first.deliver({ pods: [], problems: [], objects: [configMap('a', 'one')] });
  expect(seen.map(({ kind, origin }) => [kind, origin])).toEqual([
    ['ConfigMap', 'one'],
    ['Secret', 'two'],
  ]);
  expect(mux.problems()).toEqual([
    {
      origin: 'two',
      field: 'metadata.name',
      value: '"ConfigMap ns/a"',
      message: 'one defines the same ConfigMap and comes first: only that one counts',
      lastGoodRuns: false,
    },
  ]);
  first.deliver({ pods: [], problems: [] });
  expect(seen.map(({ kind, origin }) => [kind, origin])).toEqual([
    ['ConfigMap', 'two'],
    ['Secret', 'two'],
  ]);
  expect(mux.problems()).toEqual([]);
});
