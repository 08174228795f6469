import type { DNSConfig, LinuxResources, PodSandboxConfig, PortMapping, Protocol } from '#cri/types.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import { type Paths, podLogDir } from '../paths.ts';
import { sandboxAnnotations, sandboxLabels } from '../pod/labels.ts';
import { normalizedSysctl } from '../admission/sysctls.ts';
import { groupsPolicy, namespaceOptions, selinuxOptions, supplementalGroups } from './security-context.ts';

/** Linux cuts host names at 64 bytes; DNS labels at 63. */
const MAX_HOSTNAME = 63;

/** The pod's host name: its own wish, or its name, cut so that it ends with a letter or digit. */
export function podHostname(pod: AgentPod): string {
  if (pod.spec.hostnameOverride) return pod.spec.hostnameOverride;
  if (pod.spec.hostname) return pod.spec.hostname;
  return pod.metadata.name.slice(0, MAX_HOSTNAME).replace(/[-.]+$/, '');
}

function portMappings(pod: AgentPod): PortMapping[] {
  const containers = [
    ...(pod.spec.initContainers ?? []).filter((each) => each.restartPolicy === 'Always'),
    ...pod.spec.containers,
  ];
  return containers.flatMap((container) =>
    (container.ports ?? []).map((port) => ({
      protocol: (port.protocol ?? 'TCP') as Protocol,
      containerPort: port.containerPort,
      hostPort: port.hostPort ?? 0,
      hostIp: port.hostIP ?? '',
    })),
  );
}

/** The pod's own resources, and what running it costs beyond them. */
export interface SandboxResources {
  resources: LinuxResources;
  overhead: LinuxResources;
}

/** A pod's sandbox in CRI's terms. */
export function sandboxConfig(
  pod: AgentPod,
  options: {
    attempt: number;
    cgroupParent: string;
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
    hostname: hostNetwork ? '' : podHostname(pod),
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
