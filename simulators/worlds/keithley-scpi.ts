/**
 * What simulated Keithley instruments have in common: a table of headers, settings that are read back, the error queue, status registers.
 * Codes and bits: Model 6220/6221 Reference Manual 622X-901-01, section 11 and table B-1; Model 2182 User's Manual, section 11.
 */
import { matches, type ProgramUnit, programUnits } from '../../protocols/scpi.ts';
import { decimal } from '../../protocols/text.ts';

const TEXTS = {
  [-104]: 'Data type error',
  [-108]: 'Parameter not allowed',
  [-109]: 'Missing parameter',
  [-113]: 'Undefined header',
  [-221]: 'Settings conflict',
  [-222]: 'Parameter data out of range',
  [-223]: 'Too much data',
  [-224]: 'Illegal parameter value',
  [-230]: 'Data corrupt or stale',
  [-241]: 'Hardware missing',
} as const;
export type Code = keyof typeof TEXTS;
/** The code of what went wrong; an order that was carried out gives nothing. */
export type Trouble = Code | undefined;

export type Register = 'MEASurement' | 'OPERation' | 'QUEStionable';
/** What every such instrument keeps, whatever it measures. */
export interface Box {
  readonly errors: string[];
  readonly values: Record<string, number | string | boolean>;
  readonly events: Record<Register | 'standard', number>;
  readonly conditions: Record<Register, number>;
  readonly enables: Record<Register | 'standard' | 'service', number>;
}

/** One header: a query gives a reply, or the code of its error. */
export interface Entry<S> {
  readonly pattern: string;
  readonly get?: (s: S, args: readonly string[]) => string | Code;
  readonly set?: (s: S, args: readonly string[]) => Trouble;
  /** What *RST makes of the setting of this name. */
  readonly key?: string;
  readonly rst?: number | string | boolean;
}

export function box(entries: readonly Entry<never>[]): Box {
  const values: Box['values'] = {};
  for (const { key, rst } of entries) if (key !== undefined && rst !== undefined) values[key] = rst;
  return {
    errors: [],
    values,
    events: { MEASurement: 0, OPERation: 0, QUEStionable: 0, standard: 0 },
    conditions: { MEASurement: 0, OPERation: 0, QUEStionable: 0 },
    enables: { MEASurement: 0, OPERation: 0, QUEStionable: 0, standard: 0, service: 0 },
  };
}

/** *RST: settings of the table go to their defaults; those of a buffer stay. */
export function reset<S extends Box>(s: S, entries: readonly Entry<S>[]): void {
  for (const { key, rst, pattern } of entries) {
    if (key !== undefined && rst !== undefined && !pattern.startsWith(':TRACe')) s.values[key] = rst;
  }
}

const QUEUE = 10;
export function fail(s: Box, code: Code): void {
  const entry = `${code},"${TEXTS[code]}"`;
  if (s.errors.length < QUEUE) s.errors.push(entry);
  else s.errors[QUEUE - 1] = '-350,"Queue overflow"';
  s.events.standard |= code <= -200 ? 16 : 32;
}

/** A bit of a condition register; its rise sets the event. */
export function condition(s: Box, register: Register, bit: number, on: boolean): void {
  const mask = 1 << bit;
  if (on && (s.conditions[register] & mask) === 0) s.events[register] |= mask;
  s.conditions[register] = on ? s.conditions[register] | mask : s.conditions[register] & ~mask;
}
export function event(s: Box, register: Register, bit: number): void {
  s.events[register] |= 1 << bit;
}

const statusByte = (s: Box): number => {
  const sum = (r: Register): boolean => (s.events[r] & s.enables[r]) !== 0;
  const byte =
    (sum('MEASurement') ? 1 : 0) +
    (s.errors.length > 0 ? 4 : 0) +
    (sum('QUEStionable') ? 8 : 0) +
    ((s.events.standard & s.enables.standard) !== 0 ? 32 : 0) +
    (sum('OPERation') ? 128 : 0);
  return byte + ((byte & s.enables.service) !== 0 ? 64 : 0);
};

// --- how numbers are written and read

/** "+1.000000E-03". */
export function sci(n: number, digits = 6): string {
  const [mantissa = '', exponent = '0'] = n.toExponential(digits).split('e');
  const size = Math.abs(Number(exponent));
  return `${n < 0 || Object.is(n, -0) ? '' : '+'}${mantissa}E${Number(exponent) < 0 ? '-' : '+'}${String(size).padStart(2, '0')}`;
}
export const OVERFLOW = '+9.9E37';
export const INFINITE = 9.9e37;

