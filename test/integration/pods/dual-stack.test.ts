/** A pod with an address of each family. */
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { conflistPath, renderConflist } from '#cri/containerd/network.ts';
import { startAgent } from '#test/bed/agent.ts';
import type { TestAgent } from '#test/bed/agent.ts';
import { startContainerd } from '#test/bed/containerd.ts';
import type { TestContainerd } from '#test/bed/containerd.ts';
import { container, hasPhase, podManifest } from '#test/bed/manifests.ts';

let containerd: TestContainerd;
let agent: TestAgent;

beforeAll(async () => {
  containerd = await startContainerd();
  const network = { name: 'dual', bridge: 'dual', range: '10.77.90.0/24', reservations: '/run/dual' };
  const list = JSON.parse(renderConflist(network)) as {
    plugins: [{ ipam: { ranges: unknown[] } }, ...unknown[]];
  };
  // The second family first: the order of what the runtime tells isn't that of the status.
  list.plugins[0].ipam.ranges = [[{ subnet: 'fd00:77::/64' }], [{ subnet: network.range }]];
  await containerd.stop();
  await writeFile(
    conflistPath(containerd.cniConfigDir, { name: '0' }).replace('10-0', '00'),
    JSON.stringify(list),
  );
  await containerd.restart();
  agent = await startAgent({ containerd });
});
afterAll(async () => {
  await agent.destroy();
  await containerd.destroy();
});

test('status, variables and the hosts file show both, the node’s family first', async () => {
  const env = [
    { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
    { name: 'IPS', valueFrom: { fieldRef: { fieldPath: 'status.podIPs' } } },
  ];
  const main = container('main', 'echo $IP; echo $IPS; grep web-n1 /etc/hosts', { env });
  await agent.write('web.yaml', podManifest('web', [main], { restartPolicy: 'Never' }));
  const { pod } = await agent.waitForPod('web', hasPhase('Succeeded'));
  const ips = pod.status?.podIPs?.map(({ ip }) => ip) ?? [];
  expect(ips).toEqual([expect.stringMatching(/^10\.77\.90\./), expect.stringMatching(/^fd00:77::/)]);
  expect(pod.status?.podIP).toBe(ips[0]);
  const [ip, all, ...lines] = (await agent.cli('logs', 'web')).stdout.trim().split('\n');
  expect(ip).toBe(ips[0]);
  expect(all).toBe(ips.join(','));
  expect(lines.toSorted()).toEqual(ips.map((each) => `${each}\tweb-n1`).toSorted());
});
