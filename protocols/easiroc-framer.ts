/** Finds the events of an EASIROC board in a stream of bytes, and keeps count of everything that was none. */
import { FULL_HEADER, HEADER, MOST_WORDS, WORD, type WordForm, wordAt } from './easiroc-words.ts';

/** What was thrown away, by cause. */
export interface EasirocCounts {
  /** Whole events, and the data words in them. */
  events: number;
  words: number;
  /** Bytes that were no words of any event: what lies in the socket before a run, or the rest after a lost byte. */
  junk: number;
  /** Data words without a header: theirs is lost, or an event had more of them than its header said. */
  stray: number;
  /** Events that were not whole, and how many of their words never came. */
  damaged: number;
  missing: number;
  /** How often the next header had to be looked for. */
  resynced: number;
  /** Bytes held when the stream ended. */
  cutOff: number;
}
export const easirocCounts = (): EasirocCounts => ({
  events: 0,
  words: 0,
  junk: 0,
  stray: 0,
  damaged: 0,
  missing: 0,
  resynced: 0,
  cutOff: 0,
});

/** An event: its header and the first `count` of `words`, which are filled again after the call. */
export type GiveEvent = (header: number, words: Uint32Array, count: number) => void;
/** What belongs to no whole event: bytes of an event that was not whole, or of none, at most 16 KiB at a time. */
export type Thrown = (bytes: Uint8Array, what: 'damaged' | 'none' | 'unfinished') => void;

export interface EasirocFramer {
  /** Any split of the stream. */
  take(bytes: Uint8Array, give: GiveEvent, thrown?: Thrown): void;
  /** No more will come, or nothing of this event: what is held is cut off. */
  end(thrown?: Thrown): void;
  readonly counts: EasirocCounts;
}

const RUN = 4096; // bytes of noise thrown at a time
const LOST = 65536; // bytes without an event after which the form is found out anew
const DATA = 0x007fffff; // bits that a data word has: five zeros, two of kind, 21 (GlobalGatherer.vhd)

/** Next at a place of what is held: -1 wait for more, 0 no header, 1 a whole event, 2 cut short by another header, 3 by no word at all. */
type Found = -1 | 0 | 1 | 2 | 3;

/**
 * An event is given when its last word is there: it needs no next one. After a lost word the next header is taken at once; after a lost
 * byte it is looked for, in the packed form by the top bits, in the plain one byte by byte. `either`: by the first whole event.
 */
