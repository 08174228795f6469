import type { AgentPod } from '#lib/kube/types.ts';

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
  note(spec.hostAliases?.[0], 'spec.hostAliases', "the names are not in the pod's hosts file");
  if (spec.hostUsers === false)
    found.push("spec.hostUsers is not supported yet: the pod uses the host's users");
  return found;
}
