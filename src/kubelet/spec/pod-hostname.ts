/** What a pod is called from inside. Rules: GeneratePodHostNameAndDomain and GetNodenameForKernel of kubelet 1.36. */
import { NodeletError } from '#lib/errors.ts';
import { dns1123Label, dns1123Subdomain } from '#lib/kube/names.ts';
import type { AgentPod } from '#lib/kube/types.ts';

/** The pod can't be called what it wants to be called. */
export class PodHostnameError extends NodeletError {
  readonly code = 'POD_HOSTNAME';
}

export interface PodHostname {
  /** Without its domain; at most 63 characters. */
  hostname: string;
  /** What makes it a full name; empty for a pod that has none. */
  domain: string;
}

/** Linux takes 64 bytes; DNS labels end at 63. */
const MAX_HOSTNAME = 63;
const MAX_FQDN = 64;

/** Throws PodHostnameError for names that no DNS would take. */
export function podHostname(pod: AgentPod, clusterDomain: string): PodHostname {
  const { metadata, spec } = pod;
  const { hostname, hostnameOverride, subdomain } = spec;
  if (hostnameOverride !== undefined) {
    refuse('hostnameOverride', hostnameOverride, dns1123Subdomain(hostnameOverride));
    return { hostname: cut(hostnameOverride, metadata.name), domain: '' };
  }
  if (hostname) refuse('hostname', hostname, dns1123Label(hostname));
  if (subdomain) refuse('subdomain', subdomain, dns1123Label(subdomain));
  return {
    hostname: cut(hostname || metadata.name, metadata.name),
    domain: subdomain ? `${subdomain}.${metadata.namespace}.svc.${clusterDomain}` : '',
  };
}

/** What the kernel is told. Throws PodHostnameError where the full name is asked for and doesn't fit. */
export function kernelHostname({ hostname, domain }: PodHostname, asFqdn: boolean | undefined): string {
  if (domain === '' || asFqdn !== true) return hostname;
  const fqdn = `${hostname}.${domain}`;
  if (fqdn.length <= MAX_FQDN) return fqdn;
  throw new PodHostnameError(
    `failed to construct FQDN from pod hostname and cluster domain, FQDN ${fqdn} is too long ` +
      `(${MAX_FQDN} characters is the max, ${fqdn.length} characters requested)`,
  );
}

function refuse(field: string, value: string, problem: string | undefined): void {
  if (problem !== undefined) throw new PodHostnameError(`spec.${field} ${JSON.stringify(value)}: ${problem}`);
}

function cut(name: string, podName: string): string {
  if (name.length <= MAX_HOSTNAME) return name;
  const short = name.slice(0, MAX_HOSTNAME).replace(/[-.]+$/, '');
  if (short === '') throw new PodHostnameError(`hostname for pod "${podName}" was invalid: "${name}"`);
  return short;
}
