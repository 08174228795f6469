import { isIP } from 'node:net';
import type { FeatureGates } from '../feature-gates/feature-gates.ts';
import type { Json } from '../schema/field.ts';
import type { Settings } from '../schema/settings.ts';
import { repeatedTaint, taintOf, taintProblem } from '../taints.ts';
import { quantityOrUndefined } from '../quantity.ts';

type Rule = (settings: Settings, gates: FeatureGates) => void;

const images: Rule = (settings) => {
  const [low, high] = ['imageGCLowThresholdPercent', 'imageGCHighThresholdPercent'] as const;
  if (settings.number(low) >= settings.number(high)) {
    throw settings.bad(low, `less than ${high} (${settings.number(high)})`);
  }
  const [least, most] = [settings.ms('imageMinimumGCAge'), settings.ms('imageMaximumGCAge')];
  if (most > 0 && most <= least) {
    throw settings.bad('imageMaximumGCAge', '0, or more than imageMinimumGCAge');
  }
  if (settings.bool('serializeImagePulls') && settings.number('maxParallelImagePulls') > 1) {
    throw settings.bad('maxParallelImagePulls', '1, as long as serializeImagePulls is true');
  }
};

const verification: Rule = (settings, gates) => {
  const [policy, allowlist] = [
    'imagePullCredentialsVerificationPolicy',
    'preloadedImagesVerificationAllowlist',
  ] as const;
  if (!gates.enabled('KubeletEnsureSecretPulledImages')) {
    for (const path of [policy, allowlist]) {
      if (settings.has(path)) throw settings.bad(path, 'none without KubeletEnsureSecretPulledImages');
    }
  }
  const listed = settings.list(allowlist);
  if (listed.length > 0 && settings.string(policy) !== 'NeverVerifyAllowlistedImages') {
    throw settings.bad(allowlist, `none unless ${policy} is NeverVerifyAllowlistedImages`);
  }
  const bad = listed.find((each) => !/^[^\s*/][^\s*]*(\/\*)?$/.test(each));
  if (bad !== undefined) throw settings.bad(allowlist, 'REGISTRY/NAME or REGISTRY/PATH/*', bad);
};

const shutdown: Rule = (settings, gates) => {
  const [whole, critical] = ['shutdownGracePeriod', 'shutdownGracePeriodCriticalPods'] as const;
  for (const path of [whole, critical]) {
    const ms = settings.ms(path);
    if (ms < 0 || (ms > 0 && ms < 1000)) throw settings.bad(path, '0, or at least 1s');
    if (ms > 0 && !gates.enabled('GracefulNodeShutdown')) {
      throw settings.bad(path, '0 without the feature gate GracefulNodeShutdown');
    }
  }
  if (settings.ms(critical) > settings.ms(whole)) throw settings.bad(critical, `at most ${whole}`);
  const byPriority = 'shutdownGracePeriodByPodPriority';
  if (settings.items(byPriority).length === 0) return;
  if (!gates.enabled('GracefulNodeShutdownBasedOnPodPriority')) {
    throw settings.bad(byPriority, 'none without the feature gate GracefulNodeShutdownBasedOnPodPriority');
  }
  if (settings.ms(whole) > 0) throw settings.bad(byPriority, `none where ${whole} is given`);
};

const enforcement: Readonly<Record<string, string | undefined>> = {
  pods: undefined,
  none: undefined,
  'system-reserved': 'systemReservedCgroup',
  'system-reserved-compressible': 'systemReservedCgroup',
  'kube-reserved': 'kubeReservedCgroup',
  'kube-reserved-compressible': 'kubeReservedCgroup',
};

