/** Node's network errors in the words of Go's net package, which upstream's events carry. */
import { isIPv6 } from 'node:net';
import { codeOf, describeError } from '#lib/errors.ts';

export const joinHostPort = (host: string, port: number): string =>
  isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;

const ERRNO: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by peer',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  ETIMEDOUT: 'connection timed out',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EPIPE: 'broken pipe',
  EINVAL: 'invalid argument',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
};

/** The words for a connection that could not be made; `error` is what net.connect gave. */
export function dialWords(host: string, port: number, error: unknown): string {
  // One error for each address of a name: the first stands for all.
  const one: unknown = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  const code = codeOf(one) ?? '';
  if (code === 'ENOTFOUND') return `dial tcp: lookup ${host}: no such host`;
  if (code === 'EAI_AGAIN') return `dial tcp: lookup ${host}: Temporary failure in name resolution`;
  return `dial tcp ${joinHostPort(host, port)}: connect: ${ERRNO[code] ?? describeError(one)}`;
}

export const dialTimeout = (host: string, port: number): string =>
  `dial tcp ${joinHostPort(host, port)}: i/o timeout`;

/** The words for a connection that broke. */
export function brokenWords(error: unknown): string {
  const code = codeOf(error) ?? '';
  // Node reports an end before any answer as a reset too, but without the system call that one comes from.
  if (code === 'ECONNRESET' && !(error instanceof Error && 'syscall' in error)) return 'EOF';
  const words = ERRNO[code];
  return words === undefined ? describeError(error) : `read: ${words}`;
}
