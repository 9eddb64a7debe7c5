import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import driver from '../../drivers/firmata-board.ts';
import { type FirmataAsk, type FirmataTell, firmata } from '../../protocols/firmata.ts';
import { fromLatin1, latin1 } from '../../protocols/protocol.ts';
import simulated from '../../simulators/firmata-board.ts';
import { dac } from '../../simulators/worlds/dac.ts';
import { ORDER } from '../../src/exchange.ts';
import type { Reading } from '../../src/reading.ts';
import { here, Refused } from '../../src/talk.ts';
import { runTalk } from '../../src/talk-run.ts';
import { type Bench, place } from './place.ts';

const PARTS = {
  shutter: {
    part: 'shutter',
    pin: 9,
    angles: { open: 20, closed: '110 deg' },
    ends: { open: 4, closed: 5 },
    settle: '1 s',
    safe: 'closed',
  },
  mirror: { part: 'mirror', pin: 10, angles: { in: '30 deg', out: 120 }, settle: '0.6 s' },
  nd: { part: 'filter', pin: 7 },
  valve: { part: 'relay', pin: 6, active: 'low', safe: 'off' },
  light: { part: 'led', pin: 13 },
  diode: { part: 'photodiode', pin: 'A0', full: '5 V' },
  door: { part: 'switch', pin: 2 },
  key: { part: 'switch', pin: 8, active: 'high', pull_up: false },
} as const;
const OPTICS = {
  shutter: { beams: ['up'] },
  mirror: { beams: ['up'], shows: 'lamp' },
  nd: { beams: ['up'], transmission: '10 %' },
} as const;

type Device = ReturnType<typeof simulated.state>;
const bench = (simulate: Readonly<Record<string, unknown>> = {}, parts: Readonly<Record<string, unknown>> = PARTS): Bench =>
  place(driver, simulated, [{ name: 'optics', options: { parts }, simulate: { optics: OPTICS, ...simulate } }], { baud: 57600 });
const deviceOf = (b: Bench): Device => b.units[0].state as Device; // the state of this simulator
const spaced = (text: string): string => [...fromLatin1(text)].map((c) => c.toString(16).padStart(2, '0')).join(' ');

function started(simulate: Readonly<Record<string, unknown>> = {}, parts: Readonly<Record<string, unknown>> = PARTS) {
  const b = bench(simulate, parts);
  b.clock.advance(1.5);
  const [unit] = b.units;
  const latest = (channel: string): unknown => {
    const r = unit.acquired.latest(channel);
    return r?.quality === 'bad' ? `bad: ${r.why}` : r?.value;
  };
  const since = (from: number, channel: string): unknown[] =>
    unit.readings.slice(from).flatMap((r) => (r.from === `optics.${channel}` ? [r.quality === 'bad' ? 'bad' : r.value] : []));
  return { b, unit, latest, since, device: deviceOf(b), clock: b.clock };
}
/** As the host gives it: readings that the talk gives are the instrument's. */
function given(b: Bench, command: string, value: string): void {
  const [{ acquired, name }] = b.units;
  runTalk(
    acquired.commands[command].talk(acquired.actors, value, 0, here),
    {
      instrument: name,
      by: `order:${command}`,
      urgency: ORDER,
      roles: { main: b.exchange },
      within: driver.within,
      clock: b.clock,
      give: (values) => acquired.give(values),
    },
    () => {},
  );
}
/** Repeats taken out. */
const course = (values: readonly unknown[]): unknown[] => values.filter((v, i) => i === 0 || v !== values[i - 1]);

