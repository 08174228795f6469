import { expect, test } from 'vitest';
import type { ContainerStatus } from '#lib/kube/types.ts';
import { makePod } from './testing/pod-bed.ts';
import { type ContainerRecord, newRecord } from './record.ts';
import { seedRecord } from './seed-record.ts';

const ended = (id: string, exitCode: number) => ({
  terminated: {
    exitCode,
    reason: 'Error',
    startedAt: '2026-01-01T00:00:00Z',
    finishedAt: '2026-01-01T00:00:05Z',
    containerID: `containerd://${id}`,
  },
});

function seed(
  status: Partial<ContainerStatus>,
  known: Record<string, ContainerRecord> = {},
): ContainerRecord | undefined {
  const record = { ...newRecord(makePod('web', { containers: [{}] }), ''), containers: { ...known } };
  const complete = { name: 'main', image: 'img', imageID: 'ref', ready: false, restartCount: 0, ...status };
  seedRecord(record, { containerStatuses: [complete] });
  return record.containers['main'];
}

test.each<[string, Partial<ContainerStatus>, object | undefined]>([
  ['waits for its first start', { state: { waiting: { reason: 'ContainerCreating' } } }, undefined],
  [
    'runs',
    { restartCount: 2, state: { running: {} }, containerID: 'containerd://c2', lastState: ended('c1', 1) },
    { attempt: 2, id: 'c2', previous: { id: 'c1', attempt: 1, exitCode: 1 } },
  ],
  [
    'has ended',
    { state: ended('c0', 3), containerID: 'containerd://c0' },
    {
      attempt: 0,
      id: 'c0',
      ended: {
        exitCode: 3,
        image: 'img',
        imageRef: 'ref',
        startedAt: Date.parse('2026-01-01T00:00:00Z'),
        finishedAt: Date.parse('2026-01-01T00:00:05Z'),
      },
    },
  ],
  [
    'waits for its next start',
    { restartCount: 1, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: ended('c1', 1) },
    { attempt: 1, id: 'c1', ended: { id: 'c1', attempt: 1 } },
  ],
  ['was lost without an ID', { state: { terminated: { exitCode: 137 } } }, undefined],
])('of a container that %s', (_, status, expected) => {
  const seeded = seed(status);
  if (expected === undefined) expect(seeded).toBeUndefined();
  else expect(seeded).toMatchObject(expected);
});

test('what the record knows wins, unless it is older', () => {
  const known = (attempt: number): Record<string, ContainerRecord> => ({
    main: { attempt, id: 'known', sandboxId: 's' },
  });
  const status = { restartCount: 1, state: ended('c1', 1), containerID: 'containerd://c1' };
  expect(seed(status, known(1))?.id).toBe('known');
  expect(seed(status, known(0))?.id).toBe('c1');
});
