import { describe, expect, test } from 'vitest';
import driver from '../../drivers/vme-easiroc.ts';
import { readSlowControl } from '../../protocols/easiroc-slow-control.ts';
import type { Protocol } from '../../protocols/protocol.ts';
import simulated from '../../simulators/vme-easiroc.ts';
import { detector } from '../../simulators/worlds/detector.ts';
import { type Given, SOURCE } from '../../simulators/worlds/detector-setup.ts';
import { acquire } from '../../src/acquire.ts';
import { virtualClock } from '../../src/clock.ts';
import { easirocSource } from '../../src/derive/easiroc-source.ts';
import { exchange, ORDER } from '../../src/exchange.ts';
import { faultyLink } from '../../src/links/faulty.ts';
import { simulatedLink } from '../../src/links/simulated.ts';
import type { Reading } from '../../src/reading.ts';
import { localStream } from '../../src/readout/local-stream.ts';
import type { ReaderPlan } from '../../src/readout/reader.ts';
import { universe } from '../../src/simulate.ts';
import { here, Refused } from '../../src/talk.ts';
import { runTalk } from '../../src/talk-run.ts';

const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(' ');
/** A packet without its number. */
const plain = (sent: string): string => `${sent.slice(0, 6)}${sent.slice(9)}`;
/** The same light on all channels, twenty times a second. */
const LED: Partial<Given> = { sources: [{ ...SOURCE, kind: 'led', rate: 20, pe: 10 }], unlike: 0 };
const BIAS = { per_volt: 483.183, offset: 780 };

function bench(given: Readonly<Record<string, unknown>> = {}, device: Readonly<Record<string, unknown>> = {}, light = LED) {
  const options = driver.options.parse({ watch_input_dacs: true, ...given });
  const other: unknown = simulated.options.parse(device);
  if (options instanceof Refused || other instanceof Refused)
    throw new Error(`options: ${[options, other].map((o) => (o instanceof Refused ? o.why : '')).join('')}`);
  const clock = virtualClock();
  const all = universe(1, clock);
  all.of(detector).configure(light);
  const board = all.device('board', simulated, other);
  const models = driver.links(options);
  const sent: string[] = [];
  const asked: string[] = [];
  let cut = false;
  const roles = Object.fromEntries(
    (['control', 'data'] as const).map((role) => {
      const wire = simulatedLink([board.ports[role]], clock, role === 'control' ? { framing: 'packets' } : {});
      const plan = models[role].readout as ReaderPlan | undefined; // made by the driver
      const plug = plan ? localStream(wire, plan, clock) : wire;
      const link = faultyLink(plug, clock, {
        seed: 1,
        get drop() {
          return cut && role === 'control' ? 1 : 0;
        },
      });
      const e = exchange(link, models[role] as Protocol<unknown, unknown>, clock);
      e.exchanged.subscribe((x) => (x.by.startsWith('order') ? sent : asked).push(hex(x.sent)));
      return [role, e];
    }),
  );
  const readings: Reading[] = [];
  const one = acquire({ name: 'board', model: driver, options, roles, origin: 'simulator' }, clock, {
    reading: (r) => readings.push(r),
    state: () => {},
  });
  clock.advance(2);
  const order = (name: string, value?: number | boolean | string, index = 0, seconds = 10): string => {
    sent.length = 0;
    let outcome = 'unfinished';
    runTalk(
      one.commands[name].talk(one.actors, value, index, here),
      { instrument: 'board', by: `order:${name}`, urgency: ORDER, roles, within: 1, clock },
      (end) => {
        outcome = end.ok ? 'done' : end.why;
      },
    );
    clock.advance(seconds);
    return outcome;
  };
  const values = (channel: string): number[] =>
    readings.filter((r) => r.from === `board.${channel}`).map((r) => (r.quality === 'bad' ? Number.NaN : Number(r.value)));
  return {
    clock,
    one,
    readings,
    order,
    sent,
    asked,
    values,
    state: board.state as { readonly chips: readonly { readonly settings: unknown }[]; readonly bias: number; readonly status: number }, // the simulator's own
    cut: (on: boolean): void => {
      cut = on;
    },
  };
}

