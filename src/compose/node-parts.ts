/** Wires the node's own parts: its object, its pressure, the runtime's health. */
import type { AgentOptions } from '#config/agent-options.ts';
import { kubernetesVersion } from '#config/version.ts';
import type { RuntimeConnection } from '#cri/grpc/connect.ts';
import { NodeAgent } from '#kubelet/node/node-agent.ts';
import type { NodeCluster } from '#kubelet/node/node-agent.ts';
import type { NodeEvents } from '#kubelet/node/node-events.ts';
import { ThresholdPressure } from '#kubelet/node/pressure.ts';
import { nodeSettings } from '#kubelet/node/settings.ts';
import type { NodeSettings } from '#kubelet/node/settings.ts';
import { SignalReader } from '#kubelet/node/signals.ts';
import type { Paths } from '#kubelet/paths.ts';
import { RuntimeHealth } from '#kubelet/runtime-health.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/logger.ts';
import type { Machine } from './machine.ts';

export interface NodePlan {
  options: AgentOptions;
  connection: RuntimeConnection;
  machine: Machine;
  paths: Paths;
  events: NodeEvents;
  cluster?: NodeCluster;
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

/** What of the options concerns the node. There is no node API yet, so no port of one. */
export function settingsOf(options: AgentOptions): NodeSettings {
  return nodeSettings({
    nodeName: options.nodeName,
    hostname: options.nodeName,
    nodeIps: options.nodeIps,
    maxPods: options.maxPods,
    kubeletPort: 0,
  });
}

export function composeNode(plan: NodePlan): NodeParts {
  const { options, connection, machine, paths, clock, log } = plan;
  const settings = settingsOf(options);
  const health = new RuntimeHealth(connection.runtime, clock, () => agent.poke());
  const signals = new SignalReader({
    rootDir: paths.root,
    layout: machine.layout,
    images: connection.images,
    clock,
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
      clock,
    },
    ...(plan.cluster === undefined ? {} : { cluster: plan.cluster }),
    events: plan.events,
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
    },
    async stop() {
      health.stop();
      await agent.stop();
    },
  };
}
