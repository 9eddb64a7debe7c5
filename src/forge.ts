/**
 * Puts a wanted value into a reply, without knowing the protocol: changes one part of the message after another until the driver's own
 * `read` says what is wanted, and what it says of the other channels has stayed the same.
 */
import { type AnyProtocol, Fault } from './instrument.ts';
import type { Kind, Kinds, Measured, Values } from './reading.ts';

/** What `read` has made of a reply: "channel" or "channel[index]" -> value; a sentence where it refuses the reply. */
export type Seen = Readonly<Record<string, Measured<Kind>>> | string;

export interface Goal {
  /** channel or channel[index] */
  readonly slot: string;
  /** Tried in this order; none: whatever makes `good` true. */
  readonly values: readonly (number | boolean | string)[];
  /** The reading that is wanted; undefined where the reply is refused as a whole. */
  readonly good: (m: Measured<Kind> | undefined) => boolean;
}

export interface Question {
  readonly protocol: AnyProtocol;
  /** Still an answer to the question that is open, or still of the stream. */
  readonly fits: (m: unknown) => boolean;
  /** What the driver makes of a reply; throws as the driver does. */
  readonly read: (m: unknown) => Values<Kinds>;
  readonly gives: Kinds;
  readonly span?: Readonly<Record<string, readonly [number, number] | undefined>>;
}

/** One reading per slot, with what the program itself refuses (no number, beyond its span) made bad. */
export function seenIn(question: Question, m: unknown): Seen {
  let values: Values<Kinds>;
  try {
    values = question.read(m);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  if (values === null || typeof values !== 'object') return 'nothing was read';
  const seen: Record<string, Measured<Kind>> = {};
  for (const [channel, kind] of Object.entries(question.gives)) {
    const given: unknown = values[channel];
    if (given === undefined || kind === 'trace') continue;
    const list: readonly unknown[] = Array.isArray(given) ? given : [given];
    for (const [i, one] of list.entries()) {
      seen[Array.isArray(given) ? `${channel}[${i}]` : channel] = checked(kind, one, question.span?.[channel]);
    }
  }
  return seen;
}

function checked(kind: Kind, given: unknown, span: readonly [number, number] | undefined): Measured<Kind> {
  // A value, or a value with its quality: what `read` may give.
  const m = (
    given !== null && typeof given === 'object' && 'quality' in given ? given : { quality: 'good', value: given }
  ) as Measured<Kind>;
  if (m.quality === 'bad') return m;
  const v: unknown = m.value;
  const fits =
    kind === 'flag'
      ? typeof v === 'boolean'
      : kind === 'state'
        ? typeof v === 'string' && v !== ''
        : typeof v === 'number' && Number.isFinite(v) && (span === undefined || (v >= span[0] && v <= span[1]));
  return fits ? m : { quality: 'bad', why: 'no value' };
}

/** The reply that says it, as bytes; undefined where no single change of the reply does. */
export function forged(question: Question, m: unknown, goal: Goal): { readonly m: unknown; readonly bytes: Uint8Array } | undefined {
  const { protocol, fits } = question;
  const before = seenIn(question, m);
  const says = typeof before === 'string' ? undefined : before[goal.slot];
  if (says !== undefined && goal.good(says)) return onWire(protocol, m, fits);
  let second: { readonly m: unknown; readonly bytes: Uint8Array } | undefined;
  for (const made of changes(question, m, goal)) {
    const seen = seenIn(question, made);
    if (!goal.good(typeof seen === 'string' ? undefined : seen[goal.slot])) continue;
    const sent = onWire(protocol, made, fits);
    if (!sent) continue;
    const again = seenIn(question, sent.m);
    if (!goal.good(typeof again === 'string' ? undefined : again[goal.slot])) continue;
    if (alone(before, again, goal.slot)) return sent;
    second ??= sent;
  }
  return second;
}

/** As it arrives: encoded and decoded, and still an answer to the question. */
function onWire(
  protocol: AnyProtocol,
  made: unknown,
  fits: Question['fits'],
): { readonly m: unknown; readonly bytes: Uint8Array } | undefined {
  try {
    const bytes = protocol.tells.encode(made);
    const decoded: readonly unknown[] = protocol.tells.decoder()(bytes);
    const [m] = decoded;
    if (decoded.length !== 1 || m instanceof Fault || !fits(m)) return undefined;
    return { m, bytes };
  } catch {
    return undefined; // what no wire can carry
  }
}

/** Nothing but the one slot has changed. */
function alone(before: Seen, after: Seen, slot: string): boolean {
  if (typeof before === 'string' || typeof after === 'string') return false;
  return Object.entries(before).every(([name, m]) => name === slot || JSON.stringify(m) === JSON.stringify(after[name]));
}

/** A part of a message that can be another; `put` gives the whole message with it. */
type Part =
  | { readonly is: 'text'; readonly put: (text: string) => unknown; readonly was: string }
  | { readonly is: 'number'; readonly put: (n: number) => unknown; readonly was: number }
  | { readonly is: 'flag'; readonly put: (on: boolean) => unknown; readonly was: boolean };

const WORDS = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'ON', 'OFF', 'on', 'off', 'YES', 'NO', 'OPEN', 'CLOSED', 'open', 'closed'];
const NONSENSE = ['NaN', 'nan', '9.91E+37', '9.9E37', '-----', '?', 'Err'];
const BEYOND = [0x7fff, 0x8000, 0xffff, -0x8000, 0x7fffffff, 0x80000000, 0xffffffff];
const BITS = 32;
const NUMBER = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/;

