import { isIP } from 'node:net';

export function isCidr(text: string): boolean {
  const [address = '', bits = '', ...more] = text.split('/');
  const family = isIP(address);
  return (
    family !== 0 && more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)
  );
}

/** Whether the list is one range, or one of each family. */
export function isSingleOrDualStack(ranges: readonly string[]): boolean {
  const families = ranges.map((each) => isIP(each.split('/')[0] ?? ''));
  return ranges.length <= 2 && new Set(families).size === families.length;
}

export interface Address {
  ip: string;
  /** undefined: none was written. */
  port: number | undefined;
}

/** Reads `10.0.0.1`, `10.0.0.1:80`, `::1`, `[::1]:80`; undefined where the text is none of them. */
export function parseAddress(text: string): Address | undefined {
  if (isIP(text) !== 0) return { ip: text, port: undefined };
  const [, bracketed, plain, digits = ''] = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const ip = bracketed ?? plain ?? '';
  const port = Number(digits);
  const family = bracketed === undefined ? 4 : 6;
  return isIP(ip) === family && port <= 65_535 ? { ip, port } : undefined;
}

/** The address as text, with brackets where it needs them. */
export const formatAddress = (ip: string, port: number): string =>
  isIP(ip) === 6 ? `[${ip}]:${port}` : `${ip}:${port}`;

/** `0.0.0.0` and `::` mean a family, not an address. */
export const isUnspecified = (ip: string): boolean => isIP(ip) !== 0 && /^[0:.]+$/.test(ip);
