/** From a bootstrap token to a node, with kubeadm's bindings, and on with certificates that end soon. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import type { ApiObject } from '#lib/kube/client.ts';
import type { Lease } from '#kubelet/node/lease.ts';
import { container, isRunning, podManifest } from '#test/bed/manifests.ts';
import { certificateOf, useClusterNode } from '#test/control-plane/cluster-node.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { testResources } from '#test/control-plane/resources.ts';

const { certificateSigningRequests, leases } = testResources;

interface SigningRequest extends ApiObject {
  spec: { signerName: string; username?: string; usages?: string[] };
  status?: { certificate?: string; conditions?: { type: string }[] };
}

describe('a node that joins by a bootstrap token', () => {
  const node = useClusterNode({ identity: 'bootstrap' });
  const current = async (): Promise<X509Certificate> =>
    new X509Certificate(await certificateOf(node.kubeconfig));
  const requests = async (): Promise<SigningRequest[]> =>
    (await node.plane.client.list<SigningRequest>(certificateSigningRequests)).items;

  test('has a certificate of its own, and runs pods with no right beyond a node’s', async () => {
    const certificate = await current();
    expect(certificate.subject).toBe('O=system:nodes\nCN=system:node:n1');
    expect(certificate.checkIssued(new X509Certificate(node.plane.ca))).toBe(true);
    const kubeconfig = await readFile(node.kubeconfig, 'utf8');
    expect(kubeconfig).toContain('/pki/kubelet-client-current.pem');
    expect(kubeconfig).not.toContain('abcdef');
    const [first] = await requests();
    expect(first?.spec.signerName).toBe('kubernetes.io/kube-apiserver-client-kubelet');
    expect(first?.spec.username).toBe('system:bootstrap:abcdef');
    expect(first?.status?.conditions?.map(({ type }) => type)).toEqual(['Approved']);
    await node.createPod(podManifest('pod', [container('main')]));
    await node.waitForPod('pod', isRunning);
  });

  test('an agent that starts again asks for nothing', async () => {
    const before = await requests();
    await node.agent.restart();
    await node.waitForNode();
    expect(await requests()).toHaveLength(before.length);
  });
});

describe('a certificate that ends soon', () => {
  // The controller manager dates certificates five minutes back: 70 to 90 % of their life are over within 90 s.
  const node = useClusterNode({
    identity: 'bootstrap',
    nodeName: 'n2',
    flags: ['--rotate-certificates'],
    plane: { fake: { csr: { validitySeconds: 24 } }, real: { signingDuration: '130s' } },
  });

  test(
    'is renewed as the node itself, before its end; nothing stands still',
    { timeout: 200_000 },
    async () => {
      const first = new X509Certificate(await certificateOf(node.kubeconfig));
      const next = await eventually(async () => {
        const now = new X509Certificate(await certificateOf(node.kubeconfig));
        return now.fingerprint256 !== first.fingerprint256 && now;
      }, 120_000);
      expect(Date.now()).toBeLessThan(Date.parse(first.validTo));
      expect(next.subject).toBe(first.subject);
      const { items } = await node.plane.client.list<SigningRequest>(certificateSigningRequests);
      expect(items.map(({ spec }) => spec.username)).toContain('system:node:n2');

      // The first certificate is over: what goes on goes on with another.
      const pause = Date.parse(first.validTo) - Date.now() + 1000;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, pause)));
      const over = Date.now();
      await eventually(async () => {
        const lease = await node.plane.client.get<Lease>(leases, {
          name: 'n2',
          namespace: 'kube-node-lease',
        });
        return Date.parse(lease.spec?.renewTime ?? '') > over;
      }, 20_000);
      await node.createPod(podManifest('late', [container('main')]));
      await node.waitForPod('late', isRunning);
      expect(await node.agent.log()).not.toContain(' PRIVATE KEY');
    },
  );
});
