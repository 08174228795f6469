import { table } from '#cli/print/columns.ts';
import { podHead, podRow } from '#cli/print/pod-table.ts';
import type { PodView } from '#server/view.ts';

const options = { wide: false, withNamespace: false };

function rows(views: readonly PodView[], now: number): string[][] {
  return views.map(({ pod, waits }) => [
    ...podRow(pod, { ...options, now }),
    pod.status?.podIP ?? '',
    waits[0] === undefined ? '' : `${waits[0].reason}: ${waits[0].message}`,
  ]);
}

/** The pods as a table that fits `columns`; what a pod waits for stands last. */
export function podsTable(views: readonly PodView[], now: number, columns: number): string[] {
  const head = [...podHead({ ...options, now }), 'IP', 'WAITS FOR'];
  return table(head, rows(views, now))
    .trimEnd()
    .split('\n')
    .map((line) => (line.length > columns ? `${line.slice(0, columns - 1)}…` : line));
}

/** Draws in place on a terminal; elsewhere prints a pod's line when it says something new. */
export class LiveView {
  readonly #out: NodeJS.WriteStream;
  #drawn = 0;
  readonly #said = new Map<string, string>();

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  show(views: readonly PodView[], now: number): void {
    if (!this.#out.isTTY) {
      this.#print(views, now);
      return;
    }
    const lines = podsTable(views, now, this.#out.columns);
    // Up to the first line of the last drawing, and clear from there on.
    const back = this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A\u001b[J`;
    this.#out.write(`${back}${lines.join('\n')}\n`);
    this.#drawn = lines.length;
  }

  /** Text for good: on a terminal the table goes on below it. */
  interrupt(text: string): void {
    const back = this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A\u001b[J`;
    this.#out.write(`${back}${text}\n`);
    this.#drawn = 0;
  }

  #print(views: readonly PodView[], now: number): void {
    for (const [index, row] of rows(views, now).entries()) {
      const [name = '', ready = '', status = '', restarts = '', , ip = ''] = row;
      const news = [ready, status, restarts.replace(/ .*/, ''), ip].join(' ');
      if (this.#said.get(name) === news) continue;
      this.#said.set(name, news);
      const line = podsTable(views.slice(index, index + 1), now, 200)[1] ?? '';
      this.#out.write(`${line}\n`);
    }
  }
}
