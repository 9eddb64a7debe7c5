import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import generic from '../../drivers/scpi-generic.ts';
import simulated from '../../simulators/scpi-generic.ts';
import type { Catalogue } from '../../src/catalogue.ts';
import { Refused } from '../../src/instrument.ts';
import { faultyLink } from '../../src/links/faulty.ts';
import { loadRig } from '../../src/rig.ts';
import { laboratory, rigOf } from '../laboratory.ts';
import { place } from './place.ts';

const known: Catalogue = { instruments: new Map([['scpi-generic', generic]]), simulators: new Map([['scpi-generic', simulated]]) };
type Given = Readonly<Record<string, unknown>>;
const METER = {
  identify: { ask: '*IDN?', is: 'ACME,N1' },
  channels: {
    voltage: {
      ask: 'READ?',
      field: 1,
      unit: 'mV',
      every: 0.5,
      span: [-100, 100],
      example: '+1.25E+00VDC,+22.0,3',
      suffix: 'VDC',
      means: '1.25 mV',
    },
    inside: { ask: 'READ?', field: 2, every: '500 ms', unit: '°C' },
    state: { ask: 'READ?', field: 3, every: 0.5, words: { 0: 'idle', 3: 'busy' } },
    range: { ask: 'RANGE?', unit: 'V', example: '1.000E-01', absent: ['AUTO'] },
    output: { ask: 'OUTP?', kind: 'flag', example: '0' },
    mode: { ask: 'MODE?', words: ['MAX', 'LIN'], example: 'MAX' },
  },
  commands: {
    range: { send: 'RANGE {value}', takes: 'V', limits: [0, 100], readback: 'range' },
    output: { send: 'OUTP {value}', takes: 'flag', safe: 'off', readback: 'output', about: 'the output' },
    mode: { send: 'MODE {value}', words: ['MAX', 'LIN'], readback: { channel: 'mode', within: '5 s' } },
    reset: { send: 'TRAC:CLE' },
  },
  errors: 'SYST:ERR?',
};
const bench = (options: Given = METER, simulate: Given = {}) => {
  const all = place(generic, simulated, [{ name: 'meter', options, simulate }]);
  all.clock.advance(4);
  const [unit] = all.units;
  return { ...all, unit, now: unit.acquired.latest, state: unit.state as ReturnType<typeof simulated.state> };
};
const shown = (unit: ReturnType<typeof bench>['unit']) =>
  Object.fromEntries(
    Object.keys(unit.acquired.channels).map((c) => {
      const r = unit.acquired.latest(c);
      return [c, r?.quality === 'bad' ? r.why : r?.value];
    }),
  );
const why = (options: unknown): string => {
  const p = generic.options.parse(options);
  return p instanceof Refused ? p.why : 'taken';
};
const one = (channel: Given): unknown => ({ channels: { voltage: channel } });
const two = (command: Given, channel: Given = { ask: 'READ?', unit: 'V', example: '1' }): unknown => ({
  channels: { voltage: channel },
  commands: { set: command },
});
const V = { ask: 'READ?', unit: 'V', example: '1.5' };

