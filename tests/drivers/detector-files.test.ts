import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Subject } from 'rxjs';
import { describe, expect, test } from 'vitest';
import abcd from '../../drivers/abcd-events.ts';
import wavedump from '../../drivers/caen-wavedump.ts';
import { encodeAbcd, likeAbcd } from '../../protocols/abcd.ts';
import type { Protocol } from '../../protocols/protocol.ts';
import { likeWaveDump } from '../../protocols/wavedump.ts';
import abcdSimulator from '../../simulators/abcd-events.ts';
import wavedumpSimulator from '../../simulators/caen-wavedump.ts';
import { acquire } from '../../src/acquire.ts';
import { virtualClock } from '../../src/clock.ts';
import { exchange } from '../../src/exchange.ts';
import type { Instrument } from '../../src/instrument.ts';
import { simulatedLink } from '../../src/links/simulated.ts';
import type { Reading, Trace } from '../../src/reading.ts';
import { type Port, type Said, universe } from '../../src/simulate.ts';
import type { Simulator } from '../../src/simulator.ts';
import { Refused } from '../../src/talk.ts';

function optionsOf<T>(schema: { parse(yaml: unknown): T | Refused }, yaml: unknown): T {
  const options = schema.parse(yaml);
  if (options instanceof Refused) throw new Error(options.why);
  return options;
}
/** A folder into which a test, or the simulator, puts files. */
function folder(model: Instrument, given: unknown = {}, simulator?: Simulator, simulate: unknown = {}) {
  const clock = virtualClock();
  const options = optionsOf(model.options, given);
  const protocol = model.links(options).main as Protocol<unknown, unknown>;
  const says = new Subject<Said>();
  const names: string[] = [];
  const bytes: Uint8Array[] = [];
  const all = universe(3, clock);
  const port: Port = simulator
    ? all.device('digitizer', simulator, optionsOf(simulator.options, simulate)).ports.main
    : { protocol, says, receive: () => {} };
  port.says.subscribe((said) => {
    names.push(said.name ?? '');
    bytes.push(said.bytes);
  });
  const e = exchange(simulatedLink([port], clock, { framing: 'packets' }), protocol, clock);
  const readings: Reading[] = [];
  acquire({ name: 'files', model, options, roles: { main: e }, origin: 'simulator' }, clock, {
    reading: (r) => readings.push(r),
    state: () => {},
  });
  clock.advance(1);
  const of = (channel: string): Reading[] => readings.filter((r) => r.from === `files.${channel}`);
  return {
    ...{ clock, readings, of, names, bytes },
    put(name: string, content: Uint8Array) {
      says.next({ name, bytes: content });
      clock.advance(1);
    },
    run(seconds: number) {
      clock.advance(seconds);
      all.settle();
    },
  };
}
const traceOf = (r: Reading | undefined): Trace => {
  if (!r || r.quality === 'bad' || typeof r.value !== 'object') throw new Error(`no trace: ${JSON.stringify(r)}`);
  return r.value;
};

test('list mode: a reading for each channel that a file holds, and none for others', () => {
  const b = folder(abcd);
  const event = (t: number, channel: number, long: number) => ({
    ...{ timestamp: t * 512e9, short: long / 2, long, baseline: 1, channel, group: 0 },
  });
  b.put('a.ade', encodeAbcd([event(1, 0, 100), event(2, 3, 60), event(5, 3, 80), event(4, 0, 100)]));
  expect(b.of('events').map((r) => [r.index, r.quality, r.quality === 'bad' ? r.why : r.value])).toEqual([
    [0, 'good', 2],
    [3, 'good', 2],
  ]);
  expect(b.of('rate')).toMatchObject([{ value: 0.5, sigma: { random: Math.sqrt(2) / 4 } }, {}]);
  expect(b.of('charge')).toMatchObject([{ value: 100 }, { value: 70, sigma: { random: Math.sqrt(200) / Math.sqrt(2) } }]);
  expect(b.of('psd')).toMatchObject([{ value: 0.5 }, { value: 0.5 }]);
  expect(b.of('backward_steps')).toMatchObject([{ value: 1 }]);
  const { columns, shape, settings, begin, end } = traceOf(b.of('spectrum')[1]);
  expect([shape, settings.channel, settings.file, end - begin]).toEqual([[81], 3, 'a.ade', 4e6]);
  expect([columns.counts.data[60], columns.counts.data[80], columns.charge.data[60]]).toEqual([1, 1, 60.5]);
});

