import { ApiError } from '#lib/kube/api-error.ts';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { parsePair } from './key-pair.ts';
import { Harness, HOUR, YEAR } from './testing/harness.ts';

const unauthorized = new ApiError({ status: 401, reason: 'Unauthorized', message: 'Unauthorized' });
const PEM = 'pki/kubelet-client-current.pem';
const KEY = 'pki/kubelet-client.key.tmp';

/** A node that has only bootstrap credentials. */
async function newNode(): Promise<Harness> {
  const at = await Harness.make();
  await at.writeKubeconfig('bootstrap.conf', { token: 'good' });
  return at;
}

/** A node that a kubelet has bootstrapped. */
async function oldNode(notBefore: number, notAfter: number): Promise<Harness> {
  const at = await newNode();
  const pair = await at.issue(notBefore, notAfter);
  await mkdir(at.path('pki'));
  await writeFile(at.path('pki/kubelet-client-2025-01-01-00-00-00.pem'), pair.cert + pair.key, {
    mode: 0o600,
  });
  await symlink(at.path('pki/kubelet-client-2025-01-01-00-00-00.pem'), at.path(PEM));
  await at.writeKubeconfig('kubelet.conf', {
    'client-certificate': at.path(PEM),
    'client-key': at.path(PEM),
  });
  return at;
}

test('first bootstrap: certificate and kubeconfig in upstream’s form', async () => {
  await using at = await newNode();
  const manager = at.manager();
  const access = await at.during(manager.establish(at.process().signal));
  expect(access).toEqual({ kubeconfigPath: at.path('kubelet.conf'), clientCertificatePath: undefined });
  const target = await readlink(at.path(PEM));
  expect(target).toMatch(/\/pki\/kubelet-client-2026-01-01-00-00-\d\d\.pem$/);
  expect((await stat(target)).mode & 0o777).toBe(0o600);
  const text = await readFile(target, 'utf8');
  expect(parsePair(text, text, 'x').leaf).toMatchObject({
    commonName: 'system:node:n1',
    organizations: ['system:nodes'],
  });
  expect(text).toContain('-----BEGIN EC PRIVATE KEY-----');
  const config: unknown = parse(await readFile(at.path('kubelet.conf'), 'utf8'));
  expect(config).toMatchObject({
    'current-context': 'default-context',
    clusters: [
      {
        name: 'default-cluster',
        cluster: { server: 'https://10.0.0.1:6443', 'certificate-authority': at.path('ca.crt') },
      },
    ],
    users: [{ user: { 'client-certificate': at.path(PEM), 'client-key': at.path(PEM) } }],
  });
  expect((await stat(at.path('kubelet.conf'))).mode & 0o777).toBe(0o600);
  expect(existsSync(at.path(KEY))).toBe(false);
  const [request] = at.api.requests.values();
  expect(request?.metadata.name).toMatch(/^node-csr-[\w-]{43}$/);
  expect(request?.spec).toMatchObject({
    signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
    usages: ['digital signature', 'client auth'],
  });
  expect(manager.state).toMatchObject({ subject: 'system:node:n1', trouble: undefined });
  expect(at.open).toBe(0);
});

test('a start with valid credentials asks the server nothing', async () => {
  await using at = await oldNode(Date.parse('2025-12-01'), Date.parse('2026-12-01'));
  const access = await at.manager().establish(at.process().signal);
  expect(access.clientCertificatePath).toBe(undefined);
  expect(at.connected).toEqual([]);
});

test('killed while the request waits: the next process goes on with key and request', async () => {
  await using at = await newNode();
  at.api.approves = false;
  const first = at.process();
  const manager = at.manager();
  const dying = manager.establish(first.signal);
  await at.until(() => manager.state.trouble?.includes('kubectl certificate approve') === true);
  first.abort(new Error('killed'));
  await expect(dying).rejects.toThrow('killed');
  const key = await readFile(at.path(KEY), 'utf8');
  const [name] = at.api.requests.keys();
  expect(existsSync(at.path('kubelet.conf'))).toBe(false);
  await at.api.approve(name!);
  await at.during(at.manager().establish(at.process().signal));
  expect(at.api.created).toEqual([name, name]);
  expect(await readFile(at.path(PEM), 'utf8')).toContain(key);
});

