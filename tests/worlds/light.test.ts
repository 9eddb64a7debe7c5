/** What arrives at a detector, through whatever stands in its way. */
import { describe, expect, test } from 'vitest';
import { DOWN_ROWS, darkFile, LAMP_TEMPERATURE, UP_ROWS, WAVELENGTH } from '../../simulators/worlds/camera.ts';
import { dac } from '../../simulators/worlds/dac.ts';
import { Gathered, type Moment, type View } from '../../simulators/worlds/light.ts';
import { optics, type PartGiven } from '../../simulators/worlds/optics.ts';
import type { SpectralFrame } from '../../src/derive/calibration.ts';
import { spectrumOf } from '../../src/derive/files.ts';
import { measureTemperature } from '../../src/derive/measure.ts';
import { spectralRadiance } from '../../src/derive/radiance.ts';
import { type CameraBench, cameraBench, columnsOf, meanOf } from './bench.ts';

const FILTER: PartGiven = { kind: 'filter', beams: ['up', 'down'], transmission: 0.3, slope: 0.2 };
const LAMP: PartGiven = { kind: 'mirror', beams: ['up', 'down'], shows: 'lamp' };
const REST: Omit<Moment, 'optics'> = { up: 2000, down: 1900, emissivity: 0.3, gaugePressure: 1e9, gaugeTemperature: 300, blind: false };
/** Radiance of an exposure at some wavelengths (m). */
const seen = (light: Gathered, view: View, ...wavelength: readonly number[]): number[] => [
  ...light.radiance({ view, wavelength: Float64Array.from(wavelength) }),
];

function temperatureOf(frame: SpectralFrame, lamp: SpectralFrame, rows: readonly [number, number]) {
  const dark = spectrumOf(darkFile(), 'mean');
  if (typeof dark === 'string') throw new Error(dark);
  const calibration = { frame: lamp, dark, lamp: { temperature: LAMP_TEMPERATURE } };
  const got = measureTemperature(frame, { window: [620e-9, 880e-9], rows, dark, calibration });
  if ('refused' in got) throw new Error(got.refused);
  return got;
}

/** The lamp by way of the mirror, and the mirror out again. */
function lampThrough(b: CameraBench, frames: number): SpectralFrame {
  const mirror = b.world.optics.part('mirror', LAMP);
  mirror.in = 1;
  b.take(1);
  const lamp = b.mean(frames);
  mirror.in = 0;
  return lamp;
}

describe('a filter that is not grey', () => {
  test('with a lamp spectrum through it the temperature is the true one, without it is off by more than 100 K', () => {
    const b = cameraBench();
    const filter = b.world.optics.part('filter', FILTER);
    const bare = lampThrough(b, 20);
    filter.in = 1;
    const filtered = lampThrough(b, 20);
    b.world.laser('main').power = 45;
    b.take(8); // the cell warms
    for (const [rows, side] of [
      [UP_ROWS, 'upTemperatureMean'],
      [DOWN_ROWS, 'downTemperatureMean'],
    ] as const) {
      const pulls: number[] = [];
      for (let i = 0; i < 8; i++) {
        const [frame] = b.take(1);
        const right = temperatureOf(frame, filtered, rows);
        // What is true changes by a few kelvin from one second to the next: speckle, drift, and the transformed surface.
        const truth = b.world[side];
        pulls.push((right.temperature - truth) / Math.hypot(right.sigma, 1));
        expect(Math.abs(temperatureOf(frame, bare, rows).temperature - truth)).toBeGreaterThan(100);
      }
      expect(Math.max(...pulls.map(Math.abs))).toBeLessThan(3);
      expect(Math.abs(meanOf(pulls))).toBeLessThan(1.5);
    }
  });

  test('that moves during an exposure gives the mixed spectrum of its places', () => {
    const table = optics();
    const filter = table.part('filter', FILTER);
    const light = new Gathered();
    light.add({ ...REST, optics: table.still() }, 0.2);
    filter.in = 0.5;
    light.add({ ...REST, optics: table.still() }, 0.1);
    filter.in = 1;
    light.add({ ...REST, optics: table.still() }, 0.3);
    filter.in = 0; // what comes later is of another exposure
    for (const l of [620e-9, 700e-9, 880e-9]) {
      const through = 0.3 * Math.exp((0.2 * (l - 700e-9)) / 100e-9);
      const share = 0.2 + 0.1 * (0.5 + 0.5 * through) + 0.3 * through;
      expect(seen(light, 'up', l)[0] / (share * spectralRadiance(l, 2000, 0.3))).toBeCloseTo(1, 12);
      expect(seen(light, 'down', l)[0] / (share * spectralRadiance(l, 1900, 0.3))).toBeCloseTo(1, 12);
    }
    expect(light.seconds).toBeCloseTo(0.6, 12);
  });

  test('and in the camera: half of the exposure with, half without', () => {
    const brightness = (from: number | 'never'): number => {
      const b = cameraBench({ cosmic: 0 });
      const mirror = b.world.optics.part('mirror', LAMP);
      const filter = b.world.optics.part('filter', { ...FILTER, transmission: 0.1 });
      mirror.in = 1;
      b.take(1);
      if (from !== 'never') {
        b.clock.advance(from);
        b.all.settle();
        filter.in = 1;
      }
      return columnsOf(b.take(1)[0], UP_ROWS).reduce((a, c) => a + c);
    };
    const [none, half, all] = [brightness('never'), brightness(0.25), brightness(0)];
    expect(all / none).toBeCloseTo(0.1, 1);
    // A tick of the world more or less: 2 % of the exposure.
    expect((half - all) / (none - all)).toBeGreaterThan(0.46);
    expect((half - all) / (none - all)).toBeLessThan(0.54);
  });
});

