/** Wires the node's own parts: its object, its pressure, the runtime's health. */
import type { PodCgroupManager } from '#cgroups/manager.ts';
import type { CgroupLimits } from '#cgroups/pod-limits.ts';
import { kubernetesVersion } from '#config/version.ts';
import type { RuntimeConnection } from '#cri/grpc/connect.ts';
import type { IpFamily } from '#host/addresses.ts';
import { Iptables } from '#host/iptables.ts';
import { kubepodsLimits } from '#kubelet/node/capacity.ts';
import { enforceNodeAllocatable } from '#kubelet/node/enforce-allocatable.ts';
import { keepKubeletChains } from '#kubelet/node/iptables-chains.ts';
import { NodeAgent } from '#kubelet/node/node-agent.ts';
import type { NodeCluster } from '#kubelet/node/node-agent.ts';
import type { NodeEvents } from '#kubelet/node/node-events.ts';
import { PodCidr } from '#kubelet/node/pod-cidr.ts';
import { ThresholdPressure } from '#kubelet/node/pressure.ts';
import type { NodeSettings } from '#kubelet/node/settings.ts';
import { SignalReader } from '#kubelet/node/signals.ts';
import type { Paths } from '#kubelet/paths.ts';
import { RuntimeHealth } from '#kubelet/runtime-health.ts';
import type { Clock } from '#lib/clock.ts';
import type { Node } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import type { Machine } from './machine.ts';

export interface NodePlan {
  settings: NodeSettings;
  mode: 'standalone' | 'kubelet';
  cgroups: PodCgroupManager;
  connection: RuntimeConnection;
  machine: Machine;
  paths: Paths;
  events: NodeEvents;
  cluster?: NodeCluster;
  onNode?: (node: Node | undefined) => void;
  volumesInUse?: () => readonly string[] | undefined;
  onVolumesReported?: (names: readonly string[]) => void;
  startedAt: number;
  clock: Clock;
  log: Logger;
}

export interface NodeParts {
  agent: NodeAgent;
  health: RuntimeHealth;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** What the group of all pods is limited to. */
export function podsLimits(machine: Machine, settings: NodeSettings): CgroupLimits {
  return kubepodsLimits({ ...machine.facts, ephemeralStorageBytes: undefined }, settings);
}

export function composeNode(plan: NodePlan): NodeParts {
  const { settings, connection, machine, paths, clock, log } = plan;
  const stopping = new AbortController();
  const background: Promise<void>[] = [];
  const health = new RuntimeHealth(connection.runtime, clock, () => agent.poke());
  const signals = new SignalReader({
    rootDir: paths.root,
    layout: machine.layout,
    images: connection.images,
    clock,
  });
  const podCidr = new PodCidr({
    runtime: connection.runtime,
    clock,
    logger: log.child({ component: 'node' }),
  });
  const agent: NodeAgent = new NodeAgent({
    sources: {
      settings,
      rootDir: paths.root,
      runtime: connection.runtime,
      runtimeVersion: connection.version,
      images: connection.images,
      health,
      pressure: new ThresholdPressure({
        thresholds: settings.evictionHard,
        transitionPeriodMs: settings.evictionPressureTransitionPeriodMs,
        observe: () => signals.observe(),
        clock,
      }),
      kubernetesVersion,
      ...(plan.volumesInUse === undefined ? {} : { volumesInUse: plan.volumesInUse }),
      clock,
    },
    ...(plan.cluster === undefined ? {} : { cluster: plan.cluster }),
    ...(plan.onNode === undefined ? {} : { onNode: plan.onNode }),
    events: plan.events,
    onNode: (node) => podCidr.set(node?.spec?.podCIDRs ?? []),
    ...(plan.onVolumesReported === undefined ? {} : { onVolumesReported: plan.onVolumesReported }),
    startedAt: plan.startedAt,
    clock,
    logger: log.child({ component: 'node' }),
  });
  return {
    agent,
    health,
    async start() {
      await health.refresh();
      health.start();
      await agent.start();
      if (machine.layout.version === 1) {
        const advice = 'cgroup v1 is deprecated and its support will be removed: please migrate to cgroup v2';
        plan.events.event('Warning', 'CgroupV1', advice);
      }
      const { signal } = stopping;
      background.push(enforceNodeAllocatable(plan.cgroups, plan.events, clock, signal));
      if (plan.mode === 'kubelet' && settings.makeIptablesUtilChains) {
        const find = (family: IpFamily): Promise<Iptables | undefined> => Iptables.find({ family });
        const logger = log.child({ component: 'iptables' });
        background.push(keepKubeletChains({ find, clock, logger }, signal));
      }
    },
    async stop() {
      health.stop();
      podCidr.stop();
      stopping.abort();
      await Promise.all([agent.stop(), ...background]);
    },
  };
}
