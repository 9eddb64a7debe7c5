/** What happened on one wire of a session, in its order: questions with what came of them, and what came by itself. */
import { type Decoder, Fault } from '../../protocols/protocol.ts';
import type { AnyProtocol } from '../instrument.ts';
import { namedOf } from '../recorder/session-json.ts';
import type { Wire } from '../rig-wires.ts';
import type { Recorded } from './player.ts';
import { hex, unhex } from './tape.ts';

/** Bytes as they came, so long after the question. */
export interface Piece {
  /** Microseconds. */
  readonly after: number;
  readonly bytes: Uint8Array;
}

/** Times in microseconds since 1970. */
export interface Question {
  readonly is: 'question';
  readonly t: number;
  readonly bytes: Uint8Array;
  /** What came of it: its reply, what came before that, a reply that came late; none where it was not answered. */
  readonly pieces: readonly Piece[];
  /** A reply was expected. */
  readonly expects: boolean;
  /** How it ended, where not with a reply: as the session has it. */
  readonly fault?: string;
  /** Whose question it was: instrument and talk. */
  readonly by?: string;
}

export interface Unasked {
  readonly is: 'unasked';
  readonly t: number;
  readonly bytes: Uint8Array;
  /** Of a file. */
  readonly name?: string;
}

/** The link went down. */
export interface Down {
  readonly is: 'down';
  readonly t: number;
}

export type LineEvent = Question | Unasked | Down;

type Mutable = { -readonly [K in keyof Question]: Question[K] } & { pieces: Piece[]; expects: boolean };

interface Open {
  readonly question: Mutable;
  /** As it was asked: one for each message of its bytes; undefined where they are none. */
  readonly q: unknown;
  readonly x: Recorded | undefined;
}

interface Raw {
  readonly is: 'in' | 'out' | 'down';
  readonly t: number;
  readonly bytes: Uint8Array;
  readonly name?: string;
}

const SAME = 0.1e6; // microseconds between a question's exchange and its bytes
const LATE = 5e6; // microseconds in which a reply that nobody waited for any more may still come
const ACKNOWLEDGED = 0.5e6; // microseconds in which something may come of a question that wanted no reply
const WAITING = 4; // questions without a reply that a late one may belong to
const EMPTY = new Uint8Array(0);

export class RecordedLine {
  readonly wire: string;
  readonly #protocol: AnyProtocol;
  /** Bytes that have been read and whose turn has not come. */
  readonly #raw: Raw[] = [];
  /** Exchanges whose bytes have not been met: by what was sent, and in the order in which they were asked. */
  readonly #sent = new Map<string, Recorded[]>();
  readonly #asked: Recorded[] = [];
  readonly #met = new WeakSet<Recorded>();
  /** Questions of which no exchange was there in time. */
  readonly #alone: Mutable[] = [];
  #out: LineEvent[] = [];
  #decoder: Decoder<unknown>;
  readonly #hear: Decoder<unknown>;
  /** Bytes of a message that is not whole. */
  #held: number[] = [];
  #open: Open | undefined;
  #last: Open | undefined;
  #late: Open[] = [];

  constructor({ key, users }: Pick<Wire, 'key' | 'users'>) {
    this.wire = key;
    this.#protocol = users[0].protocol;
    this.#decoder = this.#protocol.tells.decoder();
    this.#hear = this.#protocol.asks.decoder();
  }

  /** Bytes of the raw part, in their order. */
  heard(t: number, bytes: Uint8Array): void {
    this.#raw.push({ is: 'in', t, bytes });
  }
  /** A message that has a name before its bytes. */
  file(t: number, message: Uint8Array): void {
    try {
      this.#raw.push({ is: 'in', t, ...namedOf(message) });
    } catch {
      // Its checksum holds and it has no name: it is none of ours.
    }
  }
  said(t: number, bytes: Uint8Array): void {
    this.#raw.push({ is: 'out', t, bytes });
  }
  down(t: number): void {
    this.#raw.push({ is: 'down', t, bytes: EMPTY });
  }
  /** Bytes of a fast stream: they have no questions. */
  stream(t: number, bytes: Uint8Array): void {
    this.#out.push({ is: 'unasked', t, bytes });
  }

