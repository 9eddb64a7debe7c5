import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { calc } from '../src/cli/calc.ts';
import { LORENZ } from '../src/derive/wiedemann-franz.ts';

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await calc.run(args, {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
  } as never); // what a command writes to
  return { code, out, err };
}
const json = async (...args: string[]): Promise<Record<string, never>> => JSON.parse((await run(...args, '--json')).out);

describe('calc', () => {
  test('delta: what is uncertain in the current is in the bar', async () => {
    const got = (await json(
      'delta',
      '--voltages',
      '1.65e-5,-8.097e-6,1.6506e-5,-8.091e-6,1.6512e-5,-8.085e-6',
      '--current',
      '1 mA +- 10 uA',
      '--noise',
      '5 nV',
    )) as unknown as { resistance: { value: number; sigma: number }; terms: { readings: { value: number }; current: { value: number } } };
    expect(got.terms.current.value / got.resistance.value).toBeCloseTo(0.01, 9);
    expect(got.resistance.sigma).toBeCloseTo(Math.hypot(got.terms.readings.value, got.terms.current.value), 15);
  });
  test('delta: least squares and the deltas beside it', async () => {
    const got = (await json(
      'delta',
      '--voltages',
      '1.65e-5,-8.097e-6,1.6506e-5,-8.091e-6,1.6512e-5,-8.085e-6',
      '--current',
      '1mA',
    )) as unknown as {
      resistance: { value: number; unit: string };
      drift_per_reading: { value: number };
      delta3: number[];
    };
    expect(got.resistance.unit).toBe('Ω');
    expect(got.resistance.value).toBeCloseTo(0.0123, 12);
    expect(got.drift_per_reading.value).toBeCloseTo(3e-9, 15);
    expect(got.delta3).toHaveLength(4);
    const text = await run('delta', '--voltages', '-8.1e-6,1.65e-5,-8.1e-6,1.65e-5', '--current', '1 mA', '--first', '-');
    expect(text.code).toBe(0);
    expect(text.out).toMatch(/resistance +12\.3000 ± 0\.0000 mΩ|resistance +12\.3/);
  });
  test('van der Pauw, Wiedemann and Franz, Bloch and Grueneisen', async () => {
    const sheet = (await json('vdp', '--a', '0.08Ohm', '--b', '0.031 Ohm', '--thickness', '5 um +- 0.5 um')) as never as {
      sheet: { value: number };
      resistivity: { value: number; sigma: number };
    };
    expect(sheet.sheet.value).toBeCloseTo(0.2335718398563483, 12);
    expect(sheet.resistivity.sigma / sheet.resistivity.value).toBeCloseTo(0.1, 9);
    const k = (await json('wiedemann-franz', '--temperature', '3750K', '--resistivity', '40.4 uOhm cm +- 4.04 uOhm cm')) as never as {
      conductivity: { value: number; sigma: number };
    };
    expect(k.conductivity.value).toBeCloseTo(226.7640324016398, 9);
    expect(k.conductivity.sigma).toBeCloseTo(22.67640324, 6);
    const metal = (await json(
      'bloch-grueneisen',
      '--temperature',
      '77,300 K',
      '--residual',
      '1 uOhm cm',
      '--coefficient',
      '30 uOhm cm',
      '--debye',
      '420K',
    )) as never as {
      results: { resistivity: { value: number } }[];
    };
    expect(metal.results.map((r) => r.resistivity.value)).toEqual([
      expect.closeTo(1.372028011515003e-8, 17),
      expect.closeTo(5.814161354840743e-8, 17),
    ]);
  });
  test.skipIf(!existsSync(resolve(import.meta.dirname, '../../shared/golden/resistivity.json')))(
    'the noisy sequence of ../shared/golden (skipped where it is absent)',
    async () => {
      const golden = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../shared/golden/resistivity.json'), 'utf8')).delta_noisy;
      const got = (await json('delta', '--voltages', golden.V.join(','), '--current', '1mA', '--noise', '5nV')) as never as {
        resistance: { value: number; sigma: number };
      };
      expect(got.resistance.value).toBeCloseTo(golden.least_squares_R, 14);
      expect(got.resistance.sigma).toBeCloseTo(golden.least_squares_sigma_R, 14);
    },
  );
  test.each([
    ['delta', '--voltages', '9.9E37,1,2,1,2', '--current', '1mA'],
    ['delta', '--voltages', '1,2,1,2', '--current', '+9.9E37'],
    ['delta', '--voltages', '1,2,1,2', '--currents', '1,-9.9e37,1,-1'],
    ['delta', '--voltages', '1,2,1,2', '--current', '1mA', '--noise', '9.91e37 nV'],
    ['delta', '--voltages', '1,2,1,2', '--current', '1mA', '--settle', '9.9e37'],
    ['vdp', '--a', '+9.9E37', '--b', '1 Ohm'],
    ['vdp', '--a', '1 Ohm', '--b', '1 Ohm +- 9.90000E+37 Ohm'],
    ['vdp', '--a', '1', '--b', '1', '--thickness', '9.91e37 um'],
    ['wiedemann-franz', '--temperature', '9.9e37 K', '--resistivity', '4e-7 Ohm m'],
    ['wiedemann-franz', '--temperature', '300', '--resistivity', '+9.91E+37 uOhm cm'],
    ['wiedemann-franz', '--temperature', '300', '--resistivity', '4e-7 Ohm m', '--lorenz', '9.9e37 W Ohm/K2'],
    ['bloch-grueneisen', '--temperature', '300,9.9e37', '--coefficient', '30 uOhm cm', '--debye', '420K'],
    ['bloch-grueneisen', '--temperature', '300', '--coefficient', '9.9E37 uOhm cm', '--debye', '420K'],
    ['bloch-grueneisen', '--temperature', '300', '--coefficient', '30 uOhm cm', '--debye', 'NAN'],
    ['bloch-grueneisen', '--temperature', '300', '--coefficient', '30 uOhm cm', '--debye', '420K', '--n', '9.9E37'],
    ['bloch-grueneisen', '--temperature', '300', '--coefficient', '30 uOhm cm', '--debye', '420K', '--residual', '9.9e37 Ohm m'],
    ['bloch-grueneisen', '--temperature', '300', '--coefficient', '30 uOhm cm', '--debye', '420K', '--saturation', '9.9e37 Ohm m'],
  ])('%s: what an instrument says where it has no reading is refused', async (...args) => {
    const { code, out, err } = await run(...args);
    expect(code).toBe(3);
    expect(out).toBe('');
    expect(err).toMatch(/overflow: the instrument's word for no reading/);
  });
  test.each([
    [['--current', '1mA'], /below zero by .*swapped, or the current is reversed: .*negative one: say --first -$/],
    [['--current', '1mA', '--first', '-'], /below zero by .*swapped, or the current is reversed: .*positive one: leave --first - out$/],
    [
      ['--currents', '1e-3,-1e-3,1e-3,-1e-3,1e-3,-1e-3'],
      /below zero by .*swapped, or the current is reversed: turn the signs of --currents$/,
    ],
  ])('delta with %j: a resistance below zero is refused', async (current, why) => {
    const volts = ['1.65e-5', '-8.097e-6', '1.6507e-5', '-8.091e-6', '1.6512e-5', '-8.085e-6'];
    const turned = current.includes('-') ? volts : volts.map((v) => String(-Number(v)));
    const args = ['delta', '--voltages', turned.join(','), ...current];
    const { code, out, err } = await run(...args);
    expect([code, out]).toEqual([3, '']);
    expect(err.trim()).toMatch(why);
    const asJson = await run(...args, '--json');
    expect(asJson.code).toBe(3);
    expect(JSON.parse(asJson.out)).toEqual({ refused: expect.stringMatching(why) });
  });
  test('every published Lorenz number by its name, with where it is from', async () => {
    const heat = ['wiedemann-franz', '--temperature', '3750K', '--resistivity', '80 uOhm cm', '--lorenz'];
    for (const { name, value, sigma, source } of LORENZ) {
      const got = (await json(...heat, name)) as never as { lorenz: object; conductivity: { value: number } };
      expect(got.lorenz).toEqual({ value, sigma: sigma || null, unit: 'W Ω/K²', name, reference: source });
      expect(got.conductivity.value).toBeCloseTo((value * 3750) / 80e-8, 9);
      expect((await run(...heat, name)).out).toContain(`reference      ${name}: ${source}`);
    }
    expect((await run(...heat, 'zhang2020')).out).toMatch(/Lorenz number +2\.050000e-8 ± 0\.050000e-8 W Ω/);
    expect(LORENZ.map((l) => l.value)).toEqual([expect.closeTo(2.443004509073666e-8, 20), 2.44e-8, 2.05e-8, 2e-8, 2.1e-8]);
  });
  test('readings without scatter have no bar of zeros, and one degree of freedom is one', async () => {
    const { out } = await run('delta', '--voltages', '1.65e-5,-8.1e-6,1.65e-5,-8.1e-6', '--current', '1mA');
    expect(out).toMatch(
      /resistance +12\.3 mΩ, no scatter\noffset +4\.2 µV, no scatter\ndrift +0 V, no scatter per reading\nnoise +0 V.* 1 degree of/,
    );
    expect(out).not.toMatch(/± 0\.0+ /);
  });
  test('what is wrong is said with what would be right', async () => {
    for (const [args, text] of [
      [['delta', '--current', '1mA'], /--voltages is missing/],
      [['delta', '--voltages', '1,2,3,4'], /either --current or --currents/],
      [['delta', '--voltages', '1,x,3,4', '--current', '1mA'], /number 2/],
      [['delta', '--voltages', '1,2,3', '--current', '1mA'], /four readings/],
      [
        ['delta', '--voltages', '1,9.9e37,1,2,1,2', '--current', '1mA'],
        /number 2: "9.9e37" is no reading: overflow: the instrument's word for no reading/,
      ],
      [['delta', '--voltages', '1,2 +- 0.1,1,2,1,2', '--current', '1mA'], /number 2, "2 \+- 0.1", has an uncertainty/],
      [['delta', '--voltages', '1,2,1,2', '--current', '1mA', '--noise', '5 nV +- 1 nV'], /--noise takes no uncertainty/],
      [
        ['bloch-grueneisen', '--temperature', '300', '--coefficient', '30 uOhm cm +- 1 uOhm cm', '--debye', '420K'],
        /--coefficient takes no/,
      ],
      [['planck', '--temperature', '2000 K +- 10 K', '--wavelength', '650nm'], /has an uncertainty, and planck has no bar/],
      [['delta', '--voltages', '1,2,3,4', '--currents', '1,1,1,1'], /reversed/],
      [['delta', '--voltages', '1,2,3,4', '--current', '1mA', '--first', 'up'], /\+ or -/],
      [['vdp', '--a', '0.08Ohm'], /--b is missing/],
      [['vdp', '--a', '-1 Ohm', '--b', '1 Ohm'], /--a: "-1 Ohm" is below zero: the leads of voltage or of current are swapped/],
      [['vdp', '--a', '-1 Ohm +- 0.5 Ohm', '--b', '1 Ohm'], /above zero/],
      [['delta', '--voltages', '1,2,3,4', '--current', '-1mA'], /the current is reversed: "-1mA" is -0.001 A.*--first -/],
      [['wiedemann-franz', '--temperature', '300K', '--resistivity', '5 K'], /not in Ω m/],
      [['wiedemann-franz', '--temperature', '300K', '--resistivity', '5 uOhm cm', '--lorenz', 'zhang'], /sommerfeld, ohta2016, zhang2020/],
      [['bloch-grueneisen', '--temperature', '-3', '--coefficient', '30 uOhm cm', '--debye', '420K'], /above zero kelvin/],
      [['vdp', '--a', '1', '--b', '2', '--wavelength', '700'], /not for vdp/],
      [['bloch-gruneisen'], /did you mean bloch-grueneisen/],
    ] as const) {
      const { code, out, err } = await run(...args);
      expect(`${out}${err}`).toMatch(text);
      expect(code).not.toBe(0);
    }
  });
});
