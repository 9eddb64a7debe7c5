/** What is found where recorded answers and those of simulators are not alike, each kind of it once, with its count and its first example. */
import { errorOf, type Form, formOf, type NumberForm, otherForm, otherFrame, plainZero } from './against-form.ts';

/**
 * unknown: was answered then, the simulator is silent; alone: was silent then, the simulator answers; error: one answers with an error, or
 * with another one; form: another length, type, count of fields or way to write numbers; identity: another name or serial number; physics:
 * another value than noise and world allow.
 */
export type Class = 'unknown' | 'alone' | 'error' | 'form' | 'identity' | 'physics';

export interface Example {
  /** Microseconds since 1970. */
  readonly t: number;
  /** Bytes as text where they are text, else in hexadecimal; absent: it came by itself. */
  readonly question?: string;
  readonly recorded?: string;
  readonly simulator?: string;
}

export interface Finding {
  readonly class: Class;
  readonly instrument: string;
  /** The question, a channel, or what came by itself. */
  readonly of: string;
  readonly what: string;
  readonly count: number;
  /** All of which these are some. */
  readonly among: number;
  readonly first: Example;
}

/** What could not be compared. It is never counted as the same. */
export interface NotCompared {
  /** An instrument or a channel. */
  readonly of: string;
  readonly why: string;
  readonly count: number;
}

interface Tally {
  readonly what: string;
  count: number;
  readonly first: Example;
  /** The recorded one and the simulator's, of the first. */
  readonly pair?: readonly [NumberForm, NumberForm];
}

/** Everything about one question of one instrument. */
interface Asked {
  readonly instrument: string;
  readonly of: string;
  among: number;
  /** How often the instrument answered. */
  answered: number;
  /** `then`: an error of the recording alone. */
  readonly found: Map<string, Tally & { readonly class: Class; readonly then: boolean }>;
  readonly shapes: Set<string>;
  readonly loose: Set<string>;
  readonly odd: Map<string, Tally & { readonly loose: string }>;
  /** Of each number of a shape: how it was written. */
  readonly written: Map<string, Written>;
}

interface Written {
  readonly forms: Map<string, NumberForm>;
  samples: number;
  readonly odd: Map<string, Tally>;
}

const FEW = 4; // samples from which on the number of decimals is known
const SOME = 0.25; // of a question's numbers: those that may be written otherwise because of their value
const RARE = 0.05; // of a poll's answers: an error that stands for the line, not for the instrument
const DIFFERENT_QUESTIONS = 1024; // of one instrument; then those without their numbers, then all others together

export class Findings {
  readonly #asked = new Map<string, Asked>();
  readonly #of = new Map<string, number>();

