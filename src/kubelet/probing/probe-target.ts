import type { Container } from '#lib/kube/types.ts';
import type { RunCommand } from '#probes/exec-probe.ts';
import { httpRequest } from '#probes/http-request.ts';
import { USER_AGENT } from '#probes/outcome.ts';
import type { ProbeTarget } from '#probes/prober.ts';
import { expand } from '../spec/expansion.ts';
import { UnknownPortError, resolvePort } from './resolve-port.ts';

export type Probe = NonNullable<Container['livenessProbe']>;

/** What the probe asks of this container, at the pod's address. */
export function probeTarget(probe: Probe, container: Container, podIp: string, run: RunCommand): ProbeTarget {
  const { exec, httpGet, tcpSocket, grpc } = probe;
  try {
    if (exec !== undefined)
      return { kind: 'exec', command: staticCommand(exec.command ?? [], container), run };
    if (httpGet !== undefined) {
      const port = resolvePort(httpGet.port, container);
      return { kind: 'http', request: httpRequest(httpGet, port, podIp, USER_AGENT) };
    }
    if (tcpSocket !== undefined) {
      return { kind: 'tcp', host: tcpSocket.host || podIp, port: resolvePort(tcpSocket.port, container) };
    }
    if (grpc !== undefined)
      return { kind: 'grpc', host: podIp, port: grpc.port, service: grpc.service ?? '' };
  } catch (error) {
    if (error instanceof UnknownPortError) return { kind: 'invalid', words: error.message };
    throw error;
  }
  return { kind: 'invalid', words: `missing probe handler for container ${container.name}` };
}

/** As upstream, only what the spec gives as plain values can be referred to. */
function staticCommand(command: readonly string[], { env = [] }: Container): string[] {
  const variables = new Map(env.map(({ name, value }) => [name, value ?? '']));
  return command.map((word) => expand(word, variables));
}