describe('readings', () => {
  test('are what the text says, in SI', () => {
    const { unit } = bench();
    expect(unit.acquired.state).toEqual({ is: 'running' });
    expect(unit.acquired.channels).toEqual({
      voltage: 'V',
      inside: 'K',
      state: 'state',
      range: 'V',
      output: 'flag',
      mode: 'state',
      error: 'state',
    });
    expect(shown(unit)).toEqual({ voltage: 1.25e-3, inside: 295.15, state: 'busy', range: 0.1, output: false, mode: 'MAX', error: 'none' });
  });

  test('channels of one question are one poll', () => {
    const { clock, sent } = bench();
    sent(true);
    clock.advance(2);
    const asked = sent(true);
    expect(asked.filter((s) => s === 'READ?\n').length).toBe(4);
    expect(new Set(asked)).toEqual(new Set(['READ?\n', 'RANGE?\n', 'OUTP?\n', 'MODE?\n', 'SYST:ERR?\n']));
  });

  const read = (channel: Given, reply: string) => {
    const p = generic.options.parse(one(channel));
    if (p instanceof Refused) throw new Error(p.why);
    return generic.body(p, { name: '' }).polls?.[0].read(reply, { asked: 0, t: 0 }).voltage;
  };
  test('any number is read as the language of this program writes it', () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.constantFrom(1, 0.001, -2),
        fc.constantFrom(0, 5),
        (n, scale, offset) => {
          fc.pre(![9.9e37, 9.91e37].includes(Math.abs(n)) && Math.abs(n * scale) < 1e300);
          const got = read({ ...V, scale, offset }, String(n)) as { value: number };
          const want = n * scale + offset;
          expect(Math.abs(got.value - want)).toBeLessThanOrEqual(1e-15 * Math.abs(want));
        },
      ),
    );
  });
  test('what is no number says what was said and what would be right', () => {
    for (const text of ['', 'abc', '1.5 V', '1,5', '0x10', 'NaN', '--1'])
      expect(() => read(V, text)).toThrow(`"${text}" is no number, such as "+1.25E-06"`);
    expect(() => read({ ...V, field: 2, example: '1,2' }, '1')).toThrow('"1" has 1 fields with "," between them, and field 2 is wanted');
    expect(() => read({ ...V, prefix: 'V ', example: 'V 2' }, 'A 1')).toThrow('"A 1" does not begin with "V "');
    expect(() => read({ ...V, suffix: 'VDC', example: '2VDC' }, '1VAC')).toThrow('"1VAC" does not end with "VDC"');
  });
  test('what means no value is bad, and the line stays trusted', () => {
    for (const text of ['+9.9E37', '9.90000E+37', '-9.900000E+37', '9.91E37', 'OVLD'])
      expect(read({ ...V, absent: ['OVLD'] }, text)).toMatchObject({ quality: 'bad', why: expect.stringContaining(text) });
    expect(read({ ...V, unit: undefined, example: '0', kind: 'flag' }, '7')).toMatchObject({ why: '"7" is neither "1" nor "0"' });
    expect(read({ ask: 'A?', words: { 0: 'idle' }, example: '0' }, '7')).toMatchObject({ why: '"7" is none of "0" (idle)' });
  });

  test('a reply that does not parse is bad and makes the line distrusted', () => {
    const { unit, state, clock, sent } = bench();
    Object.assign(state.options, { channels: state.options.channels?.map((c) => (c.name === 'range' ? { ...c, example: 'hello' } : c)) });
    sent(true);
    clock.advance(1.5);
    expect(unit.acquired.latest('range')).toMatchObject({ quality: 'bad', why: '"hello" is no number, such as "+1.25E-06"' });
    expect(sent(true)).toContain('*IDN?\n');
  });

  test('without channels there is one: who answers', () => {
    const { unit } = bench({}, { says: 'KEYSIGHT,34420A,0,11-5-2' });
    expect(shown(unit)).toEqual({ identity: 'KEYSIGHT,34420A,0,11-5-2' });
  });
});

describe('identity', () => {
  test('another instrument is refused by its own name', () => {
    expect(bench(METER, { says: 'ACME,N2,7,1.0' }).unit.acquired.state).toEqual({
      is: 'refused',
      why: '"ACME,N2,7,1.0" does not begin with "ACME,N1"',
    });
    expect(bench({ ...METER, identify: { ask: 'ID?', is: 'N1' } }).unit.acquired.state).toEqual({ is: 'running' });
  });
  test('nothing but questions is sent on connecting', () => {
    const { clock, sent } = bench();
    clock.advance(60);
    expect(new Set(sent(true).map((s) => /\?\n$/.test(s)))).toEqual(new Set([true]));
  });
  test.each(['LF', 'CR', 'CRLF'])('lines end with %s', (terminator) => {
    const end = { LF: '\n', CR: '\r', CRLF: '\r\n' }[terminator];
    const { unit, sent } = bench({ ...METER, terminator });
    expect(unit.acquired.state).toEqual({ is: 'running' });
    expect(sent(true)[0]).toBe(`*IDN?${end}`);
  });
});

