import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import modbusIo from '../../drivers/modbus-io.ts';
import scpiGeneric from '../../drivers/scpi-generic.ts';
import type { ModbusTell } from '../../protocols/modbus.ts';
import simulated from '../../simulators/modbus-io.ts';
import scpiSimulated from '../../simulators/scpi-generic.ts';
import type { Catalogue } from '../../src/catalogue.ts';
import { Refused } from '../../src/instrument.ts';
import { faultyLink } from '../../src/links/faulty.ts';
import { loadRig, type Rig } from '../../src/rig.ts';
import { laboratory, rigOf } from '../laboratory.ts';
import { place } from './place.ts';

const known: Catalogue = { instruments: new Map([['modbus-io', modbusIo]]), simulators: new Map([['modbus-io', simulated]]) };
const TANK = {
  unit: 7,
  channels: {
    level: { input: 3, type: 'u16', scale: 0.01, unit: 'm', span: [0, 4] },
    pressure: { input: 4, type: 'f32', order: 'CDAB', unit: 'bar', span: [0, 10] },
    temperature: { input: 8, type: 's16', scale: 0.1, unit: '°C', span: [-40, 120], every: '2 s' },
    leak: { discrete: 0, kind: 'flag', invert: true },
    pump_fault: { input: 10, bit: 3 },
    valve_open: { coil: 2 },
    mode: { holding: 4, states: { 0: 'hold', 1: 'fill', 7: 'drain' } },
    flow_set: { holding: 10, type: 'u32', scale: 0.001, unit: '1/s' },
  },
  commands: {
    valve: { coil: 2, takes: 'flag', safe: 'off', readback: 'valve_open' },
    flow: { holding: 10, type: 'u32', scale: 0.001, unit: '1/s', limits: [0, 20], safe: 0, readback: 'flow_set' },
    mode: { holding: 4, states: { 0: 'hold', 1: 'fill', 7: 'drain' }, readback: { channel: 'mode', within: '5 s' } },
  },
};
const SIMULATE = { values: { level: 1.5, pressure: '3 bar', temperature: 25, leak: 'on', mode: 'fill' } };
type Given = Readonly<Record<string, unknown>>;
const bench = (options: Given = TANK, simulate: Given = SIMULATE) => {
  const all = place(modbusIo, simulated, [{ name: 'tank', options, simulate }], { baud: 9600, halfDuplex: true });
  all.clock.advance(4);
  const [unit] = all.units;
  return { ...all, unit, now: unit.acquired.latest };
};
const hex = (text: string): string =>
  Buffer.from(text, 'latin1')
    .toString('hex')
    .replace(/(..)(?=.)/g, '$1 ');
const why = (options: unknown): string => {
  const p = modbusIo.options.parse(options);
  return p instanceof Refused ? p.why : 'taken';
};
const one = (channel: Given): unknown => ({ channels: { level: channel } });
const two = (channel: Given, command: Given): unknown => ({ channels: { level: channel }, commands: { set: command } });

