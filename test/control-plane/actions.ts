/** What a scheduler, a person or a controller does, on either control plane. */
import { isApiAlreadyExists } from '#lib/kube/api-error.ts';
import type { ApiObject } from '#lib/kube/client.ts';
import type { Pod } from '#lib/kube/types.ts';
import type { TestClient } from './client.ts';
import { testResources } from './resources.ts';

/** Assigns a pod to a node, as the scheduler does. */
export async function bind(client: TestClient, pod: Pod, nodeName: string): Promise<void> {
  const { name = '', namespace = 'default', uid } = pod.metadata ?? {};
  const body = {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name, namespace, uid },
    target: { apiVersion: 'v1', kind: 'Node', name: nodeName },
  };
  await client.create(testResources.pods, body, { namespace, name, subresource: 'binding' });
}

/** Creates a pod that is on the node from the start. */
export function createPodOn(client: TestClient, manifest: string | Pod, nodeName: string): Promise<Pod> {
  const pod = typeof manifest === 'string' ? (JSON.parse(manifest) as Pod) : manifest;
  return client.create<Pod>(testResources.pods, { ...pod, spec: { ...pod.spec, nodeName } });
}

interface SigningRequest extends ApiObject {
  spec: { signerName: string; username?: string };
  status?: { conditions?: { type: string; reason?: string }[]; certificate?: string };
}

/** Approves (or denies) a CertificateSigningRequest, as `kubectl certificate approve` does. */
export async function judgeCsr(
  client: TestClient,
  name: string,
  verdict: 'Approved' | 'Denied' = 'Approved',
): Promise<void> {
  const resource = testResources.certificateSigningRequests;
  const csr = await client.get<SigningRequest>(resource, { name });
  const now = new Date().toISOString();
  const condition = {
    type: verdict,
    status: 'True',
    reason: 'Test',
    message: 'by the test',
    lastUpdateTime: now,
  };
  const conditions = [...(csr.status?.conditions ?? []), condition];
  const judged = { ...csr, status: { ...csr.status, conditions } };
  await client.replace(resource, judged, { name, subresource: 'approval' });
}

/** Creates a namespace with what pods there need, and waits for it. */
export async function createNamespace(client: TestClient, name: string): Promise<void> {
  await client.create(testResources.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  await ensureServiceAccount(client, name);
}

/** The controller manager makes it; without one (the fake makes its own) the test bed does. */
export async function ensureServiceAccount(client: TestClient, namespace: string): Promise<void> {
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } };
  if ((await client.find(testResources.serviceAccounts, { name: 'default', namespace })) !== undefined)
    return;
  await client.create(testResources.serviceAccounts, account).catch((error: unknown) => {
    if (!isApiAlreadyExists(error)) throw error;
  });
}
