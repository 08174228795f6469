import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';

/** A program that runs until it is ended, with a log file of its own. */
export class Service {
  readonly #name: string;
  readonly #program: string;
  readonly #args: readonly string[];
  readonly #logFile: string;
  #child: ChildProcess | undefined;

  constructor(name: string, program: string, args: readonly string[], logFile: string) {
    this.#name = name;
    this.#program = program;
    this.#args = args;
    this.#logFile = logFile;
  }

  pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Does nothing where it runs. */
  async start(): Promise<void> {
    if (this.#runs()) return;
    const output = await open(this.#logFile, 'a');
    try {
      this.#child = spawn(this.#program, this.#args, { stdio: ['ignore', output.fd, output.fd] });
    } finally {
      await output.close();
    }
  }

  /** Polls until `condition` gives true (a rejection counts as no); rejects with the log's end. */
  async waitFor(condition: () => Promise<boolean>, timeoutMs = 60_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!(await condition().catch(() => false))) {
      if (!this.#runs() || Date.now() > deadline) {
        throw new Error(`${this.#name} does not start:\n${(await this.log()).slice(-4000)}`);
      }
      await wait(50);
    }
  }

  log(): Promise<string> {
    return readFile(this.#logFile, 'utf8').catch(() => '');
  }

  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.#runs()) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  #runs(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }
}
