import { describe, expect, test } from 'vitest';
import caen from '../../drivers/caen-hv.ts';
import { caenTell, readCaenAsk } from '../../protocols/caen-hv.ts';
import simulated from '../../simulators/caen-hv.ts';
import { highVoltage } from '../../simulators/worlds/high-voltage.ts';
import { ORDER, SAFE } from '../../src/exchange.ts';
import type { Instrument } from '../../src/instrument.ts';
import { here, Refused } from '../../src/talk.ts';
import { runTalk } from '../../src/talk-run.ts';
import { place } from './place.ts';

type State = ReturnType<typeof simulated.state>;
const supply = (simulate = {}, options = {}) => {
  const bench = place(caen, simulated, [{ name: 'hv', simulate, options }]);
  const [unit] = bench.units;
  const state = unit.state as State; // of the simulator above
  bench.clock.advance(12);
  const world = bench.all.of(highVoltage);
  const load = (channel: number) => world.output(`hv[${channel}]`);
  const now = (channel: string, index?: number) => unit.acquired.latest(channel, index);
  const value = (channel: string, index?: number) => {
    const r = now(channel, index);
    return r === undefined || r.quality === 'bad' ? r?.why : r.value;
  };
  /** An order's talk for one channel; 'done', or why not. */
  const order = (command: string, index: number, wanted: number | boolean | string | undefined, safe = false, within = 3): string => {
    let outcome = 'unfinished';
    const { acquired } = unit;
    runTalk(
      acquired.commands[command].talk(acquired.actors, wanted, index, here),
      {
        instrument: 'hv',
        by: `order:${command}`,
        urgency: safe ? SAFE : ORDER,
        roles: { main: bench.exchange },
        within: 1,
        clock: bench.clock,
      },
      (end) => {
        outcome = end.ok ? 'done' : end.why;
      },
    );
    bench.clock.advance(within);
    return outcome;
  };
  return { ...bench, unit, state, load, now, value, order };
};

const MODELS = [
  ['DT8033', '803x', 8, undefined, 8, 4000, 3e-3],
  ['R8034', '803x', 16, undefined, 16, 6000, 1e-3],
  ['DT1415ET', '803x', 8, undefined, 8, 1000, 1e-3],
  ['NDT1470', 'N14xx', 4, 0, 4, 8100, 3e-3],
  ['DT1471ET', 'N14xx', 4, 0, 4, 5600, 310e-6],
  ['DT5533E', 'DT55xx', 4, undefined, 4, 4000, 3e-3],
  ['DT5534E', 'DT55xx', 4, undefined, 4, 6000, 1e-3],
] as const;