test.each([
  ['before the request', 'create'],
  ['after the request', 'get'],
])('killed %s: one request in the end', async (_when, verb) => {
  await using at = await newNode();
  const first = at.process();
  at.api.fault = (called) => {
    if (called !== verb) return undefined;
    first.abort(new Error('killed'));
    return new ApiError({ status: 0, reason: '', message: 'cut off' });
  };
  await expect(at.during(at.manager().establish(first.signal))).rejects.toThrow('killed');
  at.api.fault = () => undefined;
  const key = await readFile(at.path(KEY), 'utf8');
  await at.during(at.manager().establish(at.process().signal));
  expect(at.api.requests.size).toBe(1);
  expect(await readFile(at.path(PEM), 'utf8')).toContain(key);
});

test('killed after the certificate was kept, before the kubeconfig: no other request', async () => {
  await using at = await newNode();
  await at.during(at.manager().establish(at.process().signal));
  const before = await at.current();
  await rm(at.path('kubelet.conf'));
  // The draft was not removed either.
  const text = await readFile(at.path(PEM), 'utf8');
  await writeFile(at.path(KEY), parsePair(text, text, 'x').key);
  await at.during(at.manager().establish(at.process().signal));
  expect(at.api.created).toHaveLength(1);
  expect(existsSync(at.path('kubelet.conf'))).toBe(true);
  // The next renewal doesn't ask with the key that has its certificate.
  at.api.lifetimeMs = HOUR;
  const manager = at.manager();
  await manager.establish(at.process().signal);
  manager.run(at.process().signal).catch(() => undefined);
  at.clock.jump(300 * 24 * HOUR);
  await at.until(() => at.api.created.length === 2, 10_000);
  expect(new Set(at.api.created).size).toBe(2);
  await at.until(() => !existsSync(at.path(KEY)));
  expect((await at.current()).fingerprint).not.toBe(before.fingerprint);
});

test('a pair left over from another cluster is not taken', async () => {
  await using at = await newNode();
  const pair = await at.issue(at.clock.now() - HOUR, at.clock.now() + YEAR);
  await mkdir(at.path('pki'));
  await writeFile(at.path(PEM), pair.cert + pair.key);
  at.revoked.add((await at.current()).fingerprint);
  const manager = at.manager();
  await at.during(manager.establish(at.process().signal));
  expect(at.api.created).toHaveLength(1);
  expect((await stat(at.path(PEM))).isFile()).toBe(true);
  expect(await readlink(at.path(PEM))).toContain('kubelet-client-2026');
});

test.each([
  ['Denied', 'was denied (Policy: not this node)'],
  ['Failed', 'could not be signed (Policy: not this node)'],
])('%s: says why, and asks again with another key', async (type, words) => {
  await using at = await newNode();
  at.api.approves = false;
  const manager = at.manager();
  const established = manager.establish(at.process().signal);
  await at.until(() => at.api.requests.size === 1);
  const [name] = at.api.requests.keys();
  at.api.decide(name!, type, 'Policy', 'not this node');
  await at.until(() => manager.state.trouble?.includes(words) === true);
  at.api.approves = true;
  await at.during(established);
  expect(at.api.requests.size).toBe(2);
  expect(manager.state.trouble).toBe(undefined);
});

test('a certificate for somebody else is not taken: another key, another request', async () => {
  await using at = await newNode();
  at.api.approves = false;
  const manager = at.manager();
  const established = manager.establish(at.process().signal);
  await at.until(() => at.api.requests.size === 1);
  const [name, request] = [...at.api.requests][0]!;
  const other = await at.issue(at.clock.now(), at.clock.now() + YEAR);
  at.api.decide(name, 'Approved', '', '');
  request.status = { ...request.status, certificate: Buffer.from(other.cert).toString('base64') };
  await at.until(() => manager.state.trouble?.includes('something else than was asked for') === true);
  at.api.approves = true;
  await at.during(established);
  expect(at.api.requests.size).toBe(2);
});

test('an earlier request whose certificate has ended is not taken up', async () => {
  await using at = await newNode();
  at.api.approves = false;
  const first = at.process();
  at.manager()
    .establish(first.signal)
    .catch(() => undefined);
  await at.until(() => at.api.requests.size === 1);
  first.abort(new Error('killed'));
  await at.api.approve([...at.api.requests.keys()][0]!, {
    notBefore: at.clock.now() - 2 * HOUR,
    notAfter: at.clock.now() - HOUR,
  });
  at.api.approves = true;
  await at.during(at.manager().establish(at.process().signal));
  expect(at.api.requests.size).toBe(2);
  expect((await at.current()).notAfter).toBeGreaterThan(at.clock.now());
});

