import type { Container } from '#lib/kube/types.ts';
import { ContainerConfigError } from '../spec/config-error.ts';
import type { PodContext } from './pod-context.ts';

/** The ID of the container whose processes an ephemeral container is to see; undefined where it asks for none. */
export function pidTarget({ pod, sight }: PodContext, { name }: Container): string | undefined {
  const target = pod.spec.ephemeralContainers?.find((each) => each.name === name)?.targetContainerName;
  if (target === undefined || target === '') return undefined;
  const found = sight?.views.find(({ spec }) => spec.name === target)?.current;
  if (found === undefined) {
    throw new ContainerConfigError(
      `unable to find target container ${target}: targetContainerName must be a container of the pod that has been started`,
    );
  }
  return found.id;
}
