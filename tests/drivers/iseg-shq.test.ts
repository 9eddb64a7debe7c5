import { describe, expect, test } from 'vitest';
import iseg from '../../drivers/iseg-shq.ts';
import type { IsegTell } from '../../protocols/iseg-shq.ts';
import simulated from '../../simulators/iseg-shq.ts';
import { highVoltage } from '../../simulators/worlds/high-voltage.ts';
import { ORDER, SAFE } from '../../src/exchange.ts';
import type { Instrument } from '../../src/instrument.ts';
import { here, NoReply, Refused, shown } from '../../src/talk.ts';
import { runTalk } from '../../src/talk-run.ts';
import { place } from './place.ts';

type State = ReturnType<typeof simulated.state>;
const unitOf = (simulate = {}) => {
  const bench = place(iseg, simulated, [{ name: 'hv', simulate }]);
  const [unit] = bench.units;
  const state = unit.state as State; // of the simulator above
  bench.clock.advance(8);
  const world = bench.all.of(highVoltage);
  const load = (channel: number) => world.output(`hv[${channel}]`);
  const value = (channel: string, index?: number) => {
    const r = unit.acquired.latest(channel, index);
    return r === undefined || r.quality === 'bad' ? r?.why : r.value;
  };
  const order = (command: string, index: number, wanted: number | boolean, { safe = false, within = 5 } = {}): string => {
    let outcome = 'unfinished';
    const { acquired } = unit;
    runTalk(
      acquired.commands[command].talk(acquired.actors, wanted, index, here),
      {
        instrument: 'hv',
        by: `order:${command}`,
        urgency: safe ? SAFE : ORDER,
        roles: { main: bench.exchange },
        within: 8,
        clock: bench.clock,
      },
      (end) => {
        outcome = end.ok ? 'done' : end.why;
      },
    );
    bench.clock.advance(within);
    return outcome;
  };
  return { ...bench, unit, state, load, value, order };
};

describe('identity', () => {
  test('volts and amperes limit the orders; one channel or two by what it answers', () => {
    const { unit } = unitOf();
    expect(unit.acquired.id).toEqual({
      ...{ serial: '487412', firmware: '3.09', volts: 3000, amps: 4e-3, count: 2, decimals: 1, trip: 'L', resolution: 1e-7, auto: true },
    });
    expect(unit.acquired.commands.voltage).toMatchObject({ count: 2, limits: [0, 3000], safe: 0 });
    const one = unitOf({ channels: 1, volts: 2000 });
    expect(one.unit.acquired.id).toMatchObject({ count: 1, volts: 2000 });
    expect(one.unit.readings.filter((r) => r.index === 1)).toEqual([]);
  });

  const told = (table: Readonly<Record<string, string>>) => {
    const model: Instrument = iseg;
    return model
      .identify(
        {
          main: {
            // biome-ignore lint/correctness/useYield: answers at once
            *ask(q: string): Generator<never, IsegTell> {
              return { echo: q, answer: table[q] ?? '????' };
            },
          },
        },
        {},
      )
      .next().value;
  };

  test('older firmware: numbers without exponent, no auto start, two ranges of the trip', () => {
    expect(told({ '#': '480100;1.05;5000;100uA', D1: '1500', I1: '00010-08', U2: '?WCN', LB1: 'LB1=00100' })).toEqual({
      ...{
        serial: '480100',
        firmware: '1.05',
        volts: 5000,
        amps: 100e-6,
        count: 1,
        decimals: 0,
        trip: 'LB',
        resolution: 1e-8,
        auto: false,
      },
    });
    const bare = told({ '#': '480100;1.05;5000;100', D1: '1500', I1: '10' });
    expect(bare).toEqual({ serial: '480100', firmware: '1.05', volts: 5000, count: 1, decimals: 0, auto: false });
    const { polls = [], commands = {} } = iseg.body({}, bare as never);
    expect(polls.flatMap((p) => Object.keys(p.gives))).not.toContain('current_trip');
    expect(Object.keys(commands)).toEqual(['voltage', 'ramp_rate', 'answer_delay']);
  });

  test('refuses others', () => {
    for (const name of ['', '????', 'LSCI,MODEL336,1,2', 'a;b;c;d', '1;2;3']) expect(told({ '#': name })).toBeInstanceOf(Refused);
    expect(told({ '#': '480100;1.05;5000V;1mA' })).toMatchObject({ why: 'unit 480100 does not say its set voltage (D1)' });
  });
});