test('a kubeconfig without certificate gives way to a bootstrap, and serves where that fails', async () => {
  await using at = await newNode();
  await at.writeKubeconfig('kubelet.conf', { token: 'good' });
  await at.writeKubeconfig('bootstrap.conf', { token: 'old' });
  const manager = at.manager({ rotateCertificates: false });
  const access = await at.during(manager.establish(at.process().signal));
  expect(access.clientCertificatePath).toBe(undefined);
  expect(manager.state).toMatchObject({ subject: undefined });
  expect(manager.state.trouble).toContain('kubeadm token create');
  await at.writeKubeconfig('bootstrap.conf', { token: 'good' });
  manager.run(at.process().signal).catch(() => undefined);
  await at.until(() => manager.state.trouble === undefined, 5000);
});

test('a request that is deleted is made again', async () => {
  await using at = await newNode();
  at.api.approves = false;
  const established = at.manager().establish(at.process().signal);
  await at.until(() => at.api.requests.size === 1);
  const [name] = at.api.requests.keys();
  at.api.requests.clear();
  await at.until(() => at.api.requests.size === 1);
  await at.api.approve(name!);
  await at.during(established);
  expect(at.api.created).toEqual([name, name]);
});

test('without any kubeconfig it waits for one, and says so', async () => {
  await using at = await Harness.make();
  const manager = at.manager({ bootstrapKubeconfigPath: undefined });
  const established = manager.establish(at.process().signal);
  await at.until(() => manager.state.trouble !== undefined);
  expect(manager.state.trouble).toContain(
    `kubeconfig ${at.path('kubelet.conf')} does not exist: join the node`,
  );
  const pair = await at.issue(at.clock.now(), at.clock.now() + YEAR);
  await at.writeKubeconfig('kubelet.conf', at.embedded(pair));
  await at.during(established);
});

test('an expired bootstrap token has a reason with its mend; a new one is taken up', async () => {
  await using at = await newNode();
  await at.writeKubeconfig('bootstrap.conf', { token: 'old' });
  const manager = at.manager();
  const established = manager.establish(at.process().signal);
  await at.until(() => manager.state.trouble !== undefined);
  expect(manager.state.trouble).toContain('kubeadm token create');
  expect(manager.state.trouble).not.toContain('old');
  await at.writeKubeconfig('bootstrap.conf', { token: 'good' });
  await at.during(established);
  expect(at.api.requests.size).toBe(1);
});

test('kubeadm’s kubeconfig with embedded data: kept in the store, and used from there', async () => {
  await using at = await Harness.make();
  const pair = await at.issue(at.clock.now() - HOUR, at.clock.now() + YEAR);
  await at.writeKubeconfig('kubelet.conf', at.embedded(pair));
  const access = await at.manager().establish(at.process().signal);
  expect(access.clientCertificatePath).toBe(at.path(PEM));
  expect((await at.current()).notAfter).toBe(at.clock.now() + YEAR);
});

test('an administrator’s certificate is replaced by the node’s own at once', async () => {
  await using at = await Harness.make();
  const pair = await at.issue(at.clock.now() - HOUR, at.clock.now() + YEAR, 'kubernetes-admin');
  await at.writeKubeconfig('kubelet.conf', at.embedded(pair));
  const manager = at.manager({ bootstrapKubeconfigPath: undefined });
  await manager.establish(at.process().signal);
  manager.run(at.process().signal).catch(() => undefined);
  await at.until(() => manager.state.subject === 'system:node:n1');
  expect((await at.current()).commonName).toBe('system:node:n1');
});

test('without rotateCertificates the kubeconfig is used as it is', async () => {
  await using at = await Harness.make();
  const pair = await at.issue(at.clock.now() - HOUR, at.clock.now() + YEAR);
  await at.writeKubeconfig('kubelet.conf', at.embedded(pair));
  const manager = at.manager({ rotateCertificates: false });
  const access = await manager.establish(at.process().signal);
  expect(access.clientCertificatePath).toBe(undefined);
  expect(existsSync(at.path('pki'))).toBe(false);
  expect(manager.state.nextRotation).toBe(undefined);
});

