import { basename } from 'node:path';
import { nearest } from '#config/flags/nearest.ts';
import { kubernetesVersion, nodeletVersion } from '#config/version.ts';
import { NodeletError, UsageError, describeError } from '#lib/errors.ts';
import { commands } from './commands.ts';
import type { CommandContext, Roles } from './context.ts';
import { flush, processIo, write, type CliIo } from './io.ts';

export type { Roles } from './context.ts';

function overview(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const list = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return (
    `nodelet v${nodeletVersion}, a node agent for Kubernetes ${kubernetesVersion}\n\n` +
    `Usage:\n  nodelet COMMAND [flags]\n\nCommands:\n${list.join('\n')}\n\n` +
    'nodelet COMMAND --help tells more about a command.\n'
  );
}

/** The words of the command line with the command first: a link named `kubelet` stands for that command. */
function withCommand(argv: readonly string[], calledAs: string): readonly string[] {
  const link = basename(calledAs);
  return link === 'kubelet' || link === 'kube-proxy' ? [link, ...argv] : argv;
}

/** Whether help is asked for, before any `--`: another program's words come behind that. */
function wantsHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end < 0 ? args : args.slice(0, end)).some((word) =>
    ['--help', '-h', '-help', '--help=true'].includes(word),
  );
}

async function dispatch(argv: readonly string[], calledAs: string, context: CommandContext): Promise<number> {
  const [name, ...args] = withCommand(argv, calledAs);
  const { stdout } = context.io;
  if (name === undefined || ['help', '--help', '-h'].includes(name)) {
    const about = args[0] === undefined || !Object.hasOwn(commands, args[0]) ? undefined : commands[args[0]];
    await write(stdout, about === undefined ? overview() : (await about.load()).help());
    return name === undefined ? 2 : 0;
  }
  const known = name === '--version' ? 'version' : name;
  const entry = Object.hasOwn(commands, known) ? commands[known] : undefined;
  if (entry === undefined) {
    const hint = nearest(name, Object.keys(commands));
    throw new UsageError(
      `unknown command ${JSON.stringify(name)}${hint === undefined ? '' : `; did you mean ${hint}?`} ` +
        '(nodelet --help lists them)',
    );
  }
  const command = await entry.load();
  // exec hands flags on, so that only those before the pod's name are nodelet's.
  if (wantsHelp(known === 'exec' ? args.slice(0, 1) : args)) {
    await write(stdout, command.help());
    return 0;
  }
  return command.run(args, context);
}

/**
 * Runs one command line to its end and resolves with the exit status: 0, 1 on failure, 2 on wrong usage; of `exec`
 * the command's own. Never rejects. `argv` has only the user's words; `calledAs` is the name or path that the
 * program was called by. The caller ends the process with the status: standard input may still be open.
 */
export async function runCli(
  argv: readonly string[],
  calledAs: string,
  roles: Roles,
  io: CliIo = processIo(),
): Promise<number> {
  const closed = new AbortController();
  // A reader that has seen enough, as head has, is no failure and nothing to talk about.
  const onError = (error: NodeJS.ErrnoException): void => {
    if (error.code === 'EPIPE') closed.abort();
  };
  io.stdout.on('error', onError);
  io.stderr.on('error', onError);
  try {
    return await dispatch(argv, calledAs, { io, roles, signal: closed.signal });
  } catch (error) {
    if (closed.signal.aborted) return 0;
    await write(io.stderr, `nodelet: ${describeError(error)}\n`);
    if (!(error instanceof NodeletError) && error instanceof Error && io.env['NODELET_DEBUG'] !== undefined) {
      await write(io.stderr, `${error.stack ?? ''}\n`);
    }
    return error instanceof UsageError ? 2 : 1;
  } finally {
    // Pipes take what they have room for; the rest would go with the process.
    await Promise.all([flush(io.stdout), flush(io.stderr)]);
  }
}
