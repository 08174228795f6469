import { describe, expect, test } from 'vitest';
import type { AgentPod, Node } from '#lib/kube/types.ts';
import { makePod } from '../pod/testing/pod-bed.ts';
import { admitPod, misfitsOf } from './node-admission.ts';
import { SysctlRules } from './sysctls.ts';

const sysctls = new SysctlRules('6.1.0-18-amd64', ['net.core.*', 'kernel.msg*']);

function node(parts: { allocatable?: Record<string, string>; labels?: Record<string, string> } = {}): Node {
  return {
    metadata: { name: 'n1', labels: { zone: 'a', cores: '8', ...parts.labels } },
    spec: {},
    status: { allocatable: { cpu: '4', memory: '1Gi', pods: '3', ...parts.allocatable } },
  };
}

const asking = (
  name: string,
  requests: Record<string, string>,
  more: Partial<AgentPod['spec']> = {},
): AgentPod => {
  const pod = makePod(name, { containers: [{ resources: { requests } }] });
  return { ...pod, spec: { ...pod.spec, ...more } };
};

const verdictOf = (pod: AgentPod, others: readonly AgentPod[] = [], on: Node | 'unknown' = node()) =>
  admitPod({ pod, others, node: on === 'unknown' ? undefined : on, sysctls }).verdict;

describe('resources', () => {
  test('what is left decides, to the last milli', () => {
    const others = [asking('other', { cpu: '1500m' })];
    expect(verdictOf(asking('fits', { cpu: '2500m' }), others)).toEqual({ admitted: true });
    expect(verdictOf(asking('too-much', { cpu: '2501m' }), others)).toEqual({
      admitted: false,
      reason: 'OutOfcpu',
      message: "Node didn't have enough resource: cpu, requested: 2501, used: 1500, capacity: 4000",
    });
  });

  test.each([
    ['memory', { memory: '2Gi' }, 'OutOfmemory'],
    ['ephemeral-storage', { 'ephemeral-storage': '1' }, 'OutOfephemeral-storage'],
    ['hugepages-2Mi', { 'hugepages-2Mi': '2Mi' }, 'OutOfhugepages-2Mi'],
  ])('%s', (_, requests, reason) => {
    expect(verdictOf(asking('pod', requests))).toMatchObject({ admitted: false, reason });
  });

  test('the number of pods', () => {
    const others = ['a', 'b', 'c'].map((name) => asking(name, {}));
    expect(verdictOf(asking('d', {}), others)).toMatchObject({ reason: 'OutOfpods' });
    expect(verdictOf(asking('c', {}), others.slice(1))).toEqual({ admitted: true });
  });

  test('a device that the node has none of is the cluster’s; one that it has is counted', () => {
    const pod = asking('pod', { 'example.com/gpu': '2' });
    expect(verdictOf(pod)).toEqual({ admitted: true });
    expect(verdictOf(pod, [], node({ allocatable: { 'example.com/gpu': '1' } }))).toMatchObject({
      reason: 'OutOfexample.com/gpu',
    });
  });

  test('overhead and pod-level requests count', () => {
    expect(verdictOf(asking('pod', { cpu: '4' }, { overhead: { cpu: '1m' } }))).toMatchObject({
      reason: 'OutOfcpu',
    });
    expect(verdictOf(asking('pod', { cpu: '1' }, { resources: { requests: { cpu: '5' } } }))).toMatchObject({
      reason: 'OutOfcpu',
    });
  });
});

