import type { RuntimeService } from '#cri/runtime.ts';
import { NodeletError } from '#lib/errors.ts';
import type { AgentPod } from '#lib/kube/types.ts';

class UserNamespaceError extends NodeletError {
  readonly code = 'USER_NAMESPACE';
}

/**
 * Refuses a sandbox to a pod with `hostUsers: false`, in upstream's words where the runtime can't map users: running it
 * with the host's users would take away the protection that it asks for.
 */
export async function requireUserNamespaces(
  { spec }: AgentPod,
  handler: string,
  runtime: Pick<RuntimeService, 'status'>,
): Promise<void> {
  if (spec.hostUsers !== false) return;
  const { runtimeHandlers } = await runtime.status();
  const prefix = "can't set `spec.hostUsers: false`, ";
  if (runtimeHandlers.find(({ name }) => name === handler)?.userNamespaces === true) {
    throw new UserNamespaceError(`${prefix}user namespaces are not supported by this node agent yet`);
  }
  const who = handler === '' ? 'runtime' : `RuntimeClass handler ${JSON.stringify(handler)}`;
  throw new UserNamespaceError(`${prefix}${who} does not support user namespaces`);
}
