import { describe, expect, test } from 'vitest';
import { ApiError } from '#lib/kube/api-error.ts';
import { resources } from '#lib/kube/client.ts';
import { silentLogger } from '#lib/logger.ts';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { EventLog } from '../events.ts';
import { makePod } from '../pod/testing/pod-bed.ts';
import { FakeApi } from '../testing/fake-api.ts';
import { EventSink } from './event-sink.ts';

function bed() {
  const clock = new FakeClock();
  const api = new FakeApi(clock);
  const sink = new EventSink({ client: api, clock, log: silentLogger });
  const log = new EventLog(clock, silentLogger, 'node', (event) => sink.send(event));
  return { clock, api, sink, log, pod: makePod('web', { containers: [{}] }) };
}

describe('EventSink', () => {
  test('an event becomes an object, and the same one again a higher count', async () => {
    const { clock, api, log, pod } = bed();
    for (let i = 0; i < 3; i++) {
      log.event(pod, 'Warning', 'BackOff', 'Back-off restarting', 'main');
      await clock.advance(60_000);
    }
    expect(api.events()).toEqual([
      expect.objectContaining({
        count: 3,
        reason: 'BackOff',
        firstTimestamp: '2026-01-01T00:00:00Z',
        lastTimestamp: '2026-01-01T00:02:00Z',
        source: { component: 'kubelet', host: 'node' },
        involvedObject: expect.objectContaining({
          uid: 'uid-web',
          fieldPath: 'spec.containers{main}',
        }) as unknown,
      }),
    ]);
    expect(api.events()[0]?.metadata).toMatchObject({ namespace: 'default' });
    expect(api.events()[0]?.metadata.name).toMatch(/^web\.[0-9a-f]+$/);
    expect(log.list()).toHaveLength(1);
  });

  test('a node event lives in the namespace default', async () => {
    const { clock, api, log } = bed();
    log.node.event('Normal', 'Starting', 'Starting kubelet.');
    await clock.advance(0);
    expect(api.events()).toEqual([
      expect.objectContaining({
        metadata: expect.objectContaining({ namespace: 'default' }) as unknown,
        involvedObject: { apiVersion: 'v1', kind: 'Node', name: 'node', uid: 'node' },
      }),
    ]);
  });

  test('an event whose object has expired is made anew', async () => {
    const { clock, api, log, pod } = bed();
    log.event(pod, 'Normal', 'Pulled', 'there');
    await clock.advance(0);
    const { name = '', namespace = '' } = api.events()[0]?.metadata ?? {};
    api.remove(resources.events, { namespace, name });
    log.event(pod, 'Normal', 'Pulled', 'there');
    await clock.advance(0);
    expect(api.events()).toHaveLength(1);
    expect(api.events()[0]?.count).toBe(2);
  });

  test('the tenth similar event and those after it become one', async () => {
    const { clock, api, log, pod } = bed();
    for (let i = 0; i < 15; i++) log.event(pod, 'Warning', 'Failed', `try ${i}`);
    await clock.advance(0);
    expect(api.events()).toHaveLength(10);
    expect(api.events().at(-1)).toMatchObject({
      message: '(combined from similar events): try 14',
      count: 6,
    });
    // After ten quiet minutes they are told apart again.
    await clock.advance(601_000);
    log.event(pod, 'Warning', 'Failed', 'much later');
    await clock.advance(0);
    expect(api.events().at(-1)?.message).toBe('much later');
  });

  test('an object may have 25 events at once, and one more every five minutes; others are not held up', async () => {
    const { clock, api, log, pod } = bed();
    for (let i = 0; i < 40; i++) log.event(pod, 'Normal', `Reason${i}`, 'text');
    log.event(pod, 'Warning', 'Other', 'type');
    log.event(makePod('other', { containers: [] }), 'Normal', 'Created', 'text');
    await clock.advance(0);
    expect(api.events()).toHaveLength(27);
    await clock.advance(300_000);
    log.event(pod, 'Normal', 'Late', 'text');
    log.event(pod, 'Normal', 'TooLate', 'text');
    await clock.advance(0);
    expect(api.events().map(({ reason }) => reason)).toContain('Late');
    expect(api.events()).toHaveLength(28);
  });

  test('what the server can not take now is tried again, what it refuses is dropped', async () => {
    const { clock, api, log, sink, pod } = bed();
    api.failNext('create', new ApiError({ status: 403, reason: 'Forbidden', message: 'namespace ends' }));
    api.failNext('create', new ApiError({ status: 0, reason: '', message: 'refused' }));
    log.event(pod, 'Normal', 'One', 'text');
    log.event(pod, 'Normal', 'Two', 'text');
    await clock.advance(1500);
    expect(api.events().map(({ reason }) => reason)).toEqual(['Two']);
    expect(sink.dropped).toBe(1);
  });

  test('while the server is away for long, what waits is bounded and what is old is dropped', async () => {
    const { clock, api, log, sink } = bed();
    api.isDown = true;
    for (let i = 0; i < 1200; i++)
      log.event(makePod(`p${i}`, { containers: [] }), 'Normal', 'Created', 'text');
    expect(sink.dropped).toBe(200);
    await clock.advance(300_000);
    expect(sink.dropped).toBeGreaterThan(200);
    api.isDown = false;
    await clock.advance(15_000);
    expect(api.events().length).toBeGreaterThan(900);
  });
});
