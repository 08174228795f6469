/** What calls on drivers carry that must be fetched: secrets and tokens. */
import { type KubeClient, resources } from '#lib/kube/client.ts';
import { NodeletError, describeError } from '#lib/errors.ts';
import type { AgentPod, CsiDriver, Secret } from '#lib/kube/types.ts';
import type { ServiceAccountTokens } from '../content.ts';
import type { SecretReference } from './csi-request.ts';

export class CsiContextError extends NodeletError {
  readonly code = 'CSI_CONTEXT';
}

/** The secret's values as text. */
export async function secretValues(
  client: Pick<KubeClient, 'get'>,
  reference: SecretReference | undefined,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  if (reference === undefined) return {};
  const { namespace, name } = reference;
  try {
    const secret = await client.get<Secret>(resources.secrets, reference, { signal });
    const entries = Object.entries(secret.data ?? {});
    return Object.fromEntries(
      entries.map(([key, text]) => [key, Buffer.from(text, 'base64').toString('utf8')]),
    );
  } catch (cause) {
    signal.throwIfAborted();
    const message = `secret ${namespace}/${name} of the volume can't be read: ${describeError(cause)}`;
    throw new CsiContextError(message, { cause, retryable: true });
  }
}

const TOKENS = 'csi.storage.k8s.io/serviceAccount.tokens';

/** The pod's tokens for the audiences that the CSIDriver object names, as the driver expects them. */
export async function tokenAttributes(
  pod: AgentPod,
  spec: CsiDriver['spec'] | undefined,
  tokens: ServiceAccountTokens | undefined,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const wishes = spec?.tokenRequests ?? [];
  if (wishes.length === 0 || tokens === undefined) return {};
  const found: Record<string, { token: string; expirationTimestamp?: string }> = {};
  for (const { audience = '', expirationSeconds = 3600 } of wishes) {
    const token = await tokens.token(pod, { audience, expirationSeconds }, signal);
    const expires = expiryOf(token);
    found[audience] = { token, ...(expires === undefined ? {} : { expirationTimestamp: expires }) };
  }
  return { [TOKENS]: JSON.stringify(found) };
}

/** A token says itself until when it is good. */
function expiryOf(token: string): string | undefined {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
      exp?: unknown;
    };
    return typeof claims.exp === 'number'
      ? new Date(claims.exp * 1000).toISOString().replace('.000Z', 'Z')
      : undefined;
  } catch {
    return undefined;
  }
}
