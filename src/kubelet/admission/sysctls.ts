/** Which kernel parameters a pod may set: those that are its own alone, and what the node's owner adds. */
import { NodeletError } from '#lib/errors.ts';
import type { AgentPod } from '#lib/kube/types.ts';

class SysctlPatternError extends NodeletError {
  readonly code = 'SYSCTL_PATTERN';
}

/** Namespaced and without effect on other pods, with the kernel that first has them so (0.0: all). */
const SAFE: readonly (readonly [name: string, kernel: string])[] = [
  ['kernel.shm_rmid_forced', '0.0'],
  ['net.ipv4.ip_local_port_range', '0.0'],
  ['net.ipv4.tcp_syncookies', '0.0'],
  ['net.ipv4.ping_group_range', '0.0'],
  ['net.ipv4.ip_unprivileged_port_start', '0.0'],
  ['net.ipv4.ip_local_reserved_ports', '3.16'],
  ['net.ipv4.tcp_keepalive_time', '4.5'],
  ['net.ipv4.tcp_fin_timeout', '4.6'],
  ['net.ipv4.tcp_keepalive_intvl', '4.5'],
  ['net.ipv4.tcp_keepalive_probes', '4.5'],
  ['net.ipv4.tcp_rmem', '4.15'],
  ['net.ipv4.tcp_wmem', '4.15'],
];

type Namespace = 'IPC' | 'Net';

const IPC = new Set([
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
  'kernel.shm',
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.msg',
]);

function namespaceOf(name: string): Namespace | undefined {
  if (IPC.has(name) || name.startsWith('fs.mqueue.')) return 'IPC';
  return name.startsWith('net.') ? 'Net' : undefined;
}

/** With dots; where the first separator is a slash, dots and slashes change places (an interface name has dots). */
export function normalizedSysctl(name: string): string {
  const first = /[./]/.exec(name)?.[0];
  if (first !== '/') return name;
  return name.replaceAll(/[./]/g, (each) => (each === '/' ? '.' : '/'));
}

interface Allowed {
  text: string;
  isPrefix: boolean;
  namespace: Namespace;
}

function allowedOf(pattern: string): Allowed {
  const name = normalizedSysctl(pattern);
  const star = name.indexOf('*');
  const text = star === -1 ? name : name.slice(0, star);
  const namespace = namespaceOf(text);
  if (namespace === undefined) {
    throw new SysctlPatternError(
      `allowedUnsafeSysctls: ${JSON.stringify(pattern)} is not allowed: the kernel doesn't keep it apart for each pod; ` +
        'allowed: kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.*, net.*',
    );
  }
  return { text, isPrefix: star !== -1, namespace };
}

function isAtLeast(kernel: string, least: string): boolean {
  const [major = 0, minor = 0] = kernel.split(/[.-]/).map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = least.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

export class SysctlRules {
  readonly #allowed: readonly Allowed[];

  /**
   * `kernel` is its release; `unsafe` the node owner's patterns (`net.core.somaxconn`, `kernel.msg*`). Throws on a
   * pattern outside the namespaces of a pod.
   */
  constructor(kernel: string, unsafe: readonly string[]) {
    const safe = SAFE.filter(([, least]) => isAtLeast(kernel, least)).map(([name]) => name);
    this.#allowed = [...safe, ...unsafe].map(allowedOf);
  }

  /** Why the pod may not set what it wants to; undefined where it may. */
  trouble({ spec }: AgentPod): string | undefined {
    for (const { name: given } of spec.securityContext?.sysctls ?? []) {
      const name = normalizedSysctl(given);
      const rule = this.#allowed.find(({ text, isPrefix }) =>
        isPrefix ? name.startsWith(text) : name === text,
      );
      if (rule === undefined) return `forbidden sysctl: "${name}" not allowlisted`;
      const isShared = rule.namespace === 'IPC' ? spec.hostIPC : spec.hostNetwork;
      if (isShared === true) {
        return `forbidden sysctl: "${name}" not allowed with host ${rule.namespace} enabled`;
      }
    }
    return undefined;
  }
}
