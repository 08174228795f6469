import type { KeyPair } from './pki.ts';

export type Credentials = KeyPair | { token: string };

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** A kubeconfig with everything inside it. JSON, which is YAML too. */
export function kubeconfig(server: string, ca: string, credentials: Credentials): string {
  const user =
    'token' in credentials
      ? { token: credentials.token }
      : {
          'client-certificate-data': base64(credentials.certificate),
          'client-key-data': base64(credentials.key),
        };
  const cluster = { server, 'certificate-authority-data': base64(ca) };
  return `${JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'bed', cluster }],
      users: [{ name: 'bed', user }],
      contexts: [{ name: 'bed', context: { cluster: 'bed', user: 'bed' } }],
      'current-context': 'bed',
    },
    undefined,
    2,
  )}\n`;
}
