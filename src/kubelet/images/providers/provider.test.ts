import { beforeEach, describe, expect, test } from 'vitest';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { makePod } from '../../pod/testing/pod-bed.ts';
import type { ProviderConfig, TokenAttributes } from './config.ts';
import { CredentialProvider } from './provider.ts';
import type { ServiceAccounts } from './provider.ts';
import type { ProviderAnswer, ProviderRequest } from './response.ts';
import { decodeAnswer, encodeRequest } from './response.ts';

const V1 = 'credentialprovider.kubelet.k8s.io/v1';

const plain: ProviderConfig = {
  name: 'acme',
  apiVersion: V1,
  matchImages: ['*.acme.example'],
  defaultCacheMs: 0,
  args: [],
  env: {},
  token: undefined,
};

const token: TokenAttributes = {
  audience: 'registry',
  requireServiceAccount: true,
  cacheType: 'ServiceAccount',
  requiredAnnotations: ['acme.example/id'],
  optionalAnnotations: ['acme.example/more'],
};

const login = (password: string) => ({
  username: 'u',
  password,
  email: '',
  identityToken: '',
  registryToken: '',
});

const answer = (more: Partial<ProviderAnswer> = {}): ProviderAnswer => ({
  cacheKeyType: 'Image',
  cacheMs: 60_000,
  logins: new Map([['*.acme.example', login('secret')]]),
  ...more,
});

let clock: FakeClock;
let asked: ProviderRequest[];

beforeEach(() => {
  clock = new FakeClock();
  asked = [];
});

function provider(
  config: ProviderConfig,
  reply: () => ProviderAnswer = answer,
  accounts?: ServiceAccounts,
): CredentialProvider {
  const ask = async (request: ProviderRequest): Promise<ProviderAnswer> => {
    asked.push(request);
    await Promise.resolve();
    return reply();
  };
  return new CredentialProvider({ config, accounts, clock, ask });
}

const pod = (name: string, serviceAccountName?: string) =>
  makePod(name, { containers: [{}], ...(serviceAccountName === undefined ? {} : { serviceAccountName }) });

const accountsOf = (annotations: Record<string, string>): ServiceAccounts => ({
  find: async (_, name) => Promise.resolve(name === 'gone' ? undefined : { uid: 'uid-1', annotations }),
  token: async (of) => Promise.resolve(`token-of-${of.metadata.uid}`),
});

describe('for the node', () => {
  test('is asked for the images that it is for, and for no other', async () => {
    const acme = provider(plain);
    expect((await acme.lookup(pod('a'), 'x.acme.example/app')).logins.size).toBe(1);
    expect((await acme.lookup(pod('a'), 'docker.io/library/app')).logins.size).toBe(0);
    expect(asked.map(({ image }) => image)).toEqual(['x.acme.example/app']);
  });

  test.each([
    ['Image', 3],
    ['Registry', 2],
    ['Global', 1],
  ] as const)('keeps an answer by %s: %i questions', async (cacheKeyType, questions) => {
    const acme = provider(plain, () => answer({ cacheKeyType }));
    for (const image of ['x.acme.example/a', 'x.acme.example/b', 'y.acme.example/a', 'x.acme.example/a']) {
      await acme.lookup(pod('a'), image);
    }
    expect(asked).toHaveLength(questions);
  });

  test.each([
    ['as long as the answer says', { cacheMs: 60_000 }, 0, 60_000],
    ['else as long as the configuration says', { cacheMs: undefined }, 30_000, 30_000],
    ['not at all where the answer says 0', { cacheMs: 0 }, 30_000, 0],
  ])('keeps an answer %s', async (_, more, defaultCacheMs, kept) => {
    const acme = provider({ ...plain, defaultCacheMs }, () => answer(more));
    const look = async (): Promise<number> => {
      await acme.lookup(pod('a'), 'x.acme.example/a');
      return asked.length;
    };
    await look();
    await clock.advance(Math.max(0, kept - 1));
    expect(await look()).toBe(kept === 0 ? 2 : 1);
    await clock.advance(2);
    expect(await look()).toBe(kept === 0 ? 3 : 2);
  });

  test('one question for many who want the same at once; after a failure it is asked again', async () => {
    let fail = true;
    const acme = provider(plain, () => {
      if (fail) throw new Error('no');
      return answer();
    });
    const both = await Promise.allSettled([1, 2].map(() => acme.lookup(pod('a'), 'x.acme.example/a')));
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(asked).toHaveLength(1);
    fail = false;
    expect((await acme.lookup(pod('a'), 'x.acme.example/a')).logins.size).toBe(1);
  });
});

