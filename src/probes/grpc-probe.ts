import { Client, Metadata, type ServiceError, credentials, status as Status } from '@grpc/grpc-js';
import { isIPv6 } from 'node:net';
import { formatDuration } from '#lib/go-duration.ts';
import { joinHostPort } from './go-words.ts';
import { decodeStatus, encodeRequest } from './grpc-health.ts';
import { type Outcome, USER_AGENT, failure, success } from './outcome.ts';

const METHOD = '/grpc.health.v1.Health/Check';

/** Asks the server at `host` (an address) for the health of `service` ('': its own). No TLS, as upstream. */
export function probeGrpc(
  host: string,
  port: number,
  service: string,
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<Outcome> {
  const { timeoutMs, signal } = options;
  const address = joinHostPort(host, port);
  const client = new Client(`${isIPv6(host) ? 'ipv6' : 'ipv4'}:${address}`, credentials.createInsecure(), {
    'grpc.primary_user_agent': USER_AGENT,
    'grpc.default_authority': address,
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
    // Every probe has a connection of its own.
    'grpc.use_local_subchannel_pool': 1,
  });
  // gRPC takes a moment in time, by the machine's own clock.
  const deadline = Date.now() + timeoutMs;
  const within = formatDuration(timeoutMs);
  const finished = new Promise<Outcome>((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    client.waitForReady(deadline, (unready) => {
      if (unready !== undefined && unready !== null) {
        const words = `timeout: failed to connect service "${address}" within ${within}: context deadline exceeded`;
        resolve(failure(words));
        return;
      }
      client.makeUnaryRequest<string, string>(
        METHOD,
        encodeRequest,
        decodeStatus,
        service,
        new Metadata(),
        { deadline },
        (error, answer) => {
          signal.removeEventListener('abort', abort);
          resolve(error === null ? healthOf(answer ?? 'UNKNOWN') : failure(wordsOf(error, within)));
        },
      );
    });
  });
  return finished.finally(() => client.close());
}

const healthOf = (status: string): Outcome =>
  status === 'SERVING'
    ? success('service healthy')
    : failure(`service unhealthy (responded with "${status}")`);

function wordsOf(error: ServiceError, within: string): string {
  const { code, details } = error;
  if (code === Status.UNIMPLEMENTED)
    return `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${details}`;
  if (code === Status.DEADLINE_EXCEEDED) return `timeout: health rpc did not complete within ${within}`;
  return `error: health rpc probe failed: rpc error: code = ${goName(code)} desc = ${details}`;
}

/** `NOT_FOUND` → `NotFound`. */
const goName = (code: Status): string =>
  code === Status.CANCELLED
    ? 'Canceled'
    : Status[code]
        .toLowerCase()
        .split('_')
        .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
        .join('');
