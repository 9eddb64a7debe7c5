/**
 * Nearly all readings of a session are plain: good, with a value and nothing beside it. They are found in the session's bytes by their form,
 * `{"quality":"good","value":V,"from":F,"kind":K,"t":T,"seq":S,"origin":O}`, and compared there: no object is made of them.
 */
import type { Reading } from '../reading.ts';
import type { LineHash } from './line-hash.ts';
import { digits, endOfDigits, isDigit, isSame, Pattern, patternOf, viewOf } from './pattern.ts';

/** What all plain readings of one channel have in common. */
export interface Form {
  readonly from: string;
  readonly kind: Reading['kind'];
  readonly origin: Reading['origin'];
  /** Its bytes from the value to the time, and from the number to the end. */
  readonly middle: Pattern;
  readonly tail: Pattern;
  /** Of its line for the hash, up to the time. */
  readonly head: Pattern;
  /** Those that have come next behind this one. */
  readonly next: Form[];
}

const decoder = new TextDecoder();
const latin1 = new TextDecoder('latin1');

const BEGIN = patternOf('{"quality":"good","value":');
const TIME = patternOf(',"t":');
const SEQ = patternOf(',"seq":');
const GOOD = patternOf(',"good",');
const REST = patternOf(',null,null]\n');
const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const NONE: readonly Form[] = [];
const MOST_NEXT = 16; // looked through before a channel is looked up by name

/** The value of a channel as it was last, and how JSON writes it, a character for each byte: most values are those of before. */
export class ValueJson {
  #value: unknown;
  #text = '';

  of(value: unknown): string {
    if (value === this.#value) return this.#text;
    this.#value = value;
    // As JSON.stringify does; of a string its bytes count.
    this.#text = typeof value === 'string' ? Buffer.from(JSON.stringify(value)).toString('latin1') : String(value);
    return this.#text;
  }
}

/** Of a plain reading. */
export const isPlain = (value: unknown): boolean => typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string';

/** Looks at one reading after the other; what it says is of the last one that it has found. */
export class PlainReadings {
  readonly #forms = new Map<string, Form>();
  #last: Form | undefined;
  #bytes: Uint8Array = new Uint8Array();
  #view = viewOf(this.#bytes);
  #value = 0;
  #valueEnd = 0;
  /** Where the time stands, and in what. */
  #timeView = this.#view;
  #time = 0;
  #timeEnd = 0;
  #number = 0;
  #numberEnd = 0;
  t = 0;
  seq = 0;

