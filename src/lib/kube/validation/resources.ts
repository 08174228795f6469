import { aggregate } from '../defaults-resources.ts';
import { qualifiedName } from '../names.ts';
import { parseQuantity } from '../quantity.ts';
import type { PodSpec, ResourceRequirements } from '../types.ts';
import type { Field } from './field.ts';

const STANDARD = ['cpu', 'memory', 'ephemeral-storage'];
const isHugePages = (name: string): boolean => name.startsWith('hugepages-');
const isNative = (name: string): boolean => !name.includes('/') || name.includes('kubernetes.io/');
const mayOvercommit = (name: string): boolean => isNative(name) && !isHugePages(name);

function nameProblem(name: string): string | undefined {
  const syntax = qualifiedName(name);
  if (syntax !== undefined) return `the resource name ${syntax}`;
  if (name.includes('/')) return name.startsWith('requests.') ? "must not begin with 'requests.'" : undefined;
  if (STANDARD.includes(name) || isHugePages(name)) return undefined;
  return `must be one of ${STANDARD.join(', ')}, hugepages-SIZE or DOMAIN/NAME`;
}

function podLevelNameProblem(name: string): string | undefined {
  if (name === 'cpu' || name === 'memory' || isHugePages(name)) return undefined;
  return 'must be cpu, memory or hugepages-SIZE';
}

function validateAmount(name: string, text: string, field: Field): void {
  const amount = parseQuantity(text);
  if (amount.sign < 0) field.error(text, 'must not be negative');
  const wholeNumber = !isNative(name);
  if (wholeNumber && amount.milliValue() % 1000 !== 0) field.error(text, 'must be a whole number');
  if (!isHugePages(name)) return;
  try {
    const page = parseQuantity(name.slice('hugepages-'.length));
    if (page.sign <= 0 || amount.nanos % page.nanos !== 0n)
      field.error(text, `must be a multiple of the page size`);
  } catch {
    field.error(text, 'the page size after hugepages- must be an amount such as 2Mi');
  }
}

export function validateResources(
  resources: ResourceRequirements | undefined,
  podLevel: boolean,
  field: Field,
): void {
  const { limits = {}, requests = {} } = resources ?? {};
  const checkName = podLevel ? podLevelNameProblem : nameProblem;
  for (const [kind, amounts] of Object.entries({ limits, requests })) {
    for (const [name, text] of Object.entries(amounts)) {
      field.at(kind, name).check(name, checkName(name));
      validateAmount(name, text, field.at(kind, name));
    }
  }
  for (const [name, request] of Object.entries(requests)) {
    const limit = limits[name];
    const at = field.at('requests', name);
    if (limit === undefined) {
      if (!mayOvercommit(name)) at.error(request, `needs a limit of ${name}, too`, [...field.path, 'limits']);
      continue;
    }
    const order = parseQuantity(request).compare(parseQuantity(limit));
    if (order > 0) at.error(request, `must be at most the limit of ${name}, ${limit}`);
    else if (order < 0 && !mayOvercommit(name))
      at.error(request, `must equal the limit of ${name}, ${limit}`);
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)];
  if (names.some(isHugePages) && !names.includes('cpu') && !names.includes('memory')) {
    field.error(undefined, 'huge pages need cpu or memory beside them');
  }
}

/** Pod-level resources against those of the containers. */
export function validatePodLevelResources(spec: PodSpec, field: Field): void {
  const resources = spec.resources;
  if (resources === undefined) return;
  const at = field.at('resources');
  if (resources.claims !== undefined) at.at('claims').error(undefined, 'must not be set for a whole pod');
  validateResources(resources, true, at);
  for (const [name, sum] of aggregate(spec, 'requests')) {
    const request = resources.requests?.[name];
    if (request !== undefined && sum.compare(parseQuantity(request)) > 0) {
      at.at('requests', name).error(
        request,
        `must be at least what the containers request together, ${sum.toString()}`,
      );
    }
  }
  for (const [i, container] of (spec.containers ?? []).entries()) {
    for (const [name, limit] of Object.entries(container.resources?.limits ?? {})) {
      const most = resources.limits?.[name];
      if (most !== undefined && parseQuantity(limit).compare(parseQuantity(most)) > 0) {
        field
          .at('containers', i, 'resources', 'limits', name)
          .error(limit, `must be at most the pod's limit, ${most}`);
      }
    }
  }
}
