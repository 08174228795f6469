import { expect, test } from 'vitest';
import { inCertDir } from './cert-dir.ts';
import { CertDirError } from './errors.ts';

const failing = (code: string) => async (): Promise<never> => {
  throw Object.assign(new Error(`${code}: open`), { code });
};

test.each([
  ['EROFS', 'read-only file system'],
  ['EACCES', 'run as root'],
  ['EPERM', 'immutable'],
  ['ENOSPC', 'no space'],
  ['ENOTDIR', 'not a folder'],
])('%s is told with the folder and the mend', async (code, mend) => {
  const failure = await inCertDir('/var/pki', 'write x.pem', failing(code)).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(CertDirError);
  expect(String(failure)).toContain('--cert-dir /var/pki: cannot write x.pem: ');
  expect(String(failure)).toContain(mend);
});

test('other failures stay what they are', async () => {
  await expect(inCertDir('/var/pki', 'write', failing('EIO'))).rejects.toThrow('EIO: open');
});
