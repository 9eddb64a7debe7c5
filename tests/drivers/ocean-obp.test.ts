import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import driver from '../../drivers/ocean-obp.ts';
import { OBP_FLAG, type ObpAsk, type ObpMessage, obp } from '../../protocols/obp.ts';
import { Fault } from '../../protocols/protocol.ts';
import simulated from '../../simulators/ocean-obp.ts';
import { dac } from '../../simulators/worlds/dac.ts';
import type { Exposed } from '../../simulators/worlds/spectrometer.ts';
import type { Catalogue } from '../../src/catalogue.ts';
import { virtualClock } from '../../src/clock.ts';
import type { Entry, OrderEntry } from '../../src/entry.ts';
import { faultyLink } from '../../src/links/faulty.ts';
import type { Reading, Trace } from '../../src/reading.ts';
import { universe } from '../../src/simulate.ts';
import { Refused } from '../../src/talk.ts';
import { laboratory, rigOf } from '../laboratory.ts';

const catalogue: Catalogue = { instruments: new Map([['ocean-obp', driver]]), simulators: new Map([['ocean-obp', simulated]]) };
type Family = 'qe-pro' | 'fx' | 'sts';
type State = ReturnType<typeof simulated.state>;

interface Given {
  readonly family?: Family;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly simulate?: Readonly<Record<string, unknown>>;
  readonly baud?: number;
  readonly faults?: Readonly<Record<string, number>>;
}

function spectrometer({ family = 'qe-pro', options = {}, simulate = {}, baud, faults }: Given = {}) {
  const address = baud === undefined ? 'simulated' : `simulated?baud=${baud}`;
  const rig = rigOf('ocean-obp', catalogue, { options: { family, ...options }, simulate, links: { main: { wire: 'main', address } } });
  const lab = laboratory(rig, catalogue, faults ? { wrap: (link, _wire, clock) => faultyLink(link, clock, { seed: 5, ...faults }) } : {});
  const zero = lab.clock.now();
  const device = lab.simulated.device('ocean-obp');
  if (!device) throw new Error('the rig has no simulator');
  lab.simulated.universe.of(dac).laser('test').power = 60;
  return {
    ...lab,
    zero,
    state: device.state as State, // of the simulator above
    order(command: string, written?: string | number | boolean): { readonly end: OrderEntry | undefined } {
      const ended: { end: OrderEntry | undefined } = { end: undefined };
      lab.host.order(
        { by: 'test', instrument: 'ocean-obp', command, written: written === undefined ? undefined : String(written), deadline: 60 },
        (end) => {
          ended.end = end;
        },
      );
      return ended;
    },
    latest: (channel: string) => lab.host.acquired.get('ocean-obp')?.latest(channel),
    spectra: () => spectraOf(lab.entries),
  };
}
type Bench = ReturnType<typeof spectrometer>;

const isSpectrum = (r: Reading): boolean => r.from === 'ocean-obp.spectrum' && r.quality !== 'bad';
const traceOf = (r: Reading): Trace => (r as { value: Trace }).value; // of a good reading of a trace
const spectraOf = (entries: readonly Entry[]): Trace[] =>
  entries.flatMap((e) => (e.kind === 'reading' && isSpectrum(e.reading) ? [traceOf(e.reading)] : []));

/** The exposure that a spectrum shows, by its noise: what was true in the world when it was taken. */
function truthOf(b: Bench, { columns }: Trace): Exposed {
  const from = b.state.family === 'qe-pro' ? 10 : 0;
  const key = (counts: ArrayLike<number>, at: number): string => Array.from({ length: 60 }, (_, i) => counts[at + i]).join(' ');
  const found = b.state.talk.given.filter(({ counts }) => key(counts, from) === key(columns.counts.data, 0));
  expect(found).toHaveLength(1);
  return found[0].of;
}
const TRIGGERS: Readonly<Record<Family, readonly string[]>> = {
  'qe-pro': ['normal', 'level', 'synchronous', 'edge'],
  fx: ['normal', 'edge', '', 'level'],
  sts: ['normal', 'edge', 'synchronous'],
};

