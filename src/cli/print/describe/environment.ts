import type { Container, EnvVar, Pod } from '#lib/kube/types.ts';
import { parseQuantity } from '#lib/kube/quantity.ts';
import type { DescribeText } from './text.ts';

/** The value of a downward API field, as far as it can be read from the pod itself. */
function fieldValue(pod: Pod, path: string): string {
  const subscript = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (subscript !== null) {
    const map = subscript[1] === 'labels' ? pod.metadata?.labels : pod.metadata?.annotations;
    return map?.[subscript[2] ?? ''] ?? '';
  }
  switch (path) {
    case 'metadata.name':
      return pod.metadata?.name ?? '';
    case 'metadata.namespace':
      return pod.metadata?.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata?.uid ?? '';
    default:
      // kubectl shows nothing either for what only the node knows.
      return '';
  }
}

function resourceValue(container: Container, resource: string, divisor: string | undefined): string {
  const [kind = '', name = ''] = resource.split(/\.(.*)/);
  const amounts = kind === 'limits' ? container.resources?.limits : container.resources?.requests;
  const amount = amounts?.[name];
  if (amount === undefined) {
    return kind === 'limits' && (name === 'cpu' || name === 'memory') ? 'node allocatable' : '0';
  }
  try {
    const by = divisor === undefined || divisor === '0' || divisor === '' ? '1' : divisor;
    return String(Math.ceil(parseQuantity(amount).milliValue() / parseQuantity(by).milliValue()));
  } catch {
    return '';
  }
}

function variable(text: DescribeText, env: EnvVar, container: Container, pod: Pod): void {
  const from = env.valueFrom;
  if (from === undefined) {
    (env.value ?? '')
      .split('\n')
      .forEach((part, index) => text.line(3, index === 0 ? `${env.name}:` : '', part));
  } else if (from.fieldRef !== undefined) {
    const { apiVersion, fieldPath } = from.fieldRef;
    text.line(3, `${env.name}:`, `${fieldValue(pod, fieldPath)} (${apiVersion ?? 'v1'}:${fieldPath})`);
  } else if (from.resourceFieldRef !== undefined) {
    const { resource, divisor } = from.resourceFieldRef;
    text.line(3, `${env.name}:`, `${resourceValue(container, resource, divisor)} (${resource})`);
  } else if (from.secretKeyRef !== undefined) {
    const { key, name, optional } = from.secretKeyRef;
    const value = `<set to the key '${key}' in secret '${name ?? ''}'>`;
    text.line(3, `${env.name}:`, value, `Optional: ${optional ?? false}`);
  } else if (from.configMapKeyRef !== undefined) {
    const { key, name, optional } = from.configMapKeyRef;
    const value = `<set to the key '${key}' of config map '${name ?? ''}'>`;
    text.line(3, `${env.name}:`, value, `Optional: ${optional ?? false}`);
  }
}

/** A container's environment: literals with their values, references by name only. */
export function describeEnvironment(text: DescribeText, container: Container, pod: Pod): void {
  const sources = container.envFrom ?? [];
  if (sources.length > 0) text.line(2, 'Environment Variables from:');
  for (const source of sources) {
    const [kind, ref] =
      source.configMapRef === undefined ? ['Secret', source.secretRef] : ['ConfigMap', source.configMapRef];
    const prefix = source.prefix ? ` with prefix '${source.prefix}'` : '';
    text.line(3, ref?.name ?? '', `${kind}${prefix}`, `Optional: ${ref?.optional ?? false}`);
  }
  const env = container.env ?? [];
  text.line(2, ...(env.length === 0 ? ['Environment:', '<none>'] : ['Environment:']));
  for (const each of env) variable(text, each, container, pod);
}
