import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { webcrypto } from 'node:crypto';
import { generateKey } from '../key-pair.ts';
import type { KeyPair } from '../key-pair.ts';
import { doX509Work } from '../x509-work.ts';
import type { CertificateSubject } from '../x509-work.ts';
import type { X509Maker } from '../x509.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' };

/** Milliseconds. */
export interface Validity {
  notBefore: number;
  notAfter: number;
}

let underWay = 0;

/** Whether keys or signatures are being made: the thread pool doesn't show it. */
export const isSigning = (): boolean => underWay > 0;

async function noted<T>(work: Promise<T>): Promise<T> {
  underWay += 1;
  try {
    return await work;
  } finally {
    underWay -= 1;
  }
}

/** Signs what it is given, as the cluster's signer would. */
export class TestCa {
  readonly #keys: webcrypto.CryptoKeyPair;
  readonly #certificate: x509.X509Certificate;
  #serial = 1;

  private constructor(keys: webcrypto.CryptoKeyPair, certificate: x509.X509Certificate) {
    this.#keys = keys;
    this.#certificate = certificate;
  }

  static async make(name = 'test-ca'): Promise<TestCa> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: '01',
      name: `CN=${name}`,
      notBefore: new Date('2000-01-01'),
      notAfter: new Date('2100-01-01'),
      signingAlgorithm,
      keys,
      extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
    });
    return new TestCa(keys, certificate);
  }

  get pem(): string {
    return this.#certificate.toString('pem');
  }

  /** A certificate for the request (PEM) as it asks. */
  sign(request: string, valid: Validity): Promise<string> {
    return noted(this.#sign(request, valid));
  }

  async #sign(request: string, valid: Validity): Promise<string> {
    const asked = new x509.Pkcs10CertificateRequest(request);
    if (!(await asked.verify())) throw new Error('the signing request is not signed by its key');
    const names = asked.getExtension('2.5.29.17');
    this.#serial += 1;
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: this.#serial.toString(16).padStart(4, '0'),
      subject: asked.subject,
      issuer: this.#certificate.subject,
      notBefore: new Date(valid.notBefore),
      notAfter: new Date(valid.notAfter),
      signingKey: this.#keys.privateKey,
      publicKey: asked.publicKey,
      signingAlgorithm,
      extensions: names === null ? [] : [names],
    });
    return `${certificate.toString('pem')}\n`;
  }

  /** A key and its certificate. */
  async issue(subject: Partial<CertificateSubject>, valid: Validity): Promise<KeyPair> {
    const key = generateKey();
    const request = await x509InProcess.request(
      key,
      { commonName: '', organizations: [], dnsNames: [], ips: [], ...subject },
      new AbortController().signal,
    );
    return { key, cert: await this.sign(request, valid) };
  }
}

/** As the process would, without one. */
export const x509InProcess: X509Maker = {
  request: (key, subject) => noted(doX509Work({ kind: 'request', key, subject })),
  selfSigned: (key, subject, valid) => noted(doX509Work({ kind: 'self-signed', key, subject, ...valid })),
};
