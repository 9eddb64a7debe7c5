import { describe, expect, test } from 'vitest';
import mpod from '../../drivers/wiener-mpod.ts';
import type { SnmpTell } from '../../protocols/snmp.ts';
import simulated from '../../simulators/wiener-mpod.ts';
import { acquire } from '../../src/acquire.ts';
import { virtualClock } from '../../src/clock.ts';
import { type Exchanged, exchange, ORDER } from '../../src/exchange.ts';
import { faultyLink } from '../../src/links/faulty.ts';
import { simulatedLink } from '../../src/links/simulated.ts';
import type { Reading } from '../../src/reading.ts';
import { universe } from '../../src/simulate.ts';
import { here, Refused } from '../../src/talk.ts';
import { runTalk } from '../../src/talk-run.ts';

interface Crate {
  main: boolean;
  most: number;
  readonly channels: readonly { on: boolean; readonly events: Set<number>; inhibit: boolean; celsius: number; volts: number }[];
}
const parsed = <T>(value: T | Refused): T => {
  if (value instanceof Refused) throw new Error(value.why);
  return value;
};

function bench(
  given: Readonly<Record<string, unknown>> = {},
  device: Readonly<Record<string, unknown>> = given,
  before = (_: Crate) => {},
  drop = 0,
) {
  const options = parsed(mpod.options.parse(given));
  const clock = virtualClock();
  const all = universe(1, clock);
  const { ports, state } = all.device('hv', simulated, parsed(simulated.options.parse(device)));
  const crate = state as Crate; // the simulator's own
  before(crate);
  const link = faultyLink(simulatedLink([ports.main], clock, { framing: 'packets' }), clock, { seed: 3, drop });
  const wire = exchange(link, mpod.links(options).main, clock);
  const exchanged: Exchanged[] = [];
  wire.exchanged.subscribe((e) => exchanged.push(e));
  const states: string[] = [];
  const readings: Reading[] = [];
  const one = acquire({ name: 'hv', model: mpod, options, roles: { main: wire }, origin: 'simulator' }, clock, {
    reading: (r) => readings.push(r),
    state: (_, s) => states.push('why' in s ? s.why : s.is),
  });
  const order = (name: string, value: number | boolean | undefined, index = 0, seconds = 3): string => {
    let outcome = 'unfinished';
    runTalk(
      one.commands[name].talk(one.actors, value, index, here),
      { instrument: 'hv', by: `order:${name}`, urgency: ORDER, roles: { main: wire }, within: 1, clock },
      (end) => {
        outcome = end.ok ? 'done' : end.why;
      },
    );
    clock.advance(seconds);
    return outcome;
  };
  const latest = (channel: string, index?: number): unknown => {
    const r = one.latest(channel, index);
    return r === undefined ? undefined : r.quality === 'bad' ? { bad: r.why } : r.value;
  };
  return { clock, one, crate, order, latest, exchanged, states, readings };
}

