/** The ruby gauge: from the R1 line and the temperature of the ruby to a pressure with every term of its error bar. */
import { total } from '../reading.ts';
import { carried, constant, type GaugePressure, type Known, nanometres, outside } from './gauge.ts';
import { type RubyForm, type RubyScale, rubyLine, rubyPressure, rubySlopes } from './ruby-scales.ts';

/** R1 at ambient conditions: "near 694.25 nm" (Shen et al. 2020, Ruby2020). Each crystal and spectrometer has its own. */
export const RUBY_REFERENCE = 694.25e-9;
/** Temperature (K) from which Datchi et al. 2007 count; that of the reference where none is given. */
export const ROOM = 296;

/** A polynomial in (T - from) without a constant term, nm; or Ragan's in 1/cm. */
interface ShiftLaw {
  /** Nanometre, up to a constant. */
  readonly at: (t: number) => number;
  /** nm/K. */
  readonly slope: (t: number) => number;
  /** Kelvin; absent where none is stated. */
  readonly range?: readonly [number, number];
  readonly source: string;
}

const cubic = (from: number, [a, b, c]: readonly [number, number, number]): Pick<ShiftLaw, 'at' | 'slope'> => ({
  at: (t) => (a + (b + c * (t - from)) * (t - from)) * (t - from),
  slope: (t) => a + (2 * b + 3 * c * (t - from)) * (t - from),
});

/** Datchi et al., High Pressure Research 27 (2007) 447: one branch from 296 K up, another below (its constants are unverified). */
const HOT = cubic(ROOM, [0.00746, -3.01e-6, 8.76e-9]);
const COLD = cubic(ROOM, [0.00664, 6.76e-6, -2.33e-8]);

const wavenumber = (t: number): number => 14423 + (4.49e-2 + (-4.81e-4 + 3.71e-7 * t) * t) * t;

export const CORRECTIONS = {
  datchi2007: {
    at: (t) => (t >= ROOM ? HOT : COLD).at(t),
    slope: (t) => (t >= ROOM ? HOT : COLD).slope(t),
    range: [50, 900],
    source: 'Datchi et al., High Pressure Research 27 (2007) 447',
  },
  ragan1992: {
    at: (t) => 1e7 / wavenumber(t),
    slope: (t) => (-1e7 / wavenumber(t) ** 2) * (4.49e-2 + (-9.62e-4 + 1.113e-6 * t) * t),
    range: [15, 600],
    source: 'Ragan, Gustavsen and Schiferl, J. Appl. Phys. 72 (1992) 5539',
  },
  vos1991: { ...cubic(300, [6.591e-3, 7.624e-6, -1.733e-8]), source: 'Vos and Schouten, J. Appl. Phys. 69 (1991) 6744' },
} as const satisfies Readonly<Record<string, ShiftLaw>>;

/**
 * As the program T-Rax corrects, for comparison with it: from 298 K up reference and A grow with T - T0, below the line moves by a cubic, and
 * up to 80 K by a constant.
 */
const TRAX_FROM = 298;
const TRAX_COLD = 80;
const traxCubic = cubic(TRAX_FROM, [0.0068259498, 4.6231e-6, -3.37e-8]);
interface TraxCorrection {
  /** nm: of the reference, of the line; GPa: of A. And their derivatives by T. */
  readonly reference: readonly [number, number];
  readonly line: readonly [number, number];
  readonly a: readonly [number, number];
}
function trax(t: number, from: number): TraxCorrection {
  const d = t - from;
  if (t >= TRAX_FROM) {
    return { reference: [(0.0060823 + 1.0264e-6 * d) * d, 0.0060823 + 2.0528e-6 * d], line: [0, 0], a: [0.46299 * d, 0.46299] };
  }
  const line = t <= TRAX_COLD ? ([-0.92, 0] as const) : ([traxCubic.at(t) - 3.547e-5, traxCubic.slope(t)] as const);
  return { reference: [0, 0], line, a: [0, 0] };
}
const withA = (scale: RubyForm, by: number): RubyForm => (scale.form === 'linear' ? scale : { ...scale, a: scale.a + by });

export const RUBY_CORRECTIONS = ['datchi2007', 'ragan1992', 'vos1991', 'trax'] as const;
export type RubyCorrection = (typeof RUBY_CORRECTIONS)[number];

/** Shift of R1 (m) from one temperature to another (K). */
export function rubyShift(correction: Exclude<RubyCorrection, 'trax'>, temperature: number, from = ROOM): number {
  const law: ShiftLaw = CORRECTIONS[correction];
  return (law.at(temperature) - law.at(from)) / 1e9;
}

export interface RubyGauge {
  readonly scale: RubyScale;
  /** R1 at no pressure and at the reference's temperature (m). */
  readonly reference: Known;
  /** Kelvin; 296 when absent. */
  readonly referenceTemperature?: number;
  readonly correction: RubyCorrection;
}

