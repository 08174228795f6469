import { connect } from 'node:http2';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { ApiObject } from '#lib/kube/client.ts';
import type { Pod } from '#lib/kube/types.ts';
import { createPodOn } from '#test/control-plane/actions.ts';
import { TestClient } from '#test/control-plane/client.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { useFake } from './fake.ts';

const fake = useFake();
const { pods, configMaps, leases, nodes, serviceAccounts } = testResources;

afterEach(() => fake().behave());

type TokenRequest = ApiObject & { status: { token: string } };

const configMap = (name: string): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
const newPod = (name: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'main', image: 'a:1' }] },
});

/** A client of short patience, on connections of its own. */
async function hasty(): Promise<TestClient> {
  const kubeconfig = JSON.parse(await fake().adminKubeconfig()) as {
    users: [{ user: Record<string, string> }];
  };
  const { user } = kubeconfig.users[0];
  const pem = (field: string): string => Buffer.from(user[field] ?? '', 'base64').toString();
  const pair = { certificate: pem('client-certificate-data'), key: pem('client-key-data') };
  return new TestClient(fake().url, fake().ca, pair, 400);
}

describe('requests', () => {
  test('are refused as often as wanted, and no others', async () => {
    const { client } = fake();
    const fault = fake().misbehave(
      { resource: 'configmaps', verb: 'get' },
      { type: 'refuse', status: 429, retryAfterSeconds: 2 },
      2,
    );
    const at = { name: 'kube-root-ca.crt' };
    for (let times = 0; times < 2; times += 1) {
      await expect(client.get(configMaps, at)).rejects.toMatchObject({
        status: 429,
        reason: 'TooManyRequests',
        retryAfterMs: 2000,
      });
      await client.get(serviceAccounts, { name: 'default' });
    }
    expect(await client.get(configMaps, at)).toBeDefined();
    expect(fault.hits).toBe(2);
    fake().misbehave({ path: /kube-root/ }, { type: 'refuse', status: 503 });
    await expect(client.get(configMaps, at)).rejects.toMatchObject({
      status: 503,
      reason: 'ServiceUnavailable',
    });
  });

  test('are answered late, or never', async () => {
    const client = await hasty();
    const at = { name: 'kube-root-ca.crt' };
    fake().misbehave({ user: 'admin' }, { type: 'delay', ms: 150 });
    const start = Date.now();
    await client.get(configMaps, at);
    expect(Date.now() - start).toBeGreaterThanOrEqual(145);
    fake().behave();
    fake().misbehave({ userAgent: /^test-client/ }, { type: 'hang' });
    await expect(client.get(configMaps, at)).rejects.toMatchObject({ status: 0 });
    fake().behave();
    await client.get(configMaps, at);
    client.close();
  });

  test('are cut off before they are served, or after', async () => {
    const { client } = fake();
    fake().misbehave({ verb: 'create', resource: 'configmaps' }, { type: 'cut' }, 1);
    await expect(client.create(configMaps, configMap('cut'))).rejects.toMatchObject({ status: 0 });
    expect(await client.find(configMaps, { name: 'cut' })).toBeUndefined();
    fake().misbehave({ verb: 'create', resource: 'configmaps' }, { type: 'lose-answer' }, 1);
    await expect(client.create(configMaps, configMap('lost'))).rejects.toMatchObject({ status: 0 });
    expect(await client.find(configMaps, { name: 'lost' })).toBeDefined();
  });
});

describe('watches', () => {
  test('are dropped', async () => {
    const watch = fake().client.watch(pods);
    const other = fake().client.watch(nodes);
    await wait(50);
    expect(fake().watches()).toBe(2);
    fake().dropWatches({ resource: 'pods' });
    await watch.ended;
    expect(fake().watches()).toBe(1);
    fake().dropWatches({}, true);
    await other.ended;
    expect(fake().watches()).toBe(0);
  });

  test('stall and go on', async () => {
    const { client } = fake();
    const watch = client.watch(configMaps, { resourceVersion: `${fake().store.revision}` });
    await wait(50);
    const release = fake().stallWatches({ resource: 'configmaps' });
    await client.create(configMaps, configMap('stalled'));
    await wait(100);
    expect(watch.pending).toEqual([]);
    release();
    expect(await watch.next()).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'stalled' } } });
    watch.close();
  });

  test('are told 410', async () => {
    const watch = fake().client.watch(pods, { resourceVersion: `${fake().store.revision}` });
    await wait(50);
    fake().expireWatches();
    expect(await watch.next()).toMatchObject({ type: 'ERROR', object: { code: 410 } });
    await watch.ended;
  });
});

