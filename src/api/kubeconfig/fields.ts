import { NodeletError } from '#lib/errors.ts';

/** A kubeconfig that can't be used. The message names file, field, value where it is no secret, and the mend. */
export class KubeconfigError extends NodeletError {
  readonly code = 'KUBECONFIG';
}

/** What may be shown of a value that isn't secret. */
export const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
};

const kindOf = (value: unknown): string =>
  Array.isArray(value)
    ? 'a list'
    : value === null
      ? 'null'
      : typeof value === 'object'
        ? 'a map'
        : `a ${typeof value}`;

/** Reads the members of one map of a kubeconfig; empty strings count as absent, as in upstream's files. */
export class Fields {
  readonly file: string;
  readonly #path: string;
  readonly #value: Readonly<Record<string, unknown>>;

  constructor(file: string, path: string, value: unknown) {
    this.file = file;
    this.#path = path;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new KubeconfigError(
        `${file}: ${path === '' ? 'the document' : path}: must be a map, is ${kindOf(value)}`,
      );
    }
    this.#value = value as Record<string, unknown>;
  }

  error(name: string, problem: string, options: { cause?: unknown } = {}): KubeconfigError {
    const field = [this.#path, name].filter((part) => part !== '').join('.');
    return new KubeconfigError(`${this.file}: ${field}: ${problem}`, options);
  }

  has(name: string): boolean {
    const value = this.#value[name];
    return value !== undefined && value !== null && value !== '';
  }

  string(name: string): string | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#value[name];
    if (typeof value === 'string') return value;
    throw this.error(name, `must be a string, is ${kindOf(value)}; put it in quotes`);
  }

  boolean(name: string): boolean {
    if (!this.has(name)) return false;
    const value = this.#value[name];
    if (typeof value === 'boolean') return value;
    throw this.error(name, `must be true or false, is ${kindOf(value)}`);
  }

  strings(name: string): string[] {
    return this.#list(name).map((value, i) => {
      if (typeof value === 'string') return value;
      throw this.error(`${name}[${i}]`, `must be a string, is ${kindOf(value)}; put it in quotes`);
    });
  }

  maps(name: string): Fields[] {
    return this.#list(name).map((value, i) => new Fields(this.file, this.#sub(`${name}[${i}]`), value));
  }

  map(name: string): Fields | undefined {
    return this.has(name) ? new Fields(this.file, this.#sub(name), this.#value[name]) : undefined;
  }

  names(): string[] {
    return Object.keys(this.#value);
  }

  /** The value as it stands, for what is handed on unread. */
  raw(name: string): unknown {
    return this.#value[name];
  }

  #sub(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }

  #list(name: string): readonly unknown[] {
    if (!this.has(name)) return [];
    const value = this.#value[name];
    if (Array.isArray(value)) return value;
    throw this.error(name, `must be a list, is ${kindOf(value)}`);
  }
}
