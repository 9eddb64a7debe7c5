/** Feedback in a rig: read into SI, or told with line and column what would be right. */
import { describe, expect, test } from 'vitest';
import type { FeedbackSpec } from '../src/feedback-spec.ts';
import type { Command } from '../src/instrument.ts';
import type { Lease, Rig, RigInstrument } from '../src/rig.ts';
import type { Channel } from '../src/rig-conditions.ts';
import { gainOf, readFeedback } from '../src/rig-feedback.ts';
import type { Shape } from '../src/rig-shape.ts';
import { checkStart, readStart } from '../src/rig-start.ts';
import { inOrder, printed, readSheet } from '../src/rig-yaml.ts';

const command = (takes: Command['takes'], more: Partial<Command> = {}, channel = 'set_point'): Command => ({
  takes,
  *talk() {},
  limits: [0, 1],
  readback: { channel, within: 3, by: 0.001 },
  ...more,
});
const shape: Shape = {
  state: { is: 'running' },
  channels: { set_point: '1', on: 'flag', volts: 'V', by_itself: '1', pressure: 'Pa' },
  commands: {
    current: command('1', { safe: 0 }),
    power: command('1'),
    ramped: command('1'),
    unused: command('1', { safe: 0 }),
    blind: command('1', { readback: undefined }),
    crossed: command('1', {}, 'volts'),
    streamed: command('1', {}, 'by_itself'),
    endless: command('1', { limits: undefined }),
    several: command('1', { count: 3 }),
    gas: command('Pa', { limits: [0, 2e7] }, 'pressure'),
    emission: command('flag', { safe: false, limits: undefined }, 'on'),
  },
  polls: [{ channels: ['set_point', 'volts', 'on', 'pressure'], every: 0.2 }],
  facts: {},
  tunnel: false,
};
const lease: Lease = { longest: 60, deadline: 1, then: 'safe' };
const placed: RigInstrument = {
  name: 'laser',
  model: 'acme',
  links: {},
  options: {},
  every: {},
  limits: { current: [0, 0.8] },
  leases: { current: lease, emission: lease },
  ramps: { ramped: { rate: 1, band: 1, every: 1 } },
  simulate: {},
};
const channels: Readonly<Record<string, Channel>> = {
  'up.temperature': { kind: 'K', comes: 'derived' },
  'down.temperature': { kind: 'K', comes: 'derived' },
  'up.factor': { kind: '1', comes: 'derived' },
  'cell.temperature': { kind: 'K', comes: 'polled', every: 0.5, list: false },
  'cell.all': { kind: 'K', comes: 'polled', every: 0.5, list: true },
  'ruby.pressure': { kind: 'Pa', comes: 'derived' },
  'laser.on': { kind: 'flag', comes: 'polled', every: 0.2 },
};

const HEATING: Readonly<Record<string, string>> = {
  holds: '[up.temperature, down.temperature]',
  by: 'laser.current',
  factor: 'up.factor',
  gain: '0.01 %/K',
  integral: '4 s',
  limits: '{ output: [0 %, 60 %], rate: 5 %/s, setpoint: [1000 K, 4000 K], sigma: 100 K, difference: 300 K, jump: 20 % }',
  lost: '{ frames: 2, then: lower, stale: 5 s }',
};

interface Told {
  readonly loops: readonly FeedbackSpec[];
  readonly errors: readonly string[];
}
const lines = (name: string, keys: Readonly<Record<string, string>>): readonly string[] => [
  `  ${name}:`,
  ...Object.entries(keys).flatMap(([key, value]) => (value === '' ? [] : [`    ${key}: ${value}`])),
];
function readText(text: string, of: Shape = shape): Told {
  const sheet = readSheet('rig.yaml', new TextEncoder().encode(text));
  const rig: Rig = {
    name: '',
    folder: '',
    file: '',
    text: '',
    sessions: '',
    links: {},
    instruments: [placed],
    derive: [],
    start: [],
    record: { rawOrder: [] },
  };
  const shapes = new Map([['laser', of]]);
  const find = (name: string): Channel | string => channels[name] ?? `there is no ${name}`;
  const loops = readFeedback(sheet, rig, shapes, { find });
  const whole = { ...rig, feedback: loops };
  for (const one of readStart(sheet)) checkStart(sheet, whole, shapes, one);
  return { loops, errors: inOrder(sheet.errors).map((m) => printed(m).replace('rig.yaml:', '')) };
}
const read = (changes: Readonly<Record<string, string>> = {}, of: Shape = shape): Told =>
  readText(['feedback:', ...lines('heating', { ...HEATING, ...changes }), ''].join('\n'), of);
