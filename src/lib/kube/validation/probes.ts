import { httpHeaderName, portName } from '../names.ts';
import type { Container } from '../types.ts';
import type { Field } from './field.ts';

type Probe = NonNullable<Container['livenessProbe']>;
type Handler = NonNullable<NonNullable<Container['lifecycle']>['postStart']> & Pick<Probe, 'grpc'>;
type Port = NonNullable<Handler['tcpSocket']>['port'];

const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;
const HOOKS = ['postStart', 'preStop'] as const;

function validatePort(port: Port | undefined, field: Field): void {
  if (typeof port === 'string') field.check(port, portName(port));
  else if (port === undefined) field.required();
  else field.range(port, 1, 65535);
}

function validateHandler(
  handler: Handler,
  kinds: readonly (keyof Handler)[],
  grace: number,
  field: Field,
): void {
  if (kinds.filter((kind) => handler[kind] !== undefined).length !== 1) {
    field.error(undefined, `must have exactly one of ${kinds.join(', ')}`);
  }
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler;
  if (exec !== undefined && (exec.command ?? []).length === 0) field.at('exec', 'command').required();
  if (httpGet !== undefined) {
    validatePort(httpGet.port, field.at('httpGet', 'port'));
    field.at('httpGet', 'scheme').oneOf(httpGet.scheme, ['HTTP', 'HTTPS']);
    for (const [i, header] of (httpGet.httpHeaders ?? []).entries()) {
      field.at('httpGet', 'httpHeaders', i, 'name').checkName(header.name, httpHeaderName);
    }
  }
  if (tcpSocket !== undefined) validatePort(tcpSocket.port, field.at('tcpSocket', 'port'));
  if (grpc !== undefined) validatePort(grpc.port, field.at('grpc', 'port'));
  if (sleep !== undefined && !(sleep.seconds >= 0 && sleep.seconds <= grace)) {
    field
      .at('sleep', 'seconds')
      .error(sleep.seconds, `must be between 0 and terminationGracePeriodSeconds (${grace})`);
  }
}

function validateProbe(name: (typeof PROBES)[number], probe: Probe, grace: number, field: Field): void {
  validateHandler(probe, ['exec', 'httpGet', 'tcpSocket', 'grpc'], grace, field);
  for (const key of ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'failureThreshold'] as const) {
    field.at(key).range(probe[key], 0, Infinity);
  }
  const most = name === 'readinessProbe' ? Infinity : 1;
  field.at('successThreshold').range(probe.successThreshold, Math.min(1, most), most);
  if (probe.terminationGracePeriodSeconds === undefined) return;
  if (name === 'readinessProbe') {
    field
      .at('terminationGracePeriodSeconds')
      .error(probe.terminationGracePeriodSeconds, 'must not be set here');
  } else field.at('terminationGracePeriodSeconds').range(probe.terminationGracePeriodSeconds, 1, Infinity);
}

/** Probes and hooks. `allowed`: whether this container may have them (init containers only as sidecars). */
export function validateProbes(container: Container, allowed: boolean, grace: number, field: Field): void {
  if (!allowed) {
    for (const key of [...PROBES, 'lifecycle'] as const) {
      const message = 'must not be set on an init container without restartPolicy: Always';
      if (container[key] !== undefined) field.at(key).error(undefined, message);
    }
    return;
  }
  for (const name of PROBES) {
    const probe = container[name];
    if (probe !== undefined) validateProbe(name, probe, grace, field.at(name));
  }
  for (const name of HOOKS) {
    const hook = container.lifecycle?.[name];
    const at = field.at('lifecycle', name);
    if (hook !== undefined) validateHandler(hook, ['exec', 'httpGet', 'tcpSocket', 'sleep'], grace, at);
  }
}
