import { flagsHelp } from '#config/flags/help.ts';
import { kubeletFlags } from '#config/flags/kubelet-flags.ts';
import { parseKubelet } from '#config/kubelet-options.ts';
import { kubernetesVersion } from '#config/version.ts';
import type { Command } from '../context.ts';
import { write } from '../io.ts';
import { versionLine } from './version-line.ts';

export const kubeletCommand: Command = {
  help: () =>
    'The kubelet role, with kubelet’s flags and configuration file. With --kubeconfig the machine is a node of a\n' +
    'cluster; without it, it runs the static pods of --pod-manifest-path and --manifest-url.\n\n' +
    'Usage:\n  nodelet kubelet [flags]\n\nExamples:\n' +
    '  nodelet kubelet --config=/var/lib/kubelet/config.yaml --kubeconfig=/etc/kubernetes/kubelet.conf \\\n' +
    '      --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf\n' +
    '  nodelet kubelet --pod-manifest-path=/etc/kubernetes/manifests\n\nFlags that work (every other flag of\n' +
    `kubelet ${kubernetesVersion} is accepted, with a warning):\n${flagsHelp(kubeletFlags)}\n`,
  async run(args, { roles, io }) {
    const command = await parseKubelet(args);
    switch (command.kind) {
      case 'version':
        await write(io.stdout, versionLine(command.raw));
        return 0;
      case 'run':
        return roles.kubelet(command.options);
      case 'help':
        // run.ts has dealt with --help.
        return 0;
    }
  },
};
