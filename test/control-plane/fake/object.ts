import type { ApiObject } from '#lib/kube/client.ts';
import type { ObjectMeta } from '#lib/kube/types.ts';

export type Json = null | boolean | number | string | Json[] | { [field: string]: Json };
export type JsonMap = Record<string, Json>;

/** Any object as the fake API server keeps it. */
export interface KubeObject extends ApiObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta & { name: string };
  spec?: JsonMap;
  status?: JsonMap;
  [field: string]: unknown;
}

export const isMap = (value: unknown): value is JsonMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A plain value as text; empty for what is none. */
export const textOf = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? `${value}` : '';

/** RFC 3339 without fractions, as metav1.Time has it. */
export const timeText = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

/** Makes what is kept unchangeable, so that a test can't edit the store through what it was given. */
export function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const member of Object.values(value)) freeze(member);
  return Object.freeze(value);
}
