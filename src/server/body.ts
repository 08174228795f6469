import type { IncomingMessage } from 'node:http';
import { BadRequestError, BodyTooLargeError } from './errors.ts';

/** The request's body as text; rejects with BodyTooLargeError before more than `limit` bytes are held. */
export async function readBody(
  request: IncomingMessage,
  limit: number,
  signal: AbortSignal,
): Promise<string> {
  const tooLarge = new BodyTooLargeError(`the request is over the limit of ${limit} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw tooLarge;
    chunks.push(chunk);
  }
  if (signal.aborted || !request.complete) throw new BadRequestError('the client has gone');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new BadRequestError('the request is not UTF-8 text');
  }
}
