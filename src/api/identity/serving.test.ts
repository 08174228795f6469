import { silentLogger } from '#lib/logger.ts';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import { parsePair } from './key-pair.ts';
import type { Leaf } from './key-pair.ts';
import { FileServing } from './serving-files.ts';
import { RotatedServing } from './serving-rotated.ts';
import { selfSignedServing } from './serving-self-signed.ts';
import type { ServingCertificate } from './serving.ts';
import { Harness, HOUR, YEAR } from './testing/harness.ts';
import { x509InProcess } from './testing/test-ca.ts';

function served(serving: ServingCertificate): Leaf | undefined {
  const pair = serving.current();
  return pair && parsePair(pair.cert, pair.key, 'served').leaf;
}

function rotated(at: Harness): RotatedServing {
  const serving = new RotatedServing(
    { nodeName: 'n1', certDir: at.path('pki'), allowDnsOnly: false },
    {
      client: at.api.client('node'),
      x509: x509InProcess,
      clock: at.clock,
      random: () => 0.5,
      log: silentLogger,
    },
  );
  serving.run(at.process().signal).catch(() => undefined);
  return serving;
}

const ip = (...addresses: string[]): { type: string; address: string }[] =>
  addresses.map((address) => ({ type: 'InternalIP', address }));

test('rotated: no request before addresses are known, nothing served before it is approved', async () => {
  await using at = await Harness.make();
  at.api.approves = false;
  const serving = rotated(at);
  await at.clock.advance(120_000);
  serving.setAddresses([{ type: 'Hostname', address: 'n1' }]);
  await at.clock.advance(120_000);
  expect(at.api.created).toEqual([]);
  expect(serving.state.trouble).toContain('waits for the addresses');
  serving.setAddresses([{ type: 'Hostname', address: 'n1' }, ...ip('10.0.0.1')]);
  await at.until(() => at.api.requests.size === 1);
  await at.clock.advance(2000);
  expect(serving.current()).toBe(undefined);
  expect(serving.state.trouble).toContain('kubectl certificate approve csr-');
  const [request] = at.api.requests.values();
  expect(request?.spec).toMatchObject({
    signerName: 'kubernetes.io/kubelet-serving',
    usages: ['digital signature', 'server auth'],
  });
  await at.api.approve(request!.metadata.name);
  await at.until(() => serving.current() !== undefined);
  expect(served(serving)?.coversDns('n1') && served(serving)?.coversIp('10.0.0.1')).toBe(true);
  await at.until(() => serving.state.trouble === undefined);
});

test('rotated: other addresses make another request; the old certificate serves meanwhile', async () => {
  await using at = await Harness.make();
  const serving = rotated(at);
  serving.setAddresses(ip('10.0.0.1'));
  await at.until(() => serving.current() !== undefined);
  const first = serving.current();
  at.api.approves = false;
  serving.setAddresses(ip('10.0.0.2'));
  await at.until(() => at.api.requests.size === 2);
  expect(serving.current()).toBe(first);
  // Once more, while the second still waits: nobody waits for the second any longer.
  serving.setAddresses(ip('10.0.0.2', '10.0.0.3'));
  await at.until(() => at.api.requests.size === 3);
  await at.api.approve([...at.api.requests.keys()][2]!);
  await at.until(() => serving.current() !== first);
  expect(served(serving)?.coversIp('10.0.0.3')).toBe(true);
  // Fewer addresses are covered as it is, and none at all are a moment's lapse.
  serving.setAddresses(ip('10.0.0.2'));
  serving.setAddresses([]);
  await at.clock.advance(120_000);
  expect(at.api.requests.size).toBe(3);
});

test('rotated: a restart serves at once what was signed, and asks for nothing', async () => {
  await using at = await Harness.make();
  const first = rotated(at);
  first.setAddresses(ip('10.0.0.1'));
  await at.until(() => first.current() !== undefined && !existsSync(at.path('pki/kubelet-server.key.tmp')));
  const second = rotated(at);
  await at.until(() => second.current() !== undefined);
  second.setAddresses(ip('10.0.0.1'));
  await at.clock.advance(120_000);
  expect(at.api.created).toHaveLength(1);
  expect((await at.current('kubelet-server')).fingerprint).toBe(served(second)?.fingerprint);
});