/** Every spectrum is shown with what it was exposed with, and with nothing from before the orders that have been carried out. */
function holds(b: Bench): number {
  /** Unknown while an order to it is under way, and after one that may not have been carried out. */
  let lamp: boolean | undefined = false;
  const underWay = new Set<number>();
  let since = 0;
  let seen = 0;
  for (const entry of b.entries) {
    if (entry.kind === 'order' && entry.order.outcome === 'done') {
      since = Math.max(since, (entry.order.t - b.zero) / 1e6);
    }
    if (entry.kind === 'order' && entry.order.command === 'lamp') {
      if (entry.order.outcome === undefined) underWay.add(entry.order.id);
      else underWay.delete(entry.order.id);
      lamp = underWay.size === 0 && entry.order.outcome === 'done' ? entry.order.value === true : undefined;
    }
    if (entry.kind !== 'reading' || !isSpectrum(entry.reading)) continue;
    seen++;
    const trace = traceOf(entry.reading);
    const truth = truthOf(b, trace);
    expect(trace.settings).toMatchObject({
      exposure: truth.exposure / 1e6,
      averaged: truth.scans,
      trigger: TRIGGERS[b.state.family][truth.trigger],
      binning: 2 ** truth.binning,
    });
    expect(truth.lamp).toBe(lamp ?? truth.lamp);
    expect(truth.begin).toBeGreaterThanOrEqual(since);
    expect(trace.end - trace.begin).toBeCloseTo((truth.end - truth.begin) * 1e6, 0);
    expect(entry.reading.t).toBe(trace.end);
  }
  return seen;
}

describe('identify', () => {
  test('a QE Pro', () => {
    const b = spectrometer();
    b.clock.advance(3);
    expect(b.host.acquired.get('ocean-obp')?.id).toMatchObject({
      serial: 'QEP03738',
      firmware: '1.35',
      hardware: 4,
      pixels: 1044,
      limits: [8000, 1_600_000_000],
      sensors: 4,
      bufferSize: 15000,
      binningMost: 0,
      has: { scans: false, buffering: false, cooler: true, lamp: true, strobe: true },
    });
    expect(b.host.acquired.get('ocean-obp')?.id).toMatchObject({
      wavelength: [598.2, 0.3012, -4.1e-6, -1e-10].map(Math.fround),
      nonlinearity: { length: 8 },
    });
  });
  test('an Ocean FX says its own limits and pixels', () => {
    const b = spectrometer({ family: 'fx' });
    b.clock.advance(3);
    const id = b.host.acquired.get('ocean-obp')?.id;
    expect(id).toMatchObject({ serial: 'FX00172', pixels: 2136, limits: [10, 10_000_000], has: { buffering: true, cooler: false } });
  });
  /** The answers of a spectrometer; all else is unknown to it. */
  const identified = (answers: Readonly<Record<number, Uint8Array>>, family: Family = 'qe-pro') => {
    const main = {
      // biome-ignore lint/correctness/useYield: answers at once
      *ask(q: ObpAsk): Generator<never, ObpMessage> {
        const data = answers[q.type];
        const plain = { type: q.type, regarding: 0, version: 0x1100, md5: false };
        if (data) return { ...plain, data, flags: OBP_FLAG.response, error: 0 };
        return { ...plain, data: new Uint8Array(0), flags: OBP_FLAG.response | OBP_FLAG.nack, error: 2 };
      },
    };
    const p = driver.options.parse({ family });
    if (p instanceof Refused) throw new Error(p.why);
    return driver.identify({ main }, p).next();
  };
  test('of another family by its pixels, and without a wavelength that is a number, is refused', () => {
    const serial = Uint8Array.of(0x58, 0x31, 0, 0);
    const pixels = (n: number) => ({ 256: serial, 1114656: Uint8Array.of(n % 256, n >> 8) });
    const other = identified(pixels(2136)).value;
    expect(other).toBeInstanceOf(Refused);
    expect(other).toMatchObject({ why: expect.stringMatching(/^X1 has 2136 pixels, and a qe-pro has 1044/) });
    const nan = { ...pixels(1044), 1573120: Uint8Array.of(1), 1573121: Uint8Array.of(0, 0, 0xc0, 0x7f) };
    expect(identified(nan).value).toMatchObject({ why: expect.stringContaining('are no numbers') });
    expect(identified(pixels(1044)).value).toMatchObject({ serial: 'X1', pixels: 1044, wavelength: [], sensors: 0, bufferSize: 0 });
    expect(() => identified({})).toThrow('refuses 0x00000100: unknown message type');
  });
  test('a wrong option is a sentence', () => {
    expect(driver.options.parse({ family: 'usb4000' })).toMatchObject({ why: expect.stringContaining('qe-pro, fx, sts') });
    expect(driver.options.parse({})).toMatchObject({ why: expect.stringContaining('family') });
  });
});

