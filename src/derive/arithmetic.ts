/** The plain derivations: ratio and difference of two channels, with both uncertainties. */
import type { Schema } from '../instrument.ts';
import type { Reading, Sigma, Values } from '../reading.ts';
import { Refused } from '../talk.ts';
import type { Derivation } from './derivation.ts';

const none: Schema<Readonly<Record<string, never>>> = {
  fields: {},
  parse: (yaml) =>
    yaml === undefined || (typeof yaml === 'object' && yaml !== null && Object.keys(yaml).length === 0)
      ? {}
      : new Refused('this method takes no parameters'),
};

/** First-order propagation: random parts add in square, shared parts of one cause add linearly, each through its derivative. */
function propagated(parts: readonly (readonly [number, Sigma | undefined])[]): Sigma | undefined {
  if (parts.every(([, sigma]) => sigma === undefined)) return undefined; // unknown is not zero
  const shared: Record<string, number> = {};
  for (const [slope, sigma] of parts) {
    for (const [cause, size] of Object.entries(sigma?.shared ?? {})) shared[cause] = (shared[cause] ?? 0) + slope * size;
  }
  return { random: Math.hypot(...parts.map(([slope, sigma]) => slope * (sigma?.random ?? 0))), shared };
}

type Pair<U extends 'W' | 'V' | 'K' | 'Pa' | '1'> = { readonly a: Reading<U>; readonly b: Reading<U> };

const ratioOf = <U extends 'W' | 'V'>(
  method: string,
  unit: U,
): Derivation<Readonly<Record<string, never>>, { a: U; b: U }, { ratio: '1' }, undefined> => ({
  method,
  inputs: { a: unit, b: unit },
  outputs: { ratio: '1' },
  params: none,
  start: () => undefined,
  step: (_, x): readonly [undefined, Values<{ ratio: '1' }>] => {
    const { a, b } = x as Pair<U>; // the inputs named above
    if (a.quality === 'bad' || b.quality === 'bad') return [undefined, {}];
    const [p, q] = [Number(a.value), Number(b.value)];
    if (q === 0) return [undefined, { ratio: { quality: 'bad', why: `${b.from} is zero` } }];
    return [
      undefined,
      {
        ratio: {
          quality: 'good',
          value: p / q,
          sigma: propagated([
            [1 / q, a.sigma],
            [-p / q ** 2, b.sigma],
          ]),
        },
      },
    ];
  },
});

const differenceOf = <U extends 'K' | 'Pa'>(
  method: string,
  unit: U,
): Derivation<Readonly<Record<string, never>>, { a: U; b: U }, { difference: U }, undefined> => ({
  method,
  inputs: { a: unit, b: unit },
  outputs: { difference: unit },
  params: none,
  start: () => undefined,
  step: (_, x) => {
    const { a, b } = x as Pair<U>; // the inputs named above
    if (a.quality === 'bad' || b.quality === 'bad') return [undefined, {}];
    const value = Number(a.value) - Number(b.value);
    const difference = {
      quality: 'good',
      value,
      sigma: propagated([
        [1, a.sigma],
        [-1, b.sigma],
      ]),
    };
    return [undefined, { difference } as unknown as Values<{ difference: U }>]; // a number of the unit U
  },
});

/** a / b of two powers or of two voltages (a detector and its reference). */
export const powerRatio = ratioOf('power-ratio', 'W');
export const voltageRatio = ratioOf('voltage-ratio', 'V');
/** a - b of two temperatures or of two pressures. */
export const temperatureDifference = differenceOf('temperature-difference', 'K');
export const pressureDifference = differenceOf('pressure-difference', 'Pa');
