import { describe, expect, test } from 'vitest';
import { UsageError } from '#lib/errors.ts';
import { kubeletFlags } from '../flags/kubelet-flags.ts';
import { parseFlags } from '../flags/parse.ts';
import { Flags } from '../flags/values.ts';
import { checkValue } from '../schema/check-value.ts';
import type { FieldSpec, Json } from '../schema/field.ts';
import { fieldValueOfFlag } from '../schema/from-flag.ts';
import { readObject } from '../schema/read.ts';
import { Settings } from '../schema/settings.ts';
import { goodValue, wrongKind } from '../testing/samples.ts';
import { kubeletFields } from './fields.ts';

const origin = { file: '/etc/k.yaml', lineOf: () => 3 };

/** The object that has only this field. */
function objectOf(path: string, value: Json): Record<string, Json> {
  const [name = '', ...rest] = path.split('.');
  return { [name]: rest.length === 0 ? value : objectOf(rest.join('.'), value) };
}

const read = (spec: FieldSpec, value: Json): Settings => {
  const { fields, warnings } = readObject(objectOf(spec.path, value), kubeletFields, origin);
  expect(warnings).toEqual([]);
  return new Settings(kubeletFields, fields);
};

const each = kubeletFields.map((spec) => [spec.path, spec] as const);

/** Fields whose only good value is the default. */
const fixed = new Set(['runOnce']);

describe('every field', () => {
  test.each(each)('%s: its default is a good value', (_path, spec) => {
    if (spec.default !== undefined) expect(checkValue(spec, spec.default)).toBeUndefined();
    const settings = new Settings(kubeletFields, new Map());
    expect(settings.json(spec.path)).toEqual(spec.default);
    expect(settings.has(spec.path)).toBe(false);
  });

  test.each(each.filter(([path]) => !fixed.has(path)))('%s: is read', (path, spec) => {
    const value = goodValue(spec);
    const settings = read(spec, value);
    expect(settings.json(path)).toEqual(value);
    expect(settings.warnings()).toHaveLength(spec.state === 'works' ? 0 : 1);
    const [warning] = settings.warnings();
    if (warning !== undefined) expect(warning).toContain(`/etc/k.yaml:3: field ${path}: `);
  });

  test.each(each)('%s: a value of the wrong kind is refused by name', (path, spec) => {
    expect(() => read(spec, wrongKind(spec))).toThrow(UsageError);
    expect(() => read(spec, wrongKind(spec))).toThrow(/^\/etc\/k\.yaml:3: field .+; allowed: ./);
    expect(() => read(spec, wrongKind(spec))).toThrow(`field ${path}: `);
  });

  test.each(each)('%s: null is as good as absent', (path, spec) => {
    expect(read(spec, null).has(path)).toBe(false);
  });

  const bounded = each.filter(
    ([, { type, min }]) => min !== undefined && (type === 'int' || type === 'duration'),
  );
  test.each(bounded)('%s: below its least value it is refused', (_path, spec) => {
    const below = (spec.min ?? 0) - 1;
    // Zero means the default where Go holds no pointer.
    if (below === 0 && spec.zeroIsUnset === true) return;
    const value = spec.type === 'int' ? below : `${below}ms`;
    expect(() => read(spec, value)).toThrow(/ from -?\d+/);
  });

  const choices = each.filter(([, { oneOf }]) => oneOf !== undefined);
  test.each(choices)('%s: an unknown word is refused, with those that are known', (_path, spec) => {
    const known = spec.oneOf?.find((word) => word !== '') ?? '';
    expect(() => read(spec, 'Sideways')).toThrow(
      new RegExp(`"Sideways" is not allowed; allowed: .*${known}`),
    );
  });
});

const texts: Readonly<Record<string, string>> = {
  'register-with-taints': 'k=v:NoSchedule',
  'reserved-memory': '0:memory=1Gi',
  vmodule: 'a=1',
  'feature-gates': 'ContainerCheckpoint=false',
  'manifest-url-header': 'X:y',
  'eviction-hard': 'x<y',
  'eviction-soft': 'x<y',
};

function asFlag(spec: FieldSpec, flag: string): string {
  const known = texts[flag];
  if (known !== undefined) return known;
  const value = goodValue(spec);
  if (Array.isArray(value)) return value.join(',');
  if (typeof value === 'object' && value !== null) return 'x=y';
  return String(value);
}

