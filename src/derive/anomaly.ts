/**
 * The methods `anomaly` and `anomaly-set-point`: breaks in temperature against laser power, and jumps of the emissivity factor at constant
 * temperature, along the present power ramp. It says that something has changed, never what: plateaus and breaks of T against power have many
 * causes, changes of absorption first among them (Geballe and Jeanloz, J. Appl. Phys. 111, 2012, 123518).
 */
import { options, type Refused, whole } from '../instrument.ts';
import { bad, type Measured, type Reading, type Sigma, type Values } from '../reading.ts';
import { type Anomaly, type Found, factorJump, onward, type Point, temperatureBreak } from './anomaly-ramp.ts';
import type { Derivation } from './derivation.ts';
import { amount } from './gauge-parameters.ts';

interface Params {
  readonly window: number;
  readonly least: number;
  readonly margin: number;
  readonly jump: number;
  readonly band: number;
}

interface State {
  readonly ramp: readonly Point[];
  /** The step before saw one too. */
  readonly seen: boolean;
  /** What this ramp has shown last. */
  readonly held?: Held;
}
interface Held extends Found {
  readonly shared?: Sigma['shared'];
}

const number = (about: string, otherwise: number, example: string) => ({
  about: `${about}, such as ${example}; otherwise ${otherwise}`,
  of: (v: unknown = otherwise): number | Refused => amount(v, '1', example),
});

const params = options<Params>({
  window: whole('points of the ramp that are looked at', 10, 200, 40),
  least: whole('points before anything is said', 8, 100, 10),
  margin: number('by how much the BIC of a break must be better than that of every smooth curve', 12, '12'),
  jump: number('jump of the emissivity factor, as a part of it', 0.1, '10 %'),
  band: number('by how much, as a part of the largest power, the power comes back before it is a new ramp', 0.02, '2 %'),
});

type Inputs<U extends 'W' | '1'> = { readonly temperature: 'K'; readonly power: U; readonly factor: '1' };
type Outputs<U extends 'W' | '1'> = {
  readonly anomaly: 'state';
  readonly at: 'K';
  readonly power: U;
  readonly slope_ratio: '1';
  readonly delta_bic: '1';
};

/** The next state, and by how much the best break is better than every smooth curve. */
function advanced(state: State, next: Point, p: Params, shared: Sigma['shared']): { readonly state: State; readonly gain?: number } {
  const { ramp, turned } = onward(state.ramp, next, p.window, p.band);
  const held = turned ? undefined : state.held;
  const going = { ramp, seen: false, ...(held ? { held } : {}) };
  if (ramp === state.ramp) return { state };
  if (ramp.length < p.least) return { state: going };
  const temperature = temperatureBreak(ramp);
  const factor = factorJump(ramp, p.jump);
  const gain = Math.max(temperature?.gain ?? Number.NEGATIVE_INFINITY, factor?.gain ?? Number.NEGATIVE_INFINITY);
  const shown = Number.isFinite(gain) ? { gain } : {};
  const passed = [temperature, factor].filter((s) => s !== undefined && s.gain > p.margin);
  // Where T itself jumps, the factor's jump is not one at constant T; else the factor says more than the slope.
  const order: readonly Anomaly[] = ['discontinuity', 'factor jump', 'slope change'];
  const kind = order.find((k) => passed.some((s) => s?.found.kind === k));
  const found = passed.find((s) => s?.found.kind === kind)?.found;
  if (!found) return { state: going, ...shown };
  // Seen twice in a row: one outlier at the end is no break.
  if (!state.seen || turned) return { state: { ...going, seen: true }, ...shown };
  return { state: { ramp: ramp.slice(found.index), seen: false, held: { ...found, ...(shared ? { shared } : {}) } }, ...shown };
}

function valuesOf<U extends 'W' | '1'>({ held }: State, gain: number | undefined): Values<Outputs<U>> {
  const at: Measured<'K'> | undefined = held && {
    quality: 'good',
    value: held.at,
    sigma: { random: held.atSigma, ...(held.shared ? { shared: held.shared } : {}) },
  };
  return {
    anomaly: held?.kind ?? 'none',
    ...(held && at ? { at, power: { quality: 'good', value: held.power, sigma: { random: held.powerSigma } } } : {}),
    ...(held?.slopes === undefined ? {} : { slope_ratio: held.slopes }),
    ...(gain === undefined ? {} : { delta_bic: gain }),
  } as Values<Outputs<U>>; // numbers of the units named above
}

function nothing<U extends 'W' | '1'>(why: string): Values<Outputs<U>> {
  const none = bad(why);
  // Every output, bad for the one reason.
  return { anomaly: none, at: none, power: none, slope_ratio: none, delta_bic: none } as Values<Outputs<U>>;
}

/**
 * `anomaly`: none, slope change (a plateau too), discontinuity, or factor jump; kept until the power ramp turns. `at` and `power`: where it
 * was, `slope_ratio`: slope behind over slope before; only while there is one. `delta_bic`: the evidence of the best break at present.
 */
const anomalyOf = <U extends 'W' | '1'>(method: string, unit: U): Derivation<Params, Inputs<U>, Outputs<U>, State> => ({
  method,
  inputs: { temperature: 'K', power: unit, factor: '1' },
  optional: ['factor'],
  outputs: { anomaly: 'state', at: 'K', power: unit, slope_ratio: '1', delta_bic: '1' },
  params,
  start: () => ({ ramp: [], seen: false }),
  step(state, inputs, p) {
    const { temperature } = inputs as { readonly temperature: Reading<'K'> }; // the inputs named above
    const power = inputs.power as Reading<'W'>; // or a number: both are numbers
    const factor = inputs.factor as Reading<'1'> | undefined; // a rig may leave it out
    if (temperature.quality === 'bad') return [state, nothing(temperature.why)];
    if (power.quality === 'bad') return [state, nothing(power.why)];
    const { value, sigma } = temperature;
    if (!sigma || !(sigma.random > 0))
      return [state, nothing(`${temperature.from} has no error bar: without one no break can be told from noise`)];
    const known = factor && factor.quality !== 'bad' && factor.value > 0 ? { factor: factor.value } : {};
    const point: Point = { t: temperature.t, power: power.value, temperature: value, sigma: sigma.random, ...known };
    const next = advanced(state, point, p, sigma.shared);
    return [next.state, valuesOf(next.state, next.gain)];
  },
});

/** Against the laser's power. */
export const anomaly = anomalyOf('anomaly', 'W');
/** Against a set point that is a part of the full one. */
export const anomalySetPoint = anomalyOf('anomaly-set-point', '1');
