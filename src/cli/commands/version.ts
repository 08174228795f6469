import { kubernetesVersion, nodeletVersion } from '#config/version.ts';
import { UsageError } from '#lib/errors.ts';
import type { Command } from '../context.ts';
import { write } from '../io.ts';

export const versionCommand: Command = {
  help: () => 'Prints the versions.\n\nUsage:\n  nodelet version\n',
  async run(args, { io }) {
    if (args.length > 0) throw new UsageError('version takes nothing');
    const lines = [
      `nodelet v${nodeletVersion}`,
      `Kubernetes ${kubernetesVersion}`,
      `Node.js ${process.version}`,
    ];
    await write(io.stdout, `${lines.join('\n')}\n`);
    return 0;
  },
};