describe('the board', () => {
  test('identifies itself by its version, and connecting writes nothing but what the monitor ADC looks at', () => {
    const b = bench();
    b.clock.advance(60);
    expect(b.one.state).toEqual({ is: 'running' });
    expect(b.one.latest('firmware')).toMatchObject({ kind: 'state', value: '1.2.3-4 of 2015-02-20' });
    expect(plain(b.asked[0])).toBe('ff c0 06 f0 00 00 00');
    const written = b.asked.filter((s) => s.startsWith('ff 80')).map((s) => s.slice(12, 23));
    expect(new Set(written)).toEqual(new Set(['00 01 00 10', '00 01 00 11', '00 01 00 12']));
    expect(b.sent).toEqual([]);
    expect(b.readings.filter((r) => r.quality === 'bad')).toEqual([]);
  });
  test.each([
    [{ version: [0, 0, 0, 0, 0, 0] }, /the version at 0xf0000000 is 00 00 00 00 00 00, and no date stands in it/],
    [{ version: [0x12, 0x34, 0x20, 0x15, 0x13, 0x20] }, /it is no EASIROC board/],
  ])('another board is refused: %j', (device, why) => {
    expect(bench({}, device).one.state).toMatchObject({ is: 'refused', why: expect.stringMatching(why) });
  });

  test('the monitor ADC: bias, current, temperatures and all 64 input DACs', () => {
    const b = bench({}, { bias: 55 });
    b.clock.advance(70);
    const near = (channel: string, want: number, by: number) => {
      const got = b.values(channel);
      expect(got.length).toBeGreaterThan(0);
      for (const v of got) expect(Math.abs(v - want)).toBeLessThan(by);
    };
    near('bias_voltage', 55, 0.02);
    near('bias_current', 1e-8 + 2 * 4e-7, 4e-8);
    near('temperature_1', 301.5, 0.1);
    near('temperature_2', 299, 0.1);
    expect(new Set(b.readings.filter((r) => r.from === 'board.input_dac_voltage').map((r) => r.index)).size).toBe(64);
    // The input DACs have come on their own: without them the others come more often.
    const c = bench({ watch_input_dacs: false });
    c.clock.advance(20);
    expect(c.one.channels).not.toHaveProperty('input_dac_voltage');
    expect(c.values('bias_voltage').length).toBeGreaterThan(15);
  });
  test('the sequence of one conversion, literal, with the time between', () => {
    const b = bench({ watch_input_dacs: false });
    expect(b.asked.slice(2, 8).map(plain)).toEqual([
      'ff 80 01 00 01 00 10 03',
      'ff 80 01 00 01 00 11 01',
      'ff 80 01 00 01 00 10 f0',
      'ff 80 01 00 01 00 11 00',
      'ff c0 02 00 01 00 20',
      'ff 80 01 00 01 00 10 04',
    ]);
  });
  test('a conversion that was disturbed is begun anew: no value of another channel', () => {
    const b = bench({ watch_input_dacs: false }, { bias: 55 });
    for (let i = 0; i < 40; i++) {
      b.cut(true);
      b.clock.advance(0.05 + 0.07 * i);
      b.cut(false);
      b.clock.advance(3.3);
    }
    const good = b.values('bias_voltage').filter((v) => !Number.isNaN(v));
    expect(good.length).toBeGreaterThan(30);
    expect(good.length).toBeLessThan(b.values('bias_voltage').length);
    for (const v of good) expect(Math.abs(v - 55)).toBeLessThan(0.02);
    for (const v of b.values('temperature_1').filter((t) => !Number.isNaN(t))) expect(Math.abs(v - 301.5)).toBeLessThan(0.1);
  });

  test('the bias: high byte, low byte, start; off is the DAC at nothing and then the shutdown', () => {
    const b = bench({ bias: BIAS, bias_limit: 60 });
    expect(b.one.commands.bias_voltage).toMatchObject({ takes: 'V', limits: [0, 60], safe: 0, readback: { channel: 'bias_voltage' } });
    expect(b.order('bias_voltage', 55)).toBe('done');
    // 55 * 483.183 + 780 = 27355.065
    expect(b.sent.map(plain)).toEqual(['ff 80 01 00 01 00 00 6a', 'ff 80 01 00 01 00 01 db', 'ff 80 01 00 01 00 02 01']);
    expect(b.values('bias_voltage').at(-1)).toBeCloseTo(55, 1);
    expect(b.order('bias_voltage', 0)).toBe('done');
    expect(b.sent.map(plain)).toEqual([
      'ff 80 01 00 01 00 00 03',
      'ff 80 01 00 01 00 01 0c',
      'ff 80 01 00 01 00 02 01',
      'ff 80 01 00 01 00 03 00',
    ]);
    expect(b.values('bias_voltage').at(-1)).toBeCloseTo(0, 1);
    expect(b.state.bias).toBeLessThan(0.01);
  });
  test('without this board’s calibration the bias can be switched off, and not on', () => {
    const b = bench();
    expect(b.order('bias_voltage', 50)).toMatch(/the bias DAC is not calibrated/);
    expect(b.sent).toEqual([]);
    expect(b.order('bias_voltage', 0)).toBe('done');
    expect(b.values('bias_voltage').at(-1)).toBeCloseTo(0, 1);
  });

  test('the shutdown is sent though nobody answers about the DAC', () => {
    const b = bench({ bias: BIAS });
    b.cut(true);
    expect(b.order('bias_voltage', 0)).toBe('no answer within 1 s');
    expect(b.sent.map(plain)).toEqual(['ff 80 01 00 01 00 00 03', ...new Array(4).fill('ff 80 01 00 01 00 03 00')]);
    const c = bench({ bias: BIAS });
    c.order('bias_voltage', 0, 0, 0.0015); // the first packet has been answered
    c.cut(true);
    c.clock.advance(10);
    expect(c.sent.map(plain).slice(0, 3)).toEqual(['ff 80 01 00 01 00 00 03', 'ff 80 01 00 01 00 01 0c', 'ff 80 01 00 01 00 03 00']);
  });

  test('settings of the chips are refused until all of them were written', () => {
    const b = bench({ chip1: { threshold: 600, input_dac: 350 }, chip2: { threshold: 610, high_gain_shaping: '100 ns', mask: true } });
    expect(b.order('threshold', 500)).toMatch(/give the order configure first/);
    expect(b.sent).toEqual([]);
    expect(b.order('configure')).toBe('done');
    const images = b.sent.filter((s) => s.split(' ').length === 8 + 57);
    expect(b.sent.map((s) => plain(s).slice(0, 29))).toEqual([
      'ff 80 03 00 00 00 00 de de 00',
      plain(images[0]).slice(0, 29),
      plain(images[1]).slice(0, 29),
      'ff 80 03 00 00 00 00 de de 03',
      'ff 80 03 00 00 00 00 fe fe 00',
      'ff 80 03 00 00 00 00 de de 00',
    ]);
    expect(images.map((s) => plain(s).slice(9, 20))).toEqual(['00 00 00 03', '00 00 00 3d']);
    const held = images.map((s) => readSlowControl(Uint8Array.from(s.split(' ').slice(8), (x) => Number.parseInt(x, 16))));
    expect(held[0]).toMatchObject({
      threshold: [600],
      input_dac: new Array(32).fill(350),
      high_gain_shaping: [2],
      mask: new Array(32).fill(0),
    });
    expect(held[1]).toMatchObject({
      threshold: [610],
      input_dac: new Array(32).fill(256),
      high_gain_shaping: [4],
      mask: new Array(32).fill(1),
    });
    expect(b.state.chips.map((c) => c.settings)).toEqual(held);
  });
  test('one setting after that: its chip, its channel, and nothing else', () => {
    const b = bench({ chip1: { input_dac: 300 } });
    b.order('configure');
    const before = b.state.chips.map((c) => c.settings as Record<string, number[]>);
    expect(b.order('input_dac', 500, 40)).toBe('done');
    expect(b.order('input_dac', 511, 41)).toBe('done');
    expect(b.order('threshold', 700, 1)).toBe('done');
    expect(b.order('discriminator', false, 3)).toBe('done');
    expect(b.order('low_gain_capacitor', '1100 fF', 0)).toBe('done');
    const after = b.state.chips.map((c) => c.settings as Record<string, number[]>);
    expect(after[0]).toEqual({ ...before[0], mask: before[0].mask.map((_, i) => Number(i === 3)), low_gain_capacitor: [13] });
    expect(after[1]).toEqual({
      ...before[1],
      threshold: [700],
      input_dac: before[1].input_dac.map((v, i) => (i === 8 ? 500 : i === 9 ? 511 : v)),
    });
    b.clock.advance(60);
    const volts = (ch: number) => b.readings.filter((r) => r.from === 'board.input_dac_voltage' && r.index === ch).at(-1);
    expect(volts(40)).toMatchObject({ quality: 'good', value: expect.closeTo((244 * 4.5) / 255, 3) });
    expect(volts(41)).toMatchObject({ quality: 'suspect', why: 'the monitor ADC is at the end of its range' });
    expect(volts(0)).toMatchObject({ quality: 'good', value: expect.closeTo((44 * 4.5) / 255, 3) });
    expect(volts(63)).toMatchObject({ quality: 'good', value: expect.closeTo((44 * 4.5) / 255, 3) });
    expect(b.order('threshold', 1.5)).toMatch(/takes whole numbers/);
  });
  test('the pulse that shifts the settings in is not sent twice; what the chips hold is then not known', () => {
    const b = bench();
    b.order('configure');
    b.order('threshold', 500, 0, 0.0035); // two or three packets have been answered
    const answered = b.sent.length;
    expect(answered).toBeGreaterThan(0);
    b.cut(true);
    b.clock.advance(30);
    const starts = b.sent.filter((s) => plain(s).endsWith('de de 03'));
    expect(starts.length).toBeLessThanOrEqual(1);
    b.cut(false);
    b.clock.advance(10);
    expect(b.order('threshold', 500)).toMatch(/configure first/);
    expect(b.order('configure')).toBe('done');
    expect(b.order('threshold', 500)).toBe('done');
  });
  test('a lost reply: an idempotent write is repeated three times, each with its own number', () => {
    const b = bench();
    b.cut(true);
    expect(b.order('acquisition', true, 0, 10)).toBe('no answer within 1 s');
    expect(b.sent.map(plain)).toEqual(new Array(4).fill('ff 80 01 00 00 00 77 0f'));
    expect(new Set(b.sent.map((s) => s.slice(6, 8))).size).toBe(4);
    expect(b.order('analog_output', 3, 0, 10)).toBe('no answer within 1 s');
    expect(b.sent.map(plain)).toEqual(['ff 80 03 00 00 00 00 5e 5e 00']);
  });

  test.each<readonly [string, number | boolean | string | undefined, number, readonly string[]]>([
    ['acquisition', true, 0, ['ff 80 01 00 00 00 77 0f']],
    ['acquisition', false, 0, ['ff 80 01 00 00 00 77 0e']],
    ['trigger_pattern', 'Or32And', 0, ['ff 80 01 00 00 00 78 04']],
    ['trigger_channel', 17, 0, ['ff 80 01 00 00 00 79 11']],
    ['trigger_hits', 64, 0, ['ff 80 01 00 00 00 7a 40']],
    ['and_channels', '0 9 63', 0, ['ff 80 08 00 00 00 7b 80 00 00 00 00 00 02 01']],
    ['and_channels', 'none', 0, ['ff 80 08 00 00 00 7b 00 00 00 00 00 00 00 00']],
    ['trigger_width', 100e-9, 0, ['ff 80 01 00 00 00 88 08']],
    ['trigger_width', 0, 0, ['ff 80 01 00 00 00 88 00']],
    ['time_window', 4095e-9, 0, ['ff 80 02 00 00 01 00 0f ff']],
    ['pedestal_high', 900, 5, ['ff 80 02 00 00 10 0a 03 84']],
    ['pedestal_low', 900, 63, ['ff 80 02 00 00 10 fe 03 84']],
    ['clock_output', '1 kHz', 0, ['ff 80 01 00 01 00 30 05']],
    ['analog_output', 40, 0, ['ff 80 03 00 00 00 00 5e 5e 00', 'ff 80 03 00 00 00 00 de de 00', 'ff 80 01 00 00 00 76 08']],
  ])('%s %s [%i]', (name, value, index, packets) => {
    const b = bench();
    expect(b.order(name, value, index)).toBe('done');
    expect(b.sent.map(plain)).toEqual(packets);
  });
  test('256 bytes go in two packets, and no register is cut in two', () => {
    const b = bench();
    expect(b.order('pedestals_off')).toBe('done');
    expect(b.sent.map((s) => [plain(s).slice(0, 20), s.split(' ').length - 8])).toEqual([
      ['ff 80 fe 00 00 10 00', 254],
      ['ff 80 02 00 00 10 fe', 2],
    ]);
  });
  test.each<readonly [string, number | string, RegExp]>([
    ['and_channels', '0 64', /no list of channels from 0 to 63/],
    ['and_channels', 'all', /no list of channels/],
    ['trigger_width', 20e-9, /46 to 800 ns/],
    ['trigger_channel', 1.5, /whole numbers/],
  ])('%s %s is refused', (name, value, why) => {
    const b = bench();
    expect(b.order(name, value)).toMatch(why);
    expect(b.sent).toEqual([]);
  });
  test('switching acquisition off ends the events, on begins them', () => {
    const b = bench({ send: ['adc'] });
    b.clock.advance(10);
    const before = b.values('frames').at(-1) ?? 0;
    expect(before).toBeGreaterThan(100);
    b.order('acquisition', false);
    const stopped = b.values('frames').at(-1) ?? 0;
    b.clock.advance(10);
    expect(b.values('frames').at(-1)).toBe(stopped);
    expect(b.state.status).toBe(2);
    b.order('acquisition', true);
    expect(b.values('frames').at(-1)).toBeGreaterThan(stopped + 50);
  });
});

