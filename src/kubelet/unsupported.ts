import type { AgentPod, Container } from '#lib/kube/types.ts';

/**
 * What the pod asks for and this version doesn't do yet, one sentence each: said in a Warning event, so that nobody
 * believes to be protected or watched by something that isn't there.
 */
export function unsupportedFields(pod: AgentPod): string[] {
  const { spec } = pod;
  const found: string[] = [];
  const note = (present: unknown, field: string, consequence: string): void => {
    if (present !== undefined && present !== null)
      found.push(`${field} is not supported yet: ${consequence}`);
  };
  const containers: [string, Container][] = [
    ...(spec.initContainers ?? []).map((each): [string, Container] => [`initContainers ${each.name}`, each]),
    ...spec.containers.map((each): [string, Container] => [`containers ${each.name}`, each]),
  ];
  for (const [where, container] of containers) {
    note(
      container.livenessProbe,
      `spec.${where}: livenessProbe`,
      'the container is restarted only when it ends',
    );
    note(
      container.readinessProbe,
      `spec.${where}: readinessProbe`,
      'the container counts as ready while it runs',
    );
    note(
      container.startupProbe,
      `spec.${where}: startupProbe`,
      'the container counts as started once it runs',
    );
    note(container.lifecycle?.postStart, `spec.${where}: lifecycle.postStart`, 'the hook is not run');
    note(container.lifecycle?.preStop, `spec.${where}: lifecycle.preStop`, 'the hook is not run');
  }
  return found;
}