/** The pressure of an R1 line (m). Without a temperature (K) the ruby counts as being at the reference's. */
export function rubyGauge({ value: line, sigma }: Known, gauge: RubyGauge, temperature?: Known): GaugePressure {
  const { scale, reference } = gauge;
  const from = gauge.referenceTemperature ?? (gauge.correction === 'trax' ? TRAX_FROM : ROOM);
  const { form, shifted, at, shift, perKelvin, doubts } = corrected(line, gauge, from, temperature);
  const slopes = rubySlopes({ ...form, name: scale.name }, shifted, at);
  const bar = carried([
    [slopes.line, sigma],
    [slopes.reference, reference.sigma],
    [perKelvin(slopes), temperature?.sigma],
    ...slopes.constants,
  ]);
  const pressure = rubyPressure(form, shifted, at);
  return {
    pressure,
    sigma: bar,
    scale: scale.name,
    slope: slopes.line,
    ...(temperature ? { shift } : {}),
    doubts: [...outside(scale.name, pressure, total(bar), scale.range), ...doubts],
    notes: notes(gauge, from, temperature, slopes.constants.length > 0 && slopes.constants.some(([, s]) => s !== undefined)),
  };
}

interface Corrected {
  readonly form: RubyForm;
  /** The line as it would be at the reference's temperature; the reference (m). */
  readonly shifted: number;
  readonly at: number;
  readonly shift: number;
  /** dP/dT from dP/dl and dP/dl0. */
  readonly perKelvin: (slopes: { readonly line: number; readonly reference: number }) => number;
  readonly doubts: readonly string[];
}

function corrected(line: number, { scale, reference, correction }: RubyGauge, from: number, temperature: Known | undefined): Corrected {
  const still = { form: scale, shifted: line, at: reference.value, shift: 0, perKelvin: () => 0, doubts: [] };
  if (!temperature) return still;
  const t = temperature.value;
  if (correction === 'trax') {
    const moved = trax(t, from);
    const at = reference.value + moved.reference[0] / 1e9;
    const form = withA(scale, moved.a[0]);
    const shifted = (nanometres(line) - moved.line[0]) / 1e9;
    // The pressure goes as A.
    const perA = form.form === 'linear' ? 0 : (rubyPressure(form, shifted, at) / form.a) * moved.a[1];
    const perKelvin: Corrected['perKelvin'] = (s) => (s.reference * moved.reference[1] - s.line * moved.line[1]) / 1e9 + perA;
    return { ...still, form, at, shifted, shift: (moved.reference[0] + moved.line[0]) / 1e9, perKelvin };
  }
  const law: ShiftLaw = CORRECTIONS[correction];
  const nm = law.at(t) - law.at(from);
  const known = !law.range || (t >= law.range[0] && t <= law.range[1]);
  const [low, high] = law.range ?? [0, 0];
  return {
    ...still,
    // In nm, so that the digits of both are kept.
    shifted: (nanometres(line) - nm) / 1e9,
    shift: nm / 1e9,
    perKelvin: (s) => (-s.line * law.slope(t)) / 1e9,
    doubts: known
      ? []
      : [`${Math.round(t)} K is outside of the temperature correction ${correction}, which holds from ${low} to ${high} K`],
  };
}

function notes({ scale, reference, correction }: RubyGauge, from: number, temperature: Known | undefined, barred: boolean): string[] {
  const found: string[] = [];
  if (!temperature) found.push(`the ruby's temperature is not given: taken as that of the reference, ${from} K`);
  else if (!temperature.sigma) found.push("the uncertainty of the ruby's temperature is not given: no temperature term");
  if (!reference.sigma) found.push("the reference's uncertainty is not given: no reference term");
  if (!barred) found.push(`the uncertainty of the scale ${scale.name} is not known: no scale term`);
  if (scale.proven === 'unverified')
    found.push(`the constants of the scale ${scale.name} are unverified: compare them with ${scale.source}`);
  if (temperature && correction === 'datchi2007' && temperature.value < ROOM)
    found.push('the constants of the correction datchi2007 below 296 K are unverified');
  return found;
}

/** Where R1 (m) is at a pressure (Pa) and a temperature (K): the inverse of `rubyGauge`. NaN where the scale gives no such pressure. */
export function rubyLineAt(
  pressure: number,
  { scale, reference, correction, referenceTemperature }: RubyGauge,
  temperature?: number,
): number {
  if (temperature === undefined) return rubyLine(scale, pressure, reference.value);
  if (correction !== 'trax')
    return rubyLine(scale, pressure, reference.value) + rubyShift(correction, temperature, referenceTemperature ?? ROOM);
  const moved = trax(temperature, referenceTemperature ?? TRAX_FROM);
  return rubyLine(withA(scale, moved.a[0]), pressure, reference.value + moved.reference[0] / 1e9) + moved.line[0] / 1e9;
}

/** The reference with one sigma of its own, as a cause of its own. */
export const rubyReference = (value = RUBY_REFERENCE, sigma?: number): Known => ({
  value,
  ...(sigma === undefined ? {} : { sigma: constant('ruby_reference', sigma) ?? { random: 0 } }),
});
