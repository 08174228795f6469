import { flagsHelp } from '#config/flags/help.ts';
import { kubeletFlags } from '#config/flags/kubelet-flags.ts';
import { parseKubelet } from '#config/kubelet-options.ts';
import { kubernetesVersion, nodeletVersion } from '#config/version.ts';
import type { Command } from '../context.ts';
import { write } from '../io.ts';

export const kubeletCommand: Command = {
  help: () =>
    'The kubelet role, with kubelet’s flags. Joining a cluster is not built yet: it runs the static pods of\n' +
    '--pod-manifest-path and --manifest-url.\n\nUsage:\n  nodelet kubelet [flags]\n\nExamples:\n' +
    '  nodelet kubelet --pod-manifest-path=/etc/kubernetes/manifests\n\nFlags that work (every other flag of\n' +
    `kubelet ${kubernetesVersion} is accepted, with a warning):\n${flagsHelp(kubeletFlags)}\n`,
  async run(args, { roles, io }) {
    const command = await parseKubelet(args);
    switch (command.kind) {
      case 'version': {
        // kubeadm reads exactly this line.
        const raw = `version.Info{GitVersion:"${kubernetesVersion}", Platform:"linux/${process.arch}", Agent:"nodelet v${nodeletVersion}"}`;
        await write(io.stdout, command.raw ? `${raw}\n` : `Kubernetes ${kubernetesVersion}\n`);
        return 0;
      }
      case 'run':
        return roles.kubelet(command.options);
      case 'help':
        // run.ts has dealt with --help.
        return 0;
    }
  },
};
