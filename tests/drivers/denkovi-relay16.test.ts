import { describe, expect, test } from 'vitest';
import board from '../../drivers/denkovi-relay16.ts';
import { fromLatin1 } from '../../protocols/protocol.ts';
import simulated from '../../simulators/denkovi-relay16.ts';
import { dac } from '../../simulators/worlds/dac.ts';
import { Refused } from '../../src/instrument.ts';
import { place } from './place.ts';

const relays = (simulate = {}, options = {}) => {
  const bench = place(board, simulated, [{ name: 'relays', simulate, options }], { baud: 9600 });
  const [unit] = bench.units;
  // The state of the simulator above.
  const state = unit.state as ReturnType<typeof simulated.state>;
  bench.clock.advance(3);
  return { ...bench, unit, state, now: unit.acquired.latest, world: bench.all.of(dac) };
};
const hex = (sent: readonly string[]): string[] =>
  sent.map((one) => [...fromLatin1(one)].map((byte) => byte.toString(16).padStart(2, '0')).join(' '));

describe('connecting', () => {
  test('asks and moves nothing', () => {
    const { unit, exchanged, state } = relays();
    expect(unit.acquired.state).toEqual({ is: 'running' });
    expect(new Set(exchanged.map((e) => String.fromCharCode(...e.sent)))).toEqual(new Set(['ask//']));
    expect(state.relays).toBe(0);
    expect(unit.readings.every((r) => r.quality === 'good' && r.value === false)).toBe(true);
  });
});

describe('orders', () => {
  test('turn one relay and no other', () => {
    const { unit, state, now, sent } = relays();
    state.relays = 0b1010_0000_0000_0001;
    expect(unit.order('relay_9', true, { within: 1 })).toBe('done');
    expect(state.relays).toBe(0b1010_0000_1000_0001);
    expect(now('relay_9')).toMatchObject({ quality: 'good', value: true });
    expect(unit.order('relay_1', false, { within: 1 })).toBe('done');
    expect(state.relays).toBe(0b0010_0000_1000_0001);
    expect(now('relay_1')).toMatchObject({ value: false });
    expect(now('relay_3')).toMatchObject({ value: true });
    expect(now('relay_16')).toMatchObject({ value: true });
    expect(hex(sent()).filter((one) => !one.startsWith('61'))).toEqual(['78 a0 81 2f 2f', '78 20 81 2f 2f']);
  });

  test('every state can be read and turned, also those that look like text', () => {
    const { unit, state, now, clock } = relays();
    for (const word of [0x7801, 0x2f2f, 0x3031, 0x6f6e, 0x782f, 0xffff]) {
      state.relays = word;
      clock.advance(1.5);
      for (const n of [1, 2, 7, 8, 9, 16]) expect(now(`relay_${n}`)).toMatchObject({ value: ((word >> (16 - n)) & 1) === 1 });
      const was = (word >> 4) & 1;
      expect(unit.order('relay_12', was === 0, { within: 1 })).toBe('done');
      expect(state.relays).toBe(word ^ 0x10);
    }
  });

  test('the one state that cannot be told from the question is bad, never wrong', () => {
    const { unit, state, now, clock } = relays();
    state.relays = 0x6173;
    clock.advance(5);
    expect(now('relay_2')).toMatchObject({ quality: 'bad' });
    expect(unit.readings.filter((r) => r.quality !== 'bad' && r.value === true)).toEqual([]);
  });

  test('a board that does not repeat commands is as good', () => {
    const silent = relays({ echo: false });
    expect(silent.unit.order('relay_4', true)).toBe('done');
    expect(silent.now('relay_4')).toMatchObject({ value: true });
    const told = relays({}, { echo: false });
    expect(told.unit.order('relay_4', true, { within: 1 })).toBe('done');
    expect(told.now('relay_4')).toMatchObject({ value: true });
    expect(told.exchange.stats.timeouts).toBe(0);
  });

  test('fail where the board is not heard, and write nothing then', () => {
    const { unit, state, link, sent } = relays();
    link.plug(false);
    expect(unit.order('relay_4', true)).toBe('link down');
    expect(sent()).toEqual([]);
    expect(state.relays).toBe(0);
  });
});

