import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';

export interface KeyPair {
  /** PEM. */
  certificate: string;
  /** PEM, PKCS #8. */
  key: string;
}

export interface Validity {
  /** An hour ago unless given. */
  notBefore?: Date;
  /** A day from now unless given. */
  notAfter?: Date;
}

export interface Subject extends Validity {
  commonName: string;
  organizations?: readonly string[];
  /** DNS names and addresses. */
  hosts?: readonly string[];
  usage: 'client' | 'server' | 'both';
}

const HOUR = 3_600_000;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

const pem = (label: string, der: ArrayBuffer): string => {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
};

const generateKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);

const exportKey = async (key: webcrypto.CryptoKey): Promise<string> =>
  pem('PRIVATE KEY', await crypto.subtle.exportKey('pkcs8', key));

const subjectName = ({ commonName, organizations = [] }: Pick<Subject, 'commonName' | 'organizations'>) => [
  ...organizations.map((each) => ({ O: [each] })),
  { CN: [commonName] },
];

const usages = {
  client: [x509.ExtendedKeyUsage.clientAuth],
  server: [x509.ExtendedKeyUsage.serverAuth],
  both: [x509.ExtendedKeyUsage.clientAuth, x509.ExtendedKeyUsage.serverAuth],
};

/** A certificate authority in memory. */
export class Authority {
  readonly #certificate: x509.X509Certificate;
  readonly #keys: webcrypto.CryptoKeyPair;
  /** PEM. */
  readonly certificate: string;

  private constructor(certificate: x509.X509Certificate, keys: webcrypto.CryptoKeyPair) {
    this.#certificate = certificate;
    this.#keys = keys;
    this.certificate = `${certificate.toString('pem')}\n`;
  }

  static async create(commonName: string): Promise<Authority> {
    const keys = await generateKeys();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: [{ CN: [commonName] }],
      keys,
      notBefore: new Date(Date.now() - HOUR),
      notAfter: new Date(Date.now() + 10 * 365 * 24 * HOUR),
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature,
          true,
        ),
      ],
    });
    return new Authority(certificate, keys);
  }

  async keyPem(): Promise<string> {
    return exportKey(this.#keys.privateKey);
  }

  async issue(subject: Subject): Promise<KeyPair> {
    const keys = await generateKeys();
    const certificate = await this.#sign(subject, keys.publicKey);
    return { certificate, key: await exportKey(keys.privateKey) };
  }

  /** Signs a PKCS #10 request (PEM) as it stands; rejects where its signature is wrong. */
  async signRequest(request: string, usage: Subject['usage'], validity: Validity): Promise<string> {
    const parsed = readRequest(request);
    if (!(await parsed.request.verify())) throw new Error('the request is not signed by its own key');
    return this.#sign({ ...parsed, usage, ...validity }, parsed.request.publicKey);
  }

  async #sign(subject: Subject, publicKey: webcrypto.CryptoKey | x509.PublicKey): Promise<string> {
    const certificate = await x509.X509CertificateGenerator.create({
      subject: subjectName(subject),
      issuer: this.#certificate.subjectName.toJSON(),
      notBefore: subject.notBefore ?? new Date(Date.now() - HOUR),
      notAfter: subject.notAfter ?? new Date(Date.now() + 24 * HOUR),
      publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
          true,
        ),
        new x509.ExtendedKeyUsageExtension(usages[subject.usage]),
        ...alternativeNames(subject.hosts ?? []),
      ],
    });
    return `${certificate.toString('pem')}\n`;
  }
}

function alternativeNames(hosts: readonly string[]): x509.Extension[] {
  if (hosts.length === 0) return [];
  const names = hosts.map((value) => ({
    type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const),
    value,
  }));
  return [new x509.SubjectAlternativeNameExtension(names)];
}

export interface RequestFacts {
  request: x509.Pkcs10CertificateRequest;
  commonName: string;
  organizations: string[];
  hosts: string[];
}

/** Of a PKCS #10 request (PEM); throws where it can't be parsed. */
export function readRequest(text: string): RequestFacts {
  const request = new x509.Pkcs10CertificateRequest(text);
  const names = request.extensions.find((each) => each instanceof x509.SubjectAlternativeNameExtension);
  return {
    request,
    commonName: request.subjectName.getField('CN')[0] ?? '',
    organizations: request.subjectName.getField('O'),
    hosts: (names?.names.items ?? []).map(({ value }) => value),
  };
}

/** A key and a PKCS #10 request (PEM) for it. */
export async function makeRequest(
  subject: Pick<Subject, 'commonName' | 'organizations' | 'hosts'>,
): Promise<{ request: string; key: string }> {
  const keys = await generateKeys();
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: subjectName(subject),
    keys,
    signingAlgorithm: algorithm,
    extensions: alternativeNames(subject.hosts ?? []),
  });
  return { request: `${request.toString('pem')}\n`, key: await exportKey(keys.privateKey) };
}
