import type { Duplex } from 'node:stream';

/** How long the client may take to read what is left for it once the server is gone. */
const lastWordsMs = 5000;

/**
 * How long the server may go on once the client has ended its side. A client that has only ended it can't be told
 * from one that is gone as long as nothing is written to it; and SPDY ends streams, not connections, by halves.
 */
const halfClosedMs = 10_000;

/**
 * Passes bytes both ways, untouched, until both sides have ended or one is gone; then both are destroyed. One
 * side's end becomes the other's, and the way back stays open for a while.
 *
 * When `server` goes, what it said last (an exit code) still reaches `client`: the client's own words are read and
 * dropped meanwhile, because an unread word would make the kernel reset the connection and lose them.
 */
export function relay(client: Duplex, server: Duplex): void {
  let deadline: NodeJS.Timeout | undefined;
  const lastWords = (): void => {
    client.unpipe(server);
    client.resume();
    if (!client.writableEnded) client.end();
    deadline ??= setTimeout(() => client.destroy(), lastWordsMs);
  };
  client.on('error', () => client.destroy());
  server.on('error', () => server.destroy());
  client.once('end', () => {
    deadline ??= setTimeout(() => client.destroy(), halfClosedMs);
  });
  client.once('close', () => {
    clearTimeout(deadline);
    server.destroy();
  });
  server.once('end', lastWords);
  server.once('close', lastWords);
  client.pipe(server);
  server.pipe(client, { end: false });
}