describe('identity', () => {
  test.each(MODELS)('%s is of the family %s, with %d channels', (model, family, count, board, all, volts, amps) => {
    const { unit } = supply({ model });
    expect(unit.acquired.state).toEqual({ is: 'running' });
    expect(unit.acquired.id).toMatchObject({ family, name: model, count, all, firmware: '1.09' });
    expect((unit.acquired.id as { board?: number }).board).toBe(board);
    const { commands } = unit.acquired;
    expect(commands.voltage).toMatchObject({ count, limits: [0, volts], safe: 0 });
    expect(commands.on).toMatchObject({ count, safe: false });
    expect(commands.current_limit.limits?.[1]).toBeCloseTo(amps, 12);
    expect(commands.ramp_up.limits).toEqual([0, 500]);
    expect(
      unit.readings.filter((r) => r.quality === 'bad' && unit.acquired.state.is === 'running' && !/identif|not asked/.test(r.why)),
    ).toEqual([]);
  });

  test.each(MODELS)('%s: every question carries its own form of address, and all channels are one question', (model, family, count) => {
    const { sent, exchanged, clock } = supply({ model });
    exchanged.length = 0;
    sent();
    clock.advance(20);
    const asked = exchanged.flatMap((e) => readCaenAsk(String.fromCharCode(...e.sent).trim()) ?? []);
    expect(asked.length).toBeGreaterThan(50);
    expect(asked.every((q) => q.verb === 'MON' && (q.board === 0) === (family === 'N14xx'))).toBe(true);
    expect(new Set(asked.map((q) => q.channel))).toEqual(new Set([undefined, count]));
  });

  test('a board that is not at address 0 is named by the rig; at another one nobody answers', () => {
    expect(supply({ model: 'NDT1470', address: 7 }, { board: 7 }).unit.acquired.id).toMatchObject({ board: 7, family: 'N14xx' });
    expect(supply({ model: 'NDT1470', address: 7 }, { board: 6 }).unit.acquired.state).toMatchObject({ is: 'silent' });
    expect(supply({ model: 'NDT1470' }, { board: 'none' }).unit.acquired.state).toMatchObject({ is: 'silent' });
    expect(supply({ model: 'DT8033' }, { board: 'none' }).unit.acquired.id).toMatchObject({ family: '803x' });
  });

  test('a family in the rig must be that of the name', () => {
    expect(supply({ model: 'DT5533E' }, { family: 'DT55xx' }).unit.acquired.state).toEqual({ is: 'running' });
    expect(supply({ model: 'DT5533E' }, { family: '803x' }).unit.acquired.state).toEqual({
      is: 'refused',
      why: '"DT5533E" is of the family DT55xx, not 803x as the rig says',
    });
  });

  /** A unit that answers from a table, by question without address and verb: "VMON" of the board, "0 VMON" of channel 0. */
  const told = (table: Readonly<Record<string, string>>, options: Readonly<Record<string, unknown>> = {}) => {
    const model: Instrument = caen;
    const p: unknown = model.options.parse(options);
    const talk = model.identify(
      {
        main: {
          // biome-ignore lint/correctness/useYield: answers at once
          *ask(line: string) {
            const q = readCaenAsk(line.split('\r\n').at(-1) ?? ''); // of two forms of address the plain one
            const value =
              q?.board === undefined ? table[`${q?.verb === 'INFO' ? 'INFO ' : ''}${q?.channel ?? ''} ${q?.par}`.trim()] : undefined;
            return value === undefined ? caenTell({ ok: false, error: 'PAR' }) : caenTell({ ok: true, values: [value] });
          },
        },
      },
      p,
    );
    const { value: id } = talk.next();
    return { p, id, body: () => model.body(p, id) };
  };
  const PLAIN = { BDNAME: 'DT8031 8 CH', BDNCH: '2', '0 VSET': '0', '0 ISET': '0', '0 VMON': '0', '0 IMON': '0', '0 STATUS': '0' };

  test('refuses others, and says why', () => {
    for (const name of ['DT5471', 'V6533', 'SY4527', 'LAMBDA,GEN60-12.5'])
      expect(told({ ...PLAIN, BDNAME: name }).id).toBeInstanceOf(Refused);
    expect(told({ ...PLAIN, BDNCH: '0' }).id).toMatchObject({ why: '"DT8031 8 CH" does not say how many channels it has (BDNCH)' });
    expect(told({ BDNAME: 'DT8031', BDNCH: '1', '0 VSET': '0' }).id).toMatchObject({
      why: '"DT8031" does not have ISET, VMON, IMON, STAT',
    });
    expect(told({}).id).toMatchObject({ why: 'it does not tell its name (BDNAME)' });
  });

  test('a name that is not known can be pinned to a family', () => {
    expect(told({ ...PLAIN, BDNAME: 'X1' }, { family: '803x' }).id).toMatchObject({ family: '803x', name: 'X1', count: 2 });
    expect(told({ ...PLAIN, BDNAME: 'X1' }).id).toBeInstanceOf(Refused);
  });

  test('what a unit lacks is not there, and its own spellings are its own: RDwn, STATUS, Pw', () => {
    const { id, body } = told({ ...PLAIN, '0 PARCHLIST': 'VSET;VMON;RDwn;Pw', '0 RDwn': '50', '0 Pw': 'Off' });
    expect(id).toMatchObject({ spelled: { RDW: 'RDwn', STAT: 'STATUS', VSET: 'VSET' }, power: 'Pw' });
    expect(id).not.toHaveProperty('all');
    const { polls = [], commands = {} } = body();
    const channels = polls.flatMap((poll) => Object.keys(poll.gives));
    expect(channels).toEqual(expect.arrayContaining(['voltage', 'ramp_down']));
    for (const absent of ['ramp_up', 'max_voltage', 'power_down', 'polarity', 'control', 'interlock'])
      expect(channels).not.toContain(absent);
    expect(Object.keys(commands)).toEqual(['voltage', 'on', 'current_limit', 'ramp_down', 'clear_alarm']);
    // Without the form for all channels each is asked for itself.
    const poll = polls.find((one) => 'voltage' in one.gives);
    const asked: string[] = [];
    const talk = poll?.talk({
      main: {
        // biome-ignore lint/correctness/useYield: answers at once
        *ask(q: string) {
          asked.push(q);
          return asked.length === 1 ? '#CMD:OK,VAL:10.5' : '#CMD:OK,VAL:20.5';
        },
      },
    });
    const said = talk?.next().value;
    expect(asked).toEqual(['$CMD:MON,CH:0,PAR:VMON', '$CMD:MON,CH:1,PAR:VMON']);
    expect(poll?.read(said, { asked: 0, t: 0 })).toEqual({ voltage: [10.5, 20.5] });
  });
});