  /** `key`: questions that are asked again; `plain`: without their numbers. */
  #at(instrument: string, key: string, plain: string): Asked {
    const many = this.#of.get(instrument) ?? 0;
    const of =
      this.#asked.has(`${instrument} ${key}`) || many < DIFFERENT_QUESTIONS ? key : many < 2 * DIFFERENT_QUESTIONS ? plain : 'others';
    const name = `${instrument} ${of}`;
    let asked = this.#asked.get(name);
    if (!asked) {
      asked = {
        instrument,
        of,
        among: 0,
        answered: 0,
        found: new Map(),
        shapes: new Set(),
        loose: new Set(),
        odd: new Map(),
        written: new Map(),
      };
      this.#asked.set(name, asked);
      this.#of.set(instrument, many + 1);
    }
    return asked;
  }

  /** A question, and whether it was answered then and now. */
  asked(instrument: string, key: string, plain: string, then: boolean, now: boolean, expected: boolean, example: Example): void {
    const asked = this.#at(instrument, key, plain);
    asked.among++;
    if (then) asked.answered++;
    if (then && !now) found(asked, 'unknown', 'was answered then, the simulator is silent', example);
    else if (!then && now)
      found(
        asked,
        'alone',
        expected ? 'was not answered then, the simulator answers' : 'no answer was expected then, the simulator answers',
        example,
      );
  }

  /** What the simulator says is no answer to the question at all. */
  strange(instrument: string, key: string, plain: string, what: string, example: Example): void {
    found(this.#at(instrument, key, plain), 'form', what, example);
  }

  /**
   * Two answers to one question. 'error': one is an error and the other is not the same; 'odd': another form than any so far; `identity`: what
   * they say is who answers.
   */
  compare(instrument: string, key: string, plain: string, then: unknown, now: unknown, identity: boolean, example: Example): Compared {
    const asked = this.#at(instrument, key, plain);
    const [was, is] = [errorOf(then), errorOf(now)];
    if (was !== is) {
      found(asked, 'error', `${was ?? 'no error'} then, the simulator: ${is ?? 'no error'}`, example, is === undefined);
      return { how: 'error' };
    }
    const [a, b] = [formOf(then), formOf(now)];
    asked.shapes.add(a.shape);
    asked.loose.add(a.loose);
    this.#written(asked, a, undefined, example);
    if (a.shape === b.shape) {
      this.#written(asked, a, b, example);
      const cases = a.words.some((word, i) => isCase(word, b.words[i]));
      if (cases) found(asked, 'form', 'large and small letters', example);
      else if (identity && said(a) !== said(b)) found(asked, 'identity', 'another identity', example);
      const odd = cases || a.numbers.some((number, i) => b.numbers[i] && otherForm(number, b.numbers[i]).length > 0);
      return { how: odd ? 'odd' : 'same', forms: [a, b] };
    }
    const known = asked.odd.get(b.shape);
    if (known) known.count++;
    else asked.odd.set(b.shape, { what: `${b.shape} instead of ${a.shape}`, loose: b.loose, count: 1, first: example });
    return { how: asked.shapes.has(b.shape) || asked.loose.has(b.loose) ? 'same' : 'odd', forms: [a, b] };
  }

  #written(asked: Asked, a: Form, b: Form | undefined, example: Example): void {
    a.numbers.forEach((number, i) => {
      const slot = `${a.shape} ${Math.min(i, 15)}`;
      let written = asked.written.get(slot);
      if (!written) {
        written = { forms: new Map(), samples: 0, odd: new Map() };
        asked.written.set(slot, written);
      }
      const other = b?.numbers[i];
      if (!b) {
        written.samples++;
        written.forms.set(nameOf(number), number);
      } else if (other && nameOf(other) !== nameOf(number)) {
        const name = nameOf(other);
        const known = written.odd.get(name);
        if (known) known.count++;
        else written.odd.set(name, { what: `number ${i + 1}`, count: 1, first: example, pair: [number, other] });
      }
    });
  }

  /** All that was found, once the whole recording is known: what an instrument said at any time is its form. */
  list(): { readonly findings: readonly Finding[]; readonly rare: readonly NotCompared[] } {
    const all: Finding[] = [];
    const rare: NotCompared[] = [];
    for (const asked of this.#asked.values()) {
      const { instrument, of, among, shapes, loose, odd, written } = asked;
      const push = (kind: Class, { what, count, first }: Tally): number =>
        all.push({ class: kind, instrument, of, what, count, among, first });
      for (const one of asked.found.values()) {
        // A question that was answered at other times was lost then: it says nothing about the instrument.
        if (one.class === 'alone' && asked.answered > 0) continue;
        if (one.then && one.count <= RARE * among) {
          rare.push({ of: instrument, why: `an error now and then: ${of}: ${one.what}`, count: one.count });
          continue;
        }
        push(one.class, one);
      }
      for (const [shape, one] of odd) if (!shapes.has(shape) && !loose.has(one.loose)) push('form', one);
      const ways = new Map<string, Tally>();
      for (const each of written.values())
        for (const one of each.odd.values()) {
          const how = unlike(each, one);
          if (how.length === 0) continue;
          const what = `how ${one.what} is written: ${how.join(', ')}`;
          const known = ways.get(what);
          if (known) known.count += one.count;
          else ways.set(what, { what, count: one.count, first: one.first });
        }
      for (const one of ways.values()) push('form', one);
    }
    return { findings: all, rare };
  }
}

export interface Compared {
  readonly how: 'same' | 'odd' | 'error';
  /** The recorded one and the simulator's. */
  readonly forms?: readonly [Form, Form];
}

function found({ found: all }: Asked, kind: Class, what: string, first: Example, then = false): void {
  const key = `${kind} ${what}`;
  const known = all.get(key);
  if (known) known.count++;
  else all.set(key, { class: kind, what, count: 1, first, then });
}

/** Of words, not of numbers in hexadecimal digits. */
const isCase = (a: string, b: string | undefined): boolean => a !== b && a.toLowerCase() === b?.toLowerCase() && !/^[\da-f]+$/i.test(a);
const said = ({ words, numbers }: Form): string => JSON.stringify([words, numbers.map(({ text }) => text)]);
const nameOf = (n: NumberForm): string => {
  const { lead, decimals, exponent, padded } = n;
  return `${lead} ${decimals} ${exponent ? `${exponent.letter}${exponent.sign}${exponent.digits}` : ''} ${padded} ${plainZero(n)}`;
};

/** In what the simulator's number is written as none of the recorded ones; nothing where too little is known. */
function unlike(written: Written, { pair, count }: Tally): readonly string[] {
  if (!pair) return [];
  const [a, b] = pair;
  const { samples } = written;
  const all = [...written.forms.values()];
  const recorded = all.every(plainZero) ? all : all.filter((one) => !plainZero(one));
  const other = recorded.map((one) => otherForm(one, b)).sort((x, y) => x.length - y.length)[0] ?? otherForm(a, b);
  const frame = recorded.map((one) => otherFrame(one, b)).sort((x, y) => x.length - y.length)[0] ?? [];
  // Whether numbers have as many digits as they need is not known of few; of many it shows in that only some have others.
  const same = Math.abs(a.value - b.value) <= 1.01 * Math.max(a.step, b.step);
  const free = samples < FEW ? !same : count <= SOME * samples;
  return free ? frame : other;
}
