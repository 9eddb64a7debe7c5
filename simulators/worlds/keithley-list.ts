/** Lists of numbers in simulated Keithley instruments: custom sweeps, arbitrary waves. */
import { type Box, type Code, type Entry, numberOf, sci, type Trouble } from './keithley-scpi.ts';

const numbers = (args: readonly string[], lo: number, hi: number): readonly number[] | Code => {
  if (args.length === 0) return -109;
  const all = args.map((a) => numberOf(a, { lo, hi, rst: 0 }));
  const wrong = all.find((n) => typeof n !== 'number');
  return typeof wrong === 'object' ? wrong.code : all.filter((n) => typeof n === 'number');
};
export interface Listed<S> {
  readonly path: string;
  readonly append: string;
  readonly span: readonly [number, number];
  readonly of: (s: S) => number[];
  readonly most: number;
}
/** A list that is set, appended to (100 values at once), read and counted. */
export const list = <S extends Box>({ path, append, span, of, most }: Listed<S>): readonly Entry<S>[] => {
  const put =
    (clear: boolean) =>
    (s: S, args: readonly string[]): Trouble => {
      const all = numbers(args, ...span);
      if (typeof all === 'number') return all;
      if (all.length > 100 || (clear ? 0 : of(s).length) + all.length > most) return -223;
      if (clear) of(s).length = 0;
      of(s).push(...all);
      return undefined;
    };
  return [
    {
      pattern: path,
      get: (s) =>
        of(s)
          .map((n) => sci(n))
          .join(','),
      set: put(true),
    },
    { pattern: append, set: put(false) },
    { pattern: `${path.replace(':DATA', '')}:POINts`, get: (s) => String(of(s).length) },
  ];
};