describe('readings', () => {
  test('are what the registers hold, in SI', () => {
    const { unit, now } = bench();
    expect(unit.acquired.state).toEqual({ is: 'running' });
    expect(unit.acquired.channels).toEqual({
      level: 'm',
      pressure: 'Pa',
      temperature: 'K',
      leak: 'flag',
      pump_fault: 'flag',
      valve_open: 'flag',
      mode: 'state',
      flow_set: '1/s',
    });
    const shown = Object.fromEntries(
      Object.keys(unit.acquired.channels).map((c) => {
        const r = now(c);
        return [c, r?.quality === 'good' ? r.value : r];
      }),
    );
    expect(shown).toEqual({
      level: 1.5,
      pressure: 3e5,
      temperature: expect.closeTo(298.15, 9),
      leak: true,
      pump_fault: false,
      valve_open: false,
      mode: 'fill',
      flow_set: 0,
    });
  });

  test('neighbours of one period are one question, gaps are not bridged', () => {
    const { clock, sent } = bench();
    sent(true);
    clock.advance(4);
    // Unit 7: coil 2; discrete 0; holding 4, and 10 to 11; input 3 to 5, 10, and 8 every 2 s.
    const asked = new Set(sent(true).map((bytes) => hex(bytes).slice(0, 17)));
    expect(asked).toEqual(
      new Set([
        '07 01 00 02 00 01',
        '07 02 00 00 00 01',
        '07 03 00 04 00 01',
        '07 03 00 0a 00 02',
        '07 04 00 03 00 03',
        '07 04 00 08 00 01',
        '07 04 00 0a 00 01',
      ]),
    );
    const bridged = bench(
      { ...TANK, bridge: 5, channels: { a: { input: 3, unit: 1 }, b: { input: 5, unit: 1 } }, commands: {} },
      { channels: { a: { input: 3, unit: 1 }, c: { input: 4, unit: 1 }, b: { input: 5, unit: 1 } } },
    );
    bridged.sent(true);
    bridged.clock.advance(4);
    expect(new Set(bridged.sent(true).map((bytes) => hex(bytes).slice(0, 17)))).toEqual(new Set(['07 04 00 03 00 03']));
    expect(bridged.now('b')).toMatchObject({ quality: 'good', value: 0 });
  });

  test('any registers decode as Node reads them', () => {
    const every = {
      a: { input: 0, type: 'f32', order: 'CDAB', unit: 1 },
      b: { input: 2, type: 's32', order: 'DCBA', scale: 0.01, offset: -5, unit: 'mbar' },
      c: { input: 4, type: 's16', unit: 1 },
    };
    const options = modbusIo.options.parse({ channels: every });
    if (options instanceof Refused) throw new Error(options.why);
    const [poll] = modbusIo.body(options, { unit: 1 }).polls ?? [];
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff), { minLength: 5, maxLength: 5 }), (values) => {
        const tell: ModbusTell = { unit: 1, function: 4, values };
        const wire = Buffer.alloc(10);
        for (const [i, v] of values.entries()) wire.writeUInt16BE(v, 2 * i);
        const float = Buffer.from([wire[2], wire[3], wire[0], wire[1]]).readFloatBE();
        const mbar = wire.readInt32LE(4) / 100 - 5;
        const got = poll.read(tell, { asked: 0, t: 0 });
        expect(got.a).toMatchObject(
          Number.isFinite(float) ? { value: float } : { quality: 'bad', why: expect.stringContaining('no number') },
        );
        expect(got.b).toMatchObject({ value: expect.closeTo(mbar * 100, 3) });
        expect(got.c).toMatchObject({ value: wire.readInt16BE(8) });
      }),
    );
  });

  test('an exception says which, to what, and turns no other question bad', () => {
    const { now } = bench(TANK, { ...SIMULATE, channels: { ...TANK.channels, level: { input: 99, unit: 'm' } } });
    expect(now('level')).toMatchObject({
      quality: 'bad',
      why: expect.stringMatching(/exception 2 \(illegal address: .*30004.*input 3\), asked for input 3 to 5$/),
    });
    expect(now('valve_open')).toMatchObject({ quality: 'good' });
  });

  test('what is outside of its span, or no word, is bad, and the line stays trusted', () => {
    const { now, unit, clock } = bench(TANK, {
      ...SIMULATE,
      values: { level: 9 },
      channels: { ...TANK.channels, mode: { holding: 4, states: { 3: 'fill' } } },
    });
    clock.advance(10);
    expect(now('level')).toMatchObject({ quality: 'bad', why: '9 m is outside of what is possible (0 m to 4 m)' });
    expect(now('mode')).toMatchObject({ quality: 'bad', why: '3 is none of 0 (hold), 1 (fill), 7 (drain)' });
    expect(unit.states.filter((s) => s.is === 'silent')).toEqual([]);
  });

  test('a whole number has the resolution of its scale, a floating one none', () => {
    const p = modbusIo.options.parse(TANK);
    if (p instanceof Refused) throw new Error(p.why);
    const resolution = Object.assign({}, ...(modbusIo.body(p, { unit: 7 }).polls ?? []).map((poll) => poll.resolution));
    expect(resolution).toEqual({ level: 0.01, temperature: 0.1, flow_set: 0.001 });
  });

  test('without channels there is one: how the unit answers', () => {
    const { now, unit } = bench({}, {});
    expect(unit.acquired.channels).toEqual({ answers: 'state' });
    expect(now('answers')).toMatchObject({ quality: 'good', value: 'well' });
    expect(bench({}, { diagnostics: 'refused' }).now('answers')).toMatchObject({ quality: 'good', value: 'by refusing' });
  });
});

