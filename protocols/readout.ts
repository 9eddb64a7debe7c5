/**
 * What the host and a readout process say to each other. A stream that is too fast for the host is read in a process of its own; the
 * language of such a link carries the plan of that process, and its messages are what the process has made of the stream.
 */
import { concat, type Decoder, Fault, fromLatin1, latin1, type Protocol } from './protocol.ts';
import { Unsendable } from './unsendable.ts';

/** What the process is to do: plain data that JSON can hold, understood by src/readout/. */
export type ReadoutPlan = Readonly<Record<string, unknown>>;

export type ReadoutAsk =
  /** Spectra and counts begin anew. */
  { readonly do: 'clear'; readonly n?: number };

export type ReadoutTell =
  | { readonly say: 'cleared'; readonly n: number }
  /** Values by channel, as a driver gives them: numbers, lists, `{ quality, ... }`, traces with typed columns. t in microseconds since 1970. */
  | { readonly say: 'values'; readonly t: number; readonly values: Readonly<Record<string, unknown>> };

const TYPES = {
  f64: Float64Array,
  f32: Float32Array,
  i32: Int32Array,
  u32: Uint32Array,
  u16: Uint16Array,
  i16: Int16Array,
} as const;
type Typed = InstanceType<(typeof TYPES)[keyof typeof TYPES]>;
const nameOf = (data: Typed): keyof typeof TYPES | undefined =>
  (Object.keys(TYPES) as (keyof typeof TYPES)[]).find((name) => data instanceof TYPES[name]); // the keys of the table above

const HEAD = 4; // bytes: the length of the JSON, little-endian
const DEEPEST = 12;
const LARGEST = 64 << 20; // bytes of one column
const padded = (n: number): number => Math.ceil(n / 8) * 8;

/** JSON, in which a typed array is `{ "$": type, "at": offset, "of": length }`, and then the arrays' bytes. Throws Unsendable. */
function encode(message: object): Uint8Array {
  const parts: Uint8Array[] = [];
  let at = 0;
  const plain = (value: unknown, depth: number): unknown => {
    if (depth > DEEPEST) throw new Unsendable('the message is nested too deeply');
    if (typeof value === 'number' && !Number.isFinite(value)) throw new Unsendable(`${value} is no number that a message can carry`);
    if (ArrayBuffer.isView(value)) {
      const data = value as Typed; // looked at by nameOf
      const type = nameOf(data);
      if (type === undefined) throw new Unsendable('a column of this type is not carried');
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      const place = at;
      parts.push(bytes, new Uint8Array(padded(bytes.length) - bytes.length));
      at += padded(bytes.length);
      return { $: type, at: place, of: data.length };
    }
    if (Array.isArray(value)) return value.map((one) => plain(one, depth + 1));
    if (value !== null && typeof value === 'object')
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v, depth + 1)]));
    return value;
  };
  const text = utf8(JSON.stringify(plain(message, 0)));
  const head = new Uint8Array(padded(HEAD + text.length));
  new DataView(head.buffer).setUint32(0, text.length, true);
  head.set(text, HEAD);
  return concat(head, ...parts);
}

/** One message; undefined where it is none. */
function decode(bytes: Uint8Array): unknown {
  if (bytes.length < HEAD) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const begin = padded(HEAD + length);
  if (begin > bytes.length) return undefined;
  const column = (type: unknown, at: unknown, of: unknown): Typed | undefined => {
    const made = typeof type === 'string' && Object.hasOwn(TYPES, type) ? TYPES[type as keyof typeof TYPES] : undefined; // looked at just before
    if (!made || typeof at !== 'number' || typeof of !== 'number' || !Number.isInteger(at) || !Number.isInteger(of)) return undefined;
    const size = of * made.BYTES_PER_ELEMENT;
    if (at < 0 || of < 0 || size > LARGEST || begin + at + size > bytes.length) return undefined;
    return new made(bytes.slice(begin + at, begin + at + size).buffer);
  };
  let sound = true;
  const revived = (value: unknown, depth: number): unknown => {
    if (depth > DEEPEST) sound = false;
    if (!sound || value === null || typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map((one) => revived(one, depth + 1));
    if ('$' in value) {
      const data = column(value.$, 'at' in value ? value.at : undefined, 'of' in value ? value.of : undefined);
      sound &&= data !== undefined;
      return data;
    }
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, revived(v, depth + 1)]));
  };
  try {
    const made = revived(JSON.parse(text(bytes.subarray(HEAD, HEAD + length))), 0);
    return sound ? made : undefined;
  } catch {
    return undefined; // no JSON
  }
}

