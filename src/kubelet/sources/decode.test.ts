import fc from 'fast-check';
import { stringify } from 'yaml';
import { describe, expect, it } from 'vitest';
import { decodeManifest } from './decode.ts';
import { readManifest } from './manifest-pods.ts';

const POD = 'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n';
const valueOf = (yaml: string): unknown => decodeManifest(`${POD}x: ${yaml}\n`).objects[0]?.value['x'];

describe('scalars mean what they mean to Kubernetes', () => {
  it.each<[string, unknown]>([
    ['yes', true],
    ['on', true],
    ['y', true],
    ['No', false],
    ['OFF', false],
    ['n', false],
    ['true', true],
    ['tRue', 'tRue'],
    ['"yes"', 'yes'],
    ["'on'", 'on'],
    ['!!str yes', 'yes'],
    ['!!str 5', '5'],
    ['!!int "5"', 5],
    ['!!binary aGk=', 'hi'],
    ['~', null],
    ['', null],
    ['null', null],
    ['""', ''],
    ['0644', 420],
    ['0o644', 420],
    ['0x1f', 31],
    ['0b101', 5],
    ['-0x1f', -31],
    ['1_000', 1000],
    ['_1', '_1'],
    ['089', 89],
    ['1.5', 1.5],
    ['.5', 0.5],
    ['1e3', 1000],
    ['+5', 5],
    ['.inf', '.inf'],
    ['22:22', '22:22'],
    ['2026-01-01', '2026-01-01'],
    ['100m', '100m'],
    ['1.2.3', '1.2.3'],
    ['<<', '<<'],
    ['|\n  yes\n', 'yes\n'],
    ['>-\n  a\n  b\n', 'a b'],
  ])('%j is %j', (yaml, expected) => expect(valueOf(yaml)).toEqual(expected));

  it('keys are text', () => {
    expect(valueOf('{yes: 1, 5: 2, ~: 3}')).toEqual({ true: 1, '5': 2, null: 3 });
  });
});

describe('structure', () => {
  it('anchors, aliases and merged maps', () => {
    const text = `${POD}a: &a {k: 1, l: 2}\nb: *a\nc: {<<: *a, k: 3}\n`;
    expect(decodeManifest(text).objects[0]?.value).toMatchObject({ b: { k: 1, l: 2 }, c: { k: 3, l: 2 } });
  });

  it('several documents, empty ones skipped but counted', () => {
    const text = `# a comment\n---\n${POD}---\n---\n# nothing\n---\n${POD}`;
    expect(decodeManifest(text).objects.map((each) => each.document)).toEqual([1, 4]);
  });

  it('Lists are unrolled, typed lists say what their items are', () => {
    const list = (kind: string, item: object): string =>
      JSON.stringify({ apiVersion: 'v1', kind, items: [item, item] });
    const inList = decodeManifest(list('List', { apiVersion: 'v1', kind: 'Pod' })).objects;
    expect(inList.map(({ kind, root }) => [kind, root])).toEqual([
      ['Pod', ['items', 0]],
      ['Pod', ['items', 1]],
    ]);
    expect(decodeManifest(list('PodList', { metadata: { name: 'a' } })).objects[1]).toMatchObject({
      apiVersion: 'v1',
      kind: 'Pod',
      value: { metadata: { name: 'a' } },
    });
    expect(decodeManifest('{"apiVersion":"v1","kind":"List"}')).toEqual({ objects: [], errors: [] });
  });

  it('JSON with tabs, JSON too long for the YAML reader', () => {
    const pod = { apiVersion: 'v1', kind: 'Pod', x: 'yes' };
    expect(decodeManifest(JSON.stringify(pod, undefined, '\t')).objects[0]?.value).toEqual(pod);
    const long = { ...pod, x: Array.from({ length: 600_000 }, (_, i) => i) };
    expect(decodeManifest(JSON.stringify(long)).objects[0]?.value).toEqual(long);
  });

  it('every kind comes through', () => {
    const { objects } = decodeManifest('apiVersion: example.com/v1\nkind: Thing\n');
    expect(objects).toMatchObject([{ apiVersion: 'example.com/v1', kind: 'Thing' }]);
  });
});

