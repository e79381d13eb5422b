// SPDX-License-Identifier: Apache-2.0
// Kubernetes resource quantities ("128Mi", "0.5", "500m", "1e3"), parsed exactly.
// Read first: the documentation of apimachinery's resource.Quantity (grammar, suffixes, rounding up at nano).
import { fail, ok, type Result } from './result.js';

/** A quantity as a whole number of 10^-9 units; what is finer is rounded up (away from zero), as Kubernetes does. */
export interface Quantity {
  readonly nanos: bigint;
}

/** Longer texts are refused before anything is computed; the longest sensible one has about 30 characters. */
const MAX_TEXT_LENGTH = 64;
/** Exponents past this cannot give a value in range with the digits that MAX_TEXT_LENGTH allows. */
const MAX_EXPONENT = 100;
/** Kubernetes keeps values within a signed 64-bit integer of whole units. */
const MAX_UNITS = 2n ** 63n - 1n;
const NANOS_PER_UNIT = 10n ** 9n;
const NANOS_PER_MILLI = 10n ** 6n;

const FORM = /^([+-]?)(\d+\.?\d*|\.\d+)(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?\d+)?$/;

const BINARY_EXPONENTS: Readonly<Record<string, bigint>> = {
  Ki: 10n,
  Mi: 20n,
  Gi: 30n,
  Ti: 40n,
  Pi: 50n,
  Ei: 60n,
};
const DECIMAL_EXPONENTS: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};

/** Parses a quantity; the error is a sentence for people that quotes the text. */
export function parseQuantity(text: string): Result<Quantity> {
  if (text.length > MAX_TEXT_LENGTH) {
    return fail(`a quantity has at most ${MAX_TEXT_LENGTH} characters`);
  }
  const match = FORM.exec(text);
  if (match === null) {
    return fail(
      `"${text}" is not a quantity: write a number with one of n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei`,
    );
  }
  const [, sign = '', number = '', suffix = ''] = match;
  const [whole = '', fraction = ''] = number.split('.');
  const scale = suffixScale(suffix);
  if (scale === undefined) {
    return fail(`"${text}" is out of range`);
  }
  // value = digits * factor * 10^exponent, in nano units
  const exponent = scale.exponent - fraction.length + 9;
  const digits = BigInt(whole + fraction) * scale.factor;
  const nanos = exponent >= 0 ? digits * 10n ** BigInt(exponent) : divideUp(digits, 10n ** BigInt(-exponent));
  if (nanos > MAX_UNITS * NANOS_PER_UNIT) {
    return fail(`"${text}" is out of range`);
  }
  return ok({ nanos: sign === '-' ? -nanos : nanos });
}

/** Whole units, rounded up: bytes of a memory quantity. */
export function quantityUnits(quantity: Quantity): bigint {
  return divideUp(quantity.nanos, NANOS_PER_UNIT);
}

/** Thousandths, rounded up: millicores of a cpu quantity. */
export function quantityMillis(quantity: Quantity): bigint {
  return divideUp(quantity.nanos, NANOS_PER_MILLI);
}

/** Bytes of a memory quantity ("128Mi"); negative ones are refused. */
export function parseMemoryBytes(text: string): Result<bigint> {
  return parseNonNegative(text, quantityUnits);
}

/** Millicores of a cpu quantity ("500m", "2"); negative ones are refused. */
export function parseCpuMillicores(text: string): Result<bigint> {
  return parseNonNegative(text, quantityMillis);
}

function parseNonNegative(text: string, convert: (quantity: Quantity) => bigint): Result<bigint> {
  const quantity = parseQuantity(text);
  if (!quantity.ok) {
    return quantity;
  }
  return quantity.value.nanos < 0n ? fail(`"${text}" is negative`) : ok(convert(quantity.value));
}

function suffixScale(suffix: string): { factor: bigint; exponent: number } | undefined {
  const binary = BINARY_EXPONENTS[suffix];
  if (binary !== undefined) {
    return { factor: 1n << binary, exponent: 0 };
  }
  if (suffix === '') {
    return { factor: 1n, exponent: 0 };
  }
  const exponent = DECIMAL_EXPONENTS[suffix] ?? Number(suffix.slice(1));
  return Math.abs(exponent) > MAX_EXPONENT ? undefined : { factor: 1n, exponent };
}

/** Towards positive infinity for what is positive, towards negative infinity for what is negative. */
function divideUp(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  if (value % divisor === 0n) {
    return quotient;
  }
  return value > 0n ? quotient + 1n : quotient - 1n;
}
