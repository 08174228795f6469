import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parseKubelet } from './kubelet-options.ts';
import { parseKubeProxy } from './kube-proxy-options.ts';

const example = (name: string): string =>
  fileURLToPath(new URL(`../../deploy/examples/cluster/${name}`, import.meta.url));

test('the examples of configuration files are in order', async () => {
  const kubelet = await parseKubelet([`--config=${example('kubelet-config.yaml')}`], 'node');
  expect(kubelet).toMatchObject({
    options: { cgroupDriver: 'systemd', clusterDns: ['10.96.0.10'], warnings: [] },
  });
  const proxy = await parseKubeProxy([`--config=${example('kube-proxy-config.yaml')}`], 'node');
  expect(proxy).toMatchObject({ options: { mode: 'iptables', warnings: [] } });
});

test('so are the flags of the example of /etc/default/nodelet', async () => {
  const text = await readFile(example('nodelet.default'), 'utf8');
  const flags = (/^NODELET_FLAGS="(.*)"$/m.exec(text)?.[1] ?? '')
    .split(' ')
    .map((flag) => (flag.startsWith('--config=') ? `--config=${example('kubelet-config.yaml')}` : flag));
  expect(await parseKubelet(flags, 'node')).toMatchObject({
    options: {
      cluster: { kubeconfig: '/etc/kubernetes/kubelet.conf', rotateCertificates: true },
      warnings: [],
    },
  });
});
