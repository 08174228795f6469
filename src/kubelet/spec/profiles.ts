/** Seccomp and AppArmor profiles: which of the places that can name one counts, and what CRI is told. */
import { join } from 'node:path';
import type { SecurityProfile } from '#cri/types.ts';
import type { AgentPod, Container } from '#lib/kube/types.ts';
import { ContainerConfigError } from './config-error.ts';

export interface ProfileSpec {
  type: string;
  localhostProfile?: string | undefined;
}

/** A profile that names a file must name one; an empty name would mean unconfined. */
function profile(what: string, spec: ProfileSpec, localhostRef: (name: string) => string): SecurityProfile {
  switch (spec.type) {
    case 'RuntimeDefault':
    case 'Unconfined':
      return { profileType: spec.type };
    case 'Localhost':
      return { profileType: 'Localhost', localhostRef: localhostRef(spec.localhostProfile ?? '') };
    default:
      throw new ContainerConfigError(
        `${what}.type ${JSON.stringify(spec.type)}: must be RuntimeDefault, Unconfined or Localhost`,
      );
  }
}

const bad = (what: string, name: string, rule: string): never => {
  throw new ContainerConfigError(`${what}.localhostProfile ${JSON.stringify(name)}: ${rule}`);
};

/** The container's own, or the pod's, or what `seccompDefault` says. Throws ContainerConfigError on a bad name. */
export function seccompProfile(
  pod: AgentPod,
  container: Container,
  options: { seccompRoot: string; seccompDefault: boolean },
): SecurityProfile {
  const spec = container.securityContext?.seccompProfile ?? pod.spec.securityContext?.seccompProfile;
  if (spec === undefined) return { profileType: options.seccompDefault ? 'RuntimeDefault' : 'Unconfined' };
  return profile('seccompProfile', spec, (name) => {
    if (name === '' || name.startsWith('/') || name.split('/').includes('..')) {
      bad('seccompProfile', name, 'must be a path below the profile directory ROOT/seccomp');
    }
    return join(options.seccompRoot, name);
  });
}

/** Before Kubernetes 1.30 an annotation a container named its AppArmor profile; static pods may still have it. */
const APPARMOR_ANNOTATION = 'container.apparmor.security.beta.kubernetes.io/';

const annotations = ({ metadata }: AgentPod): [container: string, value: string][] =>
  Object.entries(metadata.annotations ?? {}).flatMap(([key, value]) =>
    key.startsWith(APPARMOR_ANNOTATION)
      ? [[key.slice(APPARMOR_ANNOTATION.length), value] as [string, string]]
      : [],
  );

function fromAnnotation(value: string): ProfileSpec | undefined {
  if (value === 'runtime/default') return { type: 'RuntimeDefault' };
  if (value === 'unconfined') return { type: 'Unconfined' };
  const prefix = 'localhost/';
  return value.startsWith(prefix)
    ? { type: 'Localhost', localhostProfile: value.slice(prefix.length) }
    : undefined;
}

/** The AppArmor profile that the container asks for: its own field, its annotation, the pod's field. */
export function appArmorSpec(pod: AgentPod, container: Container): ProfileSpec | undefined {
  const own = container.securityContext?.appArmorProfile;
  if (own !== undefined) return own;
  const noted = annotations(pod).find(([name]) => name === container.name)?.[1];
  return (
    (noted === undefined ? undefined : fromAnnotation(noted)) ?? pod.spec.securityContext?.appArmorProfile
  );
}

/** As CRI takes it; undefined leaves the choice to the runtime. Throws ContainerConfigError without a name. */
export function appArmorProfile(pod: AgentPod, container: Container): SecurityProfile | undefined {
  const spec = appArmorSpec(pod, container);
  if (spec === undefined) return undefined;
  return profile('appArmorProfile', spec, (name) =>
    name.trim() === '' ? bad('appArmorProfile', name, 'must be the name of a loaded profile') : name,
  );
}

/** Whether the pod may only run where AppArmor is enforced: anything of it asks for a profile but `Unconfined`. */
export function needsAppArmor(pod: AgentPod): boolean {
  const { securityContext, containers, initContainers = [], ephemeralContainers = [] } = pod.spec;
  const fields = [
    securityContext?.appArmorProfile,
    ...[...initContainers, ...containers, ...ephemeralContainers].map(
      (each) => each.securityContext?.appArmorProfile,
    ),
  ];
  return (
    fields.some((spec) => spec !== undefined && spec.type !== 'Unconfined') ||
    annotations(pod).some(([, value]) => value !== 'unconfined')
  );
}