describe('safe values', () => {
  test('are those that the rig names', () => {
    const { unit } = relays({}, { safe_off: [3], safe_on: [8, 9] });
    const safes = Object.entries(unit.acquired.commands).flatMap(([name, c]) => (c.safe === undefined ? [] : [[name, c.safe]]));
    expect(safes).toEqual([
      ['relay_3', false],
      ['relay_8', true],
      ['relay_9', true],
    ]);
  });

  test.each([
    { safe_off: [0] },
    { safe_off: [17] },
    { safe_on: 3 },
    { safe_on: ['3'] },
    { safe_off: [3], safe_on: [3] },
    { safe_off: [2, 2] },
    { echo: 1 },
  ])('%j is refused', (options) => {
    expect(board.options.parse(options)).toBeInstanceOf(Refused);
  });

  test('leave the others as they are', () => {
    const { unit, state, sent } = relays({}, { safe_off: [3], safe_on: [8] });
    state.relays = 0b0010_0000_1000_0000;
    sent();
    expect(unit.order('relay_3', false, { safe: true })).toBe('done');
    expect(state.relays).toBe(0b0000_0000_1000_0000);
    expect(unit.order('relay_8', true, { safe: true })).toBe('done');
    expect(state.relays).toBe(0b0000_0001_1000_0000);
  });

  test('hold against an order that had read the relays before', () => {
    const { unit, state, clock, exchange } = relays({}, { safe_off: [3] });
    state.relays = 0b0010_0000_0000_0000;
    const { relay_5, relay_3 } = unit.acquired.commands;
    // The order of relay 5 has read once when the safe order of relay 3 begins.
    let asked = 0;
    const seen = exchange.exchanged.subscribe((e) => {
      if (e.by !== 'order:relay_5' || ++asked !== 2) return;
      expect(unit.order('relay_3', relay_3.safe, { safe: true, within: 0 })).toBe('unfinished');
    });
    expect(relay_5.safe).toBeUndefined();
    unit.order('relay_5', true);
    seen.unsubscribe();
    clock.advance(5);
    expect(asked).toBeGreaterThanOrEqual(2);
    expect(state.relays & 0b0010_0000_0000_0000).toBe(0);
  });

  test('go out without the state where it cannot be read', () => {
    const { unit, state, sent } = relays({}, { safe_off: [2] });
    state.relays = 0x6173; // the one state that is not read
    sent();
    expect(unit.order('relay_2', false, { safe: true })).toBe('done');
    expect(state.relays).toBe(0x2173);
    expect(sent().at(-1)).toBe('02-//');
  });
});

describe('the world', () => {
  test('parts of the optics follow their relays', () => {
    const parts = { blocker: { relay: 3, kind: 'shutter', beams: ['up'] }, lamp: { relay: 16, kind: 'led', beams: [] } };
    const { unit, world } = relays({ parts });
    const through = (): number => world.optics.transmission('up', 700e-9);
    expect(through()).toBe(1);
    expect(unit.order('relay_3', true)).toBe('done');
    expect(through()).toBeCloseTo(0, 9);
    expect(world.optics.part('lamp', { kind: 'led', beams: [] }).in).toBe(0);
    expect(unit.order('relay_3', false)).toBe('done');
    expect(through()).toBeCloseTo(1, 9);
  });

  test.each([
    [{ a: { kind: 'shutter', beams: ['up'] } }, 'a needs a relay'],
    [{ a: { relay: 1, kind: 'door', beams: ['up'] } }, 'the kind of a'],
    [{ a: { relay: 1, kind: 'shutter', beams: ['left'] } }, 'the beams of a'],
    [{ a: { relay: 1, kind: 'shutter', beams: ['up'], color: 1 } }, '"color" of a'],
    [3, 'must be parts'],
  ])('%j is refused', (parts, why) => {
    expect(simulated.options.parse({ parts })).toMatchObject({ why: expect.stringContaining(why) });
  });
});

test('the simulator answers what others send, and lives through garbage', () => {
  const { all } = place(board, simulated, [{ name: 'x' }]);
  const device = all.device('y', simulated, {});
  const ask = (text: string): string => String.fromCharCode(...(device.ask('main', fromLatin1(text)) ?? []));
  expect(ask('x\x80\x01//')).toBe('x\x80\x01//');
  expect(ask('ask//')).toBe('\x80\x01');
  expect(ask('02+//')).toBe('02+//');
  expect(ask('16-//')).toBe('16-//');
  expect(ask('\xff\x00//x\x00ask//')).toBe('\xc0\x00');
  expect(ask('17+//33-//')).toBe('');
  expect(ask('on//')).toBe('on//');
  expect(ask('ask//')).toBe('\xff\xff');
  expect(ask('off//')).toBe('off//');
  expect(ask('ask//')).toBe('\x00\x00');
});
