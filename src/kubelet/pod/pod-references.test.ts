/** Pods that take something from elsewhere, on the fake runtime. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MissingReferenceError } from '#lib/kube/referenced.ts';
import type { AgentPod, ConfigMap, RuntimeClass, Service } from '#lib/kube/types.ts';
import { VolumeError } from '#volumes/errors.ts';
import { PodBed, makePod } from './testing/pod-bed.ts';

let bed: PodBed;
beforeEach(() => {
  bed = new PodBed();
});
afterEach(() => bed.dispose());

const configMap = (name: string, data: Record<string, string>): ConfigMap => ({
  metadata: { namespace: 'default', name },
  data,
});
const fromConfig = (name: string, key: string) => [
  { name: 'VALUE', valueFrom: { configMapKeyRef: { name, key } } },
];
const messagesOf = (reason: string): string[] =>
  bed.events.list().flatMap((event) => (event.reason === reason ? [event.message ?? ''] : []));
const envOf = (name: string): Record<string, string> => {
  const container = [...bed.runtime.machine.containers.values()].find(
    ({ config }) => config.metadata.name === name,
  );
  return Object.fromEntries((container?.config.envs ?? []).map(({ key, value }) => [key, value]));
};

describe('environment', () => {
  test('a missing ConfigMap holds up its container only, and that one starts as soon as it is there', async () => {
    bed.objects.replace({});
    bed.workers.setDesired([
      makePod('p', { containers: [{ name: 'a', env: fromConfig('cm', 'k') }, { name: 'b' }] }),
    ]);
    await bed.runUntil(() => bed.running().includes('b#0'));
    expect(bed.container('p', 'a')?.state?.waiting).toEqual({
      reason: 'CreateContainerConfigError',
      message: 'configmap "cm" not found',
    });
    expect(messagesOf('Failed')).toEqual(['Error: configmap "cm" not found']);
    // Long enough for the pauses between tries to grow to half a minute.
    await bed.run(100_000);
    expect(bed.running()).toEqual(['b#0']);
    const before = bed.clock.now();
    bed.objects.replace({ configMaps: [configMap('cm', { other: 'x' })] });
    await bed.until(
      () =>
        bed.container('p', 'a')?.state?.waiting?.message === "couldn't find key k in ConfigMap default/cm",
    );
    bed.objects.replace({ configMaps: [configMap('cm', { k: 'v' })] });
    await bed.until(() => bed.running().includes('a#0'));
    expect(bed.clock.now() - before).toBeLessThan(1000);
    expect(envOf('a')).toEqual({ VALUE: 'v' });
  });

  test('variables are taken anew at each start, and never changed in a running container', async () => {
    bed.runtime.behave('a', (attempt) => (attempt === 0 ? { exitAfter: { ms: 5000, code: 1 } } : {}));
    bed.objects.replace({ configMaps: [configMap('cm', { k: 'one' })] });
    bed.workers.setDesired([makePod('p', { containers: [{ name: 'a', env: fromConfig('cm', 'k') }] })]);
    await bed.until(() => bed.running().length === 1);
    expect(envOf('a')).toEqual({ VALUE: 'one' });
    bed.objects.replace({ configMaps: [configMap('cm', { k: 'two' })] });
    await bed.run(1000);
    expect(bed.running()).toEqual(['a#0']);
    await bed.runUntil(() => bed.running().includes('a#1'));
    const restarted = [...bed.runtime.machine.containers.values()].at(-1);
    expect(restarted?.config.envs).toEqual([{ key: 'VALUE', value: 'two' }]);
  });

  test('no container of the API starts before services were listed; a static pod’s does', async () => {
    const handlers: (() => void)[] = [];
    const services: Service[] = [
      {
        metadata: { namespace: 'default', name: 'kubernetes' },
        spec: { clusterIP: '10.0.0.1', ports: [{ port: 443 }] },
      },
    ];
    const lister = {
      hasSynced: false,
      list: () => (lister.hasSynced ? services : []),
      synced: (signal: AbortSignal) =>
        new Promise<void>((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        }),
      onChange: (handler: () => void) => void handlers.push(handler),
    };
    bed.services = lister;
    bed.restartAgent();
    bed.objects.replace({});
    const ofFile: AgentPod = makePod('static', { containers: [{ name: 's' }] });
    ofFile.metadata.annotations = { 'kubernetes.io/config.source': 'file' };
    bed.workers.setDesired([makePod('p', { containers: [{ name: 'a' }] }), ofFile]);
    await bed.run(1000);
    expect(bed.container('p', 'a')?.state?.waiting?.reason).toBe('CreateContainerConfigError');
    expect(bed.container('p', 'a')?.state?.waiting?.message).toMatch(/services have not yet been read/);
    expect(bed.running()).toEqual(['s#0']);
    lister.hasSynced = true;
    for (const handler of handlers) handler();
    await bed.until(() => bed.running().includes('a#0'));
    expect(envOf('a')).toMatchObject({ KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' });
  });
});

describe('volumes', () => {
  const volumePod = (): AgentPod =>
    makePod('p', { containers: [{ name: 'a' }], volumes: [{ name: 'v', configMap: { name: 'cm' } }] });

  test('a missing object: upstream’s event, and a new try as soon as it is there', async () => {
    const cause = new MissingReferenceError('configmap "cm" not found');
    bed.objects.replace({});
    bed.volumeFailure = new VolumeError('v', cause.message, { cause });
    bed.workers.setDesired([volumePod()]);
    await bed.runUntil(() => messagesOf('FailedMount').length > 0);
    expect(messagesOf('FailedMount')).toEqual([
      'MountVolume.SetUp failed for volume "v" : configmap "cm" not found',
    ]);
    expect(bed.container('p', 'a')?.state?.waiting?.reason).toBe('ContainerCreating');
    await bed.run(100_000);
    expect(bed.running()).toEqual([]);
    bed.volumeFailure = undefined;
    bed.objects.replace({ configMaps: [configMap('cm', {})] });
    await bed.until(() => bed.running().length === 1);
    expect(bed.refreshed).toEqual([]);
  });

  test('renewed at a change, by a new agent once, and not for nothing', async () => {
    bed.objects.replace({ configMaps: [configMap('cm', { a: '1' })] });
    bed.workers.setDesired([volumePod()]);
    await bed.until(() => bed.running().length === 1);
    await bed.run(1000);
    expect(bed.refreshed).toEqual([]);
    bed.objects.replace({ configMaps: [configMap('cm', { a: '2' })] });
    await bed.until(() => bed.refreshed.length === 1);
    bed.objects.replace({ configMaps: [configMap('cm', { a: '2' })] });
    await bed.run(60_000);
    expect(bed.refreshed).toHaveLength(1);
    bed.restartAgent();
    bed.objects.replace({ configMaps: [configMap('cm', { a: '3' })] });
    bed.workers.setDesired([volumePod()]);
    await bed.until(() => bed.refreshed.length === 2);
    await bed.run(60_000);
    expect(bed.refreshed).toHaveLength(2);
    expect(bed.running()).toEqual(['a#0']);
  });

  test('a renewal that nobody answers is no event', async () => {
    bed.objects.replace({ configMaps: [configMap('cm', {})] });
    bed.workers.setDesired([volumePod()]);
    await bed.until(() => bed.running().length === 1);
    const cause = new MissingReferenceError('failed to sync configmap cache', { isUnknown: true });
    bed.volumeFailure = new VolumeError('v', cause.message, { cause });
    bed.restartAgent();
    bed.workers.setDesired([volumePod()]);
    await bed.until(() => bed.refreshed.length === 1);
    await bed.run(60_000);
    expect(messagesOf('FailedMount')).toEqual([]);
    bed.volumeFailure = undefined;
    const before = bed.refreshed.length;
    bed.objects.replace({ configMaps: [configMap('cm', {})] });
    await bed.until(() => bed.refreshed.length === before + 1);
  });

  test('a renewal that fails holds up nothing else, and is tried again', async () => {
    bed.runtime.behave('a', (attempt) => (attempt === 0 ? { exitAfter: { ms: 5000, code: 1 } } : {}));
    bed.objects.replace({ configMaps: [configMap('cm', {})] });
    bed.workers.setDesired([volumePod()]);
    await bed.until(() => bed.running().length === 1);
    bed.volumeFailure = new VolumeError('v', 'configmap "cm" not found', {
      cause: new MissingReferenceError('configmap "cm" not found'),
    });
    bed.objects.replace({});
    await bed.until(() => messagesOf('FailedMount').length === 1);
    await bed.runUntil(() => bed.running().includes('a#1'));
    bed.volumeFailure = undefined;
    const before = bed.refreshed.length;
    await bed.run(31_000);
    expect(bed.refreshed.length).toBeGreaterThan(before);
    await bed.run(60_000);
    expect(bed.refreshed.length).toBe(before + 1);
  });
});

test('a pod whose RuntimeClass is missing gets no sandbox until it is there', async () => {
  const classes = new Map<string, RuntimeClass>();
  const handlers: (() => void)[] = [];
  bed.runtimeClasses = {
    hasSynced: true,
    get: ({ name }) => classes.get(name),
    synced: () => Promise.resolve(),
    onChange: (handler) => void handlers.push(handler),
  };
  bed.restartAgent();
  bed.workers.setDesired([makePod('p', { runtimeClassName: 'gvisor', containers: [{ name: 'a' }] })]);
  await bed.runUntil(() => messagesOf('FailedCreatePodSandBox').length > 0);
  expect(messagesOf('FailedCreatePodSandBox')).toEqual([
    'Failed to create pod sandbox: runtimeclass.node.k8s.io "gvisor" not found',
  ]);
  await bed.run(100_000);
  classes.set('gvisor', { handler: 'runsc' });
  for (const handler of handlers) handler();
  await bed.until(() => bed.running().length === 1);
  expect([...bed.runtime.machine.sandboxes.values()].map((each) => each.runtimeHandler)).toEqual(['runsc']);
});

test('what a pod names is looked after until the pod has ended', async () => {
  bed.runtime.behave('a', { exitAfter: { ms: 1000, code: 0 } });
  bed.objects.replace({ configMaps: [configMap('cm', { k: '1' })] });
  const told: unknown[] = [];
  const pod = makePod('job', {
    restartPolicy: 'Never',
    containers: [{ name: 'a', env: fromConfig('cm', 'k') }],
  });
  bed.workers.setDesired([pod]);
  await bed.until(() => bed.running().length === 1);
  bed.objects.onChange((uid) => told.push(uid));
  bed.objects.replace({ configMaps: [configMap('cm', { k: '2' })] });
  expect(told).toEqual(['uid-job']);
  await bed.runUntil(() => bed.status('job')?.phase === 'Succeeded' && !bed.mounted.has('uid-job'));
  await bed.run(1000);
  bed.objects.replace({ configMaps: [configMap('cm', { k: '3' })] });
  expect(told).toEqual(['uid-job']);
});
