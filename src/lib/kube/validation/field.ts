/** Where in an object: keys and list positions from its root. */
export type Path = readonly (string | number)[];

export interface Finding {
  path: Path;
  /** The offending value, where there is one. */
  value?: unknown;
  /** What is wrong and what is allowed. */
  message: string;
  /** An error keeps the object out of force; a warning does not. */
  severity: 'error' | 'warning';
  /** The finding only holds if the part of the object at this path could be read. */
  dependsOn?: Path;
}

/** `spec.containers[0].image`, `metadata.labels["example.com/a"]`. */
export function pathText(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[A-Za-z_][A-Za-z0-9_-]*$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

/** Whether `path` is `root` or lies below it. */
export function isWithin(path: Path, root: Path): boolean {
  return path.length >= root.length && root.every((step, i) => path[i] === step);
}

/** One place in an object, for the rules that judge it; all places of an object share one list of findings. */
export class Field {
  readonly path: Path;
  readonly findings: Finding[];

  constructor(findings: Finding[] = [], path: Path = []) {
    this.findings = findings;
    this.path = path;
  }

  at(...steps: (string | number)[]): Field {
    return new Field(this.findings, [...this.path, ...steps]);
  }

  error(value: unknown, message: string, dependsOn?: Path): void {
    this.#add('error', value, message, dependsOn);
  }

  warn(value: unknown, message: string): void {
    this.#add('warning', value, message);
  }

  required(message = 'must be set'): void {
    this.#add('error', undefined, message);
  }

  /** Takes the answer of a check: undefined is good. */
  check(value: unknown, problem: string | undefined): void {
    if (problem !== undefined) this.error(value, problem);
  }

  /** As `check`, for a name that must also be there. */
  checkName(value: string | undefined, check: (text: string) => string | undefined): void {
    if (value === undefined || value === '') this.required();
    else this.check(value, check(value));
  }

  oneOf(value: string | undefined, allowed: readonly string[]): void {
    if (value !== undefined && !allowed.includes(value)) {
      this.error(value, `must be one of ${allowed.map((each) => JSON.stringify(each)).join(', ')}`);
    }
  }

  /** A whole number within the bounds, both included. */
  range(value: number | undefined, least: number, most: number): void {
    if (value !== undefined && (value < least || value > most)) {
      this.error(
        value,
        most === Infinity ? `must be at least ${least}` : `must be between ${least} and ${most}`,
      );
    }
  }

  #add(severity: Finding['severity'], value: unknown, message: string, dependsOn?: Path): void {
    this.findings.push({
      path: this.path,
      message,
      severity,
      ...(value === undefined ? {} : { value }),
      ...(dependsOn === undefined ? {} : { dependsOn }),
    });
  }
}
