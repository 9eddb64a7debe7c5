/** Values as Keithley instruments write them; a sentence where a text is none. */
import { errorEntry } from './scpi.ts';
import { decimal } from './text.ts';

/**
 * A number of the ASCII format with or without its unit: "+1.01194701E-05VDC". A sentence for an overflow (+9.9E37), for what is no reading
 * (+9.91E37) and for any other form: Model 6220/6221 Reference Manual, section 13; Model 2182 User's Manual, FORMat.
 */
export function keithleyNumber(text: string): number | string {
  if (text !== text.trim()) return `"${text}" has blanks: another number format than this instrument's`;
  const [, digits = '', unit = ''] = /^([-+0-9.eE]*?[0-9.])([A-Z]{1,6}#?)?$/.exec(text) ?? [];
  if (/^[+-]?9\.90*E\+?37$/i.test(digits)) return 'overflow: beyond the range of the meter, or an open input';
  if (/^[+-]?9\.910*E\+?37$/i.test(digits)) return 'the instrument has no reading (not a number)';
  const value = decimal(digits);
  return Number.isNaN(value) || /^[EH]/.test(unit) ? `"${text}" is no number of this instrument` : value;
}

/** "0" or "1". */
export const keithleyFlag = (text: string): boolean | string =>
  text === '1' ? true : text === '0' ? false : `"${text}" is neither 0 nor 1`;

/** What a 6221 answers in the place of the meter at its relay while a delta measurement has it: a line that no instrument says. */
export const METER_TAKEN = 'the meter belongs to the delta measurement that is armed';

/** Entries of an error queue as one text, "none" where it is empty; throws where one is no entry. */
export function errorQueue(entries: readonly string[]): string {
  const texts = entries.map((entry) => {
    const one = errorEntry(entry);
    if (!one) throw new Error(`"${entry}" is no entry of an error queue`);
    return `${one.code} ${one.text}`;
  });
  return texts.join('; ') || 'none';
}

const BASES: Readonly<Record<string, number>> = { B: 2, Q: 8, H: 16 };
/** A status register in any of the forms of FORMat:SREGister: "8", "#B1000", "#Q10", "#H8". */
export function statusWord(text: string): number | string {
  const [, base = '', digits = ''] = /^#([BQH])([0-9A-F]+)$/i.exec(text) ?? [];
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.parseInt(digits, BASES[base.toUpperCase()] ?? 10);
  return Number.isInteger(value) && value >= 0 && value < 65_536 ? value : `"${text}" is no status register`;
}

/** One delta reading of the source's buffer. */
export interface DeltaRow {
  /** V, or why there is none. */
  readonly volts: number | string;
  /** s of the source's clock since the first reading. */
  readonly stamp: number;
  /** A. */
  readonly amps: number;
  readonly compliance: boolean;
  /** Reading number; it counts on from run to run. */
  readonly number: number;
}
const ORDER = ['READ', 'TST', 'SOUR', 'AVOL', 'COMP', 'RNUM'] as const;
/** What our own driver asks for. */
export const DELTA_ELEMENTS = 'READ,TST,RNUM,SOUR,COMP';

const short = (name: string): string => (/^TST/i.test(name) ? 'TST' : name.trim().toUpperCase().slice(0, 4));

/**
 * Rows of a TRAC:DATA? reply; a sentence where it is not made of them. Units are read where they are there. Order of the elements: Model
 * 6220/6221 Reference Manual, section 13 (READ, TST, UNIT, SOUR, AVOL, COMP, RNUM).
 */
export function deltaRows(text: string, elements: string): readonly DeltaRow[] | string {
  const chosen = elements.split(',').map(short);
  const order = ORDER.filter((e) => chosen.includes(e));
  for (const needed of ['READ', 'TST', 'RNUM', 'SOUR'] as const) {
    if (!order.includes(needed)) return `the buffer is read with ${elements}: ${needed} is missing`;
  }
  const parts = text.split(',');
  const blank = parts.find((p) => p !== p.trim());
  if (blank !== undefined) return `"${blank}" has blanks: another number format than this instrument's`;
  if (parts.length % order.length !== 0) return `${parts.length} values are no whole number of readings of ${order.length}`;
  const rows: DeltaRow[] = [];
  for (let i = 0; i < parts.length; i += order.length) {
    const at = (e: (typeof ORDER)[number]): string => parts[i + order.indexOf(e)] ?? '';
    const [stamp, amps, number] = [at('TST'), at('SOUR'), at('RNUM')].map(keithleyNumber);
    for (const one of [stamp, amps, number]) if (typeof one === 'string') return one;
    const clipped = order.includes('COMP') ? /^([TF])(CMPL)?$/.exec(at('COMP')) : ['', 'F'];
    if (!clipped) return `"${at('COMP')}" says nothing of the compliance`;
    rows.push({
      volts: keithleyNumber(at('READ')),
      stamp: Number(stamp),
      amps: Number(amps),
      compliance: clipped[1] === 'T',
      number: Number(number),
    });
  }
  return rows;
}

/** Where the zero of another clock lies on ours, and one sigma of it; microseconds and seconds. */
export interface ClockZero {
  readonly zero: number;
  readonly sigma: number;
}

const WINDOW = 120e6; // microseconds of bounds that are kept: a clock that runs 20 ppm fast is 2.4 ms off by then

/**
 * Measures another clock by bounds: an event with the stamp s was there at our time t, so zero <= t - s; another was not there yet at our
 * time t, so zero >= t - s. Between the bounds every place is as likely; where drift has crossed them the gap is the error.
 */
export function clockBounds(): {
  there(stamp: number, t: number): void;
  notYet(stamp: number, t: number): void;
  now(): ClockZero | undefined;
  clear(): void;
} {
  let upper: { readonly at: number; readonly bound: number }[] = [];
  let lower: typeof upper = [];
  const recent = (all: typeof upper, t: number): typeof upper => all.filter((b) => t - b.at < WINDOW);
  return {
    there(stamp, t) {
      upper = [...recent(upper, t), { at: t, bound: t - stamp * 1e6 }];
    },
    notYet(stamp, t) {
      lower = [...recent(lower, t), { at: t, bound: t - stamp * 1e6 }];
    },
    now() {
      if (upper.length === 0 || lower.length === 0) return undefined;
      const hi = Math.min(...upper.map((b) => b.bound));
      const lo = Math.max(...lower.map((b) => b.bound));
      return { zero: (lo + hi) / 2, sigma: Math.abs(hi - lo) / 2e6 / Math.sqrt(3) };
    },
    clear() {
      upper = [];
      lower = [];
    },
  };
}
