/** The numbers of a detector of antineutrinos against tables that were computed elsewhere. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { accidentalRate, agreement, offTime, signal, singlesProduct } from '../../src/derive/accidentals.ts';
import { net, nonParalyzable, nonParalyzableTrue, paralyzable, paralyzableTrue } from '../../src/derive/dead-time.ts';
import { chanceAbove, erfc, THREE_SIGMA } from '../../src/derive/error-function.ts';
import { addShape, figureOfMerit, joined, shape } from '../../src/derive/figure-of-merit.ts';
import { eventsPerYear, geoneutrinos, massesOf } from '../../src/derive/geoneutrino.ts';
import * as ibd from '../../src/derive/ibd.ts';
import { ALPHA_ENERGY, capture, TRITON_ENERGY } from '../../src/derive/lithium.ts';
import { veto } from '../../src/derive/veto.ts';

const golden = resolve(import.meta.dirname, '../../../shared/golden');
/** The tables have the shape that the tests ask for; a missing one fails there. */
const table = (name: string): Record<string, never> =>
  existsSync(golden) ? (JSON.parse(readFileSync(resolve(golden, name), 'utf8')) as Record<string, never>) : {};
type Rows = readonly (readonly number[])[];

function near(got: number | undefined, wanted: number | undefined, relative: number): void {
  expect(Math.abs((got ?? Number.NaN) - (wanted ?? Number.NaN)), `${got} is not ${wanted}`).toBeLessThanOrEqual(
    relative * Math.abs(wanted ?? 0) + Number.MIN_VALUE,
  );
}

