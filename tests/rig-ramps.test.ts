/** Ramps in a rig: read into SI, or told with line and column what would be right. */
import { describe, expect, test } from 'vitest';
import type { Command } from '../src/instrument.ts';
import type { RigInstrument, RigRamp } from '../src/rig.ts';
import { readRamps } from '../src/rig-ramps.ts';
import type { Shape } from '../src/rig-shape.ts';
import { inOrder, printed, readSheet } from '../src/rig-yaml.ts';

const command = (takes: Command['takes'], channel?: string, by = 0): Command => ({
  takes,
  *talk() {},
  ...(channel === undefined ? {} : { readback: { channel, within: 3, by } }),
});

const shape: Shape = {
  state: { is: 'running' },
  channels: { set_point: 'K', output: '1', pressure: 'Pa', slew: 'Pa/s', word: 'state', by_itself: 'K', power: '1' },
  commands: {
    setpoint: command('K', 'set_point', 0.1),
    power: command('1', 'output', 0.001),
    pressure: command('Pa', 'pressure', 100),
    slew: command('Pa/s', 'slew', 1),
    blind: command('K'),
    mode: command('state', 'word'),
    clear: command('nothing'),
    crossed: command('K', 'output'),
    shown: { ...command('K', 'set_point'), readback: { channel: 'set_point', within: 3, by: 0, shows: () => 1 } },
    streamed: command('K', 'by_itself'),
  },
  polls: [
    { channels: ['set_point', 'output'], every: 0.5 },
    { channels: ['pressure', 'slew'], every: 0.2 },
  ],
  facts: {},
  tunnel: false,
};
const placed: RigInstrument = {
  name: 'cell',
  model: 'oven',
  links: {},
  options: {},
  every: {},
  limits: {},
  leases: {},
  simulate: {},
};

interface Told {
  readonly ramps: Readonly<Record<string, RigRamp>>;
  readonly errors: readonly string[];
}
function read(lines: readonly string[], of: Shape | undefined = shape, at: RigInstrument = placed): Told {
  const text = ['instruments:', '  cell:', '    ramps:', ...lines.map((line) => `      ${line}`), ''].join('\n');
  const sheet = readSheet('rig.yaml', new TextEncoder().encode(text));
  const ramps = readRamps(sheet, at, of);
  return { ramps, errors: inOrder(sheet.errors).map((m) => printed(m).replace('rig.yaml:', '')) };
}
/** The rate that is read, or the message. */
const rate = (name: string, written: string, band: string): number | string | undefined => {
  const { ramps, errors } = read([`${name}: { rate: "${written}", band: "${band}", every: 1 s }`]);
  return ramps[name]?.rate ?? errors[0];
};

describe('what is right', () => {
  test('in SI', () => {
    expect(
      read(['setpoint: { rate: 5 K/min, band: 5 K, every: 1 s }', 'pressure: { rate: 0.1 bar/min, band: 20 mbar, every: 500 ms }']),
    ).toEqual({
      ramps: { setpoint: { rate: 5 / 60, band: 5, every: 1 }, pressure: { rate: 1e4 / 60, band: 2000, every: 0.5 } },
      errors: [],
    });
  });

  test('none', () => {
    const sheet = readSheet('rig.yaml', new TextEncoder().encode('instruments: { cell: { model: oven } }'));
    expect(readRamps(sheet, placed, shape)).toEqual({});
    expect(sheet.errors).toEqual([]);
  });

  test.each([
    ['setpoint', '0.5 K/s', 0.5],
    ['setpoint', '3600K/h', 1],
    ['setpoint', '60 mK / s', 0.06],
    ['setpoint', '6 °C/min', 0.1],
    ['setpoint', '1e1 degC/h', 10 / 3600],
    ['power', '6 %/min', 0.001],
    ['power', '0.01/s', 0.01],
    ['pressure', '1 mbar/s', 100],
    ['slew', '6 mbar/s/min', 10],
  ])('%s at %s', (name, written, expected) => {
    const band = { setpoint: '9 °C', power: '50 %', pressure: '1 bar', slew: '1 bar/s' }[name] ?? '';
    expect(rate(name, written, band)).toBeCloseTo(expected, 12);
  });

  test('a degree of a band is a kelvin', () => {
    expect(read(['setpoint: { rate: 5 K/min, band: 5 °C, every: 1 s }']).ramps.setpoint?.band).toBe(5);
  });

  test('the readback twice between two steps, as the rig has it asked', () => {
    const line = (every: string): readonly string[] => [`setpoint: { rate: 5 K/min, band: 5 K, every: ${every} }`];
    expect(read(line('1 s')).errors).toEqual([]);
    expect(read(line('1 s'), shape, { ...placed, every: { output: 0.1 } }).errors).toEqual([]);
    expect(read(line('0.2 s'), shape, { ...placed, every: { set_point: 0.1 } }).errors).toEqual([]);
    expect(read(line('1 s'), shape, { ...placed, every: { set_point: 2 } }).errors).toEqual([
      '4:52: a step could not be read back before the next: "set_point" is read every 2 s; write at least 4 s, or "every: { set_point: 0.5 s }"',
    ]);
  });

  test('of an instrument that could not be identified, nothing is lost', () => {
    const silent: Shape = {
      state: { is: 'connecting', why: 'no simulator' },
      channels: {},
      commands: {},
      polls: [],
      facts: {},
      tunnel: false,
    };
    const lines = ['anything: { rate: 6 mbar/min, band: 1 bar, every: 1 s }'];
    const ramps = { anything: { rate: 10, band: 1e5, every: 1 } };
    expect(read(lines, silent)).toEqual({ ramps, errors: [] });
    expect(readRamps(readSheet('r', new TextEncoder().encode('a: 1')), placed, silent)).toEqual({});
    expect(read(['anything: { rate: 6 furlong/min, band: 1 bar, every: 1 s }'], silent).errors[0]).toMatch(
      /^4:25: the unit "furlong" is not known/,
    );
  });
});