describe('a crate', () => {
  test('a lost datagram costs no reading: questions are asked again', () => {
    const b = bench({}, {}, undefined, 0.1);
    b.clock.advance(120);
    expect(b.states.at(-1)).toBe('running');
    expect(b.exchanged.filter((e) => e.fault !== undefined).length).toBeGreaterThan(5);
    const volts = b.readings.filter((r) => r.from === 'hv.voltage' && r.index === 0);
    expect(volts.length).toBeGreaterThan(40);
    // A fifth of the answers is lost, three in a row are one in a hundred.
    expect(b.readings.filter((r) => r.from === 'hv.voltage' && r.quality === 'bad').length).toBeLessThan(0.05 * volts.length);
  });

  test('its outputs in the order of the table, under their names', () => {
    const b = bench({}, { modules: 2, outputs: 3 });
    b.clock.advance(5);
    expect(b.states.at(-1)).toBe('running');
    expect([0, 1, 2, 3, 4, 5].map((i) => b.latest('name', i))).toEqual(['U0', 'U1', 'U2', 'U100', 'U101', 'U102']);
    expect(b.latest('outputs')).toBe(6);
    expect(b.latest('main_switch')).toBe(true);
    expect(b.latest('crate_status')).toBe('main on');
    expect(b.latest('temperature', 3)).toBe(301.15);
  });

  test('switched on it goes up at its rate, and off down at its rate', () => {
    const b = bench();
    b.clock.advance(3);
    expect(b.order('ramp_up', 100, 1)).toBe('done');
    expect(b.order('ramp_down', 20, 1)).toBe('done');
    expect(b.order('voltage', 500, 1)).toBe('done');
    expect(b.latest('set_voltage', 1)).toBe(500);
    expect(b.latest('voltage', 1)).toBeCloseTo(0, 1);
    expect(b.order('switch', true, 1, 2)).toBe('done');
    expect(b.latest('status', 1)).toBe('on, ramping up');
    expect(b.latest('ramping', 1)).toBe(true);
    b.clock.advance(8);
    expect(b.latest('voltage', 1)).toBeCloseTo(500, 1);
    expect(b.latest('current', 1)).toBeCloseTo(500 / 1e7, 7);
    expect(b.latest('status', 1)).toBe('on');
    expect(b.latest('on', 0)).toBe(false);
    expect(b.order('switch', false, 1, 5)).toBe('done');
    expect(b.latest('on', 1)).toBe(false);
    expect(b.latest('ramping', 1)).toBe(true);
    const falling = Number(b.latest('voltage', 1));
    expect(falling).toBeGreaterThan(390);
    expect(falling).toBeLessThan(425);
    b.clock.advance(30);
    expect(b.latest('voltage', 1)).toBeCloseTo(0, 1);
    expect(b.one.commands.voltage).toMatchObject({ takes: 'V', safe: 0, count: 2, limits: [-6000, 6000] });
    expect(b.one.commands.switch).toMatchObject({ takes: 'flag', safe: false, readback: { channel: 'on' } });
  });

  test('emergency off is at once, and needs two orders before the next voltage', () => {
    const b = bench();
    b.clock.advance(3);
    b.order('voltage', 100);
    b.order('switch', true, 0, 5);
    expect(b.latest('voltage', 0)).toBeCloseTo(100, 1);
    expect(b.order('emergency_off', undefined, 0, 2)).toBe('done');
    expect(b.latest('voltage', 0)).toBeCloseTo(0, 1);
    expect(b.latest('emergency_off', 0)).toBe(true);
    expect(b.latest('switch', 0)).toBe(false);
    b.order('switch', true);
    expect(b.latest('on', 0)).toBe(false);
    expect(b.order('reset_emergency_off', undefined)).toBe('done');
    expect(b.order('clear_events', undefined)).toBe('done');
    expect(b.latest('emergency_off', 0)).toBe(false);
    expect(b.latest('set_voltage', 0)).toBe(0);
    b.order('switch', true);
    expect(b.latest('on', 0)).toBe(true);
  });

  test('failures, inhibit and the current limit are named', () => {
    const b = bench();
    b.clock.advance(3);
    b.crate.channels[0].events.add(5).add(9);
    b.crate.channels[1].inhibit = true;
    b.clock.advance(2);
    expect(b.latest('failure', 0)).toBe(true);
    expect(b.latest('status', 0)).toBe('current too high, communication timeout');
    expect(b.latest('crate_status')).toBe('main on, output failure');
    expect(b.latest('crate_failure')).toBe(true);
    expect(b.latest('inhibited', 1)).toBe(true);
    expect(b.latest('failure', 1)).toBe(false);
    b.crate.channels[0].events.clear();
    expect(b.order('current_limit', 1e-5)).toBe('done');
    b.order('voltage', 1000);
    b.order('switch', true, 0, 30);
    expect(b.latest('current_limited', 0)).toBe(true);
    expect(b.latest('current', 0)).toBeCloseTo(1e-5, 8);
  });

  test('the main switch', () => {
    const b = bench();
    b.clock.advance(3);
    expect(b.order('main_switch', false)).toBe('done');
    expect(b.latest('main_switch')).toBe(false);
    expect(b.latest('crate_status')).toBe('none');
  });

  test('a thermometer that measures none is no temperature', () => {
    const b = bench({}, {}, (crate) => {
      crate.channels[0].celsius = -128;
      crate.channels[1].celsius = 127;
    });
    b.clock.advance(5);
    expect(b.latest('temperature', 0)).toEqual({ bad: 'the module measures no temperature' });
    expect(b.latest('temperature', 1)).toEqual({ bad: 'its thermometer has failed' });
  });
});

