import { isIPv6 } from 'node:net';
import type { DNSConfig, LinuxResources, PodSandboxConfig, PortMapping, Protocol } from '#cri/types.ts';
import type { AgentPod, Container } from '#lib/kube/types.ts';
import { type Paths, podLogDir } from '../paths.ts';
import { sandboxAnnotations, sandboxLabels } from '../pod/labels.ts';
import { normalizedSysctl } from '../admission/sysctls.ts';
import { groupsPolicy, namespaceOptions, selinuxOptions, supplementalGroups } from './security-context.ts';
import { kernelHostname, podHostname } from './pod-hostname.ts';

/** Of the containers that go on running; kubelet leaves out sidecars, whose host ports it counts all the same. */
function portMappings({ spec }: AgentPod): PortMapping[] {
  const sidecars = (spec.initContainers ?? []).filter((each) => each.restartPolicy === 'Always');
  return [...sidecars, ...spec.containers].flatMap(mappingsOf);
}

/** As upstream, the first of two ports of a container with the same name, or the same everything. */
function mappingsOf({ ports = [] }: Container): PortMapping[] {
  const byName = new Map<string, PortMapping>();
  for (const { name, containerPort, hostPort = 0, hostIP = '', protocol = 'TCP' } of ports) {
    const family = hostIP === '' ? 'any' : isIPv6(hostIP) ? 'v6' : 'v4';
    const key = name || `${family}-${protocol}-${hostIP}:${containerPort}:${hostPort}`;
    const mapping = { protocol: protocol as Protocol, containerPort, hostPort, hostIp: hostIP };
    if (!byName.has(key)) byName.set(key, mapping);
  }
  return [...byName.values()];
}

/** The pod's own resources, and what running it costs beyond them. */
export interface SandboxResources {
  resources: LinuxResources;
  overhead: LinuxResources;
}

/** A pod's sandbox in CRI's terms. Throws PodHostnameError where the pod can't have the name that it wants. */
export function sandboxConfig(
  pod: AgentPod,
  options: {
    attempt: number;
    cgroupParent: string;
    clusterDomain: string;
    dns: DNSConfig | undefined;
    paths: Paths;
    resources?: SandboxResources;
    volumeGroups?: readonly number[];
  },
): PodSandboxConfig {
  const { metadata, spec } = pod;
  const security = spec.securityContext ?? {};
  const containers = [
    ...(spec.initContainers ?? []),
    ...spec.containers,
    ...(spec.ephemeralContainers ?? []),
  ];
  // Runtimes know the names with dots only.
  const sysctls = Object.fromEntries(
    (security.sysctls ?? []).map(({ name, value }) => [normalizedSysctl(name), value]),
  );
  const hostNetwork = spec.hostNetwork === true;
  return {
    metadata: {
      name: metadata.name,
      uid: metadata.uid,
      namespace: metadata.namespace,
      attempt: options.attempt,
    },
    hostname: hostNetwork
      ? ''
      : kernelHostname(podHostname(pod, options.clusterDomain), spec.setHostnameAsFQDN),
    logDirectory: podLogDir(options.paths, metadata),
    ...(options.dns === undefined ? {} : { dnsConfig: options.dns }),
    portMappings: hostNetwork ? [] : portMappings(pod),
    labels: sandboxLabels(pod),
    annotations: sandboxAnnotations(pod),
    linux: {
      cgroupParent: options.cgroupParent,
      ...options.resources,
      ...(Object.keys(sysctls).length === 0 ? {} : { sysctls }),
      securityContext: {
        namespaceOptions: namespaceOptions(pod),
        privileged: containers.some((container) => container.securityContext?.privileged === true),
        // The sandbox itself never needs more than this, whatever its containers need.
        seccomp: { profileType: 'RuntimeDefault' },
        supplementalGroups: supplementalGroups(pod, options.volumeGroups),
        ...groupsPolicy(pod),
        ...(security.runAsUser === undefined ? {} : { runAsUser: security.runAsUser }),
        ...(security.runAsGroup === undefined ? {} : { runAsGroup: security.runAsGroup }),
        ...selinuxOptions(security.seLinuxOptions),
      },
    },
  };
}