describe('connecting', () => {
  test('moves nothing, and reads what is there', () => {
    const { b, unit, latest, device } = started();
    expect(unit.acquired.state).toEqual({ is: 'running' });
    expect(unit.acquired.id).toMatchObject({ firmware: 'StandardFirmata.ino 2.5', pins: { A0: 14, 9: 9 }, channels: { A0: 0 } });
    expect(b.sent(true)[0]).toBe('\xf7\xf0\x79\xf7');
    expect(device.chip.slots).toEqual([]);
    expect(device.chip.levels.some((on) => on)).toBe(false);
    expect(['shutter', 'shutter_at_open', 'shutter_at_closed', 'mirror'].map(latest)).toEqual(['closed', false, true, 'unknown']);
    // A pin that is low closes a relay that is active low: that is so, and the reading says it.
    expect(['nd', 'light', 'valve'].map(latest)).toEqual(['out', 'off', 'on']);
    expect(['door', 'key', 'reset', 'message'].map(latest)).toEqual([true, true, false, 'none']);
    expect(unit.readings.filter((r) => r.quality === 'bad')).toEqual([]);
    b.clock.advance(10);
    expect(unit.acquired.commands.shutter?.safe).toBe('closed');
    expect(unit.acquired.commands.mirror?.safe).toBeUndefined();
    expect(device.chip.slots).toEqual([]);
    expect(device.parts.map((p) => p.at)).toEqual(bench().units.flatMap((u) => (u.state as Device).parts.map((p) => p.at)));
  });

  test('to a board that is deaf in an unfinished sysex begins with its end', () => {
    const { b, unit, clock } = started();
    b.link.write(Uint8Array.of(0xf0, 0x6d, 9));
    clock.advance(0.002);
    b.link.plug(false);
    b.link.plug(true);
    clock.advance(0.4);
    expect(unit.acquired.state).toEqual({ is: 'running' });
    expect(b.exchanged.filter((e) => e.fault === 'no answer')).toEqual([]);
  });

  test('to a board that is reset by the opening of its port waits for it', () => {
    const { unit, latest, clock } = started({ reset_at: '0 s' });
    expect(unit.acquired.state.is).not.toBe('running');
    clock.advance(5);
    expect(unit.acquired.state).toEqual({ is: 'running' });
    expect(latest('nd')).toBe('out');
    expect(latest('reset')).toBe(false);
  });
});

describe('orders', () => {
  test('are these bytes', () => {
    const { b, unit } = started();
    const bytes = (command: string, value: string): readonly string[] => {
      b.sent();
      expect(unit.order(command, value, { within: 2 })).toBe('done');
      return b.sent().map(spaced);
    };
    // 20 degrees of 600 to 2400 µs are 800 µs; the mode and the value are one write.
    expect(bytes('shutter', 'open')).toEqual(['f4 09 04 e9 20 06']);
    expect(bytes('mirror', 'in')).toEqual(['f4 0a 04 ea 04 07']);
    // Two outputs on port 0: each by a message of its own. One alone on port 1: the whole port.
    expect(bytes('nd', 'in')).toEqual(['f4 07 01 f5 07 01']);
    expect(bytes('valve', 'off')).toEqual(['f4 06 01 f5 06 01']);
    expect(bytes('light', 'on')).toEqual(['f4 0d 01 91 20 00']);
    expect(bytes('light', 'off')).toEqual(['f4 0d 01 91 00 00']);
  });

  test('with pulses of its own attach a servo with them', () => {
    const { b, unit } = started({}, { s: { part: 'servo', pin: 3, angles: { a: 0, b: 90, c: 180 }, pulses: ['1 ms', '2 ms'] } });
    expect(unit.order('s', 'b')).toBe('done');
    expect(b.sent().map(spaced)).toEqual(['f0 70 03 68 07 50 0f f7 e3 5c 0b']);
    expect(unit.acquired.latest('s')).toMatchObject({ value: 'b' });
  });

  test('give `moving` before the bytes go, and the position when the end switch shows it', () => {
    const { b, unit, since, device, clock } = started();
    const optics = b.all.of(dac).optics;
    const from = unit.readings.length;
    b.sent();
    const before = b.exchanged.length;
    given(b, 'shutter', 'open');
    const [first] = unit.readings.slice(from);
    expect(first).toMatchObject({ from: 'optics.shutter', value: 'moving' });
    const bytes = b.exchanged.slice(before).find((e) => e.by === 'order:shutter');
    expect(first?.t).toBeLessThanOrEqual(bytes?.asked ?? 0);
    expect(optics.transmission('up', 700e-9)).toBe(0);
    clock.advance(3);
    expect(course(since(from, 'shutter'))).toEqual(['moving', 'open']);
    expect(optics.part('shutter', { kind: 'shutter', beams: [] }).in).toBe(0);
    expect(optics.transmission('up', 700e-9)).toBe(1);
    const at = (value: string): Reading | undefined =>
      unit.readings.slice(from).find((r) => r.from === 'optics.shutter' && r.quality === 'good' && r.value === value);
    // 90 degrees at 0.4 s for 180: the switch shows it before `settle` is over, and it is not said sooner.
    const took = ((at('open')?.t ?? 0) - (at('moving')?.t ?? 0)) / 1e6;
    expect(took).toBeGreaterThan(0.19);
    expect(took).toBeLessThan(0.6);
    expect(device.chip.slots.map((s) => s.pulse)).toEqual([800]);
  });

  test('without end switches give the position after the part has had its time', () => {
    const { unit, since, b, clock } = started();
    const from = unit.readings.length;
    given(b, 'mirror', 'in');
    clock.advance(0.55);
    expect(course(since(from, 'mirror'))).toEqual(['moving']);
    clock.advance(1);
    expect(course(since(from, 'mirror'))).toEqual(['moving', 'in']);
    expect(b.all.of(dac).optics.sees('up')).toEqual({ sample: 0, lamp: 1 });
  });

  test('of the other outputs on a port leave this one as it is', () => {
    const { unit, latest, device } = started();
    for (const [command, value] of [
      ['nd', 'in'],
      ['valve', 'off'],
      ['nd', 'out'],
      ['valve', 'on'],
      ['nd', 'in'],
    ] as const)
      unit.order(command, value, { within: 1 });
    expect([latest('nd'), latest('valve')]).toEqual(['in', 'on']);
    expect([device.chip.levels[7], device.chip.levels[6]]).toEqual([true, false]);
  });

  test('that are safe go at once, in front of a question that is open, and are read back', () => {
    const { b, unit, clock, latest } = started();
    unit.order('shutter', 'open', { within: 3 });
    expect(latest('shutter')).toBe('open');
    b.sent();
    expect(unit.order('shutter', 'closed', { within: 0, safe: true })).toBe('unfinished');
    expect(b.sent().map(spaced)).toEqual(['f4 09 04 e9 24 0d']);
    clock.advance(3);
    expect(latest('shutter')).toBe('closed');
  });
});

