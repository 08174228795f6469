import type { KubeletOptions } from '#config/kubelet-options.ts';
import type { StandaloneOptions } from '#config/standalone-options.ts';
import type { CliIo } from './io.ts';

/** What starts the daemons; each loads its own code only when called and resolves with the exit status. */
export interface Roles {
  standalone(options: StandaloneOptions): Promise<number>;
  kubelet(options: KubeletOptions): Promise<number>;
}

export interface CommandContext {
  io: CliIo;
  roles: Roles;
  /** Aborts when nobody reads the output any more. */
  signal: AbortSignal;
}

export interface Command {
  /** The whole text of `COMMAND --help`. */
  help(): string;
  /** Resolves with the exit status; throws UsageError for 2, anything else for 1. */
  run(args: readonly string[], context: CommandContext): Promise<number>;
}
