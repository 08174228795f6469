import type { Admission, Verdict } from '#kubelet/admission.ts';
import { admitPod } from '#kubelet/admission/node-admission.ts';
import type { SysctlRules } from '#kubelet/admission/sysctls.ts';
import type { PodEvents } from '#kubelet/pod/ports.ts';
import type { AgentPod, Node } from '#lib/kube/types.ts';

const MESSAGE = 'Preempted in order to admit critical pod';

export interface NodeAdmissionParts {
  /** The newest Node object; undefined while the node isn't known. */
  node(): Node | undefined;
  /** Ends a pod in the phase Failed. */
  fail(
    uid: string,
    terminal: {
      reason: string;
      message: string;
      disruption: { message: string };
      gracePeriodSeconds?: number;
    },
  ): void;
  events: PodEvents;
  sysctls: SysctlRules;
  appArmorTrouble: string | undefined;
}

/** Judges pods by the node's newest object, and ends others where a critical pod needs their room. */
export class NodeAdmission implements Admission {
  readonly #parts: NodeAdmissionParts;

  constructor(parts: NodeAdmissionParts) {
    this.#parts = parts;
  }

  admit(pod: AgentPod, others: readonly AgentPod[]): Verdict {
    const { events, sysctls, appArmorTrouble } = this.#parts;
    const { verdict, preempt } = admitPod({
      pod,
      others,
      node: this.#parts.node(),
      sysctls,
      appArmorTrouble,
    });
    for (const other of preempt) {
      events.event(other, 'Warning', 'Preempting', MESSAGE);
      this.#parts.fail(other.metadata.uid, {
        reason: 'Preempting',
        message: MESSAGE,
        disruption: { message: 'Pod was preempted by Kubelet to accommodate a critical pod.' },
      });
    }
    return verdict;
  }
}
