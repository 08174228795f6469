import { alignTabs, plain } from '../columns.ts';

/** Text in the manner of `kubectl describe`: two blanks a level, tabs that become columns. */
export class DescribeText {
  #text = '';
  #done = '';

  /** A line at `level`; tabs end cells. */
  line(level: number, ...cells: string[]): this {
    this.#text += `${'  '.repeat(level)}${cells.map((cell) => plain(cell)).join('\t')}\n`;
    return this;
  }

  /** Aligns what there is; what follows has columns of its own. */
  flush(): this {
    this.#done += alignTabs(this.#text, { minimum: 0, padding: 2 });
    this.#text = '';
    return this;
  }

  /** `Labels:  a=1` and the others below it. */
  map(title: string, entries: Readonly<Record<string, string>> | undefined): this {
    const lines = Object.entries(entries ?? {})
      .sort(byName)
      .map(([name, value]) => `${name}=${value}`);
    return this.list(title, lines);
  }

  /** A title and lines in the next column; `<none>` without any. */
  list(title: string, lines: readonly string[]): this {
    if (lines.length === 0) return this.line(0, `${title}:`, '<none>');
    lines.forEach((each, index) => this.line(0, index === 0 ? `${title}:` : '', each));
    return this;
  }

  toString(): string {
    this.flush();
    return this.#done;
  }
}

export const byName = ([a]: readonly [string, ...unknown[]], [b]: readonly [string, ...unknown[]]): number =>
  a < b ? -1 : a > b ? 1 : 0;

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (value: number): string => String(value).padStart(2, '0');

/** A time as RFC 1123 writes it, with the local offset: `Mon, 02 Jan 2006 15:04:05 -0700`. */
export function rfc1123(time: string | undefined): string {
  const at = new Date(time ?? Number.NaN);
  // Go's zero time, which is how kubectl shows a missing one.
  if (Number.isNaN(at.getTime())) return 'Mon, 01 Jan 0001 00:00:00 +0000';
  const offset = -at.getTimezoneOffset();
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  const date = `${days[at.getDay()]}, ${two(at.getDate())} ${months[at.getMonth()]} ${at.getFullYear()}`;
  return `${date} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())} ${zone}`;
}

export const trueFalse = (value: boolean | undefined): string => (value === true ? 'True' : 'False');