test('renews at 80 % of the lifetime, and tells', async () => {
  await using at = await newNode();
  at.api.lifetimeMs = HOUR;
  const manager = at.manager();
  await at.during(manager.establish(at.process().signal));
  const first = await at.current();
  const changed = vi.fn<() => void>();
  manager.onChange(changed);
  manager.run(at.process().signal).catch(() => undefined);
  const due = first.notBefore + 0.8 * HOUR;
  expect(manager.state.nextRotation).toBe(due);
  await at.clock.advance(due - at.clock.now() - 1000);
  expect(at.api.created).toHaveLength(1);
  await at.until(() => changed.mock.calls.length === 1);
  expect(at.clock.now() - due).toBeLessThan(5000);
  expect((await at.current()).fingerprint).not.toBe(first.fingerprint);
  // Asked for as the node, not with the bootstrap credentials.
  expect(at.connected.at(-1)).toBe(first.fingerprint);
  expect(existsSync(at.path(KEY))).toBe(false);
});

test('a renewal that fails is tried again, ever more rarely, while the old certificate serves', async () => {
  await using at = await newNode();
  at.api.lifetimeMs = 10 * HOUR;
  const manager = at.manager();
  await at.during(manager.establish(at.process().signal));
  at.api.fault = () => new ApiError({ status: 503, reason: 'ServiceUnavailable', message: 'starting' });
  manager.run(at.process().signal).catch(() => undefined);
  at.clock.jump(7.99 * HOUR);
  await at.until(() => manager.state.trouble === 'starting', 60_000);
  const calls = at.api.callers.length;
  await at.clock.advance(0.5 * HOUR);
  const tries = at.api.callers.length - calls;
  expect(tries).toBeGreaterThan(8);
  expect(tries).toBeLessThan(16);
  at.api.fault = () => undefined;
  await at.until(() => manager.state.trouble === undefined, 10_000);
  expect(at.api.requests.size).toBe(2);
});

test('expired at the start: bootstraps by itself', async () => {
  await using at = await oldNode(Date.parse('2024-12-01'), Date.parse('2025-12-01'));
  const manager = at.manager();
  await at.during(manager.establish(at.process().signal));
  expect(manager.state).toMatchObject({ subject: 'system:node:n1', trouble: undefined });
  expect(at.connected.at(-1)).toBe('token:good');
  expect((await at.current()).notAfter).toBeGreaterThan(at.clock.now());
});

test('expired at the start without bootstrap credentials: a reason, and an administrator’s mend is taken up', async () => {
  await using at = await oldNode(Date.parse('2024-12-01'), Date.parse('2025-12-01'));
  await rm(at.path('bootstrap.conf'));
  const manager = at.manager();
  await at.during(manager.establish(at.process().signal));
  expect(manager.state.trouble).toContain(`bootstrap kubeconfig ${at.path('bootstrap.conf')} does not exist`);
  manager.run(at.process().signal).catch(() => undefined);
  await at.clock.advance(60_000);
  const pair = await at.issue(at.clock.now() - HOUR, at.clock.now() + YEAR);
  await at.writeKubeconfig('kubelet.conf', at.embedded(pair));
  await at.until(() => manager.state.trouble === undefined, 5000);
  expect(manager.access?.clientCertificatePath).toBe(at.path(PEM));
  expect((await at.current()).notAfter).toBeGreaterThan(at.clock.now());
});

test('refused by the server: checked, then bootstrapped anew', async () => {
  await using at = await newNode();
  const manager = at.manager();
  await at.during(manager.establish(at.process().signal));
  const first = await at.current();
  const changed = vi.fn<() => void>();
  manager.onChange(changed);
  manager.run(at.process().signal).catch(() => undefined);
  at.revoked.add(first.fingerprint);
  manager.refused(new Error('boom'));
  await at.clock.advance(5000);
  expect(at.connected).toHaveLength(1);
  manager.refused(unauthorized);
  await at.until(() => changed.mock.calls.length === 1);
  expect(at.connected.slice(1)).toEqual([first.fingerprint, 'token:good']);
  expect((await at.current()).fingerprint).not.toBe(first.fingerprint);
  expect(manager.state.trouble).toBe(undefined);
});

