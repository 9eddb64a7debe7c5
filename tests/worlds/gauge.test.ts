/** Ruby and diamond edge: what the fits find is what is true in the world. */
import { describe, expect, test } from 'vitest';
import driver from '../../drivers/ocean-obp.ts';
import simulated from '../../simulators/ocean-obp.ts';
import { GAUGE_ROWS } from '../../simulators/worlds/camera.ts';
import { dac } from '../../simulators/worlds/dac.ts';
import { rubyLight, rubyR1 } from '../../simulators/worlds/light-ruby.ts';
import { diamondEdge as edgeOfWorld, UNLOADED } from '../../simulators/worlds/raman.ts';
import { fitEdge } from '../../src/derive/diamond-edge.ts';
import { diamondEdgeAt, diamondGauge, diamondReference, diamondScale } from '../../src/derive/diamond-scales.ts';
import { rubyGauge, rubyLineAt, rubyReference } from '../../src/derive/ruby.ts';
import { fitRuby } from '../../src/derive/ruby-fit.ts';
import { rubyScale } from '../../src/derive/ruby-scales.ts';
import { frameOfTrace } from '../../src/derive/temperature.ts';
import { total } from '../../src/reading.ts';
import { laboratory, rigOf } from '../laboratory.ts';
import { type CameraBench, cameraBench, rmsOf } from './bench.ts';

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('no such scale');
  return value;
}
const ruby = { scale: known(rubyScale('ruby2020')), reference: rubyReference(), correction: 'datchi2007' } as const;
const akahama = known(diamondScale('akahama2006'));

/** The cell under this pressure (Pa) and at this temperature (K), both at once. */
function set({ world }: Pick<CameraBench, 'world'>, pressure: number, temperature: number): void {
  const share = (pressure - 1e9) / 80e9;
  world.membranePressure = (share * 100e5) / (1 - share);
  const heater = world.heater('cell');
  heater.body = temperature;
  heater.output = (temperature - world.roomTemperature) / 700;
}

const PLACES = [
  [1e9, 295.15],
  [8e9, 300],
  [8e9, 450],
  [25e9, 350],
  [55e9, 300],
] as const;

describe('the formulas', () => {
  test.each(PLACES)('at %f Pa and %f K the line and the edge are those of the scales', (pressure, temperature) => {
    expect(Math.abs(rubyR1(pressure, temperature) - rubyLineAt(pressure, ruby, temperature))).toBeLessThan(1e-15);
    expect(edgeOfWorld(pressure) / diamondEdgeAt(pressure, akahama)).toBeCloseTo(1, 10);
  });
  test('at no pressure and 296 K', () => {
    expect(rubyR1(0, 296)).toBe(694.25e-9);
    expect(edgeOfWorld(0)).toBe(UNLOADED);
  });
  test('R2 and width grow with the temperature, and hot ruby is dark', () => {
    const [cold, room, hot, hotter] = [80, 300, 500, 900].map((t) => rubyLight(1e9, t));
    const ratio = ({ lines: [r1, r2] }: typeof cold): number => r2.share / r1.share;
    expect(ratio(cold)).toBeLessThan(ratio(room));
    expect(ratio(room)).toBeLessThan(ratio(hot));
    expect(ratio(room)).toBeCloseTo(0.56, 1);
    for (const [a, b] of [
      [cold, room],
      [room, hot],
    ])
      expect(a.lines[0].hwhm).toBeLessThan(b.lines[0].hwhm);
    expect(hotter.strength).toBeLessThan(0.1);
    expect(room.strength).toBeCloseTo(1, 2);
  });
});

