import type { CliIo } from '../io.ts';
import type { TerminalSize } from './session.ts';

export interface Terminal {
  /** Every key goes to the command from now on, Ctrl-C too. */
  raw(): void;
  /** As it was before; may be called twice. */
  restore(): void;
  /** Calls back with the terminal's size now and whenever it changes; returns what ends that. */
  sizes(this: void, onSize: (size: TerminalSize) => void): () => void;
}

export function terminalOf({ stdin, stdout }: CliIo): Terminal {
  let isRaw = false;
  const set = (raw: boolean): void => {
    if (isRaw === raw) return;
    isRaw = raw;
    stdin.setRawMode?.(raw);
  };
  return {
    raw: () => set(true),
    restore: () => set(false),
    sizes(onSize) {
      const tell = (): void => {
        const { columns, rows } = stdout;
        if (columns !== undefined && rows !== undefined) onSize({ columns, rows });
      };
      tell();
      stdout.on('resize', tell);
      return () => stdout.off('resize', tell);
    },
  };
}
