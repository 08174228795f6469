import { sysctlName } from '../names.ts';
import type { PodSecurityContext, PodSpec, SecurityContext } from '../types.ts';
import type { Field } from './field.ts';
import { validateDescending } from './paths.ts';

const MOST_ID = 2 ** 31 - 1;
const PROFILES = ['Localhost', 'RuntimeDefault', 'Unconfined'];

type Profiles = Pick<SecurityContext, 'seccompProfile' | 'appArmorProfile'>;

/** Users, groups and profiles, which pods and containers name the same way. */
function validateCommon(context: SecurityContext | PodSecurityContext, field: Field): void {
  field.at('runAsUser').range(context.runAsUser, 0, MOST_ID);
  field.at('runAsGroup').range(context.runAsGroup, 0, MOST_ID);
  validateProfile('seccompProfile', context, field);
  validateProfile('appArmorProfile', context, field);
}

function validateProfile(kind: keyof Profiles, context: Profiles, field: Field): void {
  const profile = context[kind];
  if (profile === undefined) return;
  const at = field.at(kind);
  const name = profile.localhostProfile;
  if (profile.type) at.at('type').oneOf(profile.type, PROFILES);
  else at.at('type').required();
  const nameAt = at.at('localhostProfile');
  if (profile.type !== 'Localhost') {
    if (name !== undefined) nameAt.error(name, 'must only be set with type: Localhost');
  } else if (name === undefined || name.trim() === '') {
    // An empty name must never mean "no profile" (CVE-2023-2431).
    nameAt.required('must be set with type: Localhost');
  } else if (kind === 'seccompProfile') nameAt.check(name, validateDescending(name));
  else if (name.trim() !== name || name.length > 4095) {
    nameAt.error(name, 'must have no space around it and at most 4095 characters');
  }
}

export function validateSecurityContext(
  context: SecurityContext | undefined,
  hostUsers: boolean,
  field: Field,
): void {
  if (context === undefined) return;
  validateCommon(context, field);
  field.at('procMount').oneOf(context.procMount, ['Default', 'Unmasked']);
  if (context.procMount === 'Unmasked' && hostUsers) {
    field.at('procMount').error(context.procMount, 'needs hostUsers: false');
  }
  if (context.allowPrivilegeEscalation === false) {
    const at = field.at('allowPrivilegeEscalation');
    if (context.privileged === true) at.error(false, 'must not be false beside privileged: true');
    if (context.capabilities?.add?.includes('CAP_SYS_ADMIN') === true) {
      at.error(false, 'must not be false beside the capability CAP_SYS_ADMIN');
    }
  }
  if (context.windowsOptions !== undefined)
    field.at('windowsOptions').error(undefined, 'is for Windows only');
}

/** The namespace that a sysctl belongs to, as far as pods may share it with the host. */
function sysctlNamespace(name: string): 'net' | 'ipc' | undefined {
  const dotted = name.replaceAll('/', '.');
  if (dotted.startsWith('net.')) return 'net';
  return /^(kernel\.(shm|msg|sem)|fs\.mqueue\.)/.test(dotted) ? 'ipc' : undefined;
}

function validateSysctls(spec: PodSpec, field: Field): void {
  const seen = new Set<string>();
  for (const [i, { name }] of (spec.securityContext?.sysctls ?? []).entries()) {
    const at = field.at(i, 'name');
    at.checkName(name, sysctlName);
    if (seen.has(name)) at.error(name, 'is there twice');
    seen.add(name);
    const namespace = sysctlNamespace(name ?? '');
    if (namespace === 'net' && spec.hostNetwork) at.error(name, 'must not be set with hostNetwork: true');
    if (namespace === 'ipc' && spec.hostIPC) at.error(name, 'must not be set with hostIPC: true');
  }
}

export function validatePodSecurityContext(spec: PodSpec, field: Field): void {
  const context = spec.securityContext;
  if (context === undefined) return;
  validateCommon(context, field);
  field.at('fsGroup').range(context.fsGroup, 0, MOST_ID);
  for (const [i, group] of (context.supplementalGroups ?? []).entries()) {
    field.at('supplementalGroups', i).range(group, 0, MOST_ID);
  }
  field.at('fsGroupChangePolicy').oneOf(context.fsGroupChangePolicy, ['OnRootMismatch', 'Always']);
  field.at('supplementalGroupsPolicy').oneOf(context.supplementalGroupsPolicy, ['Merge', 'Strict']);
  field.at('seLinuxChangePolicy').oneOf(context.seLinuxChangePolicy, ['Recursive', 'MountOption']);
  validateSysctls(spec, field.at('sysctls'));
  if (context.windowsOptions !== undefined)
    field.at('windowsOptions').error(undefined, 'is for Windows only');
}
