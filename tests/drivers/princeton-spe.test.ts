import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Subject } from 'rxjs';
import { describe, expect, test } from 'vitest';
import camera from '../../drivers/princeton-spe.ts';
import type { Protocol } from '../../protocols/protocol.ts';
import { encodeSpe, readSpe, type Spe, SpeFault } from '../../protocols/spe.ts';
import { speFile } from '../../protocols/spe-file.ts';
import { encodeSpe2 } from '../../protocols/spe-write2.ts';
import simulated from '../../simulators/princeton-spe.ts';
import { DOWN_ROWS, darkFile, LAMP_TEMPERATURE, lampFile, UP_ROWS } from '../../simulators/worlds/camera.ts';
import { type Dac, dac } from '../../simulators/worlds/dac.ts';
import { acquire } from '../../src/acquire.ts';
import { virtualClock } from '../../src/clock.ts';
import { spectrumOf } from '../../src/derive/files.ts';
import { measureTemperature } from '../../src/derive/measure.ts';
import { frameOfTrace } from '../../src/derive/temperature.ts';
import { exchange } from '../../src/exchange.ts';
import { type SimulatedLink, simulatedLink } from '../../src/links/simulated.ts';
import type { Reading, Trace } from '../../src/reading.ts';
import { type Port, type Said, universe } from '../../src/simulate.ts';
import { Refused } from '../../src/talk.ts';

function optionsOf<T>(schema: { parse(yaml: unknown): T | Refused }, yaml: unknown): T {
  const options = schema.parse(yaml);
  if (options instanceof Refused) throw new Error(options.why);
  return options;
}
function watch(link: SimulatedLink, clock: ReturnType<typeof virtualClock>, given: unknown = {}) {
  const e = exchange(link, speFile() as Protocol<unknown, unknown>, clock);
  const readings: Reading[] = [];
  const one = acquire(
    { name: 'camera', model: camera, options: optionsOf(camera.options, given), roles: { main: e }, origin: 'simulator' },
    clock,
    {
      reading: (r) => readings.push(r),
      state: () => {},
    },
  );
  const of = (channel: string) => readings.filter((r) => r.from === `camera.${channel}`);
  return { one, of };
}
/** A folder into which a test puts files. */
function folder(given: unknown = {}) {
  const clock = virtualClock();
  const says = new Subject<Said>();
  const port: Port = { protocol: speFile(), says, receive: () => {} };
  const seen = watch(simulatedLink([port], clock, { framing: 'packets' }), clock, given);
  clock.advance(1);
  return {
    ...seen,
    clock,
    put(name: string, bytes: Uint8Array) {
      says.next({ name, bytes });
      clock.advance(1);
    },
  };
}
const traceOf = (r: Reading | undefined): Trace => {
  if (!r || r.quality === 'bad' || typeof r.value !== 'object') throw new Error(`no trace: ${JSON.stringify(r)}`);
  return r.value;
};

const FILE: Spe = {
  version: 3,
  pixel: 'u16',
  regions: [
    { shape: [2, 3], x: 0, y: 0, binning: [1, 1], wavelength: Float64Array.of(600e-9, 601e-9, 602.5e-9) },
    { shape: [1, 2], x: 10, y: 4, binning: [2, 1], wavelength: Float64Array.of(700e-9, 701e-9) },
  ],
  frames: [
    { data: [Uint16Array.of(1, 2, 3, 4, 5, 65535), Uint16Array.of(10, 11)], tracked: {} },
    { data: [Uint16Array.of(7, 8, 9, 10, 11, 12), Uint16Array.of(12, 13)], tracked: {} },
  ],
  exposure: 0.5,
  saturation: 65535,
  settings: { camera: 'PIXIS: 400BR' },
};