// Text other than ASCII goes as \uXXXX: latin-1 then carries it.
const utf8 = (json: string): Uint8Array =>
  fromLatin1(json.replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`));
const text = (bytes: Uint8Array): string => latin1(bytes);

const isAsk = (m: unknown): m is ReadoutAsk => m !== null && typeof m === 'object' && 'do' in m && m.do === 'clear';
const isTell = (m: unknown): m is ReadoutTell =>
  m !== null &&
  typeof m === 'object' &&
  'say' in m &&
  (m.say === 'cleared'
    ? 'n' in m && typeof m.n === 'number'
    : m.say === 'values' &&
      't' in m &&
      typeof m.t === 'number' &&
      'values' in m &&
      m.values !== null &&
      typeof m.values === 'object' &&
      !Array.isArray(m.values));

const packets =
  <M>(is: (m: unknown) => m is M): Decoder<M> =>
  (bytes) => {
    if (bytes.length === 0) return [];
    const m = decode(bytes);
    return [is(m) ? m : new Fault('PROTO_BAD_PACKET', bytes.slice())];
  };

/** One packet is one message. The plan goes with the language: whoever opens the link starts the process with it. */
export function readout(plan: ReadoutPlan): Protocol<ReadoutAsk, ReadoutTell> {
  return {
    framing: 'packets',
    readout: plan,
    asks: { encode, decoder: () => packets(isAsk) },
    tells: { encode, decoder: () => packets(isTell) },
    fits: (m, q) => (m.say === 'values' ? 'unasked' : m.n === q.n ? 'answer' : 'late'),
    apart: 'question',
    number: (q, n) => ({ ...q, n }),
    answers: (m, q) => (m.say === 'cleared' ? { ...m, n: q.n ?? 0 } : m),
  };
}

/** What every readout process gives, by channel: its kind. */
export const READOUT_GIVES = {
  byte_rate: '1/s',
  frame_rate: '1/s',
  frames: '1',
  hits: '1',
  missing: '1',
  doubled: '1',
  late: '1',
  damaged: '1',
  junk: '1',
  resynced: '1',
  live_time: 's',
  live: '1',
  dead_missing: 's',
  dead_busy: 's',
  dead_closed: 's',
  recorded: '1',
  unrecorded: '1',
  rate: '1/s',
  mean_charge: '1',
  saturated: '1',
  charge: 'trace',
} as const;

/** That depend on when the reading began. */
export const READOUT_CHANCE = ['dead_closed'] as const;
export const BUILDER_CHANCE = ['dead_incomplete'] as const;
/** Those that count what comes by chance. */
export const READOUT_COUNTS = ['frames', 'hits', 'missing', 'doubled', 'late', 'damaged', 'junk', 'resynced', 'saturated'] as const;

/**
 * What is given of several boards whose events are built together; `boards` and `board_rate` one after the other, in the order of the
 * address. `together` is the share of events in which more than one board has light.
 */
export const BUILDER_GIVES = {
  boards: 'state',
  board_rate: '1/s',
  hits: '1',
  late: '1',
  doubled: '1',
  early: '1',
  untaken: '1',
  together: '1',
  live_time: 's',
  live: '1',
  dead_incomplete: 's',
  dead_boards: 's',
} as const;

/** Those of them that count what comes by chance. */
export const BUILDER_COUNTS = ['hits', 'late', 'doubled', 'early', 'untaken'] as const;

/** What a message as the manual would print it looks like. */
export const READOUT_EXAMPLE: ReadoutTell = {
  say: 'values',
  t: 1767225600000000,
  values: { frame_rate: 12.5, frames: 125, missing: 0, live: 0.999, rate: [3.5, { quality: 'bad', why: 'no live time' }] },
};

/** The values of a message that a driver has declared; none for another message. */
export const readoutValues = (m: ReadoutTell, gives: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  m.say === 'values' ? Object.fromEntries(Object.entries(m.values).filter(([name]) => Object.hasOwn(gives, name))) : {};
