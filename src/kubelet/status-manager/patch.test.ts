import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PodCondition, PodStatus } from '#lib/kube/types.ts';
import { strategicMerge } from '../testing/strategic-merge.ts';
import { mergeStatus } from './merge.ts';
import { statusPatch } from './patch.ts';

const T0 = '2026-01-01T00:00:00Z';
const T1 = '2026-01-01T00:01:00Z';
const ready = (status: string, lastTransitionTime = T0): PodCondition => ({
  type: 'Ready',
  status,
  lastTransitionTime,
});
const foreign: PodCondition = { type: 'example.com/lb', status: 'True' };

describe('statusPatch', () => {
  const cases: [string, PodStatus, PodStatus, Record<string, unknown> | undefined][] = [
    ['nothing new', { phase: 'Running' }, { phase: 'Running' }, undefined],
    ['a new phase', { phase: 'Pending' }, { phase: 'Running' }, { phase: 'Running' }],
    ['a reason that is over', { reason: 'X' }, {}, { reason: null }],
    [
      'what the server leaves out or writes otherwise',
      {
        containerStatuses: [
          {
            name: 'a',
            image: 'i',
            imageID: '',
            ready: false,
            restartCount: 0,
            state: { waiting: { reason: 'X' } },
          },
        ],
      },
      {
        reason: '',
        containerStatuses: [
          {
            name: 'a',
            state: { waiting: { reason: 'X', message: '' } },
            lastState: {},
            resources: {},
            image: 'i',
            imageID: '',
            ready: false,
            restartCount: 0,
          },
        ],
      },
      undefined,
    ],
    [
      'quantities of one amount',
      { containerStatuses: [{ name: 'a', resources: { limits: { cpu: '500m' } } }] as never },
      { containerStatuses: [{ name: 'a', resources: { limits: { cpu: '0.5' } } }] as never },
      undefined,
    ],
    [
      'a list of containers as a whole',
      { containerStatuses: [{ name: 'a', restartCount: 0 }] as never },
      { containerStatuses: [{ name: 'a', restartCount: 1 }] as never },
      { containerStatuses: [{ name: 'a', restartCount: 1 }] },
    ],
    [
      'of a condition only what changed',
      { conditions: [ready('False')] },
      { conditions: [ready('True', T1)] },
      { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: T1 }] },
    ],
    [
      'a condition that is over',
      { conditions: [ready('True'), foreign] },
      { conditions: [foreign] },
      { conditions: [{ type: 'Ready', $patch: 'delete' }] },
    ],
    [
      'another address',
      { podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }] },
      { podIP: '10.0.0.2', podIPs: [{ ip: '10.0.0.2' }] },
      {
        podIP: '10.0.0.2',
        podIPs: [{ ip: '10.0.0.2' }, { ip: '10.0.0.1', $patch: 'delete' }],
        '$setElementOrder/podIPs': [{ ip: '10.0.0.2' }],
      },
    ],
  ];
  test.each(cases)('%s', (_, before, next, expected) => {
    const patch = statusPatch('u', before, next);
    expect(patch).toEqual(expected === undefined ? undefined : { metadata: { uid: 'u' }, status: expected });
  });

  const condition = fc.record({
    type: fc.constantFrom('Ready', 'Initialized', 'PodScheduled', 'DisruptionTarget', 'example.com/lb'),
    status: fc.constantFrom('True', 'False'),
    reason: fc.option(fc.constantFrom('A', 'B'), { nil: undefined }),
    lastTransitionTime: fc.constantFrom(T0, T1),
  });
  const ips = fc
    .uniqueArray(fc.constantFrom('10.0.0.1', '10.0.0.2', 'fd00::1', 'fd00::2'), { maxLength: 2 })
    .map((list) => (list.length === 0 ? {} : { podIP: list[0], podIPs: list.map((ip) => ({ ip })) }));
  const status = fc
    .tuple(
      fc.record({
        phase: fc.constantFrom('Pending', 'Running', 'Succeeded', 'Failed'),
        reason: fc.option(fc.constantFrom('Evicted', 'X'), { nil: undefined }),
        conditions: fc.uniqueArray(condition, { selector: (each) => each.type }),
      }),
      ips,
    )
    .map(([fields, addresses]) => JSON.parse(JSON.stringify({ ...fields, ...addresses })) as PodStatus);

  test('a patch that the server has applied leaves no difference, the order of addresses included', () => {
    fc.assert(
      fc.property(status, status, fc.boolean(), (api, own, mayRun) => {
        const next = mergeStatus(api, own, mayRun);
        const patch = statusPatch('u', api, next);
        const after = patch === undefined ? api : (strategicMerge(api, patch.status) as PodStatus);
        expect(statusPatch('u', after, mergeStatus(after, own, mayRun))).toBeUndefined();
        expect(after.podIPs?.map(({ ip }) => ip)).toEqual(own.podIPs?.map(({ ip }) => ip));
        for (const each of api.conditions ?? []) {
          if (each.type === 'example.com/lb') expect(after.conditions).toContainEqual(each);
        }
        if (api.phase === 'Failed' || api.phase === 'Succeeded') expect(after.phase).toBe(api.phase);
        else if (mayRun) expect(['Pending', 'Running']).toContain(after.phase);
      }),
    );
  });
});

describe('mergeStatus', () => {
  const disruption: PodCondition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'TerminationByKubelet',
    lastTransitionTime: T1,
  };
  const types = (status: PodStatus): string[] => status.conditions?.map(({ type }) => type) ?? [];

  test('an own DisruptionTarget comes only with the terminal phase, and not while something runs', () => {
    const own: PodStatus = { phase: 'Failed', reason: 'Evicted', conditions: [disruption, ready('False')] };
    expect(types(mergeStatus({ phase: 'Running' }, own, true))).toEqual(['Ready']);
    expect(mergeStatus({ phase: 'Running', reason: 'Old' }, own, true)).toMatchObject({
      phase: 'Running',
      reason: 'Old',
    });
    expect(types(mergeStatus({ phase: 'Running' }, own, false))).toEqual(['DisruptionTarget', 'Ready']);
    // By then it is the server's, and stays.
    const after = mergeStatus({ phase: 'Failed', conditions: [disruption] }, own, false);
    expect(types(after)).toEqual(['DisruptionTarget', 'Ready']);
  });

  test('one that somebody else set stays as it is', () => {
    const theirs = { ...disruption, reason: 'EvictionByEvictionAPI' };
    const merged = mergeStatus({ phase: 'Running', conditions: [theirs] }, { phase: 'Running' }, true);
    expect(merged.conditions).toEqual([theirs]);
  });

  test('no pod is ready in a phase that others made terminal', () => {
    const merged = mergeStatus(
      { phase: 'Failed', reason: 'Gone' },
      { phase: 'Running', conditions: [ready('True')] },
      true,
    );
    expect(merged).toMatchObject({ phase: 'Failed', reason: 'Gone' });
    expect(merged.conditions?.[0]).toMatchObject({ status: 'False', reason: 'PodFailed' });
  });

  test('claims and what else is not the agent’s stay', () => {
    const api = { phase: 'Running', resourceClaimStatuses: [{ name: 'c' }], nominatedNodeName: 'n' };
    expect(mergeStatus(api, { phase: 'Running' }, true)).toMatchObject(api);
  });
});
