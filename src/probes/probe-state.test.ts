import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ProbeKind, beginProbe, firstProbeAt, pauseAfter, takeOutcome } from './probe-state.ts';

const thresholds = (successThreshold: number, failureThreshold: number) => ({
  successThreshold,
  failureThreshold,
});

/** The results after each outcome: `+` success, `-` failure; `!` where nothing more is asked. */
function results(kind: ProbeKind, outcomes: string, limits: ReturnType<typeof thresholds>): string[] {
  let state = beginProbe(kind);
  return outcomes.split('').map((outcome) => {
    state = takeOutcome(state, outcome === '+' ? 'success' : 'failure', limits);
    return `${state.result}${state.onHold ? '!' : ''}`;
  });
}

describe('thresholds', () => {
  test.each<[ProbeKind, string, [number, number], string[]]>([
    ['readiness', '+', [1, 3], ['success']],
    ['readiness', '+--+---', [1, 3], [...Array<string>(6).fill('success'), 'failure']],
    ['readiness', '+-+++', [2, 1], ['failure', 'failure', 'failure', 'success', 'success']],
    ['liveness', '--+---', [1, 3], [...Array<string>(5).fill('success'), 'failure!']],
    ['liveness', '-', [1, 1], ['failure!']],
    ['startup', '--+', [1, 3], ['unknown', 'unknown', 'success!']],
    ['startup', '---', [1, 3], ['unknown', 'unknown', 'failure!']],
  ])('%s %s with %j', (kind, outcomes, [ok, bad], expected) => {
    expect(results(kind, outcomes, thresholds(ok, bad))).toEqual(expected);
  });

  test('what an earlier process found stands until a threshold says otherwise', () => {
    let state = beginProbe('readiness', 'success');
    for (const outcome of ['failure', 'failure', 'success', 'failure', 'failure'] as const) {
      state = takeOutcome(state, outcome, thresholds(1, 3));
      expect(state.result).toBe('success');
    }
    expect(beginProbe('startup', 'success')).toMatchObject({ onHold: true, result: 'success' });
  });

  test('a result changes only after its threshold of outcomes in a row', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { maxLength: 60 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 4 }),
        (outcomes, ok, bad) => {
          let state = beginProbe('readiness');
          for (const [index, isOk] of outcomes.entries()) {
            const before = state.result;
            state = takeOutcome(state, isOk ? 'success' : 'failure', thresholds(ok, bad));
            if (state.result === before) continue;
            const last = outcomes.slice(index + 1 - (isOk ? ok : bad), index + 1);
            expect(last).toHaveLength(isOk ? ok : bad);
            expect(last.every((each) => each === isOk)).toBe(true);
          }
        },
      ),
    );
  });
});

describe('times', () => {
  const timing = { initialDelayMs: 5000, periodMs: 10_000 };
  test.each([
    ['a fresh container', { startedAt: 100_000, now: 100_000, share: 0 }, 105_000],
    ['one that started a while ago', { startedAt: 50_000, now: 100_000, share: 0 }, 100_000],
    ['one of an earlier process', { startedAt: 50_000, now: 100_000, share: 0.3 }, 103_000],
    ['one of an earlier process, still young', { startedAt: 99_000, now: 100_000, share: 0.3 }, 104_000],
    ['a clock that was set back', { startedAt: 900_000, now: 100_000, share: 0 }, 105_000],
  ])('first probe of %s', (_name, at, expected) => {
    expect(firstProbeAt(timing, at)).toBe(expected);
  });

  test.each([
    [200, 9800],
    [10_000, 0],
    [25_000, 0],
  ])('after a probe of %i ms: %i ms', (took, pause) => {
    expect(pauseAfter(10_000, took)).toBe(pause);
  });
});
