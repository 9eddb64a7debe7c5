/** Numbers and times as bytes of line protocol, without strings where that is faster. */

/** Bytes that grow: `bytes` may be replaced by a larger array, `at` is where the next byte goes. */
export interface Grow {
  bytes: Uint8Array;
  at: number;
}

/** Makes room for `more` bytes behind `out.at`. */
export function grow(out: Grow, more: number): void {
  const larger = new Uint8Array(Math.max(out.bytes.length * 2, out.at + more));
  larger.set(out.bytes.subarray(0, out.at));
  out.bytes = larger;
}

const TEN: readonly number[] = Array.from({ length: 23 }, (_, n) => Number(`1e${n}`)); // all exact in a double
const power = (n: number): number => TEN[n] ?? Number.NaN;

/** Up to nine digits of a whole number below 2^31, with leading zeros up to `width`. */
function smallDigits(bytes: Uint8Array, at: number, n: number, width: number): number {
  let end = at + width;
  if (width === 0) {
    end = at + 1;
    for (let bound = 10; n >= bound; bound *= 10) end++;
  }
  let rest = n | 0;
  for (let i = end - 1; i >= at; i--) {
    const tenth = (rest / 10) | 0;
    bytes[i] = 48 + rest - tenth * 10;
    rest = tenth;
  }
  return end;
}

/** Digits of a whole number below 2^53; `width` above 0 pads with zeros. */
function digits(bytes: Uint8Array, at: number, n: number, width: number): number {
  if (n < 1e9 && width <= 9) return smallDigits(bytes, at, n, width);
  const [high, low] = divide(n, 1e8);
  const next = high === 0 && width === 0 ? at : smallDigits(bytes, at, high, Math.max(0, width - 8));
  return smallDigits(bytes, next, low, 8);
}

/** Quotient and rest of whole numbers below 2^53; the quotient of doubles may be rounded up to the next whole number. */
function divide(n: number, by: number): readonly [number, number] {
  const guess = Math.floor(n / by);
  const rest = n - guess * by;
  return rest < 0 ? [guess - 1, rest + by] : [guess, rest];
}

/** n / 10^decimals for a whole n below 2^53, without zeros at the end. */
function scaled(out: Grow, negative: boolean, n: number, decimals: number): void {
  const { bytes } = out;
  let at = out.at;
  if (negative) bytes[at++] = 45;
  const one = power(decimals);
  let whole = Math.floor(n / one);
  let rest = n - whole * one;
  if (rest < 0) {
    whole--;
    rest += one;
  }
  at = digits(bytes, at, whole, 0);
  if (rest > 0) {
    bytes[at++] = 46;
    at = digits(bytes, at, rest, decimals);
    while (bytes[at - 1] === 48) at--;
  }
  out.at = at;
}

function text(out: Grow, value: number): string {
  const shown = Object.is(value, -0) ? '-0' : String(value);
  const { bytes } = out;
  let { at } = out;
  for (let i = 0; i < shown.length; i++) bytes[at++] = shown.charCodeAt(i);
  out.at = at;
  return shown;
}

/** What to try first for the next number of a series: its decimals, -1 where only the slow way will do. */
export interface Hint {
  decimals: number;
}

/**
 * A finite double that reads back as the same bits, in as few digits as that takes. A number of up to 15 digits in all is
 * tried as a whole number over 10^decimals: the quotient of two exact doubles is the double nearest to that decimal.
 */
export function numberBytes(out: Grow, value: number, hint: Hint): void {
  if (out.at + 40 > out.bytes.length) grow(out, 40);
  if (hint.decimals >= 0) {
    const size = Math.abs(value);
    const one = power(hint.decimals);
    const n = Math.round(size * one);
    if (n > 0 && n < 1e15 && n / one === size) {
      scaled(out, value < 0, n, hint.decimals);
      return;
    }
  }
  const shown = text(out, value);
  const dot = shown.indexOf('.');
  if (shown.length > 16 || shown.includes('e')) hint.decimals = -1;
  else hint.decimals = dot < 0 ? 0 : shown.length - dot - 1;
}

/** A finite double rounded to `decimals` places (0 to 15); what is too large for that is written in full. */
export function fixedBytes(out: Grow, value: number, decimals: number): void {
  if (out.at + 40 > out.bytes.length) grow(out, 40);
  const n = Math.round(Math.abs(value) * power(decimals));
  if (n < 2 ** 53) scaled(out, value < 0 && n > 0, n, decimals);
  else text(out, value);
}

/** Part of an error bar: with `decimals`, three places more than the value, yet never fewer than three digits. */
export function sigmaBytes(out: Grow, size: number, decimals: number | undefined): void {
  if (out.at + 40 > out.bytes.length) grow(out, 40);
  if (decimals !== undefined) {
    const places = Math.min(decimals + 3, 18);
    const n = Math.round(Math.abs(size) * power(places));
    if (n >= 100 && n < 2 ** 53) {
      scaled(out, size < 0, n, places);
      return;
    }
  }
  text(out, size);
}

/**
 * " NANOSECONDS\n": t in microseconds since 1970 (at most 2^53 either way) times 1000, plus seq modulo 1000, so that
 * readings of one channel in one microsecond stay apart and a point sent again replaces itself. Exact to the last digit.
 */
export function timeBytes(out: Grow, t: number, seq: number): void {
  if (out.at + 24 > out.bytes.length) grow(out, 24);
  const { bytes } = out;
  let micros = Math.floor(t);
  let nanos = Number.isSafeInteger(seq) ? ((seq % 1000) + 1000) % 1000 : 0;
  bytes[out.at++] = 32;
  if (micros < 0) {
    bytes[out.at++] = 45;
    micros = -micros; // -5 us + 3 ns is -(4 us + 997 ns)
    if (nanos > 0) {
      micros--;
      nanos = 1000 - nanos;
    }
  }
  let { at } = out;
  if (micros > 0) at = digits(bytes, at, micros, 0);
  at = smallDigits(bytes, at, nanos, micros > 0 ? 3 : 0);
  bytes[at++] = 10;
  out.at = at;
}