test('cut, empty, foreign and too large files say so', () => {
  const b = folder(abcd, { most: 1 });
  const one = encodeAbcd([1, 2].map((t) => ({ timestamp: t * 1e9, short: 1, long: 2, baseline: 3, channel: 0, group: 0 })));
  b.put('cut.ade', one.subarray(0, 20));
  expect(b.of('cut_off')).toMatchObject([{ value: 4 }]);
  expect(b.of('events')).toMatchObject([{ quality: 'suspect', value: 1, why: expect.stringContaining('cut.ade: the last 4 bytes') }]);
  expect(b.of('rate')).toMatchObject([{ quality: 'bad', why: expect.stringContaining('one time only') }]);
  const why = (name: string, content: Uint8Array): unknown => {
    const before = b.of('events').length;
    b.put(name, content);
    return b.of('events').slice(before);
  };
  expect(why('empty.ade', new Uint8Array(0))).toMatchObject([{ quality: 'bad', why: 'empty.ade has no whole event in its 0 bytes' }]);
  expect(why('text.ade', new TextEncoder().encode('Lorem ipsum dolor sit amet, consetetur sadipscing'))).toMatchObject([
    { quality: 'bad', why: 'text.ade is no ABCD list-mode file' },
  ]);
  expect(why('large.ade', new Uint8Array(2 ** 20 + 1))).toMatchObject([{ why: expect.stringContaining('more than 1 MiB') }]);
  const w = folder(wavedump);
  w.put('wave0.dat', new Uint8Array(4096));
  w.put('wave1.dat', new Uint8Array(0));
  expect(w.of('events').map((r) => r.quality)).toEqual(['bad', 'bad']);
  expect(w.of('events')[0]).toMatchObject({ why: expect.stringContaining('OUTPUT_FILE_HEADER YES') });
});

test('options', () => {
  expect(abcd.options.parse({ tick: '0.00390625 ns' })).toMatchObject({ tick: expect.closeTo(4 / 1024, 15), most: 8 });
  expect(abcd.options.parse({ tick: 5 })).toMatchObject({ why: expect.stringContaining('must be a time above zero') });
  expect(wavedump.options.parse({})).toMatchObject({
    tick: expect.closeTo(8, 12),
    time_bits: 31,
    before: 4,
    after: 80,
    polarity: 'negative',
  });
  expect(wavedump.options.parse({ polarity: 'up' })).toBeInstanceOf(Refused);
});

describe('simulated', () => {
  test('ABCD saves files that are read without a bad reading, a board channel after channel', () => {
    const b = folder(abcd, {}, abcdSimulator, { every: 5, channels: 8 });
    b.run(21);
    expect(b.names).toEqual(['run0001_events.ade', 'run0002_events.ade', 'run0003_events.ade', 'run0004_events.ade']);
    expect(b.bytes.every((file) => likeAbcd(file) === true)).toBe(true);
    expect(b.readings.filter((r) => r.quality === 'bad')).toEqual([]);
    expect(b.of('backward_steps').some((r) => r.quality !== 'bad' && Number(r.value) > 0)).toBe(true);
    for (const r of b.of('psd')) expect(r.quality === 'bad' ? 0 : r.value).toBeGreaterThan(0.1);
  });

  test.each(['negative', 'positive'] as const)('WaveDump saves a file a channel, %s pulses', (polarity) => {
    const b = folder(wavedump, { polarity }, wavedumpSimulator, { every: 5, channels: 2, polarity });
    b.run(11);
    expect(b.names).toEqual(['run0001_wave0.dat', 'run0001_wave1.dat', 'run0002_wave0.dat', 'run0002_wave1.dat']);
    expect(b.bytes.every(likeWaveDump)).toBe(true);
    expect(
      b
        .of('events')
        .filter((r) => r.quality === 'good')
        .map((r) => r.index),
    ).toEqual([0, 1, 0, 1]);
    expect(b.readings.filter((r) => r.quality === 'bad')).toEqual([]);
    for (const r of b.of('charge')) expect(r.quality === 'bad' ? 0 : r.value).toBeGreaterThan(10);
  });
});

const data = resolve(import.meta.dirname, '../../../shared/data/detector');
describe.skipIf(!existsSync(data))('real files (skipped where ../shared is not there)', () => {
  test('252Cf in list mode, and two SiPMs as waveforms', () => {
    const b = folder(abcd);
    b.put('cf.ade', new Uint8Array(readFileSync(resolve(data, 'example_data_DT5725_Ch0_Plastic_Cf-252_source_events.ade'))));
    expect(b.of('events')).toMatchObject([{ index: 0, quality: 'good', value: 91_952 }]);
    const w = folder(wavedump, { polarity: 'positive', bits: 10 });
    for (const n of [0, 1]) w.put(`wave${n}.dat`, new Uint8Array(readFileSync(resolve(data, `SiPM_coincidence_wave${n}.dat`))));
    expect(w.of('events')).toMatchObject([
      { index: 0, quality: 'good', value: 41 },
      { index: 1, quality: 'good', value: 41 },
    ]);
    expect(w.readings.filter((r) => r.quality === 'bad')).toEqual([]);
  });
});
