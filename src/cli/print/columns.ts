/** Characters as a terminal counts them, nearly: code points. */
const width = (text: string): number => Array.from(text).length;

/**
 * Aligns cells that end with a tab, as Go's text/tabwriter does: a column's width is that of its widest cell among
 * adjacent lines that have such a cell, plus `padding`, and at least `minimum`. What follows a line's last tab is no
 * cell.
 */
export function alignTabs(text: string, options: { minimum: number; padding: number }): string {
  const lines = text.split('\n').map((line) => line.split('\t'));
  const widths: number[][] = lines.map(() => []);

  const format = (from: number, to: number, column: number): void => {
    for (let line = from; line < to; line += 1) {
      if (column >= (lines[line]?.length ?? 0) - 1) continue;
      let end = line;
      let widest = 0;
      for (; end < to && column < (lines[end]?.length ?? 0) - 1; end += 1) {
        widest = Math.max(widest, width(lines[end]?.[column] ?? '') + options.padding);
      }
      const final = Math.max(widest, options.minimum);
      for (let each = line; each < end; each += 1) widths[each]?.push(final);
      format(line, end, column + 1);
      line = end - 1;
    }
  };
  format(0, lines.length, 0);

  return lines
    .map((cells, line) =>
      cells
        .map((cell, column) => {
          const wide = widths[line]?.[column];
          return wide === undefined || column === cells.length - 1
            ? cell
            : cell + ' '.repeat(Math.max(0, wide - width(cell)));
        })
        .join(''),
    )
    .join('\n');
}

/** Text that came from outside, without what a terminal would take as an order. */
export const plain = (text: string): string =>
  text.replaceAll(/[^\P{Cc}\n\t]/gu, (character) =>
    character === '\r' ? '\\r' : character === '\u001b' ? '^[' : `^${character.codePointAt(0)?.toString(16)}`,
  );

/** A table as `kubectl get` prints it: three blanks between columns, none at the end of a line. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => plain(cell).replaceAll('\n', '\\n')));
  const widths = head.map((_, column) => Math.max(6, ...cells.map((row) => width(row[column] ?? '') + 3)));
  return cells
    .map((row) =>
      row
        .map((cell, column) =>
          column === row.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - width(cell)),
        )
        .join(''),
    )
    .map((line) => `${line}\n`)
    .join('');
}