describe('for service accounts', () => {
  const withToken = (more: Partial<TokenAttributes> = {}): ProviderConfig => ({
    ...plain,
    token: { ...token, ...more },
  });

  test('is asked with a token and the named annotations, and says whose the login is', async () => {
    const accounts = accountsOf({ 'acme.example/id': '7', 'other/key': 'private' });
    const found = await provider(withToken(), answer, accounts).lookup(pod('a', 'sa'), 'x.acme.example/a');
    expect(found.account).toEqual({ uid: 'uid-1', namespace: 'default', name: 'sa' });
    expect(asked).toEqual([
      { image: 'x.acme.example/a', token: 'token-of-uid-a', annotations: { 'acme.example/id': '7' } },
    ]);
  });

  test.each([
    ['ServiceAccount', 1],
    ['Token', 2],
  ] as const)('cacheType %s: two pods of one account ask %i times', async (cacheType, times) => {
    const acme = provider(withToken({ cacheType }), answer, accountsOf({ 'acme.example/id': '7' }));
    await acme.lookup(pod('a', 'sa'), 'x.acme.example/a');
    await acme.lookup(pod('b', 'sa'), 'x.acme.example/a');
    expect(asked).toHaveLength(times);
  });

  test('two accounts never share a login', async () => {
    const acme = provider(
      withToken(),
      () => answer({ cacheKeyType: 'Global' }),
      accountsOf({ 'acme.example/id': '7' }),
    );
    await acme.lookup(pod('a', 'one'), 'x.acme.example/a');
    await acme.lookup(pod('a', 'two'), 'x.acme.example/a');
    expect(asked).toHaveLength(2);
  });

  test('a pod without account, or whose account lacks the annotation, is left out', async () => {
    const acme = provider(withToken(), answer, accountsOf({}));
    expect((await acme.lookup(pod('a'), 'x.acme.example/a')).logins.size).toBe(0);
    expect((await acme.lookup(pod('a', 'sa'), 'x.acme.example/a')).logins.size).toBe(0);
    expect(asked).toEqual([]);
    const lenient = provider(withToken({ requireServiceAccount: false, requiredAnnotations: [] }));
    expect((await lenient.lookup(pod('static'), 'x.acme.example/a')).logins.size).toBe(1);
  });

  test('a missing account is an error that names it', async () => {
    const acme = provider(withToken(), answer, accountsOf({}));
    await expect(acme.lookup(pod('a', 'gone'), 'x.acme.example/a')).rejects.toThrow('default/gone');
  });

  test('the token itself as password is refused, but for cacheType Token', async () => {
    const echo = (): ProviderAnswer => answer({ logins: new Map([['x', login('token-of-uid-a')]]) });
    const accounts = accountsOf({ 'acme.example/id': '7' });
    const refused = provider(withToken(), echo, accounts).lookup(pod('a', 'sa'), 'x.acme.example/a');
    await expect(refused).rejects.toThrow('cacheType Token');
    const fine = provider(withToken({ cacheType: 'Token' }), echo, accounts);
    expect((await fine.lookup(pod('a', 'sa'), 'x.acme.example/a')).logins.size).toBe(1);
  });
});

describe('the messages', () => {
  test('a request without token says nothing of accounts', () => {
    expect(JSON.parse(encodeRequest(V1, { image: 'i', token: '', annotations: {} }))).toEqual({
      kind: 'CredentialProviderRequest',
      apiVersion: V1,
      image: 'i',
    });
  });

  test.each([
    ['not JSON: hunter2', 'not JSON'],
    ['{"kind":"Other"}', 'not a CredentialProviderResponse'],
    [`{"kind":"CredentialProviderResponse","apiVersion":"${V1}alpha1"}`, 'apiVersion'],
    [`{"kind":"CredentialProviderResponse","apiVersion":"${V1}","cacheKeyType":"Pod"}`, 'cacheKeyType'],
    [
      `{"kind":"CredentialProviderResponse","apiVersion":"${V1}","cacheKeyType":"Image","auth":{"x":{"password":5}}}`,
      'auth',
    ],
    [
      `{"kind":"CredentialProviderResponse","apiVersion":"${V1}","cacheKeyType":"Image","cacheDuration":"soon"}`,
      'cacheDuration',
    ],
  ])('a bad answer is refused without repeating it: %#', (text, why) => {
    expect(() => decodeAnswer(text, V1)).toThrow(why);
    expect(() => decodeAnswer(text, V1)).toThrow(/^((?!hunter2).)*$/);
  });
});
