/**
 * Kubernetes quantities (`100m`, `1.5Gi`, `12e6`), exact to a billionth: the serialization format documented for
 * `k8s.io/apimachinery/pkg/api/resource.Quantity`.
 */
import { NodeletError } from '../errors.ts';

export class QuantityError extends NodeletError {
  readonly code = 'QUANTITY';
}

/** Which family of suffixes a quantity was written with, and is printed with. */
export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

const NANO = 1_000_000_000n;
const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const BINARY = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const MAX_INT64 = (1n << 63n) - 1n;
const SHAPE = /^([+-]?)(\d*)(?:\.(\d*))?(?:(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE])|[eE]([+-]?\d{1,4}))?$/;
/** Longer texts and larger exponents mean nothing, and would only cost time and memory. */
const MAX_LENGTH = 100;
const MAX_EXPONENT = 60;

/** `dividend / divisor`, rounded away from zero, for a positive divisor. */
function divideUp(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  if (dividend % divisor === 0n) return quotient;
  return dividend > 0n ? quotient + 1n : quotient - 1n;
}

/** As a number; beyond what a number holds exactly it stays at that bound (8 PiB if they are bytes). */
function toNumber(integer: bigint): number {
  const bound = BigInt(Number.MAX_SAFE_INTEGER);
  if (integer > bound) return Number.MAX_SAFE_INTEGER;
  return integer < -bound ? -Number.MAX_SAFE_INTEGER : Number(integer);
}

/** An amount of a resource. Immutable. */
export class Quantity {
  static readonly zero = new Quantity(0n, 'DecimalSI');

  /** The amount in billionths. */
  readonly nanos: bigint;
  readonly format: QuantityFormat;

  constructor(nanos: bigint, format: QuantityFormat) {
    this.nanos = nanos;
    this.format = format;
  }

  /** `milli` thousandths, as CPU amounts are counted. */
  static fromMilli(milli: number, format: QuantityFormat = 'DecimalSI'): Quantity {
    return new Quantity(BigInt(milli) * 1_000_000n, format);
  }

  static fromInteger(integer: number | bigint, format: QuantityFormat = 'DecimalSI'): Quantity {
    return new Quantity(BigInt(integer) * NANO, format);
  }

  /** Whole units, a fraction rounded up (away from zero): bytes of memory, pages, pods. */
  value(): number {
    return toNumber(divideUp(this.nanos, NANO));
  }

  /** Thousandths, a fraction of one rounded up (away from zero). */
  milliValue(): number {
    return toNumber(divideUp(this.nanos, 1_000_000n));
  }

  get isZero(): boolean {
    return this.nanos === 0n;
  }

  /** -1, 0 or 1. */
  get sign(): number {
    return this.nanos === 0n ? 0 : this.nanos > 0n ? 1 : -1;
  }

  /** Negative, zero or positive, as sort functions want it. */
  compare(other: Quantity): number {
    return this.nanos === other.nanos ? 0 : this.nanos < other.nanos ? -1 : 1;
  }

  /** The sum keeps this quantity's format; zero takes the other's. */
  plus(other: Quantity): Quantity {
    return new Quantity(this.nanos + other.nanos, this.isZero ? other.format : this.format);
  }

  minus(other: Quantity): Quantity {
    return new Quantity(this.nanos - other.nanos, this.isZero ? other.format : this.format);
  }

  /** The canonical text: no fraction, the largest suffix that keeps the amount exact. */
  toString(): string {
    if (this.nanos === 0n) return '0';
    const magnitude = this.nanos < 0n ? -this.nanos : this.nanos;
    const sign = this.nanos < 0n ? '-' : '';
    if (this.format === 'BinarySI' && magnitude >= 1024n * NANO) {
      let rest = divideUp(magnitude, NANO);
      let power = 0;
      for (; power < BINARY.length && rest % 1024n === 0n; power++) rest /= 1024n;
      return `${sign}${rest}${power === 0 ? '' : BINARY[power - 1]}`;
    }
    let rest = magnitude;
    let step = 0;
    for (; step < DECIMAL.length - 1 && rest % 1000n === 0n; step++) rest /= 1000n;
    if (this.format !== 'DecimalExponent') return `${sign}${rest}${DECIMAL[step]}`;
    const exponent = step * 3 - 9;
    return `${sign}${rest}${exponent === 0 ? '' : `e${exponent}`}`;
  }

  toJSON(): string {
    return this.toString();
  }
}

function refuse(text: string): QuantityError {
  return new QuantityError(
    `quantity ${JSON.stringify(text.slice(0, 60))} is not valid: allowed is a decimal number, alone or followed by ` +
      'one of n u m k M G T P E, Ki Mi Gi Ti Pi Ei, or an exponent as in 12e6',
  );
}

/**
 * Reads a quantity. Digits beyond billionths round up (away from zero); with binary suffixes 2^63-1 is the cap,
 * as upstream. A number is read as its decimal text, as JSON and YAML carry it.
 */
export function parseQuantity(input: string | number): Quantity {
  const text = String(input);
  const match = text.length <= MAX_LENGTH ? SHAPE.exec(text) : null;
  const [, sign = '', whole = '', fraction = '', suffix = '', exponentText] = match ?? [];
  const digits = whole + fraction;
  if (digits === '') throw refuse(text);

  const power = BINARY.indexOf(suffix) + 1;
  const exponent = exponentText === undefined ? DECIMAL.indexOf(suffix) * 3 - 9 : Number(exponentText);
  if (Math.abs(exponent) > MAX_EXPONENT && power === 0) throw refuse(text);

  // amount = digits × 10^(scale - 9) billionths, or × 1024^power where the suffix is binary.
  const scale = (power === 0 ? exponent : 0) + 9 - fraction.length;
  const unscaled = BigInt(digits) * 1024n ** BigInt(power);
  let nanos = scale >= 0 ? unscaled * 10n ** BigInt(scale) : divideUp(unscaled, 10n ** BigInt(-scale));
  let format: QuantityFormat = exponentText === undefined ? 'DecimalSI' : 'DecimalExponent';
  if (power > 0) {
    nanos = nanos > MAX_INT64 * NANO ? MAX_INT64 * NANO : nanos;
    format = nanos < NANO ? 'DecimalSI' : 'BinarySI';
  }
  return new Quantity(sign === '-' ? -nanos : nanos, format);
}

/** As `parseQuantity`, with the field's name in front of the error. */
export function parseQuantityField(input: string | number, field: string): Quantity {
  try {
    return parseQuantity(input);
  } catch (cause) {
    throw new QuantityError(`${field}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
