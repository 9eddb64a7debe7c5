/** Which reply a question has had: the first of the recording, and the last up to now. */
import { GIVEN_UP } from '../exchange-job.ts';
import type { AnyProtocol } from '../instrument.ts';
import { type Asked, writes } from './recorded-asks.ts';
import type { Question } from './recorded-line.ts';

const GAP = 20_000; // microseconds: the next question of a talk comes sooner
const LONGEST = 64; // questions of one talk
const BEHIND = 8; // questions without an answer that the next one may belong to
const MOST = 1 << 16; // different questions of one wire

/** Questions that one talk of the recording asked one after the other. */
interface Talk {
  readonly asked: { readonly key: string; readonly question: Question }[];
  /** When the last of them was answered. */
  until: number;
}
export interface Place {
  readonly talk: Talk;
  readonly at: number;
}
interface Kept {
  readonly question: Question;
  readonly place?: Place;
}

/** Questions that want no answer, since the last one that has had one: an adapter's "read" belongs to what was said before it. */
export class Context {
  #before: readonly string[] = [];
  /** The question of the recording that was answered last. */
  place: Place | undefined;
  get before(): readonly string[] {
    return this.#before;
  }
  silent(key: string): void {
    this.#before = [...this.#before, key].slice(-BEHIND);
  }
  answered(): void {
    this.#before = [];
  }
}

const joined = (before: readonly string[], key: string): string => [...before, key].join(' ');

/** The replies of one wire: of each question the first, or the last one seen. */
export class Replies {
  readonly #asked: (bytes: Uint8Array) => readonly Asked[];
  readonly #of = new Map<string, Kept>();
  /** The last one of each kind of talk. */
  readonly #talks = new Map<string, Talk>();
  readonly #like = new Map<string, string>();
  readonly #context = new Context();
  /** Those that were once asked with nothing before them. */
  readonly #alone = new Set<string>();
  /** Those that once had a write of their own. */
  readonly #own = new Set<string>();
  /** Those that went with others in one write, and had no answer of their own. */
  readonly #silent = new Set<string>();
  readonly #first: boolean;
  /** Different questions that are not kept, because there are too many. */
  over = 0;

  constructor(protocol: AnyProtocol, { first }: { readonly first: boolean }) {
    this.#asked = writes(protocol);
    this.#first = first;
  }

  see(question: Question): void {
    const all = this.#asked(question.bytes);
    const last = all.at(-1);
    if (!last) return;
    for (const one of all.slice(0, -1)) {
      this.#learn(one);
      if (this.#silent.size < MOST) this.#silent.add(one.key);
      this.#context.silent(one.key);
    }
    this.#learn(last);
    const { before } = this.#context;
    if (question.expects || question.pieces.length > 0) this.#context.answered();
    else this.#context.silent(last.key);
    if (before.length === 0 && this.#alone.size < MOST) this.#alone.add(last.key);
    if (all.length === 1 && this.#own.size < MOST) this.#own.add(last.key);
    if (question.fault === GIVEN_UP && question.pieces.length === 0) return; // that says nothing of the instrument
    const place = this.#first || all.length > 1 || before.length > 0 ? undefined : this.#placeOf(last.key, question);
    for (let n = 0; n <= before.length; n++) this.#put(joined(before.slice(n), last.key), place ? { question, place } : { question });
  }

  get(key: string): Question | undefined {
    return this.#of.get(key)?.question;
  }

  /**
   * The last one, for a client who is at a place of the recording: a talk may ask the same several times and be told otherwise (how many
   * spectra wait), so the next question of the talk gets its own answer, and who begins gets the first answer of the last talk.
   */
  follow(key: string, context: Context): Question | undefined {
    const kept = this.#of.get(key);
    const { place } = context;
    const next = place && place.talk === kept?.place?.talk ? place.talk.asked[place.at + 1] : undefined;
    const follows = place && next?.key === key ? { question: next.question, place: { talk: place.talk, at: place.at + 1 } } : kept;
    context.place = follows?.place;
    return follows?.question;
  }

  #placeOf(key: string, question: Question): Place | undefined {
    const { by, t, pieces } = question;
    if (by === undefined) return undefined;
    const last = this.#talks.get(by);
    const goesOn = last && t - last.until < GAP && last.asked.length < LONGEST;
    const talk: Talk = goesOn ? last : { asked: [], until: t };
    this.#talks.set(by, talk);
    talk.asked.push({ key, question });
    talk.until = t + (pieces.at(-1)?.after ?? 0);
    return { talk, at: talk.asked.length - 1 };
  }

  /** True where it is known, and had no answer of its own. */
  isSilent({ key, like }: Asked): boolean {
    return this.#silent.has(key) || (like !== undefined && this.#silent.has(this.#like.get(like) ?? ''));
  }

  /**
   * What a question is kept under: as it was written, else written in another way; with as much as possible of what was said before it,
   * save where it was once asked with nothing before it. Undefined for one that always went in one write with others, and not with these.
   */
  keyOf({ key, like }: Asked, before: readonly string[]): string | undefined {
    const written = this.#of.has(key) || like === undefined ? key : (this.#like.get(like) ?? key);
    if (!this.#alone.has(written))
      for (let n = 0; n < before.length; n++) {
        const whole = joined(before.slice(n), written);
        if (this.#of.has(whole)) return whole;
      }
    return this.#own.has(written) && this.#of.has(written) ? written : undefined;
  }

  #learn({ key, like }: Asked): void {
    if (like !== undefined && (this.#like.size < MOST || this.#like.has(like))) this.#like.set(like, key);
  }

  #put(key: string, kept: Kept): void {
    const known = this.#of.get(key);
    if (known && (this.#first || (known.place && known.place.talk === kept.place?.talk))) return;
    if (known || this.#of.size < MOST) this.#of.set(key, kept);
    else this.over++;
  }
}
