import { isIP } from 'node:net';
import { dns1123Label, dns1123Subdomain, labelValue, qualifiedName, searchDomain } from '../names.ts';
import type { Pod, PodSpec } from '../types.ts';
import { validateContainers } from './container.ts';
import { Field, isWithin } from './field.ts';
import type { Finding } from './field.ts';
import { validateLabels, validateMetadata } from './metadata.ts';
import { validatePodLevelResources, validateResources } from './resources.ts';
import { validatePodSecurityContext } from './security.ts';
import { validateVolumes } from './volumes.ts';

const MOST_INT32 = 2 ** 31 - 1;

const ipProblem = (text: string): string | undefined =>
  isIP(text) === 0 ? 'must be an IP address' : undefined;

function validateDns(spec: PodSpec, field: Field): void {
  field.at('dnsPolicy').oneOf(spec.dnsPolicy, ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']);
  const at = field.at('dnsConfig');
  const { nameservers = [], searches = [], options = [] } = spec.dnsConfig ?? {};
  if (spec.dnsPolicy === 'None' && nameservers.length === 0) {
    at.at('nameservers').required('must have at least one address with dnsPolicy: None');
  }
  if (nameservers.length > 3) at.at('nameservers').error(nameservers, 'must be at most 3 addresses');
  for (const [i, address] of nameservers.entries())
    at.at('nameservers', i).check(address, ipProblem(address));
  if (searches.length > 32) at.at('searches').error(undefined, 'must be at most 32 domains');
  if (searches.join(' ').length > 2048)
    at.at('searches').error(undefined, 'must have at most 2048 characters in all');
  for (const [i, domain] of searches.entries()) {
    if (domain !== '.') at.at('searches', i).check(domain, searchDomain(domain.replace(/\.$/, '')));
  }
  for (const [i, { name }] of options.entries()) if (!name) at.at('options', i, 'name').required();
}

function validateHostNames(spec: PodSpec, field: Field): void {
  if (spec.hostname) field.at('hostname').check(spec.hostname, dns1123Label(spec.hostname));
  if (spec.subdomain) field.at('subdomain').check(spec.subdomain, dns1123Label(spec.subdomain));
  const name = spec.hostnameOverride;
  const at = field.at('hostnameOverride');
  if (name !== undefined) {
    at.check(name, name.length > 64 ? 'must have at most 64 characters' : dns1123Subdomain(name));
    if (spec.hostNetwork) at.error(name, 'must not be set with hostNetwork: true');
    if (spec.setHostnameAsFQDN) at.error(name, 'must not be set with setHostnameAsFQDN: true');
  }
  for (const [i, { ip = '', hostnames = [] }] of (spec.hostAliases ?? []).entries()) {
    field.at('hostAliases', i, 'ip').checkName(ip, ipProblem);
    for (const [j, host] of hostnames.entries()) {
      field.at('hostAliases', i, 'hostnames', j).check(host, dns1123Subdomain(host));
    }
  }
}

function validateTolerations(spec: PodSpec, field: Field): void {
  for (const [i, { key, operator, value = '', effect, tolerationSeconds }] of (
    spec.tolerations ?? []
  ).entries()) {
    const at = field.at(i);
    if (key) at.at('key').check(key, qualifiedName(key));
    else if (operator !== 'Exists') at.at('operator').error(operator, 'must be Exists where there is no key');
    at.at('operator').oneOf(operator || 'Equal', ['Equal', 'Exists']);
    if (operator === 'Exists' && value !== '')
      at.at('value').error(value, 'must not be set with operator: Exists');
    else at.at('value').check(value, labelValue(value));
    at.at('effect').oneOf(effect || 'NoSchedule', ['NoSchedule', 'PreferNoSchedule', 'NoExecute']);
    if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
      at.at('effect').error(effect, 'must be NoExecute where tolerationSeconds is set');
    }
  }
}

function validateHostUsers(spec: PodSpec, field: Field): void {
  if (spec.hostUsers !== false) return;
  for (const key of ['hostNetwork', 'hostPID', 'hostIPC'] as const) {
    if (spec[key] === true) field.at(key).error(true, 'must not be true with hostUsers: false');
  }
}

function validateSpec(spec: PodSpec, field: Field): void {
  validateVolumes(spec.volumes ?? [], field.at('volumes'));
  validateContainers(spec, field);
  validatePodLevelResources(spec, field);
  field.at('restartPolicy').oneOf(spec.restartPolicy, ['Always', 'OnFailure', 'Never']);
  field.at('terminationGracePeriodSeconds').range(spec.terminationGracePeriodSeconds, 0, Infinity);
  field.at('activeDeadlineSeconds').range(spec.activeDeadlineSeconds, 1, MOST_INT32);
  field.at('preemptionPolicy').oneOf(spec.preemptionPolicy, ['PreemptLowerPriority', 'Never']);
  validateDns(spec, field);
  validateHostNames(spec, field);
  validateHostUsers(spec, field);
  validatePodSecurityContext(spec, field.at('securityContext'));
  if (spec.shareProcessNamespace && spec.hostPID) {
    field.at('shareProcessNamespace').error(true, 'must not be true with hostPID: true');
  }
  validateLabels(spec.nodeSelector, field.at('nodeSelector'));
  validateTolerations(spec, field.at('tolerations'));
  for (const key of ['nodeName', 'priorityClassName', 'runtimeClassName', 'serviceAccountName'] as const) {
    const name = spec[key];
    if (name) field.at(key).check(name, dns1123Subdomain(name));
  }
  for (const [i, { name }] of (spec.imagePullSecrets ?? []).entries()) {
    field.at('imagePullSecrets', i, 'name').checkName(name, dns1123Subdomain);
  }
  for (const [i, gate] of (spec.readinessGates ?? []).entries()) {
    field.at('readinessGates', i, 'conditionType').checkName(gate.conditionType, qualifiedName);
  }
  validateResources(
    spec.overhead === undefined ? undefined : { limits: spec.overhead },
    false,
    field.at('overhead'),
  );
  if (spec.os !== undefined) field.at('os', 'name').oneOf(spec.os.name ?? '', ['linux']);
  if ((spec.ephemeralContainers ?? []).length > 0) {
    field
      .at('ephemeralContainers')
      .error(undefined, 'can only be added to a running pod through the API server');
  }
  if ((spec.schedulingGates ?? []).length > 0) {
    field.at('schedulingGates').error(undefined, 'must not be set: the pod is on its node already');
  }
}

/** `nameSuffix` is what will follow the pod's name (a static pod's node). */
export interface PodRules {
  nameSuffix?: string;
}

/**
 * Everything that is wrong with a pod, defaults filled in; an empty list is a good pod. Rules:
 * k8s.io/kubernetes/pkg/apis/core/validation of 1.36, as far as the node acts on the field.
 */
export function validatePod(pod: Pod, rules: PodRules = {}): Finding[] {
  const field = new Field();
  validateMetadata(pod.metadata, field.at('metadata'), rules.nameSuffix);
  if (pod.spec === undefined) field.at('spec').required();
  else validateSpec(pod.spec, field.at('spec'));
  return field.findings;
}

/** `findings` without those that only follow from a part that `broken` says could not be read. */
export function withoutConsequences(findings: readonly Finding[], broken: readonly Finding[]): Finding[] {
  const errors = broken.filter((each) => each.severity === 'error');
  return findings.filter(
    ({ path, dependsOn }) =>
      !errors.some((error) => isWithin(path, error.path) || (dependsOn && isWithin(error.path, dependsOn))),
  );
}