/** Each bit of the word as the manuals have it, and what is said then. */
const BITS = {
  NDT1470:
    'on ramping_up ramping_down over_current over_voltage under_voltage at_max_voltage tripped over_power over_temperature disabled killed interlocked not_calibrated',
  DT5533E:
    'on ramping_up ramping_down over_current over_voltage under_voltage at_max_voltage tripped over_power temperature_warning over_temperature killed interlocked',
  DT8033:
    'on ramping_up ramping_down over_current over_voltage under_voltage tripped over_power temperature_warning over_temperature killed interlocked disabled failed locked at_max_voltage',
} as const;
describe.each(Object.entries(BITS))('the status of %s', (model, names) => {
  const { unit } = supply({ model });
  const body = caen.body({ board: 'auto', family: 'auto', power_down: 'ramp' }, unit.acquired.id as never);
  const poll = body.polls?.find((p) => 'status' in p.gives);
  const read = (...words: readonly string[]) =>
    poll?.read(`#CMD:OK,VAL:${words.join(';')}`, { asked: 0, t: 0 }) as Record<string, unknown[]>;
  const count = unit.acquired.commands.on.count ?? 0;
  const padded = (word: string) => [word, ...Array.from({ length: count - 1 }, () => '00000')];

  test.each(names.split(' ').map((name, bit) => [name, bit] as const))('%s is bit %d, and no other', (name, bit) => {
    const got = read(...padded(String(2 ** bit).padStart(5, '0')));
    for (const flag of names.split(' ')) expect([flag, got[flag][0]]).toEqual([flag, flag === name]);
    expect(got.status[0]).toBe(name.replaceAll('_', ' '));
    expect(got.status[1]).toBe('off');
  });

  test('decimal with zeros in front, and nothing else', () => {
    expect(read(...padded('00011')).ramping_up[0]).toBe(true); // 8 + 2 + 1: octal it would be 9
    for (const word of ['0x1', '-1', '65536', '1.0', '']) expect(read(...padded(word)).on[0]).toMatchObject({ quality: 'bad' });
    expect(() => read('1')).toThrow(`1 answers to ${count} questions`);
    expect(() => poll?.read('nonsense', { asked: 0, t: 0 })).toThrow('is no reply of a CAEN supply');
    expect(poll?.read('#CH:ERR', { asked: 0, t: 0 }).on).toEqual(
      Array.from({ length: count }, () => ({ quality: 'bad', why: 'the supply answers CH:ERR (it has no such channel)' })),
    );
  });
});

