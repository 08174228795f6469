import type { UsageError } from '#lib/errors.ts';
import type { Quantity } from '#lib/kube/quantity.ts';
import { parseDuration } from '#lib/go-duration.ts';
import { quantityOrUndefined } from '../quantity.ts';
import type { Settings } from '../schema/settings.ts';

export const evictionSignals = [
  'memory.available',
  'nodefs.available',
  'nodefs.inodesFree',
  'imagefs.available',
  'imagefs.inodesFree',
  'containerfs.available',
  'containerfs.inodesFree',
  'allocatableMemory.available',
  'pid.available',
] as const;

export type EvictionSignal = (typeof evictionSignals)[number];

/** An amount, or a part of the capacity (0 to 1). */
export type EvictionAmount = { readonly quantity: Quantity } | { readonly part: number };

export interface EvictionThreshold {
  readonly signal: EvictionSignal;
  readonly below: EvictionAmount;
  /** How long it must be so; 0: a hard threshold. */
  readonly gracePeriodMs: number;
  readonly minReclaim: EvictionAmount | undefined;
}

export interface EvictionOptions {
  /** Hard ones first, then soft ones. */
  readonly thresholds: readonly EvictionThreshold[];
  readonly pressureTransitionMs: number;
  /** Below 0: the pod's own. */
  readonly maxPodGracePeriodSeconds: number;
}

/** Upstream's, for Linux. */
export const defaultEvictionHard: Readonly<Record<string, string>> = {
  'memory.available': '100Mi',
  'nodefs.available': '10%',
  'nodefs.inodesFree': '5%',
  'imagefs.available': '15%',
  'imagefs.inodesFree': '5%',
};

/** `10%` as 0.1; undefined where the text is no percentage. */
function percentage(text: string): number | undefined {
  const [, digits] = /^(\d+(?:\.\d+)?)%$/.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) / 100;
}

function amountOf(text: string): EvictionAmount | undefined {
  const part = percentage(text);
  if (part !== undefined) return { part };
  const quantity = quantityOrUndefined(text);
  return quantity === undefined ? undefined : { quantity };
}

type Reader<T> = (signal: EvictionSignal, text: string, refuse: (allowed: string) => UsageError) => T;

/** Reads each entry of a field that has signals as names. */
function readEach<T>(settings: Settings, path: string, read: Reader<T>): Map<EvictionSignal, T> {
  const found = new Map<EvictionSignal, T>();
  for (const [name, text] of Object.entries(settings.map(path))) {
    const signal = evictionSignals.find((each) => each === name);
    if (signal === undefined) throw settings.bad(path, `${evictionSignals.join(', ')} as names`, name);
    found.set(
      signal,
      read(signal, text, (allowed) => settings.bad(path, `for ${name}: ${allowed}`, text)),
    );
  }
  return found;
}

const threshold: Reader<EvictionAmount | undefined> = (_signal, text, refuse) => {
  // Upstream's way of switching a threshold off.
  if (text === '0%' || text === '100%') return undefined;
  const amount = amountOf(text);
  const fits =
    amount !== undefined &&
    ('part' in amount ? amount.part <= 1 : amount.quantity.sign > 0 && !text.includes('%'));
  if (!fits) throw refuse("an amount above 0 such as '100Mi', or a percentage such as '10%'");
  return amount;
};

const reclaim: Reader<EvictionAmount> = (_signal, text, refuse) => {
  const amount = amountOf(text);
  const fits = amount !== undefined && ('part' in amount ? amount.part > 0 : amount.quantity.sign >= 0);
  if (!fits) throw refuse("an amount such as '500Mi', or a percentage above 0 such as '5%'");
  return amount;
};

const grace: Reader<number> = (_signal, text, refuse) => {
  const ms = parseDuration(text);
  if (ms === undefined || ms < 0) throw refuse("a duration such as '1m30s'");
  return ms;
};

/** The thresholds of a configuration; throws UsageError with the field, the value and what is allowed. */
export function evictionOptions(settings: Settings): EvictionOptions {
  const graces = readEach(settings, 'evictionSoftGracePeriod', grace);
  const reclaims = readEach(settings, 'evictionMinimumReclaim', reclaim);
  const thresholds: EvictionThreshold[] = [];
  const add = (signal: EvictionSignal, below: EvictionAmount | undefined, gracePeriodMs: number): void => {
    if (below === undefined) return;
    thresholds.push({ signal, below, gracePeriodMs, minReclaim: reclaims.get(signal) });
  };
  for (const [signal, below] of readEach(settings, 'evictionHard', threshold)) add(signal, below, 0);
  for (const [signal, below] of readEach(settings, 'evictionSoft', threshold)) {
    const gracePeriodMs = graces.get(signal);
    if (gracePeriodMs === undefined && below !== undefined) {
      throw settings.bad(
        'evictionSoft',
        `thresholds that evictionSoftGracePeriod (--eviction-soft-grace-period) names too`,
        signal,
      );
    }
    add(signal, below, gracePeriodMs ?? 0);
  }
  return {
    thresholds,
    pressureTransitionMs: settings.ms('evictionPressureTransitionPeriod'),
    maxPodGracePeriodSeconds: settings.number('evictionMaxPodGracePeriod'),
  };
}
