/** The commands of a simulated Keysight 34420A, as far as they are alike: settings that are read back, its error queue, CONFigure. */
import type { ProgramUnit } from '../../protocols/scpi.ts';
import {
  CYCLES,
  inUse,
  type Meter,
  meter,
  OHMS,
  OVERLOAD,
  type Quantity,
  RESOLVED,
  rangeFor,
  type Setup,
  VOLTS,
} from './nanovolt-meter.ts';

const TEXTS = {
  [-104]: 'Data type error',
  [-108]: 'Parameter not allowed',
  [-109]: 'Missing parameter',
  [-113]: 'Undefined header',
  [-211]: 'Trigger ignored',
  [-213]: 'Init ignored',
  [-214]: 'Trigger deadlock',
  [-221]: 'Settings conflict',
  [-222]: 'Data out of range',
  [-224]: 'Illegal parameter value',
  [-230]: 'Data stale',
  [-420]: 'Query UNTERMINATED',
} as const;
type Code = keyof typeof TEXTS;

interface Line {
  readonly units: ProgramUnit[];
  readonly said: string[];
}
export interface State {
  readonly meter: Meter;
  /** Settings without effect on a reading here. */
  values: Record<string, number | string>;
  readonly errors: string[];
  esr: number;
  /** Lines that are not yet carried out, the first of them in part. */
  readonly lines: Line[];
  readonly said: string[];
  /** Conversions take no time. */
  readonly instant: boolean;
  /** FETCh? waits for the readings. */
  fetching: boolean;
}

export const REST: Record<string, number | string> = {
  'INP:FILT': 0,
  'INP:FILT:TYPE': 'ANAL',
  'INP:FILT:RESP': 'MED',
  OCOM: 0,
  'POW:LIM': 0,
  'VOLT:LIM': 0,
  'VOLT:LIM:VAL': 0.5,
  'CALC:FUNC': 'NULL',
  CALC: 0,
  OUTP: 0,
  'OUTP:GAIN': 1,
  'OUTP:OFFS': 0,
  DISP: 1,
  BEEP: 1,
  UNIT: 'C',
  '*ESE': 0,
  '*SRE': 0,
  '*PSC': 1,
  QUES: 0,
};
const QUEUE = 20;

export function fail(s: State, code: Code): void {
  if (s.errors.length < QUEUE) s.errors.push(`${code},"${TEXTS[code]}"`);
  else s.errors[QUEUE - 1] = '-350,"Too many errors"';
  s.esr |= code <= -400 ? 4 : code <= -200 ? 16 : 32;
}

/** "+1.23456789E-05". */
export function sci(n: number, digits = 8): string {
  const [mantissa = '', exponent = '0'] = n.toExponential(digits).split('e');
  const e = Number(exponent);
  return `${n < 0 || Object.is(n, -0) ? '' : '+'}${mantissa}E${e < 0 ? '-' : '+'}${String(Math.abs(e)).padStart(2, '0')}`;
}

export type Outcome = string | Code | undefined;
export interface Entry {
  readonly pattern: string;
  readonly get?: (s: State, args: readonly string[], header: string, t: number) => Outcome;
  readonly set?: (s: State, args: readonly string[], header: string, t: number) => Code | undefined;
}

/** A number, or MINimum, MAXimum, DEFault, of these limits. */
function amount(text: string | undefined, lo: number, hi: number, def = lo): number | { readonly code: Code } {
  if (text === undefined) return { code: -109 };
  if (/^MIN(imum)?$/i.test(text)) return lo;
  if (/^MAX(imum)?$/i.test(text)) return hi;
  if (/^DEF(ault)?$/i.test(text)) return def;
  const n = /^INF(inity)?$/i.test(text) ? OVERLOAD : Number(text.trim() === '' ? 'x' : text);
  if (Number.isNaN(n)) return { code: -104 };
  return n < lo || n > hi ? { code: -222 } : n;
}
const switched = (text: string | undefined): 0 | 1 | undefined =>
  /^(1|ON)$/i.test(text ?? '') ? 1 : /^(0|OFF)$/i.test(text ?? '') ? 0 : undefined;
