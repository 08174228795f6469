import { describe, expect, it } from 'vitest';
import { readManifest } from './manifest-pods.ts';

const read = (...objects: object[]): ReturnType<typeof readManifest> =>
  readManifest(objects.map((each) => JSON.stringify(each)).join('\n---\n'), {
    nameSuffix: '-node',
    servesObjects: true,
  });
const configMap = (more: object): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'x' },
  ...more,
});
const secret = (more: object): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'x' },
  ...more,
});
const encode = (text: string): string => Buffer.from(text).toString('base64');

describe('good objects', () => {
  it('a ConfigMap keeps text and bytes', () => {
    const { objects, findings } = read(
      configMap({ data: { a: '1', '.b-c_D': '' }, binaryData: { bin: 'AAE=' } }),
    );
    expect(findings).toEqual([]);
    expect(objects.get('ConfigMap default/x')?.object).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'x', namespace: 'default' },
      data: { a: '1', '.b-c_D': '' },
      binaryData: { bin: 'AAE=' },
    });
  });

  it('a Secret’s stringData goes into data and wins; its type is Opaque unless given', () => {
    const { objects, findings } = read(
      secret({ data: { a: encode('old'), b: encode('b'), c: null }, stringData: { a: 'new' } }),
    );
    expect(findings).toEqual([]);
    expect(objects.get('Secret default/x')?.object).toMatchObject({
      type: 'Opaque',
      data: { a: encode('new'), b: encode('b'), c: '' },
    });
    expect(objects.get('Secret default/x')?.object).not.toHaveProperty('stringData');
  });

  it('what a server or kubectl wrote into an exported object is left out', () => {
    const annotations = { keep: 'me', 'kubectl.kubernetes.io/last-applied-configuration': 'CANARY' };
    const metadata = { name: 'x', namespace: 'ns', uid: 'u', resourceVersion: '7', annotations };
    const { objects, findings } = read(secret({ metadata }));
    expect(findings).toEqual([]);
    expect(objects.get('Secret ns/x')?.object.metadata).toEqual({
      name: 'x',
      namespace: 'ns',
      annotations: { keep: 'me' },
    });
  });

  it('a pod may name them here', () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p' },
      spec: {
        containers: [
          {
            name: 'c',
            image: 'i',
            envFrom: [{ configMapRef: { name: 'x' } }, { secretRef: { name: 'x' } }],
            env: [
              { name: 'A', valueFrom: { secretKeyRef: { name: 'x', key: 'a' } } },
              { name: 'B', valueFrom: { configMapKeyRef: { name: 'x', key: 'a' } } },
            ],
          },
        ],
        volumes: [
          { name: 'a', configMap: { name: 'x' } },
          { name: 'b', secret: { secretName: 'x' } },
          { name: 'c', projected: { sources: [{ secret: { name: 'x' } }, { configMap: { name: 'x' } }] } },
        ],
      },
    };
    expect(read(pod).findings).toEqual([]);
    const { findings } = readManifest(JSON.stringify(pod), { nameSuffix: '-node' });
    expect(findings).toHaveLength(8);
    const token = { name: 'd', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } };
    const claim = { name: 'e', persistentVolumeClaim: { claimName: 'x' } };
    const refused = read({ ...pod, spec: { ...pod.spec, serviceAccountName: 's', volumes: [token, claim] } });
    expect(refused.findings.map(({ message }) => message)).toEqual([
      'static pods may not reference serviceaccounts',
      'static pods may not reference serviceaccounts (via projected volumes)',
      'static pods may not reference persistentvolumeclaims',
    ]);
  });
});

