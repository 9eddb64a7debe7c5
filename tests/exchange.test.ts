import fc from 'fast-check';
import { BehaviorSubject, Subject } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { fromLatin1, latin1, type Protocol } from '../protocols/protocol.ts';
import { lines, text } from '../protocols/text.ts';
import { type Clock, virtualClock } from '../src/clock.ts';
import { type Ended, exchange, POLL, SAFE } from '../src/exchange.ts';
import type { Arrival, Link } from '../src/link.ts';

/** A device that answers in turn, on a line that delays, splits, drops, echoes and adds noise. Replies are plain numbers. */
interface Weather {
  readonly drop: number;
  readonly late: number;
  readonly echo: number;
  readonly garbage: number;
  readonly garble: number;
  readonly split: number;
}
function line(clock: Clock, weather: Weather, random: () => number, reply: (question: string) => string | undefined) {
  const arrivals = new Subject<Arrival>();
  const up = new BehaviorSubject(true);
  const questions = lines('\n');
  let freeAt = 0;
  let lineAt = 0;
  const spoilt = new Set<string>();
  const emit = (bytes: Uint8Array, at: number): void => {
    let rest = bytes;
    let when = Math.max(at, lineAt);
    while (rest.length > 0) {
      const n = random() < weather.split ? 1 + Math.floor(random() * rest.length) : rest.length;
      const part = rest.slice(0, n);
      rest = rest.slice(n);
      clock.after(when - clock.mono(), () => arrivals.next({ bytes: part, t: clock.now(), mono: clock.mono() }));
      if (rest.length > 0) when += random() * 0.02;
    }
    lineAt = when;
  };
  const noise = (): Uint8Array => Uint8Array.from({ length: 1 + Math.floor(random() * 6) }, () => Math.floor(random() * 256));
  const link: Link = {
    framing: 'stream',
    origin: 'simulator',
    arrivals,
    up,
    reopen() {},
    close() {},
    write(bytes) {
      if (random() < weather.echo) {
        emit(bytes.slice(), clock.mono() + 0.001);
        spoilt.add(latin1(bytes).trim());
      }
      for (const q of questions(bytes)) {
        if (typeof q !== 'string') continue;
        if (random() < weather.drop) {
          spoilt.add(q);
          continue;
        }
        const said = reply(q);
        if (said === undefined) continue;
        const late = random() < weather.late;
        const start = Math.max(freeAt, clock.mono());
        freeAt = start + (late ? 0.09 + random() * 0.7 : 0.002 + random() * 0.02);
        if (late) spoilt.add(q);
        if (random() < weather.garbage) {
          spoilt.add(q);
          emit(noise(), start + 0.001);
        }
        const sent = fromLatin1(`${said}\n`);
        if (random() < weather.garble) {
          spoilt.add(q);
          sent[Math.floor(random() * sent.length)] = 128 + Math.floor(random() * 128);
        }
        emit(sent, freeAt);
      }
      return true;
    },
  };
  return { link, spoilt };
}