describe('orders', () => {
  test('are literal bytes, confirmed by the error queue and read back', () => {
    const { unit, sent, clock } = bench();
    sent();
    expect([unit.order('range', 0.25), unit.order('output', true), unit.order('mode', 'LIN'), unit.order('reset')]).toEqual([
      'done',
      'done',
      'done',
      'done',
    ]);
    expect(sent().filter((s) => s !== 'SYST:ERR?\n')).toEqual(['RANGE 0.25\n', 'OUTP 1\n', 'MODE LIN\n', 'TRAC:CLE\n']);
    clock.advance(2);
    expect(shown(unit)).toMatchObject({ range: 0.25, output: true, mode: 'LIN' });
    expect(unit.acquired.commands.range).toMatchObject({ takes: 'V', limits: [0, 100], readback: { channel: 'range', within: 3 } });
    expect(unit.acquired.commands.output).toMatchObject({ takes: 'flag', safe: false, about: 'the output' });
  });

  test('the safe value is the first and only message', () => {
    const { unit, sent } = bench();
    unit.order('output', true);
    sent();
    expect(unit.order('output', false, { safe: true })).toBe('done');
    expect(sent()).toEqual(['OUTP 0\n']);
  });

  test('what the instrument does not take is said in its own words; an error from before is not blamed on the order', () => {
    const { unit, state, readings } = (() => {
      const b = bench();
      return { ...b, readings: b.unit.readings };
    })();
    state.queue.push('-350,"Queue overflow"');
    expect(unit.order('range', 1)).toBe('done');
    Object.assign(state.options, { commands: state.options.commands?.map((c) => ({ ...c, limits: [0, 0.5] })) });
    expect(unit.order('range', 2)).toBe('the instrument says -222 Data out of range, after "RANGE 2"');
    Object.assign(state.options, { commands: [] });
    expect(unit.order('mode', 'MAX')).toBe('the instrument says -113 Undefined header, after "MODE MAX"');
    state.queue.push('-113,"Undefined header"', '200,"It\'s hot"');
    unit.order('reset', undefined, { within: 0 });
    expect(readings.filter((r) => r.from === 'meter.error').every((r) => r.quality === 'good')).toBe(true);
  });

  test('what is in the queue by itself is a reading', () => {
    const { clock, now, state } = bench();
    state.queue.push('-113,"Undefined header"', '200,"Too hot"');
    clock.advance(2);
    expect(now('error')).toMatchObject({ value: '-113 Undefined header; 200 Too hot' });
    clock.advance(2);
    expect(now('error')).toMatchObject({ value: 'none' });
  });

  test('numbers have the decimals of the rig, and rounding carries none beyond its limits', () => {
    const commands = { set: { send: 'TEMP {value},1', takes: '°C', limits: [0, 99.94], decimals: 1, scale: 0.5 } };
    const { unit, sent } = bench({ commands });
    sent();
    expect(unit.order('set', 273.15 + 12.34)).toBe('done');
    expect(sent()).toEqual(['TEMP 24.7,1\n']);
    expect(unit.order('set', 273.15 - 0.001)).toMatch(/would be sent as 0.0, which is outside/);
    expect(unit.order('set', Number.NaN)).toBe('NaN is no number');
    fc.assert(
      fc.property(
        fc.double({ min: -1e6, max: 1e6, noNaN: true }),
        fc.double({ min: -1e6, max: 1e6, noNaN: true }),
        fc.double({ min: -2e6, max: 2e6, noNaN: true }),
        fc.option(fc.nat(6), { nil: undefined }),
        (a, b, value, decimals) => {
          const [lo, hi] = [Math.min(a, b), Math.max(a, b)];
          const p = generic.options.parse({
            commands: { set: { send: 'S {value}', takes: 'V', limits: [lo, hi], ...(decimals === undefined ? {} : { decimals }) } },
          });
          if (p instanceof Refused) return;
          const lines: string[] = [];
          const main = {
            // biome-ignore lint/correctness/useYield: sent at once
            *send(line: string) {
              lines.push(line);
            },
          };
          try {
            generic
              .body(p, { name: '' })
              .commands?.set.talk({ main } as never, value, 0, {} as never)
              .next(); // it only sends
          } catch {
            expect(lines).toEqual([]);
          }
          for (const line of lines) {
            const n = Number(line.slice(2));
            const slack = 1e-6 * Math.max(Math.abs(lo), Math.abs(hi));
            expect(n).toBeGreaterThanOrEqual(lo - slack);
            expect(n).toBeLessThanOrEqual(hi + slack);
            expect(Math.abs(n - value)).toBeLessThanOrEqual(decimals === undefined ? 1e-6 * Math.abs(value) : 0.51 * 10 ** -decimals);
          }
        },
      ),
    );
  });
});

test('on a bad day no reading is ever another question', () => {
  const channels = Object.fromEntries(
    [100, 200, 300, 400].map((n, i) => [`c${n}`, { ask: `C${n}?`, unit: 1, every: 0.2 + 0.1 * i, example: String(n) }]),
  );
  const rig = rigOf('scpi-generic', known, { options: { channels }, simulate: {} });
  const lab = laboratory(rig, known, {
    wrap: (link, wire, clock) => faultyLink(link, clock, { seed: 5, name: wire.key, drop: 0.05, delay: 0.1, longest: 3, echo: 0.03 }),
  });
  lab.clock.advance(600);
  const good = lab.readings().filter((r) => r.quality === 'good');
  expect(good.length).toBeGreaterThan(500);
  expect(good.filter((r) => r.quality !== 'bad' && r.value !== Number(r.from.split('.c')[1]))).toEqual([]);
});

