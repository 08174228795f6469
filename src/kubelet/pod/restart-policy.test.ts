import { describe, expect, test } from 'vitest';
import type { AgentPod, Container } from '#lib/kube/types.ts';
import { kindOf } from './instances.ts';
import { restartsAfter } from './restart-policy.ts';
import { makePod } from './testing/pod-bed.ts';

type Rule = NonNullable<Container['restartPolicyRules']>[number];
const rule = (operator: string, values: number[], action = 'Restart'): Rule => ({
  action,
  exitCodes: { operator, values },
});

function restarts(pod: AgentPod, name: string, exitCode: number): boolean {
  const spec = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].find(
    (each) => each.name === name,
  );
  if (spec === undefined) throw new TypeError(name);
  return restartsAfter(
    pod,
    { spec, kind: kindOf(pod, spec), current: undefined, previous: undefined, isStarting: false },
    exitCode,
  );
}

describe('whether a container runs again', () => {
  test.each<[pod: string, own: string | undefined, rules: Rule[], onSuccess: boolean, on42: boolean]>([
    ['Always', undefined, [], true, true],
    ['OnFailure', undefined, [], false, true],
    ['Never', undefined, [], false, false],
    // Its own policy counts.
    ['Always', 'Never', [], false, false],
    ['Always', 'OnFailure', [], false, true],
    ['Never', 'Always', [], true, true],
    ['Never', 'OnFailure', [], false, true],
    // Rules are exceptions from its own policy.
    ['Never', 'Never', [rule('In', [42])], false, true],
    ['Never', 'Never', [rule('In', [1, 2])], false, false],
    ['Always', 'Never', [rule('NotIn', [0])], false, true],
    ['Always', 'Never', [rule('NotIn', [0, 42])], false, false],
    ['Never', 'OnFailure', [rule('In', [0])], true, true],
    // The first rule that matches counts, and an action that isn't known here leaves it to the policy.
    ['Always', 'Never', [rule('In', [42], 'Other'), rule('In', [42])], false, false],
    ['Always', 'Never', [rule('Sometimes', [42])], false, false],
    // Without a policy of its own there is nothing to except from.
    ['Never', undefined, [rule('In', [42])], false, false],
  ])('pod %s, own %s, rules %j', (restartPolicy, own, restartPolicyRules, onSuccess, on42) => {
    const container = { name: 'c', restartPolicyRules, ...(own === undefined ? {} : { restartPolicy: own }) };
    const pod = makePod('p', { restartPolicy, containers: [container] });
    expect(restarts(pod, 'c', 0)).toBe(onSuccess);
    expect(restarts(pod, 'c', 42)).toBe(on42);
  });

  test('an init container that succeeded has done its work, whatever the policy', () => {
    const init = { name: 'i', restartPolicy: 'OnFailure', restartPolicyRules: [rule('In', [0])] };
    const pod = makePod('p', { restartPolicy: 'Never', initContainers: [init], containers: [{}] });
    expect(restarts(pod, 'i', 0)).toBe(false);
    expect(restarts(pod, 'i', 1)).toBe(true);
  });
});