function* changes(question: Question, m: unknown, goal: Goal): Generator<unknown> {
  const all = [...parts(m)];
  const numbers = goal.values.filter((v) => typeof v === 'number');
  const words = goal.values.filter((v) => typeof v === 'string');
  for (const wanted of numbers) for (const part of all) yield* solved(question, part, goal.slot, wanted);
  for (const word of words) {
    for (const part of all) if (part.is === 'text') yield part.put(word);
    for (const part of all) if (part.is === 'text') yield* [word.toUpperCase(), word.toLowerCase()].map(part.put);
  }
  // What is no number in the place of one, before anything else is touched.
  if (goal.values.length === 0) {
    for (const part of all) {
      if (part.is === 'text' && NUMBER.test(part.was)) yield* NONSENSE.map(part.put);
      if (part.is === 'number') yield* BEYOND.map(part.put);
    }
  }
  for (const part of all) {
    if (part.is === 'flag') yield part.put(!part.was);
    if (part.is === 'number') yield* flipped(part.was).map(part.put);
    if (part.is === 'text' && /^\d+$/.test(part.was)) yield* flipped(Number(part.was)).map((n) => part.put(String(n)));
  }
  for (const part of all) {
    if (part.is === 'text') yield* [...WORDS, ...NONSENSE].map(part.put);
    if (part.is === 'number') yield* [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...BEYOND].map(part.put);
  }
}

/** A number with each one of its bits the other way. */
const flipped = (n: number): readonly number[] =>
  Number.isInteger(n) && n >= 0 && n < 2 ** BITS
    ? Array.from({ length: BITS }, (_, bit) => (Math.floor(n / 2 ** bit) % 2 === 1 ? n - 2 ** bit : n + 2 ** bit))
    : [];

/** The value that the reply shows is nearly always linear in the number that is in it: two trials tell how. */
function* solved(question: Question, part: Part, slot: string, wanted: number): Generator<unknown> {
  if (part.is === 'flag') return;
  const says = (x: number): number | undefined => {
    const seen = seenIn(question, part.is === 'text' ? part.put(String(x)) : part.put(x));
    const one = typeof seen === 'string' ? undefined : seen[slot];
    return one === undefined || one.quality === 'bad' || typeof one.value !== 'number' ? undefined : one.value;
  };
  const here = part.is === 'text' ? Number(part.was) : part.was;
  const from = Number.isFinite(here) ? here : 1;
  for (const [a, b] of [
    [from, from + 1],
    [from, from - 1],
    [1, 2],
    [from, from * 1.01 + 1e-3],
    [100, 200],
  ] as const) {
    const [ya, yb] = [says(a), says(b)];
    if (ya === undefined || yb === undefined || ya === yb) continue;
    const x = a + ((wanted - ya) * (b - a)) / (yb - ya);
    if (!Number.isFinite(x)) return;
    if (part.is === 'text') yield* written(x, part.was).map(part.put);
    else yield* [x, Math.round(x), Math.round(x) & 0xffff, Math.round(x) >>> 0].map(part.put);
    return;
  }
}

