import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { delta2, delta3, delta4, type First, fitDelta, pulseDelta2, pulseDelta3, student } from '../../src/derive/delta.ts';
import { resistivity } from '../../src/derive/four-terminal.ts';
import { jouleHeating } from '../../src/derive/joule.ts';
import { amplitude, demodulate, noiseBandwidth, phase, type Stages, settling } from '../../src/derive/lock-in.ts';
import { blochGrueneisen, blochGrueneisenIntegral, johnson, parallel } from '../../src/derive/metal.ts';
import { vanDerPauw } from '../../src/derive/van-der-pauw.ts';
import { LORENZ, lorenzNamed, lorenzOf, wiedemannFranz } from '../../src/derive/wiedemann-franz.ts';
import { total } from '../../src/reading.ts';

const file = resolve(import.meta.dirname, '../../../shared/golden/resistivity.json');

interface Golden {
  readonly delta: {
    readonly cases: readonly {
      readonly case: string;
      readonly I_A: number;
      readonly R_ohm_true: number;
      readonly V: readonly number[];
      readonly delta2_pairs_V: readonly number[];
      readonly delta3_V: readonly number[];
      readonly delta4_V: readonly number[];
    }[];
    readonly std_of_mean_over_sigma: readonly Readonly<Record<string, number>>[];
  };
  readonly delta_noisy: Readonly<Record<string, number>> & { readonly V: readonly number[] };
  readonly van_der_pauw: { readonly rows: readonly (readonly number[])[] };
  readonly bloch_grueneisen_integral: { readonly rows: readonly (readonly number[])[] };
  readonly bloch_grueneisen_rho: { readonly rows: readonly (readonly number[])[] };
  readonly parallel_resistor: { readonly rows: readonly (readonly number[])[] };
  readonly wiedemann_franz: { readonly rows: readonly (readonly number[])[] };
  readonly johnson: { readonly rows: readonly (readonly number[])[] };
  readonly geometry: { readonly rows: readonly (readonly number[])[]; readonly rho_ratio_rows: readonly (readonly number[])[] };
  readonly lock_in: Readonly<Record<string, number>>;
}

const relative = (got: number | undefined, wanted: number | undefined): number =>
  Math.abs((got ?? Number.NaN) - (wanted ?? Number.NaN)) / Math.abs(wanted ?? Number.NaN);

describe.skipIf(!existsSync(file))('the tables in ../shared/golden (skipped where they are absent)', () => {
  const golden = (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}) as Golden; // as its README describes it

  test('delta sequences to 1e-15 V', () => {
    for (const one of golden.delta.cases) {
      for (const [got, wanted] of [
        [delta2(one.V), one.delta2_pairs_V],
        [delta3(one.V), one.delta3_V],
        [delta4(one.V), one.delta4_V],
      ] as const) {
        expect(got).toHaveLength(wanted.length);
        got.forEach((v, i) => {
          expect(Math.abs(v - (wanted[i] ?? Number.NaN))).toBeLessThanOrEqual(1e-15);
        });
      }
    }
  });
  test('least squares and its error', () => {
    const { V, I_A = 0, sigma_white_V, least_squares_R, least_squares_sigma_R, mean3_R, sigma_mean3_R = 0 } = golden.delta_noisy;
    const fit = fitDelta(V, I_A, 1, { noise: sigma_white_V });
    expect(relative(fit?.resistance, least_squares_R)).toBeLessThan(1e-12);
    expect(relative(fit?.sigma, least_squares_sigma_R)).toBeLessThan(1e-12);
    const three = delta3(V);
    expect(relative(three.reduce((s, v) => s + v, 0) / three.length / I_A, mean3_R)).toBeLessThan(1e-12);
    expect(fit?.sigma).toBeLessThan(sigma_mean3_R);
  });
  test('van der Pauw to 1e-12', () => {
    for (const [ra = 0, rb = 0, rs, f] of golden.van_der_pauw.rows) {
      const got = vanDerPauw(ra, rb);
      expect(relative(got?.resistance, rs)).toBeLessThan(1e-12);
      expect(relative(got?.factor, f)).toBeLessThan(1e-12);
    }
  });
  test('Bloch-Grueneisen and saturation', () => {
    for (const [n = 0, z = 0, j] of golden.bloch_grueneisen_integral.rows)
      expect(relative(blochGrueneisenIntegral(n, z), j)).toBeLessThan(1e-10);
    for (const [t = 0, rho] of golden.bloch_grueneisen_rho.rows)
      expect(relative(blochGrueneisen({ residual: 1e-8, c: 3e-7, theta: 420 }, t), rho)).toBeLessThan(1e-10);
    for (const [ideal = 0, saturation = 0, rho] of golden.parallel_resistor.rows)
      expect(relative(parallel(ideal, saturation), rho)).toBeLessThan(1e-14);
  });
  test('Wiedemann-Franz, Johnson noise, geometry', () => {
    for (const [t = 0, rho = 0, l = 0, k] of golden.wiedemann_franz.rows)
      expect(relative(wiedemannFranz({ value: l }, { value: t }, { value: rho })?.value, k)).toBeLessThan(1e-14);
    for (const [r = 0, t = 0, df = 0, v] of golden.johnson.rows) expect(relative(johnson(r, t, df), v)).toBeLessThan(1e-12);
    for (const [r = 0, l = 0, w = 0, t = 0, rho] of golden.geometry.rows) {
      const shape = { length: { value: l * 1e-6 }, width: { value: w * 1e-6 }, thickness: { value: t * 1e-6 } };
      expect(relative(resistivity({ value: r }, shape)?.value, rho)).toBeLessThan(1e-12);
    }
    for (const [ratio = 0, volume = 0, rho] of golden.geometry.rho_ratio_rows) {
      const shape = { length: { value: 1 }, width: { value: 1 }, thickness: { value: 1 }, compression: { value: volume } };
      expect(relative(resistivity({ value: ratio }, shape)?.value, rho)).toBeLessThan(1e-12);
    }
  });
  test('lock-in', () => {
    const samples = Array.from(
      { length: 1000 },
      (_, i) =>
        3.3e-6 * Math.SQRT2 * Math.sin((2 * Math.PI * 17 * i) / 1000 + 0.35) +
        1e-6 * Math.sin((2 * Math.PI * 34 * i) / 1000) +
        2e-5 +
        5e-7 * Math.sin((2 * Math.PI * 50 * i) / 1000),
    );
    const got = demodulate(samples, 17);
    expect(relative(got.x, golden.lock_in.X_rms)).toBeLessThan(1e-10);
    expect(relative(got.y, golden.lock_in.Y_rms)).toBeLessThan(1e-10);
    expect(relative(amplitude(got), golden.lock_in.R_rms)).toBeLessThan(1e-10);
    expect(relative(phase(got), golden.lock_in.phase_rad)).toBeLessThan(1e-10);
    expect(relative(amplitude(demodulate(samples, 34)), golden.lock_in.second_harmonic_rms)).toBeLessThan(1e-10);
  });
});

