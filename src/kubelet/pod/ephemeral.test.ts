import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AgentPod, Container, PodSpec } from '#lib/kube/types.ts';
import { CONFIG_SOURCE } from '../sources/static-pod.ts';
import { PodBed, makePod } from './testing/pod-bed.ts';

let bed: PodBed;
beforeEach(() => {
  bed = new PodBed();
});
afterEach(() => bed.dispose());

type Spec = Parameters<typeof makePod>[1];

function apiPod(spec: Spec): AgentPod {
  const pod = makePod('p', spec);
  return { ...pod, metadata: { ...pod.metadata, annotations: { [CONFIG_SOURCE]: 'api' } } };
}

type Debugger = NonNullable<PodSpec['ephemeralContainers']>[number];

const debugged = (pod: AgentPod, more: Partial<Debugger> = {}): AgentPod => ({
  ...pod,
  spec: {
    ...pod.spec,
    ephemeralContainers: [{ name: 'debug', image: 'tools', terminationMessagePath: '', ...more }],
  },
});

const status = () => bed.status('p')?.ephemeralContainerStatuses?.[0];
const pidOf = (name: string) => bed.runtime.newest(name)?.config.linux.securityContext.namespaceOptions;

describe('an ephemeral container', () => {
  test('is started once beside the others, and never again', async () => {
    const pod = apiPod({ containers: [{ name: 'main' }] });
    bed.workers.setDesired([pod]);
    await bed.until(() => bed.running().includes('main#0'));
    expect(bed.status('p')).not.toHaveProperty('ephemeralContainerStatuses');

    bed.workers.setDesired([debugged(pod)]);
    await bed.until(() => bed.running().length === 2);
    await bed.until(() => status()?.state?.running !== undefined);
    expect(status()).toMatchObject({ name: 'debug', ready: false, restartCount: 0 });
    expect(status()).not.toHaveProperty('started');
    expect(bed.status('p')?.containerStatuses).toHaveLength(1);
    const started = bed.events.list().filter(({ reason }) => reason === 'Started');
    expect(started.at(-1)?.involvedObject.fieldPath).toBe('spec.ephemeralContainers{debug}');

    bed.runtime.exit(bed.runtime.newest('debug')?.id ?? '', 3);
    await bed.until(() => status()?.state?.terminated?.exitCode === 3);
    await bed.run(600_000);
    expect(bed.running()).toEqual(['main#0']);
    expect(bed.status('p')).toMatchObject({ phase: 'Running' });
    expect(bed.status('p')?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');

    bed.restartAgent();
    bed.workers.setDesired([debugged(pod)]);
    await bed.until(() => status()?.state?.terminated?.exitCode === 3);
    expect(bed.running()).toEqual(['main#0']);
  });

  test('sees its target’s processes', async () => {
    const pod = apiPod({ containers: [{ name: 'main' }] });
    bed.workers.setDesired([pod]);
    await bed.until(() => bed.running().length === 1);
    bed.workers.setDesired([debugged(pod, { targetContainerName: 'main' })]);
    await bed.until(() => bed.running().length === 2);
    expect(pidOf('debug')).toMatchObject({ pid: 'TARGET', targetId: bed.runtime.newest('main')?.id });
    expect(pidOf('main')).toMatchObject({ pid: 'CONTAINER' });
  });

  test('sees the processes of a pod that shares them anyway', async () => {
    const pod = apiPod({ shareProcessNamespace: true, containers: [{ name: 'main' }] });
    bed.workers.setDesired([pod]);
    await bed.until(() => bed.running().length === 1);
    bed.workers.setDesired([debugged(pod, { targetContainerName: 'main' })]);
    await bed.until(() => bed.running().length === 2);
    expect(pidOf('debug')).toEqual({ network: 'POD', ipc: 'POD', pid: 'POD' });
  });

  test('waits for a target that isn’t there', async () => {
    const pod = debugged(apiPod({ containers: [{ name: 'main' }] }), { targetContainerName: 'other' });
    bed.workers.setDesired([pod]);
    await bed.until(() => status()?.state?.waiting?.reason === 'CreateContainerConfigError');
    expect(status()?.state?.waiting?.message).toMatch(/^unable to find target container other/);
    await bed.until(() => bed.running().includes('main#0'));
    // What doesn't start is no part of the pod's phase.
    await bed.until(() => bed.status('p')?.phase === 'Running');
  });

  test('starts in a pod whose init container goes on and on', async () => {
    const init: Partial<Container>[] = [{ name: 'init' }];
    const pod = apiPod({ initContainers: init, containers: [{ name: 'main' }] });
    bed.workers.setDesired([pod]);
    await bed.until(() => bed.running().includes('init#0'));
    bed.workers.setDesired([debugged(pod)]);
    await bed.until(() => bed.running().includes('debug#0'));
    expect(bed.running()).toEqual(['debug#0', 'init#0']);
    expect(bed.status('p')?.phase).toBe('Pending');
  });

  test('ends with its pod, whose phase it has no say in', async () => {
    const pod = debugged(apiPod({ restartPolicy: 'Never', containers: [{ name: 'main' }] }));
    bed.workers.setDesired([pod]);
    await bed.until(() => bed.running().length === 2);
    bed.runtime.exit(bed.runtime.newest('main')?.id ?? '', 0);
    await bed.runUntil(() => bed.status('p')?.phase === 'Succeeded');
    expect(bed.running()).toEqual([]);
    expect(status()?.state?.terminated).toBeDefined();
  });

  test('is not run again in a new sandbox', async () => {
    const pod = debugged(apiPod({ containers: [{ name: 'main' }] }));
    bed.workers.setDesired([pod]);
    await bed.until(() => bed.running().length === 2);
    const [first] = bed.runtime.machine.sandboxes.values();
    bed.runtime.killSandbox(first?.id ?? '');
    bed.workers.markDirty('uid-p');
    await bed.runUntil(() => bed.running().includes('main#1'));
    expect(bed.running()).toEqual(['main#1']);
    expect(status()?.state?.terminated).toBeDefined();
  });
});
