import { ConnectionError } from './connection.ts';
import type { HttpAnswer } from './connection.ts';

/**
 * Reads an answer's body to its end, `take` getting each part as it comes. Rejects with the signal's reason, with what
 * `take` throws (the rest is thrown away then), or with ConnectionError where the body breaks off.
 */
export function consume(
  answer: HttpAnswer,
  signal: AbortSignal,
  take: (chunk: Buffer) => void,
): Promise<void> {
  const { body } = answer;
  return new Promise((resolve, reject) => {
    let failure: Error | undefined;
    const end = (error: unknown): void => {
      signal.removeEventListener('abort', abort);
      reject(error);
      body.off('data', each);
      body.destroy();
    };
    const abort = (): void => end(signal.reason);
    const each = (chunk: Buffer): void => {
      try {
        take(chunk);
      } catch (error) {
        end(error);
      }
    };
    body.on('error', (error) => {
      failure = error;
    });
    body.once('close', () => {
      signal.removeEventListener('abort', abort);
      if (answer.isWhole()) resolve();
      else
        reject(new ConnectionError('the answer breaks off', failure === undefined ? {} : { cause: failure }));
    });
    if (signal.aborted) abort();
    else if (body.closed) reject(new ConnectionError('the answer breaks off'));
    else {
      signal.addEventListener('abort', abort, { once: true });
      body.on('data', each);
    }
  });
}

/** The whole body as text. Rejects as `consume` does, and with ConnectionError where it has more than `maxBytes`. */
export async function readText(answer: HttpAnswer, signal: AbortSignal, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  await consume(answer, signal, (chunk) => {
    length += chunk.length;
    if (length > maxBytes) throw new ConnectionError(`the answer has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  });
  return Buffer.concat(chunks, length).toString();
}
