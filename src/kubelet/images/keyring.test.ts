import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RegistryLogin } from './credential.ts';
import { Keyring } from './keyring.ts';
import { isDefaultRegistry, registryKey, registryMatches } from './registry-pattern.ts';

const login = (username: string, more: Partial<RegistryLogin> = {}): RegistryLogin => ({
  username,
  password: 'pw',
  email: '',
  identityToken: '',
  registryToken: '',
  ...more,
});

function keyring(...registries: string[]): Keyring {
  const ring = new Keyring();
  ring.add(new Map(registries.map((registry) => [registry, login(registry)])), undefined);
  return ring;
}

const users = (ring: Keyring, repository: string) =>
  ring.lookup(repository).map((credential) => credential.authConfig().username);

describe('registryMatches', () => {
  test.each([
    // Star in a label, and only there.
    ['*.docker.io', 'blah.docker.io', true],
    ['*.docker.io', 'docker.io', false],
    ['*.docker.io', 'not.right.io', false],
    ['*.docker.io', 'a.b.docker.io', false],
    ['docker.*', 'docker.io', true],
    ['prefix.*.io', 'prefix.kubernetes.io', true],
    ['*-good.kubernetes.io', 'prefix-good.kubernetes.io', true],
    ['kube*.io', 'kube.io', true],
    ['*.*.kubernetes.io', 'a.b.kubernetes.io', true],
    ['*', 'localhost', true],
    ['*', 'a.b', false],
    // Ports are equal or it isn't the registry.
    ['reg.io:443', 'reg.io:443/a', true],
    ['reg.io:443', 'reg.io/a', false],
    ['reg.io', 'reg.io:443/a', false],
    ['*.reg.io:5000', 'x.reg.io:5000/a', true],
    ['[::1]:5000', '[::1]:5000/a', true],
    ['[::1]:5000', '[::2]:5000/a', false],
    // Paths by prefix, whole components or not.
    ['reg.io/a', 'reg.io/a/b', true],
    ['reg.io/a', 'reg.io/ab', true],
    ['reg.io/a/b', 'reg.io/a', false],
    ['reg.io/*', 'reg.io/a', false],
    ['Reg.io', 'reg.io', false],
  ])('%s for %s: %s', (key, repository, expected) => {
    expect(registryMatches(key, repository)).toBe(expected);
  });

  test('a star stands for any label', () => {
    const label = fc.stringMatching(/^[a-z0-9]{1,10}$/);
    fc.assert(
      fc.property(label, label, label, (a, b, c) => {
        expect(registryMatches(`*.${b}.io`, `${a}.${b}.io/x`)).toBe(true);
        expect(registryMatches(`${a}*${c}.io`, `${a}${b}${c}.io/x`)).toBe(true);
        expect(registryMatches(`${a}*.io`, `${c}.io/x`)).toBe(c.startsWith(a));
      }),
    );
  });

  test('many stars cost no exponential time', () => {
    const began = performance.now();
    expect(registryMatches(`${'a*'.repeat(60)}b.io`, `${'a'.repeat(200)}.io`)).toBe(false);
    expect(performance.now() - began).toBeLessThan(500);
  });
});

test.each([
  ['reg.io', 'reg.io'],
  ['https://reg.io', 'reg.io'],
  ['http://reg.io:5000/', 'reg.io:5000'],
  ['https://index.docker.io/v1/', 'index.docker.io'],
  ['https://quay.io/v2/team', 'quay.io/team'],
  ['reg.io/v1', 'reg.io/v1'],
  ['https://user:pw@reg.io/a?b=c', 'reg.io/a'],
  ['reg io', undefined],
  ['reg.io:abc', undefined],
  ['re[g].io', undefined],
  ['reg.io/%zz', undefined],
])('registryKey(%s)', (registry, key) => {
  expect(registryKey(registry)).toBe(key);
});

test.each([
  ['docker.io/library/nginx', true],
  ['index.docker.io/nginx', true],
  ['nginx', true],
  ['team/nginx', true],
  ['reg.io/nginx', false],
  ['localhost:5000/nginx', false],
  ['/nginx', false],
])('isDefaultRegistry(%s)', (repository, expected) => {
  expect(isDefaultRegistry(repository)).toBe(expected);
});

describe('Keyring', () => {
  test.each([
    ['bar.example.com', ['bar.example.com']],
    ['bar.example.com/pong', ['bar.example.com/pong', 'bar.example.com']],
    ['bar.example.com/pongz', ['bar.example.com/pong', 'bar.example.com']],
    ['bar.example.com/ping', ['bar.example.com']],
    ['foo.example.com', []],
  ])('the most specific login for %s comes first', (repository, expected) => {
    expect(users(keyring('bar.example.com', 'bar.example.com/pong'), repository)).toEqual(expected);
  });

  test.each(['https://index.docker.io/v1/', 'index.docker.io', 'https://docker.io'])(
    '%s is for Docker Hub',
    (registry) => {
      expect(users(keyring(registry), 'docker.io/library/nginx')).toEqual([registry]);
      expect(users(keyring(registry), 'reg.io/library/nginx')).toEqual([]);
    },
  );

  test('several logins for one address keep the order in which they were added', () => {
    const ring = new Keyring();
    ring.add(new Map([['reg.io', login('new')]]), { uid: '1', namespace: 'n', name: 'new' });
    ring.add(new Map([['https://reg.io/v2/', login('old')]]), { uid: '2', namespace: 'n', name: 'old' });
    expect(users(ring, 'reg.io/a')).toEqual(['new', 'old']);
    expect(ring.lookup('reg.io/a').map((each) => each.source?.name)).toEqual(['new', 'old']);
  });

  test('counts what is no address', () => {
    expect(new Keyring().add(new Map([['a b', login('x')]]), undefined)).toBe(1);
  });

  // Values that kubelet's own code gives for these logins: a node may be handed from one agent to the other.
  test.each([
    [
      { username: 'ada', password: 'smash', email: 'ada@example.com' },
      '353258b53f5e9a57b059eab3f05312fc35bbeb874f08ce101e7bf0bf46977423',
    ],
    [
      { username: 'rex', password: 'tiny arms', email: 'rex@example.com' },
      '899748fec74c8dd761845fca727f4249b05be275ff24026676fcd4351f656363',
    ],
  ])("hashes a login as kubelet's records do", (fields, hash) => {
    const ring = new Keyring();
    ring.add(new Map([['reg.io', login('', fields)]]), undefined);
    expect(ring.lookup('reg.io')[0]?.hash).toBe(hash);
  });
});
