import type { Protocol } from './protocol.ts';
import { decimal, text } from './text.ts';

/** Lines of Stanford Research lock-ins: questions end as given, replies in CR (RS-232) or LF (GPIB, LAN), whichever comes. */
export const srs = (terminator = '\n'): Protocol<string, string> => text({ ask: terminator, tell: ['\n', '\r', '\r\n'] });

/** Rising values written as an index: `steps` within a decade, the first of them at 10^decade. */
export const rising = (steps: readonly number[], decade: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => Number(`${steps[i % steps.length]}e${Math.floor(i / steps.length) + decade}`));

/** The index of a value, which may be off by a thousandth of itself; -1 where there is none. */
export const indexOf = (table: readonly number[], value: number): number => table.findIndex((one) => Math.abs(one - value) <= 1e-3 * one);

/** A whole number from 0 to `most`; throws what came instead. */
export function natural(reply: string, most: number): number {
  const n = decimal(reply);
  if (Number.isInteger(n) && n >= 0 && n <= most) return n;
  throw new Error(`"${reply}" is no whole number from 0 to ${most}`);
}

/** So many numbers with commas between them; throws what came instead. */
export function numbers(reply: string, count: number): readonly number[] {
  const parts = reply.split(',').map(decimal);
  if (parts.length === count && !parts.some(Number.isNaN)) return parts;
  throw new Error(`"${reply}" are not ${count} number${count === 1 ? '' : 's'}`);
}

/** Filters of one to four stages (6 to 24 dB per octave): noise bandwidth times time constant, and time constants until 99 % have come. */
const FILTERS = [
  { enbw: 1 / 4, wait: 5 },
  { enbw: 1 / 8, wait: 7 },
  { enbw: 3 / 32, wait: 9 },
  { enbw: 5 / 64, wait: 10 },
] as const;

/** Noise bandwidth (Hz) and settling time (s) of a time constant in s (SR830 manual, "The DC output filters"). */
export function filter(tau: number, stages: number): { readonly enbw: number; readonly wait: number } {
  const found = FILTERS[stages - 1];
  return found ? { enbw: found.enbw / tau, wait: found.wait * tau } : { enbw: Number.NaN, wait: Number.NaN };
}
