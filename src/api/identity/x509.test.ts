import { execFile } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { generateKey, parsePair } from './key-pair.ts';
import { TestCa } from './testing/test-ca.ts';
import { x509Process } from './x509.ts';

const subject = {
  commonName: 'system:node:n1',
  organizations: ['system:nodes'],
  dnsNames: ['n1.example'],
  ips: ['10.0.0.1', 'fd00::1'],
};
const { signal } = new AbortController();
const year = { notBefore: Date.parse('2026-01-01'), notAfter: Date.parse('2027-01-01') };
const rsa = (): string =>
  generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  }) as string;

test.each([
  ['ECDSA', generateKey],
  ['RSA', rsa],
])('a request with an %s key, made in a process of its own', async (_kind, makeKey) => {
  const key = makeKey();
  const request = await x509Process.request(key, subject, signal);
  const ca = await TestCa.make();
  const { leaf } = parsePair(await ca.sign(request, year), key, 'x');
  expect(leaf).toMatchObject({ ...year, commonName: 'system:node:n1', organizations: ['system:nodes'] });
  expect(leaf.coversDns('n1.example') && leaf.coversIp('10.0.0.1') && leaf.coversIp('fd00::1')).toBe(true);
  expect(leaf.coversDns('n2.example') || leaf.coversIp('10.0.0.2')).toBe(false);
});

test('OpenSSL takes the request', async () => {
  const request = await x509Process.request(generateKey(), subject, signal);
  const child = promisify(execFile)('openssl', ['req', '-verify', '-noout', '-text']);
  child.child.stdin?.end(request);
  const { stdout, stderr } = await child;
  expect(stderr).toContain('verify OK');
  expect(stdout).toContain('Subject: O = system:nodes, CN = system:node:n1');
  expect(stdout).toContain('DNS:n1.example, IP Address:10.0.0.1');
});

test('a self-signed serving certificate', async () => {
  const key = generateKey();
  const pem = await x509Process.selfSigned(key, { ...subject, organizations: [] }, year, signal);
  const made = new X509Certificate(pem);
  expect(made.verify(made.publicKey)).toBe(true);
  expect(made.checkPrivateKey(createPrivateKey(key))).toBe(true);
  expect(made.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  expect(made.ca).toBe(false);
});

test('a key that is none is an error that doesn’t show it', async () => {
  const failure = await x509Process.request('SECRET', subject, signal).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'CERTIFICATE' });
  expect(String(failure)).not.toContain('SECRET');
});
