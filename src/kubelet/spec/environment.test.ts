import { beforeEach, describe, expect, test } from 'vitest';
import { MissingReferenceError } from '#lib/kube/referenced.ts';
import { readAmounts } from '#lib/kube/resources.ts';
import { FakeObjects } from '#lib/kube/testing/fake-objects.ts';
import type { AgentPod, Container, EnvVar } from '#lib/kube/types.ts';
import { ContainerConfigError } from './config-error.ts';
import { type EnvironmentSources, environment } from './environment.ts';

let objects: FakeObjects;
let sources: EnvironmentSources;
const files: Record<string, string> = { 'v/app.env': "TOKEN='from file'\n" };

const own: Container = {
  name: 'c',
  resources: { requests: { cpu: '15m', memory: '1Mi' }, limits: { memory: '4Mi' } },
};
const pod: AgentPod = {
  metadata: {
    name: 'p',
    namespace: 'ns',
    uid: 'u',
    labels: { app: 'web' },
    annotations: { 'a.b/c': 'note' },
  },
  spec: {
    nodeName: 'node-1',
    serviceAccountName: 'sa',
    containers: [own, { name: 'other' }],
    initContainers: [{ name: 'init' }],
  },
};

beforeEach(() => {
  objects = new FakeObjects();
  objects.configMaps.set('ns/cm', {
    data: { KEY: 'from cm', 'odd.key-1': 'odd', SHARED: 'cm' },
    binaryData: { BIN: 'AAAA' },
  });
  objects.secrets.set('ns/s', { KEY: 'from secret', SHARED: 'secret', 'with=equals': 'x' });
  sources = {
    pod,
    podIps: ['10.0.0.5', 'fd00::5'],
    hostIps: ['192.0.2.1', '2001:db8::1'],
    objects,
    services: new Map([
      ['DB_SERVICE_HOST', '10.1.1.1'],
      ['KEY_SERVICE', 'svc'],
    ]),
    allocatable: () => readAmounts({ cpu: '3', memory: '8Gi', 'ephemeral-storage': '100Gi' }, 'node'),
    readFile: (volume, path) => {
      const text = files[`${volume}/${path}`];
      return text === undefined
        ? Promise.reject(new ContainerConfigError(`couldn't read env file "${path}"`))
        : Promise.resolve(text);
    },
  };
});

const of = async (container: Partial<Container>): Promise<Record<string, string>> => {
  const all = await environment({ ...own, ...container }, sources);
  return Object.fromEntries([...all].filter(([name]) => !name.includes('SERVICE')));
};
const from = (name: string, valueFrom: NonNullable<EnvVar['valueFrom']>): EnvVar => ({ name, valueFrom });
const one = async (valueFrom: NonNullable<EnvVar['valueFrom']>): Promise<string | undefined> =>
  (await of({ env: [from('X', valueFrom)] }))['X'];

