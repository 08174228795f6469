import type { ApiObject } from '#lib/kube/client.ts';

const numberOf = (object: ApiObject): bigint | undefined => {
  const text = object.metadata?.resourceVersion ?? '';
  return /^\d+$/.test(text) ? BigInt(text) : undefined;
};

/** Whether `object` is not older than `other`, another version of it (resource versions count up, KEP-5504). */
export function isNewer(object: ApiObject, other: ApiObject): boolean {
  const [own, others] = [numberOf(object), numberOf(other)];
  return own === undefined || others === undefined || own >= others;
}
