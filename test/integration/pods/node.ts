import { afterAll, beforeAll } from 'vitest';
import { startAgent } from '#test/bed/agent.ts';
import type { AgentOptions, TestAgent } from '#test/bed/agent.ts';
import { startContainerd } from '#test/bed/containerd.ts';
import type { ContainerdOptions, TestContainerd } from '#test/bed/containerd.ts';
import { busyboxImage } from '../../../scripts/image/images.ts';
import type { Image } from '../../../scripts/image/image.ts';

export interface TestNode {
  agent: TestAgent;
  containerd: TestContainerd;
}

/** A node for all tests of a file: a containerd and an agent, both gone afterwards. */
export function useNode(
  options: Omit<AgentOptions, 'containerd'> = {},
  runtime: () => Promise<ContainerdOptions> | ContainerdOptions = () => ({}),
): TestNode {
  const node: Partial<TestNode> = {};
  beforeAll(async () => {
    node.containerd = await startContainerd(await runtime());
    node.agent = await startAgent({ ...options, containerd: node.containerd });
  });
  afterAll(async () => {
    try {
      await node.agent?.destroy();
    } finally {
      await node.containerd?.destroy();
    }
  });
  return {
    get agent() {
      if (node.agent === undefined) throw new Error('the agent is not started yet');
      return node.agent;
    },
    get containerd() {
      if (node.containerd === undefined) throw new Error('containerd is not started yet');
      return node.containerd;
    },
  };
}

export const appImage = (version: number): string => `nodelet.local/app:${version}`;

/** The same program in two versions: the file /version tells which. */
export const appImages = (): Promise<Image[]> =>
  Promise.all(
    [1, 2].map((version) =>
      busyboxImage(appImage(version), {}, [
        { path: 'version', kind: 'file', data: Buffer.from(`${version}\n`) },
      ]),
    ),
  );
