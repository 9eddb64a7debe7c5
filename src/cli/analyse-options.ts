/** Options of `bridgman analyse` as numbers of the fast plane: times in nanoseconds. */
import { quantity } from '../units.ts';
import { type Parsed, Usage } from './command.ts';

export const ANALYSE_OPTIONS = {
  json: 'boolean',
  separate: 'boolean',
  format: 'string',
  window: 'string',
  coincidence: 'string',
  within: 'string',
  split: 'string',
  charge: 'string',
  tick: 'string',
  'time-bits': 'string',
  sample: 'string',
  'sample-bytes': 'string',
  bits: 'string',
  polarity: 'string',
  baseline: 'string',
  gate: 'string',
  tail: 'string',
  threshold: 'string',
  config: 'string',
} as const;

/** How a waveform is looked at, in samples and ADC counts; what is absent has the default of the pulse features. */
export interface WaveformOptions {
  readonly bits?: number;
  readonly polarity?: 'positive' | 'negative';
  readonly baseline?: number;
  /** Samples before and after the peak. */
  readonly gate?: readonly [number, number];
  /** Samples after the peak at which the tail begins. */
  readonly tail?: number;
  readonly threshold?: number;
}

export interface AnalyseOptions {
  readonly format?: 'wavedump' | 'abcd';
  readonly separate: boolean;
  readonly window: number;
  /** Names of channels, by sets. */
  readonly coincidence: readonly (readonly string[])[];
  readonly within: number;
  readonly split?: number;
  readonly charges?: readonly [number, number];
  readonly tick?: number;
  readonly timeBits?: number;
  readonly sample?: number;
  readonly width: 1 | 2;
  readonly waveform: WaveformOptions;
  readonly config?: string;
}

/** Throws Usage. */
export function analyseOptions({ options, flags }: Parsed): AnalyseOptions {
  const { format, coincidence, config, polarity } = options;
  if (format !== undefined && format !== 'wavedump' && format !== 'abcd')
    throw new Usage(`--format is wavedump or abcd, not "${format}"; event lists in CSV are known by their first line`);
  if (polarity !== undefined && polarity !== 'positive' && polarity !== 'negative')
    throw new Usage(`--polarity is positive or negative, not "${polarity}"`);
  if (options.within !== undefined && coincidence === undefined)
    throw new Usage('--within goes with --coincidence, such as --coincidence 0,1 --within 100ns');
  const charges = pairOf(options.charge, 'charge', 'LO:HI, such as 500:20000', ':', numberOf);
  if (charges && charges[1] < charges[0]) throw new Usage(`--charge is LO:HI, and ${charges[1]} is below ${charges[0]}`);
  const split = options.split === undefined ? undefined : numberOf(options.split);
  if (split !== undefined && !(split > 0 && split < 1))
    throw new Usage(`--split is a tail/charge ratio between 0 and 1, such as 0.2, not "${options.split}"`);
  const gate = pairOf(options.gate, 'gate', 'BEFORE,AFTER the peak in samples, such as 4,80', ',', natural);
  const [timeBits, bits, baseline, tail] = [
    whole(options['time-bits'], 'time-bits', 16, 32),
    whole(options.bits, 'bits', 1, 16),
    whole(options.baseline, 'baseline', 1, 2 ** 24),
    whole(options.tail, 'tail', 0, 2 ** 24),
  ];
  if (gate && gate[0] + gate[1] === 0) throw new Usage('--gate is BEFORE,AFTER the peak in samples, and 0,0 holds none');
  const threshold = options.threshold === undefined ? undefined : numberOf(options.threshold);
  if (threshold !== undefined && !(threshold >= 0)) throw new Usage(`--threshold is in ADC counts from 0, not "${options.threshold}"`);
  const tick = timeOf(options.tick, 'tick', '8 ns');
  const sample = timeOf(options.sample, 'sample', '4 ns');
  return {
    separate: flags.has('separate'),
    window: timeOf(options.window, 'window', '1 s') ?? 1e9,
    coincidence: coincidence === undefined ? [] : sets(coincidence),
    within: timeOf(options.within, 'within', '100 ns', true) ?? 100,
    width: whole(options['sample-bytes'], 'sample-bytes', 1, 2) === 1 ? 1 : 2,
    waveform: given({ bits, polarity, baseline, gate, tail, threshold }),
    ...given({ format, split, charges, tick, timeBits, sample, config }),
  };
}

type Given<T> = { [N in keyof T]?: Exclude<T[N], undefined> };
/** Without the keys whose value is undefined. */
const given = <T extends object>(all: T): Given<T> =>
  Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Given<T>; // the same keys, fewer of them

/** NaN where the text is no decimal number. */
export const numberOf = (text: string): number => (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : Number.NaN);
const natural = (text: string): number => (/^\d+$/.test(text.trim()) ? Number(text) : Number.NaN);

function whole(text: string | undefined, name: string, lo: number, hi: number): number | undefined {
  if (text === undefined) return undefined;
  const value = natural(text);
  if (!(value >= lo && value <= hi)) throw new Usage(`--${name} is a whole number from ${lo} to ${hi}, not "${text}"`);
  return value;
}

export function pairOf(
  text: string | undefined,
  name: string,
  form: string,
  by: string,
  read: (text: string) => number,
): readonly [number, number] | undefined {
  if (text === undefined) return undefined;
  const [a = Number.NaN, b = Number.NaN, ...more] = text.split(by).map(read);
  if (more.length > 0 || Number.isNaN(a) || Number.isNaN(b)) throw new Usage(`--${name} is ${form}, not "${text}"`);
  return [a, b];
}

/** In nanoseconds, to a millionth of one. */
export function timeOf(text: string | undefined, name: string, example: string, zero = false): number | undefined {
  if (text === undefined) return undefined;
  const read = quantity(text);
  if (typeof read === 'string') throw new Usage(`--${name}: ${read}`);
  if (read.unit !== 's') throw new Usage(`--${name} is a time with its unit, such as "${example}", not "${text}"`);
  if (read.sigma !== undefined) throw new Usage(`--${name} takes no uncertainty, such as "${example}"`);
  if (!(read.value > 0 || (zero && read.value === 0))) throw new Usage(`--${name} is above zero, such as "${example}", not "${text}"`);
  const ns = read.value * 1e9;
  const exact = Number(ns.toPrecision(15)); // 1e-7 s are 100 ns
  return exact;
}

function sets(text: string): readonly (readonly string[])[] {
  return text.split('/').map((set) => {
    const names = set.split(',').map((name) => name.trim());
    if (names.length < 2 || names.some((name) => !/^\d+(\.\d+)?$/.test(name)))
      throw new Usage(`--coincidence is two channels or more, such as 0,1 (several sets: 0,1/0,2), not "${text}"`);
    if (new Set(names).size < names.length) throw new Usage(`--coincidence ${set}: a channel is named twice`);
    return names;
  });
}
