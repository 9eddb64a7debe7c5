import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import board from '../../drivers/sitcp-board.ts';
import { type CounterFrame, counterFrames } from '../../protocols/counter-frames.ts';
import { concat, Fault, type Protocol } from '../../protocols/protocol.ts';
import simulated from '../../simulators/sitcp-board.ts';
import { acquire } from '../../src/acquire.ts';
import { virtualClock } from '../../src/clock.ts';
import { exchange, ORDER } from '../../src/exchange.ts';
import { type Link, wrapped } from '../../src/link.ts';
import { faultyLink } from '../../src/links/faulty.ts';
import { simulatedLink } from '../../src/links/simulated.ts';
import type { Reading } from '../../src/reading.ts';
import { universe } from '../../src/simulate.ts';
import { here, Refused } from '../../src/talk.ts';
import { runTalk } from '../../src/talk-run.ts';

const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(' ');
const layout = { sync: 0x5a5aa5a5, counters: 2 };
const codec = counterFrames(layout);
const frameOf = (number: number, ...counters: number[]): CounterFrame => ({ number, counters });
const good = (all: readonly (CounterFrame | Fault)[]): CounterFrame[] => all.filter((m): m is CounterFrame => !(m instanceof Fault));

describe('the data stream', () => {
  test('literal bytes', () => {
    expect(hex(codec.tells.encode(frameOf(7, 1, 0xfffffffe)))).toBe('5a 5a a5 a5 00 00 00 07 00 00 00 01 ff ff ff fe');
  });
  test('a frame counts when the next begins, or after silence', () => {
    const decode = codec.tells.decoder();
    expect(decode(codec.tells.encode(frameOf(1, 2, 3)))).toEqual([]);
    expect(decode(Uint8Array.of(0x5a, 0x5a, 0xa5, 0xa5))).toEqual([frameOf(1, 2, 3)]);
    const other = codec.tells.decoder();
    other(codec.tells.encode(frameOf(1, 2, 3)));
    expect(other(new Uint8Array(0))).toEqual([frameOf(1, 2, 3)]);
  });
  test('with an end word it counts at once', () => {
    const { tells } = counterFrames({ ...layout, end: 0xdeadbeef });
    const bytes = tells.encode(frameOf(1, 2, 3));
    expect(hex(bytes.subarray(16))).toBe('de ad be ef');
    expect(tells.decoder()(bytes)).toEqual([frameOf(1, 2, 3)]);
  });
  test('junk before a run is thrown away, a lost byte costs its own frame alone, and no wrong number comes out', () => {
    const all = Array.from({ length: 10 }, (_, i) => frameOf(i, 1000 + i, 2000 + i));
    for (let lost = 0; lost < 16; lost++) {
      const stream = concat(Uint8Array.of(1, 2, 3, 0x5a), ...all.map((f) => codec.tells.encode(f)));
      const at = 4 + 5 * 16 + lost;
      const decode = codec.tells.decoder();
      const got = good([...decode(concat(stream.subarray(0, at), stream.subarray(at + 1))), ...decode(new Uint8Array(0))]);
      // A byte of the sync word leaves the frame before without its proof.
      expect(got.map((f) => f.number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9].filter((n) => n !== 5 && !(lost < 4 && n === 4)));
      for (const f of got) expect(f).toEqual(all[f.number]);
    }
  });
  test('any split of any noise and frames decodes alike and never throws', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.tuple(fc.nat(0xffff), fc.nat(), fc.nat()).map(([n, a, b]) => codec.tells.encode(frameOf(n, a, b))),
      fc.constant(Uint8Array.of(0x5a, 0x5a, 0xa5, 0xa5)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (pieces, steps) => {
        const stream = concat(...pieces);
        const whole = codec.tells.decoder();
        const once = [...(stream.length > 0 ? whole(stream) : []), ...whole(new Uint8Array(0))];
        const split = codec.tells.decoder();
        const parts: (CounterFrame | Fault)[] = [];
        for (let i = 0, k = 0; i < stream.length; k++) {
          const step = steps[k % steps.length];
          parts.push(...split(stream.subarray(i, i + step)));
          i += step;
        }
        parts.push(...split(new Uint8Array(0)));
        expect(parts).toEqual(once);
      }),
    );
  });
  test('endless noise is bounded', () => {
    const decode = codec.tells.decoder();
    const faults = decode(new Uint8Array(100_000).fill(7));
    expect(faults).toHaveLength(24);
    expect(faults.every((f) => f instanceof Fault && f.bytes.length === 4096)).toBe(true);
  });
});

