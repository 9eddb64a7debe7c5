/** The words of an EASIROC board's data stream: what each means, and its two forms on the wire. */
import { whole } from './unsendable.ts';

/**
 * packed: as the board sends them over TCP, 28 bits in four bytes of seven, the first of which has its top bit set (GlobalGatherer.vhd).
 * plain: 32-bit big-endian, as the controller writes them into its .dat files after unpacking (VME-EASIROC.rb, hist.cc).
 */
export type WordForm = 'packed' | 'plain';

export const WORD = 4;
/** A header has bit 27 set and how many data words follow in its low 12 bits; data words have it clear. */
export const HEADER = 0x08000000;
export const MOST_WORDS = 0xfff;
/** The firmware of 2015 sets bits 12 to 27 of every header (GlobalGatherer.vhd); older ones are not known to. */
export const FULL_HEADER = 0x0ffff000;

/** What a data word is: hist.cc's masks. */
export const KIND = { high: 0, low: 1, leading: 2, trailing: 3, scaler: 4, unknown: 5 } as const;
export type WordKind = (typeof KIND)[keyof typeof KIND];

export function kindOf(word: number): WordKind {
  switch (word & 0x600000) {
    case 0:
      return (word & 0x080000) === 0 ? KIND.high : KIND.low;
    case 0x200000:
      return (word & 0x1000) === 0 ? KIND.trailing : KIND.leading;
    case 0x400000:
      return KIND.scaler;
    default:
      return KIND.unknown;
  }
}

/** Channel 0 to 63 of an ADC or TDC word. */
export const channelOf = (word: number): number => (word >>> 13) & 0x3f;
/** Twelve bits of an ADC or TDC word; a TDC counts nanoseconds before the common stop. */
export const wordValue = (word: number): number => word & 0xfff;
/** The ADC was beyond its range: the value is not the pulse's. */
export const overRange = (word: number): boolean => (word & 0x1000) !== 0;
/** 0 to 63 the channels, 66 the OR of all, 67 and 68 the clocks of 1 MHz and 1 kHz (TopLevel.vhd). */
export const scalerChannel = (word: number): number => (word >>> 14) & 0x7f;
/** All 14 bits; the highest says that the counter has gone over at 8192 (SingleScaler.vhd). */
export const scalerValue = (word: number): number => word & 0x3fff;
export const SCALER_OVERFLOW = 0x2000;

const channel = (of: string, n: number, high: number): number => whole(`the channel of ${of}`, n, high);
export const adcWord = (gain: 'high' | 'low', ch: number, value: number, over = false): number =>
  (gain === 'low' ? 0x080000 : 0) | (channel('an ADC word', ch, 63) << 13) | (over ? 0x1000 : 0) | whole('an ADC value', value, 0xfff);
export const tdcWord = (edge: 'leading' | 'trailing', ch: number, value: number): number =>
  0x200000 | (channel('a TDC word', ch, 63) << 13) | (edge === 'leading' ? 0x1000 : 0) | whole('a TDC value', value, 0xfff);
export const scalerWord = (ch: number, value: number): number =>
  0x400000 | (channel('a scaler word', ch, 127) << 14) | whole('a scaler value', value, 0x3fff);

export interface Adc {
  readonly channel: number;
  readonly value: number;
  readonly overRange: boolean;
}
export interface Edge {
  readonly channel: number;
  readonly value: number;
}
export interface Scaler {
  readonly channel: number;
  /** 14 bits as they were sent. */
  readonly value: number;
  /** 13 bits, too small by a multiple of 8192 where `overflow` is set. */
  readonly count: number;
  readonly overflow: boolean;
}
/** The words of one event by what they are, in the order in which they came. */
export interface EasirocData {
  readonly high: readonly Adc[];
  readonly low: readonly Adc[];
  readonly leading: readonly Edge[];
  readonly trailing: readonly Edge[];
  readonly scalers: readonly Scaler[];
  /** Words of a kind that hist.cc does not know. */
  readonly unknown: number;
}

export function dataOf(words: Iterable<number>): EasirocData {
  const adc: [Adc[], Adc[]] = [[], []];
  const tdc: [Edge[], Edge[]] = [[], []];
  const scalers: Scaler[] = [];
  let unknown = 0;
  for (const w of words) {
    const kind = kindOf(w);
    if (kind === KIND.high || kind === KIND.low) {
      adc[kind === KIND.high ? 0 : 1].push({ channel: channelOf(w), value: wordValue(w), overRange: overRange(w) });
    } else if (kind === KIND.leading || kind === KIND.trailing) {
      tdc[kind === KIND.leading ? 0 : 1].push({ channel: channelOf(w), value: wordValue(w) });
    } else if (kind === KIND.scaler) {
      const value = scalerValue(w);
      scalers.push({ channel: scalerChannel(w), value, count: value & (SCALER_OVERFLOW - 1), overflow: (value & SCALER_OVERFLOW) !== 0 });
    } else unknown++;
  }
  return { high: adc[0], low: adc[1], leading: tdc[0], trailing: tdc[1], scalers, unknown };
}

/** A word's four bytes. */
export function putWord(bytes: Uint8Array, at: number, word: number, form: WordForm): void {
  whole('a word', word, 0x0fffffff);
  const [bits, top] = form === 'packed' ? [7, 0x80] : [8, 0];
  const mask = (1 << bits) - 1;
  for (let i = 0; i < WORD; i++) bytes[at + i] = (word >>> (bits * (WORD - 1 - i))) & mask;
  bytes[at] |= top;
}

/** The word at a place, or -1 where its bytes cannot be one in this form. */
export function wordAt(bytes: Uint8Array, at: number, form: WordForm): number {
  const a = bytes[at];
  const b = bytes[at + 1];
  const c = bytes[at + 2];
  const d = bytes[at + 3];
  if (form === 'plain') return a < 0x10 ? (a << 24) | (b << 16) | (c << 8) | d : -1;
  return a >= 0x80 && b < 0x80 && c < 0x80 && d < 0x80 ? ((a & 0x7f) << 21) | (b << 14) | (c << 7) | d : -1;
}

/** A header and its data words as bytes; `header` without its length has every bit that the firmware of 2015 sets. */
export function eventBytes(words: ArrayLike<number>, form: WordForm, header = FULL_HEADER): Uint8Array {
  const bytes = new Uint8Array(WORD * (words.length + 1));
  const length = whole('the number of words', words.length, MOST_WORDS);
  putWord(bytes, 0, ((header | HEADER) & ~MOST_WORDS) | length, form);
  for (let i = 0; i < words.length; i++) putWord(bytes, WORD * (i + 1), whole('a data word', words[i], HEADER - 1), form);
  return bytes;
}
