/** Variables that name services, as Docker's links did (pkg/kubelet/envvars of 1.36). */
import { isIPv6 } from 'node:net';
import type { Service } from '#lib/kube/types.ts';

/** The service of the API server itself: every pod is told of it. */
const isMaster = ({ metadata }: Service): boolean =>
  metadata?.namespace === 'default' && metadata.name === 'kubernetes';

const hasAddress = ({ spec }: Service): boolean =>
  spec?.clusterIP !== undefined && spec.clusterIP !== '' && spec.clusterIP !== 'None';

const variableName = (name: string): string => name.replaceAll('-', '_').toUpperCase();

/**
 * The variables of a pod in `namespace`: of the API server's service always, of the namespace's own services if the
 * pod wants to know them (`enableServiceLinks`).
 */
export function serviceEnvironment(
  services: readonly Service[],
  namespace: string,
  enableServiceLinks: boolean,
): Map<string, string> {
  const chosen = new Map<string, Service>();
  for (const service of services.filter(hasAddress)) {
    const name = service.metadata?.name ?? '';
    const isOwn = enableServiceLinks && service.metadata?.namespace === namespace;
    // A namespace's own service of that name comes before the API server's.
    if (isOwn || (isMaster(service) && !chosen.has(name))) chosen.set(name, service);
  }
  const variables = new Map<string, string>();
  for (const [name, service] of chosen) addService(variables, variableName(name), service);
  return variables;
}

function addService(variables: Map<string, string>, prefix: string, { spec }: Service): void {
  const address = spec?.clusterIP ?? '';
  const ports = spec?.ports ?? [];
  const [first] = ports;
  variables.set(`${prefix}_SERVICE_HOST`, address);
  if (first === undefined) return;
  variables.set(`${prefix}_SERVICE_PORT`, String(first.port));
  for (const { name, port } of ports) {
    if (name) variables.set(`${prefix}_SERVICE_PORT_${variableName(name)}`, String(port));
  }
  for (const each of ports) {
    const protocol = each.protocol || 'TCP';
    const host = isIPv6(address) ? `[${address}]` : address;
    const url = `${protocol.toLowerCase()}://${host}:${each.port}`;
    if (each === first) variables.set(`${prefix}_PORT`, url);
    const link = `${prefix}_PORT_${each.port}_${protocol.toUpperCase()}`;
    variables.set(link, url);
    variables.set(`${link}_PROTO`, protocol.toLowerCase());
    variables.set(`${link}_PORT`, String(each.port));
    variables.set(`${link}_ADDR`, address);
  }
}