describe('the stream of events', () => {
  test('charges above the pedestal, and the gain by peaks of photoelectrons', () => {
    const dim: Partial<Given> = { sources: [{ ...SOURCE, kind: 'led', rate: 150, pe: 1.5 }], unlike: 0 };
    const b = bench({ send: ['adc'], pedestal: 800, least: 20, photoelectrons: { low: -30, high: 400, bins: 430 } }, {}, dim);
    b.clock.advance(12); // 500 pulses after some 5 s, and each look fits one of the 64
    const last = (channel: string) => b.readings.filter((r) => r.from === `board.${channel}` && r.index === 5).at(-1);
    // e^-1.5 of the flashes give nothing: those are no pulses.
    const [mean, gain, rate] = [last('mean_charge'), last('gain'), last('rate')];
    expect(mean).toMatchObject({ quality: 'good', value: expect.closeTo((40 * 1.5) / (1 - Math.exp(-1.5)), -1) });
    expect(gain).toMatchObject({ quality: 'good', value: expect.closeTo(40, 0) });
    const part = Number(Object(rate).value) / (b.values('frame_rate').at(-1) ?? Number.NaN);
    expect(Math.abs(part - (1 - Math.exp(-1.5)))).toBeLessThan(0.15); // of some 150 flashes
    const plain = bench({ send: ['adc'] }, {}, dim);
    plain.clock.advance(2);
    expect(plain.values('mean_charge').at(-1)).toBeGreaterThan(800);
  });
  test('rates, and once a second at most', () => {
    const b = bench();
    b.clock.advance(58);
    const rates = b.values('frame_rate');
    expect(rates.length).toBeGreaterThan(40);
    expect(rates.length).toBeLessThanOrEqual(60);
    const mean = rates.reduce((s, v) => s + v, 0) / rates.length;
    expect(Math.abs(mean - 20)).toBeLessThan(4 * Math.sqrt(20 / rates.length));
    const scaler = b.readings.filter((r) => r.from === 'board.scaler' && r.index === 5);
    const dark = scaler.reduce((s, r) => s + (r.quality === 'bad' ? Number.NaN : Number(r.value)), 0) / scaler.length;
    expect(Math.abs(dark - 270)).toBeLessThan(10); // 250 of the dark, and the flashes
    expect(b.values('scaler_or').at(-1)).toBeGreaterThan(64 * 200);
    for (const channel of ['damaged', 'junk', 'resynced']) expect(b.values(channel).every((v) => v === 0)).toBe(true);
  });
  test('stale bytes before the run are thrown away, lost words are counted', () => {
    const b = bench({}, { stale: 403, lose: 0.2 });
    b.clock.advance(60);
    const last = (channel: string): number => b.values(channel).at(-1) ?? Number.NaN;
    expect(last('junk')).toBe(403);
    const events = last('frames') + last('damaged');
    expect(last('damaged') / events).toBeGreaterThan(0.1);
    expect(last('damaged') / events).toBeLessThan(0.3);
  });
});

