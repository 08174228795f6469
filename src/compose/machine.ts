import { availableParallelism, totalmem } from 'node:os';
import { hasSwapController, readCgroupLayout, readHugePageSizes } from '#cgroups/detect.ts';
import type { NodeResources } from '#cgroups/compute.ts';
import type { CgroupLayout } from '#cgroups/layout.ts';
import type { AgentOptions } from '#config/agent-options.ts';
import { tmpfsKnowsNoswap } from '#volumes/empty-dir.ts';
import { nodeAddresses } from '#host/addresses.ts';
import { type SecurityFacts, readSecurityFacts } from '#host/security-facts.ts';
import { readMachineFacts } from '#host/machine-facts.ts';
import type { MachineFacts } from '#host/machine-facts.ts';

/** What the agent must know of the machine before it runs anything. */
export interface Machine {
  layout: CgroupLayout;
  resources: NodeResources;
  facts: MachineFacts;
  security: SecurityFacts;
  addresses: readonly string[];
  /** How many of them this process may use. */
  processors: number;
  /** Whether memory volumes can be kept out of swap. */
  tmpfsNoswap: boolean;
}

export async function readMachine(options: AgentOptions): Promise<Machine> {
  const layout = await readCgroupLayout();
  const [facts, hugePageSizes, swapController, found, tmpfsNoswap, security] = await Promise.all([
    readMachineFacts(),
    readHugePageSizes(),
    hasSwapController(layout),
    nodeAddresses(),
    tmpfsKnowsNoswap(),
    readSecurityFacts(),
  ]);
  return {
    layout,
    facts,
    security,
    resources: {
      cpuCfsQuota: options.cpuCfsQuota,
      cpuCfsQuotaPeriodUs: options.cpuCfsQuotaPeriodMs * 1000,
      memoryCapacityBytes: totalmem(),
      cgroupVersion: layout.version,
      hugePageSizes,
      swapController,
    },
    addresses: options.nodeIps.length > 0 ? options.nodeIps : found,
    processors: availableParallelism(),
    tmpfsNoswap,
  };
}
