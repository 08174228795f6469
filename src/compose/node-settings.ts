/** What of the options concerns the node. */
import type { AgentOptions } from '#config/agent-options.ts';
import type { EvictionThreshold } from '#config/kubelet-configuration/eviction.ts';
import type { KubeletOptions } from '#config/kubelet-options.ts';
import { nodeSettings } from '#kubelet/node/settings.ts';
import type { NodeSettings } from '#kubelet/node/settings.ts';
import type { HardThreshold } from '#kubelet/node/thresholds.ts';

/** Without a cluster: kubelet's defaults. There is no node API yet, so no port of one. */
export const localNodeSettings = (options: AgentOptions): NodeSettings =>
  nodeSettings({
    nodeName: options.nodeName,
    hostname: options.nodeName,
    nodeIps: options.nodeIps,
    maxPods: options.maxPods,
    kubeletPort: 0,
  });

export function kubeletNodeSettings(options: KubeletOptions): NodeSettings {
  const { node, host, reservations, eviction } = options;
  return nodeSettings({
    nodeName: options.nodeName,
    hostname: options.nodeName,
    nodeIps: nodeIpsOf(options),
    nodeLabels: node.labels,
    registerWithTaints: node.registerWithTaints,
    registerNode: node.register,
    providerId: node.providerId ?? '',
    cloudProvider: node.cloudProvider,
    enableControllerAttachDetach: node.controllerAttachDetach,
    maxPods: options.maxPods,
    podsPerCore: node.podsPerCore,
    systemReserved: new Map(Object.entries(reservations.system)),
    kubeReserved: new Map(Object.entries(reservations.kube)),
    evictionHard: reservations.ignoreEvictionThresholds ? [] : eviction.thresholds.flatMap(hardThreshold),
    evictionPressureTransitionPeriodMs: eviction.pressureTransitionMs,
    enforceNodeAllocatable: reservations.enforce,
    nodeStatusUpdateFrequencyMs: node.statusUpdateFrequencyMs,
    nodeStatusReportFrequencyMs: node.statusReportFrequencyMs,
    nodeStatusMaxImages: node.statusMaxImages,
    nodeLeaseDurationSeconds: node.leaseDurationSeconds,
    kubeletPort: 0,
    protectKernelDefaults: host.protectKernelDefaults,
  });
}

/** An unspecified address asks for a family. */
function nodeIpsOf({ nodeIps, node }: KubeletOptions): readonly string[] {
  if (node.preferredFamily === undefined) return nodeIps;
  return [node.preferredFamily === 6 ? '::' : '0.0.0.0'];
}

function hardThreshold({ signal, below, gracePeriodMs }: EvictionThreshold): HardThreshold[] {
  if (gracePeriodMs > 0) return [];
  return [{ signal, value: 'part' in below ? { fraction: below.part } : below }];
}
