import type { AgentPod, Container } from '#lib/kube/types.ts';

/** The text of a resize's event: upstream's words, and the resources as JSON. */
export function resizeText(words: string, { spec }: AgentPod, generation: number, error = ''): string {
  const list = (containers: readonly Container[] = []): unknown[] | undefined =>
    containers.length === 0 ? undefined : containers.map(({ name, resources = {} }) => ({ name, resources }));
  const summary = {
    initContainers: list(spec.initContainers),
    containers: list(spec.containers),
    generation,
    ...(error === '' ? {} : { error }),
  };
  return `${words}: ${JSON.stringify(summary)}`;
}
