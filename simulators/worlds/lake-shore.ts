/**
 * What the Lake Shore temperature controllers and bridges have in common: commands of a name, keys (an input, an output) and fields,
 * questions that are the same name with "?", both joined by ";", no reply to what sets, and the standard event register for what fails.
 */

/** One field of a setting: what it takes, and how it is written back. */
export interface Field {
  /** The text as it is kept; undefined where it is out of range. */
  readonly take: (text: string) => string | undefined;
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** As the instruments write numbers: a sign and six digits. */
export function signed(n: number): string {
  const sign = n < 0 ? '-' : '+';
  const size = Math.abs(n);
  if (size === 0) return '+0.00000';
  if (size >= 1e-3 && size < 999999.5) return sign + size.toPrecision(6);
  return (
    sign +
    size
      .toExponential(5)
      .replace(/e([+-])(\d)$/, 'E$10$2')
      .replace('e', 'E')
  );
}

/** A whole number in digits, without sign. */
export const whole = (lo: number, hi: number): Field => ({
  take(text) {
    const n = Number(text);
    return NUMBER.test(text) && Number.isInteger(n) && n >= lo && n <= hi ? String(n) : undefined;
  },
});
export const real = (lo: number, hi: number): Field => ({
  take(text) {
    const n = Number(text);
    return NUMBER.test(text) && n >= lo && n <= hi ? signed(n) : undefined;
  },
});
/** A number that is written back as short as it can be. */
export const short = (lo: number, hi: number): Field => ({
  take(text) {
    const n = Number(text);
    return NUMBER.test(text) && n >= lo && n <= hi ? String(n) : undefined;
  },
});
/** Text in quotes or without, cut to its length. */
export const text = (most: number): Field => ({ take: (given) => given.replace(/^"([\s\S]*)"$/, '$1').slice(0, most) });
export const oneOf = (words: readonly string[]): Field => ({ take: (given) => words.find((w) => w === given.toUpperCase()) });
export const flag = whole(0, 1);

/** Keys that select what a setting or reading is of; the first of `all` stands for every one when it is set. */
export type Keys = readonly (readonly string[])[];

export interface Setting {
  readonly keys?: Keys;
  /** The word for all keys at once, where there is one. */
  readonly all?: string;
  readonly fields: readonly Field[];
  readonly initial: readonly string[] | ((...keys: readonly string[]) => readonly string[]);
  /** False: it cannot be set. */
  readonly writable?: boolean;
}

export interface Device {
  readonly settings: Record<string, readonly string[]>;
  /** The standard event register (IEEE 488.2), and the masks. */
  events: number;
  eventMask: number;
  serviceMask: number;
}

export const device = (): Device => ({ settings: {}, events: 0, eventMask: 0, serviceMask: 0 });

const EXECUTION = 16;
const COMMAND = 32;

export interface Language<S extends Device, W> {
  readonly identity: (s: S) => string;
  readonly settings: Readonly<Record<string, Setting>>;
  /** Questions with an answer of their own; undefined is an execution error. */
  readonly asks: Readonly<Record<string, (args: readonly string[], s: S, w: W) => string | undefined>>;
  /** Orders that keep nothing; false is an execution error. */
  readonly does?: Readonly<Record<string, (args: readonly string[], s: S, w: W) => boolean>>;
  /** What a setting's fields may not be together; absent: any that fit. */
  readonly allows?: (name: string, keys: readonly string[], fields: readonly string[], s: S) => boolean;
  /** After a setting has changed. */
  readonly changed?: (name: string, keys: readonly string[], s: S, w: W) => void;
  readonly reset: (s: S, w: W) => void;
}

const keyOf = (name: string, keys: readonly string[]): string => [name, ...keys].join(' ');

/** The fields of a setting as they are now. */
export function held(all: Readonly<Record<string, Setting>>, s: Device, name: string, ...keys: readonly string[]): readonly string[] {
  const kept = s.settings[keyOf(name, keys)];
  if (kept) return kept;
  const initial = all[name]?.initial ?? [];
  return typeof initial === 'function' ? initial(...keys) : initial;
}

/** At a separator outside of quotes. */
function split(line: string, by: string): string[] {
  const parts = [''];
  let quoted = false;
  for (const c of line) {
    if (c === '"') quoted = !quoted;
    if (c === by && !quoted) parts.push('');
    else parts[parts.length - 1] += c;
  }
  return parts.map((p) => p.trim());
}

function keysOf(setting: Setting, args: readonly string[]): readonly string[] | undefined {
  const keys = (setting.keys ?? []).flatMap((allowed, i) => allowed.find((k) => k === (args[i] ?? '').toUpperCase()) ?? []);
  return keys.length === (setting.keys?.length ?? 0) ? keys : undefined;
}

function put<S extends Device, W>(language: Language<S, W>, name: string, args: readonly string[], s: S, w: W): boolean {
  const setting = language.settings[name];
  if (setting.writable === false) return false;
  const every = setting.all !== undefined && args[0] === setting.all;
  const selected = every ? (setting.keys?.[0] ?? []).map((key) => [key, ...args.slice(1)]) : [args];
  const n = setting.keys?.length ?? 0;
  const ready: { readonly keys: readonly string[]; readonly fields: readonly string[] }[] = [];
  for (const one of selected) {
    const keys = keysOf(setting, one);
    if (!keys) return false;
    const given = one.slice(n);
    if (given.length > setting.fields.length || given.every((g) => g === '')) return false;
    const before = held(language.settings, s, name, ...keys);
    const fields = setting.fields.map((field, i) => (given[i] === undefined || given[i] === '' ? before[i] : field.take(given[i])));
    const whole = fields.flatMap((f) => f ?? []);
    if (whole.length < fields.length || language.allows?.(name, keys, whole, s) === false) return false;
    ready.push({ keys, fields: whole });
  }
  for (const { keys, fields } of ready) {
    s.settings[keyOf(name, keys)] = fields;
    language.changed?.(name, keys, s, w);
  }
  return true;
}

/** An answer; `undefined` where there is none. */
function one<S extends Device, W>(language: Language<S, W>, unit: string, s: S, w: W): string | undefined {
  const [, written = '', mark = '', rest = ''] = /^:?(\*?[A-Za-z]+)(\??)\s*([\s\S]*)$/.exec(unit) ?? [];
  const name = written.toUpperCase();
  const args = rest === '' ? [] : split(rest, ',');
  const failed = (bit: number): undefined => {
    s.events |= bit;
    return undefined;
  };
  if (name.startsWith('*')) {
    const known = common(language, name + mark, args, s, w);
    return known === false ? failed(COMMAND) : known;
  }
  if (mark === '?') {
    const ask = Object.hasOwn(language.asks, name) ? language.asks[name] : undefined;
    if (ask) return ask(args, s, w) ?? failed(EXECUTION);
    if (!Object.hasOwn(language.settings, name)) return failed(COMMAND);
    const keys = keysOf(language.settings[name], args);
    return keys ? held(language.settings, s, name, ...keys).join(',') : failed(EXECUTION);
  }
  const order = language.does && Object.hasOwn(language.does, name) ? language.does[name] : undefined;
  if (order) return order(args, s, w) ? undefined : failed(EXECUTION);
  if (!Object.hasOwn(language.settings, name)) return failed(COMMAND);
  return put(language, name, args, s, w) ? undefined : failed(EXECUTION);
}

/** The common commands; false where there is no such one. */
function common<S extends Device, W>(
  language: Language<S, W>,
  name: string,
  [arg = '']: readonly string[],
  s: S,
  w: W,
): string | undefined | false {
  const mask = /^\d+$/.test(arg) && Number(arg) < 256 ? Number(arg) : undefined;
  switch (name) {
    case '*IDN?':
      return language.identity(s);
    case '*OPC?':
      return '1';
    case '*TST?':
      return '0';
    case '*ESR?': {
      const events = s.events;
      s.events = 0;
      return String(events);
    }
    case '*ESE?':
      return String(s.eventMask);
    case '*SRE?':
      return String(s.serviceMask);
    case '*STB?':
      return String((s.events & s.eventMask) > 0 ? 32 : 0);
    case '*OPC':
      s.events |= 1;
      return undefined;
    case '*WAI':
      return undefined;
    case '*CLS':
      s.events = 0;
      return undefined;
    case '*RST':
      for (const key of Object.keys(s.settings)) delete s.settings[key];
      language.reset(s, w);
      return undefined;
    case '*ESE':
    case '*SRE':
      if (mask === undefined) s.events |= EXECUTION;
      else if (name === '*ESE') s.eventMask = mask;
      else s.serviceMask = mask;
      return undefined;
    default:
      return false;
  }
}

/** What one line says and asks. */
export function answer<S extends Device, W>(language: Language<S, W>, line: string, s: S, w: W): readonly string[] {
  const said = split(line, ';')
    .filter((unit) => unit !== '' && unit !== ':')
    .flatMap((unit) => one(language, unit, s, w) ?? []);
  return said.length === 0 ? [] : [said.join(';')];
}

/** One control loop: the present set point (K), which a ramp moves, and what the controller has gathered. */
export interface Loop {
  setPoint: number;
  gathered: number;
  before: number | undefined;
  /** Per cent of the range. */
  output: number;
}

export const loop = (): Loop => ({ setPoint: 0, gathered: 0, before: undefined, output: 0 });

/**
 * Per cent of the range for a measured temperature: P (e + I/1000 integral of e + D dT/dt), the derivative time being D per cent of a
 * quarter of the reset time 1000/I; the integral stops at the limits. A temperature that is not known gives 0.
 */
export function control(l: Loop, [p, i, d]: readonly number[], measured: number | undefined, dt: number): number {
  if (measured === undefined) {
    l.before = undefined;
    return 0;
  }
  const slope = (measured - (l.before ?? measured)) / dt;
  l.before = measured;
  const error = l.setPoint - measured;
  const rate = i > 0 ? (d / 100) * (1000 / i / 4) : 0;
  const step = ((p * i) / 1000) * error * dt;
  const wanted = p * (error - rate * slope) + l.gathered + step;
  if ((wanted < 100 || step < 0) && (wanted > 0 || step > 0)) l.gathered = Math.max(0, Math.min(100, l.gathered + step));
  return Math.max(0, Math.min(100, wanted));
}
