import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { CertificateError } from './errors.ts';

/** A certificate with its key, as PEM. Secret: never to be logged. */
export interface KeyPair {
  /** The leaf first, then its intermediates. */
  readonly cert: string;
  readonly key: string;
}

/** A pair that was checked: the key belongs to the leaf. */
export interface CheckedPair extends KeyPair {
  readonly leaf: Leaf;
}

/** What anybody asks of a certificate. Times are wall time in milliseconds. */
export interface Leaf {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly notBefore: number;
  readonly notAfter: number;
  /** Of the whole chain: the earliest end. */
  readonly chainNotAfter: number;
  /** SHA-256 of the leaf. */
  readonly fingerprint: string;
  coversDns(name: string): boolean;
  coversIp(address: string): boolean;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \1-----/g;

/** The PEM blocks in a text, by kind; each ends with a newline. */
function blocks(text: string, isKind: (kind: string) => boolean): string[] {
  return [...text.matchAll(BLOCK)].filter((match) => isKind(match[1] ?? '')).map((match) => `${match[0]}\n`);
}

const certificatesIn = (text: string): string[] => blocks(text, (kind) => kind === 'CERTIFICATE');
const keysIn = (text: string): string[] => blocks(text, (kind) => kind.endsWith('PRIVATE KEY'));

/** An unencrypted private key in PEM (SEC 1, PKCS #1 or PKCS #8). Throws CertificateError; `what` names it there. */
export function parseKey(pem: string, what: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    // The cause's words are of the decoder and hold nothing of the key.
    throw new CertificateError(`${what}: not a private key in PEM`, { cause });
  }
}

/**
 * A certificate and its key out of one text or two, whatever else stands in them. Throws CertificateError; `what`
 * names the files there.
 */
export function parsePair(certText: string, keyText: string, what: string): CheckedPair {
  const chain = certificatesIn(certText);
  const key = keysIn(keyText)[0];
  if (chain.length === 0) throw new CertificateError(`${what}: no certificate in PEM`);
  if (key === undefined) throw new CertificateError(`${what}: no private key in PEM`);
  const parsed = chain.map((pem) => parseCertificate(pem, what));
  const [leaf] = parsed;
  if (leaf === undefined || !leaf.checkPrivateKey(parseKey(key, what))) {
    throw new CertificateError(`${what}: the private key does not belong to the certificate`);
  }
  return { cert: chain.join(''), key, leaf: leafOf(leaf, parsed) };
}

/** The leaf of a chain in PEM. Throws CertificateError. */
export function parseLeaf(certText: string, what: string): Leaf {
  const parsed = certificatesIn(certText).map((pem) => parseCertificate(pem, what));
  const [leaf] = parsed;
  if (leaf === undefined) throw new CertificateError(`${what}: no certificate in PEM`);
  return leafOf(leaf, parsed);
}

function parseCertificate(pem: string, what: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new CertificateError(`${what}: not an X.509 certificate`, { cause });
  }
}

function leafOf(leaf: X509Certificate, chain: readonly X509Certificate[]): Leaf {
  const subject = leaf.toLegacyObject().subject as unknown as Record<string, string | string[] | undefined>;
  const values = (name: string): string[] => [subject[name] ?? []].flat();
  return {
    commonName: values('CN')[0] ?? '',
    organizations: values('O'),
    notBefore: leaf.validFromDate.getTime(),
    notAfter: leaf.validToDate.getTime(),
    chainNotAfter: Math.min(...chain.map((each) => each.validToDate.getTime())),
    fingerprint: leaf.fingerprint256,
    coversDns: (name) => leaf.checkHost(name, { wildcards: false, subject: 'never' }) !== undefined,
    coversIp: (address) => leaf.checkIP(address) !== undefined,
  };
}

/** A new ECDSA P-256 key, in the form that upstream writes (SEC 1). */
export function generateKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'sec1', format: 'pem' }) as string;
}

/** The public half as SubjectPublicKeyInfo, DER. */
export function publicKeyDer(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: 'spki', format: 'der' });
}

/** Whether two private keys in PEM are one key, whatever form each has. */
export function isSameKey(one: string, other: string): boolean {
  return publicKeyDer(parseKey(one, 'key')).equals(publicKeyDer(parseKey(other, 'key')));
}
