const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * A duration in Go's notation (`1h30m`, `-1.5s`, `300ms`, `0`) in milliseconds, or undefined where the text is
 * none. Grammar: the documentation of Go's time.ParseDuration.
 */
export function parseDuration(text: string): number | undefined {
  const match = /^([+-]?)(.+)$/s.exec(text);
  const body = match?.[2];
  if (body === undefined) return undefined;
  if (body === '0') return 0;
  const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;
  let total = 0;
  while (part.lastIndex < body.length) {
    const found = part.exec(body);
    const unit = unitMs[found?.[2] ?? ''];
    if (found === null || unit === undefined) return undefined;
    total += Number(found[1]) * unit;
  }
  return match?.[1] === '-' ? -total : total;
}

/** Milliseconds as Go prints a duration: `1m0s`, `1.5s`, `100ms`, `0s`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  const sign = ms < 0 ? '-' : '';
  const size = Math.abs(ms);
  if (size < 1e-3) return `${sign}${trim(size * 1e6)}ns`;
  if (size < 1) return `${sign}${trim(size * 1e3)}µs`;
  if (size < 1000) return `${sign}${trim(size)}ms`;
  const hours = Math.floor(size / 3_600_000);
  const minutes = Math.floor((size % 3_600_000) / 60_000);
  const seconds = `${trim((size % 60_000) / 1000)}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}`;
  return `${sign}${minutes > 0 ? `${minutes}m` : ''}${seconds}`;
}

/** At most nanoseconds: what is beyond is the noise of binary fractions. */
const trim = (value: number): string => String(Number(value.toFixed(9)));
