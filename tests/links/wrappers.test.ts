import { Subject } from 'rxjs';
import { describe, expect, test } from 'vitest';
import type { Protocol } from '../../protocols/protocol.ts';
import { text as textProtocol } from '../../protocols/text.ts';
import { acquire } from '../../src/acquire.ts';
import { type VirtualClock, virtualClock } from '../../src/clock.ts';
import { exchange } from '../../src/exchange.ts';
import { instrument, poll } from '../../src/instrument.ts';
import type { Link } from '../../src/link.ts';
import { dribbleLink } from '../../src/links/dribble.ts';
import { type FaultyOptions, faultyLink } from '../../src/links/faulty.ts';
import { LinkError } from '../../src/links/link-error.ts';
import { type Recorded, recording } from '../../src/links/recording.ts';
import { replayedLink } from '../../src/links/replayed.ts';
import { simulatedLink } from '../../src/links/simulated.ts';
import type { Reading } from '../../src/reading.ts';
import type { Port, Said } from '../../src/simulate.ts';
import { ascii, text } from './wait.ts';

/** A port that answers each byte string with the same in brackets. */
function echoing(clock: VirtualClock, late = 0.01): Port {
  const says = new Subject<Said>();
  const protocol = textProtocol('\n');
  return {
    protocol,
    says,
    receive: (bytes) => void clock.after(late, () => says.next({ bytes: ascii(`<${text(bytes)}>`) })),
  };
}
function bench(wrap: (link: Link, clock: VirtualClock) => Link, framing: Link['framing'] = 'stream') {
  const clock = virtualClock();
  const link = wrap(simulatedLink([echoing(clock)], clock, { framing }), clock);
  const heard: string[] = [];
  const times: number[] = [];
  const states: boolean[] = [];
  link.arrivals.subscribe((a) => {
    heard.push(text(a.bytes));
    times.push(Math.round(a.mono * 1e6) / 1e6);
  });
  link.up.subscribe((up) => states.push(up));
  clock.advance(0.001);
  return { clock, link, heard, times, states };
}

describe('recording', () => {
  test('has both directions in order, and no write that was not taken', () => {
    const tape: Recorded[] = [];
    const { clock, link, heard } = bench((inner, c) => recording(inner, (r) => tape.push(r), 'main', c));
    link.write(ascii('a'));
    clock.advance(1);
    link.close();
    expect(link.write(ascii('b'))).toBe(false);
    expect(heard).toEqual(['<a>']);
    expect(tape.map((r) => [r.link, r.direction, text(r.bytes), r.t - tape[0].t])).toEqual([
      ['main', 'out', 'a', 0],
      ['main', 'in', '<a>', 10_000],
    ]);
  });

  test('what is answered inside write() is recorded after it', () => {
    const clock = virtualClock();
    const arrivals = new Subject<{ bytes: Uint8Array; t: number; mono: number; name?: string }>();
    const inner = simulatedLink([], clock);
    const link: Link = {
      ...inner,
      arrivals,
      write: () => {
        arrivals.next({ bytes: ascii('at once'), t: 1, mono: 0, name: 'file' });
        return true;
      },
    };
    const tape: Recorded[] = [];
    recording(link, (r) => tape.push(r), 'main', clock).write(ascii('ask'));
    expect(tape.map((r) => [r.direction, text(r.bytes), r.name])).toEqual([
      ['out', 'ask', undefined],
      ['in', 'at once', 'file'],
    ]);
  });
});

describe('dribble', () => {
  test('single bytes in both directions', () => {
    const { clock, link, heard } = bench((inner) => dribbleLink(inner));
    link.write(ascii('ab'));
    clock.advance(1);
    expect(heard).toEqual([...'<a><b>']);
  });
  test('packets are refused', () => {
    const inner = simulatedLink([], virtualClock(), { framing: 'packets' });
    expect(() => dribbleLink(inner)).toThrow(LinkError);
  });
});

