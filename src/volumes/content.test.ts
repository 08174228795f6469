import { beforeEach, describe, expect, test } from 'vitest';
import type { DirContent } from '#host/atomic-dir.ts';
import { MissingReferenceError } from '#lib/kube/referenced.ts';
import { readAmounts } from '#lib/kube/resources.ts';
import { FakeObjects } from '#lib/kube/testing/fake-objects.ts';
import type { AgentPod, Volume } from '#lib/kube/types.ts';
import { type ContentSources, configMapContent, downwardContent, secretContent } from './content.ts';
import { nestedMountPoints } from './nested-mounts.ts';
import { ProjectionError, commonUser, projectedContent } from './projected-content.ts';

const signal = new AbortController().signal;
let objects: FakeObjects;
let sources: ContentSources;
let asked: unknown[];

beforeEach(() => {
  objects = new FakeObjects();
  objects.configMaps.set('ns/cm', {
    data: { a: 'text a', both: 'text' },
    binaryData: { b: Buffer.from([0, 255]).toString('base64') },
  });
  objects.secrets.set('ns/s', { user: 'me', password: 'geheim' });
  asked = [];
  sources = {
    objects,
    tokens: {
      token: (pod, wish) => {
        asked.push({ pod: pod.metadata.name, ...wish });
        return Promise.resolve(`token for ${wish.audience ?? 'api'}`);
      },
    },
    allocatable: () => readAmounts({ cpu: '2', memory: '1Gi' }, 'node'),
  };
});