describe.skipIf(!existsSync(golden))('tables (../shared/golden beside the project)', () => {
  const ours = table('ibd.json') as unknown as {
    threshold: { E_nu_threshold_MeV: string };
    kinematics_exact: { rows: Rows };
    neutron: { rows: Rows };
    li6: { tau: { rows: Rows }; reaction: { T_alpha_MeV: number; T_triton_MeV: number } };
    geoneutrino: { rows: Rows };
    geo_rate: { rows: Rows };
    reactor_rate: { rows: Rows };
  };
  const detector = table('detector.json') as unknown as {
    dead_time: { non_paralyzable: Rows; paralyzable: Rows };
    accidental_theory: { rows: Rows };
    psd_fom: { gamma: number[]; neutron: number[]; fom: number };
    coincidence: {
      off_window_counts: number[];
      on_time_pairs: number;
      prompt_candidates: number;
      delayed_candidates: number;
      live_time_s: number;
    } & Record<'accidental_estimate' | 'accidental_error' | 'signal_estimate' | 'signal_error' | 'accidental_from_singles_product', number>;
  };

  test('threshold, kinematics and the neutron', () => {
    near(ibd.THRESHOLD, Number(ours.threshold.E_nu_threshold_MeV), 1e-12);
    for (const [e = 0, c = 0, positron, prompt, neutron = 0, cosNeutron] of ours.kinematics_exact.rows) {
      const got = ibd.kinematics(e, c);
      near(got?.positron, positron, 1e-12);
      near(got?.prompt, prompt, 1e-12);
      near(got?.neutron, neutron / 1e3, 1e-9);
      near(got?.cosNeutron, cosNeutron, 1e-9);
    }
    for (const [e = 0, least = 0, most = 0, angle, leading] of ours.neutron.rows) {
      const got = ibd.neutronRange(e);
      near(got?.least, least / 1e3, 1e-9);
      near(got?.most, most / 1e3, 1e-9);
      near(((got?.angle ?? 0) * 180) / Math.PI, angle, 1e-9);
      near(((got?.angleLeadingOrder ?? 0) * 180) / Math.PI, leading, 1e-9);
    }
  });
  test('capture on lithium', () => {
    for (const [density = 0, fraction = 0, hydrogen = 0, tau = 0, share = 0] of ours.li6.tau.rows) {
      const got = capture({ density, fraction, hydrogen });
      near(got?.tau, tau * 1e-6, 1e-9);
      near(got?.onLithium, share, 1e-9);
    }
    near(ALPHA_ENERGY, ours.li6.reaction.T_alpha_MeV, 1e-12);
    near(TRITON_ENERGY, ours.li6.reaction.T_triton_MeV, 1e-12);
  });
  test('geoneutrinos and reactors', () => {
    for (const [tera = 0, ratio = 0, uranium, thorium, hu = 0, ht = 0, lu, lt, flux] of ours.geoneutrino.rows) {
      const masses = massesOf(tera * 1e12, ratio);
      const got = geoneutrinos(masses);
      near(masses.uranium, uranium, 1e-9);
      near(masses.thorium, thorium, 1e-9);
      near(got.heat.uranium, hu * 1e12, 1e-9);
      near(got.heat.thorium, ht * 1e12, 1e-9);
      near(got.heat.both, tera * 1e12, 1e-12);
      near(got.luminosity.uranium, lu, 1e-9);
      near(got.luminosity.thorium, lt, 1e-9);
      near(got.flux.uranium, flux, 1e-9);
    }
    for (const [mass = 0, protons = 0, events] of ours.geo_rate.rows) {
      near(mass * ibd.PROTONS_PER_KG, protons, 1e-12);
      near(eventsPerYear(30, mass), events, 1e-12);
    }
    for (const [power = 0, distance = 0, mass = 0, perDay] of ours.reactor_rate.rows)
      near(ibd.reactorRate({ power: power * 1e9, distance, mass }) * 86400, perDay, 1e-9);
  });
  test('dead time, accidentals, figure of merit', () => {
    for (const [rate = 0, tau = 0, measured = 0, back] of detector.dead_time.non_paralyzable) {
      near(nonParalyzable(rate, tau), measured, 1e-12);
      near(nonParalyzableTrue(measured, tau), back, 1e-9);
    }
    for (const [rate = 0, tau = 0, measured = 0] of detector.dead_time.paralyzable) {
      near(paralyzable(rate, tau), measured, 1e-12);
      near(paralyzableTrue(measured, tau), rate, 1e-7); // flat at the top: the rate is known to the root of the last digit
    }
    for (const [p = 0, d = 0, us = 0, pairs, prompts] of detector.accidental_theory.rows) {
      const got = accidentalRate(p, d, us * 1e-6);
      near(got.pairs, pairs, 1e-12);
      near(got.prompts, prompts, 1e-12);
    }
    const kinds = [detector.psd_fom.gamma, detector.psd_fom.neutron].map((values) => {
      const [first, second] = [shape(), shape()];
      values.forEach((v, i) => {
        addShape(i % 3 === 0 ? first : second, v);
      });
      return joined(first, second);
    });
    near(figureOfMerit(kinds[0] ?? shape(), kinds[1] ?? shape())?.value, detector.psd_fom.fom, 1e-10);
  });
  test('accidentals of the stream', () => {
    const c = detector.coincidence;
    const off = offTime(c.off_window_counts);
    near(off.value, c.accidental_estimate, 1e-12);
    near(off.sigma, c.accidental_error, 1e-12);
    const left = signal(c.on_time_pairs, c.off_window_counts);
    near(left.value, c.signal_estimate, 1e-12);
    near(left.sigma, c.signal_error, 1e-12);
    const singles = singlesProduct(c.prompt_candidates, c.delayed_candidates, 149e-6, c.live_time_s);
    near(singles.value, c.accidental_from_singles_product, 1e-12);
    expect(agreement(off, singles, 20)).toMatchObject({ word: 'agree', sigmas: expect.closeTo(-1.1, 1) });
  });
});

describe('kinematics', () => {
  test('energy and momentum are kept at any angle, by either way in', () => {
    fc.assert(
      fc.property(fc.double({ min: 1.8062, max: 60, noNaN: true }), fc.double({ min: -1, max: 1, noNaN: true }), (e, c) => {
        const got = ibd.kinematicsCm(e, c);
        if (!got) throw new Error('nothing above the threshold');
        const pe = Math.sqrt(got.positron ** 2 - ibd.ELECTRON ** 2);
        const pn = Math.sqrt(got.neutron * (got.neutron + 2 * ibd.NEUTRON));
        expect(Math.abs(got.positron + got.neutron + ibd.DELTA - e)).toBeLessThan(1e-10);
        expect(Math.abs(pe * got.cosPositron + pn * got.cosNeutron - e)).toBeLessThan(1e-6);
        const across = [pe * Math.sqrt(1 - got.cosPositron ** 2), pn * Math.sqrt(1 - got.cosNeutron ** 2)] as const;
        expect(Math.abs(across[0] - across[1])).toBeLessThan(1e-3);
        const again = ibd.kinematics(e, got.cosPositron);
        expect(Math.abs((again?.positron ?? 0) - got.positron)).toBeLessThan(1e-6);
        const range = ibd.neutronRange(e);
        expect(got.neutron).toBeGreaterThanOrEqual((range?.least ?? 1) - 1e-12);
        expect(got.neutron).toBeLessThanOrEqual((range?.most ?? 0) + 1e-12);
      }),
    );
  });
  test('nothing below the threshold, nothing at angles that cannot be', () => {
    expect(ibd.kinematics(1.806, 0)).toBeUndefined();
    expect(ibd.neutronRange(1.8)).toBeUndefined();
    expect(ibd.crossSection(1.8)).toBe(0);
    expect(ibd.kinematics(5, 1.1)).toBeUndefined();
    expect(ibd.kinematics(Number.NaN, 0)).toBeUndefined();
    const close = ibd.THRESHOLD + 2e-7;
    expect(ibd.kinematics(close, -1)).toBeUndefined();
    expect(ibd.kinematics(close, 1)).toBeDefined();
  });
  test('the cross-section is that of the positron without recoil', () => {
    const e = 4 - 1.29333236;
    near(ibd.crossSection(4), 9.52e-44 * e * Math.sqrt(e * e - 0.51099895 ** 2), 1e-12);
    near(ibd.meanCosine(5), -0.034 * Math.sqrt(1 - (0.51099895 / (5 - 1.29333236)) ** 2) + 12 / 938.27208816, 1e-12);
  });
});

