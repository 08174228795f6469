import { beforeEach, describe, expect, test } from 'vitest';
import type { Referenced } from '#lib/kube/referenced.ts';
import type { AgentPod, Secret } from '#lib/kube/types.ts';
import { type Logger, silentLogger } from '#lib/logger.ts';
import type { NodeCredentials } from './node-credentials.ts';
import { ObjectPullSecrets } from './object-pull-secrets.ts';
import { PodCredentials } from './pod-credentials.ts';

let secrets: Record<string, Referenced<Secret>>;
let said: string[];
let pulls: ObjectPullSecrets;

const login = { username: 'me', password: 'CANARY' };
const present = (type: string, key: string, text: string): Referenced<Secret> => ({
  state: 'present',
  object: { metadata: { uid: 'uid-1' }, type, data: { [key]: Buffer.from(text).toString('base64') } },
});

beforeEach(() => {
  secrets = {};
  said = [];
  const log: Logger = {
    ...silentLogger,
    warn: (fields, message) => void said.push(JSON.stringify(fields) + message),
  };
  const secret = (namespace: string, name: string): Referenced<Secret> =>
    secrets[`${namespace}/${name}`] ?? { state: 'absent' };
  pulls = new ObjectPullSecrets({ secret }, log);
});

describe('pull secrets of the API', () => {
  test.each([
    ['kubernetes.io/dockerconfigjson', '.dockerconfigjson', { auths: { 'r.example.com': login } }],
    ['kubernetes.io/dockercfg', '.dockercfg', { 'r.example.com': login }],
  ])('%s', async (type, key, config) => {
    secrets['ns/s'] = present(type, key, JSON.stringify(config));
    const found = await pulls.find('ns', 's');
    expect(found?.source).toEqual({ uid: 'uid-1', namespace: 'ns', name: 's' });
    expect(found?.logins.get('r.example.com')).toMatchObject(login);
  });

  test('a Secret of another type has no logins', async () => {
    secrets['ns/s'] = present('Opaque', '.dockerconfigjson', JSON.stringify({ auths: { r: login } }));
    expect((await pulls.find('ns', 's'))?.logins.size).toBe(0);
    expect(said).toEqual([]);
  });

  test('what can’t be read is missing, said once, and not quoted', async () => {
    secrets['ns/s'] = present('kubernetes.io/dockerconfigjson', '.dockerconfigjson', '{"auths": CANARY');
    expect(await pulls.find('ns', 's')).toBeUndefined();
    expect(await pulls.find('ns', 's')).toBeUndefined();
    expect(await pulls.find('ns', 'none')).toBeUndefined();
    expect(said).toHaveLength(1);
    expect(said.join()).not.toContain('CANARY');
  });

  test('static pods go by their files, others by Secrets', async () => {
    const credentials = new PodCredentials({
      secrets: { find: () => Promise.resolve(undefined) },
      node: { lookup: () => Promise.resolve([]) } as unknown as NodeCredentials,
      ofApi: pulls,
    });
    secrets['ns/s'] = present(
      'kubernetes.io/dockerconfigjson',
      '.dockerconfigjson',
      JSON.stringify({ auths: { 'r.example.com': login } }),
    );
    const podOf = (source: string): AgentPod => ({
      metadata: {
        name: 'p',
        namespace: 'ns',
        uid: 'u',
        annotations: { 'kubernetes.io/config.source': source },
      },
      spec: { containers: [], imagePullSecrets: [{ name: 's' }] },
    });
    const ofApi = await credentials.lookup(podOf('api'), 'r.example.com/image');
    expect(ofApi.candidates.map((each) => each.authConfig())).toEqual([login]);
    expect(await credentials.lookup(podOf('file'), 'r.example.com/image')).toEqual({
      candidates: [],
      missing: ['s'],
    });
  });
});
