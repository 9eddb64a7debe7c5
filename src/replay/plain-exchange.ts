/**
 * Nearly all exchanges of a session are plain: a question that was answered, or needed no answer. They are read in the session's bytes by
 * their form, `{"id":N,"instrument":I,"role":R,"by":B,"asked":T,"sent":"HEX","came":T,"reply":"HEX","nth":N,"behind":N}`, of which the
 * last four may be absent: their names, which come again and again, are not read again.
 */
import { digits, endOfDigits, Pattern, patternOf, viewOf } from './pattern.ts';
import type { Recorded } from './player.ts';

/** What all exchanges of one talk on one link have in common. */
interface Form {
  readonly instrument: string;
  readonly role: string;
  readonly by: string;
  /** Its bytes from the number to the time. */
  readonly middle: Pattern;
  /** Those that have come next behind this one. */
  readonly next: Form[];
}

const decoder = new TextDecoder();

const ID = patternOf('{"id":');
const INSTRUMENT = patternOf(',"instrument":');
const ASKED = patternOf(',"asked":');
const SENT = patternOf(',"sent":"');
const CAME = patternOf(',"came":');
const REPLY = patternOf(',"reply":"');
const NTH = patternOf(',"nth":');
const BEHIND = patternOf(',"behind":');
const [QUOTE, BRACE] = [0x22, 0x7d];
const HEX = Array.from({ length: 256 }, (_, byte) => /[0-9a-f]/.test(String.fromCharCode(byte)));
const NONE: readonly Form[] = [];
const MOST_NEXT = 16; // looked through before a talk is looked up by name

export class PlainExchanges {
  readonly #forms = new Map<string, Form>();
  #last: Form | undefined;
  #bytes: Buffer = Buffer.alloc(0);
  #view = viewOf(this.#bytes);
  #records: Uint8Array = this.#bytes;
  #at = 0;
  #to = 0;
  #wrong = false;

  /** The exchange that stands there; undefined where it has not this form to the byte. */
  find(records: Uint8Array, from: number, to: number): Recorded | undefined {
    if (records !== this.#records) {
      this.#records = records;
      this.#bytes = Buffer.from(records.buffer, records.byteOffset, records.length);
      this.#view = viewOf(records);
    }
    this.#at = from;
    this.#to = to;
    this.#wrong = false;
    if (!this.#is(ID)) return undefined;
    const id = this.#number();
    const form = this.#expected() ?? this.#search();
    if (!form) return undefined;
    const { instrument, role, by } = form;
    const asked = this.#number();
    if (!this.#is(SENT)) return undefined;
    const sent = this.#hex();
    const came = this.#is(CAME) ? this.#number() : undefined;
    const reply = this.#is(REPLY) ? this.#hex() : undefined;
    const nth = this.#is(NTH) ? this.#number() : undefined;
    const behind = this.#is(BEHIND) ? this.#number() : undefined;
    if (this.#wrong || this.#at !== to - 1 || this.#bytes[this.#at] !== BRACE) return undefined;
    this.#last = form;
    return { id, instrument, role, by, asked, sent, came, reply, nth, behind };
  }

  #is(pattern: Pattern): boolean {
    if (!pattern.isAt(this.#view, this.#at)) return false;
    this.#at += pattern.length;
    return true;
  }

  #number(): number {
    const from = this.#at;
    this.#at = endOfDigits(this.#records, from, this.#to);
    const value = digits(this.#records, from, this.#at);
    if (value < 0) this.#wrong = true;
    return value;
  }

  #hex(): string {
    const bytes = this.#bytes;
    const from = this.#at;
    let at = from;
    while (at < this.#to && HEX[bytes[at]]) at++;
    if (bytes[at] !== QUOTE) this.#wrong = true;
    this.#at = at + 1;
    return bytes.toString('latin1', from, at);
  }

  #expected(): Form | undefined {
    for (const form of this.#last?.next ?? NONE) if (this.#is(form.middle)) return form;
    return undefined;
  }

  /** By name, where it is not the talk that is expected. */
  #search(): Form | undefined {
    const from = this.#at;
    if (!INSTRUMENT.isAt(this.#view, from)) return undefined;
    let at = from;
    while (at < this.#to && !ASKED.isAt(this.#view, at)) at++;
    if (at >= this.#to) return undefined;
    const middle = this.#bytes.subarray(from, at + ASKED.length);
    const key = middle.toString('latin1');
    let form = this.#forms.get(key);
    if (!form) {
      form = formOf(middle);
      if (!form) return undefined;
      this.#forms.set(key, form);
    }
    this.#at += middle.length;
    const next = this.#last?.next;
    if (next && next.length < MOST_NEXT && !next.includes(form)) next.push(form);
    return form;
  }
}

/** What JSON reads in it must give the same bytes again. */
function formOf(middle: Uint8Array): Form | undefined {
  const text = decoder.decode(middle);
  let names: { readonly instrument?: unknown; readonly role?: unknown; readonly by?: unknown };
  try {
    names = JSON.parse(`{"id":0${text}0}`) as typeof names; // looked at below
  } catch {
    return undefined;
  }
  const { instrument, role, by } = names;
  if (typeof instrument !== 'string' || typeof role !== 'string' || typeof by !== 'string') return undefined;
  const again = `,"instrument":${JSON.stringify(instrument)},"role":${JSON.stringify(role)},"by":${JSON.stringify(by)},"asked":`;
  return again === text ? { instrument, role, by, middle: new Pattern(middle), next: [] } : undefined;
}