interface Options {
  readonly registers?: unknown;
  readonly frame?: unknown;
}
function bench(
  given: Options = {},
  device: Options = given,
  wrap: (link: Link, clock: ReturnType<typeof virtualClock>) => Link = (l) => l,
) {
  const options = board.options.parse(given);
  const other = simulated.options.parse(device);
  if (options instanceof Refused || other instanceof Refused) throw new Error('options');
  const clock = virtualClock();
  const all = universe(1, clock);
  const { ports } = all.device('board', simulated, other);
  const models = board.links(options);
  const plug = simulatedLink([ports.data], clock);
  const sent: string[] = [];
  const roles = Object.fromEntries(
    (['control', 'data'] as const).map((role) => {
      const link = role === 'data' ? plug : wrap(simulatedLink([ports.control], clock, { framing: 'packets' }), clock);
      const e = exchange(link, models[role] as Protocol<unknown, unknown>, clock);
      e.exchanged.subscribe((x) => x.by.startsWith('order') && sent.push(hex(x.sent)));
      return [role, e];
    }),
  );
  const readings: Reading[] = [];
  const one = acquire({ name: 'board', model: board, options, roles, origin: 'simulator' }, clock, {
    reading: (r) => readings.push(r),
    state: () => {},
  });
  const order = (name: string, value: number | boolean, seconds = 10): string => {
    let outcome = 'unfinished';
    runTalk(
      one.commands[name].talk(one.actors, value, 0, here),
      { instrument: 'board', by: `order:${name}`, urgency: ORDER, roles, within: 1, clock },
      (end) => {
        outcome = end.ok ? 'done' : end.why;
      },
    );
    clock.advance(seconds);
    return outcome;
  };
  const of = (channel: string): Reading[] => readings.filter((r) => r.from === `board.${channel}`);
  return { clock, one, readings, of, order, sent, plug };
}

const REGISTERS = {
  version: { address: 0, bytes: 4, kind: 'word', expect: 0x1234 },
  bias: { address: 0x10, bytes: 2, unit: 'V', scale: 0.002, writable: true, limits: [0, 60], safe: 0 },
  offset: { address: 0x12, bytes: 1, kind: 'signed', unit: 'V', scale: 0.001, writable: true, idempotent: false },
  enabled: { address: 0x13, bytes: 1, kind: 'flag', writable: true },
};

