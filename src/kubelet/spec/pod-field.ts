import { DownwardFieldError, metadataField } from '#lib/kube/downward.ts';
import { ContainerConfigError } from './config-error.ts';
import type { EnvironmentContext } from './environment.ts';

/** The value of a downward API `fieldPath`, as text; throws ContainerConfigError for a path that has none. */
export function podField(fieldPath: string, { pod, podIps, hostIps }: EnvironmentContext): string {
  switch (fieldPath) {
    case 'spec.nodeName':
    case 'spec.host':
      return pod.spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? '';
    case 'status.hostIP':
      return hostIps[0] ?? '';
    case 'status.hostIPs':
      return hostIps.join(',');
    case 'status.podIP':
      return podIps[0] ?? '';
    case 'status.podIPs':
      return podIps.join(',');
    default:
      return ofMetadata(pod, fieldPath);
  }
}

function ofMetadata(pod: EnvironmentContext['pod'], fieldPath: string): string {
  try {
    return metadataField(pod, fieldPath);
  } catch (error) {
    if (!(error instanceof DownwardFieldError)) throw error;
    const path = JSON.stringify(fieldPath);
    throw new ContainerConfigError(`fieldPath ${path} is not one that a variable can take`, { cause: error });
  }
}
