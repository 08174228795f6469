import { podQosClass } from '#lib/kube/qos.ts';
import type { Event, Pod, PodSpec } from '#lib/kube/types.ts';
import { age } from '../age.ts';
import { describeAnnotations } from './annotations.ts';
import { describeContainers, describeResources } from './container.ts';
import { describeEvents } from './events.ts';
import { DescribeText, rfc1123 } from './text.ts';
import { describeVolumes } from './volumes.ts';

function tolerations(spec: PodSpec): string[] {
  return (spec.tolerations ?? [])
    .toSorted((a, b) => ((a.key ?? '') < (b.key ?? '') ? -1 : 1))
    .map((each) => {
      let line = each.key ?? '';
      if (each.value) line += `=${each.value}`;
      if (each.effect) line += `:${each.effect}`;
      if (each.operator === 'Exists' && !each.value)
        line += each.key || each.effect ? ' op=Exists' : 'op=Exists';
      if (each.tolerationSeconds !== undefined) line += ` for ${each.tolerationSeconds}s`;
      return line;
    });
}

function head(text: DescribeText, pod: Pod, now: number): void {
  const { metadata, spec, status } = pod;
  text.line(0, 'Name:', metadata?.name ?? '').line(0, 'Namespace:', metadata?.namespace ?? '');
  if (spec?.priority !== undefined) text.line(0, 'Priority:', String(spec.priority));
  if (spec?.priorityClassName) text.line(0, 'Priority Class Name:', spec.priorityClassName);
  if (spec?.runtimeClassName) text.line(0, 'Runtime Class Name:', spec.runtimeClassName);
  if (spec?.serviceAccountName) text.line(0, 'Service Account:', spec.serviceAccountName);
  text.line(0, 'Node:', spec?.nodeName ? `${spec.nodeName}/${status?.hostIP ?? ''}` : '<none>');
  if (status?.startTime !== undefined) text.line(0, 'Start Time:', rfc1123(status.startTime));
  text.map('Labels', metadata?.labels);
  describeAnnotations(text, metadata?.annotations);
  const final = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  if (metadata?.deletionTimestamp !== undefined && !final) {
    text.line(0, 'Status:', `Terminating (lasts ${age(metadata.deletionTimestamp, now)})`);
    text.line(0, 'Termination Grace Period:', `${metadata.deletionGracePeriodSeconds ?? 0}s`);
  } else text.line(0, 'Status:', status?.phase ?? '');
  if (status?.reason) text.line(0, 'Reason:', status.reason);
  if (status?.message) text.line(0, 'Message:', status.message);
  const seccomp = spec?.securityContext?.seccompProfile;
  if (seccomp !== undefined) text.line(0, 'SeccompProfile:', seccomp.type);
  if (seccomp?.type === 'Localhost') text.line(0, 'LocalhostProfile:', seccomp.localhostProfile ?? '');
  text.line(0, 'IP:', status?.podIP ?? '');
  const ips = status?.podIPs ?? [];
  text.line(0, ...(ips.length === 0 ? ['IPs:', '<none>'] : ['IPs:']));
  for (const { ip } of ips) text.line(1, 'IP:', ip);
  const owner = metadata?.ownerReferences?.find(({ controller }) => controller === true);
  if (owner !== undefined) text.line(0, 'Controlled By:', `${owner.kind}/${owner.name}`);
}

/** Everything about a pod, as `kubectl describe pod` prints it. */
export function describePod(pod: Pod, events: readonly Event[], now: number): string {
  const text = new DescribeText();
  const spec = pod.spec ?? { containers: [] };
  const { status } = pod;
  head(text, pod, now);
  if (spec.resources !== undefined) {
    text.line(0, 'Resources:');
    describeResources(text, 1, spec.resources);
  }
  const inits = spec.initContainers ?? [];
  if (inits.length > 0)
    describeContainers(text, 'Init Containers', inits, status?.initContainerStatuses, pod);
  describeContainers(text, 'Containers', spec.containers, status?.containerStatuses, pod);
  const ephemeral = spec.ephemeralContainers ?? [];
  if (ephemeral.length > 0) {
    describeContainers(text, 'Ephemeral Containers', ephemeral, status?.ephemeralContainerStatuses, pod);
  }
  const conditions = status?.conditions ?? [];
  const gates = spec.readinessGates ?? [];
  if (gates.length > 0) text.line(0, 'Readiness Gates:').line(1, 'Type', 'Status');
  for (const { conditionType } of gates) {
    const met = conditions.find(({ type }) => type === conditionType);
    text.line(1, `${conditionType} `, `${met?.status ?? '<none>'} `);
  }
  if (conditions.length > 0) text.line(0, 'Conditions:').line(1, 'Type', 'Status');
  for (const condition of conditions) text.line(1, `${condition.type} `, `${condition.status} `);
  describeVolumes(text, spec.volumes);
  text.line(0, 'QoS Class:', podQosClass({ ...pod, spec }));
  text.map('Node-Selectors', spec.nodeSelector);
  text.list('Tolerations', tolerations(spec));
  describeEvents(text, events, now);
  return text.toString();
}
