import { parseFlags } from '#config/flags/parse.ts';
import { flagTable } from '#config/flags/table.ts';
import { Flags } from '#config/flags/values.ts';
import { UsageError } from '#lib/errors.ts';
import { runChecks } from '../check/all.ts';
import type { CheckMode, CheckWish, Finding } from '../check/check.ts';
import { defaultSocket } from '../client-flags.ts';
import type { Command } from '../context.ts';
import { helpText } from '../help-text.ts';
import { write } from '../io.ts';

const specs = flagTable('works', [
  ['container-runtime-endpoint', 'string', '', 'Socket of the runtime, as the mode’s own flag.'],
  ['root-dir', 'string', '', 'As the mode’s own flag.'],
  ['runtime-root', 'string', '', 'As the flag of standalone.'],
  ['pod-logs-dir', 'string', '/var/log/pods', 'As the mode’s own flag.'],
  ['socket', 'string', defaultSocket, 'Where the agent would serve its commands.'],
  ['help', 'bool', 'false', 'Prints this text.', { short: 'h' }],
]);

function wishOf(mode: CheckMode, flags: Flags): CheckWish {
  const given = (name: string, initial: string): string => flags.string(name) || initial;
  const standalone = mode === 'standalone';
  const endpoint = given(
    'container-runtime-endpoint',
    standalone ? '' : 'unix:///run/containerd/containerd.sock',
  );
  return {
    mode,
    runtimeEndpoint: endpoint === '' ? undefined : endpoint,
    rootDir: given('root-dir', standalone ? '/var/lib/nodelet/kubelet' : '/var/lib/kubelet'),
    runtimeRoot: given('runtime-root', '/var/lib/nodelet/containerd'),
    podLogsDir: given('pod-logs-dir', '/var/log/pods'),
    socket: given('socket', defaultSocket),
  };
}

const line = ({ level, what, mend }: Finding): string =>
  `${level.padEnd(4)}  ${what}${mend === undefined ? '' : `  — ${mend}`}\n`;

export const checkCommand: Command = {
  help: () =>
    helpText(
      'nodelet check [standalone|kubelet] [flags]',
      'Looks whether this machine is fit for nodelet: a line each, with what mends it. Changes nothing. The exit\n' +
        'status is 1 if a line says FAIL.',
      ['nodelet check', 'nodelet check kubelet'],
      specs,
    ),
  async run(args, { io, signal }) {
    const parsed = parseFlags(specs, args, { singleDashIsLong: false });
    const [mode = 'standalone', ...more] = parsed.rest;
    if ((mode !== 'standalone' && mode !== 'kubelet') || more.length > 0) {
      throw new UsageError(`check ${JSON.stringify(parsed.rest.join(' '))}: allowed: standalone, kubelet`);
    }
    let failed = false;
    for await (const finding of runChecks(wishOf(mode, new Flags(parsed)), signal)) {
      failed ||= finding.level === 'FAIL';
      await write(io.stdout, line(finding));
    }
    return failed ? 1 : 0;
  },
};