describe('placement', () => {
  const selected = (affinity: object): AgentPod =>
    asking(
      'pod',
      {},
      {
        affinity: {
          nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [affinity] } },
        },
      },
    );
  const expression = (key: string, operator: string, ...values: string[]): AgentPod =>
    selected({ matchExpressions: [{ key, operator, values }] });

  test.each([
    ['In', expression('zone', 'In', 'a', 'b'), true],
    ['In another', expression('zone', 'In', 'b'), false],
    ['NotIn', expression('zone', 'NotIn', 'a'), false],
    ['NotIn, absent', expression('nope', 'NotIn', 'a'), true],
    ['Exists', expression('zone', 'Exists'), true],
    ['DoesNotExist', expression('zone', 'DoesNotExist'), false],
    ['Gt', expression('cores', 'Gt', '4'), true],
    ['Gt itself', expression('cores', 'Gt', '8'), false],
    ['Lt', expression('cores', 'Lt', '16'), true],
    ['Gt of a word', expression('zone', 'Gt', '4'), false],
    ['an unknown operator', expression('zone', 'Near', 'a'), false],
    ['a term without requirements', selected({}), false],
    ['the name', selected({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }] }), true],
    [
      'another name',
      selected({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['x'] }] }),
      false,
    ],
  ])('%s', (_, pod, fits) => {
    expect(verdictOf(pod).admitted).toBe(fits);
  });

  test('nodeSelector, node name and taints name what failed', () => {
    expect(verdictOf(asking('pod', {}, { nodeSelector: { zone: 'b' } }))).toEqual({
      admitted: false,
      reason: 'NodeAffinity',
      message: "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    });
    expect(verdictOf(asking('pod', {}, { nodeName: 'n2' }))).toMatchObject({ reason: 'NodeName' });
  });

  test('only NoExecute taints concern the node, and never its static pods', () => {
    const tainted = node();
    tainted.spec = { taints: [{ key: 'out', value: 'yes', effect: 'NoExecute' }] };
    const pod = asking('pod', {});
    expect(verdictOf(pod, [], tainted)).toMatchObject({ reason: 'TaintToleration' });
    for (const toleration of [
      { operator: 'Exists' },
      { key: 'out', value: 'yes' },
      { key: 'out', operator: 'Exists', effect: 'NoExecute' },
    ]) {
      expect(verdictOf(asking('pod', {}, { tolerations: [toleration] }), [], tainted)).toEqual({
        admitted: true,
      });
    }
    expect(
      verdictOf(asking('pod', {}, { tolerations: [{ key: 'out', value: 'no' }] }), [], tainted).admitted,
    ).toBe(false);
    const fixed = {
      ...pod,
      metadata: { ...pod.metadata, annotations: { 'kubernetes.io/config.source': 'file' } },
    };
    expect(verdictOf(fixed, [], tainted)).toEqual({ admitted: true });
    tainted.spec.taints = [{ key: 'out', effect: 'NoSchedule' }];
    expect(verdictOf(pod, [], tainted)).toEqual({ admitted: true });
  });

  test('host ports collide by port, protocol and address', () => {
    const port = (name: string, hostPort: number, more: object = {}): AgentPod =>
      makePod(name, { containers: [{ ports: [{ containerPort: 80, hostPort, ...more }] }] });
    const taken = [port('a', 80), port('b', 53, { protocol: 'UDP', hostIP: '192.0.2.1' })];
    expect(verdictOf(port('c', 80), taken)).toMatchObject({ reason: 'NodePorts' });
    expect(verdictOf(port('c', 80, { hostIP: '192.0.2.7' }), taken)).toMatchObject({ reason: 'NodePorts' });
    expect(verdictOf(port('c', 80, { protocol: 'UDP' }), taken).admitted).toBe(true);
    expect(verdictOf(port('c', 53, { protocol: 'UDP', hostIP: '192.0.2.2' }), taken).admitted).toBe(true);
    expect(verdictOf(port('c', 53, { protocol: 'UDP' }), taken).admitted).toBe(false);
  });
});

describe('what no node of this kind runs', () => {
  test.each([
    [{ os: { name: 'windows' } }, 'PodOSNotSupported'],
    [{ securityContext: { supplementalGroupsPolicy: 'Strict' } }, 'SupplementalGroupsPolicyNotSupported'],
    [{ resourceClaims: [{ name: 'gpu' }] }, 'UnexpectedAdmissionError'],
    [{ securityContext: { sysctls: [{ name: 'kernel.panic', value: '1' }] } }, 'SysctlForbidden'],
  ])('%j', (spec, reason) => {
    expect(verdictOf(asking('pod', {}, spec))).toMatchObject({ admitted: false, reason });
  });

  test.each([
    ['net.ipv4.tcp_syncookies', {}, undefined],
    ['net/ipv4/tcp_syncookies', {}, undefined],
    ['net.core.somaxconn', {}, undefined],
    ['kernel.msgmax', {}, undefined],
    ['net.ipv4.ip_forward', {}, 'forbidden sysctl: "net.ipv4.ip_forward" not allowlisted'],
    [
      'net.core.somaxconn',
      { hostNetwork: true },
      'forbidden sysctl: "net.core.somaxconn" not allowed with host Net enabled',
    ],
    [
      'kernel.msgmax',
      { hostIPC: true },
      'forbidden sysctl: "kernel.msgmax" not allowed with host IPC enabled',
    ],
  ])('sysctl %s with %j', (name, spec, trouble) => {
    const pod = asking('pod', {}, { ...spec, securityContext: { sysctls: [{ name, value: '1' }] } });
    expect(sysctls.trouble(pod)).toBe(trouble);
  });

  test('an old kernel has fewer, and a pattern outside the pod is refused with its name', () => {
    const pod = asking(
      'pod',
      {},
      {
        securityContext: { sysctls: [{ name: 'net.ipv4.tcp_rmem', value: '1' }] },
      },
    );
    expect(sysctls.trouble(pod)).toBeUndefined();
    expect(new SysctlRules('4.14.0', []).trouble(pod)).toMatch('not allowlisted');
    expect(() => new SysctlRules('6.1', ['vm.*'])).toThrow('"vm.*" is not allowed');
  });
});

