/** A status may not say that a container runs again which never restarts: ValidateContainerStateTransition of 1.36. */
import type { Container, ContainerStatus, PodSpec, PodStatus } from '#lib/kube/types.ts';
import type { KubeObject } from './object.ts';
import { invalid } from './status-error.ts';

function mayRestart(container: Container | undefined, spec: PodSpec, exitCode: number): boolean {
  if (container === undefined) return false;
  for (const rule of container.restartPolicyRules ?? []) {
    const { operator, values = [] } = rule.exitCodes ?? {};
    const holds =
      operator === 'In' ? values.includes(exitCode) : operator === 'NotIn' && !values.includes(exitCode);
    if (holds) return true;
  }
  const policy = container.restartPolicy ?? spec.restartPolicy;
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

function refuseRevived(
  name: string,
  field: string,
  pairs: { next: ContainerStatus[]; old: ContainerStatus[]; containers: Container[] },
  spec: PodSpec,
): void {
  for (const [index, before] of pairs.old.entries()) {
    const ended = before.state?.terminated;
    const after = pairs.next.find((status) => status.name === before.name);
    if (ended === undefined || after === undefined || after.state?.terminated !== undefined) continue;
    const container = pairs.containers.find((each) => each.name === before.name);
    if (mayRestart(container, spec, ended.exitCode)) continue;
    const why = `status.${field}[${index}].state: Forbidden: may not be transitioned to non-terminated state`;
    throw invalid('Pod', name, why);
  }
}

/** Throws 422. */
export function checkContainerTransitions(next: KubeObject, old: KubeObject): void {
  const spec = old.spec as unknown as PodSpec;
  const restartsAll = [...spec.containers, ...(spec.initContainers ?? [])].some((container) =>
    container.restartPolicyRules?.some(({ action }) => action === 'RestartAllContainers'),
  );
  if (restartsAll) return;
  const [after, before] = [next.status ?? {}, old.status ?? {}] as unknown as [PodStatus, PodStatus];
  const { name } = old.metadata;
  refuseRevived(
    name,
    'containerStatuses',
    {
      next: after.containerStatuses ?? [],
      old: before.containerStatuses ?? [],
      containers: spec.containers,
    },
    spec,
  );
  refuseRevived(
    name,
    'initContainerStatuses',
    {
      next: after.initContainerStatuses ?? [],
      old: before.initContainerStatuses ?? [],
      containers: spec.initContainers ?? [],
    },
    spec,
  );
}
