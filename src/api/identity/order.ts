import type { DraftKey } from './draft-key.ts';
import { WrongCertificateError } from './errors.ts';
import { parsePair } from './key-pair.ts';
import type { CheckedPair } from './key-pair.ts';
import type { PairStore } from './pair-store.ts';
import { isSpent } from './retry-delays.ts';
import { signed } from './signing.ts';
import type { CertificateOrder, SigningParts } from './signing.ts';

export interface OrderParts extends SigningParts {
  store: PairStore;
  draft: DraftKey;
  /** Its key isn't asked for again. */
  current: CheckedPair | undefined;
}

/**
 * A certificate for a key of this node, signed by the cluster and kept in the store. Whenever the process dies, doing it
 * again goes on with the same key and the same request; after a refusal it begins with a new key. Rejects as `signed`
 * does, and with CertDirError and WrongCertificateError.
 */
export async function obtain(
  order: CertificateOrder,
  parts: OrderParts,
  signal: AbortSignal,
): Promise<CheckedPair> {
  const key = await parts.draft.take(parts.current?.key);
  let pair: CheckedPair;
  try {
    const { certificate, isNewRequest } = await signed(key, order, parts, signal);
    pair = checkAnswer(certificate, key, order);
    // An answer to a request of now is never too old, whatever this machine's clock says.
    if (!isNewRequest && pair.leaf.notAfter <= parts.clock.now()) {
      throw new WrongCertificateError('the certificate of an earlier signing request has expired', {
        retryable: true,
      });
    }
  } catch (error) {
    if (isSpent(error)) await parts.draft.discard();
    throw error;
  }
  const saved = await parts.store.save(pair);
  await parts.draft.discard();
  return saved;
}

function checkAnswer(certificate: string, key: string, order: CertificateOrder): CheckedPair {
  let pair: CheckedPair;
  try {
    pair = parsePair(certificate, key, 'answer to the certificate signing request');
  } catch (cause) {
    throw new WrongCertificateError('the cluster signed something else than was asked for', {
      cause,
      retryable: true,
    });
  }
  const { commonName } = order.subject;
  if (pair.leaf.commonName !== commonName) {
    throw new WrongCertificateError(
      `the cluster signed a certificate for ${JSON.stringify(pair.leaf.commonName)} instead of ${commonName}`,
      { retryable: true },
    );
  }
  return pair;
}