export function easirocFramer(form: WordForm | 'either' = 'either'): EasirocFramer {
  const counts = easirocCounts();
  const words = new Uint32Array(MOST_WORDS);
  const run = new Uint8Array(RUN);
  let ran = 0; // bytes in `run`
  let runBytes = 0; // bytes thrown since the last event, of no whole word
  let runWords = 0; // and whole data words
  let searching = false;
  let owed = 0; // words that a damaged event may still bring
  let held: Uint8Array = new Uint8Array(0);
  let known: WordForm | undefined = form === 'either' ? undefined : form;
  let aligned = true; // the place follows a whole word
  let seen = 0; // data words of the header at the beginning of `held` that have been looked at

  const formAt = (at: number): WordForm => known ?? (held[at] >= 0x80 ? 'packed' : 'plain');
  const isData = (word: number, f: WordForm): boolean => word >= 0 && (word & HEADER) === 0 && (f === 'packed' || (word & ~DATA) === 0);

  const look = (at: number): Found => {
    const f = formAt(at);
    const header = wordAt(held, at, f);
    if (header < 0 || (header & HEADER) === 0) return 0;
    const n = header & MOST_WORDS;
    const full = (header & FULL_HEADER) === FULL_HEADER;
    // A lone word says little: without data the header is only believed where one is due, or with all its bits.
    if (n === 0) {
      if (!full && (!aligned || counts.events === 0)) return 0;
      if (f === 'packed') return 1;
      // A lost byte can make one of the plain form's: another header must follow.
      if (at + 2 * WORD > held.length) return -1;
      return wordAt(held, at + WORD, f) >= HEADER ? 1 : 0;
    }
    for (; seen < n; seen++) {
      const place = at + WORD * (seen + 1);
      if (place + WORD > held.length) return -1;
      const word = wordAt(held, place, f);
      if (isData(word, f)) continue;
      // In noise many a word looks like a header.
      if (!full && (!aligned || (counts.events === 0 && seen === 0))) return 0;
      // Data that a lost byte has shifted look like headers; of one board all headers are alike but for their length.
      return word >= 0 && (word & ~MOST_WORDS) === (header & ~MOST_WORDS) ? 2 : 3;
    }
    return 1;
  };

  const settle = (thrown?: Thrown): void => {
    // The rest of an event that has lost a byte: its words are neither stray nor missing.
    const rest = Math.min(owed, runWords + Math.floor(runBytes / WORD));
    counts.missing += owed - rest;
    counts.stray += Math.max(0, runWords - rest);
    counts.junk += runBytes - Math.max(0, rest - runWords) * WORD;
    if (ran > 0) thrown?.(run.slice(0, ran), 'none');
    ran = 0;
    runBytes = 0;
    runWords = 0;
    owed = 0;
  };
  const search = (): void => {
    if (!searching) counts.resynced++;
    searching = true;
  };
  const skip = (at: number, n: number, thrown?: Thrown): void => {
    if (ran + n > RUN) {
      thrown?.(run.slice(0, ran), 'none');
      ran = 0;
    }
    search();
    run.set(held.subarray(at, at + n), ran);
    ran += n;
    if (n === WORD) runWords++;
    else runBytes += n;
    if (form === 'either' && runBytes + WORD * runWords > LOST) known = undefined;
  };

  /** How far to go where no header is: a whole word while words follow one another, else a byte; -1: that is not known yet. */
  const stepAt = (at: number): number => {
    const f = known;
    if (f === undefined || !isData(wordAt(held, at, f), f)) return 1;
    if (f === 'packed') return WORD;
    if (!aligned || counts.events + counts.damaged === 0) return 1;
    if (held.length - at < WORD + 1) return -1;
    // In the plain form a lost byte shows by a header that is not where it should be.
    for (let i = 1; i < WORD; i++) if (held[at + i] === 0x0f && held[at + i + 1] === 0xff) return 1;
    return WORD;
  };

  const lose = (at: number, found: 2 | 3, thrown?: Thrown): number => {
    settle(thrown);
    const length = WORD * (seen + 1);
    const missing = (wordAt(held, at, formAt(at)) & MOST_WORDS) - seen;
    counts.damaged++;
    thrown?.(held.slice(at, at + length), 'damaged');
    search();
    if (found === 2) counts.missing += missing;
    else owed = missing;
    return length;
  };

  return {
    counts,
    take(bytes, give, thrown) {
      const from = held;
      held = new Uint8Array(from.length + bytes.length);
      held.set(from);
      held.set(bytes, from.length);
      let at = 0;
      while (held.length - at >= WORD) {
        const found = look(at);
        if (found === -1) break;
        if (found === 1) {
          settle(thrown);
          searching = false;
          known = formAt(at);
          const header = wordAt(held, at, known);
          const n = header & MOST_WORDS;
          for (let i = 0; i < n; i++) words[i] = wordAt(held, at + WORD * (i + 1), known);
          counts.events++;
          counts.words += n;
          at += WORD * (n + 1);
          aligned = true;
          give(header, words, n);
        } else if (found === 0) {
          const n = stepAt(at);
          if (n === -1) break;
          skip(at, n, thrown);
          aligned = aligned && n === WORD;
          at += n;
        } else {
          at += lose(at, found, thrown);
          aligned = found === 2;
        }
        seen = 0;
      }
      held = held.slice(at);
    },
    end(thrown) {
      settle(thrown);
      const lone = known === 'plain' && held.length === WORD ? wordAt(held, 0, known) : -1;
      if (lone >= HEADER && (lone & MOST_WORDS) === 0) {
        counts.events++;
        held = new Uint8Array(0);
      }
      counts.cutOff += held.length;
      if (held.length > 0) thrown?.(held, 'unfinished');
      aligned = aligned && held.length === 0;
      held = new Uint8Array(0);
      seen = 0;
    },
  };
}
