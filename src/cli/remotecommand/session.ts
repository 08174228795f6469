import { Writable, type Duplex, type Readable } from 'node:stream';
import { SpdyConnection, type SpdyStream } from './connection.ts';
import { SpdyError } from './frames.ts';
import { outcomeOf, type Outcome } from './status.ts';

export interface TerminalSize {
  columns: number;
  rows: number;
}

export interface SessionStreams {
  stdin: Readable | undefined;
  stdout: Writable;
  /** undefined with a terminal: it has one output only. */
  stderr: Writable | undefined;
  /** For a terminal: calls back with its size now and at each change; returns what ends that. */
  terminal: ((onSize: (size: TerminalSize) => void) => () => void) | undefined;
}

/** Longest status that is read; the rest is dropped, and the JSON then fails. */
const maxStatusBytes = 64 * 1024;

/** The server accepts streams at once; it gives up itself after 30 s. */
const acceptMs = 30_000;

/**
 * How long after the outputs' end the status may take. containerd tells none until all of the input has been read, and
 * of a command that has ended nobody reads it any more.
 */
const statusMs = 10_000;

function statusSink(): { sink: Writable; text(): string } {
  const chunks: Buffer[] = [];
  let size = 0;
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      if (size <= maxStatusBytes) chunks.push(chunk);
      done();
    },
  });
  return { sink, text: () => Buffer.concat(chunks).toString() };
}

/** Sends what `stdin` gives until its end; returns what stops that earlier. */
function pump(stdin: Readable, stream: SpdyStream): () => void {
  let stopped = false;
  // The end may be told while the last chunk is still on its way.
  let sent: Promise<void> = Promise.resolve();
  const onData = (chunk: Buffer | string): void => {
    stdin.pause();
    sent = sent
      .then(() => stream.write(Buffer.from(chunk)))
      .then(() => {
        if (!stopped) stdin.resume();
      });
  };
  const onEnd = (): void => {
    sent = sent.then(() => stream.end());
  };
  stdin.on('data', onData);
  stdin.once('end', onEnd);
  // A terminal that is gone, a file that can't be read: no more comes.
  stdin.once('error', onEnd);
  return () => {
    stopped = true;
    stdin.off('data', onData);
    stdin.off('end', onEnd);
    stdin.pause();
  };
}

/**
 * Runs one exec session (protocol v4.channel.k8s.io) over an upgraded connection to its end. Rejects with SpdyError
 * where the end of the command stays unknown.
 */
export async function runSession(
  socket: Duplex,
  head: Buffer,
  streams: SessionStreams,
  limits: { statusMs: number } = { statusMs },
): Promise<Outcome> {
  const connection = new SpdyConnection(socket, head);
  const cleanUp: (() => void)[] = [];
  try {
    const status = statusSink();
    const open = (streamtype: string, sink?: Writable): Promise<SpdyStream> =>
      connection.open({ streamtype }, sink);
    const error = await open('error', status.sink);
    const outputs: SpdyStream[] = [];
    const stdin = streams.stdin && (await open('stdin'));
    outputs.push(await open('stdout', streams.stdout));
    if (streams.stderr !== undefined) outputs.push(await open('stderr', streams.stderr));
    const resize = streams.terminal && (await open('resize'));

    const all = [error, ...outputs, ...(stdin ? [stdin] : []), ...(resize ? [resize] : [])];
    const accepted = Promise.all(all.map((stream) => stream.accepted));
    await inTime(accepted, acceptMs, 'the runtime did not accept the session');
    const isHeld = (): boolean => connection.isHeld;
    if (resize !== undefined && streams.terminal !== undefined) {
      const send = ({ columns, rows }: TerminalSize): void =>
        void resize.write(Buffer.from(`${JSON.stringify({ Width: columns, Height: rows })}\n`));
      cleanUp.push(streams.terminal(send));
    }
    if (stdin !== undefined && streams.stdin !== undefined) cleanUp.push(pump(streams.stdin, stdin));
    await Promise.all(outputs.map((stream) => stream.ended));
    const problem = 'the command has closed its outputs, and the runtime does not tell how it ended';
    await (stdin === undefined ? error.ended : inTime(error.ended, limits.statusMs, problem, isHeld));
    return outcomeOf(status.text());
  } catch (thrown) {
    if (connection.problem === undefined) throw thrown;
    throw new SpdyError('the session broke off', { cause: connection.problem });
  } finally {
    for (const each of cleanUp) each();
    connection.close();
  }
}

/** Rejects with SpdyError once `ms` have passed, not counting while `isHeld`. */
async function inTime(
  work: Promise<unknown>,
  ms: number,
  problem: string,
  isHeld: () => boolean = () => false,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const arm = (): void => {
      timer = setTimeout(() => (isHeld() ? arm() : reject(new SpdyError(problem))), ms);
    };
    arm();
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
