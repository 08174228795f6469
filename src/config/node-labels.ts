import { UsageError } from '#lib/errors.ts';
import { labelValue, qualifiedName } from '#lib/kube/names.ts';

/** Labels of Kubernetes' own domains that a node may give itself. */
const allowedLabels = new Set([
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/instance-type',
  'beta.kubernetes.io/os',
  'failure-domain.beta.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'kubernetes.io/arch',
  'kubernetes.io/hostname',
  'kubernetes.io/os',
  'node.kubernetes.io/instance-type',
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
]);

const allowedDomains = ['kubelet.kubernetes.io', 'node.kubernetes.io'];

const isIn = (domain: string, parent: string): boolean => domain === parent || domain.endsWith(`.${parent}`);

/** Whether the API server would refuse it to a node: a label of Kubernetes' own domains that isn't allowed there. */
function isReserved(key: string): boolean {
  const [domain = '', name] = key.split('/');
  if (name === undefined || !['kubernetes.io', 'k8s.io'].some((own) => isIn(domain, own))) return false;
  return !allowedLabels.has(key) && !allowedDomains.some((each) => isIn(domain, each));
}

/** Checks --node-labels; throws UsageError that names the label and what is allowed. */
export function nodeLabels(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [key, value] of Object.entries(labels)) {
    const problem = qualifiedName(key) ?? labelValue(value);
    if (problem !== undefined) {
      throw new UsageError(`flag --node-labels: ${JSON.stringify(`${key}=${value}`)}: ${problem}`);
    }
    if (isReserved(key)) {
      throw new UsageError(
        `flag --node-labels: ${JSON.stringify(key)} is not allowed; allowed in kubernetes.io and k8s.io: ` +
          `names in ${allowedDomains.join(' and ')}, and ${[...allowedLabels].join(', ')}`,
      );
    }
  }
  return labels;
}