describe('a critical pod', () => {
  const critical = (requests: Record<string, string>): AgentPod =>
    asking('critical', requests, { priority: 2_000_000_000 });
  const guaranteed = (name: string, cpu: string): AgentPod => {
    const pod = makePod(name, {
      containers: [{ resources: { requests: { cpu, memory: '1' }, limits: { cpu, memory: '1' } } }],
    });
    return pod;
  };
  const ended = (pod: AgentPod, others: readonly AgentPod[]) => {
    const { verdict, preempt } = admitPod({
      pod,
      others,
      node: node({ allocatable: { pods: '10' } }),
      sysctls,
    });
    return { verdict, names: preempt.map(({ metadata }) => metadata.name) };
  };

  test('takes what is free without ending anything', () => {
    expect(ended(critical({ cpu: '1' }), [asking('a', { cpu: '3' })])).toEqual({
      verdict: { admitted: true },
      names: [],
    });
  });

  test('ends the fewest of the lowest class that give enough', () => {
    const others = [
      guaranteed('precious', '1'),
      asking('small', { cpu: '500m' }),
      asking('big', { cpu: '2' }),
      asking('other', { cpu: '500m' }),
    ];
    expect(ended(critical({ cpu: '1500m' }), others).names).toEqual(['big']);
    expect(ended(critical({ cpu: '2500m' }), others).names.sort()).toEqual(['big', 'other'].sort());
    expect(ended(critical({ cpu: '4' }), others).names).toContain('precious');
  });

  test('is refused where ending all that it may end is not enough, or for what no ending mends', () => {
    expect(ended(critical({ cpu: '5' }), [asking('a', { cpu: '1' })]).verdict).toMatchObject({
      reason: 'UnexpectedAdmissionError',
    });
    const picky = { ...critical({ cpu: '4' }) };
    picky.spec = { ...picky.spec, nodeSelector: { zone: 'b' } };
    expect(ended(picky, [asking('a', { cpu: '1' })])).toMatchObject({
      verdict: { reason: 'NodeAffinity' },
      names: [],
    });
  });

  test('never ends another critical pod of the same priority', () => {
    const others = [asking('peer', { cpu: '4' }, { priority: 2_000_000_000 })];
    expect(ended(critical({ cpu: '1' }), others).names).toEqual([]);
    expect(ended(critical({ cpu: '1' }), others).verdict.admitted).toBe(false);
  });
});

test('all misfits are found, resources first', () => {
  const pod = asking('pod', { cpu: '9', memory: '9Gi' }, { nodeSelector: { zone: 'b' } });
  expect(
    misfitsOf(pod, [], node()).map((each) => (each.kind === 'resource' ? each.resource : each.name)),
  ).toEqual(['cpu', 'memory', 'NodeAffinity']);
});

test('without a Node object only what needs none is checked', () => {
  expect(verdictOf(asking('pod', { cpu: '99' }), [], 'unknown')).toEqual({ admitted: true });
  expect(verdictOf(asking('pod', {}, { os: { name: 'windows' } }), [], 'unknown').admitted).toBe(false);
});

describe('AppArmor', () => {
  const confined = (): AgentPod => {
    const pod = asking('pod', {});
    return {
      ...pod,
      spec: { ...pod.spec, securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } },
    };
  };
  const judged = (pod: AgentPod, appArmorTrouble: string | undefined) =>
    admitPod({ pod, others: [], node: node(), sysctls, appArmorTrouble }).verdict;

  test('a pod that asks for a profile runs only where profiles are enforced', () => {
    expect(judged(confined(), 'AppArmor is not enabled on the host')).toEqual({
      admitted: false,
      reason: 'AppArmor',
      message: 'Cannot enforce AppArmor: AppArmor is not enabled on the host',
    });
    expect(judged(confined(), undefined)).toEqual({ admitted: true });
    expect(judged(asking('pod', {}), 'not enabled')).toEqual({ admitted: true });
  });
});

test('a pod whose containers are all to restart together is refused: the node doesn’t declare that feature', () => {
  const pod = makePod('pod', {
    containers: [
      {
        restartPolicy: 'Never',
        restartPolicyRules: [{ action: 'RestartAllContainers', exitCodes: { operator: 'In', values: [1] } }],
      },
    ],
  });
  expect(verdictOf(pod)).toMatchObject({ admitted: false, reason: 'PodFeatureUnsupported' });
});