describe('a spectrum', () => {
  test('of a QE Pro: light-seeing pixels with their wavelengths, dark level, saturation, settings', () => {
    const b = spectrometer();
    b.clock.advance(12);
    const [trace] = b.spectra().slice(-1);
    expect(trace.shape).toEqual([1024]);
    expect(trace.columns.wavelength.data[0] * 1e9).toBeCloseTo(598.2 + 3.012 - 4.1e-4, 3);
    expect(trace.columns.wavelength.unit).toBe('m');
    expect(trace.settings).toMatchObject({
      serial: 'QEP03738',
      exposure: 0.1,
      averaged: 1,
      trigger: 'normal',
      saturation: 262143,
      saturated: 0,
    });
    expect(Number(trace.settings.dark)).toBeCloseTo(1510, -1);
    expect(String(trace.settings.nonlinearity).split(' ')).toHaveLength(8);
    expect(Math.max(...trace.columns.counts.data)).toBeGreaterThan(10_000);
    expect(holds(b)).toBeGreaterThan(10);
  });
  test.each(['qe-pro', 'fx', 'sts'] as const)('of a %s bears the beginning and the end of its exposure', (family) => {
    const b = spectrometer({ family });
    b.clock.advance(20);
    for (const trace of b.spectra()) {
      // Late by what lies between two exposures at most: 100 ms and the readout.
      const late = trace.end - (b.zero + truthOf(b, trace).end * 1e6);
      expect(late).toBeGreaterThanOrEqual(-5000);
      expect(late).toBeLessThan(120_000);
    }
  });
  test('is the newest although others are exposed while it is read: a full buffer is caught up with', () => {
    const b = spectrometer({ baud: 1_000_000 }); // a spectrum takes 42 ms, and one is exposed every 105 ms
    b.clock.advance(30);
    const [trace] = b.spectra().slice(-1);
    expect((b.clock.now() - trace.end) / 1e6).toBeLessThan(1);
    expect(Number((b.latest('waiting') as { value: number }).value)).toBeLessThan(10);
    expect(holds(b)).toBeGreaterThan(20);
  });
  test('that has lain in the buffer is not taken for a new one', () => {
    const b = spectrometer({ simulate: { buffer: 60 } });
    b.clock.advance(2);
    b.order('trigger', 'edge');
    b.clock.advance(2);
    b.order('pulse');
    b.clock.advance(5);
    b.order('pulse');
    b.clock.advance(5);
    const ends = b
      .spectra()
      .slice(-1)
      .map((t) => (t.end - b.zero) / 1e6);
    const truths = b
      .spectra()
      .slice(-1)
      .map((t) => truthOf(b, t).end);
    expect(ends[0]).toBeCloseTo(truths[0], 0);
    expect(holds(b)).toBeGreaterThan(0);
  });
  test('whose pixels are full says how many', () => {
    const b = spectrometer({ family: 'sts' });
    b.clock.advance(2);
    b.order('integration_time', '5 s');
    b.clock.advance(40);
    const [trace] = b.spectra().slice(-1);
    expect(trace.settings.exposure).toBe(5);
    const full = trace.columns.counts.data.filter((c: number) => c >= 16383).length;
    expect(full).toBeGreaterThan(100);
    expect(trace.settings.saturated).toBe(full);
    expect(b.latest('saturated')).toMatchObject({ quality: 'good', value: full });
  });
  test('spectra that the buffer could not hold are counted', () => {
    const b = spectrometer({ simulate: { buffer: 2 } });
    b.clock.advance(2);
    b.order('integration_time', '10 ms');
    b.clock.advance(20);
    expect(b.spectra().slice(-1)[0].settings.lost).toBeGreaterThan(500);
    expect(holds(b)).toBeGreaterThan(20);
  });
});