describe('what goes wrong', () => {
  test('a servo that is blocked is stuck, and a part that comes late is where it is', () => {
    const { b, since, unit, device, clock } = started();
    device.parts[0].trouble = 'blocked';
    const from = unit.readings.length;
    given(b, 'shutter', 'open');
    clock.advance(3);
    expect(course(since(from, 'shutter'))).toEqual(['moving', 'stuck']);
    device.parts[0].trouble = undefined;
    clock.advance(2);
    expect(course(since(from, 'shutter'))).toEqual(['moving', 'stuck', 'open']);
  });

  test('an end switch that stays as it is contradicts the order', () => {
    const { unit, latest } = started({ optics: { ...OPTICS, shutter: { beams: ['up'], fault: 'switch' } } });
    unit.order('shutter', 'open', { within: 3 });
    expect(latest('shutter')).toBe('stuck');
  });

  test('a reset in mid-session is seen: outputs are not known until they are ordered anew, inputs come back by themselves', () => {
    const { unit, latest, since, device, clock } = started();
    unit.order('shutter', 'open', { within: 3 });
    unit.order('mirror', 'in', { within: 3 });
    unit.order('nd', 'in', { within: 3 });
    const from = unit.readings.length;
    device.resetAt = clock.mono();
    clock.advance(8);
    expect(unit.acquired.state).toEqual({ is: 'running' });
    expect(since(from, 'reset')).toContain(true);
    expect(latest('shutter')).toMatch(/^bad: the board has been reset/);
    expect([latest('mirror'), latest('nd')]).toEqual(['unknown', 'unknown']);
    for (const name of ['shutter', 'mirror', 'nd']) expect(since(from, name)).toContain('bad');
    expect(since(from, 'shutter').filter((v) => v !== 'bad' && v !== 'open')).toEqual([]);
    expect([latest('door'), latest('key'), latest('reset')]).toEqual([true, true, true]);
    expect(Number(latest('diode'))).toBeLessThan(0.1);
    device.contacts.door = false;
    clock.advance(0.1);
    expect(latest('door')).toBe(false);
    for (const name of ['shutter', 'mirror', 'nd', 'valve', 'light'])
      unit.order(name, unit.acquired.commands[name]?.words?.[0], { within: 3 });
    expect(['shutter', 'mirror', 'nd', 'valve', 'light', 'reset'].map(latest)).toEqual(['open', 'in', 'in', 'on', 'on', false]);
  });

  test('a reset that nobody has told of is seen at the pin', () => {
    const { unit, latest, device, clock } = started();
    unit.order('nd', 'in', { within: 2 });
    unit.order('mirror', 'in', { within: 2 });
    // The link was down while the board booted: its reports are lost.
    Object.assign(device.chip.modes, { 10: 1 });
    device.chip.slots.length = 0;
    device.chip.levels[7] = false;
    device.chip.states[7] = device.chip.states[10] = 0;
    clock.advance(1);
    expect([latest('nd'), latest('mirror')]).toEqual(['unknown', 'unknown']);
    clock.advance(3);
    expect(latest('reset')).toBe(true);
  });

  test('a board that crashes is silent, and its channels say so', () => {
    const { b, unit, latest, clock } = started();
    b.link.write(Uint8Array.from([0xf0, ...Array(65).fill(1), 0xf7]));
    clock.advance(5);
    expect(unit.acquired.state.is).toBe('silent');
    for (const name of ['shutter', 'door', 'diode', 'firmware']) expect(latest(name)).toMatch(/^bad: /);
  });

  test('what the firmware complains of is a message', () => {
    const { b, latest, clock } = started();
    b.link.write(Uint8Array.of(0xf4, 9, 0x60));
    clock.advance(0.1);
    expect(latest('message')).toBe('Unknown pin mode');
  });
});

