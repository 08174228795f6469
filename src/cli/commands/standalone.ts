import { flagsHelp } from '#config/flags/help.ts';
import { standaloneFlags } from '#config/flags/standalone-flags.ts';
import { parseStandalone } from '#config/standalone-options.ts';
import type { Command } from '../context.ts';

export const standaloneCommand: Command = {
  help: () =>
    'Runs the pods of a directory of manifests, without a cluster. Without --container-runtime-endpoint it starts\n' +
    'and supervises a containerd of its own.\n\nUsage:\n  nodelet standalone [flags]\n\nExamples:\n' +
    '  nodelet standalone\n  nodelet standalone --manifests=/srv/pods\n  nodelet standalone --cleanup\n\n' +
    `Flags:\n${flagsHelp(standaloneFlags)}\n`,
  async run(args, { roles }) {
    const command = parseStandalone(args);
    // run.ts has dealt with --help.
    return command.kind === 'run' ? roles.standalone(command.options) : 0;
  },
};