  exchange(x: Recorded): void {
    const known = this.#alone.find(({ t, bytes }) => near(x, t) && hex(bytes) === x.sent);
    if (known) {
      known.expects ||= expects(x);
      return;
    }
    const list = this.#sent.get(x.sent);
    if (list) list.push(x);
    else this.#sent.set(x.sent, [x]);
    this.#asked.splice(this.#asked.findLastIndex(({ asked }) => asked <= x.asked) + 1, 0, x);
  }

  /** All that is known up to this time, in its order; what may still change is kept back. */
  upTo(t: number): readonly LineEvent[] {
    let n = 0;
    for (; n < this.#raw.length && this.#raw[n].t <= t; n++) this.#take(this.#raw[n]);
    this.#raw.splice(0, n);
    if (t === Number.POSITIVE_INFINITY) this.#rest();
    this.#before(t);
    const still = this.#out.findIndex((one) => one.is === 'question' && one.t > t - LATE);
    const ready = still < 0 ? this.#out : this.#out.slice(0, still);
    this.#out = still < 0 ? [] : this.#out.slice(still);
    return ready;
  }

  #take(raw: Raw): void {
    this.#before(raw.t);
    if (raw.is === 'out') this.#question(raw.t, raw.bytes);
    else if (raw.is === 'down') {
      this.#rest();
      this.#close();
      this.#last = undefined;
      this.#decoder = this.#protocol.tells.decoder();
      this.#out.push({ is: 'down', t: raw.t });
    } else if (this.#protocol.framing !== 'packets') this.#cut(raw.t, raw.bytes);
    else if (raw.name === undefined) this.#piece(raw.t, raw.bytes.slice(), this.#decoder(raw.bytes));
    else this.#out.push({ is: 'unasked', t: raw.t, bytes: raw.bytes.slice(), name: raw.name });
  }

  /** What the exchanges say of the time before this, and the bytes do not: bytes of it are lost. */
  #before(t: number): void {
    const { x, question } = this.#open ?? {};
    if (x?.came !== undefined && question && x.came < t) {
      this.#restored(x, question);
      this.#open = undefined;
    }
    let n = 0;
    for (; n < this.#asked.length && this.#asked[n].asked + SAME < t; n++) {
      const lost = this.#asked[n];
      if (this.#met.has(lost)) continue;
      this.#forget(lost);
      const whole: Mutable = { is: 'question', t: lost.asked, bytes: unhex(lost.sent), pieces: [], expects: expects(lost) };
      marked(whole, lost);
      this.#restored(lost, whole);
      this.#emit(whole);
    }
    this.#asked.splice(0, n);
  }

  #restored(x: Recorded, question: Mutable): void {
    if (x.came === undefined || x.reply === undefined || question.pieces.some((p) => came(x, Math.round(question.t + p.after)))) return;
    question.pieces.push({ after: x.came - x.asked, bytes: unhex(x.reply) });
  }