describe('orders', () => {
  test('are acknowledged and read back; limits are those of the unit', () => {
    const b = spectrometer({ family: 'sts' });
    b.clock.advance(3);
    const ends = [
      b.order('integration_time', '20 ms'),
      b.order('averaged', 3),
      b.order('binning', 4),
      b.order('trigger', 'synchronous'),
      b.order('lamp', 'on'),
      b.order('strobe', 'on'),
    ];
    b.clock.advance(30);
    expect(ends.map(({ end }) => end?.outcome)).toEqual(['done', 'done', 'done', 'done', 'done', 'done']);
    expect(b.state.camera.now).toEqual({ exposure: 20_000, scans: 3, binning: 2, trigger: 2, lamp: true });
    expect(b.state.strobe).toBe(true);
    const [trace] = b.spectra().slice(-1);
    expect(trace.shape).toEqual([256]);
    expect(trace.columns.wavelength.data[0] * 1e9).toBeCloseTo(635.4 + 1.5 * 0.4611, 2);
    for (const written of ['9 us', '86 s', '-1 s']) {
      const refused = b.order('integration_time', written);
      b.clock.advance(1);
      expect(refused.end?.outcome).toBe('refused');
    }
    expect(holds(b)).toBeGreaterThan(0);
  });
  test('what would hold up the line is not offered', () => {
    const b = spectrometer({ family: 'sts' });
    b.clock.advance(3);
    expect(b.host.acquired.get('ocean-obp')?.commands.trigger.words).toEqual(['normal', 'synchronous']);
    b.state.camera.now.trigger = 1; // by another program
    b.clock.advance(5);
    expect(b.latest('spectrum')).toMatchObject({ quality: 'bad', why: expect.stringContaining('trigger "edge" without a buffer') });
    expect(b.latest('trigger')).toMatchObject({ value: 'edge' });
  });
  test('stopped, it says so; it goes on when it is told to', () => {
    const b = spectrometer();
    b.clock.advance(3);
    b.order('running', 'off');
    b.clock.advance(5);
    expect(b.latest('running')).toMatchObject({ value: false });
    expect(b.latest('spectrum')).toMatchObject({ quality: 'bad', why: expect.stringContaining('idle') });
    // An order to what is stopped does not start it.
    b.order('integration_time', '50 ms');
    b.clock.advance(5);
    expect(b.state.camera.running).toBe(false);
    const before = b.spectra().length;
    b.order('running', 'on');
    b.clock.advance(5);
    expect(b.spectra().length).toBeGreaterThan(before + 2);
    expect(b.spectra().slice(-1)[0].settings.exposure).toBe(0.05);
    holds(b);
  });
  test('a refusal is told in the words of the data sheet, and what was stopped goes on', () => {
    const b = spectrometer({ family: 'fx' });
    b.clock.advance(3);
    const before = b.spectra().length;
    // The rig's own limits are wider than what this unit can do.
    const told = b.order('trigger', 'disabled');
    b.clock.advance(5);
    expect(told.end?.outcome).toBe('done');
    expect(b.spectra().length).toBeLessThan(before + 3);
    b.state.refuses = 0x00110110;
    const failed = b.order('trigger', 'normal');
    b.clock.advance(5);
    expect(failed.end).toMatchObject({ outcome: 'failed', why: expect.stringContaining('refuses 0x00110110: device not ready') });
    expect(b.state.camera.running).toBe(true);
    b.state.refuses = undefined;
    b.order('trigger', 'normal');
    b.clock.advance(5);
    expect(b.spectra().length).toBeGreaterThan(before + 3);
    expect(holds(b)).toBeGreaterThan(0);
  });
  test('each edge gives one spectrum, and none is passed over', () => {
    const b = spectrometer({ simulate: { buffer: 50 } });
    b.clock.advance(3);
    b.order('trigger', 'edge');
    b.clock.advance(3);
    const before = b.spectra().length;
    for (let i = 0; i < 6; i++) {
      b.order('pulse');
      b.clock.advance(0.3);
    }
    b.clock.advance(10);
    // The first is given up for the exposure that might have been running when the trigger was changed.
    expect(b.spectra().length - before).toBe(5);
    const numbers = b
      .spectra()
      .slice(-5)
      .map((t) => Number(t.settings.count));
    expect(numbers.map((n) => n - numbers[0])).toEqual([0, 1, 2, 3, 4]);
    holds(b);
  });
});

