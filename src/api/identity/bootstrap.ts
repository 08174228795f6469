import { areAccepted, withConnection } from './access.ts';
import type { Connect } from './access.ts';
import { hasEnded, isOfNode } from './client-files.ts';
import type { IdentityOptions } from './client-files.ts';
import { clientOrder } from './client-order.ts';
import { KubeconfigError } from './errors.ts';
import type { CheckedPair } from './key-pair.ts';
import { readKubeconfig, writeKubeconfig } from './kubeconfig-file.ts';
import type { Cluster } from './kubeconfig-file.ts';
import { obtain } from './order.ts';
import type { OrderParts } from './order.ts';
import { isRefusal } from './refusal.ts';

export interface BootstrapParts extends Omit<OrderParts, 'client'> {
  connect: Connect;
  /** Fingerprints of certificates that the server refused. */
  refused: ReadonlySet<string>;
}

/**
 * Gets a client certificate with the bootstrap credentials, and writes the kubeconfig that leads to it. A valid pair in
 * the store whose kubeconfig was never written is finished instead, if this cluster takes it: it may be another's.
 * Rejects with a KubeconfigError that says what to mend, or as `obtain`.
 */
export async function bootstrap(
  options: IdentityOptions & { bootstrapKubeconfigPath: string },
  parts: BootstrapParts,
  signal: AbortSignal,
): Promise<{ pair: CheckedPair; isFresh: boolean }> {
  const path = options.bootstrapKubeconfigPath;
  const config = await readKubeconfig(path);
  if (config === undefined) {
    throw new KubeconfigError(
      `the node needs a new client certificate, and bootstrap kubeconfig ${path} does not exist: write one ` +
        '(kubeadm token create --print-join-command says with what)',
      { retryable: true },
    );
  }
  const left = await leftover(options, parts, signal);
  const pair = left ?? (await order(options, parts, signal));
  await lead(options.kubeconfigPath, config.cluster, parts.store.currentPath);
  return { pair, isFresh: left === undefined };
}

async function leftover(
  { nodeName, bootstrapKubeconfigPath }: IdentityOptions & { bootstrapKubeconfigPath: string },
  parts: BootstrapParts,
  signal: AbortSignal,
): Promise<CheckedPair | undefined> {
  const pair = await parts.store.load();
  if (pair === undefined || parts.refused.has(pair.leaf.fingerprint)) return undefined;
  if (!isOfNode(pair, nodeName) || hasEnded(pair, parts.clock.now())) return undefined;
  const access = {
    kubeconfigPath: bootstrapKubeconfigPath,
    clientCertificatePath: parts.store.currentPath,
  };
  const isTaken = await withConnection(parts.connect, access, signal, (client) =>
    areAccepted(client, nodeName, signal),
  );
  return isTaken ? pair : undefined;
}

async function order(
  { nodeName, bootstrapKubeconfigPath: path }: IdentityOptions & { bootstrapKubeconfigPath: string },
  parts: BootstrapParts,
  signal: AbortSignal,
): Promise<CheckedPair> {
  const access = { kubeconfigPath: path, clientCertificatePath: undefined };
  try {
    return await withConnection(parts.connect, access, signal, (client) =>
      obtain(clientOrder(nodeName), { ...parts, client }, signal),
    );
  } catch (cause) {
    if (!isRefusal(cause)) throw cause;
    throw new KubeconfigError(
      `the API server refuses the credentials of bootstrap kubeconfig ${path} (or its certificate is of an unknown ` +
        'authority): a bootstrap token may have expired; make one with kubeadm token create and write it there',
      { cause, retryable: true },
    );
  }
}

/** Leaves a kubeconfig alone that leads there already: its folder may be read-only. */
async function lead(path: string, cluster: Cluster, pemPath: string): Promise<void> {
  const before = await readKubeconfig(path).catch(() => undefined);
  const isLeading = before?.client.kind === 'pair' && before.client.certPath === pemPath;
  const isSameCluster = JSON.stringify(before?.cluster) === JSON.stringify(cluster);
  if (!isLeading || !isSameCluster) await writeKubeconfig(path, cluster, pemPath);
}