const unquoted = (text: string): string => /^(["'])(.*)\1$/.exec(text)?.[2] ?? text;
export const quoted = unquoted;

export interface Span {
  readonly lo: number;
  readonly hi: number;
  readonly rst: number;
  /** Accepts INF. */
  readonly infinite?: boolean;
}
/** A number as it is sent: digits, MIN, MAX, DEF, INF; or the code of what is wrong with it. */
export function numberOf(text: string | undefined, { lo, hi, rst, infinite = false }: Span): number | { readonly code: Code } {
  if (text === undefined || text === '') return { code: -109 };
  if (/^DEF(ault)?$/i.test(text)) return rst;
  if (/^MIN(imum)?$/i.test(text)) return lo;
  if (/^MAX(imum)?$/i.test(text)) return hi;
  if (infinite && (/^INF(inity|inite)?$/i.test(text) || Number(text) === INFINITE)) return INFINITE;
  const n = decimal(text);
  if (Number.isNaN(n)) return { code: -104 };
  return n < lo || n > hi ? { code: -222 } : n;
}
const asked = (args: readonly string[], span: Span): number | undefined => {
  if (args.length === 0) return undefined;
  const n = numberOf(args[0], span);
  return typeof n === 'number' ? n : undefined;
};

// --- settings

type Shown = (n: number) => string;
export const whole: Shown = (n) => (n === INFINITE ? '+9.900000E+37' : String(Math.round(n)));

/** A setting that is a number. `then` comes after it was taken, and may refuse it. */
export const num = <S extends Box>(
  pattern: string,
  key: string,
  span: Span,
  shown: Shown = sci,
  then?: (s: S, n: number) => Trouble,
): Entry<S> => ({
  pattern,
  key,
  rst: span.rst,
  get: (s, args) => shown(asked(args, span) ?? Number(s.values[key])),
  set(s, args) {
    const n = numberOf(args[0], span);
    if (typeof n !== 'number') return n.code;
    if (args.length > 1) return -108;
    const trouble = then?.(s, n);
    if (trouble === undefined) s.values[key] = shown === whole ? Math.round(n) : n;
    return trouble;
  },
});

/** True, false, or undefined where a text is neither. */
export const boolean = (text: string | undefined): boolean | undefined =>
  /^(1|ON)$/i.test(text ?? '') ? true : /^(0|OFF)$/i.test(text ?? '') ? false : undefined;

export const bool = <S extends Box>(pattern: string, key: string, rst: boolean, then?: (s: S, on: boolean) => Trouble): Entry<S> => ({
  pattern,
  key,
  rst,
  get: (s) => (s.values[key] === true ? '1' : '0'),
  set(s, [text]) {
    if (text === undefined) return -109;
    const on = boolean(text);
    if (on === undefined) return -104;
    const trouble = then?.(s, on);
    if (trouble === undefined) s.values[key] = on;
    return trouble;
  },
});

/** The short form of one of the words ("GUARd" -> "GUAR") that a text is. */
export function wordOf(text: string, words: readonly string[]): string | undefined {
  const said = unquoted(text).toUpperCase();
  for (const word of words) {
    const short = word.replace(/[a-z]+/g, '');
    if (said === short || said === word.toUpperCase()) return short;
  }
  return undefined;
}
export const word = <S extends Box>(
  pattern: string,
  key: string,
  words: readonly string[],
  rst: string,
  then?: (s: S, w: string) => Trouble,
): Entry<S> => ({
  pattern,
  key,
  rst,
  get: (s) => String(s.values[key]),
  set(s, [text]) {
    if (text === undefined) return -109;
    const found = wordOf(text, words);
    if (found === undefined) return -224;
    const trouble = then?.(s, found);
    if (trouble === undefined) s.values[key] = found;
    return trouble;
  },
});
/** A text that is kept. */
export const text = <S extends Box>(pattern: string, key: string, rst = ''): Entry<S> => ({
  pattern,
  key,
  rst,
  get: (s) => `"${s.values[key]}"`,
  set(s, [given]) {
    if (given === undefined) return -109;
    s.values[key] = unquoted(given);
    return undefined;
  },
});
/** An order that is taken and does nothing that could be seen from here. */
export const nothing = <S extends Box>(pattern: string): Entry<S> => ({ pattern, set: () => undefined });

// --- what all of them answer

const SREG: Readonly<Record<string, (n: number) => string>> = {
  ASC: String,
  HEX: (n) => `#H${n.toString(16).toUpperCase()}`,
  OCT: (n) => `#Q${n.toString(8)}`,
  BIN: (n) => `#B${n.toString(2)}`,
};
const register = (s: Box, n: number): string => (SREG[String(s.values.sreg)] ?? String)(n);

const enabling = <S extends Box>(pattern: string, key: keyof Box['enables'], hi: number): Entry<S> => ({
  pattern,
  get: (s) => register(s, s.enables[key]),
  set(s, [given]) {
    const n = numberOf(given, { lo: 0, hi, rst: 0 });
    if (typeof n !== 'number') return n.code;
    s.enables[key] = Math.round(n);
    return undefined;
  },
});
const taken = <S extends Box>(s: S, key: keyof Box['events']): string => {
  const n = s.events[key];
  s.events[key] = 0;
  return register(s, n);
};
const nextError = <S extends Box>(s: S): string => s.errors.shift() ?? '0,"No error"';

/** Common commands, STATus, and the parts of SYSTem and DISPlay that are alike. */
export function common<S extends Box>(identity: string, again: (s: S) => void): readonly Entry<S>[] {
  const registers: readonly Register[] = ['MEASurement', 'OPERation', 'QUEStionable'];
  return [
    { pattern: '*IDN', get: () => identity },
    { pattern: '*OPT', get: () => '0' },
    { pattern: '*TST', get: () => '0' },
    { pattern: '*OPC', get: () => '1', set: (s) => void (s.events.standard |= 1) },
    { pattern: '*ESR', get: (s) => taken(s, 'standard') },
    { pattern: '*STB', get: (s) => register(s, statusByte(s)) },
    enabling('*ESE', 'standard', 255),
    enabling('*SRE', 'service', 255),
    { pattern: '*RST', set: (s) => void again(s) },
    nothing('*WAI'),
    nothing('*SAV'),
    nothing('*RCL'),
    {
      pattern: '*CLS',
      set(s) {
        s.errors.length = 0;
        for (const key of [...registers, 'standard'] as const) s.events[key] = 0;
        return undefined;
      },
    },
    ...registers.flatMap((r): Entry<S>[] => [
      { pattern: `:STATus:${r}[:EVENt]`, get: (s) => taken(s, r) },
      { pattern: `:STATus:${r}:CONDition`, get: (s) => register(s, s.conditions[r]) },
      enabling(`:STATus:${r}:ENABle`, r, 65535),
    ]),
    {
      pattern: ':STATus:PRESet',
      set(s) {
        for (const r of registers) s.enables[r] = 0;
        return undefined;
      },
    },
    { pattern: ':STATus:QUEue[:NEXT]', get: nextError },
    { pattern: ':SYSTem:ERRor', get: nextError },
    { pattern: ':STATus:QUEue:CLEar', set: (s) => void (s.errors.length = 0) },
    { pattern: ':SYSTem:CLEar', set: (s) => void (s.errors.length = 0) },
    text(':STATus:QUEue:ENABle', 'queueEnable', '(-440:+958)'),
    text(':STATus:QUEue:DISable', 'queueDisable', '()'),
    { pattern: ':SYSTem:VERSion', get: () => '1996.0' },
    word(':SYSTem:POSetup', 'posetup', ['RST', 'PRESet', 'SAV0', 'SAV1', 'SAV2', 'SAV3', 'SAV4'], 'PRES'),
    bool(':SYSTem:KCLick', 'kclick', true),
    bool(':SYSTem:BEEPer:STATe', 'beeper', true),
    {
      // BEEP 0 or 1 is the state, BEEP frequency, seconds a tone.
      pattern: ':SYSTem:BEEPer[:IMMediate]',
      get: (s) => (s.values.beeper === true ? '1' : '0'),
      set(s, [first, second]) {
        if (first === undefined) return -109;
        const on = boolean(first);
        if (second === undefined && on !== undefined) s.values.beeper = on;
        else if (Number.isNaN(decimal(first)) || Number.isNaN(decimal(second ?? '1'))) return -104;
        return undefined;
      },
    },
    num(':SYSTem:KEY', 'key', { lo: 1, hi: 45, rst: 30 }, whole),
    ...[':SYSTem:LOCal', ':SYSTem:REMote', ':SYSTem:RWLock', ':LOCal', ':REMote', ':REN'].map((p) => nothing<S>(p)),
    bool(':DISPlay:ENABle', 'display', true),
    ...['1', '2'].flatMap((n): Entry<S>[] => [
      text(`:DISPlay[:WINDow${n}]:TEXT[:DATA]`, `text${n}`),
      bool(`:DISPlay[:WINDow${n}]:TEXT:STATe`, `textOn${n}`, false),
      { pattern: `:DISPlay[:WINDow${n}]:ATTRibutes`, get: () => '"00000000000000000000"' },
    ]),
    word(':FORMat:SREGister', 'sreg', ['ASCii', 'HEXadecimal', 'OCTal', 'BINary'], 'ASC'),
    word(':FORMat[:DATA]', 'format', ['ASCii', 'REAL', 'SREal', 'DREal'], 'ASC'),
    word(':FORMat:BORDer', 'border', ['NORMal', 'SWAPped'], 'SWAP'),
  ];
}

/** Answers lines by a table. A question that is not understood is not answered and fills the error queue. */
export function interpreter<S extends Box>(table: readonly Entry<S>[]): (line: string, s: S) => readonly string[] {
  const known = new Map<string, readonly Entry<S>[]>();
  const find = (header: string): readonly Entry<S>[] => {
    const key = header.toUpperCase();
    let found = known.get(key);
    if (!found) {
      found = table.filter((e) => matches(e.pattern, header));
      if (known.size < 2000) known.set(key, found);
    }
    return found;
  };
  const unit = ({ header, query, args }: ProgramUnit, s: S): string | undefined => {
    const entries = find(header.replace(/^:\*/, '*'));
    const entry = entries.find((e) => (query ? e.get : e.set) !== undefined);
    const result = query ? entry?.get?.(s, args) : entry?.set?.(s, args);
    if (!entry) return void fail(s, -113);
    if (typeof result === 'number') return void fail(s, result);
    return result;
  };
  return (line, s) => {
    const said = programUnits(line).flatMap((one) => unit(one, s) ?? []);
    return said.length === 0 ? [] : [said.join(';')];
  };
}
