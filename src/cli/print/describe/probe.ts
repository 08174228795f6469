import type { Container } from '#lib/kube/types.ts';

type Probe = NonNullable<Container['livenessProbe']>;

/** Every argument of an exec probe in Go's brackets: `[cat /ready]`. */
const goList = (words: readonly string[] | undefined): string => `[${(words ?? []).join(' ')}]`;

const hostPort = (host: string | undefined, port: string | number): string =>
  (host ?? '').includes(':') ? `[${host}]:${port}` : `${host ?? ''}:${port}`;

/** A probe in one line: `http-get http://:80/ delay=0s timeout=1s period=10s #success=1 #failure=3`. */
export function probeLine(probe: Probe): string {
  const seconds = (value: number | undefined): string => `${value ?? 0}s`;
  const numbers =
    `delay=${seconds(probe.initialDelaySeconds)} timeout=${seconds(probe.timeoutSeconds)} ` +
    `period=${seconds(probe.periodSeconds)} #success=${probe.successThreshold ?? 0} ` +
    `#failure=${probe.failureThreshold ?? 0}`;
  if (probe.exec !== undefined) return `exec ${goList(probe.exec.command)} ${numbers}`;
  if (probe.httpGet !== undefined) {
    const { scheme, host, port, path } = probe.httpGet;
    // A path without a leading slash gets one from Go's URL type.
    const rest = path === undefined || path === '' || path.startsWith('/') ? (path ?? '') : `/${path}`;
    return `http-get ${(scheme ?? 'HTTP').toLowerCase()}://${hostPort(host, port)}${rest} ${numbers}`;
  }
  if (probe.tcpSocket !== undefined) {
    return `tcp-socket ${probe.tcpSocket.host ?? ''}:${probe.tcpSocket.port} ${numbers}`;
  }
  if (probe.grpc !== undefined) return `grpc <pod>:${probe.grpc.port} ${probe.grpc.service ?? ''} ${numbers}`;
  return `unknown ${numbers}`;
}