describe('the light of an exposure', () => {
  const still = optics().still();
  test('is that of the mean temperature while it flickers, and the sum of two while the sample is hot for a part of it', () => {
    const light = new Gathered();
    light.add({ ...REST, up: 1990, optics: still }, 0.1);
    light.add({ ...REST, up: 2020, optics: still }, 0.2);
    light.add({ ...REST, up: 300, optics: still }, 0.7);
    expect(seen(light, 'up', 700e-9)[0] / (0.3 * spectralRadiance(700e-9, 2010, 0.3))).toBeCloseTo(1, 12);
  });
  test('does not depend on the pieces that it comes in', () => {
    const [one, many] = [new Gathered(), new Gathered()];
    one.add({ ...REST, optics: still }, 0.5);
    for (let i = 0; i < 50; i++) many.add({ ...REST, optics: still }, 0.01);
    expect(seen(many, 'up', 800e-9)[0] / seen(one, 'up', 800e-9)[0]).toBeCloseTo(1, 12);
  });
  test('of nothing at all is nothing', () => {
    expect(seen(new Gathered(), 'up', 700e-9)).toEqual([0]);
  });

  test('shutter and dark mirror leave nothing, the mirror with the lamp leaves the lamp alone', () => {
    const table = optics();
    const parts = {
      shutter: table.part('shutter', { kind: 'shutter', beams: ['up'] }),
      mirror: table.part('mirror', { kind: 'mirror', beams: ['up'], shows: 'lamp' }),
      block: table.part('block', { kind: 'mirror', beams: ['down'], shows: 'dark' }),
    };
    const now = (...inside: (keyof typeof parts)[]): Gathered => {
      for (const [name, part] of Object.entries(parts)) part.in = inside.some((i) => i === name) ? 1 : 0;
      const light = new Gathered();
      light.add({ ...REST, optics: table.still() }, 1);
      return light;
    };
    expect(seen(now('shutter'), 'up', 700e-9)).toEqual([0]);
    expect(seen(now('block'), 'down', 700e-9)).toEqual([0]);
    expect(seen(now('shutter'), 'down', 700e-9)[0]).toBeGreaterThan(0);
    expect(seen(now('mirror'), 'up', 700e-9)[0] / spectralRadiance(700e-9, LAMP_TEMPERATURE)).toBeCloseTo(1, 12);
    // A lamp that is switched burns only when it is on.
    const lamp = table.part('lamp', { kind: 'lamp', beams: ['up'] });
    expect(seen(now('mirror'), 'up', 700e-9)).toEqual([0]);
    lamp.in = 1;
    expect(seen(now('mirror'), 'up', 700e-9)[0]).toBeGreaterThan(0);
  });

  test('an LED that is left on spoils the short wavelengths most', () => {
    const table = optics();
    const led = table.part('led', { kind: 'led', beams: ['up'] });
    const now = (): number[] => {
      const light = new Gathered();
      light.add({ ...REST, optics: table.still() }, 1);
      return seen(light, 'up', 620e-9, 850e-9);
    };
    const off = now();
    led.in = 1;
    const on = now();
    expect(on[0] / off[0]).toBeGreaterThan(1.3);
    expect(on[1] / off[1]).toBeLessThan(1.01);
    expect(on[1]).toBeGreaterThanOrEqual(off[1]);
  });
});

describe('the optics as they stand', () => {
  test('are one object until something moves, and keep what they were', () => {
    const table = optics();
    const filter = table.part('filter', FILTER);
    const before = table.still();
    expect(table.still()).toBe(before);
    filter.in = 1;
    const after = table.still();
    expect(after).not.toBe(before);
    expect([before, after].map((o) => o.transmission('up', 700e-9))).toEqual([1, 0.3]);
    table.part('other', FILTER);
    expect(table.still()).not.toBe(after);
  });
});