test('refused, and the server is away then: the doubt is settled when it is back', async () => {
  await using at = await newNode();
  const manager = at.manager();
  await at.during(manager.establish(at.process().signal));
  const first = await at.current();
  manager.run(at.process().signal).catch(() => undefined);
  at.revoked.add(first.fingerprint);
  const away = new ApiError({ status: 0, reason: '', message: 'connect ECONNREFUSED' });
  at.away = away;
  manager.refused(unauthorized);
  await at.until(() => manager.state.trouble === 'connect ECONNREFUSED');
  await at.clock.advance(600_000);
  expect(at.api.created).toHaveLength(1);
  at.away = undefined;
  const back = at.clock.now();
  await at.until(() => at.api.created.length === 2, 1000);
  expect(at.clock.now() - back).toBeLessThan(75_000);
});

test('one stray 401 changes nothing', async () => {
  await using at = await newNode();
  const manager = at.manager();
  await at.during(manager.establish(at.process().signal));
  manager.run(at.process().signal).catch(() => undefined);
  for (let report = 0; report < 5; report++) {
    manager.refused(unauthorized);
    await at.clock.advance(1000);
  }
  expect(at.connected).toHaveLength(2);
  expect(at.api.created).toHaveLength(1);
});

test('refused while it renews: bootstraps at once', async () => {
  await using at = await newNode();
  at.api.lifetimeMs = HOUR;
  const manager = at.manager();
  await at.during(manager.establish(at.process().signal));
  const first = await at.current();
  at.revoked.add(first.fingerprint);
  manager.run(at.process().signal).catch(() => undefined);
  at.clock.jump(HOUR);
  await at.until(() => at.connected.length === 3, 5000);
  expect(at.connected).toEqual(['token:good', first.fingerprint, 'token:good']);
  await at.until(() => manager.state.nextRotation !== at.clock.now());
  expect((await at.current()).fingerprint).not.toBe(first.fingerprint);
});

test.each([
  ['an hour', HOUR],
  ['a year', YEAR],
])('the clock jumps ahead by %s: at most one renewal, and it goes on', async (_name, jump) => {
  await using at = await newNode();
  const manager = at.manager();
  await at.during(manager.establish(at.process().signal));
  manager.run(at.process().signal).catch(() => undefined);
  at.clock.jump(jump);
  await at.clock.advance(60_000);
  if (jump === YEAR) await at.until(() => at.api.created.length === 2);
  await at.clock.advance(30 * 60_000);
  expect(at.api.created).toHaveLength(jump === YEAR ? 2 : 1);
  if (jump === YEAR) expect(manager.state.trouble).toContain('see whether the clock is ahead');
  else expect(manager.state.trouble).toBe(undefined);
});

test('the clock is a year behind: the certificate of the future is used, and renewed in time', async () => {
  await using at = await newNode();
  at.clock.jump(-YEAR);
  at.api.lifetimeMs = HOUR;
  const manager = at.manager();
  await at.during(manager.establish(at.process().signal));
  expect(manager.state.trouble).toContain('see whether the clock is behind');
  manager.run(at.process().signal).catch(() => undefined);
  await at.clock.advance(0.7 * HOUR);
  expect(at.api.created).toHaveLength(1);
  await at.until(() => at.api.created.length === 2, 10_000);
  expect(at.connected.at(-1)).not.toBe('token:good');
});

test('a link that leads nowhere: the newest whole pair takes its place', async () => {
  await using at = await oldNode(Date.parse('2025-12-01'), Date.parse('2026-12-01'));
  await rm(at.path(PEM));
  await symlink(at.path('pki/kubelet-client-2025-06-06-00-00-00.pem'), at.path(PEM));
  await writeFile(at.path('pki/kubelet-client-2025-07-07-00-00-00.pem'), '-----BEGIN CERTIFICATE-----\nMII');
  const manager = at.manager();
  await at.during(manager.establish(at.process().signal));
  expect(at.connected).toEqual([]);
  expect(await readlink(at.path(PEM))).toBe(at.path('pki/kubelet-client-2025-01-01-00-00-00.pem'));
});

test('a folder of certificates that is no folder: the reason names it, and work goes on once it is one', async () => {
  await using at = await newNode();
  await writeFile(at.path('pki'), '');
  const manager = at.manager();
  const established = manager.establish(at.process().signal);
  await at.until(() => manager.state.trouble !== undefined);
  expect(manager.state.trouble).toContain(`--cert-dir ${at.path('pki')}: cannot`);
  expect(at.api.created).toEqual([]);
  await rm(at.path('pki'));
  await at.during(established);
  expect(await readdir(at.path('pki'))).toContain('kubelet-client-current.pem');
});
