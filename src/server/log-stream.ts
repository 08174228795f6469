import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { sleep, type Clock } from '#lib/clock.ts';
import { errorTrailer } from './api.ts';
import { errorBody } from './error-body.ts';

/** How long an answer waits for the first output, so that an error at the start still gets its own status. */
const firstOutputMs = 200;

/**
 * Sends chunks as they come. An error before the first of them is thrown; a later one goes into the trailer.
 * Returns when the log ends or `signal` aborts.
 */
export async function streamLog(
  chunks: AsyncIterable<Buffer>,
  response: ServerResponse,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    const first = iterator.next();
    const early = await Promise.race([first.then(() => true), sleep(clock, firstOutputMs).then(() => false)]);
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', trailer: errorTrailer });
    if (!early) response.flushHeaders();
    for (let next = await first; next.done !== true; next = await iterator.next()) {
      if (signal.aborted) break;
      if (!response.write(next.value)) await once(response, 'drain', { signal });
    }
  } catch (error) {
    if (!response.headersSent) throw error;
    if (!signal.aborted)
      response.addTrailers({ [errorTrailer]: JSON.stringify(asciiOnly(errorBody(error))) });
  } finally {
    await iterator.return?.();
  }
  response.end();
}

/** Header values are Latin-1. */
function asciiOnly<T extends { message: string }>(body: T): T {
  return { ...body, message: body.message.replaceAll(/[^\u0020-\u007e]/g, '?') };
}
