import { join } from 'node:path';
import type {
  ContainerConfig,
  ContainerSecurityContext,
  Device,
  Image,
  LinuxResources,
  Mount,
  MountPropagation,
} from '#cri/types.ts';
import type { AgentPod, Container, VolumeMount } from '#lib/kube/types.ts';
import { type Paths, containerLogPath } from '../paths.ts';
import { containerAnnotations, containerLabels } from '../pod/labels.ts';
import type { HostVolume } from '../pod/ports.ts';
import { ContainerConfigError } from './config-error.ts';
import { expand } from './expansion.ts';
import { HOSTS_PATH } from './hosts-file.ts';
import { containerSecurityContext, volumeGroups } from './security-context.ts';

export interface ContainerConfigInputs {
  pod: AgentPod;
  container: Container;
  attempt: number;
  image: Image;
  imageRef: string;
  /** The container's environment, complete. */
  variables: ReadonlyMap<string, string>;
  volumes: ReadonlyMap<string, HostVolume>;
  /** Host paths of mounts with a subPath, by their index in volumeMounts. */
  subPaths: ReadonlyMap<number, string>;
  /** The file on the host that becomes terminationMessagePath; undefined for none. */
  terminationMessageFile: string | undefined;
  /** The file on the host that becomes /etc/hosts; undefined for none. */
  hostsFile: string | undefined;
  resources: LinuxResources;
  /** The ID of the container whose process namespace it joins, unless the pod has one for all. */
  pidTarget?: string | undefined;
  paths: Paths;
  seccompDefault: boolean;
  maskedPaths: readonly string[];
}

/** A container in CRI's terms. Throws ContainerConfigError with what to mend. */
export function containerConfig(inputs: ContainerConfigInputs): ContainerConfig {
  const { pod, container, attempt, variables } = inputs;
  return {
    metadata: { name: container.name, attempt },
    image: { image: inputs.imageRef, userSpecifiedImage: container.image ?? '' },
    command: (container.command ?? []).map((word) => expand(word, variables)),
    args: (container.args ?? []).map((word) => expand(word, variables)),
    workingDir: container.workingDir ?? '',
    envs: [...variables].map(([key, value]) => ({ key, value })),
    mounts: mounts(inputs),
    devices: devices(inputs),
    labels: containerLabels(pod, container),
    annotations: containerAnnotations(pod, container, attempt),
    logPath: containerLogPath(container.name, attempt),
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    tty: container.tty === true,
    linux: {
      resources: inputs.resources,
      securityContext: withTarget(
        inputs.pidTarget,
        containerSecurityContext(pod, container, inputs.image, {
          seccompRoot: join(inputs.paths.root, 'seccomp'),
          seccompDefault: inputs.seccompDefault,
          maskedPaths: inputs.maskedPaths,
          volumeGroups: volumeGroups(inputs.volumes),
        }),
      ),
    },
  };
}

function withTarget(id: string | undefined, context: ContainerSecurityContext): ContainerSecurityContext {
  const { namespaceOptions } = context;
  if (id === undefined || namespaceOptions.pid !== 'CONTAINER') return context;
  return { ...context, namespaceOptions: { ...namespaceOptions, pid: 'TARGET', targetId: id } };
}

function mounts(inputs: ContainerConfigInputs): Mount[] {
  const { container, volumes, subPaths, hostsFile, terminationMessageFile } = inputs;
  const result = (container.volumeMounts ?? []).map((mount, index): Mount => {
    const volume = volumes.get(mount.name);
    if (volume === undefined) {
      throw new ContainerConfigError(
        `volumeMounts[${index}]: the pod has no volume ${JSON.stringify(mount.name)} to mount at ${mount.mountPath}`,
      );
    }
    return {
      containerPath: absolute(mount.mountPath),
      hostPath: subPaths.get(index) ?? volume.hostPath,
      readonly: mount.readOnly === true || volume.readOnly,
      propagation: propagation(mount),
      ...(volume.selinuxRelabel ? { selinuxRelabel: true } : {}),
    };
  });
  if (hostsFile !== undefined) {
    result.push({
      containerPath: HOSTS_PATH,
      hostPath: hostsFile,
      readonly: false,
      selinuxRelabel: true,
    });
  }
  const messagePath = container.terminationMessagePath;
  if (terminationMessageFile !== undefined && messagePath) {
    result.push({ containerPath: absolute(messagePath), hostPath: terminationMessageFile, readonly: false });
  }
  return result;
}

/** Raw block volumes; of what is mounted as a device, its node in the pod's /dev. */
function devices({ container, volumes }: ContainerConfigInputs): Device[] {
  return (container.volumeDevices ?? []).map(({ name, devicePath }, index) => {
    const volume = volumes.get(name);
    if (volume?.isDevice !== true) {
      throw new ContainerConfigError(
        `volumeDevices[${index}]: volume ${JSON.stringify(name)} is not a raw block volume: its claim needs volumeMode Block`,
      );
    }
    return {
      containerPath: absolute(devicePath),
      hostPath: volume.hostPath,
      permissions: volume.readOnly ? 'r' : 'mrw',
    };
  });
}

const absolute = (path: string): string => (path.startsWith('/') ? path : `/${path}`);

function propagation(mount: VolumeMount): MountPropagation {
  switch (mount.mountPropagation) {
    case 'HostToContainer':
      return 'PROPAGATION_HOST_TO_CONTAINER';
    case 'Bidirectional':
      return 'PROPAGATION_BIDIRECTIONAL';
    default:
      return 'PROPAGATION_PRIVATE';
  }
}
