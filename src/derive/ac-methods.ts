/** The methods `ac-resistance` and `third-harmonic`: from a lock-in's components to a resistance, and whether its current heats. */
import { options } from '../instrument.ts';
import { bad, type Sigma, total } from '../reading.ts';
import { Refused } from '../talk.ts';
import type { Derivation } from './derivation.ts';
import { carried, type Known } from './gauge.ts';
import { amplitude, phase } from './lock-in.ts';
import { amountOf, good, type Numeric, nothing, valued } from './method-values.ts';
import { belowZero, notForward, sigmas } from './signs.ts';

const AC_IN = { x: 'V', y: 'V', current: 'A' } as const;
const AC = { resistance: 'Ω', quadrature: 'Ω', amplitude: 'V', phase: 'rad' } as const;
interface AcParams {
  readonly amplitude: Known | undefined;
  readonly least: number;
}
/** Sigmas that a voltage must rise above `least` once it was in its noise: one that hovers there gives no number now and then. */
const BACK = 2;

interface Verdict {
  /** Why there is no resistance. */
  readonly none?: string;
  /** Why there is one that deserves a second look. */
  readonly doubt?: string;
  /** The in-phase part is not told from its noise. */
  readonly quiet: boolean;
}

/** What the two components (V) say of the wiring. Without bars nothing can be told from noise, and every difference counts. */
function verdict(x: Known, y: Known, amps: number, resistance: Known, least: number, wasQuiet: boolean): Verdict {
  const [sx, sy] = [total(x.sigma), total(y.sigma)];
  const [inPhase, outOfPhase] = [Math.abs(x.value), Math.abs(y.value)];
  const wanted = least > 0 && wasQuiet ? least + BACK : least;
  const quiet = sx > 0 && inPhase < wanted * sx;
  const seen = `the in-phase part is ${sigmas(inPhase / sx)} of its noise`;
  if (amps < 0) return { none: notForward(amps, 'the amplitude'), quiet };
  if (outOfPhase - inPhase > 3 * Math.hypot(sx, sy))
    return {
      none: `more out of phase than in phase${quiet ? `, and ${seen}` : ''}: an open contact or lead, capacitance, pick-up or a wrong reference phase`,
      quiet,
    };
  if (quiet)
    return { none: `${seen}: no current flows (an open contact or lead), or it is too small for this resistance to be seen`, quiet };
  const swapped = belowZero(resistance);
  if (swapped !== undefined) return { none: swapped, quiet };
  return outOfPhase > inPhase ? { doubt: 'as much out of phase as in phase, within the bars', quiet } : { quiet };
}

/**
 * Resistance from the component in phase with the current; the one beside it tells of capacitance and pick-up. No number where that one is
 * the larger, where the in-phase part is not told from its noise, and where it is below zero.
 */
export const acResistance: Derivation<AcParams, typeof AC_IN, typeof AC, boolean> = {
  method: 'ac-resistance',
  inputs: AC_IN,
  optional: ['current'],
  outputs: AC,
  params: options<AcParams>({
    amplitude: amountOf('rms current where none is read, such as 1 mA +- 1 uA', 'A', '1 mA +- 1 uA', 'current'),
    least: {
      about: 'sigmas of its noise that the in-phase part must have (otherwise 3; 0 takes all, where the resistance may be none)',
      of: (v) => (v === undefined ? 3 : typeof v === 'number' && v >= 0 ? v : new Refused('must be a number from 0')),
    },
  }),
  start: () => false,
  step(wasQuiet, given, params) {
    const inputs = given as { readonly x: Numeric; readonly y: Numeric; readonly current?: Numeric }; // the inputs named above
    const [x, y, current] = [valued(inputs.x), valued(inputs.y), valued(inputs.current) ?? params.amplitude];
    if (!x || !y) return [wasQuiet, nothing(AC, 'no component')];
    if (!current) return [wasQuiet, nothing(AC, 'the current is neither read nor given as "amplitude"')];
    if (!(Math.abs(current.value) > 0)) return [wasQuiet, nothing(AC, 'no current flows')];
    const i = current.value;
    const over = (v: Known): Sigma =>
      carried([
        [1 / i, v.sigma],
        [-v.value / i ** 2, current.sigma],
      ]);
    const size = amplitude({ x: x.value, y: y.value });
    const towards = (a: number, b: number): Sigma =>
      carried([
        [a, x.sigma],
        [b, y.sigma],
      ]);
    const resistance = { value: x.value / i, sigma: over(x) };
    const { none, doubt, quiet } = verdict(x, y, i, resistance, params.least, wasQuiet);
    return [
      quiet,
      {
        resistance: none === undefined ? good(resistance.value, resistance.sigma, doubt) : bad(none),
        quadrature: good(y.value / i, over(y), none),
        amplitude: good(size, size > 0 ? towards(x.value / size, y.value / size) : undefined),
        phase: good(phase({ x: x.value, y: y.value }), size > 0 ? towards(-y.value / size ** 2, x.value / size ** 2) : undefined, none),
      },
    ];
  },
};

const THIRD_IN = { third: 'V', first: 'V' } as const;
const THIRD = { ratio: '1', heating: 'state' } as const;

/** A current that heats the sample makes a voltage at three times its frequency: a hint, not a temperature. */
export const thirdHarmonic: Derivation<{ readonly limit: number }, typeof THIRD_IN, typeof THIRD, undefined> = {
  method: 'third-harmonic',
  inputs: THIRD_IN,
  outputs: THIRD,
  params: options({
    limit: {
      about: 'ratio of the third to the first harmonic from which the sample is said to be heated (otherwise 1e-3)',
      of: (v) => (v === undefined ? 1e-3 : typeof v === 'number' && v > 0 ? v : new Refused('must be a number above zero')),
    },
  }),
  start: () => undefined,
  step(_, given, { limit }) {
    const inputs = given as { readonly third: Numeric; readonly first: Numeric }; // the inputs named above
    const [third, first] = [valued(inputs.third), valued(inputs.first)];
    if (!third || !first || first.value === 0) return [undefined, nothing(THIRD, 'no first harmonic')];
    const ratio = Math.abs(third.value / first.value);
    const sigma = carried([
      [1 / first.value, third.sigma],
      [-third.value / first.value ** 2, first.sigma],
    ]);
    const heated = ratio > limit && ratio > 3 * total(sigma);
    return [undefined, { ratio: good(ratio, sigma), heating: heated ? 'heated by its current' : 'not seen' }];
  },
};
