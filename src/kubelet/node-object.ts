import { arch, cpus, hostname, release, totalmem } from 'node:os';
import { readText } from '#host/files.ts';
import type { RuntimeStatus, RuntimeVersion } from '#cri/types.ts';
import type { Node } from '#lib/kube/types.ts';
import { apiTime } from './status/time.ts';

/** What of a node doesn't change while the agent runs. */
export interface NodeFacts {
  name: string;
  addresses: readonly string[];
  maxPods: number;
  kubernetesVersion: string;
  startedAt: number;
  nodeInfo: NonNullable<NonNullable<Node['status']>['nodeInfo']>;
}

const ARCHITECTURES: Record<string, string> = { x64: 'amd64', ia32: '386' };

/** Reads the machine's identity once. */
export async function nodeFacts(
  known: Pick<NodeFacts, 'name' | 'addresses' | 'maxPods' | 'kubernetesVersion' | 'startedAt'>,
  runtime: RuntimeVersion,
): Promise<NodeFacts> {
  const text = async (path: string): Promise<string> => ((await readText(path)) ?? '').trim();
  const osRelease = await text('/etc/os-release');
  return {
    ...known,
    nodeInfo: {
      machineID: await text('/etc/machine-id'),
      systemUUID: await text('/sys/class/dmi/id/product_uuid'),
      bootID: await text('/proc/sys/kernel/random/boot_id'),
      kernelVersion: release(),
      osImage: /^PRETTY_NAME="?(.*?)"?$/m.exec(osRelease)?.[1] ?? 'Linux',
      containerRuntimeVersion: `${runtime.runtimeName}://${runtime.runtimeVersion}`,
      kubeletVersion: known.kubernetesVersion,
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: ARCHITECTURES[arch()] ?? arch(),
    },
  };
}

/** The node as an API object; `runtime` is the runtime's own word on its state, or why it gave none. */
export function nodeObject(facts: NodeFacts, runtime: RuntimeStatus | Error, now: number): Node {
  const trouble = troubleOf(runtime);
  const capacity = {
    cpu: String(cpus().length),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    pods: String(facts.maxPods),
  };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: facts.name,
      creationTimestamp: apiTime(facts.startedAt),
      labels: {
        'kubernetes.io/hostname': hostname(),
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': facts.nodeInfo.architecture,
      },
    },
    spec: {},
    status: {
      addresses: [
        ...facts.addresses.map((address) => ({ type: 'InternalIP', address })),
        { type: 'Hostname', address: facts.name },
      ],
      capacity,
      allocatable: capacity,
      conditions: [
        {
          type: 'Ready',
          status: trouble === undefined ? 'True' : 'False',
          reason: trouble === undefined ? 'KubeletReady' : 'KubeletNotReady',
          message: trouble ?? 'kubelet is posting ready status',
          lastHeartbeatTime: apiTime(now),
        },
      ],
      nodeInfo: facts.nodeInfo,
    },
  };
}

function troubleOf(runtime: RuntimeStatus | Error): string | undefined {
  if (runtime instanceof Error) return `the container runtime does not answer: ${runtime.message}`;
  const unmet = ['RuntimeReady', 'NetworkReady']
    .map((type) => ({ type, condition: runtime.conditions.find((each) => each.type === type) }))
    .filter(({ condition }) => condition?.status !== true);
  if (unmet.length === 0) return undefined;
  return unmet
    .map(
      ({ type, condition }) =>
        `${type} is false: ${condition?.message || condition?.reason || 'no reason given'}`,
    )
    .join('; ');
}