describe('every flag of a field', () => {
  const withFlag = each.filter(([path, { flag }]) => flag !== undefined && !fixed.has(path));
  test.each(withFlag)('%s', (_path, spec) => {
    const flag = spec.flag ?? '';
    const parsed = parseFlags(kubeletFlags, [`--${flag}=${asFlag(spec, flag)}`], { singleDashIsLong: true });
    const value = fieldValueOfFlag(spec, flag, new Flags(parsed).value(flag) ?? '');
    expect(checkValue(spec, value)).toBeUndefined();
    expect(value).not.toEqual(spec.default);
  });

  test('is a flag of kubelet that acts as its field does', () => {
    for (const { flag, path, state } of kubeletFields) {
      if (flag === undefined) continue;
      const spec = kubeletFlags.find(({ name }) => name === flag);
      expect([path, spec?.state]).toEqual([path, state === 'works' ? 'works' : 'ignored']);
    }
  });
});

/** Of KubeletConfiguration in 1.36. */
const topLevel = `
  address allowedUnsafeSysctls authentication authorization cgroupDriver cgroupRoot cgroupsPerQOS
  clusterDNS clusterDomain configMapAndSecretChangeDetectionStrategy containerLogMaxFiles
  containerLogMaxSize containerLogMaxWorkers containerLogMonitorInterval containerRuntimeEndpoint
  contentType cpuCFSQuota cpuCFSQuotaPeriod cpuManagerPolicy cpuManagerPolicyOptions
  cpuManagerReconcilePeriod crashLoopBackOff enableContentionProfiling enableControllerAttachDetach
  enableDebugFlagsHandler enableDebuggingHandlers enableProfilingHandler enableServer
  enableSystemLogHandler enableSystemLogQuery enforceNodeAllocatable eventBurst eventRecordQPS
  evictionHard evictionMaxPodGracePeriod evictionMinimumReclaim evictionPressureTransitionPeriod
  evictionSoft evictionSoftGracePeriod failCgroupV1 failSwapOn featureGates fileCheckFrequency
  hairpinMode healthzBindAddress healthzPort httpCheckFrequency imageGCHighThresholdPercent
  imageGCLowThresholdPercent imageMaximumGCAge imageMinimumGCAge imagePullCredentialsVerificationPolicy
  imageServiceEndpoint iptablesDropBit iptablesMasqueradeBit kernelMemcgNotification kubeAPIBurst
  kubeAPIQPS kubeReserved kubeReservedCgroup kubeletCgroups localStorageCapacityIsolation logging
  makeIPTablesUtilChains maxOpenFiles maxParallelImagePulls maxPods memoryManagerPolicy
  memoryReservationPolicy memorySwap memoryThrottlingFactor mergeDefaultEvictionSettings
  nodeLeaseDurationSeconds nodeStatusMaxImages nodeStatusReportFrequency nodeStatusUpdateFrequency
  oomScoreAdj podCIDR podLogsDir podPidsLimit podsPerCore port preloadedImagesVerificationAllowlist
  protectKernelDefaults providerID qosReserved readOnlyPort registerNode registerWithTaints
  registryBurst registryPullQPS reservedMemory reservedSystemCPUs resolvConf rotateCertificates runOnce
  runtimeRequestTimeout seccompDefault serializeImagePulls serverTLSBootstrap
  showHiddenMetricsForVersion shutdownGracePeriod shutdownGracePeriodByPodPriority
  shutdownGracePeriodCriticalPods singleProcessOOMKill staticPodPath staticPodURL staticPodURLHeader
  streamingConnectionIdleTimeout syncFrequency systemCgroups systemReserved systemReservedCgroup
  tlsCertFile tlsCipherSuites tlsCurvePreferences tlsMinVersion tlsPrivateKeyFile topologyManagerPolicy
  topologyManagerPolicyOptions topologyManagerScope tracing userNamespaces volumePluginDir
  volumeStatsAggPeriod`;

test('the table has every field, and none that isn’t there', () => {
  const names = new Set(kubeletFields.map(({ path }) => path.split('.')[0] ?? ''));
  expect([...names].sort()).toEqual(topLevel.trim().split(/\s+/));
});