describe('voltage', () => {
  test.each(['positive', 'negative'] as const)('%s: goes up at the ramp rate, and down to zero at it', (polarity) => {
    const { order, value, clock, sent } = unitOf({ polarity });
    const sign = polarity === 'positive' ? 1 : -1;
    expect(order('ramp_rate', 0, 50.7)).toBe('done');
    sent();
    expect(order('voltage', 0, 1000.5)).toBe('done');
    expect(sent()).toEqual(['T1\r\n', 'D1=1000.5\r\n', 'G1\r\n']);
    expect(value('set_voltage', 0)).toBe(1000.5);
    expect(value('ramp_rate', 0)).toBe(50);
    expect(value('status', 0)).toBe('ramping up');
    expect(sign * Number(value('voltage', 0))).toBeGreaterThan(100);
    expect(sign * Number(value('voltage', 0))).toBeLessThan(300);
    clock.advance(30);
    expect(value('voltage', 0)).toBeCloseTo(sign * 1000.5, 0);
    expect(value('current', 0)).toBeCloseTo(100.05e-6, 6);
    expect([value('status', 0), value('polarity', 0), value('voltage', 1)]).toEqual(['on', polarity, 0]);
    sent();
    expect(order('voltage', 0, 0, { safe: true })).toBe('done');
    expect(sent()).toEqual(['D1=0.0\r\n', 'G1\r\n']);
    expect([value('set_voltage', 0), value('status', 0)]).toEqual([0, 'ramping down']);
    expect(sign * Number(value('voltage', 0))).toBeGreaterThan(500);
    clock.advance(25);
    expect(Math.abs(Number(value('voltage', 0)))).toBe(0);
  });

  test('a lost answer to the zero does not keep the start from going out', () => {
    const { unit } = unitOf();
    const lines: string[] = [];
    const talk = unit.acquired.commands.voltage.talk(unit.acquired.actors, 0, 1, here);
    const run = (): void => {
      let step = talk.next();
      while (!step.done) {
        const { q } = shown(step.value) as { readonly q?: string }; // a question, or none
        if (q !== undefined) lines.push(q);
        step = q === 'D2=0.0' ? talk.throw(new NoReply('no answer within 3 s')) : talk.next({ echo: q, answer: 'S2=H2L' });
      }
    };
    expect(run).toThrow(NoReply);
    expect(lines).toEqual(['D2=0.0', 'G2']);
  });

  test('what the front panel forbids is said, and no voltage is ordered', () => {
    const { state, order, sent, value, clock } = unitOf();
    const [a] = state.channels;
    a.manual = true;
    clock.advance(3);
    expect([value('manual', 0), value('manual', 1), value('status', 0)]).toEqual([true, false, 'manual']);
    sent();
    expect(order('voltage', 0, 100)).toBe('channel 0: its switch CONTROL stands at manual: orders have no effect');
    expect(sent()).toEqual(['T1\r\n']);
    a.manual = false;
    a.switchedOff = true;
    clock.advance(3);
    expect([value('switched_off', 0), value('status', 0)]).toEqual([true, 'switched off']);
    expect(order('voltage', 0, 100)).toBe('channel 0: its switch HV-ON is off');
    expect(order('voltage', 0, 0, { safe: true })).toBe('done'); // it is off
  });

  test('beyond the switch for the highest voltage', () => {
    const { state, order, value, clock } = unitOf();
    state.channels[0].voltageLimit = 40;
    expect(order('voltage', 0, 1500)).toBe(
      'D1=1500.0: the supply answers ? UMAX (beyond the voltage that its switch allows), which is 1200 V',
    );
    clock.advance(25);
    expect([value('voltage_limit', 0), value('voltage_limit', 1), value('current_limit', 0)]).toEqual([1200, 3000, 4e-3]);
  });
});

