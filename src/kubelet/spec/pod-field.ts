import { ContainerConfigError } from './config-error.ts';
import type { EnvironmentContext } from './environment.ts';

/** The value of a downward API `fieldPath`, as text; throws ContainerConfigError for a path that has none. */
export function podField(fieldPath: string, { pod, podIps, hostIps }: EnvironmentContext): string {
  const { metadata, spec } = pod;
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(fieldPath);
  if (subscript?.[1] === 'labels') return metadata.labels?.[subscript[2] ?? ''] ?? '';
  if (subscript?.[1] === 'annotations') return metadata.annotations?.[subscript[2] ?? ''] ?? '';
  switch (fieldPath) {
    case 'metadata.name':
      return metadata.name;
    case 'metadata.namespace':
      return metadata.namespace;
    case 'metadata.uid':
      return metadata.uid;
    case 'spec.nodeName':
      return spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return spec.serviceAccountName ?? '';
    case 'status.hostIP':
      return hostIps[0] ?? '';
    case 'status.hostIPs':
      return hostIps.join(',');
    case 'status.podIP':
      return podIps[0] ?? '';
    case 'status.podIPs':
      return podIps.join(',');
    default:
      throw new ContainerConfigError(
        `fieldPath ${JSON.stringify(fieldPath)} is not one that a variable can take`,
      );
  }
}