describe('orders', () => {
  test('are literal bytes, of functions 5, 6 and 16, and are read back', () => {
    const { unit, sent, now, clock } = bench();
    sent();
    expect([unit.order('valve', true), unit.order('flow', 12.5), unit.order('mode', 'drain')]).toEqual(['done', 'done', 'done']);
    expect(sent().map((bytes) => hex(bytes).slice(0, -6))).toEqual([
      '07 05 00 02 ff 00',
      '07 10 00 0a 00 02 04 00 00 30 d4',
      '07 06 00 04 00 07',
    ]);
    clock.advance(3);
    expect([now('valve_open'), now('flow_set'), now('mode')]).toMatchObject([{ value: true }, { value: 12.5 }, { value: 'drain' }]);
    expect(unit.acquired.commands.flow).toMatchObject({
      takes: '1/s',
      limits: [0, 20],
      safe: 0,
      readback: { channel: 'flow_set', within: 3, by: expect.closeTo(0.0012, 9) },
    });
    expect(unit.acquired.commands.valve).toMatchObject({
      takes: 'flag',
      safe: false,
      readback: { channel: 'valve_open', within: 3, by: 0 },
    });
    expect(unit.acquired.commands.mode).toMatchObject({ takes: 'state', words: ['hold', 'fill', 'drain'], readback: { within: 5 } });
  });

  test('of one coil by 15 and one register by 16, where the rig says so, inverted, signed and in another byte order', () => {
    const commands = {
      valve: { coil: 2, function: 15, invert: true },
      flow: { holding: 10, function: 16, type: 's16', order: 'BA', scale: 0.1, unit: '°C', limits: ['-20 °C', 50] },
      set: { holding: 20, type: 'f32', order: 'CDAB', unit: 'bar' },
    };
    const { unit, sent } = bench({ unit: 7, commands }, {});
    sent();
    expect([unit.order('valve', true), unit.order('flow', 263.15), unit.order('set', 25e5)]).toEqual(['done', 'done', 'done']);
    expect(sent().map((bytes) => hex(bytes).slice(0, -6))).toEqual([
      '07 0f 00 02 00 01 01 00',
      '07 10 00 0a 00 01 02 9c ff',
      '07 10 00 14 00 02 04 00 00 41 c8',
    ]);
  });

  test('what does not fit is not sent, and what the unit refuses is said', () => {
    const commands = { flow: { holding: 10, scale: 0.1, unit: 'bar', limits: [0, 0.25] }, set: { holding: 20, type: 'f32', unit: 1 } };
    const { unit, sent } = bench({ commands }, { commands: { flow: commands.flow } });
    sent();
    expect(unit.order('flow', 1e9)).toMatch(/^1 GPa cannot be written: 0 Pa to 25 kPa can$/);
    expect(unit.order('flow', Number.NaN)).toBe('NaN is no number');
    expect(unit.order('set', Number.POSITIVE_INFINITY)).toBe('Infinity is no number');
    expect(sent()).toEqual([]);
    // 0.25 bar lies between 0.2 and 0.3: the number within the limits is taken.
    expect(unit.order('flow', 0.25e5)).toBe('done');
    expect(hex(sent()[0] ?? '').slice(0, 17)).toBe('01 06 00 0a 00 02');
    expect(unit.order('set', 1)).toMatch(/^the unit refuses: exception 2 \(illegal address/);
  });

  test('no value is written that is beyond the limits', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -50, max: 50, noNaN: true }),
        fc.double({ min: -50, max: 50, noNaN: true }),
        fc.constantFrom(1, 0.1, -0.5, 7),
        fc.double({ noNaN: true, min: -60, max: 60 }),
        (a, b, scale, value) => {
          const limits = [Math.min(a, b), Math.max(a, b)];
          const p = modbusIo.options.parse({ commands: { set: { holding: 0, type: 's32', scale, unit: 1, limits } } });
          if (p instanceof Refused) return;
          const talk = modbusIo.body(p, { unit: 1 }).commands?.set.talk(
            {
              main: {
                // biome-ignore lint/correctness/useYield: answers at once
                *exchange(q: unknown) {
                  written.push(q);
                  return { unit: 1, function: 16, address: 0, count: 2 } as const;
                },
                *send() {},
              },
            } as never,
            value,
            0,
            {} as never,
          ); // only writes
          const written: unknown[] = [];
          try {
            talk?.next();
          } catch {
            expect(written).toEqual([]);
          }
          for (const q of written as { values: readonly number[] }[]) {
            const wire = Buffer.alloc(4);
            wire.writeUInt16BE(q.values[0], 0);
            wire.writeUInt16BE(q.values[1], 2);
            const si = wire.readInt32BE() * scale;
            expect(si).toBeGreaterThanOrEqual(limits[0] - 1e-6);
            expect(si).toBeLessThanOrEqual(limits[1] + 1e-6);
          }
        },
      ),
    );
  });
});