test('rotated: renews before the end; denial has a reason', async () => {
  await using at = await Harness.make();
  at.api.lifetimeMs = HOUR;
  const serving = rotated(at);
  serving.setAddresses(ip('10.0.0.1'));
  await at.until(() => serving.current() !== undefined);
  const changed = vi.fn<() => void>();
  serving.onChange(changed);
  at.api.approves = false;
  await at.clock.advance(0.75 * HOUR);
  await at.until(() => at.api.requests.size === 2, 5000);
  at.api.decide([...at.api.requests.keys()][1]!, 'Denied', 'No', 'never');
  await at.until(() => serving.state.trouble?.includes('was denied (No: never)') === true);
  at.api.approves = true;
  await at.until(() => changed.mock.calls.length === 1, 5000);
  expect(at.api.requests.size).toBe(3);
});

function files(at: Harness): FileServing {
  const serving = new FileServing(
    { certFile: at.path('tls.crt'), keyFile: at.path('tls.key') },
    { clock: at.clock, log: silentLogger },
  );
  serving.run(at.process().signal).catch(() => undefined);
  return serving;
}

test('files: reloaded when they change; a half-written change is never served', async () => {
  await using at = await Harness.make();
  const serving = files(at);
  await at.until(() => serving.state.trouble !== undefined);
  expect(serving.state.trouble).toBe(`${at.path('tls.crt')} does not exist`);
  const [one, two] = [await at.issue(0, 4e12, 'one'), await at.issue(0, 4e12, 'two')];
  await writeFile(at.path('tls.crt'), one.cert);
  await writeFile(at.path('tls.key'), one.key);
  await at.until(() => served(serving)?.commonName === 'one');
  await writeFile(at.path('tls.crt'), two.cert);
  await at.until(() => serving.state.trouble?.includes('does not belong') === true);
  expect(served(serving)?.commonName).toBe('one');
  await writeFile(at.path('tls.key'), two.key);
  await at.until(() => served(serving)?.commonName === 'two');
  expect(serving.state.trouble).toBe(undefined);
});

function selfSigned(at: Harness): ServingCertificate {
  const serving = selfSignedServing(
    { certDir: at.path('pki'), hostName: 'n1', ips: ['10.0.0.1'] },
    { x509: x509InProcess, clock: at.clock, log: silentLogger },
  );
  serving.run(at.process().signal).catch(() => undefined);
  return serving;
}

test('self-signed: made once, kept by later starts', async () => {
  await using at = await Harness.make();
  const serving = selfSigned(at);
  await at.until(() => serving.current() !== undefined);
  expect(served(serving)?.coversDns('n1') && served(serving)?.coversIp('10.0.0.1')).toBe(true);
  expect((await stat(at.path('pki/kubelet.key'))).mode & 0o777).toBe(0o600);
  expect((await stat(at.path('pki/kubelet.crt'))).mode & 0o777).toBe(0o644);
  const again = selfSigned(at);
  await at.until(() => again.current() !== undefined);
  expect(served(again)?.fingerprint).toBe(served(serving)?.fingerprint);
});

test('self-signed: made anew before it ends, with the same key', async () => {
  await using at = await Harness.make();
  const serving = selfSigned(at);
  await at.until(() => serving.current() !== undefined);
  const first = serving.current();
  at.clock.jump(0.95 * YEAR);
  await at.until(() => serving.current() !== first, 10_000);
  expect(serving.current()?.key).toBe(first?.key);
  expect(served(serving)?.notAfter).toBeGreaterThan(at.clock.now() + 0.9 * YEAR);
});

test('self-signed: died between key and certificate, or a torn certificate', async () => {
  await using at = await Harness.make();
  const first = selfSigned(at);
  await at.until(() => first.current() !== undefined);
  const key = await readFile(at.path('pki/kubelet.key'), 'utf8');
  await rm(at.path('pki/kubelet.crt'));
  const second = selfSigned(at);
  await at.until(() => second.current() !== undefined);
  await writeFile(at.path('pki/kubelet.crt'), '-----BEGIN CERTIFICATE-----\nMII');
  const third = selfSigned(at);
  await at.until(() => third.current() !== undefined);
  expect(third.current()?.key).toBe(key);
});

test('an administrator’s kubelet.crt is left alone, even once it has ended', async () => {
  await using at = await Harness.make();
  const pair = await at.issue(at.clock.now() - YEAR, at.clock.now() - HOUR, 'node.example');
  await mkdir(at.path('pki'));
  await writeFile(at.path('pki/kubelet.crt'), pair.cert);
  await writeFile(at.path('pki/kubelet.key'), pair.key);
  const serving = selfSigned(at);
  await at.until(() => serving.current() !== undefined);
  expect(served(serving)?.commonName).toBe('node.example');
  expect(serving.state.trouble).toContain('see whether the clock is ahead');
});
