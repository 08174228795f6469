/** The certificate of the node's own HTTPS port: where the configuration says it comes from. */
import { resolve } from 'node:path';
import { FileServing } from '#api/identity/serving-files.ts';
import { RotatedServing } from '#api/identity/serving-rotated.ts';
import { selfSignedServing } from '#api/identity/serving-self-signed.ts';
import type { ServingCertificate } from '#api/identity/serving.ts';
import { x509Process } from '#api/identity/x509.ts';
import type { KubeletOptions } from '#config/kubelet-options.ts';
import type { Clock } from '#lib/clock.ts';
import type { Node } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import type { Cluster } from './cluster.ts';

export interface Serving {
  certificate: ServingCertificate;
  /** To be told of the Node object: its addresses go into a certificate that the cluster signs. */
  onNode(node: Node | undefined): void;
}

export function composeServing(
  options: KubeletOptions,
  cluster: Cluster | undefined,
  ips: readonly string[],
  clock: Clock,
  log: Logger,
): Serving {
  const logger = log.child({ component: 'serving-certificate' });
  const { certFile, keyFile, bootstrap } = options.server.tls;
  const certDir = resolve(options.certDir);
  const x509 = x509Process;
  if (certFile !== undefined && keyFile !== undefined) {
    const files = { certFile: resolve(certFile), keyFile: resolve(keyFile) };
    return { certificate: new FileServing(files, { clock, log: logger }), onNode: () => undefined };
  }
  if (bootstrap && cluster !== undefined) {
    const certificate = new RotatedServing(
      {
        nodeName: options.nodeName,
        certDir,
        allowDnsOnly: options.featureGates.enabled('AllowDNSOnlyNodeCSR'),
      },
      { client: cluster.api.client, x509, clock, random: Math.random, log: logger },
    );
    return { certificate, onNode: (node) => certificate.setAddresses(node?.status?.addresses ?? []) };
  }
  const own = { certDir, hostName: options.nodeName, ips };
  return { certificate: selfSignedServing(own, { x509, clock, log: logger }), onNode: () => undefined };
}