describe('the board', () => {
  test('with nothing said: its registers, its counters, and no frame lost', () => {
    const b = bench();
    b.clock.advance(10.05);
    expect(b.one.state).toEqual({ is: 'running' });
    expect(b.one.latest('version')).toMatchObject({ kind: 'state', value: '0x20260101' });
    expect(b.one.latest('threshold')).toMatchObject({ kind: '1', value: 100 });
    expect(b.one.latest('enabled')).toMatchObject({ kind: 'flag', value: true });
    const counts = b.of('counter_0').map((r) => (r.quality === 'bad' ? Number.NaN : Number(r.value)));
    expect(counts.length).toBeGreaterThan(90);
    const mean = counts.reduce((s, n) => s + n, 0) / counts.length;
    expect(mean).toBeGreaterThan(12 - 4 * Math.sqrt(12 / counts.length));
    expect(mean).toBeLessThan(12 + 4 * Math.sqrt(12 / counts.length));
    expect(b.of('lost').every((r) => r.quality === 'good' && r.value === 0)).toBe(true);
    const numbers = b.of('frame').map((r) => (r.quality === 'bad' ? Number.NaN : Number(r.value)));
    expect(numbers).toEqual(numbers.map((_, i) => numbers[0] + i));
  });

  test('frames that did not come are counted', () => {
    const b = bench();
    b.clock.advance(3.05);
    b.plug.plug(false);
    b.clock.advance(1);
    b.plug.plug(true);
    b.clock.advance(1);
    const lost = b.of('lost').map((r) => (r.quality === 'bad' ? 0 : Number(r.value)));
    expect(Math.max(...lost)).toBeGreaterThanOrEqual(10);
    expect(Math.max(...lost)).toBeLessThanOrEqual(12);
    expect(lost.filter((n) => n > 0)).toHaveLength(1);
  });

  test('a board that has started again has lost nothing that is known of', () => {
    const options = board.options.parse({});
    if (options instanceof Refused) throw new Error('options');
    const stream = board.body(options, {}).streams?.data?.[0];
    const lost = [5, 6, 9, 0xffffffff, 0, 1].map((number) => stream?.read({ number, counters: [1, 2, 3, 4] }, { asked: 0, t: 0 }).lost);
    expect(lost).toEqual([0, 0, 2, 0, 0, 0]);
  });

  test('registers are scaled to SI, written big-endian and read back', () => {
    const b = bench({ registers: REGISTERS });
    b.clock.advance(2);
    expect(b.one.state).toEqual({ is: 'running' });
    expect(b.order('bias', 56.4)).toBe('done');
    expect(b.sent[0]).toMatch(/^ff 80 .. 02 00 00 00 10 6e 28$/); // 28200 = 0x6e28
    expect(b.one.latest('bias')).toMatchObject({ kind: 'V', value: 56.4 });
    expect(b.order('offset', -0.005)).toBe('done');
    expect(b.sent[1]).toMatch(/^ff 80 .. 01 00 00 00 12 fb$/);
    expect(b.one.latest('offset')).toMatchObject({ kind: 'V', value: -0.005 });
    expect(b.order('enabled', true)).toBe('done');
    expect(b.one.latest('enabled')).toMatchObject({ value: true });
    expect(b.one.commands.bias).toMatchObject({ takes: 'V', limits: [0, 60], safe: 0, readback: { channel: 'bias' } });
    expect(b.one.commands.offset).toMatchObject({ limits: [-0.128, 0.127] });
    expect(b.one.commands.version).toBeUndefined();
  });

  test('a bus error fails the order, and a poll is bad with that reason', () => {
    const b = bench(
      { registers: REGISTERS },
      { registers: { v: { address: 0, bytes: 4, value: 0x1234 }, ro: { address: 0x13, bytes: 1 } } },
    );
    b.clock.advance(2);
    expect(b.order('enabled', true)).toBe('bus error: the board refuses a write to 0x00000013 (enabled)');
    expect(b.sent).toHaveLength(1);
    expect(b.one.latest('bias')).toMatchObject({ quality: 'bad', why: 'bus error: the board has nothing at 0x00000010 (bias)' });
  });

  test('another board is refused', () => {
    const b = bench({ registers: REGISTERS }, {});
    b.clock.advance(2);
    expect(b.one.state).toEqual({ is: 'refused', why: 'version is 0x20260101, and 0x00001234 is expected' });
    const c = bench({ registers: { version: { address: 0x99999, bytes: 4 } } }, {});
    c.clock.advance(2);
    expect(c.one.state).toMatchObject({ is: 'refused', why: expect.stringContaining('nothing at 0x00099999 (version)') });
  });

  test('a lost datagram of a question: it is asked again, three times at most', () => {
    const lossy = (drop: number) =>
      bench({ registers: REGISTERS }, { registers: REGISTERS }, (link, clock) => faultyLink(link, clock, { seed: 1, drop }));
    const b = lossy(0.25);
    b.clock.advance(120);
    const all = b.of('bias');
    expect(all.length).toBeGreaterThan(20);
    expect(all.filter((r) => r.quality === 'bad').length).toBeLessThan(0.1 * all.length); // 0.44^4 of them
    const asked: string[] = [];
    const silent = bench({ registers: REGISTERS }, { registers: REGISTERS }, (link, clock) => {
      const faulty = faultyLink(link, clock, {
        seed: 1,
        get drop() {
          return clock.mono() > 3 ? 1 : 0;
        },
      });
      return wrapped(faulty, {
        write(bytes, reply, safe) {
          if (clock.mono() > 3) asked.push(hex(bytes));
          return faulty.write(bytes, reply, safe);
        },
      });
    });
    silent.clock.advance(90);
    const given = silent.of('bias').filter((r) => r.quality === 'bad').length;
    const times = asked.filter((q) => /^ff c0 .. 02 00 00 00 10$/.test(q)).length;
    expect(given).toBeGreaterThan(1);
    expect(times).toBeGreaterThanOrEqual(4 * given);
    expect(times).toBeLessThan(4 * given + 4);
    expect(silent.of('bias').at(-1)).toMatchObject({ quality: 'bad', why: 'no answer within 1 s' });
  });

  test('a lost reply: a write is repeated where it does no harm, and nowhere else', () => {
    // From the order on nothing comes back.
    let cut = false;
    const b = bench({ registers: REGISTERS }, { registers: REGISTERS }, (link, clock) => {
      const faulty = faultyLink(link, clock, {
        seed: 1,
        get drop() {
          return cut ? 1 : 0;
        },
      });
      return faulty;
    });
    b.clock.advance(2);
    cut = true;
    expect(b.order('offset', 0.001)).toBe('no answer within 1 s');
    expect(b.sent).toHaveLength(1);
    expect(b.order('enabled', true)).toBe('no answer within 1 s');
    expect(b.sent).toHaveLength(5);
    expect(new Set(b.sent.slice(1).map((s) => s.slice(6, 8))).size).toBe(4); // each with a number of its own
    cut = false;
    expect(b.order('enabled', true)).toBe('done');
  });
});

