import { labelValue, qualifiedName } from '#lib/kube/names.ts';
import type { Json } from './schema/field.ts';

export type TaintEffect = 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';

export interface TaintOption {
  readonly key: string;
  readonly value: string;
  readonly effect: TaintEffect;
}

const effects: readonly string[] = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

/** What is wrong with a taint, or undefined. */
export function taintProblem({ key, value, effect }: TaintOption): string | undefined {
  const name = qualifiedName(key);
  if (name !== undefined) return `the key of a taint ${name}`;
  const text = labelValue(value);
  if (text !== undefined) return `the value of a taint ${text}`;
  return effects.includes(effect) ? undefined : `the effect of a taint must be one of ${effects.join(', ')}`;
}

/** Reads `KEY=VALUE:EFFECT` or `KEY:EFFECT`; what is wrong and allowed where it is neither. */
export function parseTaint(text: string): TaintOption | string {
  const [, key = '', value = '', effect = ''] = /^([^=:]+)(?:=([^:]*))?:([^:]+)$/.exec(text) ?? [];
  if (key === '') return 'KEY=VALUE:EFFECT or KEY:EFFECT, comma-separated';
  const taint = { key, value, effect: effect as TaintEffect };
  return taintProblem(taint) ?? taint;
}

/** The taint of a configuration file's item. */
export function taintOf(item: Json): TaintOption {
  const { key = '', value = '', effect = '' } = item as Record<string, string>;
  return { key, value, effect: effect as TaintEffect };
}

/** Whether two taints of the list have the same key and effect. */
export function repeatedTaint(taints: readonly TaintOption[]): TaintOption | undefined {
  const seen = new Set<string>();
  return taints.find(({ key, effect }) => {
    const id = `${key}:${effect}`;
    if (seen.has(id)) return true;
    seen.add(id);
    return false;
  });
}
