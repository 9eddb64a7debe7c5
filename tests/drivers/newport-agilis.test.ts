import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import driver from '../../drivers/newport-agilis.ts';
import { latin1 } from '../../protocols/protocol.ts';
import simulated from '../../simulators/newport-agilis.ts';
import type { Catalogue } from '../../src/catalogue.ts';
import { Refused } from '../../src/instrument.ts';
import { faultyLink } from '../../src/links/faulty.ts';
import { laboratory, rigOf } from '../laboratory.ts';
import { place } from './place.ts';

type Given = Readonly<Record<string, unknown>>;
const bench = (options: Given = {}, simulate: Given = {}) => {
  const all = place(driver, simulated, [{ name: 'mirrors', options, simulate }]);
  all.clock.advance(4);
  const [unit] = all.units;
  return { ...all, unit, state: unit.state as ReturnType<typeof simulated.state> };
};
type Bench = ReturnType<typeof bench>;
const shown = ({ unit }: Bench) =>
  Object.fromEntries(
    Object.keys(unit.acquired.channels).map((c) => {
      const r = unit.acquired.latest(c);
      return [c, r === undefined ? undefined : r.quality === 'bad' ? r.why : r.value];
    }),
  );
const UC8 = { motors: { up_x: { channel: 1, axis: 1 }, up_y: { channel: 1, axis: 2 }, down_x: { channel: 3, axis: 1 } } };

describe('readings', () => {
  test('are counts of steps, states and amplitudes', () => {
    const b = bench();
    expect(b.unit.acquired.state).toEqual({ is: 'running' });
    expect(b.unit.acquired.id).toEqual({ model: 'AG-UC2', firmware: '2.2.1' });
    expect(b.unit.acquired.channels).toMatchObject({ axis1_steps: '1', axis1_state: 'state', remote: 'flag' });
    expect(shown(b)).toEqual({
      remote: true,
      axis1_state: 'ready',
      axis1_steps: 0,
      axis2_state: 'ready',
      axis2_steps: 0,
      axis1_forward: 16,
      axis1_backward: 16,
      axis2_forward: 16,
      axis2_backward: 16,
    });
  });

  test('nothing but questions is sent on connecting, and no channel is selected', () => {
    for (const b of [bench(), bench(UC8, { model: 'AG-UC8' })]) {
      b.clock.advance(60);
      const lines = new Set(b.sent(true).flatMap((s) => s.split('\r\n')));
      for (const line of lines) expect(line).toMatch(/^(|VE|TE|PH|CC\?|[12](TS|TP|SU[+-]\?))$/);
    }
  });

  test('in local mode the reason and its cure are said, and the line stays trusted', () => {
    const b = bench({}, { mode: 'local' });
    b.clock.advance(30);
    expect(b.unit.acquired.state).toEqual({ is: 'running' });
    expect(shown(b)).toMatchObject({
      remote: false,
      axis1_state: 'ready',
      axis1_steps: 'the controller is in local mode, where its push buttons act; order "remote"',
    });
    expect(b.unit.states.filter((s) => s.is === 'silent')).toEqual([]);
    expect(b.unit.order('axis1_move', 10)).toBe('the controller refuses 1PR10: error -5 (not allowed in local mode; order "remote" first)');
    expect(b.unit.order('remote', true)).toBe('done');
    b.clock.advance(1);
    expect(shown(b)).toMatchObject({ remote: true, axis1_steps: 0 });
    expect(b.unit.order('remote', false)).toBe('done');
    b.clock.advance(1);
    expect(shown(b)).toMatchObject({ remote: false });
  });

  test('of an AG-UC8 those of the channel that is driven', () => {
    const b = bench(UC8, { model: 'AG-UC8' });
    const other = 'its channel is not the one that is driven (CC1): a move of it makes it so';
    expect(shown(b)).toMatchObject({
      up_x_steps: 0,
      up_y_state: 'ready',
      up_y_forward: 16,
      down_x_steps: other,
      down_x_state: other,
      down_x_backward: other,
    });
    b.sent();
    expect(b.unit.order('down_x_move', -5)).toBe('done');
    expect(b.sent()).toEqual(['CC?\r\nTE\r\n', 'CC3\r\nTE\r\n', '1PR-5\r\nTE\r\n']);
    b.clock.advance(12);
    expect(shown(b)).toMatchObject({ down_x_steps: -5, down_x_forward: 16, up_x_steps: expect.stringContaining('(CC3)') });
    expect(b.state.motors.map((m) => m.count)).toEqual([0, 0, 0, 0, -5, 0, 0, 0]);
    expect(b.unit.acquired.id).toEqual({ model: 'AG-UC8', firmware: '2.2.1' });
  });
  test('of an AG-UC8 that does not tell its channel there are none, but its motors move', () => {
    const b = bench(UC8, { model: 'AG-UC8', tells_channel: 'no' });
    expect(shown(b)).toMatchObject({ remote: true, up_x_steps: 'error -3 (wrong format of the number)' });
    b.sent();
    expect(b.unit.order('down_x_move', 7)).toBe('done');
    expect(b.sent()).toEqual(['CC?\r\nTE\r\n', 'CC3\r\nTE\r\n', '1PR7\r\nTE\r\n']);
    expect(b.state.motors[4].count).toBe(7);
  });
  test('of an AG-UC8 in local mode there are none', () => {
    const b = bench(UC8, { model: 'AG-UC8', mode: 'local' });
    expect(shown(b)).toMatchObject({
      remote: false,
      up_x_steps: expect.stringContaining('local mode'),
      up_x_forward: expect.stringContaining('local mode'),
    });
  });
});