describe('what is wrong in the rig is said, where, and what would be right', () => {
  test.each([
    [METER, /^taken$/],
    [{ identify: { is: 'ACME,N1' } }, /^taken$/],
    [
      { identify: { ask: '*RST', is: 'A' } },
      /^identify: ask: "\*RST" is no question: what is asked ends its header with "\?", such as "\*IDN\?"/,
    ],
    [{ identify: { ask: '*IDN?' } }, /^identify: is: must be text such as "ACME,N1", not nothing/],
    [{ identify: { asks: 'x' } }, /^identify: there is no "asks" here; did you mean "ask"\?/],
    [{ errors: 'SYST:ERR' }, /^errors: "SYST:ERR" is no question/],
    [one({ ...V, ask: 'OUTP ON' }), /^channels: voltage: ask: "OUTP ON" is no question/],
    [one({ ...V, ask: 'A?;OUTP ON' }), /is no question/],
    [one({ ...V, ask: 'A?\nB' }), /^channels: voltage: ask: must be of printable ASCII/],
    [one({ ...V, ask: undefined }), /^channels: voltage: ask: must be text such as "READ\?", not nothing/],
    [one({ ...V, unti: 'V' }), /^channels: voltage: there is no "unti" here; did you mean "unit"\?/],
    [one({ ...V, unit: 'volt' }), /^channels: voltage: unit: the unit "volt" is not known/],
    [one({ ...V, unit: undefined }), /^channels: voltage: unit: is needed/],
    [one({ ...V, example: undefined }), /^channels: voltage: example: is needed: a reply to READ\? as the manual prints it/],
    [one({ ...V, example: 1.5 }), /^channels: voltage: example: must be text such as '\+1.25E-06', not 1.5/],
    [one({ ...V, example: '1.5 V' }), /^channels: voltage: example: "1.5 V" is no number, such as/],
    [one({ ...V, span: [0, 1] }), /^channels: voltage: example: 1.5 V is outside of its span/],
    [one({ ...V, means: '1.5 mV' }), /^channels: voltage: means: "1.5" reads as 1.5 V/],
    [one({ ...V, means: '1500 mV' }), /^taken$/],
    [one({ ...V, field: 2 }), /^channels: voltage: example: "1.5" has 1 fields/],
    [one({ ...V, words: { 1: 'a' } }), /^channels: voltage: unit: has no meaning for a state/],
    [one({ ask: 'A?', words: { 1: true }, example: '1' }), /^channels: voltage: words: 1: must be a word/],
    [one({ ask: 'A?', words: {}, example: '1' }), /^channels: voltage: words: must be written as/],
    [one({ ask: 'A?', words: { 1: 'a' }, example: '2' }), /^channels: voltage: example: "2" is none of "1" \(a\)/],
    [
      one({ ask: 'A?', kind: 'state', example: 'ACME,N1,1,1' }),
      /^channels: voltage: example: "ACME,N1,1,1" could be the answer to \*IDN\?/,
    ],
    [{ channels: { error: V }, errors: 'SYST:ERR?' }, /^channels: error: is the name of the channel that "errors" gives/],
    [one({ ...V, ask: '*IDN?' }), /^channels: voltage: ask: \*IDN\? is the identify question/],
    [two({ send: 'SET', takes: 'V', limits: [0, 1] }), /^commands: set: send: must have \{value\} once/],
    [two({ send: 'SET {value}' }), /^commands: set: takes: is needed/],
    [two({ send: 'SET {valeu}', takes: 'nothing' }), /^commands: set: send: may have \{value\} in braces and nothing else/],
    [two({ send: 'SET {value}', takes: 'nothing' }), /^commands: set: send: has a \{value\}, and the command takes nothing/],
    [two({ send: 'SET {value}', takes: 'V' }), /^commands: set: limits: must be two quantities such as \[0 V, 10 V\]/],
    [two({ send: 'SET {value}', takes: 'V', limits: [0, '1 A'] }), /^commands: set: limits: the text "1 A" is in A, not in V/],
    [two({ send: 'SET {value}', takes: 'V', limits: [0, 1], safe: 0 }), /^commands: set: readback: is needed beside "safe"/],
    [
      two({ send: 'SET {value}', takes: 'V', limits: [0, 1], safe: 2, readback: 'voltage' }),
      /^commands: set: safe: is outside of the limits/,
    ],
    [
      two({ send: 'SET {value}', takes: 'V', limits: [0, 1], readback: 'votlage' }),
      /^commands: set: readback: "votlage" is none of voltage; did you mean "voltage"\?/,
    ],
    [
      two({ send: 'SET {value}', takes: 'A', limits: [0, 1], readback: 'voltage' }),
      /^commands: set: readback: "voltage" shows a V, and the command sets a A/,
    ],
    [two({ send: 'SET {value}', takes: 'flag', limits: [0, 1] }), /^commands: set: limits: has no meaning where a command takes flag/],
    [two({ send: 'SET {value}', words: { 0: 'a', 1: 'a' } }), /^commands: set: words: has one word twice/],
  ])('%j', (options, message) => {
    expect(why(options)).toMatch(message);
  });

  test('with line and column', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'scpi-generic-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const rig = async (voltage: string) => {
      writeFileSync(
        join(folder, 'rig.yaml'),
        `rig: meter\ninstruments:\n  meter:\n    model: scpi-generic\n    link: tcp:10.0.0.5:5025\n    options:\n      channels:\n        voltage: ${voltage}\n`,
      );
      const loaded = await loadRig(folder, known, new Map());
      return loaded.ok ? loaded.warnings : loaded.messages;
    };
    expect(await rig(`{ ask: 'READ?', unit: V, example: '+1.25E-06' }`)).toEqual([]);
    expect(await rig(`{ ask: 'READ?', unit: V, example: 'VDC' }`)).toMatchObject([
      { line: 8, column: 52, text: 'scpi-generic: channels: voltage: example: "VDC" is no number, such as "+1.25E-06"' },
    ]);
  });
});