describe('delta', () => {
  test('either polarity may come first, and offset and drift are told', () => {
    for (const first of [1, -1] as const) {
      const volts = Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? first : -first) * 1e-3 * 0.05 + 4e-6 + 2e-9 * (i - 5.5));
      const fit = fitDelta(volts, 1e-3, first);
      expect(fit?.resistance).toBeCloseTo(0.05, 12);
      expect(fit?.offset).toBeCloseTo(4e-6, 14);
      expect(fit?.drift).toBeCloseTo(2e-9, 15);
      for (const series of [
        delta2(
          volts.map((v, i) => v - 2e-9 * (i - 5.5)),
          first,
        ),
        delta3(volts, first),
        delta4(volts, first),
      ]) {
        for (const v of series) expect(v).toBeCloseTo(5e-5, 14);
      }
    }
  });
  test('uneven times and currents as they were', () => {
    const times = [0, 0.11, 0.19, 0.33, 0.39, 0.52, 0.66];
    const currents = [1, -0.9, 1.1, -1, 1, -1, 0.95].map((a) => a * 1e-3);
    const volts = times.map((t, i) => 0.02 * (currents[i] ?? 0) + 1e-6 + 3e-7 * t);
    const fit = fitDelta(volts, 1e-3, 1, { times, currents });
    expect(fit?.resistance).toBeCloseTo(0.02, 12);
    expect(fit?.drift).toBeCloseTo(3e-7, 13);
  });
  test('nothing is made of too little, or of a current that is never reversed', () => {
    expect(fitDelta([1, 2, 3], 1)).toBeUndefined();
    expect(fitDelta([1, 2, 3, 4, 5], 0)).toBeUndefined();
    expect(fitDelta([1, 2, 3, 4, 5], 1, 1, { currents: [1, 1, 1, 1, 1] })).toBeUndefined();
    expect(delta3([1, 2])).toHaveLength(0);
    expect(delta2([1])).toHaveLength(0);
  });
  test('pulse delta', () => {
    expect(pulseDelta3(1e-6, 6e-6, 2e-6)).toBeCloseTo(4.5e-6, 18);
    expect(pulseDelta2(1e-6, 6e-6)).toBeCloseTo(5e-6, 18);
  });
  test("Student's factor", () => {
    // t at 0.841345 of one side, from tables: 1.837 for 1 degree of freedom, 1.321 for 2, 1.111 for 5, 1.053 for 10.
    for (const [dof, t] of [
      [1, 1.8373],
      [2, 1.3213],
      [5, 1.1105],
      [10, 1.0526],
    ] as const)
      expect(student(dof)).toBeCloseTo(t, 3);
    expect(student(10000)).toBeCloseTo(1, 3);
  });
  test('the sign of the first reading is all that polarity changes', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1e-3, max: 1e-3, noNaN: true }), { minLength: 4, maxLength: 40 }), (volts) => {
        for (const one of [delta2, delta3, delta4] as ((v: readonly number[], f: First) => Float64Array)[]) {
          const [plus, minus] = [one(volts, 1), one(volts, -1)];
          plus.forEach((v, i) => {
            expect(v === 0 ? 0 : -v).toBe(minus[i] === 0 ? 0 : minus[i]);
          });
        }
      }),
    );
  });
});