describe('orders', () => {
  test('are literal bytes, each with its TE', () => {
    const b = bench();
    b.sent();
    for (const [name, value] of [
      ['axis1_move', -250],
      ['axis2_jog', 3],
      ['axis2_stop'],
      ['axis1_zero'],
      ['axis2_forward', 30],
      ['axis2_backward', 12],
      ['axis1_delay', 0.0004],
      ['stop'],
      ['remote', true],
    ] as const)
      expect([name, b.unit.order(name, value)]).toEqual([name, 'done']);
    expect(b.sent().map((s) => s.replace(/\r\nTE\r\n$/, ''))).toEqual([
      '1PR-250',
      '2JA3',
      '2ST',
      '1ZP',
      '2SU+30',
      '2SU-12',
      '1DL40',
      '1ST',
      '2ST',
      'MR',
    ]);
    b.clock.advance(10);
    expect(shown(b)).toMatchObject({ axis1_steps: 0, axis2_forward: 30, axis2_backward: 12 });
    expect(b.state.motors[0].delay).toBe(40);
  });

  test('a move takes its time and ends where its counter says; to a count it goes by the difference', () => {
    const b = bench();
    b.unit.order('axis1_move', 1500, { within: 1 });
    expect(shown(b)).toMatchObject({ axis1_state: 'stepping' });
    b.clock.advance(2);
    expect(shown(b)).toMatchObject({ axis1_state: 'ready', axis1_steps: 1500 });
    b.sent();
    expect(b.unit.order('axis1_to', 1400)).toBe('done');
    expect(b.sent().at(-1)).toBe('1PR-100\r\nTE\r\n');
    b.clock.advance(1);
    expect(shown(b)).toMatchObject({ axis1_steps: 1400 });
    expect(b.unit.acquired.commands.axis1_to.readback).toMatchObject({ channel: 'axis1_steps', by: 0.5 });
  });

  test('what the controller refuses has its error with its name', () => {
    const b = bench();
    b.unit.order('axis1_jog', 1, { within: 1 });
    expect(shown(b)).toMatchObject({ axis1_state: 'jogging' });
    expect(b.unit.order('axis1_move', 10)).toBe('the controller refuses 1PR10: error -6 (not allowed while a motor moves)');
    expect(b.unit.order('axis1_move', 0.5)).toBe('0.5 is no whole number of steps');
    expect(b.unit.order('axis1_forward', 60)).toBe('the controller refuses 1SU+60: error -4 (number out of range)');
    expect(b.unit.order('stop')).toBe('done');
    b.clock.advance(1);
    expect(shown(b)).toMatchObject({ axis1_state: 'ready' });
    const eight = bench(UC8, { model: 'AG-UC8' });
    eight.unit.order('up_x_jog', 1);
    expect(eight.unit.order('down_x_move', 1)).toBe('the controller refuses CC3: error -6 (not allowed while a motor moves)');
    expect(eight.unit.order('reset')).toBe('done');
    eight.clock.advance(2);
    expect(shown(eight)).toMatchObject({ remote: false });
    expect(eight.unit.states.filter((s) => s.is === 'silent')).toEqual([]);
  });

  test('a position is measured where there is a limit switch', () => {
    const b = bench({ motors: { x: { axis: 1, limit_switch: true }, y: { axis: 2 } } }, { travel: 10_000 });
    expect(shown(b)).toMatchObject({ x_limit: false, x_position: 'not measured yet' });
    expect(Object.keys(b.unit.acquired.commands).filter((c) => /measure|position|to_limit/.test(c))).toEqual([
      'x_to_limit',
      'x_measure',
      'x_position',
    ]);
    b.sent();
    expect([b.unit.order('x_measure', undefined, { within: 10 }), b.unit.order('x_position', 0.25, { within: 10 })]).toEqual([
      'done',
      'done',
    ]);
    expect(b.sent().filter((s) => /MA|PA/.test(s))).toEqual(['1MA\r\n', '1PA250\r\n']);
    expect(b.state.motors[0].place).toBe(0.25);
    expect(b.unit.order('x_to_limit', 3, { within: 20 })).toBe('done');
    expect(shown(b)).toMatchObject({ x_limit: true, x_state: 'ready' });
    expect(b.unit.states.filter((s) => s.is === 'silent')).toEqual([]);
  });

  test('with TE in a write of its own, the same', () => {
    const b = bench({ confirm: 'apart' });
    expect(shown(b)).toMatchObject({ remote: true, axis1_steps: 0, axis1_forward: 16 });
    b.sent();
    expect(b.unit.order('axis1_move', 20)).toBe('done');
    expect(b.sent()).toEqual(['1PR20\r\n', 'TE\r\n']);
    expect(b.unit.order('axis1_forward', 60)).toBe('the controller refuses 1SU+60: error -4 (number out of range)');
    b.clock.advance(10);
    expect(shown(b)).toMatchObject({ axis1_steps: 20 });
  });
});