  /** The form of the reading that stands there; undefined where it has not this form to the byte. */
  find(bytes: Uint8Array, from: number, to: number): Form | undefined {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#view = viewOf(bytes);
    }
    if (!BEGIN.isAt(this.#view, from)) return undefined;
    this.#value = from + BEGIN.length;
    this.#valueEnd = endOfValue(bytes, this.#value, to);
    if (this.#valueEnd === this.#value) return undefined;
    const form = this.#expected(to) ?? this.#search(from, to);
    if (form) this.#last = form;
    return form;
  }

  /** One of those that came here before. */
  #expected(to: number): Form | undefined {
    for (const form of this.#last?.next ?? NONE)
      if (form.middle.isAt(this.#view, this.#valueEnd))
        return this.#numbers(this.#valueEnd + form.middle.length, to) && this.#ends(form.tail, to) ? form : undefined;
    return undefined;
  }

  /** Time and number. */
  #numbers(at: number, to: number): boolean {
    const bytes = this.#bytes;
    if (!this.#isSameTime(at, to)) {
      this.#timeEnd = endOfDigits(bytes, at, to);
      this.t = digits(bytes, at, this.#timeEnd);
      this.#timeView = this.#view;
    }
    this.#time = at;
    if (!SEQ.isAt(this.#view, this.#timeEnd)) return false;
    this.#number = this.#timeEnd + SEQ.length;
    this.#numberEnd = endOfDigits(bytes, this.#number, to);
    this.seq = digits(bytes, this.#number, this.#numberEnd);
    return this.t >= 0 && this.seq >= 0;
  }

  /** Most bear the time of the one before, being of the same reply. */
  #isSameTime(at: number, to: number): boolean {
    const length = this.#timeEnd - this.#time;
    const end = at + length;
    if (length === 0 || end >= to || isDigit(this.#bytes[end]) || !isSame(this.#timeView, this.#time, this.#view, at, length)) return false;
    this.#timeEnd = end;
    this.#timeView = this.#view;
    return true;
  }

  #ends(tail: Pattern, to: number): boolean {
    return this.#numberEnd + tail.length === to && tail.isAt(this.#view, this.#numberEnd);
  }

  /** By name, where it is not the channel that is expected. */
  #search(from: number, to: number): Form | undefined {
    const bytes = this.#bytes;
    let at = this.#valueEnd;
    while (at < to && !TIME.isAt(this.#view, at)) at++;
    const middle = bytes.subarray(this.#valueEnd, at + TIME.length);
    const number = endOfDigits(bytes, at + TIME.length, to) + SEQ.length;
    const tail = bytes.subarray(endOfDigits(bytes, number, to), to);
    if (!this.#numbers(this.#valueEnd + middle.length, to)) return undefined;
    const key = latin1.decode(middle) + latin1.decode(tail);
    let form = this.#forms.get(key);
    if (!form) {
      form = formOf(bytes.subarray(from, to), middle, tail);
      if (form) this.#forms.set(key, form);
    }
    const next = this.#last?.next;
    if (form && next && next.length < MOST_NEXT && !next.includes(form)) next.push(form);
    return form;
  }

  /** Whether this is its value. */
  is(value: unknown, json: ValueJson): boolean {
    const text = json.of(value);
    const { length } = text;
    if (length !== this.#valueEnd - this.#value) return false;
    const bytes = this.#bytes;
    for (let i = 0, at = this.#value; i < length; i++, at++) if (bytes[at] !== text.charCodeAt(i)) return false;
    return true;
  }

  /** Its line (see `lineOf`) into a hash; false where it is too long for that. */
  line(hash: LineHash, { head }: Form): boolean {
    const view = this.#view;
    if (!hash.room(head.length + GOOD.length + REST.length + this.#numberEnd - this.#value)) return false;
    hash.always(head);
    hash.put(view, this.#time, this.#timeEnd);
    hash.byte(COMMA);
    hash.put(view, this.#number, this.#numberEnd);
    hash.always(GOOD);
    hash.put(view, this.#value, this.#valueEnd);
    hash.always(REST);
    return true;
  }
}

/** The end of a string without escapes, of a number or of a word; its beginning where it is none of these. */
function endOfValue(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  if (bytes[at] !== QUOTE) {
    while (at < to && bytes[at] !== COMMA) at++;
    return at;
  }
  for (at++; at < to && bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) return from;
  return at + 1;
}

/** What JSON reads in it must give the same bytes again. */
function formOf(whole: Uint8Array, middle: Uint8Array, tail: Uint8Array): Form | undefined {
  const text = decoder.decode(whole);
  let r: Reading;
  try {
    r = JSON.parse(text) as Reading; // looked at below
  } catch {
    return undefined;
  }
  const { quality, from, kind, t, seq, origin } = r;
  if (quality !== 'good' || typeof from !== 'string' || typeof kind !== 'string' || !isPlain(r.value)) return undefined;
  const [between, end] = [`,"from":${JSON.stringify(from)},"kind":${JSON.stringify(kind)},"t":`, `,"origin":${JSON.stringify(origin)}}`];
  if (decoder.decode(middle) !== between || decoder.decode(tail) !== end) return undefined;
  if (text !== `{"quality":"good","value":${JSON.stringify(r.value)}${between}${t},"seq":${seq}${end}`) return undefined;
  const head = patternOf(`[${JSON.stringify(from)},null,`);
  return { from, kind, origin, middle: new Pattern(middle), tail: new Pattern(tail), head, next: [] };
}
