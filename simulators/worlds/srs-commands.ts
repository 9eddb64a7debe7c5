/** The commands of Stanford Research amplifiers, from the instrument's side: tables of words, their numbers and their status registers. */
import type { Dac } from './dac.ts';

// Bits of the standard event status register: a wrong argument, and a word that is not known.
const EXECUTION = 1 << 4;
const COMMAND = 1 << 5;

interface Commanded {
  /** Standard event status register. */
  esr: number;
}
export interface Entry<S> {
  /** A reply, or undefined where an argument is wrong. */
  readonly get?: (s: S, args: readonly string[], w: Dac, t: number) => string | undefined;
  /** False where an argument is wrong. */
  readonly set?: (s: S, args: readonly string[], w: Dac, t: number) => boolean | undefined;
}
export type Table<S> = ReadonlyMap<string, Entry<S>>;

/** "NAME? a,b" or "NAMEa,b", several joined by ";": each question has a reply of its own, a slip only sets a bit. */
export function obey<S extends Commanded>(table: Table<S>, line: string, s: S, w: Dac, t: number): string[] {
  const said: string[] = [];
  for (const one of line.split(';')) {
    const [, name = '', mark, rest = ''] = /^\s*:?(\*?[A-Za-z]*)\s*(\?)?\s*(.*?)\s*$/.exec(one) ?? [];
    if (name === '' && rest === '') continue;
    const entry = table.get(name.toUpperCase());
    const args = rest === '' ? [] : rest.split(',').map((arg) => arg.trim());
    const act = mark === undefined ? entry?.set : entry?.get;
    if (!act) {
      s.esr |= COMMAND;
      continue;
    }
    const outcome = act(s, args, w, t);
    if (typeof outcome === 'string') said.push(outcome);
    else if (outcome === false || (mark !== undefined && outcome === undefined)) s.esr |= EXECUTION;
  }
  return said;
}

/** A number within limits, NaN where it is none; `whole` also takes "8.000000". */
export function numeric(text: string | undefined, lo: number, hi: number, whole = false): number {
  const value = text === undefined || text === '' ? Number.NaN : Number(text);
  return value >= lo && value <= hi && (!whole || Number.isInteger(value)) ? value : Number.NaN;
}

/** As C prints "%g": so many significant digits, trailing zeros dropped, an exponent of at least two digits. */
export function general(value: number, digits = 6): string {
  const [mantissa = '0', exponent = '0'] = value.toExponential(digits - 1).split('e');
  const e = Number(exponent);
  if (value === 0) return '0';
  if (e >= -4 && e < digits) return String(Number(value.toPrecision(digits)));
  return `${Number(mantissa)}e${e < 0 ? '-' : '+'}${String(Math.abs(e)).padStart(2, '0')}`;
}

/** As C prints "%.ne". */
export function scientific(value: number, digits: number): string {
  const [mantissa, exponent] = value.toExponential(digits).split('e');
  const e = Number(exponent);
  return `${mantissa}e${e < 0 ? '-' : '+'}${String(Math.abs(e)).padStart(2, '0')}`;
}

/** A settled byte or word of status: read as a whole or by its bits, and what is read is cleared. */
function statusEntry<S>(get: (s: S) => number, put: (s: S, n: number) => void, bits: number): Entry<S> {
  return {
    get(s, [bit]) {
      const now = get(s);
      if (bit === undefined) {
        put(s, 0);
        return String(now);
      }
      const n = numeric(bit, 0, bits - 1, true);
      if (Number.isNaN(n)) return undefined;
      put(s, now & ~(1 << n));
      return String((now >> n) & 1);
    },
  };
}

/** Its enable register: "LIAE 4", or one bit by "LIAE 2,1". */
function enableEntry<S>(get: (s: S) => number, put: (s: S, n: number) => void, bits: number): Entry<S> {
  return {
    get(s, [bit]) {
      if (bit === undefined) return String(get(s));
      const n = numeric(bit, 0, bits - 1, true);
      return Number.isNaN(n) ? undefined : String((get(s) >> n) & 1);
    },
    set(s, [first, second]) {
      const value = second === undefined ? numeric(first, 0, 2 ** bits - 1, true) : numeric(second, 0, 1, true);
      const n = second === undefined ? 0 : numeric(first, 0, bits - 1, true);
      if (Number.isNaN(value) || Number.isNaN(n)) return false;
      put(s, second === undefined ? value : (get(s) & ~(1 << n)) | (value << n));
      return true;
    },
  };
}

type Named<S> = readonly [string, Entry<S>];
type List<S> = { readonly of: (s: S) => number[]; readonly lo: number; readonly hi: number } & Form;
interface Form {
  /** Whole numbers unless given as false, and as many decimals as `form` writes. */
  readonly whole?: boolean;
  readonly form?: (n: number) => string;
}
const plain = (n: number): string => String(n);

