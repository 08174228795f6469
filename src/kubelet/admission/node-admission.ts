/** Whether the node takes a pod on: asked once, before the pod's first container. */
import { isCriticalPod } from '#cgroups/critical.ts';
import type { AgentPod, Node } from '#lib/kube/types.ts';
import { needsAppArmor } from '../spec/profiles.ts';
import { hasPortConflict } from './host-ports.ts';
import { matchesNodeSelector } from './node-selector.ts';
import { podsToPreempt } from './preemption.ts';
import { resourceMisfits } from './resources-fit.ts';
import type { SysctlRules } from './sysctls.ts';
import { hasUntoleratedTaint } from './taints.ts';
import { ADMITTED, rejected, rejectionOf } from './verdict.ts';
import type { Misfit, Rejection, Verdict } from './verdict.ts';

/** What admission looks at. Pure data: the same input always gives the same verdict. */
export interface AdmissionInput {
  pod: AgentPod;
  /** The pods that hold resources now, without `pod`. */
  others: readonly AgentPod[];
  /** The newest Node object; undefined where none is known: then only what needs no node is checked. */
  node: Node | undefined;
  sysctls: SysctlRules;
  /** What keeps AppArmor from being enforced here; undefined where it is. */
  appArmorTrouble?: string | undefined;
}

/** The verdict, with the pods that have to end first so that a critical pod fits. */
export interface Admission {
  verdict: Verdict;
  preempt: readonly AgentPod[];
}

const CONFIG_SOURCE = 'kubernetes.io/config.source';

const isStatic = ({ metadata }: AgentPod): boolean => {
  const source = metadata.annotations?.[CONFIG_SOURCE];
  return source !== undefined && source !== 'api';
};

const plain = (verdict: Verdict): Admission => ({ verdict, preempt: [] });

export function admitPod(input: AdmissionInput): Admission {
  const { pod, others, node, sysctls } = input;
  const sysctlTrouble = sysctls.trouble(pod);
  if (sysctlTrouble !== undefined) return plain(rejected('SysctlForbidden', sysctlTrouble));
  if (input.appArmorTrouble !== undefined && needsAppArmor(pod)) {
    return plain(rejected('AppArmor', `Cannot enforce AppArmor: ${input.appArmorTrouble}`));
  }
  const hopeless = neverFits(pod, node);
  if (hopeless !== undefined) return plain(hopeless);
  if (node === undefined) return plain(ADMITTED);
  const misfits = misfitsOf(pod, others, node);
  const [first] = misfits;
  if (first === undefined) return plain(ADMITTED);
  if (!isCriticalPod(pod)) return plain(rejectionOf(first));
  // A critical pod is never refused for a lack of resources: others make room.
  const other = misfits.find(({ kind }) => kind === 'predicate');
  if (other !== undefined) return plain(rejectionOf(other));
  const preempt = podsToPreempt(pod, others, misfits);
  if (preempt === undefined) {
    const missing = misfits.map((each) => rejectionOf(each).message).join('; ');
    return plain(
      rejected(
        'UnexpectedAdmissionError',
        `Unexpected error while attempting to recover from admission failure: preemption: no set of running pods found to reclaim resources: ${missing}`,
      ),
    );
  }
  return { verdict: ADMITTED, preempt };
}

/** What no other pod's end could change. */
function neverFits({ metadata, spec }: AgentPod, node: Node | undefined): Rejection | undefined {
  const os = metadata.labels?.['kubernetes.io/os'];
  if (os !== undefined && os !== 'linux') {
    return rejected(
      'PodOSSelectorNodeLabelDoesNotMatch',
      "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
    );
  }
  if (spec.os !== undefined && spec.os.name !== 'linux') {
    return rejected('PodOSNotSupported', "Failed to admit pod as the OS field doesn't match node OS");
  }
  const groups = spec.securityContext?.supplementalGroupsPolicy;
  if (groups === 'Strict' && node !== undefined && node.status?.features?.supplementalGroupsPolicy !== true) {
    return rejected(
      'SupplementalGroupsPolicyNotSupported',
      'SupplementalGroupsPolicy=Strict is not supported in this node',
    );
  }
  const rules = [...spec.containers, ...(spec.initContainers ?? [])].flatMap(
    ({ restartPolicyRules = [] }) => restartPolicyRules,
  );
  if (rules.some(({ action }) => action === 'RestartAllContainers')) {
    return rejected(
      'PodFeatureUnsupported',
      'Pod requires node features that are not available: RestartAllContainersOnContainerExits',
    );
  }
  if ((spec.resourceClaims?.length ?? 0) > 0) {
    // Starting such a pod without its devices would be worse than not starting it.
    return rejected(
      'UnexpectedAdmissionError',
      'spec.resourceClaims: dynamic resource allocation is not supported by this node agent; ' +
        'use a node whose kubelet supports it, or extended resources of a device plugin',
    );
  }
  return undefined;
}

/** Every check that the pod fails on this node, in upstream's order. */
export function misfitsOf(pod: AgentPod, others: readonly AgentPod[], node: Node): Misfit[] {
  const misfits = resourceMisfits(pod, others, node);
  const fails = (name: string, description: string): void => {
    misfits.push({ kind: 'predicate', name, description });
  };
  if (!matchesNodeSelector(pod, node)) {
    fails('NodeAffinity', "node(s) didn't match Pod's node affinity/selector");
  }
  if (
    pod.spec.nodeName !== undefined &&
    pod.spec.nodeName !== '' &&
    pod.spec.nodeName !== node.metadata?.name
  ) {
    fails('NodeName', "node(s) didn't match the requested node name");
  }
  if (hasPortConflict(pod, others)) {
    fails('NodePorts', "node(s) didn't have free ports for the requested pod ports");
  }
  if (!isStatic(pod) && hasUntoleratedTaint(pod, node)) {
    fails('TaintToleration', "node(s) had taints that the pod didn't tolerate");
  }
  return misfits;
}