describe('ruby before a camera', () => {
  const dark = cameraBench({ beam: 'gauge', range: ['688 nm', '724 nm'], blind: ['0 s', '100 s'] }, 9).mean(50);
  test.each(PLACES)('at %f Pa and %f K the pressure is the true one within its bar', (pressure, temperature) => {
    const b = cameraBench({ beam: 'gauge', range: ['688 nm', '724 nm'] }, 4);
    set(b, pressure, temperature);
    b.take(1);
    const pulls = b.take(60).map((frame) => {
      const fit = fitRuby(frame, { rows: GAUGE_ROWS, gain: 1, readNoise: 5, dark });
      if ('refused' in fit) throw new Error(fit.refused);
      expect(fit.suspect).toBeUndefined();
      const got = rubyGauge(fit.r1.centre, ruby, { value: temperature });
      expect(got.doubts).toEqual([]);
      // The constants of the scale are the world's own: the line alone is uncertain.
      return (got.pressure - pressure) / got.sigma.random;
    });
    expect(Math.max(...pulls.map(Math.abs))).toBeLessThan(4);
    expect(rmsOf(pulls)).toBeLessThan(1.5);
    expect(rmsOf(pulls)).toBeGreaterThan(0.6);
  });

  test('shines only under its laser: a switched lamp, or the option', () => {
    const peak = (simulate: Readonly<Record<string, unknown>>, lamp?: number): number => {
      const b = cameraBench({ beam: 'gauge', range: ['685 nm', '715 nm'], cosmic: 0, ...simulate });
      if (lamp !== undefined) b.world.optics.part('green', { kind: 'lamp', beams: ['gauge'] }).in = lamp;
      b.take(1);
      return Math.max(...Array.from(b.take(1)[0].counts));
    };
    for (const on of [peak({}), peak({ excited: true }, 0), peak({}, 1), peak({ excited: false }, 1)]) expect(on).toBeGreaterThan(900);
    for (const off of [peak({}, 0), peak({ excited: false })]) expect(off).toBeLessThan(640);
  });
});

describe('ruby before a fibre spectrometer', () => {
  test('with a grating for it, through its wire', () => {
    const catalogue = { instruments: new Map([['ocean-obp', driver]]), simulators: new Map([['ocean-obp', simulated]]) };
    const simulate = { beam: 'gauge', range: ['685 nm', '715 nm'] };
    const address = { main: { wire: 'main', address: 'simulated' } };
    const lab = laboratory(rigOf('ocean-obp', catalogue, { options: { family: 'qe-pro' }, simulate, links: address }), catalogue);
    const world = lab.simulated.universe.of(dac);
    set({ world }, 8e9, 300);
    lab.clock.advance(12);
    const pulls = lab.readings('ocean-obp.spectrum').flatMap((r) => {
      if (r.quality === 'bad' || r.kind !== 'trace' || typeof r.value !== 'object') return [];
      const frame = frameOfTrace(r.value);
      if (typeof frame === 'string') throw new Error(frame);
      const fit = fitRuby(frame, { gain: 1, readNoise: 8 });
      if ('refused' in fit) throw new Error(fit.refused);
      const got = rubyGauge(fit.r1.centre, ruby, { value: 300 });
      return [(got.pressure - 8e9) / Math.hypot(got.sigma.random, 1e6)]; // the axis comes as 32-bit numbers
    });
    expect(pulls.length).toBeGreaterThan(5);
    expect(Math.max(...pulls.slice(2).map(Math.abs))).toBeLessThan(4);
  });
});

describe('the edge of the diamond', () => {
  test.each([
    [2e9, '532 nm', ['568 nm', '590 nm']],
    [20e9, '532 nm', ['568 nm', '590 nm']],
    [60e9, '532 nm', ['568 nm', '600 nm']],
    [30e9, '660 nm', ['715 nm', '750 nm']],
  ] as const)('at %f Pa under %s the pressure is the true one within its bar', (pressure, laser, range) => {
    const b = cameraBench({ beam: 'gauge', laser, range, exposure: '2 s', every: '2 s' }, 2);
    set(b, pressure, 300);
    b.take(1);
    const metre = Number.parseFloat(laser) / 1e9;
    const pulls = b.take(8).map((frame) => {
      const fit = fitEdge(frame, { laser: metre, rows: GAUGE_ROWS });
      if ('refused' in fit) throw new Error(fit.refused);
      const got = diamondGauge(fit.shift, akahama, diamondReference());
      expect(Math.abs(got.pressure - pressure)).toBeLessThan(3 * total(got.sigma));
      const { random, shared = {} } = got.sigma;
      return (got.pressure - pressure) / Math.hypot(random, shared.smoothing ?? 0);
    });
    expect(Math.max(...pulls.map(Math.abs))).toBeLessThan(4);
    expect(rmsOf(pulls)).toBeLessThan(2);
  });

  test('is lost behind a laser that is not there', () => {
    const b = cameraBench({ beam: 'gauge', range: ['568 nm', '590 nm'], excited: false });
    set(b, 20e9, 300);
    b.take(1);
    expect(fitEdge(b.take(1)[0], { laser: 532e-9, rows: GAUGE_ROWS })).toMatchObject({ code: 'no-edge' });
  });
});
