/** The two messages of grpc.health.v1 on the wire: https://github.com/grpc/grpc-proto/blob/master/grpc/health/v1. */

const SERVICE_TAG = 0x0a;
const STATUS_TAG = 0x08;
const STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

/** HealthCheckRequest. */
export function encodeRequest(service: string): Buffer {
  if (service === '') return Buffer.alloc(0);
  const text = Buffer.from(service);
  return Buffer.concat([Buffer.from([SERVICE_TAG, ...varint(text.length)]), text]);
}

/** HealthCheckResponse: the status by name, or its digits; what isn't understood reads as UNKNOWN. */
export function decodeStatus(message: Uint8Array): string {
  let status = 0;
  let at = 0;
  const read = (): number => {
    let value = 0;
    for (let shift = 0; at < message.length; shift += 7) {
      const byte = message[at++] ?? 0;
      if (shift < 28) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (at < message.length) {
    const tag = read();
    if (tag === STATUS_TAG) status = read();
    else if (tag % 8 === 0) read();
    else if (tag % 8 === 1) at += 8;
    else if (tag % 8 === 2) {
      const length = read();
      at += length;
    } else if (tag % 8 === 5) at += 4;
    else return 'UNKNOWN';
  }
  return STATUSES[status] ?? String(status);
}
