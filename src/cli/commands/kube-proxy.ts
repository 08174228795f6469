import { NotBuiltError } from '#config/daemon-flags.ts';
import { flagsHelp } from '#config/flags/help.ts';
import { kubeProxyFlags } from '#config/flags/kube-proxy-flags.ts';
import { parseKubeProxy } from '#config/kube-proxy-options.ts';
import { kubernetesVersion } from '#config/version.ts';
import type { Command } from '../context.ts';
import { write } from '../io.ts';
import { versionLine } from './version-line.ts';

export const kubeProxyCommand: Command = {
  help: () =>
    'The proxy role, with kube-proxy’s flags and configuration file. Not built yet: it checks them and ends.\n\n' +
    'Usage:\n  nodelet kube-proxy [flags]\n\nExamples:\n' +
    '  nodelet kube-proxy --config=/var/lib/kube-proxy/config.conf --hostname-override=NODE\n\n' +
    `Flags (every other flag of kube-proxy ${kubernetesVersion} is accepted, with a warning):\n` +
    `${flagsHelp(kubeProxyFlags)}\n`,
  async run(args, { io }) {
    const command = await parseKubeProxy(args);
    switch (command.kind) {
      case 'version':
        await write(io.stdout, versionLine(command.raw));
        return 0;
      case 'run':
        throw new NotBuiltError(
          'nodelet kube-proxy is not built yet: run kube-proxy itself beside nodelet kubelet',
        );
      case 'help':
        return 0;
    }
  },
};
