import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { adminUser } from '../identities.ts';
import { Authority } from '../pki.ts';
import type { KeyPair } from '../pki.ts';

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

export interface PlaneFiles {
  /** `pki/NAME` as kubeadm calls them. */
  pki: (name: string) => string;
  authority: Authority;
  admin: KeyPair;
}

/** Keys and certificates of a control plane, below `dir`. */
export async function writePki(dir: string, hosts: readonly string[]): Promise<PlaneFiles> {
  const pki = (name: string): string => join(dir, 'pki', name);
  await mkdir(join(dir, 'pki'));
  const authority = await Authority.create('kubernetes');
  const [server, kubelet, admin] = await Promise.all([
    authority.issue({ commonName: 'kube-apiserver', hosts, usage: 'server' }),
    authority.issue({
      commonName: 'kube-apiserver-kubelet-client',
      organizations: ['system:masters'],
      usage: 'client',
    }),
    authority.issue({ ...adminUser, usage: 'client' }),
  ]);
  const accounts = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  const files: Record<string, string> = {
    'ca.crt': authority.certificate,
    'ca.key': await authority.keyPem(),
    'apiserver.crt': server.certificate,
    'apiserver.key': server.key,
    'apiserver-kubelet-client.crt': kubelet.certificate,
    'apiserver-kubelet-client.key': kubelet.key,
    'sa.pub': accounts.publicKey,
    'sa.key': accounts.privateKey,
  };
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(pki(name), text, { mode: 0o600 })));
  return { pki, authority, admin };
}
