import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import type { KeyObject, webcrypto } from 'node:crypto';

/** Subject and subject alternative names. */
export interface CertificateSubject {
  commonName: string;
  organizations: string[];
  dnsNames: string[];
  ips: string[];
}

/** What the X.509 program can be asked for; `key` is a private key in PEM. */
export type X509Work =
  | { kind: 'request'; key: string; subject: CertificateSubject }
  | {
      kind: 'self-signed';
      key: string;
      subject: CertificateSubject;
      /** Wall time in milliseconds. */
      notBefore: number;
      notAfter: number;
    };

/** A PKCS #10 request or a self-signed serving certificate, in PEM. */
export async function doX509Work(work: X509Work): Promise<string> {
  const { keys, signingAlgorithm } = cryptoKeys(createPrivateKey(work.key));
  const name = nameOf(work.subject);
  const alternatives = alternativeNames(work.subject);
  if (work.kind === 'request') {
    const request = await x509.Pkcs10CertificateRequestGenerator.create({
      name,
      keys,
      signingAlgorithm,
      extensions: alternatives,
    });
    return `${request.toString('pem')}\n`;
  }
  const { digitalSignature, keyEncipherment } = x509.KeyUsageFlags;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    name,
    keys,
    signingAlgorithm,
    notBefore: new Date(work.notBefore),
    notAfter: new Date(work.notAfter),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(digitalSignature | keyEncipherment, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      ...alternatives,
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

/** 63 bits: positive, and never zero. */
function randomSerial(): string {
  const bytes = randomBytes(8);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

function nameOf({ commonName, organizations }: CertificateSubject): x509.JsonName {
  return [...organizations.map((each) => ({ O: [each] })), { CN: [commonName] }];
}

function alternativeNames({ dnsNames, ips }: CertificateSubject): x509.Extension[] {
  const names: x509.JsonGeneralNames = [
    ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...ips.map((value) => ({ type: 'ip' as const, value })),
  ];
  return names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)];
}

interface SigningKeys {
  keys: webcrypto.CryptoKeyPair;
  signingAlgorithm: webcrypto.EcdsaParams | webcrypto.Algorithm;
}

/** Upstream kubelets leave ECDSA keys on P-256; kubeadm's first pair is RSA. */
function cryptoKeys(privateKey: KeyObject): SigningKeys {
  const publicKey = createPublicKey(privateKey);
  if (privateKey.asymmetricKeyType === 'rsa') {
    const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
    return {
      keys: {
        privateKey: privateKey.toCryptoKey(algorithm, true, ['sign']),
        publicKey: publicKey.toCryptoKey(algorithm, true, ['verify']),
      },
      signingAlgorithm: { name: 'RSASSA-PKCS1-v1_5' },
    };
  }
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  return {
    keys: {
      privateKey: privateKey.toCryptoKey(algorithm, true, ['sign']),
      publicKey: publicKey.toCryptoKey(algorithm, true, ['verify']),
    },
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  };
}
