/** What a cluster made by kubeadm has and a bare API server lacks, as far as a node needs it. */
import { isApiAlreadyExists } from '#lib/kube/api-error.ts';
import type { Resource } from '#lib/kube/client.ts';
import type { TestClient } from './client.ts';
import { testResources } from './resources.ts';

export const bootstrapToken = { id: 'abcdef', secret: '0123456789abcdef' } as const;
const bootstrapGroup = 'system:bootstrappers:kubeadm:default-node-token';

const encode = (text: string): string => Buffer.from(text).toString('base64');

const binding = (name: string, role: string, group: string): [Resource, unknown] => [
  testResources.clusterRoleBindings,
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: group }],
  },
];

const approval = 'system:certificates.k8s.io:certificatesigningrequests';

const objects: readonly [Resource, unknown][] = [
  [
    testResources.secrets,
    {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'bootstrap.kubernetes.io/token',
      metadata: { name: `bootstrap-token-${bootstrapToken.id}`, namespace: 'kube-system' },
      data: {
        'token-id': encode(bootstrapToken.id),
        'token-secret': encode(bootstrapToken.secret),
        'usage-bootstrap-authentication': encode('true'),
        'auth-extra-groups': encode(bootstrapGroup),
      },
    },
  ],
  binding('kubeadm:kubelet-bootstrap', 'system:node-bootstrapper', bootstrapGroup),
  binding('kubeadm:node-autoapprove-bootstrap', `${approval}:nodeclient`, bootstrapGroup),
  binding('kubeadm:node-autoapprove-certificate-rotation', `${approval}:selfnodeclient`, 'system:nodes'),
];

/** Creates what isn't there yet. */
export async function setUpCluster(client: TestClient): Promise<void> {
  for (const [resource, object] of objects) {
    await client.create(resource, object).catch((error: unknown) => {
      if (!isApiAlreadyExists(error)) throw error;
    });
  }
}