/** A heater on a thermocouple: polled, one quantity, no error bar. */
const HEATER = { holds: 'cell.temperature', factor: '', limits: '{ output: [0 %, 60 %], rate: 5 %/s, setpoint: [300 K, 900 K] }' };

describe('what is right', () => {
  test('in SI', () => {
    expect(read()).toEqual({
      errors: [],
      loops: [
        {
          name: 'heating',
          holds: [{ of: 'up.temperature' }, { of: 'down.temperature' }],
          unit: 'K',
          factor: [{ of: 'up.factor' }],
          instrument: 'laser',
          command: 'current',
          outputUnit: '1',
          gain: 1e-4,
          integral: 4,
          deadband: 0,
          limits: { output: [0, 0.6], rate: 0.05, setpoint: [1000, 4000], sigma: 100, difference: 300, jump: 0.2 },
          lost: { frames: 2, then: 'lower', jumped: 'lower', stale: 5 },
        },
      ],
    });
  });
  test('the same block for a heater and for pressure', () => {
    const { loops, errors } = read({ ...HEATER, deadband: '2 K', ramp: '30 K/min', lost: '{ frames: 3, then: off }' });
    expect(errors).toEqual([]);
    expect(loops[0]).toMatchObject({
      holds: [{ of: 'cell.temperature' }],
      deadband: 2,
      ramp: 0.5,
      lost: { frames: 3, then: 'off', jumped: 'off', stale: 1.75 },
    });
    const gas = read({
      holds: 'ruby.pressure',
      by: 'laser.gas',
      factor: '',
      gain: '0.5 bar/GPa',
      limits: '{ output: [0 bar, 60 bar], rate: 1 bar/min, setpoint: [1 GPa, 80 GPa] }',
      lost: '{ frames: 2, then: hold, stale: 20 s }',
    });
    expect(gas.errors).toEqual([]);
    expect(gas.loops[0]).toMatchObject({
      unit: 'Pa',
      outputUnit: 'Pa',
      limits: { output: [0, 6e6], rate: 1e5 / 60, setpoint: [1e9, 8e10] },
    });
    expect(gas.loops[0]?.gain).toBeCloseTo(5e-5, 18);
  });
  test('none', () => {
    expect(readText('rig: x\n')).toEqual({ loops: [], errors: [] });
  });
  test.each<readonly [string, '1' | 'V' | 'K' | 'Pa/s', 'K' | 'Pa' | 'K/s', number]>([
    ['0.01 %/K', '1', 'K', 1e-4],
    ['1e-4 /K', '1', 'K', 1e-4],
    ['-2 mV / mK', 'V', 'K', -2],
    ['2 mV/°C', 'V', 'K', 2e-3],
    ['3 bar/min/K', 'Pa/s', 'K', 3e5 / 60],
    ['3 K/K/min', 'K', 'K/s', 180],
  ])('gain %s', (written, output, held, gain) => {
    expect(gainOf(written, output, held)).toBeCloseTo(gain, 12);
  });
  test('begun by a start order', () => {
    const start = (order: string): readonly string[] =>
      readText(['feedback:', ...lines('heating', HEATING), 'start:', `  - { ${order} }`, ''].join('\n')).errors;
    expect(start('order: feedback.heating, value: 3000 K')).toEqual([]);
    expect(start('order: feedback.heting, value: 3000 K')).toEqual([
      '11:14: there is no feedback "heting" in this rig; did you mean "heating"?',
    ]);
    expect(start('order: feedback.heating, value: 5000 K')).toEqual([
      '11:39: feedback.heating: "5000 K" is outside of its set points (1000 K to 4000 K)',
    ]);
    expect(start('order: feedback.heating, value: 3000')).toEqual([expect.stringMatching(/^11:39: feedback.heating: "3000" has no unit/)]);
    expect(start('order: feedback.heating')).toEqual([expect.stringMatching(/^11:14: feedback.heating: .*not nothing/)]);
    expect(start('"order": "feedback.heating[1]", value: 3000 K')).toEqual([expect.stringMatching(/feedback.heating has no index/)]);
  });
});

