import type { AgentPod, Container, EnvVar } from '#lib/kube/types.ts';
import { ContainerConfigError } from './config-error.ts';
import { expand } from './expansion.ts';
import { podField } from './pod-field.ts';

/** What variables can be taken from besides literals. */
export interface EnvironmentContext {
  pod: AgentPod;
  podIps: readonly string[];
  hostIps: readonly string[];
}

/**
 * A container's variables in the order of the spec, each expanded with those before it; a later one of the same
 * name wins.
 */
export function environment(container: Container, context: EnvironmentContext): Map<string, string> {
  const variables = new Map<string, string>();
  if (container.envFrom?.length) {
    throw new ContainerConfigError('envFrom needs ConfigMaps or Secrets, which nodelet does not serve yet');
  }
  for (const variable of container.env ?? []) {
    variables.set(variable.name, valueOf(variable, variables, context));
  }
  return variables;
}

function valueOf(variable: EnvVar, before: ReadonlyMap<string, string>, context: EnvironmentContext): string {
  const from = variable.valueFrom;
  if (from === undefined) return expand(variable.value ?? '', before);
  if (from.fieldRef !== undefined) return podField(from.fieldRef.fieldPath, context);
  const kind = Object.keys(from)[0] ?? 'valueFrom';
  throw new ContainerConfigError(
    `env ${variable.name}: ${kind} is not supported yet; use a literal value or fieldRef`,
  );
}
