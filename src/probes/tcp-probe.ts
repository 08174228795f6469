import { connect } from 'node:net';
import type { Clock } from '#lib/clock.ts';
import { dialTimeout, dialWords } from './go-words.ts';
import { type Outcome, failure, success } from './outcome.ts';

/** How long a peer that doesn't answer the end of the connection keeps its socket here. */
const LINGER_MS = 1000;

export interface TcpProbeOptions {
  clock: Clock;
  timeoutMs: number;
  signal: AbortSignal;
}

/** Whether a connection can be made; it is closed in order, with whatever the peer says first read away. */
export function probeTcp(host: string, port: number, options: TcpProbeOptions): Promise<Outcome> {
  const { clock, timeoutMs, signal } = options;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const socket = connect({ host, port });
    const abort = (): void => {
      reject(signal.reason as Error);
      socket.destroy();
    };
    signal.addEventListener('abort', abort, { once: true });
    let timer = clock.after(timeoutMs, () => {
      resolve(failure(dialTimeout(host, port)));
      socket.destroy();
    });
    socket.once('connect', () => {
      timer.cancel();
      resolve(success());
      socket.resume();
      socket.end();
      timer = clock.after(LINGER_MS, () => socket.destroy());
    });
    // After a connection this changes nothing: the promise is settled.
    socket.on('error', (error) => resolve(failure(dialWords(host, port, error))));
    socket.once('close', () => {
      timer.cancel();
      signal.removeEventListener('abort', abort);
    });
  });
}