describe('sheet, shape and heat', () => {
  test('the slopes of van der Pauw are its derivatives, also far apart', () => {
    for (const [ra, rb] of [
      [1, 1],
      [0.08, 0.031],
      [1, 300],
    ] as const) {
      const got = vanDerPauw(ra, rb);
      const h = 1e-6;
      const by = (da: number, db: number): number =>
        ((vanDerPauw(ra * (1 + da), rb * (1 + db))?.resistance ?? 0) - (vanDerPauw(ra * (1 - da), rb * (1 - db))?.resistance ?? 0)) / 2;
      expect(relative(by(h, 0) / (ra * h), got?.slopes[0])).toBeLessThan(1e-6);
      expect(relative(by(0, h) / (rb * h), got?.slopes[1])).toBeLessThan(1e-6);
    }
    for (const [ra, rb] of [
      [0, 1],
      [-1, 1],
      [Number.NaN, 1],
      [1, Number.POSITIVE_INFINITY],
    ] as const)
      expect(vanDerPauw(ra, rb)).toBeUndefined();
    fc.assert(
      fc.property(fc.double({ min: -9, max: 9, noNaN: true }), fc.double({ min: -4, max: 4, noNaN: true }), (scale, ratio) => {
        const [ra, rb] = [10 ** scale, 10 ** (scale + ratio)];
        const rs = vanDerPauw(ra, rb)?.resistance ?? Number.NaN;
        expect(Math.exp((-Math.PI * ra) / rs) + Math.exp((-Math.PI * rb) / rs)).toBeCloseTo(1, 12);
      }),
    );
  });
  test('every uncertainty reaches the conductivity under its own name', () => {
    const bar = (value: number, cause: string, sigma: number) => ({ value, sigma: { random: 0, shared: { [cause]: sigma } } });
    const rho = resistivity(
      { value: 0.08, sigma: { random: 0.0008 } },
      { length: bar(20e-6, 'length', 1e-6), width: bar(10e-6, 'width', 0.5e-6), thickness: bar(5e-6, 'thickness', 0.5e-6) },
    );
    const zhang = lorenzNamed('Zhang2020');
    if (!rho || !zhang) throw new Error('no resistivity');
    const k = wiedemannFranz(lorenzOf(zhang), { value: 3000, sigma: { random: 3, shared: { lamp: 30 } } }, rho);
    expect(k?.value).toBeCloseTo((2.05e-8 * 3000) / 2e-7, 9);
    const { random = 0, shared = {} } = k?.sigma ?? {};
    expect(Object.keys(shared).sort()).toEqual(['lamp', 'length', 'lorenz', 'thickness', 'width']);
    expect(random / (k?.value ?? 1)).toBeCloseTo(Math.hypot(0.01, 0.001), 12);
    expect(Math.abs((shared.thickness ?? 0) / (k?.value ?? 1))).toBeCloseTo(0.1, 12);
    expect((shared.lorenz ?? 0) / (k?.value ?? 1)).toBeCloseTo(0.05 / 2.05, 12);
    expect(total(k?.sigma)).toBeGreaterThan(0.1 * (k?.value ?? 0));
    expect(LORENZ[0]?.value).toBeCloseTo(2.443004509073666e-8, 20);
    expect(wiedemannFranz({ value: 2e-8 }, { value: 300 }, { value: 0 })).toBeUndefined();
    expect(resistivity({ value: 1 }, { length: { value: 0 }, width: { value: 1 }, thickness: { value: 1 } })).toBeUndefined();
  });
  test('a current that heats shows in the slope, and the value at no current is free of it', () => {
    const sweep = (heat: number) =>
      [1, 2, 3, 4, 5].map((i) => ({ current: i * 1e-3, resistance: 0.1 + heat * (i * 1e-3) ** 2, sigma: 1e-6 }));
    const heated = jouleHeating(sweep(40));
    expect(heated?.resistance).toBeCloseTo(0.1, 9);
    expect(heated?.slope).toBeCloseTo(40, 6);
    expect(heated?.significance).toBeGreaterThan(3);
    expect(Math.abs(jouleHeating(sweep(0))?.significance ?? 9)).toBeLessThan(0.01);
    expect(jouleHeating(sweep(0).slice(0, 2))).toBeUndefined();
    expect(jouleHeating(sweep(0).map((p) => ({ ...p, sigma: 0 })))).toBeUndefined();
  });
  test('filters of a lock-in', () => {
    expect(([1, 2, 3, 4] as Stages[]).map((n) => noiseBandwidth(0.1, n))).toEqual([2.5, 1.25, 0.9375, 0.78125]);
    expect(([1, 2, 3, 4] as Stages[]).map((n) => settling(0.1, n))).toEqual([0.5, 0.7000000000000001, 0.9, 1]);
  });
});
