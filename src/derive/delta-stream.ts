/**
 * The method `delta-stream`: resistance from the 3-point deltas that a current source gives by itself (the Keithley 622x with a 2182A), at
 * their full rate and with an error that knows that they overlap.
 */
import { type Field, options } from '../instrument.ts';
import { bad, type Trace, type Values } from '../reading.ts';
import { Refused } from '../talk.ts';
import { fitDelta, student } from './delta.ts';
import type { Derivation } from './derivation.ts';
import { known, perhaps } from './gauge-parameters.ts';
import { belowZero, notForward } from './signs.ts';

/**
 * Raw readings that have these 3-point deltas. Such deltas are second differences of the readings with their signs turned, so that they
 * fix the readings but for an offset and a linear drift, which a fit of (R, offset, drift) does not look at: its R, error and noise are
 * those of the readings that the instrument did not tell.
 */
export function undelta(deltas: readonly number[]): Float64Array {
  const raw = new Float64Array(deltas.length + 2);
  // The first two lie on a line that makes the others small.
  const first = deltas[0] ?? 0;
  raw[0] = first;
  raw[1] = -first;
  deltas.forEach((d, i) => {
    raw[i + 2] = (i % 2 === 0 ? 4 : -4) * d + 2 * (raw[i + 1] ?? 0) - (raw[i] ?? 0);
  });
  return raw;
}

export interface StreamFit {
  /** Ohm, with one sigma. */
  readonly resistance: number;
  readonly sigma: number;
  /** V rms of one raw reading. */
  readonly noise: number;
  readonly dof: number;
}

/**
 * Least squares over all readings behind runs of deltas (V) at one current (A), each run with an offset and a drift of its own and one
 * noise (V rms of a raw reading) for all: from the residuals, widened by Student's factor, where none is given. Undefined where no run has
 * two deltas.
 */
export function fitDeltaStream(runs: readonly (readonly number[])[], amps: number, noise?: number): StreamFit | undefined {
  const fits = runs.flatMap((run) => {
    const fit = run.length < 2 ? undefined : fitDelta(undelta(run), amps, 1, { noise: 1 });
    return fit ? [{ ...fit, weight: fit.sigma ** -2 }] : [];
  });
  if (fits.length === 0) return undefined;
  const weights = fits.reduce((s, f) => s + f.weight, 0);
  const resistance = fits.reduce((s, f) => s + f.weight * f.resistance, 0) / weights;
  // What the runs differ by tells of the noise, too.
  const squares = fits.reduce((s, f) => s + f.noise ** 2 * f.dof + f.weight * (f.resistance - resistance) ** 2, 0);
  const dof = fits.reduce((s, f) => s + f.dof, fits.length - 1);
  const seen = Math.sqrt(squares / dof);
  return { resistance, sigma: (noise ?? seen * student(dof)) / Math.sqrt(weights), noise: seen, dof };
}

interface Row {
  readonly volts: number;
  readonly amps: number;
  readonly number: number;
  /** Microseconds. */
  readonly t: number;
}

function rowsOf({ columns, begin, end }: Trace): readonly Row[] | string {
  const { voltage, current, number, time } = columns;
  if (voltage?.unit !== 'V' || current?.unit !== 'A') return 'deltas have the columns "voltage" (V) and "current" (A)';
  const n = voltage.data.length;
  const first = Number(time?.data[0] ?? 0);
  const rows = Array.from({ length: n }, (_, i) => ({
    volts: Number(voltage.data[i]),
    amps: Number(current.data[i]),
    number: Number(number?.data[i] ?? i),
    t: time?.unit === 's' ? begin + (Number(time.data[i]) - first) * 1e6 : begin + ((end - begin) * i) / Math.max(1, n - 1),
  }));
  const odd = rows.findIndex(({ volts }) => !Number.isFinite(volts));
  if (odd >= 0) return `reading ${odd + 1} is no number`;
  const still = rows.find(({ amps }) => !(amps > 0));
  return still ? notForward(still.amps, 'half of delta_high less delta_low') : rows;
}

