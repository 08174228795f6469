import { join } from 'node:path';
import type {
  ContainerSecurityContext,
  NamespaceOption,
  SELinuxOptions,
  SecurityProfile,
} from '#cri/types.ts';
import type { Image } from '#cri/types.ts';
import type { AgentPod, Container, SecurityContext } from '#lib/kube/types.ts';
import type { HostVolume } from '../pod/ports.ts';
import { ContainerConfigError } from './config-error.ts';

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
  if (fromPod.seccompProfile !== undefined) inherited.seccompProfile = fromPod.seccompProfile;
  if (fromPod.appArmorProfile !== undefined) inherited.appArmorProfile = fromPod.appArmorProfile;
  return { ...inherited, ...container.securityContext };
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

export const volumeGroups = (volumes: ReadonlyMap<string, HostVolume>): number[] => [
  ...new Set([...volumes.values()].flatMap(({ groups = [] }) => groups)),
];

export const selinuxOptions = (options: SELinuxOptions | undefined): { selinuxOptions?: SELinuxOptions } =>
  options === undefined ? {} : { selinuxOptions: { ...options } };

interface ProfileSpec {
  type: string;
  localhostProfile?: string;
}

/** A profile that names a file must name one; an empty name would mean unconfined. */
function profile(what: string, spec: ProfileSpec, localhostRef: (name: string) => string): SecurityProfile {
  switch (spec.type) {
    case 'RuntimeDefault':
    case 'Unconfined':
      return { profileType: spec.type };
    case 'Localhost': {
      const name = spec.localhostProfile ?? '';
      if (name === '' || name.startsWith('/') || name.split('/').includes('..')) {
        throw new ContainerConfigError(
          `${what}.localhostProfile ${JSON.stringify(name)}: must be a path below the profile directory`,
        );
      }
      return { profileType: 'Localhost', localhostRef: localhostRef(name) };
    }
    default:
      throw new ContainerConfigError(
        `${what}.type ${JSON.stringify(spec.type)}: must be RuntimeDefault, Unconfined or Localhost`,
      );
  }
}

/** The largest user ID that no runtime reads as something else (2³¹−1). */
const MAX_UID = 0x7fffffff;

/** Refuses what would run as root, or might, under runAsNonRoot; looked at afresh for every container. */
function verifyNonRoot(context: SecurityContext, image: Image, container: string): void {
  if (context.runAsNonRoot !== true) return;
  if (context.runAsUser !== undefined) {
    if (context.runAsUser !== 0) return;
    throw new ContainerConfigError(
      `container ${container}: runAsUser 0 breaks the pod's runAsNonRoot policy: set another runAsUser`,
    );
  }
  if (image.uid !== undefined) {
    if (image.uid > 0 && image.uid <= MAX_UID) return;
    throw new ContainerConfigError(
      `container ${container} has runAsNonRoot and image will run as root (or as an unusable user ${image.uid}): set runAsUser`,
    );
  }
  if (image.username !== '') {
    throw new ContainerConfigError(
      `container ${container} has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root: set runAsUser`,
    );
  }
  throw new ContainerConfigError(
    `container ${container} has runAsNonRoot and image will run as root: set runAsUser or use an image with a numeric USER`,
  );
}

function runAs(context: SecurityContext, image: Image): Partial<ContainerSecurityContext> {
  const group = context.runAsGroup === undefined ? {} : { runAsGroup: context.runAsGroup };
  if (context.runAsUser !== undefined) return { runAsUser: context.runAsUser, ...group };
  if (image.uid !== undefined) return { runAsUser: image.uid, ...group };
  return image.username === '' ? group : { runAsUsername: image.username, ...group };
}

/** The security context of a container in CRI's terms. Throws ContainerConfigError with what to mend. */
export function containerSecurityContext(
  pod: AgentPod,
  container: Container,
  image: Image,
  options: { seccompRoot: string; seccompDefault: boolean; volumeGroups?: readonly number[] },
): ContainerSecurityContext {
  const context = effective(pod, container);
  verifyNonRoot(context, image, container.name);
  const unmasked = context.procMount === 'Unmasked';
  const policy = pod.spec.securityContext?.supplementalGroupsPolicy;
  const unset: SecurityProfile = { profileType: options.seccompDefault ? 'RuntimeDefault' : 'Unconfined' };
  return {
    namespaceOptions: namespaceOptions(pod),
    privileged: context.privileged === true,
    readonlyRootfs: context.readOnlyRootFilesystem === true,
    noNewPrivs: context.allowPrivilegeEscalation === false,
    supplementalGroups: supplementalGroups(pod, options.volumeGroups),
    ...(policy === undefined ? {} : { supplementalGroupsPolicy: policy as 'Merge' | 'Strict' }),
    maskedPaths: unmasked ? [] : MASKED_PATHS,
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
    seccomp:
      context.seccompProfile === undefined
        ? unset
        : profile('seccompProfile', context.seccompProfile, (name) => join(options.seccompRoot, name)),
    ...(context.appArmorProfile === undefined
      ? {}
      : { apparmor: profile('appArmorProfile', context.appArmorProfile, (name) => name) }),
  };
}