describe('proof and identity', () => {
  test('the echo of function 8 has a fresh number, and a unit that refuses it is taken, too', () => {
    for (const diagnostics of ['echo', 'refused']) {
      const { unit, exchanged } = bench(TANK, { ...SIMULATE, diagnostics });
      expect(unit.acquired.state).toEqual({ is: 'running' });
      expect(exchanged.filter((e) => e.sent[1] === 8).length).toBeGreaterThan(0);
    }
    expect(bench(TANK, { ...SIMULATE, diagnostics: 'silent' }).unit.acquired.state).toMatchObject({ is: 'silent' });
  });

  test('a read of another length proves a unit that is silent for function 8', () => {
    const proof = { holding: 4, count: 3 };
    const extra = { x: { holding: 5, type: 'u32', unit: 1 } };
    const { unit } = bench({ ...TANK, proof }, { ...SIMULATE, diagnostics: 'silent', channels: { ...TANK.channels, ...extra } });
    expect(unit.acquired.state).toEqual({ is: 'running' });
    expect(why({ ...TANK, proof: { holding: 0, count: 2 } })).toBe(
      'proof: the reply for holding 10 to 11 is as long: another count is needed',
    );
    expect(why({ ...TANK, proof: { coil: 0, count: 8 } })).toMatch(/the reply for coil 2 is as long/);
    expect(why({ ...TANK, proof: { coil: 0, count: 9 } })).toBe('taken');
  });

  test('a gateway that has no way to the unit proves nothing', () => {
    const proof = modbusIo.proof({
      unit: 1,
      framing: 'tcp',
      bridge: 0,
      channels: [],
      commands: [],
      identify: undefined,
      proof: undefined,
    }).main;
    expect(proof?.is({ unit: 1, function: 8, exception: 11 }, 3)).toBe(false);
    expect(proof?.is({ unit: 1, function: 8, exception: 1 }, 3)).toBe(true);
    expect(proof?.is({ unit: 1, function: 8, sub: 0, data: [3] }, 3)).toBe(true);
    expect(proof?.is({ unit: 1, function: 8, sub: 0, data: [2] }, 3)).toBe(false);
    expect(proof?.is({ unit: 1, function: 3, values: [3] }, 3)).toBe(false);
  });

  test('another unit than the rig means is refused', () => {
    const identify = { holding: 0, is: 1234 };
    expect(bench({ ...TANK, identify }).unit.acquired.state).toEqual({ is: 'running' });
    expect(bench({ ...TANK, identify }, { ...SIMULATE, identify: { holding: 0, is: 17 } }).unit.acquired.state).toEqual({
      is: 'refused',
      why: 'holding 0 is 17, not 1234: another unit',
    });
    expect(bench({ ...TANK, identify }, { ...SIMULATE, identify: { input: 0, is: 17 } }).unit.acquired.state).toMatchObject({
      is: 'refused',
      why: expect.stringContaining('exception 2'),
    });
  });

  test('nothing is written on connecting', () => {
    const { clock, exchanged } = bench();
    clock.advance(60);
    expect(exchanged.filter((e) => ![1, 2, 3, 4, 8].includes(e.sent[1]))).toEqual([]);
  });
});