describe('step by step', () => {
  const parts = { nd: { part: 'filter', pin: 7, settle: '1 s' }, door: { part: 'switch', pin: 9 } };
  const id = { firmware: '', pins: { 7: 7, 9: 9 }, channels: {}, bits: {} };
  /** The body alone; what a talk asks is what it yields, and what it is given is the answer. */
  function alone() {
    const options = driver.options.parse({ parts });
    if (options instanceof Refused) throw new Error(options.why);
    const body = driver.body(options, id);
    function* put(q: unknown): Generator<unknown, unknown, unknown> {
      return yield q;
    }
    const act = { main: { ask: put, send: put, exchange: put } } as never; // as the exchange, by hand
    const by = (channel: string) => {
      const poll = body.polls?.find((p) => channel in p.gives);
      if (!poll) throw new Error(`nothing polls ${channel}`);
      return {
        talk: () => poll.talk(act) as Generator<unknown, unknown, unknown>,
        read: (m: unknown, t = 1e6) => poll.read(m, { asked: t, t }),
      };
    };
    return { body, act, by };
  }
  const pin = (state: number): FirmataTell => ({ say: 'pin state', pin: 7, mode: 1, state });
  const port: FirmataTell = { say: 'port', port: 1, bits: 0 };

  test('a look that an order has overtaken says that the part moves', () => {
    const { body, act, by } = alone();
    const nd = by('nd');
    const early = nd.talk();
    expect(early.next().value).toEqual([{ do: 'pin state', pin: 7 }]);
    const order = body.commands?.nd?.talk(act, 'in', 0, { ...here, *wait() {}, *give() {} });
    expect(order?.next().value).toEqual([
      { do: 'mode', pin: 7, mode: 1 },
      { do: 'port', port: 0, bits: 0x80 },
    ]);
    const old = early.next(pin(0)).value;
    expect(nd.read(old)).toEqual({ nd: 'moving' });
    order?.next();
    // Its time has passed in the talk: the next look sees it there, and one from before says nothing.
    expect(nd.read(old)).toEqual({ nd: 'moving' });
    const later = nd.talk();
    later.next();
    expect(nd.read(later.next(pin(1)).value)).toEqual({ nd: 'in' });
    expect(nd.read(old)).toEqual({});
  });

  test('the first answer of a port that has just been set up says nothing, nor what it reports meanwhile', () => {
    const { body, by } = alone();
    const door = by('door');
    const look = (): unknown => {
      const talk = door.talk();
      expect(talk.next().value).toEqual([
        { do: 'mode', pin: 9, mode: 11 },
        { do: 'report port', port: 1, on: true },
      ]);
      return door.read(talk.next(port).value);
    };
    const taken = (m: FirmataTell) => body.streams?.main?.find((s) => s.takes(m));
    const reset: FirmataTell = { say: 'version', major: 2, minor: 5 };
    expect('door' in (taken(port)?.gives ?? {})).toBe(false);
    expect(look()).toEqual({});
    expect(look()).toEqual({ door: true });
    expect('door' in (taken(port)?.gives ?? {})).toBe(true);
    taken(reset)?.read(reset, { asked: 0, t: 0 });
    expect('door' in (taken(port)?.gives ?? {})).toBe(false);
    expect(look()).toEqual({});
    expect(look()).toEqual({ door: true });
  });
});