describe('no spectrum is ever shown with settings that it was not exposed with', () => {
  type Step =
    | { readonly order: string; readonly value?: string | number | boolean; readonly wait: number }
    | { readonly other: number; readonly wait: number }
    | { readonly power: true; readonly wait: number };
  const wait = fc.constantFrom(0, 0.004, 0.06, 0.4, 1.3, 3);
  const ordered = (order: string, ...values: (string | number | boolean)[]): fc.Arbitrary<Step> =>
    fc.record({ order: fc.constant(order), value: fc.constantFrom(...values), wait });
  const common: fc.Arbitrary<Step>[] = [
    ordered('integration_time', '8 ms', '21 ms', '50 ms', '0.13 s', '0.31 s', '0.8 s'),
    ordered('integration_time', '10 ms', '0.2 s'),
    ordered('lamp', 'on', 'off'),
    fc.record({ other: fc.constantFrom(9000, 33_000, 410_000), wait }),
    fc.record({ power: fc.constant(true as const), wait }),
  ];
  const steps: Readonly<Record<Family, fc.Arbitrary<Step>[]>> = {
    'qe-pro': [
      ...common,
      ordered('trigger', 'normal', 'synchronous', 'edge'),
      ordered('buffer_size', 1, 3, 40),
      ordered('running', 'on', 'off'),
    ],
    fx: [
      ...common,
      ordered('trigger', 'normal', 'edge'),
      ordered('averaged', 1, 2, 5),
      ordered('buffer_size', 1, 3, 40),
      ordered('buffering', 'on', 'off'),
    ],
    sts: [...common, ordered('trigger', 'normal', 'synchronous'), ordered('averaged', 1, 2, 5), ordered('binning', 1, 2, 8)],
  };
  const play = (b: Bench, all: readonly Step[]): void => {
    b.clock.advance(2.5);
    for (const step of all) {
      const { camera } = b.state;
      if ('order' in step) b.order(step.order, step.value);
      else if ('other' in step) camera.now.exposure = step.other;
      else {
        Object.assign(camera.now, { exposure: 100_000, trigger: 0, scans: 1, binning: 0 });
        camera.held = [];
      }
      b.clock.advance(step.wait);
    }
    b.clock.advance(4);
  };
  const cases: readonly (readonly [string, Given])[] = [
    ['qe-pro', { family: 'qe-pro' }],
    ['qe-pro on a serial line, whose abort lets the exposure end', { family: 'qe-pro', baud: 115200, simulate: { abort: 'finishes' } }],
    ['fx', { family: 'fx' }],
    ['fx without buffer', { family: 'fx', simulate: { buffering: false } }],
    ['sts on a serial line', { family: 'sts', baud: 115200 }],
    [
      'sts with checksums on a bad line',
      { family: 'sts', options: { checksum: 'md5' }, faults: { drop: 0.005, delay: 0.02, cut: 0.005, echo: 0.02 } },
    ],
  ];
  test.each(cases)('%s, all orders of changes', (_name, given) => {
    let seen = 0;
    fc.assert(
      fc.property(fc.array(fc.oneof(...steps[given.family ?? 'qe-pro']), { maxLength: 6 }), (all) => {
        const b = spectrometer(given);
        play(b, all);
        seen += holds(b);
      }),
      { numRuns: 16 },
    );
    expect(seen).toBeGreaterThan(20);
  });
});

describe('at every moment of an exposure and of a poll', () => {
  const moments = Array.from({ length: 8 }, (_, i) => i);
  test('an order to a unit without buffer passes over the spectrum that is ready and the one that is being exposed', () => {
    for (const i of moments) {
      const b = spectrometer({ family: 'sts', baud: 115200 });
      b.clock.advance(4);
      b.order('integration_time', '2 s');
      b.clock.advance(12 + 0.29 * i);
      b.order('integration_time', '0.1 s');
      b.clock.advance(8);
      holds(b);
      expect(b.spectra().slice(-1)[0].settings.exposure).toBe(0.1);
    }
  });
  test('what another program changes while a spectrum is read is seen', () => {
    for (const i of moments) {
      const b = spectrometer({ family: 'sts', baud: 9600 });
      b.clock.advance(20);
      b.order('integration_time', '8 ms');
      b.clock.advance(25 + 0.43 * i);
      b.state.camera.now.exposure = 33_000;
      b.clock.advance(25);
      holds(b);
      expect(b.spectra().slice(-1)[0].settings.exposure).toBe(0.033);
    }
  });
  test('a buffer that was full of other spectra is passed over when the unit is met', () => {
    for (const i of moments) {
      const b = spectrometer({ family: 'fx', simulate: { buffer: 6 } });
      b.clock.advance(4 + 0.07 * i);
      b.state.camera.now.exposure = 310_000;
      b.state.camera.now.scans = 2;
      b.clock.advance(5);
      holds(b);
      expect(b.spectra().slice(-1)[0].settings).toMatchObject({ exposure: 0.31, averaged: 2 });
    }
  });
});