describe('what is wrong is told, where it stands', () => {
  const wrong: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
    ['an unknown key', { speed: '5 K' }, /^10:5: there is no "speed" in "heating"/],
    ['no limits', { limits: '' }, /^2:3: "limits" is missing in "heating"; write "limits: \{ output: \[/],
    ['no lost', { lost: '' }, /^2:3: "lost" is missing in "heating"/],
    ['nothing held', { holds: '' }, /^2:3: "holds" is missing/],
    ['an unknown channel', { holds: 'up.temprature', limits: '{}' }, /^3:12: there is no up.temprature/],
    ['no channel at all', { holds: '5' }, /^3:12: "holds" is INSTRUMENT.CHANNEL or DERIVATION.OUTPUT/],
    ['a flag', { ...HEATER, holds: 'laser.on' }, /^3:12: laser.on gives a flag: only numbers are held/],
    ['two units', { holds: '[up.temperature, ruby.pressure]' }, /^3:29: ruby.pressure is in Pa, and up.temperature in K/],
    ['the same twice', { holds: '[up.temperature, up.temperature]' }, /^3:29: up.temperature is there twice/],
    ['an empty list', { holds: '[]' }, /^3:12: "holds" is an empty list/],
    ['a list without its index', { ...HEATER, holds: 'cell.all' }, /^3:12: cell.all is a list: write which one, such as "cell.all\[0\]"/],
    ['an index of what is no list', { ...HEATER, holds: '"cell.temperature[1]"' }, /^3:12: cell.temperature is no list/],
    ['no such instrument', { by: 'lazer.current' }, /^4:9: there is no instrument "lazer" in this rig/],
    ['no such command', { by: 'laser.curent' }, /^4:9: laser \(acme\) has no command "curent"; did you mean "current"\?/],
    ['no command', { by: 'laser' }, /^4:9: "by" is INSTRUMENT.COMMAND/],
    ['a flag as output', { by: 'laser.emission' }, /^4:9: laser.emission takes a flag: an output that is held takes a number/],
    ['without readback', { by: 'laser.blind' }, /^4:9: laser.blind has no readback/],
    [
      'a readback of something else',
      { by: 'laser.crossed' },
      /^4:9: "volts", the readback of laser.crossed, does not show the value itself/,
    ],
    [
      'a readback that is not asked for',
      { by: 'laser.streamed' },
      /^4:9: "by_itself", the readback of laser.streamed, is not asked for at intervals/,
    ],
    ['without limits', { by: 'laser.endless' }, /^4:9: laser.endless has no limits: write them at laser/],
    ['an output that is ramped', { by: 'laser.ramped' }, /^4:9: laser.ramped is ramped: an output is either ramped or held/],
    ['an unused lease', { by: 'laser.unused' }, /^4:9: laser.unused is hazardous and unused in this rig/],
    ['one of several without its index', { by: 'laser.several' }, /^4:9: laser.several has the indices 0 to 2; write "laser.several\[0\]"/],
    [
      'a gain in other units',
      { gain: '0.01 V/K' },
      /^6:11: a gain is output over what is held, written such as "0.01 %\/K", not the text "0.01 V\/K"/,
    ],
    ['a gain the other way round', { gain: '0.01 K/%' }, /^6:11: a gain is output over what is held/],
    ['a gain of nothing', { gain: '0 %/K' }, /^6:11: a gain of zero holds nothing/],
    ['an integral that is no time', { integral: '4 K' }, /^7:15: "4 K" is a temperature in K/],
    ['a deadband below zero', { deadband: '-1 K' }, /^10:15: "-1 K" must be more than zero/],
    ['a ramp that is no rate', { ramp: '5 K' }, /^10:11: a change per time is wanted here/],
    [
      'an output outside of the rig',
      { limits: '{ output: [0 %, 90 %], rate: 5 %/s, setpoint: [1000 K, 4000 K], difference: 300 K, jump: 20 % }' },
      /^8:29: 0.9 is outside of the limits of this rig \(0 to 0.8\)/,
    ],
    [
      'an output outside of the driver',
      { by: 'laser.power', limits: '{ output: [-10 %, 90 %], rate: 5 %/s, setpoint: [1000 K, 4000 K], difference: 300 K, jump: 20 % }' },
      /^8:24: -0.1 is outside of the limits of acme/,
    ],
    [
      'limits the wrong way round',
      { limits: '{ output: [60 %, 0 %], rate: 5 %/s, setpoint: [1000 K, 4000 K], difference: 300 K, jump: 20 % }' },
      /^8:23: the lower limit \(60 %\) must be below the upper one \(0 %\)/,
    ],
    [
      'a set point in volts',
      { limits: '{ output: [0 %, 60 %], rate: 5 %/s, setpoint: [1 V, 4000 K], difference: 300 K, jump: 20 % }' },
      /^8:60: "1 V" is a voltage in V; a temperature in K is wanted here/,
    ],
    [
      'no rate',
      { limits: '{ output: [0 %, 60 %], setpoint: [1000 K, 4000 K], difference: 300 K, jump: 20 % }' },
      /^8:5: "rate" is missing in "limits"; write "rate: 5 %\/s"/,
    ],
    [
      'several without a difference',
      { limits: '{ output: [0 %, 60 %], rate: 5 %/s, setpoint: [1000 K, 4000 K], jump: 20 % }' },
      /^8:5: "difference" is missing in "limits"/,
    ],
    [
      'a difference of one',
      { ...HEATER, limits: HEATER.limits.replace(' }', ', difference: 3 K }') },
      /one quantity alone has no difference/,
    ],
    [
      'a factor without a jump',
      { limits: '{ output: [0 %, 60 %], rate: 5 %/s, setpoint: [1000 K, 4000 K], difference: 300 K }' },
      /^8:5: "jump" is missing in "limits"/,
    ],
    ['a jump without a factor', { factor: '' }, /a jump of what\? Write "factor:/],
    ['a factor that is no number', { factor: 'laser.on' }, /^5:13: laser.on gives a flag/],
    ['frames that are none', { lost: '{ frames: 0, then: lower, stale: 5 s }' }, /^9:21: "frames" is a whole number from 1 to 10/],
    ['another word', { lost: '{ frames: 2, then: stop, stale: 5 s }' }, /^9:30: "then" is one of lower, hold, off, not the text "stop"/],
    [
      'off without a safe value',
      { by: 'laser.power', lost: '{ frames: 2, then: off, stale: 5 s }' },
      /^9:30: laser.power has no safe value: write "lower" or "hold"/,
    ],
    ['no stale for what is derived', { lost: '{ frames: 2, then: lower }' }, /^9:5: "stale" is missing: what is held is not polled/],
    ['a stale shorter than two polls', { ...HEATER, lost: '{ frames: 2, then: lower, stale: 0.9 s }' }, /"stale" must be at least 1 s/],
    ['jumped without a factor', { ...HEATER, lost: '{ frames: 2, then: lower, jumped: hold }' }, /a jump of what\?/],
  ];
  test.each(wrong)('%s', (_, changes, said) => {
    const { loops, errors } = read(changes);
    expect(errors[0]).toMatch(said);
    expect(loops).toEqual([]);
  });

  test('an output that is held twice', () => {
    const { loops, errors } = readText(['feedback:', ...lines('heating', HEATING), ...lines('warming', HEATING), ''].join('\n'));
    expect(loops.map(({ name }) => name)).toEqual(['heating']);
    expect(errors).toEqual(['12:9: laser.current is held by "heating" already: two loops would work against each other']);
  });
  test('an instrument that does not answer', () => {
    const silent: Shape = { ...shape, state: { is: 'silent', why: 'no answer' }, commands: {}, channels: {}, polls: [] };
    expect(read({}, silent).errors).toEqual([expect.stringMatching(/^4:9: what laser \(acme\) has is not known here \(no answer\)/)]);
  });
  test('no block at all', () => {
    expect(readText('feedback: 5\n').errors).toEqual([expect.stringMatching(/^1:11: "feedback" is a group of "name: value"/)]);
    expect(readText('feedback:\n  heating: 5\n').errors).toEqual([expect.stringMatching(/^2:12: "heating" is a group of "name: value"/)]);
  });
});
