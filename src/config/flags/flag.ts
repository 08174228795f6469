/** What a flag's value looks like. */
export type FlagType =
  | 'string'
  | 'bool'
  /** A whole number, within `min` and `max`. */
  | 'int'
  /** Any number, within `min` and `max`. */
  | 'number'
  /** Go's notation; the value is in milliseconds. */
  | 'duration'
  /** A resource quantity; the value is a number of whole units (bytes). */
  | 'quantity'
  | 'ip'
  /** An IP address, with or without a port. */
  | 'address'
  /** An IP range: `10.88.0.0/16`. */
  | 'cidr'
  /** Comma-separated and repeatable; the value is all of them. */
  | 'list'
  /** `key=value` pairs, comma-separated and repeatable. */
  | 'map'
  /** As `map`, with `true` or `false` as values. */
  | 'gates'
  /** `signal<threshold` pairs. */
  | 'thresholds'
  /** `name:value` pairs, comma-separated and repeatable, a name may occur several times. */
  | 'headers'
  /** Repeatable, each value taken as it is: commas don't split. */
  | 'strings';

/**
 * - `works`: does what its help says.
 * - `ignored`: a flag of kubelet or kube-proxy 1.36 without effect here, yet; its use is a warning.
 * - `removed`: upstream has dropped it, old set-ups carry it; its use is a warning.
 */
export type FlagState = 'works' | 'ignored' | 'removed';

export interface FlagSpec {
  readonly name: string;
  readonly short?: string;
  readonly type: FlagType;
  /** As text, for help and documentation; what the program does without the flag. */
  readonly default: string;
  readonly help: string;
  readonly state: FlagState;
  /** The allowed values of a string. */
  readonly oneOf?: readonly string[];
  /** Bounds of an int or a duration, both included. */
  readonly min?: number;
  readonly max?: number;
}

export type FlagValue =
  | string
  | boolean
  | number
  | readonly string[]
  | Readonly<Record<string, string>>
  | Readonly<Record<string, readonly string[]>>;