/** As the instrument writes its numbers, then with more decimals. */
function written(x: number, like: string): readonly string[] {
  const [, digits = '', exponent] = /^[-+]?\d*(?:\.(\d*))?([eE][-+]?\d+)?$/.exec(like) ?? [];
  const sign = like.startsWith('+') && x >= 0 ? '+' : '';
  const forms =
    exponent === undefined
      ? [x.toFixed(digits.length), x.toFixed(Math.max(digits.length, 6))]
      : [x.toExponential(digits.length).replace('e', exponent.slice(0, 1))];
  return [...forms.map((form) => sign + form), String(x)];
}

const MOST = 4096; // parts of one message
const WIDEST = 6; // bytes of one number
const TOKEN = /[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[A-Za-z_]+/g;

/** Every part of a message, the deepest ones. Messages are texts, or objects and lists of plain values and bytes. */
function* parts(m: unknown): Generator<Part> {
  let left = MOST;
  for (const part of partsOf(m, (x) => x)) {
    if (left-- === 0) return;
    yield part;
  }
}

function* partsOf(m: unknown, whole: (changed: unknown) => unknown): Generator<Part> {
  if (typeof m === 'string') {
    for (const found of m.matchAll(TOKEN)) {
      const [was] = found;
      const at = found.index;
      yield { is: 'text', was, put: (text) => whole(m.slice(0, at) + text + m.slice(at + was.length)) };
    }
    yield { is: 'text', was: m, put: whole };
  } else if (typeof m === 'number') yield { is: 'number', was: m, put: whole };
  else if (typeof m === 'boolean') yield { is: 'flag', was: m, put: whole };
  else if (m instanceof Uint8Array) yield* bytesIn(m, whole);
  else if (Array.isArray(m)) {
    for (const [i, one] of m.entries()) yield* partsOf(one, (changed) => whole(m.with(i, changed)));
    yield* registersIn(m, whole);
  } else if (m !== null && typeof m === 'object' && !ArrayBuffer.isView(m)) {
    for (const [key, one] of Object.entries(m)) yield* partsOf(one, (changed) => whole({ ...m, [key]: changed }));
  }
}

/** Numbers of one to six bytes, the high byte first or last. */
function* bytesIn(bytes: Uint8Array, whole: (changed: unknown) => unknown): Generator<Part> {
  for (let width = Math.min(WIDEST, bytes.length); width >= 1; width--) {
    for (let at = 0; at + width <= bytes.length; at++) {
      for (const high of width === 1 ? [true] : [true, false]) {
        const places = Array.from({ length: width }, (_, i) => at + (high ? i : width - 1 - i));
        const was = places.reduce((n, place) => n * 256 + (bytes[place] ?? 0), 0);
        yield {
          is: 'number',
          was,
          put(n) {
            const other = bytes.slice();
            const size = 256 ** width;
            let rest = ((Math.round(n) % size) + size) % size;
            for (const place of places.toReversed()) {
              other[place] = rest % 256;
              rest = Math.floor(rest / 256);
            }
            return whole(other);
          },
        };
      }
    }
  }
}

/** Two neighbouring 16-bit registers as one number, the high one first or last. */
function* registersIn(list: readonly unknown[], whole: (changed: unknown) => unknown): Generator<Part> {
  for (let at = 0; at + 1 < list.length; at++) {
    const [a, b] = [list[at], list[at + 1]];
    if (typeof a !== 'number' || typeof b !== 'number' || a > 0xffff || b > 0xffff) continue;
    for (const high of [at, at + 1]) {
      const low = high === at ? at + 1 : at;
      yield {
        is: 'number',
        was: Number(list[high]) * 0x10000 + Number(list[low]),
        put(n) {
          const raw = Math.round(n) >>> 0;
          return whole(list.with(high, Math.floor(raw / 0x10000)).with(low, raw % 0x10000));
        },
      };
    }
  }
}
