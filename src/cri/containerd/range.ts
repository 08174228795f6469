import { NodeletError } from '#lib/errors.ts';

export class PodRangeError extends NodeletError {
  readonly code = 'POD_RANGE';
}

interface Range {
  first: number;
  last: number;
}

/** `A.B.C.D/LENGTH`, or one address, as its first and last address; undefined for anything else (IPv6, `default`). */
export function parseRange(text: string): Range | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/.exec(text);
  if (match === null) return undefined;
  const bytes = match.slice(1, 5).map(Number);
  const length = Number(match[5] ?? 32);
  if (bytes.some((byte) => byte > 255) || length > 32) return undefined;
  const address = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  const size = 2 ** (32 - length);
  const first = Math.floor(address / size) * size;
  return { first, last: first + size - 1 };
}

const overlap = (a: Range, b: Range): boolean => a.first <= b.last && b.first <= a.last;

export const isInRange = (address: string, range: string): boolean => {
  const [one, many] = [parseRange(address), parseRange(range)];
  return one !== undefined && many !== undefined && one.first >= many.first && one.last <= many.last;
};

/** Ranges that other tools don't take by default; a machine that routes it already gets the next. */
const candidates = [
  '10.87.0.0/16',
  '10.89.0.0/16',
  '10.188.0.0/16',
  '10.212.0.0/16',
  '172.29.0.0/16',
  '192.168.188.0/24',
];

/**
 * The pods' range. `routed` are the destinations that the machine has routes to (but for those through the pods'
 * own bridge). A range that was wished for and is routed already is an error; without a wish, the first free one.
 */
export function choosePodRange(wish: string | undefined, routed: readonly string[]): string {
  const taken = routed.flatMap((text) => parseRange(text) ?? []);
  const clash = (text: string): boolean => {
    const range = parseRange(text);
    return range !== undefined && taken.some((other) => overlap(range, other));
  };
  if (wish !== undefined) {
    const range = parseRange(wish);
    if (range === undefined || range.last - range.first < 3) {
      throw new PodRangeError(`${JSON.stringify(wish)} is no IPv4 range for pods, such as 10.87.0.0/16`);
    }
    if (clash(wish))
      throw new PodRangeError(`this machine already routes a part of ${wish}: choose another range`);
    return wish;
  }
  const free = candidates.find((candidate) => !clash(candidate));
  if (free === undefined) {
    throw new PodRangeError(`this machine routes all of ${candidates.join(', ')}: name a range for its pods`);
  }
  return free;
}

/**
 * The destinations in the answer of `ip -json -4 route show table all` that stand in the way of a pod range: not
 * the default route, multicast, or what goes through `bridge`.
 */
export function routedRanges(answer: string, bridge: string): string[] {
  const routes = JSON.parse(answer === '' ? '[]' : answer) as { dst?: string; dev?: string; type?: string }[];
  return routes
    .filter((route) => route.dev !== bridge && route.type !== 'multicast')
    .flatMap((route) => route.dst ?? [])
    .filter((dst) => dst !== 'default' && dst !== '0.0.0.0/0');
}
