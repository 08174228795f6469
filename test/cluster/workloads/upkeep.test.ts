/** What a person does to a node, and what of it survives the agent; the real scheduler and controllers answer. */
import { expect, test } from 'vitest';
import type { Node, Pod } from '#lib/kube/types.ts';
import { container, isRunning, podManifest } from '#test/bed/manifests.ts';
import { isReady, useClusterNode } from '#test/control-plane/cluster-node.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { describeRealOnly } from '#test/control-plane/start.ts';
import { appOf, hasCondition, isReadyPod, podsOf, template } from './objects.ts';

const { daemonSets, deployments, nodes, pods } = testResources;

/** What `kubectl describe node` shows of a node by kubelet: sections, and names in them. */
const sections = [
  'Name',
  'Roles',
  'Labels',
  'Annotations',
  'CreationTimestamp',
  'Taints',
  'Unschedulable',
  'Lease',
  'Conditions',
  'Addresses',
  'Capacity',
  'Allocatable',
  'System Info',
  'Non-terminated Pods',
  'Allocated resources',
  'Events',
];
const labels = [
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'kubernetes.io/arch',
  'kubernetes.io/hostname',
  'kubernetes.io/os',
];
const annotations = [
  'node.alpha.kubernetes.io/ttl',
  'volumes.kubernetes.io/controller-managed-attach-detach',
];
const conditions = [
  ['MemoryPressure', 'False', 'KubeletHasSufficientMemory'],
  ['DiskPressure', 'False', 'KubeletHasNoDiskPressure'],
  ['PIDPressure', 'False', 'KubeletHasSufficientPID'],
  ['Ready', 'True', 'KubeletReady'],
];
const resources = /^(cpu|memory|pods|ephemeral-storage|hugepages-\w+)$/;
const eventReasons = new Set([
  'Starting',
  'CgroupV1',
  'InvalidDiskCapacity',
  'NodeAllocatableEnforced',
  'NodeHasSufficientMemory',
  'NodeHasNoDiskPressure',
  'NodeHasSufficientPID',
  'NodeNotReady',
  'NodeReady',
  'NodeNotSchedulable',
  'NodeSchedulable',
  // The controllers' and the API server's.
  'RegisteredNode',
]);

const namesOf = (list: readonly Pod[]): Set<string | undefined> =>
  new Set(list.map(({ metadata }) => metadata?.name));