describe('sources of one variable', () => {
  test.each<[string, NonNullable<EnvVar['valueFrom']>, string | undefined]>([
    ['a ConfigMap’s key', { configMapKeyRef: { name: 'cm', key: 'KEY' } }, 'from cm'],
    ['a Secret’s key', { secretKeyRef: { name: 's', key: 'KEY' } }, 'from secret'],
    ['no ConfigMap, optional', { configMapKeyRef: { name: 'no', key: 'KEY', optional: true } }, undefined],
    ['no key, optional', { configMapKeyRef: { name: 'cm', key: 'no', optional: true } }, undefined],
    ['no Secret, optional', { secretKeyRef: { name: 'no', key: 'KEY', optional: true } }, undefined],
    ['no key of a Secret, optional', { secretKeyRef: { name: 's', key: 'no', optional: true } }, undefined],
    ['name', { fieldRef: { fieldPath: 'metadata.name' } }, 'p'],
    ['namespace', { fieldRef: { fieldPath: 'metadata.namespace' } }, 'ns'],
    ['UID', { fieldRef: { fieldPath: 'metadata.uid' } }, 'u'],
    ['a label', { fieldRef: { fieldPath: "metadata.labels['app']" } }, 'web'],
    ['no label', { fieldRef: { fieldPath: "metadata.labels['no']" } }, ''],
    ['an annotation', { fieldRef: { fieldPath: "metadata.annotations['a.b/c']" } }, 'note'],
    ['node', { fieldRef: { fieldPath: 'spec.nodeName' } }, 'node-1'],
    ['service account', { fieldRef: { fieldPath: 'spec.serviceAccountName' } }, 'sa'],
    ['pod IP', { fieldRef: { fieldPath: 'status.podIP' } }, '10.0.0.5'],
    ['pod IPs', { fieldRef: { fieldPath: 'status.podIPs' } }, '10.0.0.5,fd00::5'],
    ['host IP', { fieldRef: { fieldPath: 'status.hostIP' } }, '192.0.2.1'],
    ['host IPs', { fieldRef: { fieldPath: 'status.hostIPs' } }, '192.0.2.1,2001:db8::1'],
    ['a request', { resourceFieldRef: { resource: 'requests.cpu', divisor: '1m' } }, '15'],
    ['a limit', { resourceFieldRef: { resource: 'limits.memory', divisor: '1Ki' } }, '4096'],
    ['no limit: the node’s', { resourceFieldRef: { resource: 'limits.cpu' } }, '3'],
    ['another container’s', { resourceFieldRef: { resource: 'limits.cpu', containerName: 'other' } }, '3'],
    [
      'an init container’s: nothing is filled in',
      { resourceFieldRef: { resource: 'limits.cpu', containerName: 'init' } },
      '0',
    ],
    ['a file’s', { fileKeyRef: { volumeName: 'v', path: 'app.env', key: 'TOKEN' } }, 'from file'],
    [
      'nothing in the file, optional',
      { fileKeyRef: { volumeName: 'v', path: 'app.env', key: 'NO', optional: true } },
      undefined,
    ],
  ])('%s', async (_, valueFrom, value) => {
    expect(await one(valueFrom)).toBe(value);
  });

  test.each<[NonNullable<EnvVar['valueFrom']>, string]>([
    [{ configMapKeyRef: { name: 'no', key: 'KEY' } }, 'configmap "no" not found'],
    [{ configMapKeyRef: { name: 'cm', key: 'no' } }, "couldn't find key no in ConfigMap ns/cm"],
    [{ configMapKeyRef: { name: 'cm', key: 'BIN' } }, "couldn't find key BIN in ConfigMap ns/cm"],
    [{ configMapKeyRef: { name: 'cm', key: 'constructor' } }, "couldn't find key constructor"],
    [{ secretKeyRef: { name: 'no', key: 'KEY' } }, 'secret "no" not found'],
    [{ secretKeyRef: { name: 's', key: 'no' } }, "couldn't find key no in Secret ns/s"],
  ])('%j waits for what is missing', async (valueFrom, message) => {
    await expect(one(valueFrom)).rejects.toThrow(MissingReferenceError);
    await expect(one(valueFrom)).rejects.toThrow(message);
  });

  test.each<[NonNullable<EnvVar['valueFrom']>, RegExp]>([
    [{ fieldRef: { fieldPath: 'status.phase' } }, /status\.phase/],
    [{ fileKeyRef: { volumeName: 'v', path: 'app.env', key: 'NO' } }, /"NO" not found in file "app.env"/],
    [{ fileKeyRef: { volumeName: 'v', path: 'no', key: 'A', optional: true } }, /couldn't read env file/],
    [{}, /valueFrom is not supported/],
  ])('%j is refused', async (valueFrom, words) => {
    await expect(one(valueFrom)).rejects.toThrow(ContainerConfigError);
    await expect(one(valueFrom)).rejects.toThrow(words);
  });
});

describe('order and precedence', () => {
  test('envFrom takes every key, with its prefix; a later one wins, env wins over both', async () => {
    const variables = await of({
      envFrom: [
        { configMapRef: { name: 'cm' } },
        { prefix: 'P_', configMapRef: { name: 'cm' } },
        { secretRef: { name: 's' } },
        { configMapRef: { name: 'none', optional: true } },
      ],
      env: [{ name: 'P_KEY', value: 'own' }],
    });
    expect(variables).toEqual({
      KEY: 'from secret',
      SHARED: 'secret',
      'odd.key-1': 'odd',
      'with=equals': 'x',
      P_KEY: 'own',
      P_SHARED: 'cm',
      'P_odd.key-1': 'odd',
    });
  });

  test.each([
    [{ configMapRef: { name: 'no' } }, 'configmap "no" not found'],
    [{ secretRef: { name: 'no' } }, 'secret "no" not found'],
  ])('envFrom %j waits', async (envFrom, message) => {
    await expect(of({ envFrom: [envFrom] })).rejects.toThrow(message);
  });

  test.each<[string, EnvVar[], string | undefined]>([
    [
      'before it',
      [
        { name: 'A', value: '1' },
        { name: 'X', value: 'a=$(A)' },
      ],
      'a=1',
    ],
    [
      'after it',
      [
        { name: 'X', value: 'a=$(A)' },
        { name: 'A', value: '1' },
      ],
      'a=$(A)',
    ],
    [
      'itself, from envFrom',
      [
        { name: 'KEY', value: '<$(KEY)>' },
        { name: 'X', value: '$(KEY)' },
      ],
      '<from cm>',
    ],
    ['a service', [{ name: 'X', value: '$(DB_SERVICE_HOST):5432' }], '10.1.1.1:5432'],
    [
      'a service that a variable hides',
      [
        { name: 'DB_SERVICE_HOST', value: 'me' },
        { name: 'X', value: '$(DB_SERVICE_HOST)' },
      ],
      'me',
    ],
    ['an escaped reference', [{ name: 'X', value: '$$(KEY)' }], '$(KEY)'],
    [
      'a value from elsewhere, which isn’t expanded',
      [from('X', { secretKeyRef: { name: 's', key: 'ref' } })],
      '$(KEY)',
    ],
    [
      'one that an optional source left out',
      [from('A', { secretKeyRef: { name: 'no', key: 'k', optional: true } }), { name: 'X', value: '$(A)' }],
      '$(A)',
    ],
  ])('a literal refers to %s', async (_, env, value) => {
    objects.secrets.set('ns/s', { ref: '$(KEY)' });
    expect((await of({ envFrom: [{ configMapRef: { name: 'cm' } }], env }))['X']).toBe(value);
  });

  test('services come last, where nobody has the name', async () => {
    const all = await environment(
      {
        name: 'c',
        env: [
          { name: 'KEY_SERVICE', value: 'mine' },
          { name: 'A', value: '' },
        ],
      },
      sources,
    );
    expect([...all]).toEqual([
      ['KEY_SERVICE', 'mine'],
      ['A', ''],
      ['DB_SERVICE_HOST', '10.1.1.1'],
    ]);
  });
});
