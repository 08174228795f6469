import { MissingReferenceError } from '#lib/kube/referenced.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import type { RuntimeClassLister } from './ports.ts';

export interface HandlerChoice {
  /** What RunPodSandbox takes; empty for the runtime's default. */
  handler: string;
  /** Said once where the pod doesn't get what it asks for. */
  warning?: string;
}

type Classes = Pick<RuntimeClassLister, 'hasSynced' | 'get'>;

/** Which of the runtime's handlers a pod's RuntimeClass stands for. */
export class RuntimeHandlers {
  readonly #classes: Classes | undefined;

  /** `undefined`: there is no API server to read RuntimeClasses from. */
  constructor(classes: Classes | undefined) {
    this.#classes = classes;
  }

  /** Throws MissingReferenceError where the class isn't there (yet). */
  handlerOf({ spec }: AgentPod): HandlerChoice {
    const name = spec.runtimeClassName;
    if (name === undefined || name === '') return { handler: '' };
    if (this.#classes === undefined) {
      const warning = `spec.runtimeClassName ${name} can't be looked up without an API server: the runtime's default handler is used`;
      return { handler: '', warning };
    }
    const found = this.#classes.get({ name });
    if (found !== undefined) return { handler: found.handler };
    const what = `runtimeclass.node.k8s.io ${JSON.stringify(name)}`;
    if (this.#classes.hasSynced) throw new MissingReferenceError(`${what} not found`);
    throw new MissingReferenceError(`failed to lookup RuntimeClass ${name}: ${what} has not been read yet`);
  }
}
