import type { ServiceAccounts } from '#kubelet/images/providers/provider.ts';
import { isApiNotFound } from '#lib/kube/api-error.ts';
import { type ApiObject, type KubeClient, resources } from '#lib/kube/client.ts';

/** Pulling waits for these calls. */
const DEADLINE_MS = 10_000;

const call = (): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(DEADLINE_MS) });

interface TokenRequest extends ApiObject {
  status?: { token?: string };
}

/** Service accounts as image credential providers use them. */
export const serviceAccountsOf = (client: Pick<KubeClient, 'get' | 'create'>): ServiceAccounts => ({
  async find(namespace, name) {
    try {
      const { metadata } = await client.get(resources.serviceAccounts, { namespace, name }, call());
      return { uid: metadata?.uid ?? '', annotations: metadata?.annotations ?? {} };
    } catch (error) {
      if (isApiNotFound(error)) return undefined;
      throw error;
    }
  },
  async token({ metadata, spec }, audience) {
    const answer = await client.create<TokenRequest>(
      resources.serviceAccounts,
      { namespace: metadata.namespace, name: spec.serviceAccountName ?? '', subresource: 'token' },
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {
          audiences: [audience],
          boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: metadata.name, uid: metadata.uid },
        },
      },
      call(),
    );
    return answer.status?.token ?? '';
  },
});