const allocatable: Rule = (settings) => {
  const path = 'enforceNodeAllocatable';
  const list = settings.list(path);
  const bad = (allowed: string, value: Json): Error => settings.bad(path, allowed, value);
  for (const [at, each] of list.entries()) {
    if (!Object.hasOwn(enforcement, each)) throw bad(Object.keys(enforcement).join(', '), each);
    if (list.indexOf(each) !== at) throw bad('each word once', each);
    if (each === 'none' && list.length > 1) throw bad('none alone', each);
    if (list.includes(`${each}-compressible`)) throw bad(`not together with ${each}-compressible`, each);
    const cgroup = enforcement[each];
    if (cgroup !== undefined && settings.string(cgroup) === '') throw bad(`only with ${cgroup}`, each);
    if (each !== 'none' && !settings.bool('cgroupsPerQOS'))
      throw bad('only none without cgroupsPerQOS', each);
  }
  const cgroups = ['systemReservedCgroup', 'kubeReservedCgroup'];
  if (settings.string('reservedSystemCPUs') !== '') {
    const given = cgroups.find((each) => settings.string(each) !== '');
    if (given !== undefined) throw settings.bad(given, 'none where reservedSystemCPUs is given');
  }
  if (settings.string('systemCgroups') !== '' && settings.string('cgroupRoot') === '') {
    throw settings.bad('systemCgroups', 'none without cgroupRoot');
  }
};

const reservedMemory: Rule = (settings) => {
  const path = 'reservedMemory';
  const seen = new Set<string>();
  for (const item of settings.items(path)) {
    const { numaNode = 0, limits = {} } = item as { numaNode?: number; limits?: Record<string, string> };
    for (const [name, text] of Object.entries(limits)) {
      if (name !== 'memory' && !/^hugepages-\w+$/.test(name)) {
        throw settings.bad(path, 'memory and hugepages-SIZE as names', name);
      }
      const quantity = quantityOrUndefined(text);
      if (quantity === undefined || quantity.sign <= 0) throw settings.bad(path, 'amounts above 0', text);
      const id = `${numaNode}:${name}`;
      if (seen.has(id)) throw settings.bad(path, 'each NUMA node and kind once', id);
      seen.add(id);
    }
  }
};

const taints: Rule = (settings) => {
  const path = 'registerWithTaints';
  const list = settings.items(path).map(taintOf);
  for (const [at, taint] of list.entries()) {
    const problem = taintProblem(taint);
    if (problem !== undefined) throw settings.bad(path, problem, settings.items(path)[at]);
  }
  const twice = repeatedTaint(list);
  if (twice !== undefined)
    throw settings.bad(path, 'each key and effect once', `${twice.key}:${twice.effect}`);
};

const dns: Rule = (settings) => {
  const bad = settings.list('clusterDNS').find((each) => isIP(each) === 0);
  if (bad !== undefined) throw settings.bad('clusterDNS', 'IP addresses', bad);
};

const gated: Rule = (settings, gates) => {
  const restart = 'crashLoopBackOff.maxContainerRestartPeriod';
  if (settings.has(restart) && !gates.enabled('KubeletCrashLoopBackOffMax')) {
    throw settings.bad(restart, 'none without the feature gate KubeletCrashLoopBackOffMax');
  }
  if (settings.bool('serverTLSBootstrap') && !gates.enabled('RotateKubeletServerCertificate')) {
    throw settings.bad('serverTLSBootstrap', 'false without the feature gate RotateKubeletServerCertificate');
  }
  const policy = 'memoryReservationPolicy';
  if (settings.string(policy) !== 'None' && !gates.enabled('MemoryQoS')) {
    throw settings.bad(policy, 'None without the feature gate MemoryQoS');
  }
};

const logs: Rule = (settings) => {
  if (settings.bool('enableSystemLogQuery') && !settings.bool('enableSystemLogHandler')) {
    throw settings.bad('enableSystemLogQuery', 'false where enableSystemLogHandler is false');
  }
  const modules = settings.items('logging.vmodule');
  if (modules.length > 0 && settings.string('logging.format') !== 'text') {
    throw settings.bad('logging.vmodule', 'none unless logging.format is text');
  }
};

const tls: Rule = (settings) => {
  const [cert, key] = ['tlsCertFile', 'tlsPrivateKeyFile'] as const;
  for (const [one, other] of [
    [cert, key],
    [key, cert],
  ] as const) {
    if (settings.string(one) !== '' && settings.string(other) === '') {
      throw settings.bad(one, `none without ${other}`);
    }
  }
};

const rules: readonly Rule[] = [
  images,
  verification,
  shutdown,
  allocatable,
  reservedMemory,
  taints,
  dns,
  gated,
  logs,
  tls,
];

/** What no field alone can be checked for; throws UsageError with the field, its value and what is allowed. */
export function validateKubeletSettings(settings: Settings, gates: FeatureGates): void {
  for (const rule of rules) rule(settings, gates);
}