export const short = (w: string): string => w.replace(/[a-z]+/g, '');
export const wordOf = (text: string | undefined, words: readonly string[]): string | undefined =>
  words.find((w) => [short(w), w.toUpperCase()].includes((text ?? '').replace(/["']/g, '').toUpperCase()));
export const channelOf = (header: string): 1 | 2 => (/^:SENS(?:E)?2/i.test(header) ? 2 : 1);

/** A number that `of` holds. */
export const number = (
  pattern: string,
  lo: number,
  hi: number,
  get: (s: State, header: string) => number,
  set: (s: State, n: number, header: string) => void,
  shown: (n: number) => string = sci,
): Entry => ({
  pattern,
  get(s, args, header) {
    const n = args.length > 0 ? amount(args[0], lo, hi) : get(s, header);
    return typeof n === 'number' ? shown(n) : n.code;
  },
  set(s, args, header) {
    const n = amount(args[0], lo, hi);
    if (typeof n !== 'number') return n.code;
    if (args.length > 1) return -108;
    set(s, n, header);
    return undefined;
  },
});
export const flag = (
  pattern: string,
  get: (s: State, header: string) => boolean,
  set: (s: State, on: boolean, header: string) => void,
): Entry => ({
  pattern,
  get: (s, _args, header) => (get(s, header) ? '1' : '0'),
  set(s, [text], header) {
    if (text === undefined) return -109;
    const on = switched(text);
    if (on === undefined) return -224;
    set(s, on === 1, header);
    return undefined;
  },
});
export const kept = (pattern: string, key: string, lo: number, hi: number): Entry =>
  number(
    pattern,
    lo,
    hi,
    (s) => Number(s.values[key]),
    (s, n) => void (s.values[key] = n),
  );
export const keptFlag = (pattern: string, key: string): Entry =>
  flag(
    pattern,
    (s) => s.values[key] === 1,
    (s, on) => void (s.values[key] = on ? 1 : 0),
  );
export const keptWord = (pattern: string, key: string, words: readonly string[]): Entry => ({
  pattern,
  get: (s) => String(s.values[key]),
  set(s, [text]) {
    const found = wordOf(text, words);
    if (found === undefined) return text === undefined ? -109 : -224;
    s.values[key] = short(found);
    return undefined;
  },
});
export const act = (pattern: string, what: (s: State, t: number) => Code | undefined): Entry => ({
  pattern,
  set: (s, args, _header, t) => (args.length > 0 ? -108 : what(s, t) || undefined),
});

/** What every quantity has: range, resolution, integration, null. */
export function measuring(
  head: string,
  of: (s: State, header: string) => Setup,
  ranges: (header: string) => readonly number[],
): readonly Entry[] {
  const wide = (header: string): number => ranges(header)[ranges(header).length - 1];
  const resolution = (u: Setup): number => RESOLVED[CYCLES.indexOf(u.cycles)] * u.range;
  return [
    {
      pattern: `${head}:RANGe[:UPPer]`,
      get(s, args, header) {
        const n = args.length > 0 ? amount(args[0], ranges(header)[0], wide(header)) : of(s, header).range;
        return typeof n === 'number' ? sci(n) : n.code;
      },
      set(s, [text], header) {
        const n = amount(text, -1.2 * wide(header), 1.2 * wide(header), wide(header));
        if (typeof n !== 'number') return n.code;
        of(s, header).range = /^MIN/i.test(text) ? ranges(header)[0] : rangeFor(ranges(header), n);
        of(s, header).auto = false;
        return undefined;
      },
    },
    flag(
      `${head}:RANGe:AUTO`,
      (s, h) => of(s, h).auto,
      (s, on, h) => void (of(s, h).auto = on),
    ),
    number(
      `${head}:NPLCycles`,
      0.02,
      200,
      (s, h) => of(s, h).cycles,
      (s, n, h) => {
        of(s, h).cycles = CYCLES.find((c) => c >= n) ?? 200;
      },
    ),
    {
      pattern: `${head}:RESolution`,
      get(s, [limit], header) {
        const u = of(s, header);
        return sci(/^MIN/i.test(limit ?? '') ? RESOLVED[7] * u.range : /^MAX/i.test(limit ?? '') ? RESOLVED[0] * u.range : resolution(u));
      },
      set(s, [text], header) {
        const u = of(s, header);
        const n = amount(text, RESOLVED[7] * u.range * (1 - 1e-9), Number.POSITIVE_INFINITY, 1e-6 * u.range);
        if (typeof n !== 'number') return n.code;
        const i = /^MIN/i.test(text) ? 7 : RESOLVED.findIndex((part) => part * u.range <= n * (1 + 1e-9));
        u.cycles = CYCLES[i];
        return undefined;
      },
    },
    flag(
      `${head}:NULL[:STATe]`,
      (s, h) => of(s, h).null,
      (s, on, h) => void (of(s, h).null = on),
    ),
    number(
      `${head}:NULL:VALue`,
      -1.2e6,
      1.2e6,
      (s, h) => of(s, h).nullValue,
      (s, n, h) => {
        of(s, h).nullValue = n;
        of(s, h).null = true;
      },
    ),
  ];
}

const QUANTITIES: Readonly<Record<string, Quantity>> = {
  VOLT: 'VOLT',
  'VOLT:RAT': 'VOLT:RAT',
  'VOLT:DIFF': 'VOLT:DIFF',
  RES: 'RES',
  FRES: 'FRES',
  TEMP: 'TEMP',
};
/** "VOLTage:DC:RATio" as the meter writes it. */
export function quantity(text: string): Quantity | undefined {
  const brief = text
    .replace(/["']/g, '')
    .toUpperCase()
    .replace(/^VOLTAGE/, 'VOLT')
    .replace(/:DC/, '')
    .replace(/:RATIO$/, ':RAT')
    .replace(/:DIFFERENCE$/, ':DIFF')
    .replace(/^FRESISTANCE$/, 'FRES')
    .replace(/^RESISTANCE$/, 'RES')
    .replace(/^TEMPERATURE$/, 'TEMP');
  return QUANTITIES[brief];
}

/** CONFigure and MEASure: a range, a resolution, an input; everything else as after *RST. */
export function configure(s: State, header: string, args: readonly string[]): Code | undefined {
  const m = s.meter;
  const found = quantity(header.replace(/^:(CONF(igure)?|MEAS(ure)?):/i, ''));
  if (found === undefined) return -113;
  const list = args.find((arg) => arg.startsWith('('));
  const [range, resolution] = args.filter((arg) => arg !== list);
  if (list !== undefined && !/^\(@\s*FRON(T)?[12]?\s*\)$/i.test(list)) return -224;
  m.func = found;
  m.input = /2/.test(list ?? '') ? 2 : 1;
  Object.assign(m, { trigger: 'IMM', triggers: 1, samples: 1, delay: undefined, job: undefined });
  const used = inUse(m);
  Object.assign(used, { auto: true, cycles: 10, null: false });
  const ranges = found === 'RES' || found === 'FRES' ? OHMS : VOLTS;
  if (range !== undefined && !/^(AUTO|DEF(ault)?)$/i.test(range)) {
    const n = amount(range, -1.2 * ranges[ranges.length - 1], 1.2 * ranges[ranges.length - 1]);
    if (typeof n !== 'number') return n.code;
    Object.assign(used, { auto: false, range: rangeFor(ranges, n) });
  }
  if (resolution === undefined || /^DEF/i.test(resolution)) return undefined;
  const [least, most] = [RESOLVED[7] * used.range, RESOLVED[0] * used.range];
  const n = amount(resolution, least * (1 - 1e-9), Number.POSITIVE_INFINITY);
  if (typeof n !== 'number') return n.code;
  const wanted = /^MIN/i.test(resolution) ? least : /^MAX/i.test(resolution) ? most : n;
  used.cycles = CYCLES[RESOLVED.findIndex((part) => part * used.range <= wanted * (1 + 1e-9))];
  return undefined;
}

const stats = (s: State): readonly number[] => s.meter.memory.filter((v) => Math.abs(v) < OVERLOAD);
export const statistic = (pattern: string, of: (all: readonly number[]) => number): Entry => ({
  pattern,
  get: (s) => (stats(s).length === 0 ? sci(0) : sci(of(stats(s)))),
});
export const mean = (all: readonly number[]): number => all.reduce((sum, v) => sum + v, 0) / all.length;

export function reset(s: State): undefined {
  const { name, mains } = s.meter;
  Object.assign(s.meter, meter(name, mains), { questionable: s.meter.questionable });
  s.values = { ...REST, '*ESE': s.values['*ESE'], '*SRE': s.values['*SRE'], '*PSC': s.values['*PSC'] };
}