describe('connections', () => {
  test('half-open: accepted, never answered, new and old', async () => {
    const client = await hasty();
    await client.list(nodes);
    fake().goDeaf();
    await expect(client.list(nodes)).rejects.toMatchObject({ status: 0 });
    const fresh = await hasty();
    await expect(fresh.list(nodes)).rejects.toMatchObject({ status: 0 });
    fake().hear();
    await client.list(nodes);
    await fresh.list(nodes);
    client.close();
    fresh.close();
  });

  test('are reset; the server is gone and comes back on the same port', async () => {
    const { client, url } = fake();
    const watch = client.watch(pods);
    await wait(50);
    fake().cutConnections();
    await watch.ended;
    await client.list(nodes);
    await fake().stop();
    const other = await hasty();
    await expect(other.list(nodes)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    other.close();
    await fake().start();
    await client.list(nodes);
    expect(fake().url).toBe(url);
  });

  test('over HTTP/2: many requests on one, and GOAWAY', async () => {
    const session = connect(fake().url, { ca: fake().ca });
    const get = (path: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const stream = session.request({ ':path': path });
        stream.on('response', (headers) => resolve(Number(headers[':status'])));
        stream.on('error', reject);
        stream.resume();
      });
    expect(await Promise.all(['/healthz', '/version', '/api/v1/pods', '/nonsense'].map(get))).toEqual([
      200, 200, 403, 404,
    ]);
    const goaway = new Promise((resolve) => session.on('goaway', resolve));
    fake().goAway();
    await goaway;
    session.destroy();
  });
});

describe('time and identity', () => {
  test("certificates end: the server's own, and the clients' by a clock that is wrong", async () => {
    await fake().serveCertificate({ notAfter: new Date(Date.now() - 1000) });
    const late = await hasty();
    await expect(late.list(nodes)).rejects.toMatchObject({ cause: { code: 'CERT_HAS_EXPIRED' } });
    await fake().serveCertificate({ hosts: ['elsewhere.test'] });
    await expect(late.list(nodes)).rejects.toMatchObject({ cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
    await fake().serveCertificate();
    await late.list(nodes);
    late.close();

    const node = await fake().clientAs('system:node:a', ['system:nodes']);
    await expect(node.get(nodes, { name: 'a' })).rejects.toMatchObject({ status: 404 });
    fake().skewClock(2 * 86_400_000);
    await expect(node.get(nodes, { name: 'a' })).rejects.toMatchObject({ status: 401 });
  });

  test('bootstrap tokens are refused', async () => {
    const client = fake().clientWithToken('abcdef.0123456789abcdef');
    await client.list(testResources.certificateSigningRequests);
    fake().refuseBootstrap();
    await expect(client.list(testResources.certificateSigningRequests)).rejects.toMatchObject({
      status: 401,
    });
  });

  test('tokens of service accounts end', async () => {
    const ask = (): Promise<TokenRequest> =>
      fake().client.create<TokenRequest>(
        serviceAccounts,
        { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', metadata: {}, spec: {} },
        { name: 'default', subresource: 'token' },
      );
    const { token } = (await ask()).status;
    const client = fake().clientWithToken(token);
    await expect(client.list(nodes)).rejects.toMatchObject({ status: 403 });
    fake().skewClock(3_700_000);
    await expect(client.list(nodes)).rejects.toMatchObject({ status: 401 });
  });
});

describe('the record', () => {
  test('tells every request', async () => {
    const { client, recorder } = fake();
    recorder.clear();
    await client.create(configMaps, configMap('recorded'));
    await client.list(configMaps, { namespace: 'default', labelSelector: 'a=b' });
    expect(recorder.requests).toMatchObject([
      {
        method: 'POST',
        verb: 'create',
        resource: 'configmaps',
        namespace: 'default',
        user: 'admin',
        status: 201,
        body: { metadata: { name: 'recorded' } },
      },
      { verb: 'list', path: expect.stringContaining('labelSelector=a%3Db') as string, status: 200 },
    ]);
    for (const record of recorder.requests) {
      expect(record.responseBytes).toBeGreaterThan(20);
      expect(Date.now() - record.at).toBeLessThan(5000);
    }
    expect(recorder.count({ verb: 'create', user: /^system:node:/ })).toBe(0);
  });

  test('shows every status that was published, as it is published', async () => {
    const { client, recorder } = fake();
    const phases: unknown[] = [];
    const stop = recorder.onStatusWrite(({ status }) => phases.push(status.phase));
    await createPodOn(client, newPod('published'), 'n');
    const at = { name: 'published', subresource: 'status' };
    for (const phase of ['Running', 'Running', 'Succeeded'])
      await client.patch(pods, at, { status: { phase } });
    stop();
    expect(phases).toEqual(['Running', 'Running', 'Succeeded']);
    expect(recorder.publishedStatuses('default', 'published').map(({ changed }) => changed)).toEqual([
      true,
      false,
      true,
    ]);
  });

  test("the longest gap between a lease's renewals", async () => {
    const { client, recorder } = fake();
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'n1', namespace: 'kube-node-lease' },
    };
    await client.create(leases, lease);
    await wait(120);
    const at = { name: 'n1', namespace: 'kube-node-lease' };
    await client.patch(leases, at, { spec: { leaseDurationSeconds: 40 } }, 'merge');
    await expect(client.replace(leases, lease)).rejects.toMatchObject({ status: 422 });
    const gap = recorder.longestLeaseGap('n1');
    expect(gap).toBeGreaterThanOrEqual(115);
    expect(gap).toBeLessThan(2000);
    expect(recorder.longestLeaseGap('n2')).toBe(0);
  });
});
