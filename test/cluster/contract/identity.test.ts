import { createPrivateKey, randomUUID, X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { ApiObject } from '#lib/kube/client.ts';
import type { Pod } from '#lib/kube/types.ts';
import { createPodOn, judgeCsr } from '#test/control-plane/actions.ts';
import { TestClient } from '#test/control-plane/client.ts';
import { claimsOf } from '#test/control-plane/fake/auth/jwt.ts';
import { makeRequest } from '#test/control-plane/pki.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { bootstrapToken } from '#test/control-plane/set-up.ts';
import { useControlPlane } from '#test/control-plane/start.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { barePod } from '../objects.ts';

const plane = useControlPlane();
const { pods, nodes, serviceAccounts, tokenReviews, certificateSigningRequests: requests } = testResources;

interface Csr extends ApiObject {
  spec: { username?: string; groups?: string[] };
  status?: { certificate?: string; conditions?: { type: string; status: string; reason?: string }[] };
}

describe('who calls', () => {
  test('a bad token, and nobody', async () => {
    const bad = plane().clientWithToken('nonsense');
    await expect(bad.list(pods)).rejects.toMatchObject({ status: 401, reason: 'Unauthorized' });
    const nobody = plane().clientWithToken(undefined);
    await expect(nobody.list(pods)).rejects.toMatchObject({ status: 403, reason: 'Forbidden' });
    expect((await nobody.raw('GET', '/readyz')).status).toBe(200);
  });

  test('a certificate that has expired', async () => {
    const past = { notBefore: new Date(Date.now() - 7_200_000), notAfter: new Date(Date.now() - 3_600_000) };
    const late = await plane().clientAs('system:node:n', ['system:nodes'], past);
    await expect(late.get(nodes, { name: 'n' })).rejects.toMatchObject({ status: 401 });
  });
});

describe("a node's certificate", () => {
  const bootstrap = (): TestClient =>
    plane().clientWithToken(`${bootstrapToken.id}.${bootstrapToken.secret}`);

  async function ask(
    client: TestClient,
    signerName: string,
    usages: string[],
    hosts: string[] = [],
    more: object = {},
  ): Promise<{ csr: Csr; key: string }> {
    const subject = { commonName: 'system:node:boot', organizations: ['system:nodes'], hosts };
    const { request, key } = await makeRequest(subject);
    const csr = await client.create<Csr>(requests, {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      // As kubelet names them: a digest in base64, which is no DNS name.
      metadata: { name: `node-csr-A_${randomUUID()}` },
      spec: { request: Buffer.from(request).toString('base64'), signerName, usages, ...more },
    });
    return { csr, key };
  }

  const signed = ({ metadata }: Csr): Promise<string> =>
    eventually(async () => {
      const { status } = await plane().client.get<Csr>(requests, { name: metadata?.name ?? '' });
      return status?.certificate;
    });
  const pem = (encoded: string): string => Buffer.from(encoded, 'base64').toString();

  test('is signed for a bootstrap token, and makes a node of its bearer', async () => {
    const { csr, key } = await ask(
      bootstrap(),
      'kubernetes.io/kube-apiserver-client-kubelet',
      ['client auth', 'digital signature'],
      [],
      { expirationSeconds: 3600 },
    );
    expect(csr.spec).toMatchObject({
      username: 'system:bootstrap:abcdef',
      groups: expect.arrayContaining([
        'system:bootstrappers',
        'system:bootstrappers:kubeadm:default-node-token',
        'system:authenticated',
      ]) as string[],
    });
    const certificate = pem(await signed(csr));
    const parsed = new X509Certificate(certificate);
    expect(parsed.subject).toBe('O=system:nodes\nCN=system:node:boot');
    expect(parsed.checkPrivateKey(createPrivateKey(key))).toBe(true);
    const life = Date.parse(parsed.validTo) - Date.now();
    expect(life).toBeGreaterThan(3_000_000);
    expect(life).toBeLessThan(3_700_000);
    const node = new TestClient(plane().url, plane().ca, { certificate, key });
    await expect(node.get(nodes, { name: 'boot' })).rejects.toMatchObject({ status: 404 });
    await expect(node.get(nodes, { name: 'other' })).rejects.toMatchObject({ status: 403 });

    // And the node's own next one.
    const next = await ask(node, 'kubernetes.io/kube-apiserver-client-kubelet', [
      'client auth',
      'digital signature',
    ]);
    expect(next.csr.spec.username).toBe('system:node:boot');
    expect(new X509Certificate(pem(await signed(next.csr))).subject).toContain('CN=system:node:boot');
    node.close();
  });

  test("for serving waits for a person's word", async () => {
    const client = await plane().clientAs('system:node:boot', ['system:nodes']);
    const serving = 'kubernetes.io/kubelet-serving';
    const usages = ['digital signature', 'server auth'];
    const { csr } = await ask(client, serving, usages, ['boot', '192.0.2.10']);
    const name = csr.metadata?.name ?? '';
    await new Promise((resolve) => setTimeout(resolve, 300));
    const waiting = await plane().client.get<Csr>(requests, { name });
    expect(waiting.status).toEqual({});
    await judgeCsr(plane().client, name);
    const parsed = new X509Certificate(pem(await signed(csr)));
    expect(parsed.subjectAltName).toBe('DNS:boot, IP Address:192.0.2.10');

    const denied = await ask(client, serving, usages, ['boot']);
    await judgeCsr(plane().client, denied.csr.metadata?.name ?? '', 'Denied');
    const { status } = await plane().client.get<Csr>(requests, { name: denied.csr.metadata?.name ?? '' });
    expect(status).toMatchObject({ conditions: [{ type: 'Denied', status: 'True' }] });
    expect(status?.certificate).toBeUndefined();
  });

  test('a bootstrap token may do nothing else', async () => {
    await expect(bootstrap().list(nodes)).rejects.toMatchObject({ status: 403 });
    await expect(bootstrap().list(requests)).resolves.toMatchObject({
      items: expect.any(Array) as unknown[],
    });
  });

  test('a node asks for no other name', async () => {
    const other = await plane().clientAs('system:node:other', ['system:nodes']);
    await expect(
      ask(other, 'kubernetes.io/kube-apiserver-client-kubelet', ['client auth', 'digital signature']),
    ).rejects.toMatchObject({ status: 403 });
  });
});

describe("a service account's token", () => {
  const at = { name: 'default', subresource: 'token' };
  const body = (spec: object): object => ({
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: {},
    spec,
  });
  const refTo = (pod: Pod, uid = pod.metadata?.uid): object => ({
    boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod.metadata?.name, uid },
  });
  type TokenRequest = ApiObject & { status: { token: string; expirationTimestamp: string } };

  async function review(token: string, audiences?: string[]): Promise<Record<string, unknown>> {
    const spec = audiences === undefined ? { token } : { token, audiences };
    const answer = await plane().client.create<ApiObject & { status: Record<string, unknown> }>(
      tokenReviews,
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec,
      },
    );
    return answer.status;
  }

  test('is bound to its pod and dies with it', async () => {
    const { client } = plane();
    const pod = await createPodOn(client, barePod(), 'token-node');
    const asked = body({ ...refTo(pod), expirationSeconds: 1200, audiences: ['vault'] });
    const { status } = await client.create<TokenRequest>(serviceAccounts, asked, at);
    const claims = claimsOf(status.token);
    expect(claims).toMatchObject({
      aud: ['vault'],
      sub: 'system:serviceaccount:default:default',
      'kubernetes.io': {
        namespace: 'default',
        node: { name: 'token-node' },
        pod: { name: pod.metadata?.name, uid: pod.metadata?.uid },
        serviceaccount: { name: 'default' },
      },
    });
    expect(Number(claims['exp']) - Number(claims['iat'])).toBe(1200);
    const ends = Date.parse(status.expirationTimestamp) / 1000;
    expect(Math.abs(ends - Number(claims['exp']))).toBeLessThanOrEqual(1);
    expect((await review(status.token))['authenticated']).toBeUndefined();
    expect(await review(status.token, ['vault', 'more'])).toMatchObject({
      authenticated: true,
      audiences: ['vault'],
      user: {
        username: 'system:serviceaccount:default:default',
        extra: { 'authentication.kubernetes.io/pod-name': [pod.metadata?.name] },
      },
    });
    await client.delete(pods, { name: pod.metadata?.name ?? '' }, { gracePeriodSeconds: 0 });
    // The real server remembers a good token for a few seconds.
    await eventually(async () => (await review(status.token, ['vault']))['authenticated'] !== true);
  });

  test('is refused where what it is bound to does not fit', async () => {
    const { client } = plane();
    const pod = await createPodOn(client, barePod(), 'token-node');
    const ask = (spec: object, name = 'default'): Promise<TokenRequest> =>
      client.create<TokenRequest>(serviceAccounts, body(spec), { ...at, name });
    const uid = '00000000-0000-4000-8000-000000000000';
    await expect(ask(refTo(pod, uid))).rejects.toMatchObject({ status: 409 });
    await expect(
      ask({ boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'gone' } }),
    ).rejects.toMatchObject({
      status: 404,
    });
    await expect(ask({ expirationSeconds: 60 })).rejects.toMatchObject({ status: 422 });
    await expect(ask({}, 'nobody')).rejects.toMatchObject({ status: 404 });
    await client.create(serviceAccounts, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'another' },
    });
    await expect(ask(refTo(pod), 'another')).rejects.toMatchObject({ status: 400 });
    const plain = await ask({});
    expect(await review(plain.status.token)).toMatchObject({ authenticated: true });
    const asAccount = plane().clientWithToken(plain.status.token);
    await expect(asAccount.list(pods, { namespace: 'default' })).rejects.toMatchObject({ status: 403 });
  });
});
