/** Interlocks of a rig: what they become, and what is told of those that could not do their work, with the place and what would be right. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { text } from '../protocols/text.ts';
import type { Catalogue } from '../src/catalogue.ts';
import { watched } from '../src/condition.ts';
import { type Command, instrument, type Takes } from '../src/instrument.ts';
import type { Loaded, Method, Methods, Rig } from '../src/rig.ts';
import { loadRig } from '../src/rig.ts';
import { simulator, world } from '../src/simulator.ts';

const wire = text('\n');
type L = { readonly main: typeof wire };
const still = world({ name: 'still', tick: 1, make: () => ({ step() {} }) });
const command = <K extends Takes>(c: Omit<Command<L, K>, 'talk'>): Command<L, K> => ({ ...c, *talk() {} });
const polled = (every: number, gives: Readonly<Record<string, string>>, means: Readonly<Record<string, unknown>>, span = {}) => ({
  gives,
  every,
  *talk() {},
  read: () => ({}),
  example: ['', means],
  span,
});
const back = (channel: string) => ({ channel, within: 1, by: 0 });

/** One with a channel and a command of each sort. */
const rack = instrument<L, Readonly<Record<string, never>>, undefined>({
  model: 'Test rack',
  source: 'tests',
  links: { main: wire },
  body: () => ({
    polls: [
      polled(1, { temperature: 'K', spare: 'K' }, { temperature: 300 }, { temperature: [200, 500] }),
      polled(0.1, { emission: 'flag', mode: 'state', word: 'state' }, { emission: false, mode: 'idle' }),
      polled(0.1, { voltage: 'V', count: '1' }, { voltage: [1, 2], count: 3 }, { voltage: [-1e4, 1e4], count: [0, 1e6] }),
      polled(0.5, { output: '1' }, { output: 0.5 }, { output: [0, 1] }),
    ] as never, // polls of any channels, without the types of a real driver
    streams: { main: [{ gives: { door: 'flag', image: 'trace', flow: 'Pa' }, takes: () => true, read: () => ({}), example: ['', {}] }] },
    gives: { entered: 'm' },
    commands: {
      emission: command<'flag'>({ takes: 'flag', safe: false, readback: back('emission') }),
      heat: command<'1'>({ takes: '1', safe: 0, readback: back('output') }),
      hv: command<'V'>({ takes: 'V', count: 2, safe: 0, readback: back('voltage') }),
      mode: command<'state'>({ takes: 'state', words: ['slow', 'fast'], readback: back('mode') }),
      mirror: command<'nothing'>({ takes: 'nothing' }),
      blind: command<'flag'>({ takes: 'flag', safe: false }),
      deaf: command<'m'>({ takes: 'm', safe: 0, readback: back('entered') }),
    },
  }),
});
const guard = instrument<L, Readonly<Record<string, never>>, undefined>({
  model: 'Test guard',
  source: 'tests',
  links: { main: wire },
  body: () => ({
    polls: [polled(0.1, { relay: 'flag', timeout: 's', button: 'flag' }, {})] as never, // as above
    commands: { relay: command<'flag'>({ takes: 'flag', safe: false, readback: back('relay') }) },
    watchdog: { holds: ['relay'], limits: [0.2, 10], readback: 'timeout', *set() {} },
  }),
});
const bare = instrument({ model: 'Without simulator', source: 'tests', links: { main: wire }, body: () => ({}) });
const silent = simulator({ links: { main: wire }, state: () => ({}), world: still, answer: {} });
const models: Catalogue = {
  instruments: new Map(Object.entries({ rack, guard, bare })),
  simulators: new Map(Object.entries({ rack: silent, guard: silent })),
};
const methods: Methods = new Map([
  [
    'spread',
    { method: 'spread', inputs: { a: 'K' }, outputs: { difference: 'K' }, params: { fields: {}, parse: () => ({}) } } satisfies Method,
  ],
]);

