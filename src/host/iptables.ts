/**
 * The programs of iptables(8), for one family: argument arrays, waiting for the lock (`-w`). Which kernel interface they
 * speak (`legacy` or `nft`) is the distribution's choice unless a variant is asked for.
 */
import { NodeletError } from '#lib/errors.ts';
import type { IpFamily } from './addresses.ts';
import { findProgram, programFolders } from './find-program.ts';
import { ProcessError, run } from './process.ts';
import type { RunOptions, RunResult } from './process.ts';

export type IptablesTable = 'filter' | 'nat' | 'mangle' | 'raw';
export type IptablesVariant = 'legacy' | 'nft';

/** `retryable` where the lock was held or the kernel was short of something (exit status 4). */
export class IptablesError extends NodeletError {
  readonly code = 'IPTABLES';
}

/** Runs a program to its end, as `run` of this folder does. */
export type ProgramRunner = (
  program: string,
  args: readonly string[],
  options: RunOptions,
) => Promise<RunResult>;

export interface IptablesOptions {
  family: IpFamily;
  /** Absent: what `iptables` is on this machine. */
  variant?: IptablesVariant;
  /** Folders of the programs; PATH and the system's unless given. */
  folders?: readonly string[];
  runner?: ProgramRunner;
}

export interface CallOptions {
  signal?: AbortSignal;
  /** Milliseconds; 30,000 unless given. */
  timeoutMs?: number;
}

/** Seconds that the programs wait for the lock. */
const LOCK_SECONDS = '5';
const RESOURCE_PROBLEM = 4;
const MAX_OUTPUT = 512 << 20;

/** The version and variant in the words of `iptables --version`: `iptables v1.8.9 (nf_tables)`. */
export function parseIptablesVersion(
  text: string,
): { version: string; variant: IptablesVariant } | undefined {
  const version = /\bv(\d+\.\d+(?:\.\d+)?)/.exec(text)?.[1];
  return version === undefined
    ? undefined
    : { version, variant: text.includes('(nf_tables)') ? 'nft' : 'legacy' };
}

const exitCodeOf = (error: unknown): number | undefined =>
  error instanceof ProcessError ? error.exitCode : undefined;

export class Iptables {
  readonly family: IpFamily;
  readonly variant: IptablesVariant;
  readonly version: string;
  readonly #programs: { main: string; save: string; restore: string };
  readonly #run: ProgramRunner;

  private constructor(
    options: IptablesOptions,
    known: { version: string; variant: IptablesVariant },
    programs: { main: string; save: string; restore: string },
  ) {
    this.family = options.family;
    this.version = known.version;
    this.variant = known.variant;
    this.#programs = programs;
    this.#run = options.runner ?? run;
  }

  /** The programs of that family, or undefined where they are missing or the kernel has no use for them. */
  static async find(options: IptablesOptions): Promise<Iptables | undefined> {
    const folders = options.folders ?? programFolders(process.env['PATH']);
    const name = options.family === 'IPv6' ? 'ip6tables' : 'iptables';
    const stem = options.variant === undefined ? name : `${name}-${options.variant}`;
    const [main, save, restore] = await Promise.all(
      [stem, `${stem}-save`, `${stem}-restore`].map((program) => findProgram(program, folders)),
    );
    if (main === undefined || save === undefined || restore === undefined) return undefined;
    try {
      const { stdout } = await (options.runner ?? run)(main, ['--version'], { timeoutMs: 10_000 });
      const known = parseIptablesVersion(stdout);
      if (known === undefined) return undefined;
      const found = new Iptables(options, known, { main, save, restore });
      // A kernel without the tables is found out only by asking for one.
      await found.run(['-t', 'nat', '-S', 'POSTROUTING']);
      return found;
    } catch (error) {
      if (error instanceof IptablesError && error.retryable) throw error;
      if (error instanceof ProcessError || error instanceof IptablesError) return undefined;
      throw error;
    }
  }

  /** Runs `iptables -w 5 ARGUMENTS`; rejects with IptablesError. */
  async run(args: readonly string[], options: CallOptions = {}): Promise<RunResult> {
    return this.#call(this.#programs.main, ['-w', LOCK_SECONDS, ...args], options);
  }

  /** `iptables-save`: of one table, or of all that are in use. */
  async save(table?: IptablesTable, options: CallOptions = {}): Promise<string> {
    const args = table === undefined ? [] : ['-t', table];
    return (await this.#call(this.#programs.save, args, options)).stdout;
  }

  /**
   * `iptables-restore --noflush`: chains that aren't named stay as they are; those that are (`:CHAIN - [0:0]`) are emptied
   * first. All of a table comes into force at once, or nothing.
   */
  async restore(text: string, options: CallOptions & { counters?: boolean } = {}): Promise<void> {
    const counters = options.counters === true ? ['--counters'] : [];
    const args = ['-w', LOCK_SECONDS, '--noflush', ...counters];
    await this.#call(this.#programs.restore, args, { ...options, input: text });
  }

  /** Makes the chain; says whether it is new. */
  async ensureChain(table: IptablesTable, chain: string, options?: CallOptions): Promise<boolean> {
    if (await this.chainExists(table, chain, options)) return false;
    try {
      await this.run(['-t', table, '-N', chain], options);
      return true;
    } catch (error) {
      // Somebody else may have made it since.
      if (await this.chainExists(table, chain, options)) return false;
      throw error;
    }
  }

  async chainExists(table: IptablesTable, chain: string, options?: CallOptions): Promise<boolean> {
    return this.#test(['-t', table, '-S', chain], options);
  }

  /** Puts the rule first or last in its chain unless it is there; says whether it is new. */
  async ensureRule(
    position: 'prepend' | 'append',
    table: IptablesTable,
    chain: string,
    rule: readonly string[],
    options?: CallOptions,
  ): Promise<boolean> {
    if (await this.#test(['-t', table, '-C', chain, ...rule], options)) return false;
    await this.run(['-t', table, position === 'prepend' ? '-I' : '-A', chain, ...rule], options);
    return true;
  }

  /** Whether the question is answered yes: the programs say no with exit status 1 (legacy also with 2). */
  async #test(args: readonly string[], options?: CallOptions): Promise<boolean> {
    try {
      await this.run(args, options);
      return true;
    } catch (error) {
      const status = exitCodeOf(error instanceof IptablesError ? error.cause : error);
      if (status === 1 || status === 2) return false;
      throw error;
    }
  }

  async #call(
    program: string,
    args: readonly string[],
    { input, ...options }: CallOptions & { input?: string },
  ): Promise<RunResult> {
    try {
      return await this.#run(program, args, {
        timeoutMs: options.timeoutMs ?? 30_000,
        maxOutput: MAX_OUTPUT,
        ...(input === undefined ? {} : { input }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
    } catch (cause) {
      if (!(cause instanceof ProcessError)) throw cause;
      const retryable = cause.exitCode === RESOURCE_PROBLEM;
      throw new IptablesError(`${program} ${args.join(' ')}: ${cause.message}`, { cause, retryable });
    }
  }
}