test('the published 20 TW of KamLAND 2011: about 10 TW each', () => {
  const got = geoneutrinos(massesOf(20e12));
  expect(got.heat.uranium / 1e12).toBeCloseTo(9.81, 2);
  expect(got.heat.thorium / 1e12).toBeCloseTo(10.19, 2);
  expect(got.luminosity.uranium).toBeCloseTo(7.445e24, -22);
});

test('tails of the normal distribution', () => {
  // Abramowitz and Stegun, tables 7.1 and 26.1; far out by the asymptotic series.
  near(erfc(0.5), 0.4795001221869535, 1e-14);
  near(erfc(2 - 1e-9), 0.004677734981047266 + (2e-9 / Math.sqrt(Math.PI)) * Math.exp(-4), 1e-13); // the other side of the seam
  near(erfc(2), 0.004677734981047266, 1e-13);
  near(erfc(10), 2.088487583762545e-45, 1e-13);
  near(erfc(-1), 1.842700792949715, 1e-15);
  near(THREE_SIGMA, 0.0026997960632601866, 1e-13);
  near(chanceAbove(144.7789305480893, 3), 3.5230325646304827e-31, 1e-9);
  near(chanceAbove(13.08041695974471, 3), 0.0044658874488939905, 1e-12);
  expect(chanceAbove(0, 3)).toBe(1);
});

test('dead times back and forth; what no counter can give has no answer', () => {
  fc.assert(
    fc.property(fc.double({ min: 1, max: 9e5, noNaN: true }), (rate) => {
      near(nonParalyzableTrue(nonParalyzable(rate, 1e-6), 1e-6), rate, 1e-12);
      near(paralyzableTrue(paralyzable(rate, 1e-6), 1e-6), rate, 1e-12);
    }),
  );
  expect(nonParalyzableTrue(1e6, 1e-6)).toBeUndefined();
  expect(paralyzableTrue(4e5, 1e-6)).toBeUndefined();
  expect(net(147, 291, 20)).toEqual({ value: 132.45, sigma: Math.sqrt(147 + 291 / 400) });
});

test('accidentals that disagree are said', () => {
  const singles = { value: 10, sigma: 0.1 };
  expect(agreement({ value: 30, sigma: 1 }, singles, 20)).toMatchObject({ word: 'disagree', why: expect.stringContaining('more than 3') });
  expect(agreement({ value: 0, sigma: 0 }, { value: 0.01, sigma: 0 }, 20).word).toBe('agree');
  expect(agreement({ value: 0, sigma: 0 }, { value: 0, sigma: 0 }, 20).word).toBe('unknown');
  near(accidentalRate(1, 1, 1e-4, { rate: 100, time: 0.01 }).isolated, Math.exp(-1), 1e-12);
});

test('a veto is closed, merged and clipped', () => {
  const got = veto(1000);
  expect(got.covers(0)).toBe(false);
  got.muon(100);
  expect([got.covers(100), got.covers(1100), got.covers(1101)]).toEqual([true, true, false]);
  got.muon(1100); // touches
  got.muon(1500);
  expect(got.intervals).toBe(1);
  got.muon(5000);
  expect([got.intervals, got.muons, got.total(9000), got.total(5300)]).toEqual([2, 4, 2400 + 1000, 2400 + 300]);
  const late = veto(1000, 500);
  late.muon(0);
  late.muon(2000);
  expect(late.total(10_000)).toBe(500 + 1000);
});