describe('what is wrong, with line and column', () => {
  const good = 'rate: 5 K/min, band: 5 K, every: 1 s';
  test.each([
    [`setpont: { ${good} }`, '4:7: cell (oven) has no command "setpont"; did you mean "setpoint"?'],
    [`mode: { ${good} }`, '4:7: "mode" takes a state: only numbers are ramped'],
    [`clear: { ${good} }`, '4:7: "clear" takes nothing: only numbers are ramped'],
    [`blind: { ${good} }`, '4:7: "blind" has no readback: where its output is cannot be told, and it cannot be ramped'],
    [`crossed: { ${good} }`, '4:7: "output", the readback of "crossed", does not show the value itself: it cannot be ramped'],
    [`shown: { ${good} }`, '4:7: "set_point", the readback of "shown", does not show the value itself: it cannot be ramped'],
    [
      `streamed: { ${good} }`,
      '4:7: "by_itself", the readback of "streamed", is not asked for at intervals: cell cannot be followed on a ramp',
    ],
    [
      'setpoint: 5 K/min',
      '4:17: "setpoint" is a group of "name: value", such as { rate: 5 K/min, band: 5 K, every: 1 s }, not the text "5 K/min"',
    ],
    ['setpoint: { rate: 5 K/min, every: 1 s }', '4:7: "band" is missing in "setpoint"; write "band: 1 K"'],
    ['power: { band: 5 %, every: 1 s }', '4:7: "rate" is missing in "power"; write "rate: 1 %/min"'],
    ['setpoint: { rate: 5 K, band: 5 K, every: 1 s }', '4:25: a rate is written such as "1 K/min" (/s, /min or /h), not the text "5 K"'],
    ['setpoint: { rate: 5, band: 5 K, every: 1 s }', '4:25: a rate is written such as "1 K/min" (/s, /min or /h), not 5'],
    [
      'setpoint: { rate: 5 V/min, band: 5 K, every: 1 s }',
      '4:25: "5 V" is a voltage in V; a temperature in K is wanted here, such as "300 K"; a rate is written such as "1 K/min" (/s, /min or /h)',
    ],
    [
      'setpoint: { rate: 5/min, band: 5 K, every: 1 s }',
      '4:25: "5" has no unit; a temperature in K is wanted here, such as "300 K"; a rate is written such as "1 K/min" (/s, /min or /h)',
    ],
    ['setpoint: { rate: 0 K/min, band: 5 K, every: 1 s }', '4:25: "0 K/min" must be more than zero; a ramp goes up and down by itself'],
    ['setpoint: { rate: -5 K/min, band: 5 K, every: 1 s }', '4:25: "-5 K/min" must be more than zero; a ramp goes up and down by itself'],
    [
      'setpoint: { rate: 5 +- 1 K/min, band: 5 K, every: 1 s }',
      '4:25: "5 +- 1 K" must be one number, without an uncertainty; a rate is written such as "1 K/min" (/s, /min or /h)',
    ],
    ['setpoint: { rate: 5 K/min, band: 5, every: 1 s }', '4:40: "5" has no unit; a temperature in K is wanted here, such as "300 K"'],
    ['setpoint: { rate: 5 K/min, band: [1], every: 1 s }', '4:40: a temperature in K is wanted here, such as "300 K", not a list'],
    ['setpoint: { rate: 5 K/min, band: 5 K, every: 0 s }', '4:52: "0 s" must be more than zero'],
    [
      'setpoint: { rate: 60 K/min, band: 1.1 K, every: 1 s }',
      '4:41: a band of 1.1 K is too narrow: one step is 1 K, and "set_point" may differ by 0.1 K; write more than 1.1 K',
    ],
    [
      `setpoint: { rate: 5 K/min, band: 5 K, every: 0.9 s }`,
      '4:52: a step could not be read back before the next: "set_point" is read every 0.5 s; write at least 1 s, or "every: { set_point: 0.45 s }"',
    ],
  ])('%s', (line, message) => {
    expect(read([line])).toEqual({ ramps: {}, errors: [message] });
  });

  test('a list in the place of the ramps', () => {
    const sheet = readSheet('r', new TextEncoder().encode('instruments: { cell: { ramps: [1] } }'));
    expect(readRamps(sheet, placed, shape)).toEqual({});
    expect(sheet.errors.map((e) => [e.column, e.text])).toEqual([
      [31, '"ramps" is a group of "name: value", such as "ramps: { setpoint: { rate: 5 K/min, band: 5 K, every: 1 s } }", not a list'],
    ]);
  });

  test('a word that it does not know', () => {
    expect(read(['setpoint: { rate: 5 K/min, band: 5 K, evry: 1 s, every: 1 s }']).errors).toEqual([
      '4:45: there is no "evry" in "setpoint"; did you mean "every"?',
    ]);
  });

  test('every one is told, and those that are right are kept', () => {
    const told = read([`setpoint: { ${good} }`, 'power: { rate: 1 %/s, band: 1 %, every: 100 ms }']);
    expect(Object.keys(told.ramps)).toEqual(['setpoint']);
    expect(told.errors.map((e) => e.slice(0, 4))).toEqual(['5:47']);
    const twice = read(['power: { rate: 1 %/s, band: 0.1 %, every: 100 ms }']);
    expect(twice.errors.length).toBe(2);
  });
});