/** A setting that is one number; `then` may change it, or refuse it by NaN. */
export function single<S>(
  name: string,
  of: (s: S) => Record<string, number>,
  lo: number,
  hi: number,
  {
    form = plain,
    whole = true,
    then = (n) => n,
    words = [],
  }: Form & { then?: (n: number, s: S) => number; words?: readonly string[] } = {},
): Named<S> {
  return [
    name,
    {
      get: (s) => form(of(s)[name]),
      set(s, args) {
        const number = numeric(args[0], lo, hi, whole);
        const said = Number.isNaN(number) ? wordIndex(words, args[0]) : -1;
        const n = then(said >= 0 ? said : number, s);
        if (args.length !== 1 || Number.isNaN(n)) return false;
        of(s)[name] = n;
        return true;
      },
    },
  ];
}

/** The place of a word that may be cut short, in letters of either case; -1 for none. */
export const wordIndex = (words: readonly string[], said: string | undefined): number =>
  said === undefined || said === '' ? -1 : words.findIndex((w) => w.toUpperCase().startsWith(said.toUpperCase()));

/** "NAME? i" and "NAME i,x" (or "i,x,y"): a number from each list, which index `first` begins. */
export function listed<S>(name: string, first: number, ...lists: readonly List<S>[]): Named<S> {
  const place = (s: S, arg: string | undefined): number => numeric(arg, first, first + lists[0].of(s).length - 1, true) - first;
  return [
    name,
    {
      get(s, [which]) {
        const i = place(s, which);
        return Number.isNaN(i) ? undefined : lists.map(({ of, form = plain }) => form(of(s)[i])).join(',');
      },
      set(s, [which, ...rest]) {
        const i = place(s, which);
        const values = lists.map(({ lo, hi, whole }, k) => numeric(rest[k], lo, hi, whole ?? true));
        if (rest.length !== lists.length || Number.isNaN(i) || values.some(Number.isNaN)) return false;
        lists.forEach(({ of, form = plain }, k) => {
          of(s)[i] = Number(form(values[k]));
        });
        return true;
      },
    },
  ];
}

/** "NAME? i" alone. */
export const asked = <S>(name: string, first: number, last: number, get: (s: S, i: number, w: Dac) => string): Named<S> => [
  name,
  {
    get(s, [which], w) {
      const i = numeric(which, first, last, true);
      return Number.isNaN(i) ? undefined : get(s, i, w);
    },
  },
];

/** A word that does something and takes nothing. */
export const doing = <S>(name: string, what: (s: S, w: Dac, t: number) => void): Named<S> => [
  name,
  {
    set(s, args, w, t) {
      if (args.length > 0) return false;
      what(s, w, t);
      return true;
    },
  },
];

export interface Registers extends Commanded {
  ese: number;
  sre: number;
  psc: number;
  errs: number;
  erre: number;
  lias: number;
  liae: number;
  /** Of LIAS, what holds at this moment: it is set again as soon as it is cleared. */
  now: number;
}
export const registers = (): Registers => ({ esr: 0, ese: 0, sre: 0, psc: 1, errs: 0, erre: 0, lias: 0, liae: 0, now: 0 });

/** The registers' words; `stb` gives the two lowest bits of the serial poll byte. */
export const registerTable = <S extends Registers>(liaBits: number, stb: (s: S) => number): readonly Named<S>[] => {
  const byte = (s: S): number =>
    stb(s) + ((s.errs & s.erre) !== 0 ? 4 : 0) + ((s.lias & s.liae) !== 0 ? 8 : 0) + ((s.esr & s.ese) !== 0 ? 32 : 0);
  const read = (name: string, key: keyof Registers, bits: number): Named<S> => [name, statusEntry((s) => s[key], put(key), bits)];
  const enabled = (name: string, key: keyof Registers, bits: number): Named<S> => [name, enableEntry((s) => s[key], put(key), bits)];
  const put =
    (key: keyof Registers) =>
    (s: Registers, n: number): void =>
      void (s[key] = n);
  return [
    doing('*CLS', (s) => void Object.assign(s, { esr: 0, errs: 0, lias: s.now })),
    ['*STB', { get: (s, [bit]) => (bit === undefined ? String(byte(s)) : String((byte(s) >> numeric(bit, 0, 7, true)) & 1)) }],
    read('*ESR', 'esr', 8),
    enabled('*ESE', 'ese', 8),
    enabled('*SRE', 'sre', 8),
    enabled('*PSC', 'psc', 1),
    read('ERRS', 'errs', 8),
    enabled('ERRE', 'erre', 8),
    [
      'LIAS',
      statusEntry(
        (s) => s.lias,
        (s, n) => void (s.lias = n | s.now),
        liaBits,
      ),
    ],
    enabled('LIAE', 'liae', liaBits),
  ];
};