/** Deltas (V) that follow one another, parted where a number is missing. */
function runsOf(rows: readonly Row[]): readonly (readonly number[])[] {
  const runs: number[][] = [];
  rows.forEach(({ volts, number }, i) => {
    if (number === (rows[i - 1]?.number ?? Number.NaN) + 1) runs.at(-1)?.push(volts);
    else runs.push([volts]);
  });
  return runs;
}

interface Params {
  readonly noise: number | undefined;
  /** One sigma of the current over the current. */
  readonly current: number;
  readonly least: number;
}
const IN = { readings: 'trace' } as const;
const OUT = { resistance: 'Ω', noise: 'V', readings: '1' } as const;
const noiseField: Field<number | undefined> = perhaps('rms of one reading of the meter, such as 5 nV; otherwise the scatter says', (v) => {
  const read = known(v, 'V', '5 nV');
  if (read instanceof Refused) return read;
  return read.value > 0 ? read.value : new Refused(`must be above zero, not ${String(v)}`);
});
const currentField: Field<number> = {
  about: 'one sigma of the current source, as current and sigma: 1 mA +- 0.5 uA; its size is that of the readings',
  of(v) {
    if (v === undefined) return 0;
    const read = known(v, 'A', '1 mA +- 0.5 uA');
    if (read instanceof Refused) return read;
    if (read.value < 0) return new Refused(notForward(read.value, `"${String(v)}"`));
    return read.value > 0 ? (read.sigma ?? 0) / read.value : new Refused(`must be above zero, not ${String(v)}`);
  },
};

const nothing = (why: string): Values<typeof OUT> => ({ resistance: bad(why), noise: bad(why), readings: bad(why) });

/** A block with too few readings waits for the next one. Neighbouring blocks have two raw readings in common, which their bars do not tell. */
export const deltaStream: Derivation<Params, typeof IN, typeof OUT, readonly Row[]> = {
  method: 'delta-stream',
  inputs: IN,
  outputs: OUT,
  params: options<Params>({
    noise: noiseField,
    current: currentField,
    least: {
      about: 'readings that make one resistance (otherwise 6)',
      of: (v) => (v === undefined ? 6 : Number.isInteger(v) && Number(v) >= 2 ? Number(v) : new Refused('must be a whole number from 2')),
    },
  }),
  start: () => [],
  step(held, { readings }, { noise, current, least }) {
    if (readings.quality === 'bad') return [[], nothing(readings.why)];
    const came = rowsOf(readings.value);
    if (typeof came === 'string') return [[], nothing(came)];
    const [first] = came;
    const last = held.at(-1);
    // Of another run: what was held is over.
    const rows = first && last && first.number === last.number + 1 ? [...held, ...came] : came;
    if (rows.length < least) return [rows, {}];
    const amps = rows[0]?.amps ?? Number.NaN;
    if (rows.some((row) => row.amps !== amps)) return [[], nothing('the current was changed among these readings')];
    const runs = runsOf(rows);
    const fit = fitDeltaStream(runs, amps, noise);
    if (!fit) return [[], nothing(`no two of ${rows.length} readings follow one another: too many are missing`)];
    const about = { t: Math.round(((rows[0]?.t ?? 0) + (rows.at(-1)?.t ?? 0)) / 2), quality: 'good' } as const;
    const sigma = { random: fit.sigma, ...(current > 0 ? { shared: { current: -fit.resistance * current } } : {}) };
    const swapped = belowZero({ value: fit.resistance, sigma });
    return [
      [],
      {
        resistance: swapped === undefined ? { ...about, value: fit.resistance, sigma } : { t: about.t, ...bad(swapped) },
        noise: { ...about, value: fit.noise },
        readings: { ...about, value: rows.length },
      },
    ];
  },
};
