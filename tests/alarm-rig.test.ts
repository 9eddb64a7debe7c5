/** Alarms, what is watched, and escalations in a rig: read into SI, or told with line and column what would be right. */
import { describe, expect, test } from 'vitest';
import type { Rig } from '../src/rig.ts';
import { readAlarms, readEscalations, readWatch } from '../src/rig-alarms.ts';
import type { Shape } from '../src/rig-shape.ts';
import { inOrder, printed, readSheet } from '../src/rig-yaml.ts';

const running: Shape = {
  state: { is: 'running' },
  channels: { temperature: 'K', door: 'flag', mode: 'state', spectrum: 'trace', fast: 'W' },
  commands: {},
  polls: [{ channels: ['temperature', 'door', 'mode'], every: 1 }],
  facts: {
    temperature: { comes: 'polled', every: 1, span: [273.15, 373.15] },
    door: { comes: 'polled', every: 1 },
    mode: { comes: 'polled', every: 1, words: ['remote', 'local', 'fault'] },
    fast: { comes: 'streamed' },
  },
  tunnel: false,
};
const absent: Shape = { ...running, state: { is: 'connecting', why: 'no simulator' }, channels: {}, polls: [], facts: {} };
const instrument = (name: string): Rig['instruments'][number] => ({
  name,
  model: 'toy',
  links: {},
  options: {},
  every: {},
  limits: {},
  leases: {},
  simulate: {},
});
const rig: Rig = {
  name: 'lab',
  folder: '/lab',
  file: '/lab/rig.yaml',
  text: '',
  sessions: '/lab/sessions',
  links: {},
  instruments: [instrument('laser'), instrument('camera')],
  derive: [],
  start: [],
  record: { rawOrder: [] },
};
const shapes = new Map([
  ['laser', running],
  ['camera', absent],
]);

function read(...lines: readonly string[]) {
  const text = ['instruments: { laser: {}, camera: {} }', ...lines, ''].join('\n');
  const sheet = readSheet('/lab/rig.yaml', new TextEncoder().encode(text));
  const found = {
    alarms: readAlarms(sheet, rig, shapes, new Map()),
    watch: readWatch(sheet, rig, shapes, new Map()),
    escalate: readEscalations(sheet),
  };
  const words = (list: typeof sheet.errors): string[] => inOrder(list).map((m) => printed(m).replace('/lab/rig.yaml:', ''));
  return { ...found, errors: words(sheet.errors), warnings: words(sheet.warnings) };
}

/** A message at the words of a line that begins in this column. */
const placed = (row: number, column: number, line: string, at: string, wanted: RegExp) =>
  expect.stringMatching(new RegExp(`^${row}:${column + line.indexOf(at)}: .*${wanted.source}`));