describe('trips', () => {
  test('a spark switches off at once; the next order goes up again', () => {
    const { order, value, clock, load } = unitOf();
    expect(order('current_trip', 1, 200.04e-6, { within: 8 })).toBe('done');
    expect(value('current_trip', 1)).toBeCloseTo(200e-6, 12);
    expect(order('voltage', 1, 1000, { within: 15 })).toBe('done');
    expect(value('status', 1)).toBe('on');
    const seen: unknown[] = [];
    load(1).spark = { ohms: 1e5, seconds: 0.5 };
    for (let i = 0; i < 5; i++) {
      clock.advance(1);
      seen.push(value('status', 1));
    }
    expect(seen).toContain('tripped');
    expect(value('voltage', 1)).toBe(0);
    expect(order('voltage', 1, 1000, { within: 15 })).toBe('done');
    expect(value('voltage', 1)).toBeCloseTo(1000, 0);
  });

  test('with auto start the status is not read, so that the ramp does not begin again by itself', () => {
    const { state, order, value, clock, load, unit } = unitOf();
    expect(order('current_trip', 0, 200e-6)).toBe('done');
    expect(order('auto_start', 0, true)).toBe('done');
    expect([value('auto_start', 0), value('auto_start', 1)]).toEqual([true, false]);
    expect(value('status', 0)).toContain('auto start is on');
    expect(value('status', 1)).toBe('on');
    expect(order('voltage', 0, 1000, { within: 15 })).toBe('done');
    load(0).spark = { ohms: 1e5, seconds: 0.5 };
    clock.advance(20);
    expect(state.channels[0].latched).toBe('TRP');
    expect(value('voltage', 0)).toBe(0);
    expect(unit.acquired.latest('voltage', 0)?.quality).toBe('good');
  });

  test('inhibit and an exceeded limit are bits of their own', () => {
    const { state, order, value, clock, load } = unitOf();
    const [a, b] = state.channels;
    a.inhibit = true;
    b.killEnabled = true;
    clock.advance(3);
    expect([value('inhibited', 0), value('status', 0), value('kill_enabled', 1)]).toEqual([true, 'inhibited', true]);
    expect(order('voltage', 0, 100)).toContain('channel 0: a trip, an inhibit or an exceeded limit has switched it off');
    expect(order('voltage', 1, 1000, { within: 15 })).toBe('done');
    load(1).spark = { ohms: 1e3, seconds: 100 };
    clock.advance(0.3);
    expect(b.latched).toBe('ERR');
    a.inhibit = false;
    clock.advance(6);
    expect(order('voltage', 0, 100)).toBe('done');
  });

  test('each status word and module bit means what the manual says', () => {
    const { unit } = unitOf({ channels: 1 });
    const { polls = [] } = iseg.body({}, unit.acquired.id as never);
    const came = { asked: 0, t: 0 };
    const status = polls.find((p) => 'status' in p.gives);
    const words: Record<string, string> = {
      ...{ 'ON ': 'on', OFF: 'switched off', MAN: 'manual', ERR: 'limit exceeded', INH: 'inhibited', QUA: 'not settled' },
      ...{ L2H: 'ramping up', H2L: 'ramping down', LAS: 'look at status', TRP: 'tripped' },
    };
    for (const [said, word] of Object.entries(words))
      expect(status?.read([{ start: { echo: 'A1', answer: '000' }, status: { echo: 'S1', answer: `S1=${said}` } }], came)).toEqual({
        status: [word],
        auto_start: [false],
      });
    expect(status?.read([{ status: { echo: 'S1', answer: 'S1=XYZ' } }], came).status).toMatchObject([{ quality: 'bad' }]);
    const module = polls.find((p) => 'polarity' in p.gives);
    const bits = ['', 'manual', 'positive', 'switched_off', 'kill_enabled', 'inhibited', 'limit_exceeded', 'not_settled'];
    for (const [n, name] of bits.entries()) {
      const got = module?.read([{ echo: 'T1', answer: String(2 ** n).padStart(3, '0') }], came) ?? {};
      expect(got.polarity).toEqual([name === 'positive' ? 'positive' : 'negative']);
      for (const flag of bits.filter((one) => one !== '' && one !== 'positive')) expect([flag, got[flag]]).toEqual([flag, [flag === name]]);
    }
    const volts = polls.find((p) => 'voltage' in p.gives);
    for (const answer of ['????', '?WCN', '?TOT'])
      expect(volts?.read([{ echo: 'U1', answer }], came).voltage).toMatchObject([{ quality: 'bad', why: expect.stringContaining(answer) }]);
  });
});

test('the break between characters is an order, and connecting leaves it alone', () => {
  const { state, order, value, clock } = unitOf();
  expect(state.delay).toBe(3);
  expect(order('answer_delay', 0, 0.001)).toBe('done');
  clock.advance(25);
  expect([state.delay, value('answer_delay')]).toEqual([1, 0.001]);
});

describe('the simulator, to others', () => {
  const talk = (simulate = {}) => {
    const { all } = place(iseg, simulated, [{ name: 'x' }]);
    const device = all.device('y', simulated, simulated.options.parse(simulate));
    return (line: string): string =>
      new TextDecoder().decode(device.ask('main', new TextEncoder().encode(`${line}\r\n`))).replaceAll('\r\n', '|');
  };

  test('echoes, and speaks as the manual prints it', () => {
    const ask = talk({ polarity: 'negative' });
    expect(ask('#')).toBe('#|487412;3.09;3000V;4mA|');
    expect(ask('')).toBe('');
    expect(ask('D1=0500')).toBe('D1=0500||');
    expect(ask('D1')).toBe('D1|05000-01|');
    expect(ask('U1')).toBe('U1|+00000-01|');
    expect(ask('I2')).toBe('I2|00000-07|');
    expect(ask('S1')).toBe('S1|S1=ON |');
    expect(ask('G1')).toBe('G1|S1=L2H|');
    expect(ask('T1')).toBe('T1|001|');
    expect(ask('V1=255')).toBe('V1=255||');
    expect(ask('V1')).toBe('V1|255|');
    expect(ask('W=010')).toBe('W=010||');
    expect(ask('W')).toBe('W|010|');
  });

  test.each([
    ['D1=3001', '? UMAX=3000'],
    ['D1=abc', '????'],
    ['V1=1', '????'],
    ['V1=256', '????'],
    ['W=0', '????'],
    ['U3', '?WCN'],
    ['X1', '????'],
    ['hello', '????'],
  ])('%s: %s', (line, error) => expect(talk()(line)).toBe(`${line}|${error}|`));
});
