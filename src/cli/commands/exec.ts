import { UsageError } from '#lib/errors.ts';
import { clientFlags, containerRow, namespaceRow, parseClientArgs } from '../client-flags.ts';
import type { Command } from '../context.ts';
import { helpText } from '../help-text.ts';
import { write } from '../io.ts';
import { findPod, parsePodRef, refOf } from '../names.ts';
import { runSession } from '../remotecommand/session.ts';
import { terminalOf } from '../remotecommand/terminal.ts';

const specs = clientFlags(
  namespaceRow,
  containerRow,
  ['stdin', 'bool', 'false', 'Hands standard input to the command.', { short: 'i' }],
  ['tty', 'bool', 'false', 'Gives the command a terminal.', { short: 't' }],
);

export const execCommand: Command = {
  help: () =>
    helpText(
      'nodelet exec POD [-c CONTAINER] [-it] -- COMMAND [ARGUMENT…]',
      'Runs a command in a container; the exit status is the command’s.',
      [
        'nodelet exec web -- ls -l /',
        'nodelet exec -it web -- sh',
        'tar c . | nodelet exec -i web -- tar x -C /data',
      ],
      specs,
    ),
  async run(args, context) {
    // Flags behind the pod are the command's own, unless -- says where it begins.
    const stop = args.includes('--') ? undefined : 2;
    const { flags, words, afterDashes, client } = parseClientArgs(specs, args, context, stop);
    const [word, ...behind] = words;
    const command = [...(afterDashes ?? behind)];
    if (word === undefined || command.length === 0) {
      throw new UsageError('exec takes a pod and a command: nodelet exec POD -- COMMAND');
    }
    if (afterDashes !== undefined && words.length !== afterDashes.length + 1) {
      throw new UsageError('exec takes one pod before --');
    }
    const { io } = context;
    const stdin = flags.bool('stdin') ?? false;
    let tty = flags.bool('tty') ?? false;
    if (tty && (!stdin || io.stdin.isTTY !== true)) {
      if (stdin) {
        await write(io.stderr, 'Unable to use a TTY - input is not a terminal or the right kind of file\n');
      }
      tty = false;
    }
    const view = await findPod(client, parsePodRef(word, flags.string('namespace') ?? 'default'));
    let container = flags.string('container');
    const containers = view.pod.spec?.containers ?? [];
    if (container === undefined && containers.length > 1) {
      container = containers[0]?.name ?? '';
      const list = containers.map(({ name }) => name).join(', ');
      await write(io.stderr, `Defaulted container "${container}" out of: ${list}\n`);
    }
    const { namespace, name } = refOf(view);
    const { socket, head } = await client.exec(namespace, name, {
      ...(container === undefined ? {} : { container }),
      command,
      stdin,
      stdout: true,
      stderr: !tty,
      tty,
    });
    context.signal.addEventListener('abort', () => socket.destroy());
    const terminal = tty ? terminalOf(io) : undefined;
    terminal?.raw();
    try {
      const outcome = await runSession(socket, head, {
        stdin: stdin ? io.stdin : undefined,
        stdout: io.stdout,
        stderr: tty ? undefined : io.stderr,
        terminal: terminal?.sizes,
      });
      terminal?.restore();
      if (outcome.error !== undefined) await write(io.stderr, `error: ${outcome.error}\n`);
      else if (outcome.exitCode !== 0) {
        await write(io.stderr, `command terminated with exit code ${outcome.exitCode}\n`);
      }
      return outcome.exitCode;
    } finally {
      terminal?.restore();
    }
  },
};
