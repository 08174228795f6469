import type { PodSandboxConfig } from '#cri/types.ts';
import type { RuntimeConnection } from '#cri/grpc/connect.ts';

let uids = 0;

/** A sandbox as the agent would ask for, without anything special; `hostPort` maps port 80. */
export function sandboxConfig(name: string, logDirectory: string, hostPort?: number): PodSandboxConfig {
  uids += 1;
  const uid = `00000000-0000-4000-8000-${uids.toString().padStart(12, '0')}`;
  return {
    metadata: { name, uid, namespace: 'default', attempt: 0 },
    hostname: name,
    logDirectory,
    portMappings:
      hostPort === undefined ? [] : [{ protocol: 'TCP', containerPort: 80, hostPort, hostIp: '' }],
    labels: { 'io.kubernetes.pod.name': name, 'io.kubernetes.pod.uid': uid },
    annotations: {},
    linux: {
      cgroupParent: `/kubepods/besteffort/pod${uid}`,
      securityContext: { namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } },
    },
  };
}

/** A running pod of one container, by bare CRI calls: its sandbox's and container's IDs and its address. */
export async function runPod(
  { runtime }: Pick<RuntimeConnection, 'runtime'>,
  sandbox: PodSandboxConfig,
  image: string,
  command: string[],
): Promise<{ sandboxId: string; containerId: string; address: string }> {
  const sandboxId = await runtime.runPodSandbox(sandbox, '');
  const containerId = await runtime.createContainer(
    sandboxId,
    {
      metadata: { name: 'main', attempt: 0 },
      image: { image },
      command,
      args: [],
      workingDir: '',
      envs: [],
      mounts: [],
      devices: [],
      labels: {},
      annotations: {},
      logPath: 'main.log',
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
    },
    sandbox,
  );
  await runtime.startContainer(containerId);
  const { ips } = await runtime.podSandboxStatus(sandboxId);
  return { sandboxId, containerId, address: ips[0] ?? '' };
}
