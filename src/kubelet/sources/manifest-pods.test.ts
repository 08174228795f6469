import { describe, expect, it } from 'vitest';
import { readManifest } from './manifest-pods.ts';
import type { ManifestFinding } from './manifest-pods.ts';

const pod = (name: string, more = ''): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec:\n  containers:\n  - {name: c, image: i}\n${more}`;
const read = (text: string, onePod = false): ReturnType<typeof readManifest> =>
  readManifest(text, { nameSuffix: '-node', onePod });
const keys = (text: string, onePod = false): string[] => [...read(text, onePod).pods.keys()];
const only = (text: string): ManifestFinding | undefined => {
  const { findings } = read(text);
  expect(findings).toHaveLength(1);
  return findings[0];
};

it('takes every good Pod of a text', () => {
  expect(keys(`${pod('a')}---\n${pod('b')}`)).toEqual(['default/a', 'default/b']);
  expect(read(`${pod('a')}---\n${pod('b')}`).findings).toEqual([]);
});

it('keeps the words beside what the defaults make of them', () => {
  const text = pod('a', 'status: {phase: Failed}\n').replace('{name: a}', '{name: a, resourceVersion: "5"}');
  const { pods, written } = read(text);
  expect(written.get('default/a')).toEqual({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a' },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  });
  expect(pods.get('default/a')?.spec?.dnsPolicy).toBe('ClusterFirst');
  expect([...read(pod('a', '  restartPolicy: always\n')).written.keys()]).toEqual([]);
});

it('one bad document does not hold up the others', () => {
  const text = `${pod('a')}---\n${pod('b', '  restartPolicy: always\n')}---\n${pod('c')}`;
  expect(keys(text)).toEqual(['default/a', 'default/c']);
  expect(only(text)).toEqual({
    document: 2,
    line: 14,
    field: 'spec.restartPolicy',
    value: '"always"',
    message: 'must be one of "Always", "OnFailure", "Never"',
    blocks: 'default/b',
  });
});

it('an unknown field is a warning that blocks nothing', () => {
  const text = pod('a', '  restartpolicy: Never\n');
  expect(keys(text)).toEqual(['default/a']);
  expect(only(text)).toMatchObject({ field: 'spec.restartpolicy', line: 7, severity: 'warning' });
  expect(only(text)?.blocks).toBeUndefined();
});

it('numbers and words in environment values name the mend', () => {
  const text = pod('a').replace(
    'image: i}',
    'image: i, env: [{name: P, value: 8080}, {name: Q, value: yes}]}',
  );
  expect(
    read(text).findings.map(({ field, value, message }) => [field, value, /need quotes/.test(message)]),
  ).toEqual([
    ['spec.containers[0].env[0].value', '8080', true],
    ['spec.containers[0].env[1].value', 'true', true],
  ]);
});

it.each([
  ['ConfigMap', /^a ConfigMap of a manifest is there for pods in standalone mode only$/],
  ['Service', /^kind Service is not served from manifests$/],
  ['Deployment', /^a Deployment is not run by a node: write the Pod that it would make$/],
  ['Job', /not run by a node/],
])('a %s is told apart and handed on', (kind, message) => {
  const text = `apiVersion: v1\nkind: ${kind}\nmetadata: {name: x}\n---\n${pod('a')}`;
  const { pods, others, findings } = read(text);
  expect([...pods.keys()]).toEqual(['default/a']);
  expect(others.map((each) => each.kind)).toEqual([kind]);
  expect(findings).toMatchObject([
    { document: 1, field: 'kind', message: expect.stringMatching(message) as string },
  ]);
  expect(findings[0]?.blocks ?? findings[0]?.blocksUnknown).toBeUndefined();
});

it('names the place in a List', () => {
  const list = {
    apiVersion: 'v1',
    kind: 'List',
    items: [{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, spec: {} }],
  };
  expect(only(JSON.stringify(list))).toMatchObject({ field: 'items[0].spec.containers' });
});

describe('refusals', () => {
  it.each([
    ['another version', pod('a').replace('v1', 'v2'), 'must be v1 for a Pod'],
    [
      'the same pod twice',
      `${pod('a')}---\n${pod('a')}`,
      'an earlier document of the file is a Pod default/a, too',
    ],
    ['an empty file', ' \n', 'the file is empty: to end its pods, remove it'],
    ['no spec', 'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n', 'must be set'],
    [
      'an API reference',
      pod('a', '  serviceAccountName: x\n'),
      'static pods may not reference serviceaccounts',
    ],
  ])('%s', (_what, text, message) => expect(only(text)?.message).toBe(message));

  it('a file of comments holds nothing and is no error', () => {
    expect(read('# nothing\n')).toMatchObject({ findings: [], others: [] });
  });
});

it("the kubelet's rule takes one Pod a file", () => {
  expect(keys(`${pod('a')}---\n${pod('b')}`, true)).toEqual(['default/a']);
  expect(read(`${pod('a')}---\n${pod('b')}`, true).findings).toMatchObject([{ document: 2 }]);
});

it('cuts long values', () => {
  expect(only(pod('a', `  restartPolicy: ${'x'.repeat(500)}\n`))?.value).toHaveLength(100);
});
