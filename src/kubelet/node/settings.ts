import { readAmounts } from '#lib/kube/resources.ts';
import type { ResourceAmounts } from '#lib/kube/resources.ts';
import type { Node } from '#lib/kube/types.ts';
import type { HardThreshold } from './thresholds.ts';
import { DEFAULT_HARD_THRESHOLDS } from './thresholds.ts';

export type Taint = NonNullable<NonNullable<Node['spec']>['taints']>[number];

/** What the configuration says of the node. Names are those of KubeletConfiguration and of kubelet's flags. */
export interface NodeSettings {
  nodeName: string;
  /** The host's name, or --hostname-override: the label and the address of type Hostname. */
  hostname: string;
  /** --node-ip: nothing, one address (`0.0.0.0` and `::` choose the family alone), or one of each family. */
  nodeIps: readonly string[];
  /** --node-labels and --register-with-taints: for a new Node object only. */
  nodeLabels: Readonly<Record<string, string>>;
  registerWithTaints: readonly Taint[];
  registerNode: boolean;
  /** Whether a Node object that is deleted while the agent runs is made again. */
  recreateDeletedNode: boolean;
  providerId: string;
  cloudProvider: '' | 'external';
  enableControllerAttachDetach: boolean;
  maxPods: number;
  /** 0: no limit of that kind. */
  podsPerCore: number;
  systemReserved: ResourceAmounts;
  kubeReserved: ResourceAmounts;
  evictionHard: readonly HardThreshold[];
  evictionPressureTransitionPeriodMs: number;
  enforceNodeAllocatable: readonly string[];
  localStorageCapacityIsolation: boolean;
  nodeStatusUpdateFrequencyMs: number;
  nodeStatusReportFrequencyMs: number;
  /** -1: all. */
  nodeStatusMaxImages: number;
  nodeLeaseDurationSeconds: number;
  /** Port of the node's HTTPS API; 0 where there is none. */
  kubeletPort: number;
  /** Features for status.declaredFeatures: only what the agent really does. */
  declaredFeatures: readonly string[];
  protectKernelDefaults: boolean;
  makeIptablesUtilChains: boolean;
}

/** kubelet's defaults (KubeletConfiguration v1beta1). */
export function nodeSettings(
  known: Pick<NodeSettings, 'nodeName' | 'hostname'> & Partial<NodeSettings>,
): NodeSettings {
  return {
    nodeIps: [],
    nodeLabels: {},
    registerWithTaints: [],
    registerNode: true,
    recreateDeletedNode: false,
    providerId: '',
    cloudProvider: '',
    enableControllerAttachDetach: true,
    maxPods: 110,
    podsPerCore: 0,
    systemReserved: readAmounts({}, 'systemReserved'),
    kubeReserved: readAmounts({}, 'kubeReserved'),
    evictionHard: DEFAULT_HARD_THRESHOLDS,
    evictionPressureTransitionPeriodMs: 5 * 60_000,
    enforceNodeAllocatable: ['pods'],
    localStorageCapacityIsolation: true,
    nodeStatusUpdateFrequencyMs: 10_000,
    nodeStatusReportFrequencyMs: 5 * 60_000,
    nodeStatusMaxImages: 50,
    nodeLeaseDurationSeconds: 40,
    kubeletPort: 10_250,
    declaredFeatures: [],
    protectKernelDefaults: false,
    makeIptablesUtilChains: true,
    ...known,
  };
}
