import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** One line as a runtime writes it. */
export const criLine = (
  message: string,
  options: { stream?: string; tag?: string; time?: string } = {},
): string =>
  `${options.time ?? '2026-01-02T03:04:05.123456789Z'} ${options.stream ?? 'stdout'} ${options.tag ?? 'F'} ${message}\n`;

/** Writes a container's log as containerd does: one write a line, and after a reopen a few late ones to the old file. */
export class LogWriter {
  readonly path: string;
  #fd: number;

  constructor(path: string) {
    this.path = path;
    mkdirSync(dirname(path), { recursive: true });
    this.#fd = openSync(path, 'a', 0o640);
  }

  raw(text: string | Buffer): void {
    writeSync(this.#fd, Buffer.from(text));
  }

  line(message: string, options?: Parameters<typeof criLine>[1]): void {
    this.raw(criLine(message, options));
  }

  /** Opens the path anew; `late` lines still go to the old file, `lateMs` after the new one is there. */
  async reopen(late: readonly string[] = [], lateMs = 0): Promise<void> {
    const old = this.#fd;
    this.#fd = openSync(this.path, 'a', 0o640);
    if (late.length > 0) {
      await pause(lateMs);
      for (const message of late) writeSync(old, criLine(message));
    }
    closeSync(old);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** A pod logs' root in a temporary folder, gone after `using`'s scope. */
export function tempLogs(): { root: string; path: string } & Disposable {
  const top = mkdtempSync(join(tmpdir(), 'logs-'));
  const root = join(top, 'pods');
  mkdirSync(root);
  return {
    root,
    path: join(root, 'default_web_0a1b', 'main', '0.log'),
    [Symbol.dispose]: () => rmSync(top, { recursive: true, force: true }),
  };
}
