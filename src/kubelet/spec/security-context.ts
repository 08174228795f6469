import type { ContainerSecurityContext, Image, NamespaceOption, SELinuxOptions } from '#cri/types.ts';
import type { AgentPod, Container, SecurityContext } from '#lib/kube/types.ts';
import { appArmorProfile, seccompProfile } from './profiles.ts';
import { runAs, verifyNonRoot } from './run-as.ts';
import type { HostVolume } from '../pod/ports.ts';

const MASKED_PATHS = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

export function namespaceOptions(pod: AgentPod): NamespaceOption {
  const { spec } = pod;
  const shared = spec.shareProcessNamespace === true ? 'POD' : 'CONTAINER';
  return {
    network: spec.hostNetwork === true ? 'NODE' : 'POD',
    pid: spec.hostPID === true ? 'NODE' : shared,
    ipc: spec.hostIPC === true ? 'NODE' : 'POD',
  };
}

/** The container's own settings where it has them, the pod's otherwise. */
function effective(pod: AgentPod, container: Container): SecurityContext {
  const inherited: SecurityContext = {};
  const fromPod = pod.spec.securityContext ?? {};
  if (fromPod.runAsUser !== undefined) inherited.runAsUser = fromPod.runAsUser;
  if (fromPod.runAsGroup !== undefined) inherited.runAsGroup = fromPod.runAsGroup;
  if (fromPod.runAsNonRoot !== undefined) inherited.runAsNonRoot = fromPod.runAsNonRoot;
  if (fromPod.seLinuxOptions !== undefined) inherited.seLinuxOptions = fromPod.seLinuxOptions;
  const own = Object.entries(container.securityContext ?? {}).filter(
    ([, value]) => value !== undefined && value !== null,
  );
  return { ...inherited, ...(Object.fromEntries(own) as SecurityContext) };
}

/** Linux groups that the pod asks for, fsGroup first, as upstream, and last those that its volumes need. */
export function supplementalGroups(pod: AgentPod, ofVolumes: readonly number[] = []): number[] {
  const context = pod.spec.securityContext;
  const own = [
    ...(context?.fsGroup === undefined ? [] : [context.fsGroup]),
    ...(context?.supplementalGroups ?? []),
  ];
  return [...own, ...ofVolumes.filter((group) => !own.includes(group))];
}

/** Whether the groups that the image gives the user count too (`Merge`); undefined: the runtime's default, Merge. */
export function groupsPolicy(pod: AgentPod): { supplementalGroupsPolicy?: 'Merge' | 'Strict' } {
  const policy = pod.spec.securityContext?.supplementalGroupsPolicy;
  return policy === undefined ? {} : { supplementalGroupsPolicy: policy as 'Merge' | 'Strict' };
}

export const volumeGroups = (volumes: ReadonlyMap<string, HostVolume>): number[] => [
  ...new Set([...volumes.values()].flatMap(({ groups = [] }) => groups)),
];

export const selinuxOptions = (options: SELinuxOptions | undefined): { selinuxOptions?: SELinuxOptions } =>
  options === undefined ? {} : { selinuxOptions: { ...options } };

/** The node's part of a container's security. */
export interface SecuritySettings {
  seccompRoot: string;
  seccompDefault: boolean;
  /** Paths of this machine that are hidden from containers besides the fixed ones. */
  maskedPaths: readonly string[];
  /** Groups that volumes are readable for. */
  volumeGroups?: readonly number[];
}

/** The security context of a container in CRI's terms. Throws ContainerConfigError with what to mend. */
export function containerSecurityContext(
  pod: AgentPod,
  container: Container,
  image: Image,
  settings: SecuritySettings,
): ContainerSecurityContext {
  const context = effective(pod, container);
  verifyNonRoot(context, image, pod, container.name);
  const unmasked = context.procMount === 'Unmasked';
  const apparmor = appArmorProfile(pod, container);
  return {
    namespaceOptions: namespaceOptions(pod),
    privileged: context.privileged === true,
    readonlyRootfs: context.readOnlyRootFilesystem === true,
    noNewPrivs: context.allowPrivilegeEscalation === false,
    supplementalGroups: supplementalGroups(pod, settings.volumeGroups),
    ...groupsPolicy(pod),
    maskedPaths: unmasked ? [] : [...MASKED_PATHS, ...settings.maskedPaths],
    readonlyPaths: unmasked ? [] : READONLY_PATHS,
    ...(context.capabilities === undefined
      ? {}
      : {
          capabilities: {
            addCapabilities: context.capabilities.add ?? [],
            dropCapabilities: context.capabilities.drop ?? [],
          },
        }),
    ...selinuxOptions(context.seLinuxOptions),
    ...runAs(context, image),
    seccomp: seccompProfile(pod, container, settings),
    ...(apparmor === undefined ? {} : { apparmor }),
  };
}
