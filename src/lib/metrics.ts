import { InternalError } from './errors.ts';

/** Values for exactly the labels that the metric was made with. */
export type Labels<L extends string> = Readonly<Record<L, string>>;

export interface Counter<L extends string = never> {
  add(labels: Labels<L>, by?: number): void;
}

export interface Gauge<L extends string = never> {
  set(labels: Labels<L>, value: number): void;
  /** Takes the series out. */
  remove(labels: Labels<L>): void;
}

export interface Histogram<L extends string = never> {
  observe(labels: Labels<L>, value: number): void;
}

type Kind = 'counter' | 'gauge' | 'histogram';

interface Family {
  kind: Kind;
  help: string;
  lines(): Iterable<string>;
}

/** Label names joined to their values as the exposition has them; '' without labels. */
function labelText(names: readonly string[], values: readonly string[], more = ''): string {
  const pairs = names.map((name, i) => `${name}="${escapeValue(values[i] ?? '')}"`);
  if (more !== '') pairs.push(more);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const escapeValue = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
const escapeHelp = (help: string): string => help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');

const number = (value: number): string =>
  value === Infinity ? '+Inf' : value === -Infinity ? '-Inf' : String(value);

/** Series by label values, each with a value of type V. */
class Series<L extends string, V> {
  readonly #names: readonly L[];
  readonly #byKey = new Map<string, { values: string[]; value: V }>();

  constructor(names: readonly L[]) {
    this.#names = names;
  }

  entry(labels: Labels<L>, initial: () => V): { value: V } {
    const values = this.#names.map((name) => labels[name]);
    const key = JSON.stringify(values);
    let entry = this.#byKey.get(key);
    if (entry === undefined) this.#byKey.set(key, (entry = { values, value: initial() }));
    return entry;
  }

  remove(labels: Labels<L>): void {
    this.#byKey.delete(JSON.stringify(this.#names.map((name) => labels[name])));
  }

  *[Symbol.iterator](): Generator<{ values: readonly string[]; value: V }> {
    yield* this.#byKey.values();
  }
}

interface Distribution {
  counts: number[];
  sum: number;
  count: number;
}

/**
 * The program's metrics in Prometheus' terms. Label names are fixed where a metric is made; whoever adds values keeps
 * them few. Asking again for a metric of the same name and shape gives the one that is there.
 */
export class MetricsRegistry {
  readonly #families = new Map<string, Family & { shape: string; handle: unknown }>();

  counter<L extends string = never>(name: string, help: string, labels: readonly L[] = []): Counter<L> {
    return this.#register<Counter<L>>(name, 'counter', help, labels.join(), () => {
      const series = new Series<L, number>(labels);
      const add = (at: Labels<L>, by = 1): void => {
        series.entry(at, () => 0).value += by;
      };
      return { handle: { add }, lines: () => plainLines(name, labels, series) };
    });
  }

  gauge<L extends string = never>(name: string, help: string, labels: readonly L[] = []): Gauge<L> {
    return this.#register<Gauge<L>>(name, 'gauge', help, labels.join(), () => {
      const series = new Series<L, number>(labels);
      const set = (at: Labels<L>, value: number): void => {
        series.entry(at, () => 0).value = value;
      };
      const remove = (at: Labels<L>): void => series.remove(at);
      return { handle: { set, remove }, lines: () => plainLines(name, labels, series) };
    });
  }

  /** `buckets` are upper bounds in ascending order; +Inf is added. */
  histogram<L extends string = never>(
    name: string,
    help: string,
    labels: readonly L[],
    buckets: readonly number[],
  ): Histogram<L> {
    const shape = `${labels.join()} ${buckets.join()}`;
    return this.#register<Histogram<L>>(name, 'histogram', help, shape, () => {
      const series = new Series<L, Distribution>(labels);
      const observe = (at: Labels<L>, value: number): void => {
        const empty = (): Distribution => ({ counts: buckets.map(() => 0), sum: 0, count: 0 });
        const { value: to } = series.entry(at, empty);
        const bucket = buckets.findIndex((bound) => value <= bound);
        if (bucket >= 0) to.counts[bucket] = (to.counts[bucket] ?? 0) + 1;
        to.sum += value;
        to.count += 1;
      };
      return { handle: { observe }, lines: () => histogramLines(name, labels, buckets, series) };
    });
  }

  /** Everything in the text format 0.0.4, sorted by name. */
  text(): string {
    let text = '';
    for (const [name, family] of [...this.#families].sort(([a], [b]) => (a < b ? -1 : 1))) {
      let lines = '';
      for (const line of family.lines()) lines += `${line}\n`;
      if (lines !== '') {
        text += `# HELP ${name} ${escapeHelp(family.help)}\n# TYPE ${name} ${family.kind}\n${lines}`;
      }
    }
    return text;
  }

  #register<H>(
    name: string,
    kind: Kind,
    help: string,
    labels: string,
    make: () => { handle: H; lines: () => Iterable<string> },
  ): H {
    const shape = `${kind} ${labels}`;
    const before = this.#families.get(name);
    if (before !== undefined) {
      if (before.shape !== shape) throw new InternalError(`metric ${name} exists in another shape`);
      return before.handle as H;
    }
    const made = make();
    this.#families.set(name, { kind, help, shape, ...made });
    return made.handle;
  }
}

function* plainLines<L extends string>(
  name: string,
  labels: readonly L[],
  series: Series<L, number>,
): Generator<string> {
  for (const { values, value } of series) yield `${name}${labelText(labels, values)} ${number(value)}`;
}

function* histogramLines<L extends string>(
  name: string,
  labels: readonly L[],
  buckets: readonly number[],
  series: Series<L, Distribution>,
): Generator<string> {
  for (const { values, value } of series) {
    let upTo = 0;
    for (const [i, bound] of buckets.entries()) {
      upTo += value.counts[i] ?? 0;
      yield `${name}_bucket${labelText(labels, values, `le="${number(bound)}"`)} ${upTo}`;
    }
    yield `${name}_bucket${labelText(labels, values, 'le="+Inf"')} ${value.count}`;
    yield `${name}_sum${labelText(labels, values)} ${number(value.sum)}`;
    yield `${name}_count${labelText(labels, values)} ${value.count}`;
  }
}