describe('alarms', () => {
  test('are read into SI, with what is not said filled in', () => {
    const { alarms, errors, warnings } = read(
      'alarms:',
      '  chiller: { when: { of: laser.temperature, above: 35 degC, hysteresis: 1 K }, severity: critical, delay: 5 s, guidance: look at the chiller }',
      '  door: { when: { of: laser.door, is: off } }',
      '  hot: { levels: { critical: { of: laser.temperature, above: 350 K }, warning: { of: laser.temperature, above: 340 K } }, latch: true }',
    );
    expect([...errors, ...warnings]).toEqual([]);
    const leaf = { kind: 'K', hysteresis: 0, hold: 0, stale: 3.5, suspect: false, of: 'laser.temperature' };
    expect(alarms).toEqual([
      {
        name: 'chiller',
        levels: [{ severity: 'critical', when: { ...leaf, test: { is: 'above', limit: 308.15 }, hysteresis: 1 } }],
        delay: 5,
        latch: false,
        guidance: 'look at the chiller',
      },
      {
        name: 'door',
        levels: [{ severity: 'alarm', when: { ...leaf, of: 'laser.door', kind: 'flag', test: { is: 'one-of', words: [false] } } }],
        delay: 0,
        latch: false,
      },
      {
        name: 'hot',
        levels: [
          { severity: 'warning', when: { ...leaf, test: { is: 'above', limit: 340 } } },
          { severity: 'critical', when: { ...leaf, test: { is: 'above', limit: 350 } } },
        ],
        delay: 0,
        latch: true,
      },
    ]);
  });

  test.each([
    ['chiller: { severity: alarm }', 'chiller', /when it is to be raised is missing; write .*levels/],
    ['chiller: { when: { of: laser.temperature, above: 35 degC }, levels: {} }', 'chiller', /"when" and "levels" stand beside each other/],
    [
      'chiller: { when: { of: laser.temperatur, above: 35 degC } }',
      'laser.',
      /"laser" has no channel "temperatur"; did you mean "temperature"\?/,
    ],
    ['chiller: { when: { of: laser.temperature, above: 35 bar } }', '35 bar', /laser\.temperature gives K: "35 bar" is a pressure/],
    ['chiller: { when: { of: laser.temperature, above: 35 degC }, severity: bad }', 'bad', /"severity" is one of warning, alarm, critical/],
    ['chiller: { when: { of: laser.temperature, above: 35 degC }, delay: -1 s }', '-1 s', /"-1 s" must be zero or more/],
    ['chiller: { when: { of: laser.temperature, above: 35 degC }, latch: maybe }', 'maybe', /"latch" is true or false/],
    [
      'chiller: { when: { of: laser.temperature, above: 35 degC }, guidanse: x }',
      'guidanse',
      /there is no "guidanse".*did you mean "guidance"\?/,
    ],
    ['chiller: { levels: {} }', 'levels', /there is no level; write "levels: \{ warning/],
    ['chiller: { levels: { warn: { of: laser.temperature, above: 35 degC } } }', 'warn:', /there is no "warn" in "levels"/],
    ['record: { when: { of: laser.door, is: off } }', 'record', /"record" means something else to "bridgman acknowledge"/],
    ['a b: { when: { of: laser.door, is: off } }', 'a b', /"a b" is no name/],
    [
      'far: { when: { of: laser.temperature, above: 500 K } }',
      'above',
      /this alarm could never be raised: laser\.temperature can only be from/,
    ],
    ['all: { when: { of: laser.mode, is: [remote, local, fault] } }', 'all', /means something else/],
    ['ever: { when: { of: laser.mode, is: [remote, local, fault] } }', 'is:', /this alarm would never go/],
    ['fast: { when: { of: laser.fast, above: 5 W } }', 'when', /"stale" is missing: laser\.fast comes by itself/],
  ])('%s', (line, at, wanted) => {
    const { errors, alarms } = read('alarms:', `  ${line}`);
    expect(errors).toContainEqual(placed(3, 3, line, at, wanted));
    expect(alarms).toEqual([]);
  });

  test('hysteresis of an alarm may fill the rest of the span', () => {
    const { errors } = read('alarms:', '  hot: { when: { of: laser.temperature, above: 370 K, hysteresis: 5 K } }');
    expect(errors).toEqual([]);
  });

  test('levels in the wrong order are said', () => {
    const { warnings } = read(
      'alarms:',
      '  hot: { levels: { warning: { of: laser.temperature, above: 350 K }, critical: { of: laser.temperature, above: 340 K } } }',
    );
    expect(warnings).toEqual([expect.stringMatching(/^3:\d+: this is reached before "warning" is/)]);
  });
});

describe('watch', () => {
  test('has the limits of what is watched without being declared', () => {
    const { watch, errors } = read(
      'watch:',
      '  silence: { except: [camera, camera.spectrum, laser.fast], after: 30 s }',
      '  lateness: 500 ms',
      '  queue: 5000',
      '  memory: 1 GiB',
      '  clock_offset: off',
      '  link: 10 s',
    );
    expect(errors).toEqual([]);
    expect(watch).toEqual({
      silence: 30,
      silenceExcept: ['camera', 'camera.spectrum', 'laser.fast'],
      lateness: 0.5,
      queue: 5000,
      memory: 2 ** 30,
      clockOffset: Number.MAX_VALUE,
      linkDown: 10,
    });
    expect(JSON.parse(JSON.stringify(watch))).toEqual(watch);
  });

  test('silence can be switched off', () => {
    expect(read('watch: { silence: off }').watch).toEqual({ silence: Number.MAX_VALUE });
    expect(read().watch).toBeUndefined();
  });

  test.each([
    ['{ silence: { except: [lasr] } }', 'lasr', /there is no instrument "lasr" in this rig; did you mean "laser"\?/],
    ['{ silence: { except: [laser.fats] } }', 'laser.', /"laser" has no channel "fats"; did you mean "fast"\?/],
    ['{ silence: { except: laser } }', 'laser', /"except" is a list/],
    ['{ queue: many }', 'many', /"queue" is a number of entries/],
    ['{ lateness: 1 K }', '1 K', /"1 K" is a temperature/],
    ['{ latenes: 1 s }', 'latenes', /there is no "latenes" in "watch"; did you mean "lateness"\?/],
    ['[silence]', '[', /"watch" is a group/],
  ])('%s', (line, at, wanted) => {
    expect(read(`watch: ${line}`).errors).toContainEqual(placed(2, 8, line, at, wanted));
  });
});

describe('escalate', () => {
  test('is a list of commands and webhooks; a program with a slash is meant from the folder of the rig on', () => {
    const { escalate, errors } = read(
      'escalate:',
      '  - { severity: alarm, after: 60 s, command: [/usr/local/bin/page, "{name}", "{text} {guidance}"] }',
      '  - { severity: critical, after: 0 s, webhook: "http://localhost:8080/hook" }',
      '  - { severity: warning, after: 1 h, command: [bin/page, -n, 3] }',
      '  - { severity: warning, after: 1 h, command: [mail, me] }',
    );
    expect(errors).toEqual([]);
    expect(escalate).toEqual([
      { severity: 'alarm', after: 60, command: ['/usr/local/bin/page', '{name}', '{text} {guidance}'] },
      { severity: 'critical', after: 0, webhook: 'http://localhost:8080/hook' },
      { severity: 'warning', after: 3600, command: ['/lab/bin/page', '-n', '3'] },
      { severity: 'warning', after: 3600, command: ['mail', 'me'] },
    ]);
  });

  test.each([
    ['{ severity: alarm, after: 60 s }', '{', /neither "command" nor "webhook" says how/],
    ['{ severity: alarm, after: 60 s, command: [a], webhook: "http://a" }', '{', /"command" and "webhook" stand beside each other/],
    ['{ after: 60 s, command: [a] }', '{', /"severity" is missing/],
    ['{ severity: alarm, command: [a] }', '{', /"after" is missing/],
    ['{ severity: alarm, after: 60 s, command: "page {name}" }', '"page', /"command" is a list .*there is no shell/],
    ['{ severity: alarm, after: 60 s, command: [] }', '[]', /"command" is a list/],
    ['{ severity: alarm, after: 60 s, command: [page, "{nam}"] }', '"{nam', /\{nam\} is not known in a command; known are \{name\}/],
    ['{ severity: alarm, after: 60 s, command: ["{name}"] }', '"{name', /an alarm does not say which program is run/],
    ['{ severity: alarm, after: 60 s, webhook: "ftp://a/b" }', '"ftp', /"webhook" is an address such as .*http or https/],
    ['{ severity: alarm, after: 60 s, webhook: "hook" }', '"hook', /"webhook" is an address/],
    ['{ severity: alarm, after: soon, webhook: "http://a" }', 'soon', /"soon" is not a number/],
    ['{ severity: alarm, after: 60 s, webhok: "http://a" }', 'webhok', /there is no "webhok" in an escalation; did you mean "webhook"\?/],
    ['page', 'page', /who is told is written as/],
  ])('%s', (line, at, wanted) => {
    const { errors, escalate } = read('escalate:', `  - ${line}`);
    expect(errors).toContainEqual(placed(3, 5, line, at, wanted));
    expect(escalate).toEqual([]);
  });
});