function generator(seed: number): () => number {
  let s = seed | 0;
  return () => {
    s = (s + 0x6d2b79f5) | 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Asks `count` questions in a row and says whose answers came. */
function interrogate(seed: number, count: number, weather: Weather) {
  const clock = virtualClock();
  const random = generator(seed);
  const owner = new Map<string, string>();
  const { link, spoilt } = line(clock, weather, random, (q) => {
    if (q === '*IDN?') return 'ACME,N1,0001,1.0';
    const value = (random() * 1000 + owner.size * 1000).toFixed(3);
    owner.set(value, q);
    return value;
  });
  const e = exchange(link, text({ ask: '\n', tell: '\n' }) as Protocol<unknown, unknown>, clock, { latest: 1.5 });
  e.join({
    instrument: 'meter',
    role: 'main',
    pace: 0,
    within: 0.1,
    proof: { ask: () => '*IDN?', is: (m) => String(m).startsWith('ACME,N1,') },
    trusted() {},
  });
  let asked = 0;
  let good = 0;
  let wrong = 0;
  let answerable = 0;
  let goodAnswerable = 0;
  const next = (): void => {
    if (asked === count) return;
    const q = `Q${asked++}?`;
    e.submit({
      instrument: 'meter',
      role: 'main',
      by: 'test',
      q,
      reply: true,
      within: 0.1,
      urgency: POLL,
      done(end: Ended) {
        const number = end.ok && /^[0-9]+\.[0-9]{3}$/.test(String(end.m)) ? String(end.m) : undefined;
        if (end.ok && number === undefined) e.doubt('meter', 'main', 'not a number');
        if (number !== undefined) {
          good++;
          // Noise in a reply may make it another number (nothing but a checksum could tell); then it is this question's own reply all the same.
          if (owner.get(number) !== q && !spoilt.has(q)) wrong++;
          else if ((owner.get(number) ?? q) !== q) wrong++;
        }
        if (!spoilt.has(q)) {
          answerable++;
          if (number !== undefined) goodAnswerable++;
        }
        clock.after(random() * 0.02, next);
      },
    });
  };
  clock.after(0, next);
  for (let i = 0; i < 1e6 && asked < count; i++) clock.advance(10);
  clock.advance(100);
  return { asked, good, wrong, answerable, share: goodAnswerable / Math.max(1, answerable), stats: e.stats };
}

const bad: Weather = { drop: 0.02, late: 0.02, echo: 0.01, garbage: 0.01, garble: 0.01, split: 0.3 };

describe('exchange', () => {
  test('no reply is taken for another question in 100,000 exchanges, and what can be answered is', () => {
    const result = interrogate(1, 100_000, bad);
    expect(result.asked).toBe(100_000);
    expect(result.wrong).toBe(0);
    expect(result.good).toBeGreaterThan(85_000);
    expect(result.share).toBeGreaterThanOrEqual(0.95);
  });

  test('any weather: never a wrong answer', () => {
    const share = fc.double({ min: 0, max: 0.3, noNaN: true });
    fc.assert(
      fc.property(
        fc.integer(),
        fc.record({ drop: share, late: share, echo: share, garbage: share, garble: share, split: share }),
        (seed, weather) => {
          const result = interrogate(seed, 300, weather);
          expect(result.wrong).toBe(0);
          expect(result.asked).toBe(300);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a question ends when its time is up, to the microsecond, whatever was asked before it', () => {
    const microseconds = fc.integer({ min: 1, max: 3_000_000 });
    const question = fc.record({ within: microseconds, delay: fc.option(microseconds), pause: fc.nat(2_000_000) });
    fc.assert(
      fc.property(fc.array(question, { minLength: 1, maxLength: 20 }), (questions) => {
        const clock = virtualClock();
        const arrivals = new Subject<Arrival>();
        let delay: number | null = null;
        const link: Link = {
          framing: 'packets',
          origin: 'simulator',
          arrivals,
          up: new BehaviorSubject(true),
          reopen() {},
          close() {},
          write(bytes) {
            if (delay !== null) clock.after(delay / 1e6, () => arrivals.next({ bytes, t: clock.now(), mono: clock.mono() }));
            return true;
          },
        };
        // Each reply is its question again, and so tells which it answers.
        const protocol: Protocol<string, string> = { ...text('\n'), apart: 'question', fits: (m, q) => (m === q ? 'answer' : 'late') };
        const e = exchange(link, protocol as Protocol<unknown, unknown>, clock);
        for (const [i, { within, pause, ...rest }] of questions.entries()) {
          if (rest.delay === within) continue; // either end would be right
          delay = rest.delay;
          const asked = clock.now();
          const ends: [boolean, number][] = [];
          const done = (end: Ended) => ends.push([end.ok, clock.now() - asked]);
          e.submit({ instrument: 'a', role: 'main', by: 'test', q: String(i), reply: true, within: within / 1e6, urgency: POLL, done });
          const answered = delay !== null && delay < within;
          clock.advance((answered ? (delay ?? 0) : within) / 1e6);
          expect(ends).toEqual([[answered, answered ? delay : within]]);
          clock.advance(pause / 1e6);
        }
      }),
    );
  });

  test('a reply that came while the loop stood still is not silence; without one the question ends a moment later', () => {
    for (const answered of [true, false]) {
      const clock = virtualClock();
      const arrivals = new Subject<Arrival>();
      const link: Link = {
        framing: 'stream',
        origin: 'simulator',
        arrivals,
        up: new BehaviorSubject(true),
        reopen() {},
        close() {},
        write: () => true,
      };
      const e = exchange(link, text('\n') as Protocol<unknown, unknown>, clock);
      const ends: boolean[] = [];
      e.submit({
        instrument: 'a',
        role: 'main',
        by: 'test',
        q: 'A?',
        reply: true,
        within: 0.2,
        urgency: POLL,
        done: (end) => ends.push(end.ok),
      });
      clock.stall(0.5);
      clock.advance(0.001); // timers go before what has been received
      expect(ends).toEqual([]);
      if (answered) arrivals.next({ bytes: fromLatin1('7\n'), t: clock.now(), mono: clock.mono() });
      clock.advance(0.1);
      expect(ends).toEqual([answered]);
    }
  });

  test('a safe order does not wait for the open question', () => {
    const clock = virtualClock();
    const sent: string[] = [];
    const link: Link = {
      framing: 'stream',
      origin: 'simulator',
      arrivals: new Subject<Arrival>(),
      up: new BehaviorSubject(true),
      reopen() {},
      close() {},
      write(bytes) {
        sent.push(`${clock.mono().toFixed(3)} ${latin1(bytes)}`);
        return true;
      },
    };
    const e = exchange(link, text({ ask: '\r', tell: '\r' }) as Protocol<unknown, unknown>, clock);
    const ends: string[] = [];
    const job = {
      instrument: 'laser',
      role: 'main',
      by: 'test',
      reply: true,
      within: 1,
      done: (end: Ended) => ends.push(end.ok ? 'ok' : end.why),
    };
    e.submit({ ...job, q: 'STA', urgency: POLL });
    e.submit({ ...job, q: 'ROP', urgency: POLL });
    clock.advance(0.1);
    e.submit({ ...job, q: 'EMOFF', reply: false, urgency: SAFE });
    expect(sent).toEqual(['0.000 STA\r', '0.100 EMOFF\r']);
    expect(ends).toEqual(['ok', 'given up for a safe order']);
  });
});
