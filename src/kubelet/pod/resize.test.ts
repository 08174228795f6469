import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AgentPod, Container, ResourceRequirements } from '#lib/kube/types.ts';
import type { Admission } from '../admission.ts';
import { CONFIG_SOURCE } from '../sources/static-pod.ts';
import { amountsOf } from './allocation.ts';
import { PodBed, makePod } from './testing/pod-bed.ts';

let bed: PodBed;
/** Thousandths of a processor that all pods may request together. */
let room: number;
const admission: Admission = {
  admit: (pod, others) => {
    const asked = [pod, ...others]
      .flatMap(({ spec }) => spec.containers)
      .map((each) => amountsOf(each).cpuRequest);
    return asked.reduce((sum, each) => sum + each, 0) <= room
      ? { admitted: true }
      : { admitted: false, reason: 'OutOfcpu', message: 'no room' };
  },
};
beforeEach(() => {
  room = 1000;
  bed = new PodBed({ admission });
});
afterEach(() => bed.dispose());

const of = (cpu: string, memory: string): ResourceRequirements => ({
  requests: { cpu, memory },
  limits: { cpu, memory },
});

function podOf(
  generation: number,
  resources: ResourceRequirements,
  more: Partial<Container> = {},
  name = 'p',
): AgentPod {
  const pod = makePod(name, { containers: [{ name: 'main', resources, ...more }] });
  return { ...pod, metadata: { ...pod.metadata, generation, annotations: { [CONFIG_SOURCE]: 'api' } } };
}

const main = () => bed.container('p');
const condition = (type: string) => bed.status('p')?.conditions?.find((each) => each.type === type);
const updates = () =>
  bed.runtime.script.calls
    .filter(({ verb }) => verb === 'UpdateContainerResources')
    .map(({ args }) => args[1] as Record<string, number>);
const eventsOf = (reason: string) => bed.events.list().filter((each) => each.reason === reason);

async function running(pod: AgentPod): Promise<void> {
  bed.workers.setDesired([pod]);
  await bed.until(() => bed.running().length === 1 && main()?.state?.running !== undefined);
}

