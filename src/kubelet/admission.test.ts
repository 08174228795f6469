import { afterEach, describe, expect, test } from 'vitest';
import type { AgentPod } from '#lib/kube/types.ts';
import type { Admission } from './admission.ts';
import { ApiBed, staticPod } from './testing/api-bed.ts';

/** Takes on so many pods at once. */
class Room implements Admission {
  readonly asked: string[] = [];
  room = 1;

  admit(pod: AgentPod, active: readonly AgentPod[]): ReturnType<Admission['admit']> {
    this.asked.push(pod.metadata.name);
    if (active.length < this.room) return { admitted: true };
    return { admitted: false, reason: 'OutOfpods', message: 'Node has no room' };
  }
}

describe('admission', () => {
  const room = new Room();
  let bed: ApiBed;
  afterEach(() => bed.dispose());
  const begin = async (): Promise<void> => {
    room.asked.length = 0;
    bed = new ApiBed({ admission: room });
    await bed.start();
  };

  test('a rejected pod fails with its reason, runs nothing, and goes when it is deleted', async () => {
    await begin();
    bed.create('first', { containers: [{}] });
    bed.create('second', { containers: [{ name: 'other' }] });
    await bed.pods.runUntil(() => bed.phase('second') === 'Failed' && bed.phase('first') === 'Running');
    expect(bed.api.pod('second')?.status).toEqual({
      phase: 'Failed',
      reason: 'OutOfpods',
      message: 'Pod was rejected: Node has no room',
      qosClass: 'BestEffort',
      startTime: '2026-01-01T00:00:00Z',
      observedGeneration: 1,
      conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: '2025-12-31T23:59:00Z' }],
    });
    expect(bed.pods.running()).toEqual(['main#0']);
    expect(bed.pods.events.list().find(({ reason }) => reason === 'OutOfpods')).toMatchObject({
      type: 'Warning',
      message: 'Node has no room',
    });
    const rejected = bed.pods.workers
      .snapshots()
      .find(({ context }) => context.pod.metadata.name === 'second');
    expect(rejected?.waits).toEqual([{ subject: 'pod', reason: 'OutOfpods', message: 'Node has no room' }]);
    expect(room.asked).toEqual(['first', 'second']);
    bed.edit('second', (pod) => {
      Object.assign(pod.metadata ?? {}, {
        deletionTimestamp: '2026-01-01T00:01:00Z',
        deletionGracePeriodSeconds: 30,
      });
    });
    await bed.pods.runUntil(() => bed.api.pod('second') === undefined);
    expect(bed.pods.workers.snapshots()).toHaveLength(1);
    // The room that the end of a pod makes is for new ones.
    bed.remove('first');
    await bed.pods.runUntil(() => bed.pods.workers.snapshots().length === 0);
    bed.create('third', { containers: [{}] });
    await bed.pods.runUntil(() => bed.phase('third') === 'Running');
  });

  test('what runs, and what has run, is not judged again by a new agent', async () => {
    room.room = 2;
    await begin();
    bed.pods.runtime.behave('job', { exitAfter: { ms: 100, code: 0 } });
    bed.create('web', { containers: [{}] });
    bed.create('done', { restartPolicy: 'Never', containers: [{ name: 'job' }] });
    await bed.pods.runUntil(() => bed.phase('web') === 'Running' && bed.phase('done') === 'Succeeded');
    room.room = 0;
    room.asked.length = 0;
    await bed.start();
    await bed.pods.run(2000);
    expect(room.asked).toEqual([]);
    expect([bed.phase('web'), bed.phase('done')]).toEqual(['Running', 'Succeeded']);
    expect(bed.pods.running()).toEqual(['main#0']);
  });

  test('what runs counts before anything new, however old that is', async () => {
    room.room = 1;
    await begin();
    bed.create('web', { containers: [{}] });
    await bed.pods.runUntil(() => bed.phase('web') === 'Running');
    bed.kill();
    bed.create('older', { containers: [{ name: 'other' }] }, { creationTimestamp: '2020-01-01T00:00:00Z' });
    await bed.start();
    await bed.pods.runUntil(() => bed.phase('older') === 'Failed');
    expect(bed.pods.running()).toEqual(['main#0']);
  });

  test('a rejection that could not be written yet is judged anew by the next agent', async () => {
    room.room = 0;
    await begin();
    bed.api.isDown = true;
    bed.create('web', { containers: [{}] });
    await bed.pods.run(1000);
    expect(bed.phase('web')).toBe('Pending');
    bed.api.isDown = false;
    room.room = 1;
    await bed.start();
    await bed.pods.runUntil(() => bed.phase('web') === 'Running');
  });

  test('a rejected pod that somebody edits stays rejected', async () => {
    room.room = 0;
    await begin();
    bed.create('web', { containers: [{}] });
    await bed.pods.runUntil(() => bed.phase('web') === 'Failed');
    room.room = 5;
    bed.edit('web', (pod) => {
      pod.metadata = { ...pod.metadata, labels: { a: 'b' } };
    });
    await bed.pods.run(5000);
    expect(bed.pods.changes()).toEqual([]);
    expect(bed.phase('web')).toBe('Failed');
  });

  test('a rejected static pod is judged again when its manifest is edited', async () => {
    room.room = 0;
    await begin();
    bed.manifests.set([staticPod('web-node', { containers: [{}] }, 'h1')]);
    await bed.pods.runUntil(() => bed.phase('web-node') === 'Failed');
    expect(bed.api.pod('web-node')?.status?.reason).toBe('OutOfpods');
    room.room = 1;
    bed.manifests.set([staticPod('web-node', { containers: [{ image: 'smaller' }] }, 'h2')]);
    await bed.pods.runUntil(() => bed.phase('web-node') === 'Running');
  });
});