describe.each(['rtu', 'tcp'])('on a bad day, %s', (framing) => {
  test('no reading is ever another register', () => {
    const channels = Object.fromEntries([100, 200, 300, 400].map((n, i) => [`c${n}`, { input: 10 * i, unit: 1, every: 0.2 + 0.1 * i }]));
    const values = Object.fromEntries(Object.keys(channels).map((c) => [c, Number(c.slice(1))]));
    const rig: Rig = rigOf('modbus-io', known, { options: { framing, channels }, simulate: { values } });
    const lab = laboratory(rig, known, {
      wrap: (link, wire, clock) =>
        faultyLink(link, clock, {
          seed: 5,
          name: wire.key,
          drop: 0.05,
          delay: 0.1,
          longest: 2,
          garble: framing === 'rtu' ? 0.02 : 0,
          cut: 0.02,
        }),
    });
    lab.clock.advance(600);
    const good = lab.readings().filter((r) => r.quality === 'good');
    expect(good.length).toBeGreaterThan(500);
    expect(good.filter((r) => r.quality !== 'bad' && r.value !== Number(r.from.split('.c')[1]))).toEqual([]);
  });
});

describe('what is wrong in the rig is said, where, and what would be right', () => {
  test.each([
    [{ unit: 0 }, /^unit: must be from 1 to 247 on a serial line/],
    [{ unit: 0, framing: 'tcp' }, /^taken$/],
    [{ channels: [] }, /^channels: must be written as "level: .*not a list/],
    [{ channels: { 'a b': {} } }, /^channels: "a b" is no name/],
    [one({}), /^channels: level: needs its address: one of "input: 0"/],
    [one({ input: 1, holding: 2, unit: 1 }), /^channels: level: has both input and holding/],
    [one({ input: 1, scael: 2 }), /^channels: level: there is no "scael" here; did you mean "scale"\?/],
    [one({ inptu: 1 }), /^channels: level: there is no "inptu" here; did you mean "input"\?/],
    [one({ input: 65536, unit: 1 }), /^channels: level: input: must be a whole number from 0 to 65535, not 65536/],
    [one({ input: 65535, type: 'f32', unit: 1 }), /from 0 to 65534/],
    [one({ input: 1 }), /^channels: level: unit: is needed: a unit such as "bar"/],
    [one({ input: 1, unit: 'barr' }), /^channels: level: unit: the unit "barr" is not known/],
    [one({ input: 1, unit: 'm', type: 'u61' }), /^channels: level: type: "u61" is none of u16, s16, u32, s32, f32; did you mean "u16"\?/],
    [one({ input: 1, unit: 'm', type: 'u32', order: 'CDBA' }), /^channels: level: order: "CDBA" is none of ABCD, CDAB, BADC, DCBA/],
    [one({ input: 1, unit: 'm', order: 'CDAB' }), /order: "CDAB" is none of AB, BA/],
    [one({ input: 1, unit: 'm', scale: 0 }), /^channels: level: scale: must not be 0/],
    [one({ input: 1, unit: 'm', span: [0, '2 bar'] }), /^channels: level: span: the text "2 bar" is in Pa, not in m/],
    [one({ input: 1, unit: 'm', span: [2, 0] }), /^channels: level: span: must rise, from 2 up/],
    [one({ input: 1, unit: 'm', span: [0, '200 cm'] }), /^taken$/],
    [one({ input: 1, unit: 'm', every: '2 m' }), /^channels: level: every: must be a time such as "500 ms"/],
    [one({ coil: 1, scale: 2 }), /^channels: level: there is no "scale" here/],
    [one({ coil: 1, kind: 'number' }), /^channels: level: kind: a coil is a flag/],
    [one({ input: 1, states: {} }), /^channels: level: states: must be written as "\{ 0: closed, 1: open \}"/],
    [one({ input: 1, states: { open: 1 } }), /^channels: level: states: "open" is no whole number from 0 to 65535/],
    [one({ coil: 1, states: { 2: 'open' } }), /"2" is no whole number from 0 to 1/],
    [one({ input: 1, states: { 0: true } }), /^channels: level: states: 0: must be a word/],
    [one({ input: 1, bit: 16 }), /^channels: level: bit: must be a whole number from 0 to 15/],
    [one({ input: 1, bit: 1, unit: 'm' }), /^channels: level: unit: has no meaning for a flag/],
    [one({ input: 1, type: 'f32', unit: '°C', example: { words: [16840, 0], is: '25 °C' } }), /^taken$/],
    [
      one({ input: 1, type: 'f32', order: 'CDAB', unit: '°C', example: { words: [16840, 0], is: '25 °C' } }),
      /^channels: level: example: is: these words read as 273.15 K/,
    ],
    [
      one({ input: 1, type: 'f32', order: 'CDAB', unit: 'bar', example: { words: [0, 16457], is: 3.2 } }),
      /^channels: level: example: is: these words read as 314.06\d kPa/,
    ],
    [{ identify: Number.NaN }, /^identify: must be written as .*, not a number without end/],
    [
      one({ input: 1, states: { 0: 'hold', 4: 'fill' }, example: { words: 4, is: 'hold' } }),
      /^channels: level: example: is: these words read as fill/,
    ],
    [
      one({ input: 1, unit: 'm', example: { words: [1, 2], is: 1 } }),
      /^channels: level: example: words: must be a whole number from 0 to 65535/,
    ],
    [two({ coil: 1 }, { coil: 1, safe: 'off' }), /^commands: set: readback: is needed beside "safe"/],
    [two({ coil: 1 }, { coil: 1, readback: 'levle' }), /^commands: set: readback: "levle" is none of level; did you mean "level"\?/],
    [
      two({ coil: 1 }, { holding: 1, unit: 'm', readback: 'level' }),
      /^commands: set: readback: "level" shows a flag, and the command sets a m/,
    ],
    [two({ coil: 1 }, { coil: 1, limits: [0, 1] }), /^commands: set: there is no "limits" here/],
    [two({ coil: 1 }, { coil: 1, readback: { channel: 'level', by: 1 } }), /^commands: set: readback: by: has no meaning for a flag/],
    [two({ coil: 1 }, { input: 1 }), /^commands: set: there is no "input" here/],
    [
      two({ coil: 1 }, { holding: 1, unit: 'bar', scale: 0.01, limits: [0, 700] }),
      /^commands: set: limits: the registers hold 0 Pa to 65.535 MPa at this scale/,
    ],
    [
      two({ input: 1, unit: 'bar' }, { holding: 1, unit: 'bar', limits: [0, 6], safe: 7, readback: 'level' }),
      /^commands: set: safe: is outside of the limits/,
    ],
    [two({ coil: 1 }, { holding: 1, type: 'f32', unit: 1, function: 6 }), /^commands: set: function: must be 16 here/],
    [two({ coil: 1 }, { coil: 1, function: 6 }), /^commands: set: function: must be 5 or 15 here/],
    [
      two({ input: 1, states: { 0: 'a' } }, { holding: 1, states: { 0: 'a', 1: 'b' }, readback: 'level' }),
      /^commands: set: readback: "level" never shows "b": it knows a/,
    ],
    [two({ coil: 1 }, { holding: 1, states: { 0: 'a', 1: 'a' } }), /^commands: set: states: has one word twice/],
    [{ identify: { holding: 1 } }, /^identify: is: must be a whole number/],
    [{ proof: 'ehco' }, /^proof: must be written as "echo" or/],
  ])('%j', (options, message) => {
    expect(why(options)).toMatch(message);
  });

  test('with line and column, and a right rig shows what it has', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'modbus-io-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const rig = async (level: string) => {
      const text = `rig: tank\ninstruments:\n  tank:\n    model: modbus-io\n    link: tcp:10.0.0.5:502\n    options:\n      framing: tcp\n      channels:\n        level: ${level}\n        open: { coil: 2 }\n      commands:\n        valve: { coil: 2, safe: off, readback: open }\n    leases: { valve: unused }\n`;
      writeFileSync(join(folder, 'rig.yaml'), text);
      const loaded = await loadRig(folder, known, new Map());
      return loaded.ok ? loaded.warnings : loaded.messages;
    };
    expect(await rig('{ input: 3, scale: 0.01, unit: m }')).toEqual([]);
    expect(await rig('{ input: 3, scale: x, unit: m }')).toMatchObject([
      { line: 9, column: 35, text: 'modbus-io: channels: level: scale: must be a number, not the text "x"' },
    ]);
  });
});

