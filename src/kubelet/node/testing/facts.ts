import type { MachineFacts } from '#host/machine-facts.ts';
import type { NodeFacts } from '../node-status.ts';
import { nodeSettings } from '../settings.ts';
import type { NodeSettings } from '../settings.ts';

export const machine: MachineFacts = {
  processors: 4,
  memoryBytes: 8 * 1024 ** 3,
  swapBytes: 0,
  hugePages: [],
  maxPids: 30_000,
  machineId: 'm-1',
  systemUuid: 's-1',
  bootId: 'boot-1',
  kernelVersion: '6.1.0',
  osImage: 'Debian GNU/Linux 12 (bookworm)',
  architecture: 'amd64',
};

/** A node that is well; `changes` on top. */
export const factsOf = (changes: Partial<NodeFacts> = {}): NodeFacts => ({
  machine,
  ephemeralStorageBytes: 100 * 1024 ** 3,
  runtimeVersion: { runtimeName: 'containerd', runtimeVersion: '2.1.0' },
  runtime: { runtimeHandlers: [], features: { supplementalGroupsPolicy: true } },
  images: [],
  addresses: {
    addresses: [
      { type: 'InternalIP', address: '192.0.2.10' },
      { type: 'Hostname', address: 'n1' },
    ],
  },
  volumesInUse: undefined,
  kubernetesVersion: 'v1.36.2',
  pressure: { memory: false, disk: false, pids: false },
  troubles: [],
  warnings: [],
  ...changes,
});

export const settingsOf = (changes: Partial<NodeSettings> = {}): NodeSettings =>
  nodeSettings({ nodeName: 'n1', hostname: 'n1', ...changes });
