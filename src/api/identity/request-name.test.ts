import { expect, test } from 'vitest';
import { requestName } from './request-name.ts';

const key = Uint8Array.from({ length: 91 }, (_, index) => index);
const subject = { commonName: 'system:node:n1', organizations: ['system:nodes'], dnsNames: [], ips: [] };
const usages = ['digital signature', 'client auth'];

test('as upstream’s bootstrap names it', () => {
  // Worked out apart from this program, from upstream's rule.
  expect(requestName('node-csr-', key, subject, usages)).toBe(
    'node-csr-fnRg0ly5vdvbveJNuOEQosMFulskc4SUu0vVt3298iI',
  );
});

test.each([
  ['name', { ...subject, commonName: 'system:node:n2' }, usages],
  ['usages', subject, ['digital signature', 'server auth']],
  ['addresses', { ...subject, ips: ['10.0.0.1'] }, usages],
  ['names', { ...subject, dnsNames: ['n1'] }, usages],
])('other %s make another name', (_what, other, otherUsages) => {
  expect(requestName('x', key, other, otherUsages)).not.toBe(requestName('x', key, subject, usages));
});