describe('whatever stands in the options', () => {
  const leaf = fc.oneof(
    fc.string(),
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.constantFrom('on', 'off', 'm', '°C', 'f32', 'CDAB', 'level', '2 s', 0, 1, 3),
  );
  const key = fc.constantFrom(
    'input',
    'holding',
    'coil',
    'discrete',
    'type',
    'order',
    'unit',
    'scale',
    'offset',
    'span',
    'states',
    'bit',
    'kind',
    'invert',
    'every',
    'example',
    'takes',
    'limits',
    'safe',
    'readback',
    'about',
    'function',
    'words',
    'is',
    'by',
    'within',
    'channel',
    '0',
    '1',
    '__proto__',
  );
  const group = (inner: fc.Arbitrary<unknown>) => fc.dictionary(key, inner, { maxKeys: 6 });
  const entry = group(fc.oneof(leaf, fc.array(leaf, { maxLength: 3 }), group(leaf)));
  const named = fc.oneof(
    leaf,
    fc.dictionary(fc.constantFrom('level', 'valve', 'a b', 'constructor'), fc.oneof(entry, leaf), { maxKeys: 3 }),
  );
  const options = fc.record(
    { unit: fc.constantFrom(1, 0, 'x'), channels: named, commands: named, proof: fc.oneof(leaf, entry), identify: fc.oneof(leaf, entry) },
    { requiredKeys: [] },
  );

  test('it is taken or refused with a sentence, and what is taken can be run', () => {
    let taken = 0;
    fc.assert(
      fc.property(
        fc.oneof(
          options,
          fc.anything().filter((yaml) => !Array.isArray(yaml)),
        ),
        (yaml) => {
          const p = modbusIo.options.parse(yaml);
          if (p instanceof Refused) {
            expect(p.why).not.toMatch(/undefined|NaN|\[object|TypeError/);
            return;
          }
          taken++;
          modbusIo.links(p);
          for (const poll of modbusIo.body(p, { unit: p.unit }).polls ?? []) poll.read(poll.example[0], { asked: 0, t: 0 });
          const own = simulated.options.parse(yaml);
          expect(own instanceof Refused ? own.why : '').toBe('');
          simulated.state(own as never, 'x'); // it has parsed them
        },
      ),
      { numRuns: 2000 },
    );
    expect(taken).toBeGreaterThan(10);
  });
});

describe.each(['modbus-io', 'scpi-generic'])('the %s of docs/rigs.md', (model) => {
  test('is right, and runs on its simulator', async () => {
    const page = readFileSync(resolve(import.meta.dirname, '../../docs/rigs.md'), 'utf8');
    const found = [...page.matchAll(/^```yaml\n(\w+:\n {2}model: ([\w-]+)\n.*?)^```$/gms)].find(([, , one]) => one === model)?.[1] ?? '';
    const folder = mkdtempSync(join(tmpdir(), 'declared-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const indented = found.replace(/^(?=.)/gm, '  ').replaceAll(/then: safe \}/g, 'then: safe, interlock: none }');
    writeFileSync(join(folder, 'rig.yaml'), `rig: declared\ninstruments:\n${indented}`);
    const all = {
      instruments: new Map([...known.instruments, ['scpi-generic', scpiGeneric]]),
      simulators: new Map([...known.simulators, ['scpi-generic', scpiSimulated]]),
    };
    const loaded = await loadRig(folder, all, new Map());
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.messages));
    expect(loaded.warnings).toEqual([]);
    const lab = laboratory(loaded.rig, all);
    lab.clock.advance(20);
    const [name] = loaded.rig.instruments.map((i) => i.name);
    const channels = Object.keys(lab.host.acquired.get(name)?.channels ?? {});
    expect(channels.length).toBeGreaterThan(3);
    for (const channel of channels) expect([channel, lab.readings(`${name}.${channel}`).at(-1)?.quality]).toEqual([channel, 'good']);
  });
});