describe('the laser reaches the sample', () => {
  test('through the optics alone: a shutter in its beam leaves the sample cold, a filter takes its part', () => {
    const w = dac.make(1);
    const shutter = w.optics.part('shutter', { kind: 'shutter', beams: ['laser'] });
    const others = w.optics.part('others', { kind: 'shutter', beams: ['up', 'down', 'gauge'] });
    const attenuator = w.optics.part('attenuator', { kind: 'filter', beams: ['laser'], transmission: 0.5, slope: 0 });
    w.laser('main').power = 40;
    const absorbed = (seconds: number): number => {
      for (let i = 0; i < seconds / dac.tick; i++) w.step(dac.tick);
      return w.absorbedPower;
    };
    others.in = 1;
    const open = absorbed(0.3);
    expect(open).toBeGreaterThan(8);
    shutter.in = 1;
    expect(absorbed(0.3)).toBe(0);
    expect(w.sampleTemperature).toBeLessThan(320);
    shutter.in = 0;
    attenuator.in = 1;
    expect(absorbed(0.3) / open).toBeCloseTo(0.5, 1);
  });
});

describe('faults on order', () => {
  test('a jump of the coupling', () => {
    const w = dac.make(1);
    w.faults.couplingJump = (t) => (t < 0.5 ? 1 : 0.6);
    w.laser('main').power = 30;
    const coupling = (seconds: number): number => {
      for (let i = 0; i < Math.round(seconds / dac.tick); i++) w.step(dac.tick);
      return w.emissivityFactor;
    };
    const before = coupling(0.4);
    expect(coupling(0.4) / before).toBeCloseTo(0.6, 2);
  });
  test('no light for a while: the camera has its bias alone, then it sees again', () => {
    const run = (simulate: Readonly<Record<string, unknown>>, faults?: { from: number; until: number }): number[] => {
      const b = cameraBench({ cosmic: 0, ...simulate });
      if (faults) b.world.faults.dark = faults;
      b.world.laser('main').power = 45;
      return b.take(8).map((f) => Math.max(...columnsOf(f, UP_ROWS)));
    };
    for (const brightest of [run({}, { from: 2, until: 3 }), run({ blind: ['2 s', '3 s'] })]) {
      expect(brightest.map((n) => n > 5000)).toEqual([true, true, true, true, false, false, true, true]);
      expect(Math.max(brightest[4], brightest[5])).toBeLessThan(100);
    }
  });
});

test('the axis is that of 600 to 900 nm, and another range is told in the file', () => {
  expect(WAVELENGTH[0]).toBeCloseTo(600e-9, 15);
  const [frame] = cameraBench({ beam: 'gauge', range: ['685 nm', '715 nm'] }).take(1);
  expect(frame.wavelength[0]).toBeCloseTo(685e-9, 13);
  expect(frame.wavelength[511]).toBeCloseTo(715e-9, 13);
  expect(frame.path).toMatchObject({ grating: '750nm,1500', centre_wavelength: 700e-9 });
});

describe('a neon lamp', () => {
  /** Places (m) of the highest columns around these lines (m), as the file's axis tells them: the centre of five columns. */
  const centres = (frame: SpectralFrame, lines: readonly number[]): number[] => {
    const { wavelength } = frame;
    const counts = columnsOf(frame, UP_ROWS);
    return lines.map((line) => {
      const near = [...counts.keys()].filter((i) => Math.abs(wavelength[i] - line) < 2e-9);
      const top = near.reduce((a, b) => (counts[b] > counts[a] ? b : a));
      const around = [-3, -2, -1, 0, 1, 2, 3].map((d) => top + d);
      const sum = around.reduce((s, i) => s + counts[i], 0);
      return around.reduce((s, i) => s + counts[i] * wavelength[i], 0) / sum;
    });
  };
  const LINES = [692.94673e-9, 703.24131e-9, 717.39381e-9, 724.51666e-9];
  test.each([0, 0.4])('in a mirror has its lines where they are; an axis that is %f nm off shows them off', (drift) => {
    const b = cameraBench({ side: 'up', range: ['685 nm', '735 nm'], cosmic: 0, drift: `${drift} nm` });
    const mirror = b.world.optics.part('mirror', { kind: 'mirror', beams: ['up'], shows: 'neon' });
    const dark = Math.max(...columnsOf(b.take(1)[0], UP_ROWS));
    mirror.in = 1;
    b.take(1);
    const [frame] = b.take(1);
    expect(Math.max(...columnsOf(frame, UP_ROWS))).toBeGreaterThan(20 * dark);
    for (const [i, at] of centres(frame, LINES).entries()) expect(Math.abs(at - LINES[i] - drift * 1e-9)).toBeLessThan(0.01e-9);
    expect(b.world.optics.sees('up')).toEqual({ sample: 0, lamp: 0 });
  });
});