const scratch = mkdtempSync(join(tmpdir(), 'rig-interlocks-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const file = join(scratch, 'rig.yaml');

const UNUSED = { emission: 'unused', heat: 'unused', hv: 'unused', blind: 'unused', deaf: 'unused' };
const LEASE = '{ longest: 1 h, deadline: 1 s }';
/** Lines 1 to 5 are the rig's head, with the leases of the rack in line 4; the given text begins in line 6. */
async function load(rest: string, leases: Readonly<Record<string, string>> = {}): Promise<Loaded> {
  const all = Object.entries({ ...UNUSED, emission: LEASE, ...leases }).map(([name, lease]) => `${name}: ${lease}`);
  writeFileSync(
    file,
    `rig: r
instruments:
  other: { model: bare, link: simulated }
  rack: { model: rack, link: simulated, leases: { ${all.join(', ')} } }
derive: { d: { method: spread, a: rack.temperature } }
${rest}
`,
  );
  return loadRig(file, models, methods);
}
const shown = (loaded: Loaded): string[] =>
  (loaded.ok ? loaded.warnings : loaded.messages)
    .filter((m) => !m.text.startsWith('other: '))
    .map((m) => `${m.line}:${m.column}: ${m.text}`);
async function told(rest: string, leases?: Readonly<Record<string, string>>): Promise<string[]> {
  return shown(await load(rest, leases));
}
async function rigOf(rest: string, leases?: Readonly<Record<string, string>>): Promise<Rig> {
  const loaded = await load(rest, leases);
  if (!loaded.ok) throw new Error(shown(loaded).join('\n'));
  expect(shown(loaded)).toEqual([]);
  return loaded.rig;
}
/** A rig whose one interlock has this condition, in line 7 behind 'door: { when: '. */
const when = (condition: string): string => `interlocks:\n  door: { when: ${condition}, forbids: [rack.emission] }`;
const conditionOf = async (condition: string) => (await rigOf(when(condition))).interlocks?.[0]?.when;

describe('an interlock', () => {
  test('comes in SI, latches, trips the hazardous ones of what it forbids, in the order of the rig', async () => {
    const rig = await rigOf(
      `interlocks:
  cooling:
    when: { of: rack.temperature, below: 40 degC, hysteresis: 2 K, for: 3 s, stuck: 10 min, suspect: allowed }
    forbids: [rack.heat, rack.mirror, rack.emission, "rack.hv[1]"]
    latch: true
    guidance: look at the chiller
  stop-button: { when: { of: rack.door, is: on, stale: 1 s }, forbids: all, trips: [rack.emission] }
safe_order: [rack.emission, rack.hv]
stop_file: STOP`,
      { heat: '{ longest: 1 h, deadline: 2 s }', hv: LEASE },
    );
    expect(rig.interlocks).toEqual([
      {
        name: 'cooling',
        when: {
          of: 'rack.temperature',
          kind: 'K',
          test: { is: 'below', limit: 313.15 },
          hysteresis: 2,
          hold: 3,
          stale: 3.5,
          stuck: 600,
          suspect: true,
        },
        forbids: ['rack.heat', 'rack.mirror', 'rack.emission', 'rack.hv[1]'],
        trips: ['rack.emission', 'rack.hv[1]', 'rack.heat'],
        latch: true,
        guidance: 'look at the chiller',
      },
      {
        name: 'stop-button',
        when: { of: 'rack.door', kind: 'flag', test: { is: 'one-of', words: [true] }, hysteresis: 0, hold: 0, stale: 1, suspect: false },
        forbids: ['rack.emission', 'rack.heat', 'rack.hv'],
        trips: ['rack.emission'],
        latch: true,
      },
    ]);
    expect(rig.safeOrder).toEqual(['rack.emission', 'rack.hv']);
    expect(rig.stopFile).toBe(join(scratch, 'STOP'));
    expect(structuredClone(rig)).toEqual(rig);
  });

  test('goes stale after three and a half polls of its own interval, and not before a second', async () => {
    const stale = async (of: string, more = ''): Promise<unknown> => {
      const leaf = await conditionOf(`{ of: ${of}, above: ${more} }`);
      return leaf && 'of' in leaf && leaf.stale;
    };
    expect(await stale('rack.temperature', '300 K')).toBe(3.5);
    expect(await stale('rack.output', '10 %')).toBe(1.75);
    expect(await stale('rack.count', '2')).toBe(1);
  });

  test('follows the interval that the rig wants', async () => {
    writeFileSync(
      file,
      `rig: r
instruments:
  rack:
    model: rack
    link: simulated
    every: { temperature: 4 s }
    leases: { emission: ${LEASE}, heat: unused, hv: unused, blind: unused, deaf: unused }
${when('{ of: rack.spare, above: 300 K }')}
`,
    );
    const loaded = await loadRig(file, models, methods);
    expect(shown(loaded)).toEqual([]);
    expect(loaded.ok && loaded.rig.interlocks?.[0]?.when).toMatchObject({ stale: 14 });
  });

  test.each([
    ['rack.temperature', '5 K/min', 5 / 60],
    ['rack.temperature', '5 degC/min', 5 / 60],
    ['rack.temperature', '0.1 K/s', 0.1],
    ['rack.temperature', '36 K / h', 0.01],
    ['rack.count', '30/min', 0.5],
    ['rack.voltage', '2 mV/ms', 2],
  ])('a slope of %s below %s', async (of, limit, si) => {
    expect(await conditionOf(`{ of: ${of}, slope: 2 min, below: ${limit} }`)).toMatchObject({
      slope: 120,
      test: { is: 'below', limit: expect.closeTo(si, 12) },
    });
  });

  test.each([
    ['on', [true]],
    ['Yes', [true]],
    ['false', [false]],
    ['off', [false]],
  ])('a flag that is %s', async (written, words) => {
    expect(await conditionOf(`{ of: rack.door, is: ${written}, stale: 1 s }`)).toMatchObject({ test: { is: 'one-of', words } });
  });

  test('is whole conditions joined', async () => {
    expect(
      await conditionOf(
        '{ all: [{ of: rack.word, is: [closed, locked] }, { any: [{ of: "rack.voltage[1]", between: [-1 V, 1 kV] }, { of: d.difference, below: -3 K, stale: 5 s }] }] }',
      ),
    ).toMatchObject({
      all: [
        { of: 'rack.word', kind: 'state', test: { words: ['closed', 'locked'] } },
        {
          any: [
            { of: 'rack.voltage', index: 1, test: { is: 'between', lo: -1, hi: 1000 } },
            { of: 'd.difference', kind: 'K', test: { limit: -3 } },
          ],
        },
      ],
    });
  });

  test('says with its own value what broke it', async () => {
    const condition = await conditionOf('{ of: rack.temperature, below: 40 degC }');
    if (!condition) throw new Error('none');
    const w = watched(condition);
    w.see({ from: 'rack.temperature', kind: 'K', t: 0, seq: 0, origin: 'simulator', quality: 'good', value: 314.35 }, 0, 0);
    expect(w.level(0).why).toBe('rack.temperature is 41.2 °C, not below 40.0 °C');
  });
});

describe('a wrong condition is told', () => {
  // The condition begins in column 17 of line 7.
  test.each([
    ['closed', '7:17: a condition is written as "{ of: laser.temperature, below: 40 degC }", not as the text "closed"'],
    [
      '[{ of: rack.door, is: on }]',
      '7:17: a condition is written as "{ of: laser.temperature, below: 40 degC }", not as a list; a list is written behind "all:" or "any:"',
    ],
    [
      '{ below: 3 K }',
      '7:11: this condition has none of "of", "all" and "any"; write "{ of: laser.temperature, below: 40 degC }" or "all: [..., ...]"',
    ],
    [
      '{ all: [], any: [] }',
      '7:28: this condition has "all" and "any"; one of them is wanted; write "{ of: laser.temperature, below: 40 degC }" or "all: [..., ...]"',
    ],
    ['{ all: [] }', '7:24: "all" is a list of conditions such as "- { of: laser.temperature, below: 40 degC }", not an empty one'],
    ['{ of: rack.output, blow: 3 % }', '7:36: there is no "blow" in a condition; did you mean "below"?'],
    ['{ of: door, is: on }', '7:23: "of" is INSTRUMENT.CHANNEL, such as "laser.temperature" or "hv.voltage[3]", not the text "door"'],
    ['{ of: rakc.door, is: on }', '7:23: there is no instrument or derivation "rakc" in this rig; did you mean "rack"?'],
    ['{ of: rack.dor, is: on }', '7:23: "rack" has no channel "dor"; did you mean "door"?'],
    ['{ of: d.diff, above: 3 K }', '7:23: "d" has no channel "diff"; known are difference'],
    [
      '{ of: other.door, is: on }',
      '7:23: what other (bare) has is not known here (the model bare has no simulator), so nothing can be proven of it; an instrument with interlocks needs a simulator that answers',
    ],
    ['{ of: "rack.output[1]", above: 3 % }', '7:23: rack.output is no list: it has no [1]; write "rack.output"'],
    [
      '{ of: rack.image, above: 3, stale: 1 s }',
      '7:23: rack.image gives a trace: a condition looks at a number, a flag or a word; derive one from it',
    ],
    ['{ of: rack.temperature }', '7:11: what rack.temperature must be is missing; it gives a temperature in K: write "below: 300 K"'],
    [
      '{ of: rack.output, above: 3 %, below: 9 % }',
      '7:48: "above" and "below" stand beside each other; for both write "between: [LOW, HIGH]"',
    ],
    [
      '{ of: rack.temperature, is: hot }',
      '7:41: rack.temperature gives a temperature in K, and "is" wants a flag or a word; write "below: 300 K"',
    ],
    ['{ of: rack.door, below: 3, stale: 1 s }', '7:34: rack.door gives a flag, and "below" wants a number; write "is: on"'],
    [
      '{ of: rack.door, is: closed, stale: 1 s }',
      '7:38: rack.door gives a flag: write "is: on" or "is: off" (true and false, yes and no are the same), not the text "closed"',
    ],
    [
      '{ of: rack.word, is: [idle, true] }',
      '7:45: rack.word gives words: write "is: WORD", in quotes where YAML takes it for something else: "true", not true',
    ],
    [
      '{ of: rack.temperature, below: 2 bar }',
      '7:48: rack.temperature gives K: "2 bar" is a pressure in Pa; a temperature in K is wanted here, such as "300 K"',
    ],
    [
      '{ of: rack.temperature, below: 300 }',
      '7:48: rack.temperature gives K: "300" has no unit; a temperature in K is wanted here, such as "300 K"',
    ],
    [
      '{ of: rack.output, below: 40 +- 1 % }',
      '7:43: rack.output gives a number without unit: "40 +- 1 %" must be one number, without an uncertainty',
    ],
    ['{ of: rack.temperature, between: [400 K, 300 K] }', '7:50: the lower limit (400 K) is above the upper one (300 K)'],
    [
      '{ of: rack.temperature, below: 400 K, hysteresis: 2 degC }',
      '7:67: rack.temperature: "2 degC" is a temperature, and a difference of temperatures is wanted here: write "2 K"',
    ],
    ['{ of: rack.output, below: 40 %, hysteresis: -2 % }', '7:61: "-2 %" must be zero or more'],
    [
      '{ of: rack.emission, is: off, hysteresis: 1 }',
      '7:47: rack.emission gives a flag: it has no hysteresis; "for: 3 s" is how long it must have been right',
    ],
    [
      '{ of: rack.temperature, slope: 1 min, below: 5 K }',
      '7:62: rack.temperature gives K: a change per time is wanted here, such as "5 K/min", not the text "5 K"',
    ],
    [
      '{ of: rack.temperature, slope: 1 min, below: 5 Pa/min }',
      '7:62: rack.temperature gives K: "5 Pa/min": "5 Pa" is a pressure in Pa; a temperature in K is wanted here, such as "300 K"',
    ],
    [
      '{ of: rack.temperature, slope: 1 min, below: 5 K/V }',
      '7:62: rack.temperature gives K: "5 K/V" is not per time; a change per time is wanted here, such as "5 K/min"',
    ],
    [
      '{ of: rack.temperature, slope: 1 s, below: 5 K/min }',
      '7:48: rack.temperature is read every 1 s: "slope" must be at least 2 s, and more is better',
    ],
    [
      '{ of: rack.temperature, stuck: 1 s, below: 300 K }',
      '7:48: rack.temperature is read every 1 s: "stuck" must be at least 2 s, and more is better',
    ],
    [
      '{ of: rack.temperature, stale: 1.5 s, below: 300 K }',
      '7:48: rack.temperature is read every 1 s: "stale" must be at least 2 s, or one answer that is late takes it for silent; or read it more often ("every: { temperature: 380 ms }")',
    ],
    [
      '{ of: rack.door, is: on }',
      '7:11: "stale" is missing: rack.door comes by itself, so write how old its last reading may be, such as "stale: 5 s"',
    ],
    [
      '{ of: d.difference, above: 1 K }',
      '7:11: "stale" is missing: d.difference is derived, so write how old its last reading may be, such as "stale: 5 s"',
    ],
    ['{ of: rack.output, above: 3 %, suspect: maybe }', '7:57: "suspect" is one of allowed, refused, not the text "maybe"'],
  ])('%s', async (condition, message) => {
    expect(await told(when(condition))).toEqual([message]);
  });
});

describe('a condition that is useless is told', () => {
  test.each([
    ['{ of: rack.temperature, below: 1e9 K }', '7:41: this cannot fail: rack.temperature can only be from 200 to 500 K'],
    ['{ of: rack.temperature, above: 600 K }', '7:41: this can never hold: rack.temperature can only be from 200 to 500 K'],
    ['{ of: rack.temperature, between: [0 K, 500 K] }', '7:41: this cannot fail: rack.temperature can only be from 200 to 500 K'],
    ['{ of: rack.mode, is: fsat }', '7:34: this can never hold: rack.mode shows slow or fast or idle'],
    ['{ of: rack.mode, is: [fast, slow, idle] }', '7:34: this cannot fail: rack.mode shows slow or fast or idle'],
    ['{ of: rack.emission, is: [on, off] }', '7:38: this cannot fail: rack.emission shows on or off'],
    [
      '{ of: rack.temperature, between: [300 K, 310 K], hysteresis: 6 K }',
      '7:41: once broken this can never hold again: its hysteresis leaves nothing over',
    ],
    [
      '{ of: rack.temperature, above: 490 K, hysteresis: 20 K }',
      '7:41: once broken this can never hold again: its hysteresis leaves nothing over: rack.temperature can only be from 200 to 500 K',
    ],
    [
      '{ all: [{ of: rack.temperature, below: 300 K }, { of: rack.count, above: 3 }, { of: rack.temperature, above: 300 K }] }',
      '7:19: this can never hold: its parts contradict each other',
    ],
    [
      '{ any: [{ of: rack.temperature, below: 310 K }, { of: rack.temperature, above: 300 K }] }',
      '7:19: this cannot fail: whatever the channels show, one of its parts holds',
    ],
    [
      '{ any: [{ of: rack.temperature, below: 300 K }, { of: rack.temperature, above: 300 K }] }',
      '7:19: this cannot fail: whatever the channels show, one of its parts holds',
    ],
    [
      '{ any: [{ of: rack.output, above: 3 % }, { all: [{ of: rack.word, is: a }, { of: rack.word, is: b }] }] }',
      '7:60: this can never hold: its parts contradict each other',
    ],
    [
      '{ all: [{ of: rack.temperature, below: 310 K, hysteresis: 8 K }, { of: rack.temperature, above: 290 K, hysteresis: 12 K }] }',
      '7:19: once broken this can never hold again: with their hysteresis its parts contradict each other',
    ],
    [
      '{ all: [{ of: rack.spare, slope: 1 min, below: 1 K/min }, { of: rack.spare, slope: 1 min, above: 2 K/min }] }',
      '7:19: this can never hold: its parts contradict each other',
    ],
  ])('%s', async (condition, message) => {
    expect(await told(when(condition))).toEqual([message]);
  });

  test('once, where it begins', async () => {
    expect(await told(when('{ all: [{ of: rack.temperature, above: 600 K }, { of: rack.count, above: 3 }] }'))).toEqual([
      '7:49: this can never hold: rack.temperature can only be from 200 to 500 K',
    ]);
  });

  test.each([
    '{ of: rack.temperature, above: 200 K }', // exactly 200 K is possible
    '{ of: d.difference, below: -3 K, stale: 1 s }', // a difference
    '{ any: [{ of: rack.count, below: 3 }, { of: rack.count, above: 3 }] }', // a count that must not be 3
    '{ all: [{ of: "rack.voltage[0]", below: 3 V }, { of: "rack.voltage[1]", above: 3 V }] }', // two indices
    '{ all: [{ of: rack.spare, slope: 1 min, below: 1 K/min }, { of: rack.spare, above: 400 K }] }', // slope and value
    '{ of: rack.temperature, between: [300 K, 310 K], hysteresis: 5 K }',
    '{ any: [{ of: rack.word, is: a }, { of: rack.word, is: b }] }', // other words are possible
  ])('%s is right', async (condition) => {
    expect(await told(when(condition))).toEqual([]);
  });
});

describe('what an interlock does', () => {
  const right = '{ of: rack.door, is: on, stale: 1 s }';
  const lock = (more: string, name = 'door'): string => `interlocks:\n  ${name}: { when: ${right}, ${more} }`;
  test.each([
    ['forbids: []', {}, '7:65: this forbids nothing; write the commands, or "all"'],
    ['forbids: rack.emission', {}, '7:65: "forbids" is "all" or a list of commands such as [laser.emission], not the text "rack.emission"'],
    [
      'forbids: [emission]',
      {},
      '7:66: a command is INSTRUMENT.COMMAND, such as "laser.emission" or "hv.voltage[3]", not the text "emission"',
    ],
    ['forbids: [rakc.emission]', {}, '7:66: there is no instrument "rakc" in this rig; did you mean "rack"?'],
    ['forbids: [rack.emision]', {}, '7:66: rack (rack) has no command "emision"; did you mean "emission"?'],
    ['forbids: [rack.mirror, rack.mirror]', {}, '7:79: "rack.mirror" is there twice'],
    [
      'forbids: [rack.heat]',
      {},
      '7:66: rack.heat is "unused" in this rig, and its orders are refused anyway: leave it out, or give it a lease such as { longest: 30 min, deadline: 0.5 s, then: safe }',
    ],
    [
      'forbids: ["rack.hv[2]"]',
      { hv: `{ longest: 1 h, deadline: 1 s, interlock: none }` },
      '7:66: rack.hv has the indices 0 to 1; write "rack.hv" for all of them',
    ],
    ['forbids: ["rack.mirror[0]"]', {}, '7:66: rack.mirror has no index; write "rack.mirror"'],
    [
      'forbids: [other.shutter]',
      {},
      '7:66: what other (bare) has is not known here (the model bare has no simulator), so nothing can be proven of it; an instrument with interlocks needs a simulator that answers',
    ],
    [
      'forbids: [rack.emission], trips: rack.emission',
      {},
      '7:89: "trips" is a list of hazardous commands such as [laser.emission, laser.current], not the text "rack.emission"',
    ],
    ['forbids: [rack.emission], trips: [rack.mode]', {}, '7:90: rack.mode has no safe value: it cannot be tripped, only forbidden'],
    [
      'forbids: [rack.emission], latch: maybe',
      {},
      '7:89: "latch" is true (it stays until somebody acknowledges) or false, not the text "maybe"',
    ],
    ['forbids: [rack.emission], gidance: x', {}, '7:82: there is no "gidance" in "door"; did you mean "guidance"?'],
    ['trips: [rack.emission]', {}, '7:3: "forbids" is missing in "door"; write "forbids: [laser.emission]"'],
  ])('%s', async (more, leases, message) => {
    const messages = await told(lock(more), leases as Readonly<Record<string, string>>);
    expect(messages.filter((one) => !one.includes('no interlock forbids rack.emission'))).toEqual([message]);
  });

  test('its name must not mean something else', async () => {
    expect(await told(`${lock('forbids: [rack.emission]', 'stop')}`)).toEqual([
      '7:3: "stop" means something else to "bridgman acknowledge"; give the interlock another name',
    ]);
    expect(await told(`${lock('forbids: [rack.emission]')}\nalarms: { door: { when: { of: rack.temperature, above: 400 K } } }`)).toEqual([
      '7:3: "door" is the name of an alarm as well: who acknowledges one must not mean the other',
    ]);
  });

  test('what is not hazardous may be forbidden, and is not tripped', async () => {
    const rig = await rigOf(lock('forbids: [rack.mirror, rack.emission]'));
    expect(rig.interlocks?.[0]).toMatchObject({ forbids: ['rack.mirror', 'rack.emission'], trips: ['rack.emission'] });
  });

  test('it may forbid alone', async () => {
    expect((await rigOf(lock('forbids: [rack.emission], trips: []'))).interlocks?.[0]?.trips).toEqual([]);
  });

  test('one that looks only at what it switches off is warned of', async () => {
    expect(await told(when('{ of: rack.emission, is: off }'))).toEqual([
      '7:11: "door" looks only at what it switches off (rack.emission): its own act decides whether it holds; let it look at something else as well',
    ]);
    expect(await told(when('{ any: [{ of: rack.emission, is: off }, { of: rack.count, above: 3 }] }'))).toEqual([]);
  });

  test('"all" needs something to forbid', async () => {
    expect(await told(lock('forbids: all'), { emission: 'unused' })).toEqual([
      '7:65: there is no hazardous command with a lease in this rig: this forbids nothing',
    ]);
  });
});

describe('a hazardous command with a lease', () => {
  const missing = 'name it under "forbids" of one below "interlocks:", or write "interlock: none" into its lease if none is wanted';
  test('stands behind an interlock, or says that it wants none', async () => {
    expect(await told('')).toEqual([`4:51: no interlock forbids rack.emission; ${missing}`]);
    expect(await told('', { emission: '{ longest: 1 h, deadline: 1 s, interlock: none }' })).toEqual([]);
    const rig = await rigOf('', { emission: '{ longest: 1 h, deadline: 1 s, interlock: none }' });
    expect(rig.instruments[1]?.leases).toEqual({ emission: { longest: 3600, deadline: 1, then: 'safe', bare: true } });
  });

  test('"interlock" is none or left out', async () => {
    const [first] = await told(when('{ of: rack.count, above: 3 }'), { emission: '{ longest: 1 h, deadline: 1 s, interlock: door }' });
    expect(first).toBe('4:103: "interlock" is one of none, not the text "door"');
  });

  test('one that says so without need is warned of', async () => {
    expect(await told(when('{ of: rack.count, above: 3 }'), { emission: '{ longest: 1 h, deadline: 1 s, interlock: none }' })).toEqual([
      '4:92: an interlock forbids rack.emission: "interlock: none" says the opposite and is not needed',
    ]);
  });

  test('of several indices each does', async () => {
    const some = (forbids: string): string =>
      `interlocks:\n  a: { when: { of: rack.count, above: 3 }, forbids: [rack.emission, ${forbids}] }`;
    const leases = { hv: LEASE };
    const column = '4:108';
    expect(await told(some('"rack.hv[1]"'), leases)).toEqual([`${column}: no interlock forbids rack.hv[0]; ${missing}`]);
    expect(await told(some('"rack.hv[1]", "rack.hv[0]"'), leases)).toEqual([]);
    expect(await told(some('rack.hv'), leases)).toEqual([]);
    expect(await told(when('{ of: rack.count, above: 3 }'), leases)).toEqual([`${column}: no interlock forbids rack.hv; ${missing}`]);
  });

  test('a wrong condition is not told twice', async () => {
    expect(await told(when('{ of: rack.cuont, above: 3 }'))).toEqual(['7:23: "rack" has no channel "cuont"; did you mean "count"?']);
  });

  test('can be read back', async () => {
    const leases = { emission: 'unused', blind: LEASE, deaf: LEASE };
    const errors = await told('interlocks:\n  a: { when: { of: rack.count, above: 3 }, forbids: all }', leases);
    expect(errors).toEqual([
      expect.stringMatching(
        /^4:\d+: "blind" of rack has no readback, so a safe order could never be read back; only "blind: unused" is possible$/,
      ),
      expect.stringMatching(/^4:\d+: "deaf" of rack is read back from "entered", which the instrument neither is asked for nor sends, so/),
    ]);
  });

  test('has evidence twice within its deadline, at the interval that the rig wants', async () => {
    writeFileSync(
      file,
      `rig: r\ninstruments:\n  guard:\n    model: guard\n    link: simulated\n    every: { button: 0.6 s }\n    leases: { relay: { longest: 1 h, deadline: 1 s, interlock: none } }\n`,
    );
    expect(shown(await loadRig(file, models, methods))).toEqual([
      '7:15: the deadline of 1 s is too short: "relay", which shows that "relay" is in order, is read every 0.6 s; write a deadline of at least 1.2 s, or "every: { relay: 0.25 s }"',
    ]);
  });

  test('of an instrument that is not known here wants none', async () => {
    writeFileSync(
      file,
      `rig: r\ninstruments:\n  other: { model: bare, link: simulated, leases: { x: ${LEASE}, y: { longest: 1 h, deadline: 1 s, interlock: none } } }\n`,
    );
    expect(shown(await loadRig(file, models, methods))).toEqual([
      '3:52: what other (bare) has is not known here (the model bare has no simulator), so nothing can be proven of it; an instrument with interlocks needs a simulator that answers; if none is wanted for "x", write "interlock: none" into its lease',
    ]);
  });
});

describe('a watchdog', () => {
  const rigWith = async (emission: string, relay = '{ longest: 1 h, deadline: 1 s, interlock: none }'): Promise<Loaded> => {
    const others = Object.entries(UNUSED).filter(([name]) => name !== 'emission');
    writeFileSync(
      file,
      `rig: r
instruments:
  guard: { model: guard, link: simulated, leases: { relay: ${relay} } }
  rack: { model: rack, link: simulated, leases: { ${others.map(([n, l]) => `${n}: ${l}`).join(', ')}, emission: { longest: 1 h, interlock: none, ${emission} } } }
`,
    );
    return loadRig(file, models, methods);
  };

  test('holds an output that the rig gives it', async () => {
    const loaded = await rigWith('deadline: 0.5 s, held_by: guard');
    expect(loaded.ok && loaded.rig.instruments[1]?.leases.emission).toEqual({
      longest: 3600,
      deadline: 0.5,
      then: 'safe',
      bare: true,
      heldBy: 'guard',
    });
    expect(loaded.ok && loaded.shapes.get('guard')?.watchdog).toEqual({ holds: ['relay'], limits: [0.2, 10], readback: 'timeout' });
  });

  test.each([
    ['deadline: 0.5 s, held_by: gaurd', undefined, 'there is no instrument "gaurd" in this rig; did you mean "guard"?'],
    ['deadline: 0.5 s, held_by: rack', undefined, '"rack" has no watchdog: it cannot hold an output; guard can'],
    ['deadline: 0.5 s, held_by: 3', undefined, '"held_by" is a text such as "guard", not 3'],
    [
      'deadline: 20 s, held_by: guard',
      undefined,
      'the watchdog of guard, which holds rack.emission, can be set to 0.2 to 10 s, and the deadline is 20 s',
    ],
    [
      'deadline: 1 s',
      '{ longest: 1 h, deadline: 1 min, interlock: none }',
      'the watchdog of guard, which holds guard.relay, can be set to 0.2 to 10 s, and the deadline is 60 s',
    ],
  ])('%s is told', async (emission, relay, message) => {
    expect(shown(await rigWith(emission, relay)).map((one) => one.replace(/^\d+:\d+: /, ''))).toEqual([message]);
  });
});

describe('the order of safety', () => {
  test.each([
    [
      'safe_order: rack.emission',
      '8:13: "safe_order" is a list of hazardous commands such as [laser.emission, gas.control], not the text "rack.emission"',
    ],
    ['safe_order: [rack.emision]', '8:14: rack (rack) has no command "emision"; did you mean "emission"?'],
    ['safe_order: [rack.mode]', '8:14: rack.mode has no safe value: it is not hazardous'],
    ['safe_order: [rack.emission, rack.emission]', '8:29: "rack.emission" is there twice'],
    ['safe_order: ["rack.hv[0]"]', '8:14: a command is INSTRUMENT.COMMAND, such as "laser.emission", not the text "rack.hv[0]"'],
    ['stop_file: 3', '8:12: "stop_file" is a text such as "STOP", not 3'],
    [
      'stop_file: rig.yaml',
      '8:12: "stop_file" is the name of a file that is not there until somebody wants a stop, such as "STOP", not the text "rig.yaml"',
    ],
  ])('%s', async (line, message) => {
    expect(await told(`${when('{ of: rack.count, above: 3 }')}\n${line}`)).toEqual([message]);
  });
});
