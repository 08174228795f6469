import { describe, expect, test } from 'vitest';
import { conditionEvents, nodeConditions } from './conditions.ts';
import type { ConditionFacts, NodeCondition } from './conditions.ts';
import { runtimeTroubles } from './runtime-troubles.ts';

const now = Date.parse('2026-01-01T00:10:00Z');
const time = '2026-01-01T00:10:00Z';
const early = '2026-01-01T00:00:00Z';
const well: ConditionFacts = {
  pressure: { memory: false, disk: false, pids: false },
  troubles: [],
  warnings: [],
};
const condition = (type: string, status: string): NodeCondition => ({
  type,
  status,
  reason: 'r',
  message: 'm',
  lastHeartbeatTime: early,
  lastTransitionTime: early,
});

describe('nodeConditions', () => {
  test('a new node: upstream’s words, Ready last', () => {
    const rows = nodeConditions([], well, now).map(({ type, status, reason, message }) => [
      type,
      status,
      reason,
      message,
    ]);
    expect(rows).toEqual([
      ['MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
      ['DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
      ['PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
      ['Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'],
    ]);
  });

  test('pressure: upstream’s words', () => {
    const pressed = { ...well, pressure: { memory: true, disk: true, pids: true } };
    expect(nodeConditions([], pressed, now).slice(0, 3)).toMatchObject([
      {
        status: 'True',
        reason: 'KubeletHasInsufficientMemory',
        message: 'kubelet has insufficient memory available',
      },
      { status: 'True', reason: 'KubeletHasDiskPressure', message: 'kubelet has disk pressure' },
      {
        status: 'True',
        reason: 'KubeletHasInsufficientPID',
        message: 'kubelet has insufficient PID available',
      },
    ]);
  });

  test.each([
    [['a'], [], 'a'],
    [['a', 'b', 'a'], [], '[a, b]'],
    [['a'], ['w'], 'a. WARNING: w'],
  ])('not ready for %j, warned of %j', (troubles, warnings, message) => {
    expect(nodeConditions([], { ...well, troubles, warnings }, now).at(-1)).toMatchObject({
      type: 'Ready',
      status: 'False',
      reason: 'KubeletNotReady',
      message,
    });
  });

  test('a status that stays keeps its transition; the heartbeat goes on', () => {
    const before = [condition('MemoryPressure', 'False'), condition('Ready', 'True')];
    const after = nodeConditions(before, well, now);
    for (const type of ['MemoryPressure', 'Ready']) {
      expect(after.find((each) => each.type === type)).toMatchObject({
        lastHeartbeatTime: time,
        lastTransitionTime: early,
      });
    }
  });

  test.each(['True', 'Unknown'])('a status that was %s changes now', (status) => {
    const [after] = nodeConditions([condition('MemoryPressure', status)], well, now);
    expect(after).toMatchObject({ status: 'False', lastTransitionTime: time });
  });

  test('conditions of others stay untouched in their places', () => {
    const foreign = condition('NetworkUnavailable', 'False');
    const after = nodeConditions([condition('Ready', 'True'), foreign], well, now);
    expect(after.map(({ type }) => type)).toEqual([
      'Ready',
      'NetworkUnavailable',
      'MemoryPressure',
      'DiskPressure',
      'PIDPressure',
    ]);
    expect(after[1]).toBe(foreign);
  });
});

describe('conditionEvents', () => {
  test.each([
    [
      'first conditions',
      [],
      well,
      ['NodeHasSufficientMemory', 'NodeHasNoDiskPressure', 'NodeHasSufficientPID'],
    ],
    ['nothing new', nodeConditions([], well, now), well, []],
    ['lost', nodeConditions([], well, now), { ...well, troubles: ['x'] }, ['NodeNotReady']],
    [
      'found again, after the controller gave it up',
      nodeConditions([], well, now).map((each) =>
        each.type === 'Ready' ? { ...each, status: 'Unknown' } : each,
      ),
      well,
      ['NodeReady'],
    ],
    [
      'full',
      nodeConditions([], well, now),
      { ...well, pressure: { memory: true, disk: true, pids: true } },
      ['NodeHasInsufficientMemory', 'NodeHasDiskPressure', 'NodeHasInsufficientPID'],
    ],
  ])('%s', (_name, before, facts, expected) => {
    expect(conditionEvents(before, nodeConditions(before, facts, now))).toEqual(expected);
  });
});

describe('runtimeTroubles', () => {
  const status = (ready: boolean, network: boolean) => ({
    conditions: [
      { type: 'RuntimeReady', status: ready, reason: ready ? '' : 'Broken', message: ready ? '' : 'no shim' },
      {
        type: 'NetworkReady',
        status: network,
        reason: network ? '' : 'NetworkPluginNotReady',
        message: network ? '' : 'cni plugin not initialized',
      },
    ],
    runtimeHandlers: [],
    features: { supplementalGroupsPolicy: false },
  });

  test.each([
    ['well', { status: status(true, true), ageMs: 0 }, []],
    ['silent for a while', { status: status(true, true), ageMs: 29_999 }, []],
    ['down', { status: status(true, true), ageMs: 30_000 }, ['container runtime is down']],
    [
      'without a network',
      { status: status(true, false), ageMs: 0 },
      [
        'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady ' +
          'message:cni plugin not initialized',
      ],
    ],
    [
      'not ready itself',
      { status: status(false, true), ageMs: 0 },
      ['container runtime not ready: RuntimeReady=false reason:Broken message:no shim'],
    ],
    ['never heard', undefined, ['container runtime status check may not have completed yet']],
  ])('%s', (_name, last, expected) => {
    expect(runtimeTroubles({ last })).toEqual(expected);
  });

  test('a condition that isn’t reported is not met', () => {
    const bare = { conditions: [], runtimeHandlers: [], features: { supplementalGroupsPolicy: false } };
    expect(runtimeTroubles({ last: { status: bare, ageMs: 0 } })).toHaveLength(2);
  });
});