describe('inputs', () => {
  test('are reported on change, and polled', () => {
    const { unit, since, device, clock } = started();
    clock.advance(0.01);
    const from = unit.readings.length;
    device.contacts.door = false;
    clock.advance(0.02);
    expect(since(from, 'door').at(-1)).toBe(false);
    device.contacts.key = false;
    clock.advance(1);
    expect(since(from, 'key').at(-1)).toBe(false);
    expect(since(from, 'door').length).toBeGreaterThan(4);
  });

  test('the photodiode sees the light of the world, in its unit', () => {
    const { unit, latest } = started();
    expect(Number(latest('diode'))).toBeLessThan(0.05);
    unit.order('light', 'on', { within: 1 });
    expect(Number(latest('diode'))).toBeCloseTo(2, 1);
    const flipped = started({ levels: { a: '25 %' } }, { a: { part: 'analog', pin: 'A3', inverted: true, full: '10 V' } });
    expect(Number(flipped.latest('a'))).toBeCloseTo(2.5, 1);
  });
});

test('a line that loses, delays and repeats bytes gives no position that was not ordered', () => {
  const { b, unit, since, clock } = started();
  let n = 0;
  // Every 7th write is lost, every 11th is cut short.
  const { write } = b.link;
  b.link.write = (bytes, ...rest) => (++n % 7 === 0 ? true : write(n % 11 === 0 ? bytes.slice(0, 2) : bytes, ...rest));
  const from = unit.readings.length;
  clock.advance(60);
  expect(new Set(since(from, 'shutter'))).toEqual(new Set(['closed', 'bad']));
  expect(new Set(since(from, 'mirror'))).toEqual(new Set(['unknown', 'bad']));
  expect(new Set(since(from, 'door'))).toEqual(new Set([true, 'bad']));
  expect(since(from, 'door').filter((v) => v === true).length).toBeGreaterThan(15);
});