describe('what is refused, and where', () => {
  it.each<[string, string, object]>([
    [
      'a syntax error',
      `${POD}---\n${POD}x: [1\n`,
      { document: 2, message: expect.stringContaining('not valid YAML') as string },
    ],
    [
      'a key twice',
      `${POD}a: 1\nb: 2\na: 3\n`,
      { document: 1, line: 6, message: 'the key "a" is there twice' },
    ],
    ['an unknown anchor', `${POD}a: *x\n`, { document: 1 }],
    [
      'no kind',
      'apiVersion: v1\n',
      { document: 1, path: ['kind'], message: 'must be set, for example to Pod' },
    ],
    ['no apiVersion', 'kind: Pod\n', { document: 1, path: ['apiVersion'], line: 1 }],
    [
      'a list',
      '- 1\n',
      { document: 1, message: expect.stringContaining('must be a Kubernetes object') as string },
    ],
    ['deep flow', `${POD}a: ${'['.repeat(200)}`, { message: 'nested more than 100 levels deep' }],
    ['deep blocks', `${POD}a:\n ${'- '.repeat(200)}1`, { message: 'nested more than 100 levels deep' }],
    ['a bad item', 'apiVersion: v1\nkind: List\nitems:\n- 5\n', { path: ['items', 0], line: 4, value: 5 }],
  ])('%s', (_what, text, expected) => expect(decodeManifest(text).errors).toMatchObject([expected]));

  it('an alias bomb', () => {
    const lines = Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`);
    const started = performance.now();
    const { errors } = decodeManifest(`${POD}a0: &a0 [x]\n${lines.join('\n')}\n`);
    expect(errors[0]?.message).toMatch(/aliases/);
    expect(performance.now() - started).toBeLessThan(3000);
  });

  it('a great many levels or keys cost little time', () => {
    const deep = '{"a":'.repeat(200_000);
    const wide = Array.from({ length: 30_000 }, (_, i) => `k${i}: 1`).join('\n');
    const started = performance.now();
    expect(decodeManifest(deep).errors).toHaveLength(1);
    expect(decodeManifest(POD + wide).errors).toEqual([]);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

it('knows the line of a field', () => {
  const text = `${POD}spec:\n  containers:\n  - name: c\n    image: i\n    args: [a,\n      b]\n`;
  const lineOf = (path: (string | number)[]): number | undefined =>
    decodeManifest(text).objects[0]?.lineOf(path);
  expect(lineOf(['spec', 'containers', 0, 'image'])).toBe(7);
  expect(lineOf(['spec', 'containers', 0, 'args', 1])).toBe(9);
  expect(lineOf(['spec', 'containers', 0, 'missing'])).toBe(6);
  expect(lineOf(['nothing'])).toBe(1);
});

describe('whatever the text', () => {
  const rules = { nameSuffix: '-node' };

  it('reading it never throws', () => {
    const yamlish = fc.array(
      fc.oneof(
        fc.constantFrom(
          '- ',
          ': ',
          '? ',
          '\n',
          '  ',
          '---\n',
          '&a ',
          '*a ',
          '<<: ',
          '[',
          ']',
          '{',
          '}',
          '"',
          "'",
          '#',
          '|\n',
          '!!str ',
          '%YAML',
        ),
        fc.constantFrom(
          'kind: Pod\n',
          'apiVersion: v1\n',
          'metadata:\n',
          'spec:\n',
          'containers:\n',
          'name: a\n',
        ),
        fc.string({ maxLength: 5, unit: 'binary' }),
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(yamlish, (parts) => {
        const { findings } = readManifest(parts.join(''), rules);
        expect(findings.every((each) => each.message.length > 0)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('any value in the place of any part of a Pod never throws', () => {
    const any = fc.jsonValue();
    const pod = fc.record({
      apiVersion: fc.constant('v1'),
      kind: fc.constant('Pod'),
      metadata: fc.oneof(
        any,
        fc.record({ name: fc.oneof(any, fc.constant('a')), labels: any, annotations: any }),
      ),
      spec: fc.oneof(
        any,
        fc.record({
          volumes: fc.oneof(
            any,
            fc.array(
              fc.record({
                name: fc.oneof(any, fc.constant('v')),
                hostPath: any,
                emptyDir: any,
                projected: any,
              }),
            ),
          ),
          containers: fc.oneof(
            any,
            fc.array(
              fc.record({
                name: any,
                image: any,
                env: fc.oneof(any, fc.array(any)),
                ports: fc.oneof(any, fc.array(any)),
                resources: any,
                livenessProbe: any,
                volumeMounts: fc.oneof(any, fc.array(any)),
                securityContext: any,
              }),
            ),
          ),
          securityContext: any,
          tolerations: fc.oneof(any, fc.array(any)),
          dnsConfig: any,
          resources: any,
        }),
      ),
    });
    fc.assert(
      fc.property(pod, (value) => {
        const { pods, findings } = readManifest(stringify(value), rules);
        expect(pods.size > 0 || findings.length > 0).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});