describe('faulty', () => {
  const bad = (options: Omit<FaultyOptions, 'seed'>, framing: Link['framing'] = 'stream', seed = 7) =>
    bench((inner, clock) => faultyLink(inner, clock, { seed, ...options }), framing);
  const talk = (b: ReturnType<typeof bench>, n: number, gap = 0.05): void => {
    for (let i = 0; i < n; i++) {
      b.link.write(ascii(String.fromCharCode(97 + (i % 26))));
      b.clock.advance(gap);
    }
  };

  test('without faults nothing changes', () => {
    const b = bad({});
    talk(b, 3);
    expect(b.heard).toEqual(['<a>', '<b>', '<c>']);
  });
  test('the same seed and traffic give the same faults, another seed others', () => {
    const faults = { drop: 0.2, delay: 0.3, garble: 0.3, cut: 0.2, echo: 0.2, stuck: 0.01, disconnect: 0.01 };
    const [one, two, other] = [7, 7, 8].map((seed) => {
      const b = bad(faults, 'stream', seed);
      talk(b, 200);
      b.clock.advance(10);
      return [b.heard, b.times, b.states];
    });
    expect(one).toEqual(two);
    expect(one).not.toEqual(other);
  });
  test('drop', () => {
    const b = bad({ drop: 1 });
    talk(b, 3);
    expect(b.heard).toEqual([]);
  });
  test('a delayed reply delays those after it on a stream', () => {
    const b = bad({ delay: 0.5, longest: 2 });
    talk(b, 26, 0.1);
    b.clock.advance(10);
    expect(b.heard.join('')).toBe([...'abcdefghijklmnopqrstuvwxyz'].map((c) => `<${c}>`).join(''));
    expect(b.times.at(-1)).toBeGreaterThan(2.6);
    expect(b.times).toEqual([...b.times].sort((x, y) => x - y));
  });
  test('packets may overtake one another', () => {
    const b = bad({ delay: 0.5, longest: 2 }, 'packets');
    talk(b, 26, 0.1);
    b.clock.advance(10);
    expect(b.heard).toHaveLength(26);
    expect(b.heard).not.toEqual([...b.heard].sort());
  });
  test('garble changes exactly one byte', () => {
    const b = bad({ garble: 0.4 });
    talk(b, 100);
    const changed = b.heard.filter((h, i) => h !== `<${String.fromCharCode(97 + (i % 26))}>`);
    expect(b.heard.every((h) => h.length === 3)).toBe(true);
    expect(changed.length).toBeGreaterThan(30);
    expect(changed.length).toBeLessThan(90);
  });
  test('cut leaves the beginning', () => {
    const b = bad({ cut: 1 });
    talk(b, 20);
    expect(b.heard.length).toBeGreaterThan(0);
    for (const h of b.heard) expect(h.length).toBeLessThan(3);
  });
  test('disconnect takes the link down for a while', () => {
    const b = bad({ disconnect: 1, away: 3 });
    expect(b.link.write(ascii('a'))).toBe(false);
    b.clock.advance(2.9);
    expect(b.link.write(ascii('a'))).toBe(false);
    b.clock.advance(0.2);
    expect(b.states).toEqual([false, true, false, true]);
    expect(b.heard).toEqual([]);
  });
  test('stuck takes nothing until the link is opened again', () => {
    const b = bad({ stuck: 1, stuckFor: 1e6 });
    expect(b.link.write(ascii('a'))).toBe(false);
    b.clock.advance(100);
    expect(b.link.write(ascii('a'))).toBe(false);
    const mild = bad({ stuck: 0.5 });
    const taken = Array.from({ length: 20 }, () => {
      const ok = mild.link.write(ascii('a'));
      if (!ok) mild.link.reopen();
      return ok;
    });
    expect(taken).toContain(true);
    expect(taken).toContain(false);
  });
  test('echo brings back what was written, before the answer', () => {
    const b = bad({ echo: 1 });
    talk(b, 2);
    expect(b.heard).toEqual(['a', '<a>', 'b', '<b>']);
  });
});

const meter = instrument({
  model: 'meter',
  source: 'this test',
  links: { main: textProtocol('\n') },
  proof: { main: { ask: () => 'ID?', is: (m: string) => m === 'METER' } },
  body: () => ({
    polls: [
      poll<{ main: ReturnType<typeof textProtocol> }, { volts: 'V' }>({
        ask: 'V?',
        every: 0.1,
        gives: { volts: 'V' },
        read: (m) => ({ volts: Number(m) }),
        example: ['1', { volts: 1 }],
      }),
    ],
  }),
});

/** Answers V? with how long it has been asked for. */
function meterPort(clock: VirtualClock): Port {
  const says = new Subject<Said>();
  let n = 0;
  return {
    protocol: textProtocol('\n'),
    says,
    receive(bytes) {
      const reply = text(bytes).startsWith('ID?') ? 'METER\n' : `${++n * 1.5}\n`;
      clock.after(0, () => says.next({ bytes: ascii(reply) })); // answers in the same microsecond
    },
  };
}
function run(open: (clock: VirtualClock) => Link): Reading[] {
  const clock = virtualClock();
  const got: Reading[] = [];
  const e = exchange(open(clock), textProtocol('\n') as Protocol<unknown, unknown>, clock);
  acquire({ name: 'm', model: meter, options: {}, roles: { main: e }, origin: 'simulator' }, clock, {
    reading: (r) => got.push(r),
    state: () => {},
  });
  clock.advance(60);
  return got;
}

describe('replayed', () => {
  const tape: Recorded[] = [];
  const recorded = run((clock) =>
    recording(
      faultyLink(simulatedLink([meterPort(clock)], clock, { baud: 9600 }), clock, {
        seed: 3,
        drop: 0.05,
        garble: 0.1,
        delay: 0.1,
        longest: 0.3,
      }),
      (r) => tape.push(r),
      'main',
      clock,
    ),
  );

  test('a driver sees what it saw, to the microsecond', () => {
    expect(recorded.length).toBeGreaterThan(30);
    expect(recorded.some((r) => r.quality === 'bad')).toBe(true);
    let left = -1;
    const replayed = run((clock) => {
      const link = replayedLink(tape, clock, { framing: 'stream', origin: 'simulator' });
      clock.after(59.9999, () => {
        left = link.left;
        expect(link.differences).toEqual([]);
      });
      return link;
    });
    expect(replayed).toEqual(recorded);
    expect(left).toBe(0);
  });

  test('a write that is not the recorded one is not taken, and is listed', () => {
    const clock = virtualClock();
    const link = replayedLink(tape, clock, { framing: 'stream', origin: 'simulator' });
    clock.advance(0);
    expect(link.write(ascii('another\n'))).toBe(false);
    expect(link.differences.map((d) => [text(d.recorded ?? ascii('')), text(d.written)])).toEqual([['ID?\n', 'another\n']]);
    expect(link.write(ascii('ID?\n'))).toBe(true);
  });

  test('not strict: arrivals at their times, whatever is written', () => {
    const clock = virtualClock();
    const link = replayedLink(tape, clock, { framing: 'stream', origin: 'hardware', strict: false, from: tape[0].t });
    const heard: number[] = [];
    link.arrivals.subscribe((a) => heard.push(a.t));
    clock.advance(100);
    expect(heard).toEqual(tape.filter((r) => r.direction === 'in').map((r) => r.t));
    expect(link.write(ascii('x'))).toBe(true);
    expect(link.origin).toBe('hardware');
  });
});