describe('files', () => {
  test('one reading per frame, told apart by index; times count back from the arrival', () => {
    const b = folder({ gain: 2, read_noise: 4.5 });
    b.put('two.spe', encodeSpe(FILE));
    const got = b.of('spectrum');
    expect(got.map((r) => [r.index, r.quality, r.kind])).toEqual([
      [0, 'good', 'trace'],
      [1, 'good', 'trace'],
    ]);
    const [first, second] = got.map(traceOf);
    expect(first.shape).toEqual([2, 3]);
    expect([...first.columns.counts.data]).toEqual([1, 2, 3, 4, 5, 65535]);
    expect(first.columns.counts.unit).toBe('1');
    expect([...first.columns.wavelength.data]).toEqual([600e-9, 601e-9, 602.5e-9].map((x) => expect.closeTo(x, 18)));
    expect(first.columns.wavelength.unit).toBe('m');
    expect([second.end, second.begin, first.end, first.begin].map((t) => got[0].t - t)).toEqual([0, 500_000, 500_000, 1_000_000]);
    expect(first.settings).toMatchObject({
      file: 'two.spe',
      exposure: 0.5,
      saturation: 65535,
      gain: 2,
      read_noise: 4.5,
      camera: 'PIXIS: 400BR',
      frame: 0,
    });
    expect(b.of('exposure')).toMatchObject([{ kind: 's', value: 0.5 }]);
  });

  test('another region on request', () => {
    const b = folder({ region: 1 });
    b.put('two.spe', encodeSpe(FILE));
    expect([...traceOf(b.of('spectrum')[0]).columns.counts.data]).toEqual([10, 11]);
    const c = folder({ region: 2 });
    c.put('two.spe', encodeSpe(FILE));
    expect(c.of('spectrum')[0]).toMatchObject({ quality: 'bad', why: 'two.spe has no region 2: it has 2, counted from 0' });
  });

  test('damaged, cut and empty files are bad readings with the reason and the name; the next one is good', () => {
    const b = folder();
    const whole = encodeSpe({ ...FILE, frames: FILE.frames.slice(0, 1) });
    b.put('cut.spe', whole.subarray(0, 4110));
    b.put('empty.spe', new Uint8Array(0));
    b.put('noise.spe', new Uint8Array(5000).fill(7));
    b.put('good.spe', whole);
    const got = b.of('spectrum');
    expect(got.map((r) => r.quality)).toEqual(['bad', 'bad', 'bad', 'good']);
    const whys = got.flatMap((r) => (r.quality === 'bad' ? [r.why] : []));
    expect(whys[0]).toMatch(/^cut\.spe: .*footer/);
    expect(whys[1]).toMatch(/^empty\.spe: .*the file is empty/);
    expect(whys[2]).toMatch(/^noise\.spe: /);
    expect(b.of('exposure').map((r) => r.quality)).toEqual(['bad', 'bad', 'bad', 'good']);
    expect(b.one.state).toEqual({ is: 'running' });
  });

  test('without wavelengths: suspect', () => {
    const b = folder();
    const [region] = FILE.regions;
    b.put(
      'raw.spe',
      encodeSpe({ ...FILE, regions: [{ ...region, wavelength: undefined }], frames: [{ data: [FILE.frames[0].data[0]], tracked: {} }] }),
    );
    expect(b.of('spectrum')[0]).toMatchObject({ quality: 'suspect', why: expect.stringContaining('raw.spe has no wavelengths') });
  });

  test('options', () => {
    expect(camera.options.parse({ gain: 0 })).toMatchObject({ why: 'gain: must be a number above zero, not 0' });
    expect(simulated.options.parse({ exposure: '2 K' })).toBeInstanceOf(Refused);
    expect(simulated.options.parse({ exposure: '200 ms' })).toMatchObject({ exposure: 0.2, every: 1 });
  });
});

describe('SPE 2', () => {
  const axis = Float64Array.from({ length: 500 }, (_, i) => (600 + 0.5 * i - 2e-5 * i * i + 1e-9 * i ** 3) / 1e9);
  test.each(['f32', 'i32', 'i16', 'u16', 'f64', 'u8', 'u32'] as const)('%s is read as it was written', (pixel) => {
    const Make = {
      f32: Float32Array,
      i32: Int32Array,
      i16: Int16Array,
      u16: Uint16Array,
      f64: Float64Array,
      u8: Uint8Array,
      u32: Uint32Array,
    }[pixel];
    const numbers = (f: number) => Array.from({ length: 1000 }, (_, i) => (i * 7 + f) % 250);
    const frames = [0, 1].map((f) => ({ data: [new Make(numbers(f))], tracked: {} }));
    const back = readSpe(
      encodeSpe2({
        ...FILE,
        version: 2.5,
        pixel,
        frames,
        regions: [{ shape: [2, 500], x: 0, y: 3, binning: [1, 2], wavelength: axis }],
        exposure: 0.18,
      }),
    );
    if (back instanceof SpeFault) throw new Error(back.why);
    expect(back.pixel).toBe(pixel);
    expect(back.frames.map((f) => f.data)).toEqual(frames.map((f) => f.data));
    expect(back.regions[0]).toMatchObject({ shape: [2, 500], x: 0, y: 3, binning: [1, 2] });
    expect(back.exposure).toBe(0.18);
    for (const [i, l] of (back.regions[0].wavelength ?? []).entries()) expect(Math.abs(l - axis[i])).toBeLessThan(1e-15);
    expect(back.regions[0].wavelength).toHaveLength(500);
  });
  test('what it cannot hold is refused', () => {
    expect(() => encodeSpe2({ ...FILE, frames: [] })).toThrow(/one frame or more/);
  });
});