describe('options', () => {
  const refusal = (parts: unknown): string => {
    const read = driver.options.parse({ parts });
    return read instanceof Refused ? read.why : 'taken';
  };
  test.each([
    [
      { s: { part: 'shuter', pin: 9 } },
      'parts: s: part: must be one of shutter, mirror, filter, iris, relay, led, servo, photodiode, analog, switch, not "shuter"',
    ],
    [{ s: { part: 'relay' } }, 'parts: s: pin: is needed: a pin is a whole number from 2 to 127 or a name from A0 to A15'],
    [{ s: { part: 'relay', pin: 1 } }, /pin: a pin is a whole number from 2/],
    [{ s: { part: 'relay', pin: 4, safe: 'closed' } }, 'parts: s: safe: must be one of on, off, not "closed"'],
    [{ s: { part: 'relay', pin: 4, angles: 3 } }, /angles: is needed: the angle of each position/],
    [{ s: { part: 'servo', pin: 4, angles: { a: 10, b: 190 } } }, /b: must be an angle from 0 to 180 deg, not 190/],
    [{ s: { part: 'servo', pin: 4, angles: { a: 10, b: 10 } } }, /two positions have the same angle/],
    [{ s: { part: 'servo', pin: 4, angles: { a: 10, stuck: 20 } } }, /"stuck" is no name of a position/],
    [{ s: { part: 'shutter', pin: 4, angles: { a: 10, b: 20 } } }, /the positions of a shutter are open and closed/],
    [{ s: { part: 'relay', pin: 4 }, t: { part: 'led', pin: 4 } }, 'parts: t: the pin 4 is already used by s'],
    [{ s: { part: 'shutter', pin: 4, ends: { opened: 5 } } }, /opened: is no position; they are open, closed/],
    [{ s: { part: 'photodiode', pin: 'A0', full: '5 X' } }, /full: the unit "X" is not known/],
    [{ s: { part: 'relay', pin: 4, settle: '3 m' } }, /settle: must be a quantity such as "0.5 s"/],
    [{ s: { part: 'relay', pin: 4, pulls: 1 } }, /pulls: is not known here; known are part, pin/],
    [{ reset: { part: 'relay', pin: 4 } }, /"reset" is no name for a part/],
    [[], /is written as/],
    [{ s: 4 }, /must be a table/],
  ])('%j is refused', (parts, why) => {
    if (typeof why === 'string') expect(refusal(parts)).toBe(why);
    else expect(refusal(parts)).toMatch(why);
  });
  test('a board whose pins lack a mode is refused, with part, pin and mode', () => {
    const whyOf = (parts: Readonly<Record<string, unknown>>): unknown => started({}, parts).unit.acquired.state;
    expect(whyOf({ a: { part: 'photodiode', pin: 3 } })).toEqual({
      is: 'refused',
      why: 'the board (StandardFirmata.ino 2.5) does not fit: a: the pin 3 of this board has no mode "analog"',
    });
    expect(whyOf({ a: { part: 'switch', pin: 2 }, b: { part: 'servo', pin: 20, angles: { x: 1, y: 2 } } })).toMatchObject({
      why: expect.stringMatching(/b: the board has no pin 20/),
    });
    expect(whyOf({ a: { part: 'relay', pin: 33 } })).toMatchObject({ why: expect.stringMatching(/a: the board has no pin 33/) });
    expect(whyOf({ a: { part: 'relay', pin: 14 }, b: { part: 'led', pin: 'A0' } })).toMatchObject({
      why: expect.stringMatching(/b: the pin A0 is already used by a/),
    });
  });
});

test('a board of an older protocol is taken for what it can', () => {
  const identify = (parts: object): unknown => {
    const options = driver.options.parse({ parts });
    if (options instanceof Refused) throw new Error(options.why);
    // The talk by hand: what it asks is answered as StandardFirmata 2.4 does.
    const answers: readonly FirmataTell[] = [
      { say: 'firmware', major: 2, minor: 4, name: 'StandardFirmata.ino' },
      { say: 'version', major: 2, minor: 4 },
      {
        say: 'capabilities',
        pins: Array.from({ length: 20 }, (_, pin) => (pin < 2 ? [] : [0, 1, 4].map((mode) => ({ mode, resolution: 1 })))),
      },
      { say: 'mapping', channels: Array.from({ length: 20 }, () => 127) },
    ];
    function* put(q: unknown): Generator<unknown, unknown, unknown> {
      return yield q;
    }
    const talk = driver.identify({ main: { ask: put } } as never, options) as Generator<unknown, unknown, unknown>; // the exchange by hand
    talk.next();
    for (const m of answers) {
      const step = talk.next(m);
      if (step.done) return step.value instanceof Refused ? step.value.why : step.value;
    }
    return 'unfinished';
  };
  expect(identify({ a: { part: 'switch', pin: 2 } })).toMatch(
    /a: the pin 2 .* has no mode "pullup": it needs firmware of protocol 2\.5, or a resistor/,
  );
  expect(identify({ a: { part: 'relay', pin: 2 }, b: { part: 'led', pin: 3 } })).toMatch(/b: a is on the same port of eight pins/);
  expect(identify({ a: { part: 'relay', pin: 2 }, b: { part: 'led', pin: 13 } })).toMatchObject({ firmware: 'StandardFirmata.ino 2.4' });
  expect(identify({ a: { part: 'photodiode', pin: 'A0' } })).toMatch(/a: the board has no pin A0/);
});

