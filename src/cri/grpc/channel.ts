import { Client, Metadata, credentials, status as Status } from '@grpc/grpc-js';
import type { CallOptions as GrpcOptions, ServiceError } from '@grpc/grpc-js';
import { UsageError } from '#lib/errors.ts';
import { RuntimeError } from '../errors.ts';
import type { RuntimeStatusCode } from '../errors.ts';
import type { CallOptions } from '../runtime.ts';
import { Schema } from './schema.ts';
import type { Method, SchemaData } from './schema.ts';
import runtimeSchema from './runtime.v1.json' with { type: 'json' };

const MAX_MESSAGE = 16 << 20;

/** What is called over a channel. */
export interface Api {
  schema: SchemaData;
  /** HTTP/2 headers of each call. */
  headers?: Readonly<Record<string, string>>;
}

/** runtime.v1: `RuntimeService` and `ImageService`. */
const cri: Api = { schema: runtimeSchema };

/**
 * gRPC's target for an endpoint as people write it: `unix:///run/x.sock`, or the bare path. Throws UsageError for
 * what isn't a unix socket's absolute path.
 */
export function targetOf(endpoint: string): string {
  const path = endpoint.replace(/^unix:(\/\/)?/, '');
  if (!path.startsWith('/')) {
    throw new UsageError(
      `container runtime endpoint "${endpoint}": must be a unix socket, as in unix:///run/containerd/containerd.sock`,
    );
  }
  return `unix:${path}`;
}

/**
 * Calls of one API (CRI unless given) over one unix socket. It connects at the first call and again by itself when the runtime has
 * been away; meanwhile calls fail at once with UNAVAILABLE.
 */
export class Channel {
  readonly endpoint: string;
  readonly #client: Client;
  readonly #schema: Schema;
  readonly #headers: Api['headers'];
  readonly #methods = new Map<string, Method>();

  constructor(endpoint: string, api: Api = cri) {
    this.endpoint = endpoint;
    this.#schema = new Schema(api.schema);
    this.#headers = api.headers;
    this.#client = new Client(targetOf(endpoint), credentials.createInsecure(), {
      // For a unix socket gRPC would send the path, percent-encoded, which Go's HTTP/2 server refuses.
      'grpc.default_authority': 'localhost',
      'grpc.max_receive_message_length': MAX_MESSAGE,
      'grpc.max_send_message_length': MAX_MESSAGE,
      // A runtime that restarts is back within seconds; gRPC's own back-off grows to two minutes.
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1000,
      // No keep-alive pings: a socket on this machine breaks when its peer dies, deadlines find the peer that hangs,
      // and Go's servers hang up on clients who ping more often than every five minutes.
      'grpc.enable_http_proxy': 0,
      'grpc.service_config_disable_resolution': 1,
    });
  }

  /** One call; rejects with RuntimeError, or with the signal's reason when that ends it. */
  call<Response extends object>(
    service: string,
    verb: string,
    request: object,
    options: CallOptions = {},
  ): Promise<Response> {
    const { signal } = options;
    const method = this.#method(service, verb);
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const call = this.#client.makeUnaryRequest<object, object>(
        method.path,
        method.encode,
        method.decode,
        request,
        this.#metadata(),
        deadlineOf(options),
        (error, response) => {
          signal?.removeEventListener('abort', abort);
          if (error === null && response !== undefined) resolve(response as Response);
          else reject(signal?.aborted === true ? (signal.reason as Error) : runtimeError(verb, error));
        },
      );
      const abort = (): void => call.cancel();
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** A stream of answers until the signal aborts (resolves) or the runtime ends it (rejects with RuntimeError). */
  stream(
    service: string,
    verb: string,
    request: object,
    onMessage: (message: object) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const method = this.#method(service, verb);
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        resolve();
        return;
      }
      const call = this.#client.makeServerStreamRequest<object, object>(
        method.path,
        method.encode,
        method.decode,
        request,
        this.#metadata(),
      );
      const abort = (): void => call.cancel();
      signal.addEventListener('abort', abort, { once: true });
      const settle = (error: ServiceError | null): void => {
        signal.removeEventListener('abort', abort);
        if (signal.aborted) resolve();
        else reject(error === null ? endedBy(verb) : runtimeError(verb, error));
      };
      call.on('data', onMessage);
      call.on('error', settle);
      call.on('end', () => settle(null));
    });
  }

  close(): void {
    this.#client.close();
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(this.#headers ?? {})) metadata.set(name, value);
    return metadata;
  }

  #method(service: string, verb: string): Method {
    const key = `${service}/${verb}`;
    let method = this.#methods.get(key);
    if (method === undefined) this.#methods.set(key, (method = this.#schema.method(service, verb)));
    return method;
  }
}

const deadlineOf = ({ deadlineMs }: CallOptions): GrpcOptions =>
  // gRPC takes no duration, so this is the one place that reads the machine's clock.
  deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };

const endedBy = (verb: string): RuntimeError =>
  new RuntimeError(verb, 'UNAVAILABLE', 'the runtime ended the stream');

/** gRPC's error as ours. */
export function runtimeError(verb: string, error: ServiceError | null): RuntimeError {
  const name = error === null ? 'UNKNOWN' : Status[error.code];
  const code = (name === 'OK' || name === undefined ? 'UNKNOWN' : name) as RuntimeStatusCode;
  const words = error?.details || error?.message || 'no answer';
  // containerd sends the prefix of its own, inner gRPC error along.
  const details = words.replace(/^rpc error: code = \w+ desc = /, '');
  return new RuntimeError(verb, code, details, { cause: error ?? undefined });
}