describe.each(['NDT1470', 'DT5533E', 'DT8033'] as const)('%s', (model) => {
  test('goes up at its ramp, and down again', () => {
    const { order, value, clock, unit } = supply({ model });
    expect(order('ramp_up', 1, 100)).toBe('done');
    expect(order('ramp_down', 1, 200)).toBe('done');
    expect(order('voltage', 1, 1500)).toBe('done');
    expect(value('set_voltage', 1)).toBe(1500);
    expect([value('voltage', 1), value('status', 1), value('on', 1)]).toEqual([0, 'off', false]);
    expect(order('on', 1, true)).toBe('done');
    expect([value('on', 1), value('ramping_up', 1), value('status', 1)]).toEqual([true, true, 'ramping up']);
    expect(value('voltage', 1)).toBeGreaterThan(100);
    expect(value('voltage', 1)).toBeLessThan(400);
    expect(value('voltage', 0)).toBe(0);
    clock.advance(20);
    expect(value('voltage', 1)).toBeCloseTo(1500, 0);
    expect(value('current', 1)).toBeCloseTo(150e-6, 7);
    expect(value('power', 1)).toBeCloseTo(0.225, 3);
    expect(value('status', 1)).toBe('on');
    expect(order('on', 1, false, true)).toBe('done');
    expect([value('on', 1), value('ramping_down', 1)]).toEqual([false, true]);
    expect(value('voltage', 1)).toBeGreaterThan(500);
    clock.advance(10);
    expect([value('voltage', 1), value('status', 1)]).toEqual([0, 'off']);
    expect(unit.acquired.latest('voltage', 1)).toMatchObject({ kind: 'V', quality: 'good' });
  });

  test('trips when the load takes too much for too long; on again lets go of it', () => {
    const { order, value, clock, load } = supply({ model });
    expect(order('trip_time', 2, 2)).toBe('done');
    expect(order('voltage', 2, 1000)).toBe('done');
    expect(order('on', 2, true, false, 25)).toBe('done');
    load(2).spark = { ohms: 1e5, seconds: 1.9 };
    clock.advance(1); // one look at the status, wherever in the second it is
    expect([value('over_current', 2), value('status', 2)]).toEqual([true, 'over current']);
    clock.advance(20);
    expect([value('tripped', 2), value('on', 2)]).toEqual([false, true]); // a short one passes
    load(2).spark = { ohms: 1e5, seconds: 10 };
    clock.advance(4);
    expect([value('tripped', 2), value('on', 2), value('status', 2)]).toEqual([true, false, 'tripped']);
    expect(value('set_voltage', 2)).toBe(1000);
    clock.advance(20);
    expect(value('voltage', 2)).toBe(0);
    expect(order('on', 2, true)).toBe('done');
    expect([value('tripped', 2), value('on', 2)]).toEqual([false, true]);
  });

  test('what a panel or an input forbids is said', () => {
    const { state, order, value, clock } = supply({ model });
    state.local = true;
    clock.advance(3);
    if (model !== 'DT5533E') expect(value('control')).toBe('local');
    expect(order('voltage', 0, 100)).toBe(
      `VSET 100.0 on channel 0: the supply answers LOC:ERR (it is in LOCAL mode: its front panel has control; switch it to REMOTE there)`,
    );
    expect(order('on', 0, true)).toContain('LOC:ERR');
    expect(value('set_voltage', 0)).toBe(0);
    // A safe order waits for no answer, but what is said against it is not lost.
    expect(value('refused')).toBe('none');
    expect(order('on', 0, false, true)).toBe('done');
    expect(value('refused')).toBe('LOC');
    state.local = false;
    state.interlock = true;
    clock.advance(3);
    expect(value('interlock')).toBe(true);
    expect([value('interlocked', 3), value('status', 3)]).toEqual([true, 'interlocked']);
    expect(order('on', 3, true)).toBe('channel 3 stays off: interlocked');
    state.interlock = false;
    state.kill = true;
    clock.advance(2);
    expect(order('on', 3, true)).toBe('channel 3 stays off: killed, interlocked');
    state.kill = false;
    expect(order('clear_alarm', 0, undefined)).toBe('done');
    expect(order('on', 3, true)).toBe('done');
    expect(value('on', 3)).toBe(true);
    state.celsius = 130;
    clock.advance(2);
    expect([value('over_temperature', 3), value('on', 3), value('status', 3)]).toEqual([true, false, 'over temperature']);
  });

  test('a kill takes the voltage away at once', () => {
    const { state, order, value, clock } = supply({ model });
    order('voltage', 0, 1000);
    order('on', 0, true, false, 25);
    expect(value('voltage', 0)).toBeCloseTo(1000, 0);
    state.kill = true;
    clock.advance(2);
    expect([value('voltage', 0), value('killed', 0), value('on', 0)]).toEqual([0, true, false]);
  });

  test('the highest voltage holds the output back, and is said', () => {
    const { order, value, clock } = supply({ model });
    expect(order('max_voltage', 0, 700.9)).toBe('done');
    clock.advance(6);
    expect(value('max_voltage', 0)).toBe(700); // never above what was ordered
    order('voltage', 0, 900);
    order('on', 0, true, false, 25);
    expect(value('voltage', 0)).toBeCloseTo(700, 0);
    expect([value('at_max_voltage', 0), value('status', 0)]).toEqual([true, 'at max voltage']);
  });

  test('a value that the unit does not take', () => {
    const { order, unit } = supply({ model });
    const [, most = 0] = unit.acquired.commands.voltage.limits ?? [];
    expect(order('voltage', 0, most + 1)).toContain('VAL:ERR (the value is outside of its limits');
    expect(order('voltage', 99, 10)).toContain('CH:ERR (it has no such channel)');
  });

  test('switching off never kills, unless the rig says so', () => {
    const { order, value, sent } = supply({ model });
    expect(order('power_down', 0, 'kill')).toBe('done');
    order('voltage', 0, 1000);
    order('on', 0, true, false, 25);
    sent();
    expect(order('on', 0, false, true)).toBe('done');
    expect(sent().map((line) => readCaenAsk(line.trim())?.par)).toEqual(['PDWN', 'OFF']);
    expect(value('voltage', 0)).toBeGreaterThan(700);
    const other = supply({ model }, { power_down: 'as_set' });
    other.order('power_down', 0, 'kill');
    other.order('voltage', 0, 1000);
    other.order('on', 0, true, false, 25);
    other.sent();
    expect(other.order('on', 0, false, true)).toBe('done');
    expect(other.sent().map((line) => readCaenAsk(line.trim())?.par)).toEqual(['OFF']);
    expect(other.value('voltage', 0)).toBe(0);
  });

  test('zero is a ramp down, too, and settings are read back', () => {
    const { order, value, clock } = supply({ model });
    order('voltage', 0, 1000);
    order('on', 0, true, false, 25);
    expect(order('voltage', 0, 0, true)).toBe('done');
    expect([value('set_voltage', 0), value('on', 0), value('status', 0)]).toEqual([0, true, 'ramping down']);
    expect(value('voltage', 0)).toBeGreaterThan(700);
    expect(order('current_limit', 0, 123.456e-6, false, 8)).toBe('done');
    expect(value('current_limit', 0)).toBeCloseTo(123.46e-6, 12);
    expect(order('ramp_up', 0, 12.9, false, 8)).toBe('done');
    expect(value('ramp_up', 0)).toBe(12); // rather slower than ordered
    clock.advance(10);
    expect(value('power_down', 0)).toBe('ramp');
    expect(value('polarity', 0)).toBe(model === 'NDT1470' ? 'negative' : 'positive');
  });
});