describe('same order, same bytes: johnny-five', () => {
  const require = createRequire(import.meta.url);
  // Neither has types of its own; what is used of them is written down here.
  const { Firmata } = require('firmata-io') as { Firmata: new (transport: object, options: object) => object };
  type Made = Record<string, (value?: number) => void>;
  const five = require('johnny-five') as Record<string, new (options: object) => Made> & {
    Board: new (options: object) => EventEmitter;
  };
  const { asks, tells } = firmata();

  /** What johnny-five writes while the work is done, with our simulator's chip behind its transport. */
  function written(work: (board: object) => void): string {
    const all = bench({}, {});
    const port = all.all.device('other', simulated, {}).ports.main;
    let out = '';
    const transport = Object.assign(new EventEmitter(), {
      write(data: Uint8Array) {
        out += latin1(Uint8Array.from(data));
        port.receive(Uint8Array.from(data));
      },
    });
    port.says.subscribe(({ bytes }) => transport.emit('data', bytes));
    const io = new Firmata(transport, { reportVersionTimeout: 0 });
    transport.emit('data', tells.encode({ say: 'version', major: 2, minor: 5 } satisfies FirmataTell));
    transport.emit('data', tells.encode({ say: 'firmware', major: 2, minor: 5, name: 'StandardFirmata.ino' } satisfies FirmataTell));
    all.clock.advance(1);
    const board = new five.Board({ io, repl: false, debug: false, sigint: false });
    Object.assign(board, { isReady: true });
    out = '';
    work(board);
    expect(fromLatin1(out).length).toBeGreaterThan(2);
    return spaced(out);
  }
  const ours = (part: object, value: string): string => {
    const { b, unit } = started({}, { one: part });
    unit.order('one', value, { within: 2 });
    return b.sent().map(spaced).join(' ');
  };

  type Work = (board: object) => unknown;
  const cases: readonly (readonly [string, object, string, Work])[] = [
    ['a relay', { part: 'relay', pin: 'A2' }, 'on', (board) => new five.Relay({ board, pin: 'A2' }).close()],
    ['a relay that is off', { part: 'relay', pin: 'A3' }, 'off', (board) => new five.Relay({ board, pin: 'A3' }).open()],
    [
      'one that is active low',
      { part: 'relay', pin: 'A4', active: 'low' },
      'on',
      (board) => new five.Relay({ board, pin: 'A4', type: 'NC' }).close(),
    ],
    ['an LED', { part: 'led', pin: 13 }, 'on', (board) => new five.Led({ board, pin: 13 }).on()],
    ['an LED that is off', { part: 'led', pin: 12 }, 'off', (board) => new five.Led({ board, pin: 12 }).off()],
    ['a servo', { part: 'servo', pin: 9, angles: { a: 33, b: 90 } }, 'a', (board) => new five.Servo({ board, pin: 9 }).to(33)],
    [
      'a servo with pulses',
      { part: 'servo', pin: 11, angles: { a: 77, b: 90 }, pulses: ['1000 us', '2000 us'] },
      'a',
      (board) => new five.Servo({ board, pin: 11, pwmRange: [1000, 2000] }).to(77),
    ],
  ];
  test.each(cases)('%s', (_, part, value, work) => {
    const bytes = ours(part, value);
    expect(bytes).toBe(written(work));
    // Whole commands, and nothing but them.
    const heard = asks.decoder()(
      fromLatin1(
        bytes
          .split(' ')
          .map((h) => String.fromCharCode(Number.parseInt(h, 16)))
          .join(''),
      ),
    );
    expect(asks.encode((heard as readonly FirmataAsk[]).flat())).toHaveLength(bytes.split(' ').length);
  });

  test('a relay on a pin that is an output by itself: johnny-five leaves the mode out, and we set it', () => {
    expect(ours({ part: 'relay', pin: 8 }, 'on')).toBe(`f4 08 01 ${written((board) => new five.Relay({ board, pin: 8 }).close())}`);
  });
});
