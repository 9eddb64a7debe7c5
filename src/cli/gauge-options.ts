/** The options that calculations and fits of the gauges share, turned into scales, references and temperatures. */
import { DIAMOND_SCALES, type DiamondScale, diamondReference, diamondScale } from '../derive/diamond-scales.ts';
import type { Known } from '../derive/gauge.ts';
import { known, scaleNamed, wavenumber } from '../derive/gauge-parameters.ts';
import { RUBY_CORRECTIONS, type RubyGauge, rubyReference } from '../derive/ruby.ts';
import { RUBY_SCALES, rubyScale } from '../derive/ruby-scales.ts';
import { SAMARIUM_SCALES, type SamariumScale, samariumReference, samariumScale } from '../derive/samarium.ts';
import { Refused } from '../talk.ts';
import { quantity, type Unit } from '../units.ts';
import { Usage } from './command.ts';

export type Options = Readonly<Record<string, string | undefined>>;

const EXAMPLES: Readonly<Partial<Record<Unit, readonly [factor: number, example: string]>>> = {
  m: [1e-9, '700 or "700 nm +- 0.005 nm"'],
  K: [1, '400 or "400 K +- 5 K"'],
  Pa: [1e9, '50 or "50 GPa +- 1 GPa"'],
  V: [1e-3, '12.2 or 12.2mV'],
};

/** A number with its uncertainty; without a unit in nm, K, GPa or mV. Above zero but for voltages. */
export function number(name: string, text: string, unit: Unit): { readonly value: number; readonly sigma?: number } {
  const [factor, example] = EXAMPLES[unit] ?? [1, ''];
  const bare = quantity(text);
  if (typeof bare !== 'string' && bare.unit === '1' && unit !== '1') {
    // Divided where the factor is a decimal fraction: 700 nm are then exactly 700e-9 m.
    const scale = (v: number): number => (factor < 1 ? v / Math.round(1 / factor) : v * factor);
    return checked(name, { value: scale(bare.value), ...(bare.sigma === undefined ? {} : { sigma: scale(bare.sigma) }) }, unit);
  }
  const read = known(text, unit, example);
  if (read instanceof Refused) throw new Usage(`--${name}: ${read.why}`);
  return checked(name, read, unit);
}

function checked<T extends { readonly value: number }>(name: string, read: T, unit: Unit): T {
  if (unit === 'V' || read.value > 0) return read;
  throw new Usage(`--${name}: must be above zero`);
}

/** The same with its uncertainty under the name of a cause. */
export function amountOf(name: string, text: string, unit: Unit, cause: string): Known {
  const { value, sigma } = number(name, text, unit);
  return { value, ...(sigma === undefined ? {} : { sigma: { random: 0, shared: { [cause]: sigma } } }) };
}

/** A Raman shift in 1/m, written with "1/cm" or bare. */
export function shiftOf(name: string, text: string): { readonly value: number; readonly sigma?: number } {
  const read = wavenumber(/^[\s\d.+\-±eE]+$/.test(text) ? `${text} 1/cm` : text);
  if (read instanceof Refused) throw new Usage(`--${name}: ${read.why}`);
  return read;
}

function scaleOf<T extends { readonly name: string }>(all: readonly T[], find: (name: string) => T | undefined, text: string): T {
  const read = scaleNamed(all, find)(text);
  if (read instanceof Refused) throw new Usage(`--scale: ${read.why}`);
  return read;
}

export const temperatureOption = ({ temperature }: Options): Known | undefined =>
  temperature === undefined ? undefined : amountOf('temperature', temperature, 'K', 'temperature');

export function rubyOptions(options: Options): RubyGauge {
  const correction = RUBY_CORRECTIONS.find((c) => c === (options.correction ?? 'datchi2007'));
  if (!correction) throw new Usage(`--correction: there is no "${options.correction}"; there are ${RUBY_CORRECTIONS.join(', ')}`);
  const from = options['reference-temperature'];
  const given = options.reference === undefined ? undefined : number('reference', options.reference, 'm');
  return {
    scale: scaleOf(RUBY_SCALES, rubyScale, options.scale ?? 'ruby2020'),
    reference: given ? rubyReference(given.value, given.sigma) : rubyReference(),
    correction,
    ...(from === undefined ? {} : { referenceTemperature: number('reference-temperature', from, 'K').value }),
  };
}

export function samariumOptions(options: Options): { readonly scale: SamariumScale; readonly reference: Known } {
  const scale = scaleOf(SAMARIUM_SCALES, samariumScale, options.scale ?? 'rashchenko2015');
  const given = options.reference === undefined ? undefined : number('reference', options.reference, 'm');
  return { scale, reference: samariumReference(given?.value ?? scale.reference, given?.sigma) };
}

export function diamondOptions(options: Options): { readonly scale: DiamondScale; readonly reference: Known } {
  const given = options.reference === undefined ? undefined : shiftOf('reference', options.reference);
  return {
    scale: scaleOf(DIAMOND_SCALES, diamondScale, options.scale ?? 'akahama2006'),
    reference: given ? diamondReference(given.value, given.sigma) : diamondReference(),
  };
}
