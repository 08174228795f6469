import type { ContainerConfig, PodSandboxConfig } from '../types.ts';

/** A sandbox's configuration with nothing special in it; `uid` is the name's own unless given. */
export function sandboxConfig(
  name: string,
  more: Partial<Omit<PodSandboxConfig, 'metadata'>> & { uid?: string; attempt?: number } = {},
): PodSandboxConfig {
  const { uid = `uid-${name}`, attempt = 0, ...rest } = more;
  return {
    metadata: { name, uid, namespace: 'default', attempt },
    hostname: name,
    logDirectory: '',
    portMappings: [],
    labels: {
      'io.kubernetes.pod.name': name,
      'io.kubernetes.pod.namespace': 'default',
      'io.kubernetes.pod.uid': uid,
    },
    annotations: {},
    linux: {
      cgroupParent: '',
      securityContext: { namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } },
    },
    ...rest,
  };
}

/** A container's configuration with nothing special in it. */
export function containerConfig(
  name: string,
  image: string,
  more: Partial<Omit<ContainerConfig, 'metadata' | 'image'>> & { attempt?: number } = {},
): ContainerConfig {
  const { attempt = 0, ...rest } = more;
  return {
    metadata: { name, attempt },
    image: { image },
    command: [],
    args: [],
    workingDir: '',
    envs: [],
    mounts: [],
    devices: [],
    labels: { 'io.kubernetes.container.name': name },
    annotations: {},
    logPath: '',
    stdin: false,
    stdinOnce: false,
    tty: false,
    linux: {
      resources: {},
      securityContext: {
        namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' },
        privileged: false,
        readonlyRootfs: false,
        supplementalGroups: [],
        noNewPrivs: false,
        maskedPaths: [],
        readonlyPaths: [],
      },
    },
    ...rest,
  };
}
