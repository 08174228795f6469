import type { Quantity } from '#lib/kube/quantity.ts';
import { amountOf, podLimits, podRequests, readAmounts } from '#lib/kube/resources.ts';
import type { ResourceAmounts } from '#lib/kube/resources.ts';
import type { Event, Node, Pod, PodSpec } from '#lib/kube/types.ts';
import { age } from '../age.ts';
import { rolesOf } from '../node-table.ts';
import { describeAnnotations } from './annotations.ts';
import { describeEvents } from './events.ts';
import { DescribeText, byName, rfc1123 } from './text.ts';

function taints(node: Node): string[] {
  return (node.spec?.taints ?? [])
    .toSorted((a, b) => (`${a.effect},${a.key}` < `${b.effect},${b.key}` ? -1 : 1))
    .map(({ key, value, effect }) => `${key}${value ? `=${value}` : ''}:${effect}`);
}

function conditions(text: DescribeText, node: Node): void {
  const list = node.status?.conditions ?? [];
  if (list.length === 0) return;
  text.flush().line(0, 'Conditions:');
  text.line(1, 'Type', 'Status', 'LastHeartbeatTime', 'LastTransitionTime', 'Reason', 'Message');
  text.line(1, '----', '------', '-----------------', '------------------', '------', '-------');
  for (const { type, status, lastHeartbeatTime, lastTransitionTime, reason, message } of list) {
    const times = [lastHeartbeatTime, lastTransitionTime].map(rfc1123);
    text.line(
      1,
      `${type} `,
      `${status} `,
      ...times.map((time) => `${time} `),
      `${reason ?? ''} `,
      message ?? '',
    );
  }
}

function resourceList(
  text: DescribeText,
  title: string,
  list: Readonly<Record<string, string>> | undefined,
): void {
  if (list === undefined || Object.keys(list).length === 0) return;
  text.line(0, `${title}:`);
  for (const [name, amount] of Object.entries(list).sort(byName)) text.line(1, `${name}:`, amount);
}

function systemInfo(text: DescribeText, node: Node): void {
  const info = node.status?.nodeInfo;
  text.line(0, 'System Info:');
  const rows: [string, string | undefined][] = [
    ['Machine ID', info?.machineID],
    ['System UUID', info?.systemUUID],
    ['Boot ID', info?.bootID],
    ['Kernel Version', info?.kernelVersion],
    ['OS Image', info?.osImage],
    ['Operating System', info?.operatingSystem],
    ['Architecture', info?.architecture],
    ['Container Runtime Version', info?.containerRuntimeVersion],
    ['Kubelet Version', info?.kubeletVersion],
  ];
  for (const [title, value] of rows) text.line(1, `${title}:`, value ?? '');
}

/** `250m (12%)`: an amount and its part of what pods can have. */
function share(amount: Quantity, whole: Quantity): string {
  const part = whole.isZero ? 0 : Math.trunc((Number(amount.nanos) / Number(whole.nanos)) * 100);
  return `${amount.toString()} (${part}%)`;
}

type PodWithSpec = Pod & { spec: PodSpec };

function pods(text: DescribeText, node: Node, list: readonly Pod[], now: number): void {
  const whole = readAmounts(node.status?.allocatable ?? node.status?.capacity, 'allocatable');
  const running = list.filter(
    (pod): pod is PodWithSpec =>
      pod.spec !== undefined && !['Succeeded', 'Failed'].includes(pod.status?.phase ?? ''),
  );
  text.line(0, 'Non-terminated Pods:', `(${running.length} in total)`).flush();
  text.line(
    1,
    'Namespace',
    'Name',
    '',
    'CPU Requests',
    'CPU Limits',
    'Memory Requests',
    'Memory Limits',
    'Age',
  );
  text.line(
    1,
    '---------',
    '----',
    '',
    '------------',
    '----------',
    '---------------',
    '-------------',
    '---',
  );
  const total: { requests: ResourceAmounts; limits: ResourceAmounts } = {
    requests: new Map(),
    limits: new Map(),
  };
  for (const pod of running) {
    const own = { requests: podRequests(pod), limits: podLimits(pod) };
    for (const kind of ['requests', 'limits'] as const) {
      for (const [name, amount] of own[kind]) {
        total[kind].set(name, amountOf(total[kind], name).plus(amount));
      }
    }
    const cells = ['cpu', 'memory'].flatMap((name) =>
      [own.requests, own.limits].map((amounts) => share(amountOf(amounts, name), amountOf(whole, name))),
    );
    const { namespace = '', name = '', creationTimestamp } = pod.metadata ?? {};
    text.line(1, namespace, name, '', ...cells, age(creationTimestamp, now));
  }
  text.flush().line(0, 'Allocated resources:');
  text.line(1, '(Total limits may be over 100 percent, i.e., overcommitted.)').flush();
  text.line(1, 'Resource', 'Requests', 'Limits').line(1, '--------', '--------', '------');
  const usual = ['cpu', 'memory', 'ephemeral-storage'];
  const others = [...whole.keys()].filter((name) => ![...usual, 'pods'].includes(name)).toSorted();
  const huge = others.filter((name) => name.startsWith('hugepages-'));
  for (const name of usual.concat(huge)) {
    const cells = [total.requests, total.limits].map((amounts) =>
      share(amountOf(amounts, name), amountOf(whole, name)),
    );
    text.line(1, name, ...cells);
  }
  for (const name of others.filter((each) => !huge.includes(each))) {
    const cells = [total.requests, total.limits].map((amounts) => amountOf(amounts, name).toString());
    text.line(1, name, ...cells);
  }
}

/** All about a node, as `kubectl describe node` prints it. */
export function describeNode(
  node: Node,
  list: readonly Pod[],
  events: readonly Event[],
  now: number,
): string {
  const { metadata, spec, status } = node;
  const text = new DescribeText();
  text.line(0, 'Name:', metadata?.name ?? '').line(0, 'Roles:', rolesOf(node));
  text.map('Labels', metadata?.labels);
  describeAnnotations(text, metadata?.annotations);
  text.line(0, 'CreationTimestamp:', rfc1123(metadata?.creationTimestamp));
  text.list('Taints', taints(node));
  text.line(0, 'Unschedulable:', String(spec?.unschedulable === true));
  conditions(text, node);
  text.flush().line(0, 'Addresses:');
  for (const { type, address } of status?.addresses ?? []) text.line(1, `${type}:`, address);
  resourceList(text, 'Capacity', status?.capacity);
  resourceList(text, 'Allocatable', status?.allocatable);
  systemInfo(text, node);
  if (spec?.podCIDR) text.line(0, 'PodCIDR:', spec.podCIDR);
  if ((spec?.podCIDRs ?? []).length > 0) text.line(0, 'PodCIDRs:', (spec?.podCIDRs ?? []).join(','));
  if (spec?.providerID) text.line(0, 'ProviderID:', spec.providerID);
  pods(text, node, list, now);
  describeEvents(text, events, now);
  return text.toString();
}