describe('communities and refusals', () => {
  test('questions carry the one, orders the other', () => {
    const b = bench({ read: 'looks', write: 'sets' });
    b.clock.advance(3);
    expect(b.order('voltage', 10)).toBe('done');
    const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
    for (const e of b.exchanged) expect(text(e.sent)).toContain(e.by.startsWith('order') ? 'sets' : 'looks');
  });
  test('one that may not write is told so, and one that is not known hears nothing', () => {
    const b = bench({ write: 'public' }, {});
    b.clock.advance(3);
    expect(b.order('voltage', 10)).toBe('the crate refuses 10 V for u0: noAccess (may this community write it?)');
    const deaf = bench({ read: 'nobody' }, {});
    deaf.clock.advance(5);
    expect(deaf.states).not.toContain('running');
  });
  test('a value that the crate does not take', () => {
    const b = bench({}, { module_volts: 100 });
    b.clock.advance(3);
    expect(b.order('voltage', 500)).toBe('the crate refuses 500 V for u0: wrongValue');
  });
  test('a crate that shows no outputs, and options that mean nothing, are refused with a cure', () => {
    const b = bench({}, {}, (crate) => Object.assign(crate, { channels: [] }));
    b.clock.advance(3);
    expect(b.states.at(-1)).toBe(
      'the crate shows no outputs: switch it on, or name those that it should have by "outputs_named: [u0, u1]"',
    );
    const refused = (given: unknown): string => {
      const value = mpod.options.parse(given);
      return value instanceof Refused ? value.why : 'taken';
    };
    expect(refused({ outputs_named: ['u0', 'x'] })).toBe('outputs_named: must be a list of different outputs from u0 to u1999');
    expect(refused({ outputs_named: ['u0', 'u0'] })).toBe('outputs_named: must be a list of different outputs from u0 to u1999');
    expect(refused({ max_volts: '0 V' })).toBe('max_volts: must be above 0 V');
    expect(refused({ read: '' })).toContain('read: must be text');
    expect(mpod.options.parse({ max_volts: '3 kV', outputs_named: ['U0', 'u101'] })).toMatchObject({
      max_volts: 3000,
      outputs_named: [1, 102],
    });
  });
});

describe('many outputs', () => {
  test('are asked in several datagrams, none above 1472 bytes', () => {
    const b = bench({}, { modules: 4, outputs: 16 });
    b.clock.advance(5);
    expect(b.latest('name', 63)).toBe('U315');
    expect(b.latest('voltage', 63)).toBeCloseTo(0, 1);
    for (const e of b.exchanged) {
      expect(e.sent.length).toBeLessThanOrEqual(1472);
      expect(e.reply?.length).toBeLessThanOrEqual(1472);
    }
  });
  test.each(['v1', 'v2c'])('an agent that finds a reply too big is asked for less (%s)', (version) => {
    const b = bench({ version }, { modules: 2, outputs: 8 }, (crate) => {
      crate.most = 5;
    });
    b.clock.advance(5);
    expect(b.states.at(-1)).toBe('running');
    expect(b.latest('name', 15)).toBe('U107');
  });
  test.each(['v1', 'v2c'])('one that is not there is bad, and the others are read (%s)', (version) => {
    const b = bench({ version, outputs_named: ['u0', 'u7', 'u100'] }, {});
    b.clock.advance(5);
    expect(b.latest('name', 2)).toBe('U100');
    expect(b.latest('voltage', 2)).toBeCloseTo(0, 1);
    expect(b.latest('voltage', 1)).toEqual({ bad: 'the crate has no such output or value: is the module there, and the crate on?' });
    expect(b.latest('on', 1)).toEqual({ bad: 'the crate has no such output or value: is the module there, and the crate on?' });
  });
});

test('values of another type, no number and no bits are bad readings', () => {
  const b = bench();
  b.clock.advance(3);
  const body = mpod.body(parsed(mpod.options.parse({})), { description: '', rows: [1] });
  const [first] = body.polls ?? [];
  const entry = '1.3.6.1.4.1.19947.1.3.2.1';
  const m: SnmpTell = {
    ...{ community: 'public', kind: 'response', error: 0, errorIndex: 0 },
    bindings: [
      { name: `${entry}.4.1`, value: { type: 'octets', value: new Uint8Array(0) } },
      { name: `${entry}.5.1`, value: { type: 'integer', value: 3 } },
      { name: `${entry}.7.1`, value: { type: 'float', value: Number.NaN } },
      { name: `${entry}.9.1`, value: { type: 'integer', value: 7 } },
    ],
  };
  const got = first.read(m, { asked: 0, t: 0 });
  expect(got.on).toEqual([{ quality: 'bad', why: 'the crate answers with no bits' }]);
  expect(got.voltage).toEqual([{ quality: 'bad', why: 'the crate answers with a value of type integer' }]);
  expect(got.current).toEqual([{ quality: 'bad', why: 'the crate answers with no number' }]);
  expect(got.switch).toEqual([{ quality: 'bad', why: '7 is no state of a switch' }]);
  // One byte of bits is enough; the second is zero then.
  const short = first.read(
    { ...m, bindings: [{ name: `${entry}.4.1`, value: { type: 'octets', value: Uint8Array.of(0xc0) } }] },
    { asked: 0, t: 0 },
  );
  expect(short).toMatchObject({ on: [true], inhibited: [true], ramping: [false], emergency_off: [false], status: ['on, inhibit'] });
});