const pod = (spec: Partial<AgentPod['spec']> = {}): AgentPod => ({
  metadata: { name: 'p', namespace: 'ns', uid: 'u', labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', resources: { limits: { memory: '64Mi' } } }], ...spec },
});

const shown = (content: DirContent): Record<string, string> =>
  Object.fromEntries(
    [...content].map(([path, { data, mode, owner }]) => [
      path,
      `${mode.toString(8)}${owner === undefined ? '' : ` by ${owner}`} ${Buffer.from(data).toString('latin1')}`,
    ]),
  );
const plain = { isOptional: false, defaultMode: 0o644 };

describe('configMap and secret', () => {
  test('every key is a file', () => {
    expect(shown(configMapContent(objects, 'ns', 'cm', { ...plain, defaultMode: 0o400 }))).toEqual({
      a: '400 text a',
      both: '400 text',
      b: '400 \u0000\u00ff',
    });
    expect(shown(secretContent(objects, 'ns', 's', plain))).toEqual({
      user: '644 me',
      password: '644 geheim',
    });
  });

  test('items choose, rename, and set modes', () => {
    const items = [
      { key: 'a', path: 'dir/A' },
      { key: 'b', path: 'b', mode: 0o600 },
      { key: 'a', path: 'again' },
    ];
    expect(shown(configMapContent(objects, 'ns', 'cm', { ...plain, items }))).toEqual({
      'dir/A': '644 text a',
      b: '600 \u0000\u00ff',
      again: '644 text a',
    });
  });

  test.each<[string, () => unknown, string]>([
    ['no ConfigMap', () => configMapContent(objects, 'ns', 'none', plain), 'configmap "none" not found'],
    ['another namespace', () => secretContent(objects, 'other', 's', plain), 'secret "s" not found'],
    [
      'no key',
      () => configMapContent(objects, 'ns', 'cm', { ...plain, items: [{ key: 'x', path: 'x' }] }),
      'configmap references non-existent config key: x',
    ],
    [
      'no key of a Secret',
      () => secretContent(objects, 'ns', 's', { ...plain, items: [{ key: 'x', path: 'x' }] }),
      'references non-existent secret key: x',
    ],
  ])('%s: an error in upstream’s words', (_, work, message) => {
    expect(work).toThrow(MissingReferenceError);
    expect(work).toThrow(message);
  });

  test('what is optional may be missing, as a whole and by key', () => {
    const isOptional = { ...plain, isOptional: true };
    expect(shown(configMapContent(objects, 'ns', 'none', isOptional))).toEqual({});
    expect(
      shown(
        secretContent(objects, 'ns', 's', {
          ...isOptional,
          items: [
            { key: 'x', path: 'x' },
            { key: 'user', path: 'u' },
          ],
        }),
      ),
    ).toEqual({ u: '644 me' });
  });

  test('as long as nobody knows whether an object exists, an optional one isn’t taken for missing', () => {
    objects.trouble = new MissingReferenceError('the API server does not answer');
    const work = (): unknown => configMapContent(objects, 'ns', 'none', { ...plain, isOptional: true });
    expect(work).toThrow(/failed to sync configmap cache.*"none".*does not answer/);
  });
});

test('downwardAPI', () => {
  const items = [
    { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
    {
      path: 'mem',
      mode: 0o400,
      resourceFieldRef: { containerName: 'c', resource: 'limits.memory', divisor: '1Mi' },
    },
    { path: 'cpu', resourceFieldRef: { containerName: 'c', resource: 'limits.cpu' } },
  ];
  expect(shown(downwardContent(pod(), items, 0o644, () => sources.allocatable()))).toEqual({
    labels: '644 app="web"',
    mem: '400 64',
    cpu: '644 2',
  });
  expect(() =>
    downwardContent(
      pod(),
      [{ path: 'x', resourceFieldRef: { containerName: 'other', resource: 'limits.cpu' } }],
      0o644,
      () => sources.allocatable(),
    ),
  ).toThrow('container other not found');
});

describe('projected', () => {
  const token = { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } };
  const collect = async (
    projected: NonNullable<Volume['projected']>,
    of = pod(),
  ): Promise<Record<string, string>> => shown(await projectedContent(of, projected, sources, signal));

  test('what every pod gets of its service account', async () => {
    objects.configMaps.set('ns/kube-root-ca.crt', { data: { 'ca.crt': 'PEM' } });
    const access = {
      defaultMode: 0o644,
      sources: [
        token,
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
    };
    expect(await collect(access)).toEqual({
      token: '644 token for api',
      'ca.crt': '644 PEM',
      namespace: '644 ns',
    });
    expect(asked).toEqual([{ pod: 'p', audience: undefined, expirationSeconds: 3607 }]);
  });

  test('a later source wins', async () => {
    const both = {
      sources: [
        { secret: { name: 's' } },
        { configMap: { name: 'cm', items: [{ key: 'a', path: 'user' }] } },
      ],
    };
    expect(await collect(both)).toEqual({ user: '644 text a', password: '644 geheim' });
  });

  test.each<[string, Partial<AgentPod['spec']>, string]>([
    ['nobody in particular', {}, '644 token for x'],
    ['the pod’s user', { securityContext: { runAsUser: 7 } }, '600 by 7 token for x'],
    ['root', { securityContext: { runAsUser: 0 } }, '600 by 0 token for x'],
    ['a group', { securityContext: { fsGroup: 7 } }, '600 token for x'],
    [
      'the containers’ own user',
      { containers: [{ name: 'c', securityContext: { runAsUser: 9 } }], securityContext: { runAsUser: 7 } },
      '600 by 9 token for x',
    ],
    [
      'two users',
      {
        containers: [{ name: 'c', securityContext: { runAsUser: 9 } }, { name: 'd' }],
        securityContext: { runAsUser: 7 },
      },
      '644 token for x',
    ],
    [
      'an init container that leaves it to its image',
      {
        initContainers: [{ name: 'i' }],
        containers: [{ name: 'c', securityContext: { runAsUser: 9 } }],
      },
      '644 token for x',
    ],
  ])('a token’s mode and owner: %s', async (_, spec, file) => {
    const projected = { sources: [{ serviceAccountToken: { path: 't', audience: 'x' } }] };
    expect(await collect(projected, pod(spec))).toEqual({ t: file });
  });

  test('all errors are told together, and may come right by themselves if one may', async () => {
    const projected = { sources: [{ secret: { name: 'x' } }, token, { configMap: { name: 'y' } }] };
    sources = { ...sources, tokens: undefined };
    const error: unknown = await collect(projected).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MissingReferenceError);
    expect(String(error)).toContain('[secret "x" not found, a serviceAccountToken needs an API server');
    expect(String(error)).toContain('configmap "y" not found]');
  });

  test.each(['clusterTrustBundle', 'podCertificate'])('%s is refused by name', async (kind) => {
    const projected = { sources: [{ [kind]: { path: 'x' } }] };
    await expect(collect(projected)).rejects.toThrow(ProjectionError);
    await expect(collect(projected)).rejects.toThrow(`${kind} is not supported`);
  });
});

test('the common user is nobody where there are ephemeral containers of another', () => {
  const spec = { containers: [{ name: 'c', securityContext: { runAsUser: 1 } }] };
  expect(commonUser(pod(spec))).toBe(1);
  expect(commonUser(pod({ ...spec, ephemeralContainers: [{ name: 'e' }] }))).toBeUndefined();
});

test('mount points of other volumes, outermost only', () => {
  const mount = (name: string, mountPath: string) => ({ name, mountPath });
  const containers = [
    {
      name: 'c',
      volumeMounts: [
        mount('v', '/dir'),
        mount('w', '/dir/nested'),
        mount('w', '/dir/nested-more'),
        mount('x', '/dir/nested/deeper'),
        mount('x', '/directory'),
        mount('x', '/dir/a/../b//c'),
        mount('x', '/dir/../other'),
      ],
    },
    { name: 'd', volumeMounts: [mount('v', 'rel/'), mount('y', '/rel/here')] },
  ];
  expect([...nestedMountPoints(pod({ containers }), 'v')].sort()).toEqual([
    'b/c',
    'here',
    'nested',
    'nested-more',
  ]);
  expect([...nestedMountPoints(pod({ containers }), 'w')]).toEqual(['deeper']);
});
