import { UsageError } from '#lib/errors.ts';
import { nearest } from '../flags/nearest.ts';
import { dependencies, features, type FeatureStage } from './features.ts';

/** Switch whole stages; a gate's own setting wins. */
const wholeStages: Readonly<Record<string, FeatureStage>> = { AllAlpha: 'alpha', AllBeta: 'beta' };

/** Gates that this program asks. Any other may be set, and a warning says that it has no effect. */
export const wiredGates: ReadonlySet<string> = new Set([
  'AllAlpha',
  'AllBeta',
  'GracefulNodeShutdown',
  'GracefulNodeShutdownBasedOnPodPriority',
  'KubeletCrashLoopBackOffMax',
  'KubeletEnsureSecretPulledImages',
  'MemoryQoS',
  'ReduceDefaultCrashLoopBackOffDecay',
  'RotateKubeletServerCertificate',
]);

/** Which features are on. */
export class FeatureGates {
  readonly #set: Readonly<Record<string, boolean>>;

  /** `set` names known gates only: readFeatureGates makes sure. */
  constructor(set: Readonly<Record<string, boolean>> = {}) {
    this.#set = set;
  }

  /** What was set, by name. */
  get set(): Readonly<Record<string, boolean>> {
    return this.#set;
  }

  enabled(name: string): boolean {
    const own = this.#set[name];
    if (own !== undefined) return own;
    const spec = features.get(name);
    if (spec === undefined) return false;
    for (const [all, stage] of Object.entries(wholeStages)) {
      const value = this.#set[all];
      if (value !== undefined && spec.stage === stage) return value;
    }
    return spec.default;
  }
}

/**
 * Checks gates as they were written. Throws UsageError for a gate that isn't known, one that is locked, and one that
 * needs another that is off. `where` tells of a gate where it was set: `flag --feature-gates`.
 */
export function readFeatureGates(
  set: Readonly<Record<string, boolean>>,
  where: string,
): { gates: FeatureGates; warnings: string[] } {
  const gates = new FeatureGates(set);
  for (const [name, value] of Object.entries(set)) {
    if (Object.hasOwn(wholeStages, name)) continue;
    const spec = features.get(name);
    if (spec === undefined) {
      const hint = nearest(name, features.keys());
      throw new UsageError(
        `${where}: ${JSON.stringify(name)} is no feature gate of Kubernetes 1.36` +
          (hint === undefined ? '' : `; did you mean ${hint}?`),
      );
    }
    if (spec.locked && value !== spec.default) {
      throw new UsageError(
        `${where}: ${name}=${value} is not allowed; allowed: ${spec.default} (the gate is locked)`,
      );
    }
  }
  for (const [name, needed] of Object.entries(dependencies)) {
    const missing = gates.enabled(name) ? needed.find((each) => !gates.enabled(each)) : undefined;
    if (missing !== undefined) {
      throw new UsageError(`${where}: ${name} is on, but ${missing}, which it needs, is off`);
    }
  }
  const idle = Object.entries(set).filter(
    ([name, value]) => !wiredGates.has(name) && value !== features.get(name)?.default,
  );
  const names = idle.map(([name, value]) => `${name}=${value}`).join(', ');
  return {
    gates,
    warnings: idle.length === 0 ? [] : [`${where}: ${names} has no effect in this version of nodelet`],
  };
}
