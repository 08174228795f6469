import { flagsHelp } from '#config/flags/help.ts';
import { runFlags } from '#config/flags/run-flags.ts';
import { parseRun } from '#config/run-options.ts';
import type { Command } from '../context.ts';
import { write } from '../io.ts';
import { versionLine } from './version-line.ts';

const proxyWarning =
  'the proxy role is not built yet: nodelet run is the kubelet role alone; services need kube-proxy beside it';

export const runCommand: Command = {
  help: () =>
    'Both roles in one process, with the flags of nodelet kubelet and nodelet kube-proxy. A flag that both have is\n' +
    'kubelet’s. The proxy role is not built yet: its flags and file are checked, and the kubelet role runs.\n\n' +
    'Usage:\n  nodelet run [flags]\n\nExamples:\n' +
    '  nodelet run --config=/var/lib/kubelet/config.yaml --kubeconfig=/etc/kubernetes/kubelet.conf \\\n' +
    '      --proxy-config=/var/lib/kube-proxy/config.conf\n\nFlags:\n' +
    `${flagsHelp(runFlags)}\n`,
  async run(args, { roles, io }) {
    const command = await parseRun(args);
    switch (command.kind) {
      case 'version':
        await write(io.stdout, versionLine(command.raw));
        return 0;
      case 'run': {
        const { kubelet, proxy } = command.options;
        const warnings = [...new Set([...kubelet.warnings, ...proxy.warnings, proxyWarning])];
        return roles.kubelet({ ...kubelet, warnings });
      }
      case 'help':
        return 0;
    }
  },
};