describe('the simulated board, as other software meets it', () => {
  const board = (device: Readonly<Record<string, unknown>> = {}) => {
    const clock = virtualClock();
    const all = universe(1, clock);
    all.of(detector).configure(LED);
    const { ports } = all.device('board', simulated, simulated.options.parse(device));
    const heard: string[] = [];
    ports.control.says.subscribe((s) => heard.push(hex(s.bytes)));
    const say = (text: string): string | undefined => {
      ports.control.receive(Uint8Array.from(text.split(' '), (x) => Number.parseInt(x, 16)));
      clock.advance(0.05);
      return heard.pop();
    };
    return { clock, ports, say };
  };
  test('registers: the version and the monitor ADC are read, all others only written', () => {
    const { say } = board();
    expect(say('ff c0 01 06 f0 00 00 00')).toBe('ff c8 01 06 f0 00 00 00 12 34 20 15 02 20');
    expect(say('ff 80 02 01 00 00 00 77 0f')).toBe('ff 88 02 01 00 00 00 77 0f');
    expect(say('ff c0 03 01 00 00 00 77')).toMatch(/^ff c9 03 01/);
    expect(say('ff c0 04 07 f0 00 00 00')).toMatch(/^ff c9/);
    expect(say('ff 80 05 01 00 00 00 83 01')).toMatch(/^ff 89/);
    expect(say('ff 80 06 02 00 00 11 00 00 00')).toMatch(/^ff 89/);
    expect(say('ff c0 07 02 00 01 00 20')).toBe('ff c8 07 02 00 01 00 20 00 00');
  });
  test('the monitor ADC has the value before until a conversion is over', () => {
    const { clock, ports, say } = board({ bias: 50 });
    const write = (at: string, value: string): void => {
      ports.control.receive(Uint8Array.from(`ff 80 01 01 00 01 00 ${at} ${value}`.split(' '), (x) => Number.parseInt(x, 16)));
      clock.advance(0.002);
    };
    const look = (pause: number): number => {
      for (const [at, value] of [
        ['10', '03'],
        ['11', '01'],
      ])
        write(at, value);
      clock.advance(pause);
      for (const [at, value] of [
        ['10', 'f0'],
        ['11', '00'],
      ])
        write(at, value);
      const [high, low] = say('ff c0 09 02 00 01 00 20')?.split(' ').slice(-2) ?? [];
      return Number.parseInt(`${high}${low}`, 16);
    };
    expect(look(0.001)).not.toBe(Math.round(50 / 0.00208));
    expect(look(0.05)).toBe(Math.round(50 / 0.00208));
  });
  test('its events are hits: the light of the world times the gain, on the pedestal', () => {
    const { clock, ports } = board();
    const source = easirocSource({ pedestal: { high: 800, low: 800 }, gain: 'both', ratio: 10 });
    const sums = new Float64Array(64);
    let hits = 0;
    ports.data.says.subscribe(({ bytes }) => {
      // in pieces, as a network gives them
      for (let at = 0; at < bytes.length; at += 100)
        source.take(bytes.subarray(at, at + 100), clock.now(), (b) => {
          for (let i = 0; i < b.count; i++) sums[b.channel[i]] += b.charge[i];
          hits += b.count;
        });
    });
    clock.advance(60);
    const { frames } = source.counts;
    expect(source.counts).toMatchObject({ junk: 0, damaged: 0, hits: 64 * frames });
    expect(hits).toBe(64 * frames);
    expect(Math.abs(frames - 1200)).toBeLessThan(4 * Math.sqrt(1200));
    // 10 photoelectrons of 40 counts, with Poisson's spread
    for (const sum of sums) expect(Math.abs(sum / frames - 400)).toBeLessThan(5 * 40 * Math.sqrt(10 / frames) + 1);
  });
});

