import { createHash } from 'node:crypto';
import type { CertificateSubject } from './x509-work.ts';

/**
 * A signing request's name, a function of all that it asks for: whoever asks again with the same key, after a crash or
 * a lost answer, finds the first request. For client certificates it is the name that upstream's bootstrap gives
 * (`node-csr-` and a SHA-512/256), so that a request of a kubelet before is found, too.
 */
export function requestName(
  prefix: string,
  publicKey: Uint8Array,
  subject: CertificateSubject,
  usages: readonly string[],
): string {
  const hash = createHash('sha512-256');
  // The delimiter is not in base64url's alphabet: no two inputs make one stream.
  const write = (data: string | Uint8Array): void => {
    hash.update(`${Buffer.from(data as Uint8Array).toString('base64url')}|`);
  };
  write(publicKey);
  write(subject.commonName);
  for (const each of [...subject.organizations, ...usages, ...subject.dnsNames, ...subject.ips]) write(each);
  return prefix + hash.digest('base64url');
}
