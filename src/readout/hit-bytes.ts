/** A block of hits as the session holds it: one message of a `hits` topic. Little-endian throughout; docs/sessions.md has the layout. */
import { type Hits, hits } from '../derive/hits.ts';

const MAGIC = 0x31544948; // "HIT1"
const HEAD = 8;
const DOUBLES = ['t', 'charge', 'tail', 'peak', 'baseline', 'noise'] as const;
const ROW = 8 * DOUBLES.length + 4 + 2 + 2; // bytes of one hit

/** "HIT1", u32 count, then the columns one after the other: t, charge, tail, peak, baseline, noise (f64), frame (u32), channel, flags (u16). */
export function hitBytes(block: Hits): Uint8Array {
  const { count } = block;
  const bytes = new Uint8Array(HEAD + count * ROW);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, count, true);
  let at = HEAD;
  const put = (column: Float64Array | Uint32Array | Uint16Array): void => {
    const raw = new Uint8Array(column.buffer, column.byteOffset, count * column.BYTES_PER_ELEMENT);
    bytes.set(raw, at);
    at += raw.length;
  };
  for (const name of DOUBLES) put(block[name]);
  put(block.frame);
  put(block.channel);
  put(block.flags);
  return bytes;
}

/** A block of its own; a sentence where the bytes are none. */
export function hitsOf(bytes: Uint8Array): Hits | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEAD || view.getUint32(0, true) !== MAGIC) return 'this is no block of hits';
  const count = view.getUint32(4, true);
  if (bytes.length !== HEAD + count * ROW) return `a block of ${count} hits has ${HEAD + count * ROW} bytes, not ${bytes.length}`;
  const block = hits(count);
  block.count = count;
  let at = HEAD;
  const get = (column: Float64Array | Uint32Array | Uint16Array): void => {
    const raw = new Uint8Array(column.buffer);
    raw.set(bytes.subarray(at, at + raw.length));
    at += raw.length;
  };
  for (const name of DOUBLES) get(block[name]);
  get(block.frame);
  get(block.channel);
  get(block.flags);
  return block;
}
