import type { AgentPod, Container } from '#lib/kube/types.ts';
import type { ContainerView } from './instances.ts';

type Policy = 'Always' | 'OnFailure' | 'Never';

/** The container's own restart policy, or the pod's. For a plain init container, `Always` means "until it succeeds". */
export function restartPolicyOf(pod: AgentPod, view: ContainerView): Policy {
  return (view.spec.restartPolicy ?? pod.spec.restartPolicy ?? 'Always') as Policy;
}

/** Whether a container that ended with `exitCode` is to run again. */
export function restartsAfter(pod: AgentPod, view: ContainerView, exitCode: number): boolean {
  if (view.kind === 'ephemeral' || (view.kind === 'init' && exitCode === 0)) return false;
  if (matchingRule(view.spec, exitCode)?.action === 'Restart') return true;
  switch (restartPolicyOf(pod, view)) {
    case 'Always':
      return true;
    case 'OnFailure':
      return exitCode !== 0;
    case 'Never':
      return false;
  }
}

type Rule = NonNullable<Container['restartPolicyRules']>[number];

/** The first rule that speaks of the exit code: later ones don't count, whatever it says. */
function matchingRule({ restartPolicy, restartPolicyRules }: Container, exitCode: number): Rule | undefined {
  // Rules are exceptions from the container's own policy.
  if (restartPolicy === undefined) return undefined;
  return restartPolicyRules?.find(({ exitCodes }) => {
    const listed = exitCodes?.values?.includes(exitCode) === true;
    switch (exitCodes?.operator) {
      case 'In':
        return listed;
      case 'NotIn':
        return !listed;
      default:
        return false;
    }
  });
}

/** Whether the container has run and will never run again. */
export function isDone(pod: AgentPod, view: ContainerView): boolean {
  return view.current?.state === 'exited' && !restartsAfter(pod, view, view.current.exitCode);
}
