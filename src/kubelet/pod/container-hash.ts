import type { Container } from '#lib/kube/types.ts';

/**
 * kubelet's hash of a container (annotation `io.kubernetes.container.hash`), so that either agent recognises the
 * other's containers: FNV-1a, 32 bit, hexadecimal without leading zeros, over Go's print of the JSON bytes of
 * `{"image":…,"name":…}`.
 */
export function containerHash(container: Pick<Container, 'image' | 'name'>): string {
  const json = goJson({ image: container.image ?? '', name: container.name });
  const text = `([]uint8)[${[...Buffer.from(json)].join(' ')}]`;
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(16);
}

/** Go escapes `<`, `>` and `&` and the two line separators in JSON strings; JavaScript does not. */
function goJson(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