describe('options and family', () => {
  test.each([
    [{ motors: { x: { axis: 3 } } }, 'motors: x: axis: must be a whole number from 1 to 2, not 3'],
    [{ motors: { x: { axes: 1 } } }, 'motors: x: there is no "axes" here; did you mean "axis"?'],
    [{ motors: { x: { axis: 1 }, y: { axis: 1 } } }, 'motors: y: is axis 1 of channel 1, and so is x'],
    [{ motors: {} }, /must have one motor/],
    [{ motors: { x: { axis: 1, limit_switch: 'yes' } } }, 'motors: x: limit_switch: must be on or off, not the text "yes"'],
  ])('%j', (options, message) => {
    const p = driver.options.parse(options);
    expect(p instanceof Refused ? p.why : 'taken').toMatch(message);
  });
  test('a motor on a channel that the controller has not is refused, and so is another controller', () => {
    expect(bench(UC8).unit.acquired.state).toEqual({ is: 'refused', why: 'an AG-UC2 has channel 1 alone, and down_x is on channel 3' });
    const identified = (line: string) => {
      const talk = driver.identify(
        {
          main: {
            // biome-ignore lint/correctness/useYield: answers at once
            *ask() {
              return { line, error: 0 };
            },
          },
        } as never,
        { motors: [], confirm: 'together' },
      ); // it only asks
      return talk.next().value;
    };
    expect(identified('AG-UC8PC v2.2.1')).toEqual({ model: 'AG-UC8', firmware: '2.2.1' });
    expect(identified('AG-XX v1')).toBeInstanceOf(Refused);
  });
  test('whatever stands in the options, it is taken or refused with a sentence', () => {
    const leaf = fc.oneof(fc.anything(), fc.constantFrom(1, 2, true));
    const motor = fc.oneof(leaf, fc.dictionary(fc.constantFrom('axis', 'channel', 'limit_switch', 'x'), leaf, { maxKeys: 3 }));
    fc.assert(
      fc.property(
        fc.oneof(fc.anything(), fc.record({ motors: fc.dictionary(fc.constantFrom('x', 'y', 'constructor', 'a b'), motor) })),
        (yaml) => {
          const p = driver.options.parse(yaml);
          if (p instanceof Refused) return;
          for (const model of ['AG-UC2', 'AG-UC8'])
            for (const poll of driver.body(p, { model, firmware: '1' }).polls ?? [])
              expect(poll.read(poll.example[0], { asked: 0, t: 0 })).toMatchObject(poll.example[1]);
        },
      ),
    );
  });
});

test('on a bad day no count is ever another motor', () => {
  const known: Catalogue = { instruments: new Map([['newport-agilis', driver]]), simulators: new Map([['newport-agilis', simulated]]) };
  const lab = laboratory(rigOf('newport-agilis', known), known, {
    wrap: (link, wire, clock) =>
      faultyLink(link, clock, { seed: 5, name: wire.key, drop: 0.03, delay: 0.05, longest: 3, cut: 0.02, echo: 0.02 }),
  });
  const state = lab.simulated.device('newport-agilis')?.state as ReturnType<typeof simulated.state>;
  state.motors[0].count = 1111;
  state.motors[1].count = -2222;
  lab.clock.advance(600);
  for (const [axis, count] of [
    [1, 1111],
    [2, -2222],
  ]) {
    const good = lab.readings(`newport-agilis.axis${axis}_steps`).filter((r) => r.quality === 'good');
    expect(good.length).toBeGreaterThan(100);
    expect(new Set(good.map((r) => (r.quality === 'bad' ? undefined : r.value)))).toEqual(new Set([count]));
  }
});

