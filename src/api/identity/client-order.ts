import type { CertificateOrder } from './signing.ts';

/** A certificate that makes its holder the node `nodeName` for the API server. */
export const clientOrder = (nodeName: string): CertificateOrder => ({
  signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
  usage: 'client auth',
  namePrefix: 'node-csr-',
  subject: {
    commonName: `system:node:${nodeName}`,
    organizations: ['system:nodes'],
    dnsNames: [],
    ips: [],
  },
});