test('whatever stands in the options, it is taken or refused with a sentence, and what is taken can be run', () => {
  const leaf = fc.oneof(
    fc.string(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.constantFrom('READ?', 'S {value}', 'on', 'V', 'flag', 'state', '1', 'level', 1, '1,2'),
  );
  const key = fc.constantFrom(
    'ask',
    'send',
    'unit',
    'scale',
    'offset',
    'field',
    'separator',
    'prefix',
    'suffix',
    'example',
    'means',
    'kind',
    'words',
    'on',
    'off',
    'absent',
    'span',
    'every',
    'takes',
    'limits',
    'decimals',
    'safe',
    'readback',
    'about',
    'channel',
    'by',
    '0',
    '1',
    'is',
    '__proto__',
  );
  const entry = fc.dictionary(key, fc.oneof(leaf, fc.array(leaf, { maxLength: 2 }), fc.dictionary(key, leaf, { maxKeys: 3 })), {
    maxKeys: 6,
  });
  const good = fc.record(
    {
      ask: fc.constantFrom('A?', 'B?'),
      unit: fc.constantFrom('V', '°C', 1),
      example: fc.constantFrom('1', '2,3'),
      field: fc.constantFrom(1, 2),
    },
    { requiredKeys: ['ask', 'unit', 'example'] },
  );
  const named = fc.oneof(leaf, fc.dictionary(fc.constantFrom('level', 'constructor', 'a b'), fc.oneof(good, entry, leaf), { maxKeys: 3 }));
  const options = fc.record(
    { terminator: fc.constantFrom('CR', 'x'), identify: fc.oneof(leaf, entry), channels: named, commands: named, errors: leaf },
    { requiredKeys: [] },
  );
  let taken = 0;
  fc.assert(
    fc.property(
      fc.oneof(
        options,
        fc.anything().filter((yaml) => !Array.isArray(yaml)),
      ),
      fc.string(),
      (yaml, reply) => {
        const p = generic.options.parse(yaml);
        if (p instanceof Refused) {
          expect(p.why).not.toMatch(/\bundefined\b|\[object|TypeError/);
          return;
        }
        taken++;
        generic.links(p);
        for (const poll of generic.body(p, { name: 'x' }).polls ?? []) {
          expect(Object.keys(poll.read(poll.example[0], { asked: 0, t: 0 }))).toEqual(Object.keys(poll.gives));
          try {
            // The poll of the error queue makes a list of its replies.
            poll.read(Array.isArray(poll.example[0]) ? [reply] : reply, { asked: 0, t: 0 });
          } catch (error) {
            expect(error).toMatchObject({ message: expect.stringContaining('"') });
          }
        }
        const own = simulated.options.parse(yaml);
        expect(own instanceof Refused ? own.why : '').toBe('');
        const state = simulated.state(own as never, 'x'); // it has parsed them
        simulated.answer.main?.(reply as never, state as never, {} as never, 0, () => undefined); // any line
      },
    ),
    { numRuns: 2000 },
  );
  expect(taken).toBeGreaterThan(10);
});