describe('options', () => {
  test.each([
    [{ bias: { per_volt: 483 } }, /bias: is written as \{ per_volt: 483.183, offset: 780 \}, with the numbers of this board/],
    [{ bias: { per_volt: -1, offset: 0 } }, /per_volt must be above 0/],
    [{ bias: { per_volt: 1000, offset: 780 } }, /fit into 16 bits/],
    [{ pedestal: [1, 2] }, /pedestal: must be a number from 0 to 4095, or a list of 64 of them/],
    [{ photoelectrons: { low: 3 } }, /photoelectrons: is written as/],
    [{ bias_limit: 91 }, /bias_limit: must be a number from 0 to 90/],
    [{ monitor: { bais: 1 } }, /monitor: is written as \{ bias: 0.00208/],
    [{ chip1: { treshold: 1 } }, /chip1: has no "treshold"; known are enable_input_dac/],
    [{ chip1: { threshold: 1024 } }, /chip1: threshold must be a whole number from 0 to 1023, not 1024/],
    [{ chip2: { input_dac: [1, 2] } }, /input_dac must be a whole number from 0 to 511, or a list of 32 such/],
    [{ chip1: { high_gain_capacitor: '210 fF' } }, /must be one of none, 100 fF/],
    [{ send: [] }, /send: must be a list/],
    [{ send: ['qdc'] }, /send: must be a list/],
    [{ settle: 0 }, /settle: must be a number/],
    [{ words: 'raw' }, /words: must be one of either, packed, plain/],
  ])('%j', (given, message) => {
    const refused = driver.options.parse(given);
    expect(refused).toBeInstanceOf(Refused);
    expect((refused as Refused).why).toMatch(message); // it is one, see the line above
  });
});
