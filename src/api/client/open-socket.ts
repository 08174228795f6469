import { isIP, connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, createSecureContext, getCACertificates } from 'node:tls';
import type { ConnectionOptions, SecureContext, TLSSocket } from 'node:tls';
import type { TlsMaterial } from '../credentials.ts';
import { ConnectionError, TlsError } from './connection.ts';

/** Where to connect, and how. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** Undefined for plain http. */
  readonly tls: { readonly material: TlsMaterial; readonly context: SecureContext } | undefined;
}

const KEEP_ALIVE_MS = 30_000;

/** Throws TlsError where the material is none that OpenSSL takes. */
export function makeTarget(server: URL, material: TlsMaterial): Target {
  const secure = server.protocol === 'https:';
  return {
    host: server.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: server.port === '' ? (secure ? 443 : 80) : Number(server.port),
    tls: secure ? { material, context: makeContext(material) } : undefined,
  };
}

function makeContext({ ca, cert, key }: TlsMaterial): SecureContext {
  try {
    return createSecureContext({
      ca: ca ?? systemCertificates(),
      minVersion: 'TLSv1.2',
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
    });
  } catch (cause) {
    throw new TlsError('the certificates for the API server cannot be used', { cause });
  }
}

/** As Go does, trust what the machine trusts; Node's own list is the fallback of a machine without one. */
function systemCertificates(): string[] {
  const system = getCACertificates('system');
  return system.length > 0 ? system : getCACertificates('bundled');
}

/** The options of `tls.connect` beside host and port. */
export function tlsOptions(target: Target, protocols: string[]): ConnectionOptions {
  const { tls } = target;
  if (tls === undefined) return {};
  const name = tls.material.serverName ?? target.host;
  return {
    secureContext: tls.context,
    ALPNProtocols: protocols,
    rejectUnauthorized: !tls.material.insecure,
    // SNI carries names only, yet an address, too, can be what to check for.
    ...(isIP(name) === 0 ? { servername: name } : {}),
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
  };
}

/** Connects, and speaks TLS where the target does. Rejects with ConnectionError, TlsError or the signal's reason. */
export function openSocket(
  target: Target,
  protocols: string[],
  signal: AbortSignal,
): Promise<Socket | TLSSocket> {
  const { host, port } = target;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const secure = target.tls !== undefined;
    const socket = secure
      ? connectTls({ host, port, ...tlsOptions(target, protocols) })
      : connectTcp({ host, port });
    let isConnected = false;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    const settle = (): void => {
      signal.removeEventListener('abort', abort);
      socket.off('error', fail).off('close', closed);
    };
    const fail = (cause: Error): void => {
      settle();
      // Whatever else it says while it goes down is of no interest.
      socket.on('error', () => undefined);
      socket.destroy();
      reject(toConnectionError(cause, secure && isConnected));
    };
    const closed = (): void => fail(new ConnectionError('the server closes the connection'));
    const abort = (): void => {
      settle();
      socket.on('error', () => undefined);
      socket.destroy();
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', abort, { once: true });
    socket.on('error', fail).on('close', closed);
    socket.once('connect', () => {
      isConnected = true;
    });
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      settle();
      resolve(socket);
    });
  });
}

/** Node reports an attempt at several addresses as an AggregateError without a message. */
function toConnectionError(error: Error, inTls: boolean): ConnectionError {
  const cause: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return inTls
    ? new TlsError('TLS fails', { cause })
    : new ConnectionError('the server cannot be reached', { cause });
}