  /** In the order of their times: what was restored comes later than its neighbours. */
  #emit(event: LineEvent): void {
    this.#out.splice(this.#out.findLastIndex(({ t }) => t <= event.t) + 1, 0, event);
  }

  #forget(x: Recorded): void {
    this.#met.add(x);
    const list = this.#sent.get(x.sent) ?? [];
    list.splice(list.indexOf(x), 1);
    if (list.length === 0) this.#sent.delete(x.sent);
  }

  #question(t: number, bytes: Uint8Array): void {
    this.#rest();
    this.#close();
    const x = this.#sent.get(hex(bytes))?.findLast((one) => near(one, t));
    if (x) this.#forget(x);
    const question: Mutable = { is: 'question', t, bytes: bytes.slice(), pieces: [], expects: x !== undefined && expects(x) };
    if (x) marked(question, x);
    else {
      this.#alone.push(question);
      if (this.#alone.length > 64) this.#alone.shift();
    }
    this.#last = { question, q: this.#asks(bytes), x };
    if (!x || question.expects) this.#open = this.#last;
    this.#emit(question);
  }

  /** The question that is open will not be answered in time. */
  #close(): void {
    if (!this.#open) return;
    if (this.#open.question.expects) this.#late = [...this.#late, this.#open].slice(-WAITING);
    this.#open = undefined;
  }

  /** The last of the messages that these bytes are: what is said of them all, is said of it. */
  #asks(bytes: Uint8Array): unknown {
    return [...this.#hear(bytes), ...this.#hear(EMPTY)].findLast((q) => !(q instanceof Fault));
  }

  /** Message by message, each with all bytes since the one before. */
  #cut(t: number, bytes: Uint8Array): void {
    if (!this.#open && this.#late.length === 0 && !(this.#last && t - this.#last.question.t < ACKNOWLEDGED)) {
      // Nobody has asked: wherever its messages end, it came by itself.
      this.#decoder(bytes);
      this.#out.push({ is: 'unasked', t, bytes: Uint8Array.from([...this.#held.splice(0), ...bytes]) });
      return;
    }
    for (let i = 0; i < bytes.length; i++) {
      this.#held.push(bytes[i]);
      const said = this.#decoder(bytes.subarray(i, i + 1));
      if (said.length > 0) this.#piece(t, this.#taken(), said);
    }
    this.#heldAt = t;
  }
  #heldAt = 0;

  #taken(): Uint8Array {
    const bytes = Uint8Array.from(this.#held);
    this.#held = [];
    return bytes;
  }

  /** What has begun and has not been ended when the next is asked: it ends what came before. */
  #rest(): void {
    if (this.#held.length === 0) return;
    this.#decoder(EMPTY);
    const bytes = this.#taken();
    const of = this.#last?.question;
    if (of) of.pieces.push({ after: this.#heldAt - of.t, bytes });
    else this.#out.push({ is: 'unasked', t: this.#heldAt, bytes });
  }

  #piece(t: number, bytes: Uint8Array, said: readonly unknown[]): void {
    const add = ({ question }: Open): void => void question.pieces.push({ after: t - question.t, bytes });
    const open = this.#open;
    const last = this.#last;
    const messages = said.filter((m) => !(m instanceof Fault));
    const fitting = (q: unknown): readonly string[] => (q === undefined ? [] : messages.map((m) => this.#protocol.fits(m, q)));
    const fits = fitting(last?.q);
    const unasked = messages.length > 0 && (last?.q === undefined ? !open : fits.every((one) => one === 'unasked'));
    if (open && this.#answers(open, t, said, fits)) {
      add(open);
      open.question.expects = true;
      // After noise the reply that a checksum tells may still come; of plain text it has been one.
      if (messages.length > 0 || open.x !== undefined) this.#open = undefined;
      return;
    }
    this.#late = this.#late.filter(({ question }) => t - question.t < LATE);
    const late = this.#late.find(({ q }) => fitting(q).includes('answer'));
    if (unasked) this.#out.push({ is: 'unasked', t, bytes });
    else if (late && !(open && !open.x && fits.includes('answer'))) {
      add(late);
      this.#late.splice(this.#late.indexOf(late), 1);
    } else if (open) add(open);
    else if (last && t - last.question.t < ACKNOWLEDGED && (messages.length === 0 || fits.includes('answer'))) add(last);
    else this.#out.push({ is: 'unasked', t, bytes });
  }

  #answers({ x }: Open, t: number, said: readonly unknown[], fits: readonly string[]): boolean {
    if (!x) return fits.includes('answer');
    return came(x, t) && said.some((m) => this.#hexOf(m) === x.reply);
  }

  #hexOf(m: unknown): string {
    try {
      return hex(m instanceof Fault ? m.bytes : this.#protocol.tells.encode(m));
    } catch {
      return ''; // a message that cannot be said: it is no reply that was recorded
    }
  }
}

function marked(question: Mutable, { instrument, by, fault }: Recorded): void {
  question.by = `${instrument} ${by}`;
  if (fault !== undefined) question.fault = fault;
}
const expects = ({ reply, fault }: Recorded): boolean => reply !== undefined || fault !== undefined;
/** Noise is recorded with the time at which it was seen to be none. */
const came = (x: Recorded, t: number): boolean =>
  x.came !== undefined && (x.fault === undefined ? x.came === t : x.came >= t && x.came - t < SAME);
const near = ({ asked }: Recorded, t: number): boolean => asked <= t && t - asked < SAME;
