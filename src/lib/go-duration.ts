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
