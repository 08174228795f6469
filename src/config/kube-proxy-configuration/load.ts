import { resolve } from 'node:path';
import { isCidr, isSingleOrDualStack, parseAddress, formatAddress } from '../addresses.ts';
import { readFeatureGates, type FeatureGates } from '../feature-gates/feature-gates.ts';
import type { Flags } from '../flags/values.ts';
import { readDocument } from '../schema/document.ts';
import { fieldValueOfFlag } from '../schema/from-flag.ts';
import { readObject, type Written } from '../schema/read.ts';
import { Settings } from '../schema/settings.ts';
import { kubeProxyConfigurationKind, kubeProxyFields } from './fields.ts';

export interface KubeProxyConfiguration {
  settings: Settings;
  gates: FeatureGates;
  warnings: string[];
}

/** Flags that hold even beside a file. */
const alwaysHolds = (flag: string, path: string): boolean =>
  flag === 'hostname-override' || path.startsWith('logging.');

/** Sets what flags say; returns warnings of those that a file overrules. */
function withFlags(
  fields: Map<string, Written>,
  flags: Flags,
  beside: boolean,
  except: ReadonlySet<string>,
): string[] {
  const ignored: string[] = [];
  for (const spec of kubeProxyFields) {
    const { flag, path } = spec;
    const given = flag === undefined || except.has(flag) ? undefined : flags.value(flag);
    if (flag === undefined || given === undefined) continue;
    if (beside && !alwaysHolds(flag, path)) {
      ignored.push(`flag --${flag} has no effect beside a configuration file of the proxy`);
      continue;
    }
    const value = fieldValueOfFlag(spec, flag, given);
    // Empty addresses and names mean: as if not given.
    if (value === '' && (spec.type === 'ip' || flag === 'hostname-override')) continue;
    fields.set(path, { value, origin: { flag } });
  }
  return ignored;
}

/** The address with the port that it lacks, or the default for the family of bindAddress. */
function completed(settings: Settings, path: string, port: number, ipv4: string, ipv6: string): string {
  const text = settings.string(path);
  const isV6 = settings.string('bindAddress').includes(':');
  if (text === '' && settings.has(path)) return '';
  const { ip, port: own } = parseAddress(text) ?? { ip: isV6 ? ipv6 : ipv4, port: undefined };
  return formatAddress(ip, own ?? port);
}

function withDerived(settings: Settings, flags: Flags, portFlags: boolean): Settings {
  const healthzPort = portFlags ? (flags.number('healthz-port') ?? 10_256) : 10_256;
  const metricsPort = portFlags ? (flags.number('metrics-port') ?? 10_249) : 10_249;
  const set = (before: Settings, path: string, value: string, flag: string): Settings =>
    before.with(path, value, { flag });
  const healthz =
    healthzPort === 0 ? '' : completed(settings, 'healthzBindAddress', healthzPort, '0.0.0.0', '::');
  const metrics =
    metricsPort === 0 ? '' : completed(settings, 'metricsBindAddress', metricsPort, '127.0.0.1', '::1');
  const all = set(settings, 'healthzBindAddress', healthz, 'healthz-bind-address');
  return set(all, 'metricsBindAddress', metrics, 'metrics-bind-address');
}

/** The part of the configuration that holds what depends on the mode. */
export function proxySection(settings: Settings): 'iptables' | 'ipvs' | 'nftables' {
  const mode = settings.string('mode');
  return mode === 'ipvs' || mode === 'nftables' ? mode : 'iptables';
}

function validate(settings: Settings): void {
  const section = proxySection(settings);
  if (settings.ms(`${section}.minSyncPeriod`) > settings.ms(`${section}.syncPeriod`)) {
    throw settings.bad(`${section}.minSyncPeriod`, `at most ${section}.syncPeriod`);
  }
  const ports = settings.list('nodePortAddresses');
  if (ports.includes('primary') ? ports.length > 1 : !ports.every(isCidr)) {
    throw settings.bad('nodePortAddresses', "ranges such as '10.0.0.0/16', or primary alone");
  }
  const mode = settings.string('detectLocalMode');
  const needed = {
    BridgeInterface: 'detectLocal.bridgeInterface',
    InterfaceNamePrefix: 'detectLocal.interfaceNamePrefix',
  }[mode];
  if (needed !== undefined && settings.string(needed) === '') {
    throw settings.bad('detectLocalMode', `with ${needed} only`);
  }
  const ranges = clusterCidrs(settings);
  if (!ranges.every(isCidr) || !isSingleOrDualStack(ranges)) {
    throw settings.bad(
      'clusterCIDR',
      "a range such as '10.0.0.0/16', or one of each family, comma-separated",
    );
  }
}

export function clusterCidrs(settings: Settings): readonly string[] {
  const text = settings.string('clusterCIDR');
  return text === '' ? [] : text.split(',').map((each) => each.trim());
}

/**
 * The KubeProxyConfiguration that holds: built-in defaults and the file, or built-in defaults and the flags. `except`
 * names flags that are another role's. Throws UsageError that names file or flag, field, value and what is allowed.
 */
export async function loadKubeProxyConfiguration(
  flags: Flags,
  file: string | undefined,
  except: readonly string[] = [],
): Promise<KubeProxyConfiguration> {
  const omitted = new Set(except);
  const warnings: string[] = [];
  let fields = new Map<string, Written>();
  if (file !== undefined) {
    const { value, origin } = await readDocument(
      resolve(file),
      omitted.has('config') ? 'proxy-config' : 'config',
      kubeProxyConfigurationKind,
    );
    const read = readObject(value, kubeProxyFields, origin);
    fields = read.fields;
    warnings.push(...read.warnings);
    // In a file an empty address means the default, as a flag it means none.
    for (const path of ['healthzBindAddress', 'metricsBindAddress']) {
      if (fields.get(path)?.value === '') fields.delete(path);
    }
  }
  warnings.push(...withFlags(fields, flags, file !== undefined, omitted));
  const portFlags = file === undefined && !omitted.has('healthz-port');
  const settings = withDerived(new Settings(kubeProxyFields, fields), flags, portFlags);
  validate(settings);
  const { gates, warnings: idle } = readFeatureGates(
    settings.map<boolean>('featureGates'),
    settings.where('featureGates'),
  );
  return { settings, gates, warnings: [...warnings, ...settings.warnings(), ...idle] };
}