describe('the simulator', () => {
  const codec = obp();
  const bench = (options: Readonly<Record<string, unknown>> = {}) => {
    const clock = virtualClock();
    const all = universe(1, clock);
    const parsed = simulated.options.parse({ family: 'sts', ...options });
    if (parsed instanceof Refused) throw new Error(parsed.why);
    const device = all.device('spec', simulated, parsed);
    const said: ObpMessage[] = [];
    const decode = codec.tells.decoder();
    device.ports.main.says.subscribe(({ bytes }) => {
      for (const m of decode(bytes)) if (!(m instanceof Fault)) said.push(m);
    });
    return {
      clock,
      said,
      ask(q: ObpAsk, seconds = 0.01): readonly ObpMessage[] {
        said.length = 0;
        device.ports.main.receive(codec.asks.encode(q));
        clock.advance(seconds);
        return [...said];
      },
    };
  };
  test('repeats "regarding", bears the checksum that it was asked with, and refuses what it does not know', () => {
    const { ask } = bench();
    expect(ask({ type: 0x00000100, regarding: 77, md5: true })).toMatchObject([
      { type: 0x100, regarding: 77, md5: true, flags: 1, error: 0 },
    ]);
    expect(ask({ type: 0x00999999, regarding: 5 })).toMatchObject([{ type: 0x00999999, regarding: 5, flags: 9, error: 2 }]);
    expect(ask({ type: 0x00110010, data: Uint8Array.of(1) })).toMatchObject([{ flags: 9, error: 5 }]);
    expect(ask({ type: 0x00110010, data: Uint8Array.of(1, 0, 0, 0) })).toMatchObject([{ flags: 9, error: 6 }]);
    expect(ask({ type: 0x00110010, data: Uint8Array.of(0, 1, 0, 0) })).toEqual([]);
    expect(ask({ type: 0x00110010, data: Uint8Array.of(0, 1, 0, 0), flags: 4 })).toMatchObject([{ flags: 3, error: 0 }]);
    expect(ask({ type: 0x00110000 })).toMatchObject([{ data: Uint8Array.of(0, 1, 0, 0) }]);
  });
  test('gives the spectrum that was exposed before the change, as real ones do', () => {
    const { ask, clock } = bench();
    clock.advance(1.05);
    ask({ type: 0x00110010, data: Uint8Array.of(0x40, 0x42, 0x0f, 0x00) }); // 1 s
    expect(ask({ type: 0x00101100 })).toMatchObject([{ data: { length: 2048 } }]);
    // The next was being exposed; only the third takes a second.
    expect(ask({ type: 0x00101100 }, 0.2)).toHaveLength(1);
    expect(ask({ type: 0x00101100 }, 0.5)).toHaveLength(0);
    expect(ask({ type: 0x00110000 }, 1)).toHaveLength(2);
  });
  test('its buffer gives the oldest first, and overwrites it when it is full', () => {
    const { ask, clock } = bench({ family: 'qe-pro', buffer: 4 });
    clock.advance(2);
    const count = (m: readonly ObpMessage[]): number => m[0].data[0] + 256 * m[0].data[1];
    expect(count(ask({ type: 0x00100900 }))).toBe(4);
    const numbers = [0, 0, 0].map(() => count(ask({ type: 0x00100928 }, 0.002)));
    expect(numbers[0]).toBeGreaterThan(10);
    expect(numbers.map((n) => n - numbers[0])).toEqual([0, 1, 2]);
  });
  test('counts are in proportion to the exposure, and the wrong one would show', () => {
    const b = spectrometer({ family: 'qe-pro' });
    b.clock.advance(8);
    const sum = (): number => {
      const [trace] = b.spectra().slice(-1);
      return Array.from(trace.columns.counts.data).reduce((total, c) => total + c - Number(trace.settings.dark), 0);
    };
    const short = sum();
    b.order('integration_time', '0.3 s');
    b.clock.advance(6);
    expect(sum() / short).toBeGreaterThan(2.8);
    expect(sum() / short).toBeLessThan(3.2);
  });
});