const seconds = 20;
function cell(power: number, simulate: unknown = {}) {
  const clock = virtualClock();
  const all = universe(3, clock);
  const { ports } = all.device('camera', simulated, optionsOf(simulated.options, simulate));
  const world: Dac = all.of(dac);
  world.laser('main').power = power;
  const seen = watch(simulatedLink([ports.main], clock, { framing: 'packets' }), clock, { gain: 1, read_noise: 5 });
  // What is true on average while the camera looks, once the cell is warm.
  let [truth, n] = [0, 0];
  while (clock.mono() < seconds - 1e-9) {
    clock.advance(0.05);
    all.settle();
    if (clock.mono() < 4 || clock.mono() % 1 > 0.5) continue;
    truth += world.upTemperature;
    n++;
  }
  return { ...seen, world, truth: truth / n };
}

describe('the simulated camera', () => {
  test('one file per second, and with the calibration it tells the temperature of either side', () => {
    const b = cell(45);
    const spectra = b.of('spectrum');
    expect(spectra.length).toBe(seconds);
    expect(traceOf(spectra[4]).settings).toMatchObject({ file: 'spectrum-000005.spe', exposure: 0.5, saturation: 65535 });
    const lamp = spectrumOf(lampFile(), 'mean');
    const dark = spectrumOf(darkFile(), 'mean');
    if (typeof lamp === 'string' || typeof dark === 'string') throw new Error('calibration files');
    for (const rows of [UP_ROWS, DOWN_ROWS]) {
      const off = spectra.slice(4).map((r) => {
        const frame = frameOfTrace(traceOf(r));
        if (typeof frame === 'string') throw new Error(frame);
        const t = measureTemperature(frame, {
          window: [620e-9, 880e-9],
          rows,
          dark,
          calibration: { frame: lamp, dark, lamp: { temperature: LAMP_TEMPERATURE } },
        });
        if ('refused' in t) throw new Error(t.refused);
        return t.temperature - b.truth;
      });
      const mean = off.reduce((s, x) => s + x, 0) / off.length;
      expect(b.truth).toBeGreaterThan(1500);
      expect(Math.abs(mean)).toBeLessThan(2.5); // the noise of the lamp's own spectrum, and of the truth's 200 samples
    }
  });

  test('without light there is only the bias and its noise', () => {
    const data = [...traceOf(cell(0).of('spectrum').at(-1)).columns.counts.data];
    const mean = data.reduce((s, n) => s + n, 0) / data.length;
    const variance = data.reduce((s, n) => s + (n - mean) ** 2, 0) / data.length;
    expect(mean).toBeCloseTo(600, 0);
    expect(Math.sqrt(variance)).toBeCloseTo(5, 0);
  });

  test('too much light saturates at 65535', () => {
    const { data } = traceOf(cell(400, { exposure: 0.9 }).of('spectrum').at(-1)).columns.counts;
    expect(Math.max(...data)).toBe(65535);
  });

  test('the noise is that of the exposure: other polling, other neighbours, the same counts', () => {
    const [one, two] = [cell(40), cell(40, { every: '1 s' })].map((b) => traceOf(b.of('spectrum')[7]).columns.counts.data);
    expect(one).toEqual(two);
    const other = traceOf(cell(40).of('spectrum')[8]).columns.counts.data;
    expect(one).not.toEqual(other);
  });
});

describe('the calibration files of the example rig', () => {
  const folderOf = resolve(import.meta.dirname, '../../rigs/demo/calibrations');
  test.each([
    ['lamp.spe', lampFile],
    ['dark.spe', darkFile],
  ])('%s is what the camera sees', (name, make) => {
    const bytes = new Uint8Array(readFileSync(resolve(folderOf, name)));
    expect(bytes).toEqual(make());
  });
  test('are small', () => {
    expect(existsSync(folderOf)).toBe(true);
    const size = readdirSync(folderOf)
      .filter((n) => n.endsWith('.spe'))
      .reduce((sum, n) => sum + readFileSync(resolve(folderOf, n)).length, 0);
    expect(size).toBeLessThanOrEqual(200_000);
  });
});
