import { describeError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { KubeconfigError } from './errors.ts';
import type { CheckedPair } from './key-pair.ts';
import { readKubeconfig } from './kubeconfig-file.ts';
import type { Kubeconfig } from './kubeconfig-file.ts';
import type { PairStore } from './pair-store.ts';

export interface IdentityOptions {
  nodeName: string;
  /** `--kubeconfig`: read, and written after a bootstrap. Absolute. */
  kubeconfigPath: string;
  /** `--bootstrap-kubeconfig`, absolute; undefined where none is given. */
  bootstrapKubeconfigPath: string | undefined;
  /** `rotateCertificates`: false leaves the kubeconfig's certificate alone until it has ended. */
  rotateCertificates: boolean;
}

/** What this node's files hold of its identity. */
export interface Found {
  kubeconfig: Kubeconfig | undefined;
  /** Why the kubeconfig or its certificate can't be used. */
  fault: KubeconfigError | undefined;
  /** The store's pair; undefined where it doesn't count, too. */
  stored: CheckedPair | undefined;
}

/** Reads both; the store first, because the kubeconfig may lead there and the store mends itself. */
export async function readFiles(options: IdentityOptions, store: PairStore, log: Logger): Promise<Found> {
  const stored = options.rotateCertificates ? await loadStored(store, log) : undefined;
  try {
    const kubeconfig = await readKubeconfig(options.kubeconfigPath);
    const fault = kubeconfig?.client.kind === 'broken' ? kubeconfig.client.error : undefined;
    return { kubeconfig, fault, stored };
  } catch (error) {
    if (!(error instanceof KubeconfigError)) throw error;
    return { kubeconfig: undefined, fault: error, stored };
  }
}

async function loadStored(store: PairStore, log: Logger): Promise<CheckedPair | undefined> {
  try {
    return await store.load();
  } catch (error) {
    log.warn({ reason: describeError(error) }, 'cannot read the kept client certificate');
    return undefined;
  }
}

/**
 * The pair to work with: the store's before the kubeconfig's, one that is valid before one that has ended, as upstream.
 * `refused`: fingerprints of those that don't serve.
 */
export function choosePair(
  found: Found,
  now: number,
  refused: ReadonlySet<string> = new Set(),
): CheckedPair | undefined {
  const named = found.kubeconfig?.client.kind === 'pair' ? found.kubeconfig.client.pair : undefined;
  const pairs = [found.stored, named].filter((pair) => pair !== undefined);
  const served = pairs.filter((pair) => !refused.has(pair.leaf.fingerprint));
  return served.find((pair) => !hasEnded(pair, now)) ?? served[0];
}

export const hasEnded = (pair: CheckedPair, now: number): boolean => pair.leaf.chainNotAfter <= now;

/** Whether a pair is this node's, and not, say, an administrator's. */
export function isOfNode(pair: CheckedPair, nodeName: string): boolean {
  return (
    pair.leaf.commonName === `system:node:${nodeName}` && pair.leaf.organizations.includes('system:nodes')
  );
}
