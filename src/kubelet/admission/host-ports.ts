import { isSidecar } from '#lib/kube/resources.ts';
import type { AgentPod } from '#lib/kube/types.ts';

interface HostPort {
  ip: string;
  protocol: string;
  port: number;
}

/** The ports of the node that the pod takes while it runs: init containers take theirs before, and give them back. */
export function hostPortsOf({ spec }: AgentPod): HostPort[] {
  const containers = [...spec.containers, ...(spec.initContainers ?? []).filter(isSidecar)];
  return containers.flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, hostIP, protocol }) =>
      hostPort === undefined || hostPort <= 0
        ? []
        : [{ ip: hostIP || '0.0.0.0', protocol: protocol ?? 'TCP', port: hostPort }],
    ),
  );
}

const isAny = (ip: string): boolean => ip === '0.0.0.0' || ip === '::';

const collide = (a: HostPort, b: HostPort): boolean =>
  a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || isAny(a.ip) || isAny(b.ip));

/** Whether another pod holds a port of the node that this one asks for. */
export function hasPortConflict(pod: AgentPod, others: readonly AgentPod[]): boolean {
  const wanted = hostPortsOf(pod);
  if (wanted.length === 0) return false;
  const taken = others.flatMap(hostPortsOf);
  return wanted.some((each) => taken.some((other) => collide(each, other)));
}