test('two boards on one line are never taken for each other', () => {
  const options = (board: number) => ({ board });
  const bench = place(caen, simulated, [
    { name: 'a', options: options(1), simulate: { model: 'NDT1470', address: 1 } },
    { name: 'b', options: options(2), simulate: { model: 'DT1471ET', address: 2 } },
  ]);
  bench.clock.advance(10);
  const [a, b] = bench.units;
  expect(a.acquired.id).toMatchObject({ name: 'NDT1470' });
  expect(b.acquired.id).toMatchObject({ name: 'DT1471ET' });
  expect(a.order('voltage', 111)).toBe('done');
  expect(b.order('voltage', 222)).toBe('done');
  bench.clock.advance(20);
  const seen = (unit: typeof a) =>
    new Set(unit.readings.flatMap((r) => (r.from.endsWith('.set_voltage') && r.index === 0 && r.quality !== 'bad' ? [r.value] : [])));
  expect(seen(a)).toEqual(new Set([0, 111]));
  expect(seen(b)).toEqual(new Set([0, 222]));
  expect(bench.exchange.stats.timeouts).toBe(0);
});

describe('the simulator, to others', () => {
  const talk = (simulate = {}) => {
    const { all } = place(caen, simulated, [{ name: 'x' }]);
    const device = all.device('y', simulated, simulated.options.parse(simulate));
    const ask = (line: string): string => new TextDecoder().decode(device.ask('main', new TextEncoder().encode(`${line}\r\n`)));
    return { ask, state: device.state as State };
  };

  test('an N1470 pads with zeros, and hears its own address alone', () => {
    const { ask } = talk({ model: 'NDT1470', address: 3 });
    expect(ask('$BD:03,CMD:MON,PAR:BDNAME')).toBe('#BD:03,CMD:OK,VAL:NDT1470\r\n');
    expect(ask('$BD:00,CMD:MON,PAR:BDNAME')).toBe('');
    expect(ask('$CMD:MON,PAR:BDNAME')).toBe('');
    expect(ask('$BD:03,CMD:SET,CH:0,PAR:VSET,VAL:100')).toBe('#BD:03,CMD:OK\r\n');
    expect(ask('$BD:03,CMD:MON,CH:4,PAR:VSET')).toBe('#BD:03,CMD:OK,VAL:0100.0;0000.0;0000.0;0000.0\r\n');
    expect(ask('$BD:03,CMD:MON,CH:0,PAR:STAT')).toBe('#BD:03,CMD:OK,VAL:00000\r\n');
    expect(ask('$BD:03,CMD:MON,CH:5,PAR:STAT')).toBe('#BD:03,CH:ERR\r\n');
    expect(ask('$BD:03,CMD:MON,CH:0,PAR:NO')).toBe('#BD:03,PAR:ERR\r\n');
    expect(ask('$BD:03,CMD:INFO,CH:0,PAR:VSET')).toBe('#BD:03,CMD:ERR\r\n');
    expect(ask('$BD:03,CMD:SET,PAR:BDILKM,VAL:CLOSED')).toBe('#BD:03,CMD:OK\r\n');
    expect(ask('$BD:03,CMD:MON,PAR:BDILKM')).toBe('#BD:03,CMD:OK,VAL:CLOSED\r\n');
  });

  test('an N1470 answers every question of its manual', () => {
    const { ask } = talk({ model: 'NDT1470' });
    const board = ['BDNAME', 'BDNCH', 'BDFREL', 'BDSNUM', 'BDILK', 'BDILKM', 'BDCTR', 'BDTERM', 'BDALARM'];
    const channel = [
      ...['VSET', 'VMIN', 'VMAX', 'VDEC', 'VMON', 'ISET', 'IMIN', 'IMAX', 'ISDEC', 'IMON', 'IMRANGE', 'IMDEC', 'MAXV', 'MVMIN', 'MVMAX'],
      ...['MVDEC', 'RUP', 'RUPMIN', 'RUPMAX', 'RUPDEC', 'RDW', 'RDWMIN', 'RDWMAX', 'RDWDEC', 'TRIP', 'TRIPMIN', 'TRIPMAX', 'TRIPDEC'],
      ...['PDWN', 'POL', 'STAT'],
    ];
    for (const par of board)
      expect([par, ask(`$BD:00,CMD:MON,PAR:${par}`)]).toEqual([par, expect.stringMatching(/^#BD:00,CMD:OK,VAL:[^;]+\r\n$/)]);
    for (const par of channel) {
      expect([par, ask(`$BD:00,CMD:MON,CH:3,PAR:${par}`)]).toEqual([par, expect.stringMatching(/^#BD:00,CMD:OK,VAL:[^;]+\r\n$/)]);
      expect([par, ask(`$BD:00,CMD:MON,CH:4,PAR:${par}`)]).toEqual([
        par,
        expect.stringMatching(/^#BD:00,CMD:OK,VAL:([^;]+;){3}[^;]+\r\n$/),
      ]);
    }
  });

  test('a DT5533E puts a semicolon behind, and repeats what was set', () => {
    const { ask } = talk({ model: 'DT5533E' });
    expect(ask('$CMD:SET,CH:0,PAR:VSET,VAL:500.0')).toBe('#CMD:OK,VAL:500.0;\r\n');
    expect(ask('$CMD:MON,CH:0,PAR:STAT')).toBe('#CMD:OK,VAL:00000;\r\n');
    expect(ask('$CMD:MON,PAR:BDCTR')).toBe('#PAR:ERR\r\n');
    expect(ask('$BD:00,CMD:MON,PAR:BDNAME')).toBe('#CMD:ERR\r\n');
  });

  test('a DT8033 describes its parameters', () => {
    const { ask, state } = talk();
    expect(ask('$CMD:INFO,CH:0,PAR:VSET')).toBe('#CMD:OK,VAL:0;2;0;4000;1;0.1;0;V;;\r\n');
    const [, list = ''] = /VAL:(.*)\r/.exec(ask('$CMD:MON,CH:0,PAR:PARCHLIST')) ?? [];
    expect(list.split(';')).toEqual(expect.arrayContaining(['VSET', 'VMON', 'RDWN', 'STATUS', 'ON']));
    for (const par of list.split(';')) expect([par, ask(`$CMD:INFO,CH:0,PAR:${par}`)]).toEqual([par, expect.stringContaining('CMD:OK')]);
    expect(ask('$CMD:SET,CH:8,PAR:VSET,VAL:10')).toBe('#CMD:OK\r\n');
    expect(ask('$CMD:MON,CH:8,PAR:VSET')).toBe(`#CMD:OK,VAL:${Array(8).fill('10.0').join(';')}\r\n`);
    expect(ask('$CMD:SET,CH:0,PAR:VSET,VAL:4000.1')).toBe('#VAL:ERR\r\n');
    expect(ask('$CMD:SET,CH:0,PAR:VMON,VAL:1')).toBe('#PAR:ERR\r\n');
    expect(ask('$CMD:SET,CH:0,PAR:PDWN,VAL:SLOW')).toBe('#VAL:ERR\r\n');
    expect(ask('$CMD:GET,CH:0,PAR:VMON')).toBe('#CMD:ERR\r\n');
    state.local = true;
    expect(ask('$CMD:SET,CH:0,PAR:VSET,VAL:1')).toBe('#LOC:ERR\r\n');
    expect(ask('$CMD:MON,PAR:BDCTR')).toBe('#CMD:OK,VAL:LOCAL\r\n');
  });
});
