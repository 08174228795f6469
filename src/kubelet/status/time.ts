/** Wall milliseconds as the API writes times: RFC 3339 in UTC, to the second. */
export function apiTime(ms: number): string {
  return `${new Date(Math.floor(ms / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}
