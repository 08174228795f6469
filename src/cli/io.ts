import type { Readable, Writable } from 'node:stream';
import { systemClock } from '#host/clock.ts';
import type { Clock } from '#lib/clock.ts';

/** What a command sees of the world; tests give their own. */
export interface CliIo {
  stdin: Readable & Partial<Pick<NodeJS.ReadStream, 'isTTY' | 'setRawMode'>>;
  stdout: Writable & Partial<Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'rows'>>;
  stderr: Writable;
  env: Readonly<Record<string, string | undefined>>;
  clock: Clock;
}

export const processIo = (): CliIo => ({
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  clock: systemClock,
});

/** Writes text and waits while the reader is slow; resolves at once when nobody reads any more. */
export async function write(stream: Writable, data: string | Buffer): Promise<void> {
  if (stream.destroyed || stream.writableEnded) return;
  if (stream.write(data)) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      stream.off('drain', done);
      stream.off('close', done);
      stream.off('error', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
    stream.on('error', done);
  });
}

/** Resolves when everything written so far has been handed to the system, or when nobody reads any more. */
export async function flush(stream: Writable): Promise<void> {
  if (stream.destroyed || stream.writableEnded || stream.writableLength === 0) return;
  await new Promise<void>((resolve) => {
    stream.once('close', resolve);
    stream.write('', () => resolve());
  });
}
