/** The data link of a VME- or NIM-EASIROC board: events over TCP 24. Nothing is ever asked there. */
import { type EasirocCounts, easirocFramer, type Thrown } from './easiroc-framer.ts';
import { eventBytes, FULL_HEADER, type WordForm } from './easiroc-words.ts';
import { type Decoder, Fault, type Protocol } from './protocol.ts';

export interface EasirocEvent {
  /** All 28 bits of the header word. */
  readonly header: number;
  /** The data words: see easiroc-words.ts. */
  readonly words: readonly number[];
  /** What has been lost and thrown away on this stream until here. */
  readonly counts: Readonly<EasirocCounts>;
  /** A simulator's: the bytes that go over the wire, where they are not those of the event. */
  readonly bytes?: Uint8Array;
}

/** An event that is to be sent. */
export const eventOf = (words: readonly number[], counts: Readonly<EasirocCounts>, bytes?: Uint8Array): EasirocEvent => ({
  header: FULL_HEADER | words.length,
  words,
  counts,
  ...(bytes === undefined ? {} : { bytes }),
});

const CODES = { damaged: 'PROTO_SHORT_EVENT', none: 'PROTO_NO_EVENT', unfinished: 'PROTO_UNFINISHED' } as const;

function decoder(form: WordForm | 'either'): Decoder<EasirocEvent> {
  const framer = easirocFramer(form);
  return (bytes) => {
    const said: (EasirocEvent | Fault)[] = [];
    const thrown: Thrown = (lost, what) => said.push(new Fault(CODES[what], lost));
    if (bytes.length === 0) framer.end(thrown);
    else
      framer.take(
        bytes,
        (header, words, n) => said.push({ header, words: [...words.subarray(0, n)], counts: { ...framer.counts } }),
        thrown,
      );
    return said;
  };
}

/**
 * Whole events, and as Faults what was none: PROTO_NO_EVENT (junk and words without a header, at most 4,096 bytes at a time),
 * PROTO_SHORT_EVENT (the next header came before the last word), PROTO_UNFINISHED (cut by silence).
 */
export function easirocEvents(form: WordForm | 'either' = 'either'): Protocol<undefined, EasirocEvent> {
  return {
    asks: { encode: () => new Uint8Array(0), decoder: () => () => [] },
    tells: {
      encode: (m) => m.bytes ?? eventBytes(m.words, form === 'either' ? 'packed' : form, m.header),
      decoder: () => decoder(form),
    },
    fits: () => 'unasked',
    apart: 'question',
  };
}