describe('the simulator, to others', () => {
  const device = (options: Given = {}) => {
    const { all, clock } = place(driver, simulated, [{ name: 'a' }]);
    const one = all.device('b', simulated, simulated.options.parse(options) as never); // its own options
    return {
      say: (line: string) => latin1(one.ask('main', Buffer.from(`${line}\r\n`, 'latin1')) ?? new Uint8Array()).replace('\r\n', ''),
      wait: (s: number) => {
        clock.advance(s);
        all.settle();
      },
    };
  };
  const talk = (lines: readonly (readonly [string, string])[], options: Given = {}) => {
    const { say } = device(options);
    expect(lines.map(([line]) => [line, say(line)])).toEqual(lines);
  };

  test('InstrumentKit: blanks between the parts', () => {
    talk([
      ['RS', ''],
      ['VE', 'AG-UC2 v2.2.1'],
      ['1 TP', ''],
      ['TE', 'TE-5'],
      ['MR', ''],
      ['TE', 'TE0'],
      ['1 TS', '1TS0'],
      ['1 JA?', '1JA0'],
      ['1 TP', '1TP0'],
      ['1 PR 1000', ''],
      ['1 TS', '1TS1'],
      ['1 PR?', '1PR1000'],
      ['1 ST', ''],
      ['1 TS', '1TS0'],
      ['1 SU 10', ''],
      ['1 SU -20', ''],
      ['1 SU-?', '1SU-20'],
      ['1 SU+?', '1SU+10'],
      ['1 DL 40', ''],
      ['1 DL?', '1DL40'],
      ['1 ZP', ''],
      ['PH', 'PH0'],
      ['1 JA 3', ''],
      ['2 JA -4', ''],
      ['1 TS', '1TS2'],
      ['1 JA 0', ''],
      ['1 TS', '1TS0'],
      ['ML', ''],
      ['TE', 'TE-6'],
      ['2 ST', ''],
      ['ML', ''],
      ['TE', 'TE0'],
    ]);
  });
  test('QMI and QCoDeS, on an AG-UC8', () => {
    talk(
      [
        ['MR', ''],
        ['TE', 'TE0'],
        ['VE', 'AG-UC8 v2.2.1'],
        ['CC2', ''],
        ['TE', 'TE0'],
        ['CC?', 'CC2'],
        ['PH', 'PH0'],
        ['1SU+30', ''],
        ['1SU+?', '1SU+30'],
        ['1SU-12', ''],
        ['1SU-?', '1SU-12'],
        ['2JA-4', ''],
        ['TE', 'TE0'],
        ['2TS', '2TS2'],
        ['CC1', ''],
        ['TE', 'TE-6'],
        ['2ST', ''],
        ['CC1', ''],
        ['TE', 'TE0'],
        ['1SU+?', '1SU+16'],
        ['CC5', ''],
        ['TE', 'TE-4'],
      ],
      { model: 'AG-UC8' },
    );
  });
  test('agilis_control.py of a laser-heating laboratory: never a question', () => {
    talk(
      [
        ['MR', ''],
        ['CC1', ''],
        ['1PR-50', ''],
        ['CC1', ''],
        ['1JA2', ''],
        ['CC1', ''],
        ['1ST', ''],
        ['TE', 'TE0'],
        ['1TS', '1TS0'],
      ],
      { model: 'AG-UC8' },
    );
  });
  test('every error', () => {
    talk([
      ['XX', ''],
      ['TE', 'TE-1'],
      ['TE', 'TE0'],
      ['', ''],
      ['CC1', ''],
      ['TE', 'TE-1'],
      ['3TP', ''],
      ['TE', 'TE-2'],
      ['TP', ''],
      ['TE', 'TE-2'],
      ['1VE', ''],
      ['TE', 'TE-2'],
      ['1PRx', ''],
      ['TE', 'TE-3'],
      ['1TP5', ''],
      ['TE', 'TE-3'],
      ['1PR1.5', ''],
      ['TE', 'TE-3'],
      ['1JA5', ''],
      ['TE', 'TE-4'],
      ['1SU0', ''],
      ['TE', 'TE-4'],
      ['1PR2147483648', ''],
      ['TE', 'TE-4'],
      ['1MA', ''],
      ['TE', 'TE-6'],
    ]);
    talk(
      [
        ['1PR1', ''],
        ['TE', 'TE-5'],
        ['PH', ''],
        ['TE', 'TE-5'],
        ['1TS', '1TS0'],
      ],
      { mode: 'local' },
    );
  });
  test('while a position is measured nothing is heard', () => {
    const { say, wait } = device({ travel: 1000 });
    expect([say('1PA900'), say('1TP'), say('TE')]).toEqual(['', '', '']);
    wait(6);
    expect([say('1TP'), say('PH')]).toEqual(['1TP0', 'PH0']);
  });
});