describeRealOnly('a node', 'the fake has no kubectl and no controllers', () => {
  const node = useClusterNode({ plane: { real: { scheduler: true } } });
  const client = () => node.plane.client;

  test('looks as one by kubelet', async () => {
    const found = await node.waitForNode((each) => isReady(each) && (each.spec?.taints ?? []).length === 0);
    const shown = await node.kubectl('describe', 'node', node.nodeName);
    const seen = shown.match(/^\S[^:\n]*(?=:)/gm) ?? [];
    expect(seen).toEqual(sections);
    expect(Object.keys(found.metadata?.labels ?? {}).sort()).toEqual(labels);
    expect(Object.keys(found.metadata?.annotations ?? {}).sort()).toEqual(annotations);
    expect(found.metadata?.ownerReferences).toBeUndefined();
    expect(found.metadata?.finalizers).toBeUndefined();
    expect(found.status?.conditions?.map(({ type, status, reason }) => [type, status, reason])).toEqual(
      conditions,
    );
    expect(found.status?.addresses?.map(({ type }) => type)).toEqual(['InternalIP', 'Hostname']);
    for (const list of [found.status?.capacity, found.status?.allocatable]) {
      expect(Object.keys(list ?? {}).filter((name) => !resources.test(name))).toEqual([]);
    }
    expect(Object.values(found.status?.nodeInfo ?? {}).filter((value) => value === '')).toEqual(['']);
    expect(found.status?.nodeInfo?.kubeProxyVersion).toBe('');
    const strange = (await node.events(node.nodeName)).filter(({ reason = '' }) => !eventReasons.has(reason));
    expect(strange).toEqual([]);
    expect(await node.kubectl('get', 'csinode', '-o', 'name')).toBe('csinode.storage.k8s.io/n1\n');
  });

  test('cordon holds, also over the agent’s restart; uncordon lets pods come', async () => {
    await node.kubectl('cordon', node.nodeName);
    await node.agent.restart();
    await node.waitForNode(({ spec }) => spec?.unschedulable === true);
    await client().create(pods, JSON.parse(podManifest('waits', [container('main')])));
    await node.waitForPod('waits', ({ pod }) =>
      (pod.status?.conditions ?? []).some((each) => each.reason === 'Unschedulable'),
    );
    await node.kubectl('uncordon', node.nodeName);
    await node.waitForPod('waits', isRunning);
    await node.deletePod('waits');
    const reasons = await eventually(async () => {
      const found = (await node.events(node.nodeName)).map(({ reason }) => reason);
      return found.includes('NodeSchedulable') && found;
    });
    expect(reasons).toContain('NodeNotSchedulable');
  });

  test('drain ends what may end, by eviction, and leaves the rest', async () => {
    const web = template('web', [container('main')]);
    await client().create(deployments, appOf('Deployment', 'web', web, { replicas: 2 }));
    await client().create(daemonSets, appOf('DaemonSet', 'stays', template('stays', [container('main')])));
    await node.agent.write('static.json', podManifest('static', [container('main')]));
    await node.waitForPod('static-n1', isRunning);
    const ready = await eventually(async () => {
      const found = await podsOf(node.plane, 'app in (web,stays)');
      return found.length === 3 && found.every(isReadyPod) && found;
    }, 60_000);
    const doomed = ready.filter(({ metadata }) => metadata?.labels?.['app'] === 'web');
    const watch = client().watch<Pod>(pods, { namespace: 'default', labelSelector: 'app=web' });

    await node.kubectl(
      'drain',
      node.nodeName,
      '--ignore-daemonsets',
      '--delete-emptydir-data',
      '--timeout=50s',
    );
    const ends = watch.pending.filter(({ type }) => type === 'DELETED');
    watch.close();
    expect(namesOf(ends.map(({ object }) => object))).toEqual(namesOf(doomed));
    for (const { object } of ends) {
      expect(hasCondition(object, 'DisruptionTarget')).toBe(true);
      expect(object.status?.conditions?.find(({ type }) => type === 'DisruptionTarget')?.reason).toBe(
        'EvictionByEvictionAPI',
      );
      // The end was told before the object went.
      expect(object.status?.phase).toBe('Succeeded');
      expect(object.status?.containerStatuses?.[0]?.state?.terminated?.exitCode).toBe(0);
    }
    const left = (await client().list<Pod>(pods, { fieldSelector: `spec.nodeName=${node.nodeName}` })).items;
    const daemons = namesOf(ready.filter((each) => !doomed.includes(each)));
    expect(namesOf(left.filter(isReadyPod))).toEqual(new Set(['static-n1', ...daemons]));

    await node.kubectl('uncordon', node.nodeName);
    await eventually(async () => {
      const found = await podsOf(node.plane, 'app=web');
      return found.length === 2 && found.every(isReadyPod);
    }, 60_000);
    await node.agent.remove('static.json');
    await client().delete(deployments, { name: 'web' }, { propagationPolicy: 'Background' });
    await client().delete(daemonSets, { name: 'stays' }, { propagationPolicy: 'Background' });
    await node.waitForGone('static-n1');
    await eventually(async () => (await podsOf(node.plane, 'app')).length === 0, 60_000);
  });

  test('force delete, as kubectl does it', async () => {
    await node.createPod(
      podManifest('deaf', [container('main', 'trap "" TERM; while :; do sleep 1; done')], {
        terminationGracePeriodSeconds: 300,
      }),
    );
    const { pod } = await node.waitForPod('deaf', isRunning);
    await node.kubectl('delete', 'pod', 'deaf', '--grace-period=0', '--force');
    expect(await node.pod('deaf')).toBeUndefined();
    const uid = pod.metadata?.uid ?? '';
    await eventually(async () => {
      const tasks = await node.containerd.ctr(
        'containers',
        'list',
        '--quiet',
        `labels."io.kubernetes.pod.uid"==${uid}`,
      );
      return tasks.trim() === '';
    }, 20_000);
  });

  test('a node that somebody deleted is not made again while the agent runs, but at its start', async () => {
    await client().delete(nodes, { name: node.nodeName });
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(await client().find<Node>(nodes, { name: node.nodeName })).toBeUndefined();
    await node.agent.restart();
    await node.waitForNode();
  });
});