describe('a resize in place', () => {
  test('memory before CPU, the pod’s group before what grows and after what shrinks', async () => {
    await running(podOf(1, of('100m', '64Mi')));
    expect(main()).toMatchObject({
      resources: of('100m', '64Mi'),
      allocatedResources: { cpu: '100m', memory: '64Mi' },
    });

    bed.workers.setDesired([podOf(2, of('200m', '128Mi'))]);
    await bed.until(() => updates().length === 2);
    expect(updates()).toEqual([
      { cpuShares: 100, cpuQuota: 100, memoryLimitInBytes: 128 << 20 },
      { cpuShares: 200, cpuQuota: 200, memoryLimitInBytes: 128 << 20 },
    ]);
    expect(bed.resized).toEqual(['grow memory p', 'shrink memory p', 'grow cpu p', 'shrink cpu p']);
    await bed.until(() => eventsOf('ResizeCompleted').length === 1);
    expect(main()).toMatchObject({
      resources: of('200m', '128Mi'),
      allocatedResources: { cpu: '200m', memory: '128Mi' },
      restartCount: 0,
    });
    expect(condition('PodResizeInProgress')).toBeUndefined();
    expect(condition('PodResizePending')).toBeUndefined();
    expect(bed.status('p')?.observedGeneration).toBe(2);
    expect(eventsOf('ResizeStarted')[0]?.message).toBe(
      'Pod resize started: {"containers":[{"name":"main","resources":' +
        '{"requests":{"cpu":"200m","memory":"128Mi"},"limits":{"cpu":"200m","memory":"128Mi"}}}],"generation":2}',
    );
    expect(bed.running()).toEqual(['main#0']);
  });

  test('a container that asks for it is restarted, and no other', async () => {
    const resizePolicy = [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }];
    await running(podOf(1, of('100m', '64Mi'), { resizePolicy }));
    bed.workers.setDesired([podOf(2, of('200m', '64Mi'), { resizePolicy })]);
    await bed.until(() => eventsOf('ResizeCompleted').length === 1);
    expect(bed.running()).toEqual(['main#0']);
    expect(updates()).toHaveLength(1);

    bed.workers.setDesired([podOf(3, of('200m', '128Mi'), { resizePolicy })]);
    await bed.runUntil(() => bed.running().includes('main#1'));
    expect(bed.events.list().map(({ message }) => message)).toContain(
      'Container main resize requires restart',
    );
    expect(bed.runtime.newest('main')?.config.linux.resources.memoryLimitInBytes).toBe(128 << 20);
    await bed.runUntil(() => eventsOf('ResizeCompleted').length === 2);
    expect(updates()).toHaveLength(1);
    expect(main()).toMatchObject({ resources: of('200m', '128Mi'), restartCount: 1 });
  });

  test('without room it waits, and lives on what it has', async () => {
    await running(podOf(1, of('100m', '64Mi')));
    bed.workers.setDesired([podOf(2, of('1100m', '64Mi'))]);
    await bed.until(() => condition('PodResizePending') !== undefined);
    expect(condition('PodResizePending')).toMatchObject({
      status: 'True',
      reason: 'Deferred',
      message: 'no room',
      observedGeneration: 2,
    });
    expect(main()).toMatchObject({ resources: of('100m', '64Mi'), allocatedResources: { cpu: '100m' } });
    expect(eventsOf('ResizeDeferred')).toHaveLength(1);
    expect(bed.workers.activePods()[0]?.spec.containers[0]?.resources).toEqual(of('100m', '64Mi'));

    room = 2000;
    await bed.run(61_000);
    await bed.until(() => eventsOf('ResizeCompleted').length === 1);
    expect(condition('PodResizePending')).toBeUndefined();
    expect(main()?.resources).toEqual(of('1100m', '64Mi'));
    expect(eventsOf('ResizeDeferred')).toHaveLength(1);
  });

  test('the end of another pod makes room at once', async () => {
    await running(podOf(1, of('100m', '64Mi')));
    const other = podOf(1, of('800m', '64Mi'), {}, 'other');
    bed.workers.setDesired([podOf(1, of('100m', '64Mi')), other]);
    await bed.until(() => bed.running().length === 2);
    const grown = podOf(2, of('900m', '64Mi'));
    bed.workers.setDesired([grown, other]);
    await bed.until(() => condition('PodResizePending') !== undefined);
    bed.workers.setDesired([grown]);
    await bed.runUntil(() => eventsOf('ResizeCompleted').length === 1);
    expect(main()?.resources).toEqual(of('900m', '64Mi'));
  });

  test('a wish that is taken back leaves nothing', async () => {
    await running(podOf(1, of('100m', '64Mi')));
    bed.workers.setDesired([podOf(2, of('1100m', '64Mi'))]);
    await bed.until(() => condition('PodResizePending') !== undefined);
    bed.workers.setDesired([podOf(3, of('100m', '64Mi'))]);
    await bed.until(() => condition('PodResizePending') === undefined);
    expect(updates()).toEqual([]);
  });

  test('less memory than is in use is an error', async () => {
    await running(podOf(1, of('100m', '64Mi')));
    bed.workers.setDesired([podOf(2, of('100m', '1Mi'))]);
    await bed.until(() => condition('PodResizeInProgress')?.reason === 'Error');
    expect(condition('PodResizeInProgress')?.message).toBe(
      `cannot decrease memory limits: attempting to set container "main" memory limit (${1 << 20}) below current usage (${2 << 20})`,
    );
    expect(main()).toMatchObject({ resources: of('100m', '64Mi'), allocatedResources: { memory: '1Mi' } });
    await bed.run(10_000);
    expect(eventsOf('ResizeError')).toHaveLength(1);
    expect(updates()).toEqual([]);

    bed.workers.setDesired([podOf(3, of('100m', '3Mi'))]);
    await bed.runUntil(() => eventsOf('ResizeCompleted').length === 1);
    expect(main()?.resources).toEqual(of('100m', '3Mi'));
    expect(condition('PodResizeInProgress')).toBeUndefined();
  });

  test('what was given, and what waits, outlives the agent', async () => {
    await running(podOf(1, of('100m', '64Mi')));
    bed.runtime.script.failNext('UpdateContainerResources', 'UNAVAILABLE');
    bed.workers.setDesired([podOf(2, of('300m', '64Mi'))]);
    await bed.until(() => condition('PodResizeInProgress')?.reason === 'Error');
    room = 300;
    const wanted = podOf(3, of('400m', '64Mi'));
    bed.workers.setDesired([wanted]);
    await bed.until(() => condition('PodResizePending') !== undefined);

    bed.restartAgent();
    bed.workers.setEarlier([{ uid: 'uid-p', namespace: 'default', name: 'p' }]);
    bed.workers.setDesired([wanted]);
    await bed.runUntil(() => eventsOf('ResizeCompleted').length === 1);
    expect(main()?.resources).toEqual(of('300m', '64Mi'));
    expect(condition('PodResizePending')).toMatchObject({ reason: 'Deferred', observedGeneration: 3 });
  });
});