describe('options', () => {
  test.each([
    [{ registers: {} }, /registers: is written as/],
    [{ registers: { a: { bytes: 2 } } }, /a needs an address/],
    [{ registers: { a: { address: 1, bytes: 9 } } }, /a bytes must be 1 to 6/],
    [{ registers: { a: { address: 1, kind: 'flog' } } }, /a kind must be one of number, signed, flag, word, not "flog"/],
    [{ registers: { a: { address: 1, unit: 'mV' } } }, /write the prefix into the scale/],
    [{ registers: { a: { address: 1, limits: [0, 1] } } }, /for writable registers/],
    [{ registers: { a: { address: 1, writable: true, limits: [0, 256] } } }, /within what the register holds, \[0, 255\]/],
    [{ registers: { a: { address: 1, adress: 2 } } }, /a has no "adress"/],
    [{ registers: { lost: { address: 1 } } }, /"lost" is no name for a register/],
    [{ registers: { a: { address: 1, writable: true, kind: 'flag', safe: 0 } } }, /safe must be true or false/],
    [{ frame: { sync: -1 } }, /frame: sync must be/],
    [{ frame: { counters: ['a', 'a'] } }, /different names/],
    [{ frame: { counters: ['frame'] } }, /different names/],
    [{ frame: { syn: 1 } }, /has no "syn"/],
  ])('%j', (given, message) => {
    const refused = board.options.parse(given);
    expect(refused).toBeInstanceOf(Refused);
    expect((refused as Refused).why).toMatch(message); // it is one, see the line above
  });
});

describe('the simulated board, as other software asks it', () => {
  test('one reply per request: id echoed, up to 255 bytes, addresses counting up', () => {
    const clock = virtualClock();
    const options = simulated.options.parse({});
    const { ports } = universe(1, clock).device('board', simulated, options);
    const heard: string[] = [];
    ports.control.says.subscribe((s) => heard.push(hex(s.bytes)));
    const say = (...bytes: number[]): void => {
      ports.control.receive(Uint8Array.from(bytes));
      clock.advance(0.1);
    };
    say(0xff, 0x80, 0x11, 3, 0, 0, 0x10, 0, 0xaa, 0xbb, 0xcc);
    say(0xff, 0xc0, 0x12, 2, 0, 0, 0x10, 1);
    say(0xff, 0xc0, 0x13, 4, 0, 0, 0, 0);
    say(0xff, 0xc0, 0x14, 1, 0x77, 0, 0, 0);
    say(0xff, 0xc0, 0x15);
    say(0xff, 0xc0, 0x16, 255, 0, 0, 0x10, 0);
    expect(heard.slice(0, 3)).toEqual([
      'ff 88 11 03 00 00 10 00 aa bb cc',
      'ff c8 12 02 00 00 10 01 bb cc',
      'ff c8 13 04 00 00 00 00 20 26 01 01',
    ]);
    expect(heard[3]).toMatch(/^ff c9 14 01 77 00 00 00/);
    expect(heard).toHaveLength(5);
    expect(heard[4].split(' ')).toHaveLength(8 + 255);
  });
});
