/** Frames of counters as a detector board sends them by itself over TCP: a sync word, the frame's number, 32-bit big-endian counters. */
import { concat, type Decoder, Fault, type Protocol } from './protocol.ts';
import { Unsendable, whole } from './unsendable.ts';

export interface FrameLayout {
  /** 32 bits. */
  readonly sync: number;
  /** How many counters follow the frame's number. */
  readonly counters: number;
  /** 32 bits behind the last counter, where the board sends them. Without it a frame is known to be whole only when the next begins. */
  readonly end?: number;
}

export interface CounterFrame {
  /** 32 bits; counts the frames, and begins again after 2^32. */
  readonly number: number;
  readonly counters: readonly number[];
}

const WORD = 4;
const JUNK = 4096; // bytes of noise in one Fault

/** Bytes of one frame. */
export const frameLength = ({ counters, end }: FrameLayout): number => WORD * (2 + counters + (end === undefined ? 0 : 1));

function encode(layout: FrameLayout, frame: CounterFrame): Uint8Array {
  if (frame.counters.length !== layout.counters) {
    throw new Unsendable(`the frame has ${frame.counters.length} counters, the layout ${layout.counters}`);
  }
  const bytes = new Uint8Array(frameLength(layout));
  const view = new DataView(bytes.buffer);
  const words = [layout.sync, frame.number, ...frame.counters, ...(layout.end === undefined ? [] : [layout.end])];
  words.forEach((word, i) => {
    view.setUint32(WORD * i, whole('a word', word, 0xffffffff));
  });
  return bytes;
}

/**
 * Looks for the sync word byte by byte. A frame counts when its end word, or without one the sync word of the next frame, stands where it
 * must: one that has lost a byte is thrown away, and with it no more than its own bytes. Noise comes out as PROTO_NO_FRAME, at most
 * 4,096 bytes at a time; what is cut by silence as PROTO_UNFINISHED.
 */
function decoder(layout: FrameLayout): Decoder<CounterFrame> {
  const length = frameLength(layout);
  const needed = layout.end === undefined ? length + WORD : length;
  let held: Uint8Array = new Uint8Array(0);
  let junk: number[] = [];
  const word = (at: number): number => ((held[at] << 24) | (held[at + 1] << 16) | (held[at + 2] << 8) | held[at + 3]) >>> 0;
  const frameAt = (at: number): CounterFrame => ({
    number: word(at + WORD),
    counters: Array.from({ length: layout.counters }, (_, i) => word(at + WORD * (2 + i))),
  });
  const noise = (): Fault => {
    const fault = new Fault('PROTO_NO_FRAME', Uint8Array.from(junk));
    junk = [];
    return fault;
  };

  return (bytes) => {
    const said: (CounterFrame | Fault)[] = [];
    if (bytes.length === 0) {
      // After silence no next frame will tell: a whole one is a whole one.
      if (layout.end === undefined && held.length === length && word(0) === layout.sync) said.push(frameAt(0));
      else if (held.length > 0) said.push(new Fault('PROTO_UNFINISHED', held));
      if (junk.length > 0) said.unshift(noise());
      held = new Uint8Array(0);
      return said;
    }
    held = concat(held, bytes);
    let at = 0;
    while (held.length - at >= WORD) {
      if (word(at) === layout.sync) {
        if (held.length - at < needed) break;
        if (word(at + needed - WORD) === (layout.end ?? layout.sync)) {
          if (junk.length > 0) said.push(noise());
          said.push(frameAt(at));
          at += length;
          continue;
        }
      }
      junk.push(held[at++]);
      if (junk.length === JUNK) said.push(noise());
    }
    held = held.slice(at);
    return said;
  };
}

/** Nothing is ever asked on this link. Throws Unsendable for a layout that is none. */
export function counterFrames(layout: FrameLayout): Protocol<undefined, CounterFrame> {
  whole('the sync word', layout.sync, 0xffffffff);
  whole('the number of counters', layout.counters, 1024);
  if (layout.end !== undefined) whole('the end word', layout.end, 0xffffffff);
  return {
    asks: { encode: () => new Uint8Array(0), decoder: () => () => [] },
    tells: { encode: (m) => encode(layout, m), decoder: () => decoder(layout) },
    fits: () => 'unasked',
    apart: 'question',
  };
}
