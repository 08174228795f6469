export interface Row {
  what: string;
  /** What was measured, with its unit. */
  value: string;
  /** What it is compared with, measured in the same run. */
  bare?: string;
  ratio?: number;
  /** The most that the ratio (or, where there is none, `figure`) may be. */
  budget?: number;
  figure?: number;
  /** What the budget is counted in; `×` unless given. */
  unit?: string;
  /** The same by kubelet in the same run, and what nodelet's is to it. */
  kubelet?: string;
  ofKubelet?: number;
}

const verdict = ({ ratio, figure, budget }: Row): string => {
  const measured = ratio ?? figure;
  if (budget === undefined || measured === undefined) return '';
  return measured <= budget ? 'met' : 'missed';
};

/** A table of Markdown, so that it can be pasted as it is; kubelet has columns where there is something in them. */
export function renderTable(rows: readonly Row[]): string {
  const hasKubelet = rows.some(({ kubelet }) => kubelet !== undefined);
  const cells = rows.map((row) => [
    row.what,
    row.value,
    row.bare ?? '',
    row.ratio === undefined ? '' : `${row.ratio.toFixed(2)} ×`,
    row.budget === undefined ? '' : `≤ ${row.budget} ${row.unit ?? '×'}`,
    verdict(row),
    ...(hasKubelet
      ? [row.kubelet ?? '', row.ofKubelet === undefined ? '' : `${row.ofKubelet.toFixed(2)} ×`]
      : []),
  ]);
  const head = ['what', 'nodelet', 'bare CRI calls', 'ratio', 'budget', ''];
  if (hasKubelet) head.push('kubelet', 'nodelet to kubelet');
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...cells.map((line) => (line[column] ?? '').length)),
  );
  const line = (words: readonly string[]): string =>
    `| ${words.map((word, column) => word.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...cells.map(line)].join('\n');
}
