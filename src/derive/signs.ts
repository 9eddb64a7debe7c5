/** What the sign of a resistance, and of the current under it, tells of the wiring. */
import { total } from '../reading.ts';
import type { Known } from './gauge.ts';

/** A number this many of its sigmas below zero is below zero. */
export const BELOW = 3;

const SWAPPED = 'the leads of voltage or of current are swapped';

/** "12 sigma", "more than 1000 sigma". */
export function sigmas(ratio: number): string {
  if (ratio > 1000) return 'more than 1000 sigma';
  return `${ratio >= 10 ? Math.round(ratio) : Number(ratio.toFixed(1))} sigma`;
}

/**
 * Why a resistance or resistivity below zero is none; undefined where it is above zero, or below it by no more than 3 sigma of its whole bar.
 * One without a bar is taken for certain.
 */
export function belowZero({ value, sigma }: Known): string | undefined {
  const bar = total(sigma);
  if (!(value < -BELOW * bar)) return undefined;
  return bar > 0 ? `below zero by ${sigmas(-value / bar)}: ${SWAPPED}` : `below zero: ${SWAPPED}`;
}

/** Why a current (A) that was to be above zero is of no use; `what` says whose it is. */
export const notForward = (amps: number, what: string): string =>
  amps < 0 ? `the current is reversed: ${what} is ${amps} A, and its size is above zero` : `no current flows: ${what} is ${amps} A`;