describe('what is wrong is told by field and value, of a Secret never with its value', () => {
  const tooMuch = 'x'.repeat(600_000);
  it.each<[string, object, string, string | undefined, string]>([
    ['no name', configMap({ metadata: {} }), 'metadata.name', undefined, 'must be set'],
    ['a name', configMap({ metadata: { name: 'A' } }), 'metadata.name', '"A"', 'must be lower case'],
    ['a key', configMap({ data: { 'a/b': '1' } }), 'data["a/b"]', '"a/b"', 'must be at most 253 letters'],
    ['..', configMap({ data: { '..x': '1' } }), 'data["..x"]', '"..x"', "must not be '.'"],
    ['a number', configMap({ data: { a: 1 } }), 'data.a', '1', 'numbers need quotes here, as in "1"'],
    ['no base64', configMap({ binaryData: { a: '%' } }), 'binaryData.a', '"%"', 'must be text in base64'],
    [
      'half base64',
      configMap({ binaryData: { a: 'AAA' } }),
      'binaryData.a',
      undefined,
      'must be text in base64',
    ],
    [
      'a key twice',
      configMap({ data: { a: '1' }, binaryData: { a: 'AAE=' } }),
      'data.a',
      '"a"',
      'is in binaryData, too',
    ],
    [
      'too much',
      configMap({ data: { a: tooMuch, b: tooMuch } }),
      'data',
      undefined,
      'must have at most 1048576',
    ],
    [
      'a Secret’s key',
      secret({ stringData: { 'a/b': 'CANARY' } }),
      'data["a/b"]',
      '"a/b"',
      'must be at most',
    ],
    [
      'a Secret’s number',
      secret({ stringData: { a: 424242 } }),
      'stringData.a',
      undefined,
      'must be text: numbers',
    ],
    ['a Secret’s base64', secret({ data: { a: 'CANARY!' } }), 'data.a', undefined, 'must be text in base64'],
    ['half of it', secret({ data: { a: 'CANAR' } }), 'data.a', undefined, 'must be text in base64'],
    ['a Secret that is text', secret({ data: 'CANARY' }), 'data', undefined, 'must be a map'],
    [
      'an annotation',
      secret({ metadata: { name: 'x', annotations: { a: ['CANARY'] } } }),
      'metadata.annotations.a',
      undefined,
      'must be text',
    ],
    [
      'a Secret too large',
      secret({ stringData: { a: tooMuch, b: tooMuch } }),
      'data',
      undefined,
      'must have at most',
    ],
    [
      'tls',
      secret({ type: 'kubernetes.io/tls', stringData: { 'tls.crt': 'x' } }),
      'data["tls.key"]',
      undefined,
      'must be set in a Secret of type kubernetes.io/tls',
    ],
    [
      'docker',
      secret({ type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': 'CANARY' } }),
      'data[".dockerconfigjson"]',
      undefined,
      'must be JSON',
    ],
    [
      'basic',
      secret({ type: 'kubernetes.io/basic-auth' }),
      'data',
      undefined,
      'must have username or password',
    ],
    ['version', { ...secret({}), apiVersion: 'v2' }, 'apiVersion', '"v2"', 'must be v1 for a Secret'],
  ])('%s', (_what, object, field, value, message) => {
    const { objects, findings } = read(object);
    expect(objects.size).toBe(0);
    expect(findings).toHaveLength(1);
    expect(findings[0]?.field).toBe(field);
    expect(findings[0]?.value).toBe(value);
    expect(findings[0]?.message).toContain(message);
    expect(JSON.stringify(findings)).not.toMatch(/CANAR|424242/);
  });

  it('an unknown field is a warning', () => {
    const { objects, findings } = read(secret({ stringdata: { a: 'CANARY' } }));
    expect(objects.size).toBe(1);
    expect(findings).toMatchObject([
      {
        field: 'stringdata',
        severity: 'warning',
        message: 'there is no such field, so it does nothing (did you mean stringData?)',
      },
    ]);
    expect(findings[0]?.value).toBeUndefined();
  });

  it('the same object twice in a file: the first counts', () => {
    const { objects, findings } = read(secret({ stringData: { a: '1' } }), secret({}), configMap({}));
    expect([...objects.keys()]).toEqual(['Secret default/x', 'ConfigMap default/x']);
    expect(objects.get('Secret default/x')?.object.data).toEqual({ a: encode('1') });
    expect(findings).toMatchObject([
      { document: 2, message: 'an earlier document of the file is a Secret default/x, too' },
    ]);
  });

  it('a mistake of YAML doesn’t quote what it stumbled over', () => {
    const text = 'apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData:\n  a: "b" "CANARY"\n';
    const { findings } = readManifest(text, { nameSuffix: '-node', servesObjects: true });
    expect(findings).toMatchObject([{ line: 5, blocksUnknown: true }]);
    expect(JSON.stringify(findings)).not.toContain('CANARY');
  });
});
