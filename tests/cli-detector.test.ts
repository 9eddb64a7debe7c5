import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { calc } from '../src/cli/calc.ts';

const golden = resolve(import.meta.dirname, '../../shared/golden');

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await calc.run(args, {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
  });
  return { code, out, err };
}
/** The number at this path of the answer. */
async function value(path: string, ...args: string[]): Promise<number> {
  const got = await run(...args, '--json');
  expect(got.err).toBe('');
  const found = path.split('.').reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], JSON.parse(got.out)); // objects down to the last
  return (found as { value: number }).value; // a quantity
}

describe('what is calculated', () => {
  test('inverse beta decay at an angle, in any unit', async () => {
    expect(await value('results.0.at.neutron', 'ibd', '--energy', '2', '--cosine', '0.5')).toBeCloseTo(1.73729513437839e-3, 11);
    expect(await value('results.0.at.neutron', 'ibd', '--energy', '2000 keV', '--angle', '60deg')).toBeCloseTo(1.73729513437839e-3, 11);
    expect(await value('results.1.neutron.largest_angle', 'ibd', '--energy', '2,5')).toBeCloseTo((47.139920533486 * Math.PI) / 180, 9);
    expect(await value('interactions_per_day', 'ibd', '--power', '1 GW', '--distance', '25m', '--mass', '50 kg')).toBeCloseTo(
      63.0428549822757,
      8,
    );
    const text = await run('ibd', '--energy', '5MeV');
    expect(text).toMatchObject({ code: 0, out: expect.stringContaining('0.94088 to 39.644 keV, within 47.14 deg') });
  });
  test('capture on lithium', async () => {
    expect(await value('capture_time', 'li6', '--loading', '0.1%', '--density', '0.98 g/cm3', '--hydrogen', '5.5e22 1/cm3')).toBeCloseTo(
      41.127713843223e-6,
      14,
    );
    expect(await value('on_lithium', 'li6', '--loading', '1000ppm')).toBeCloseTo(0.834483160746503, 9);
  });
  test('accidentals', async () => {
    expect(await value('prompts', 'accidentals', '--prompt', '50kHz', '--delayed', '2000', '--window', '100us')).toBeCloseTo(
      9063.462346100907,
      8,
    );
    expect(
      await value(
        'isolated_share',
        'accidentals',
        '--prompt',
        '1',
        '--delayed',
        '1',
        '--window',
        '1',
        '--singles',
        '100',
        '--isolation',
        '10ms',
      ),
    ).toBeCloseTo(Math.exp(-1), 12);
    expect(await value('number', 'accidentals', '--prompt', '10', '--delayed', '1', '--window', '150', '--live', '1d')).toBeCloseTo(
      129.6,
      9,
    );
  });
  test('the 20 TW of KamLAND, from heat and from masses', async () => {
    expect(await value('uranium.mass', 'geoneutrino', '--heat', '20TW')).toBeCloseTo(9.98043834085193e16, -7);
    expect(await value('events_per_tonne_year', 'geoneutrino', '--heat', '20 TW')).toBeCloseTo(0.0195, 12);
    expect(await value('heat', 'geoneutrino', '--uranium', '9.98043834085193e16kg')).toBeCloseTo(20e12, -3);
    expect(
      await value('events_per_year', 'geoneutrino', '--uranium', '1e17', '--thorium', '4e17 kg', '--mass', '50kg', '--signal', '30TNU'),
    ).toBeCloseTo(0.000975, 12);
  });
  test('for people: large numbers with their power of ten, a loading as it was understood', async () => {
    expect((await run('geoneutrino', '--heat', '20TW')).out).toMatch(/^uranium +9\.9804e16 kg, 9\.8098 TW, 7\.4454e24 antineutrinos\/s$/m);
    expect((await run('li6', '--loading', '0.1')).out).toMatch(/ us, with 10 % of 6Li by mass, at 0\.98 g\/cm3/);
    expect((await run('cone', '--displacement', '10', '--spread', '0.01', '--events', '1')).out).toMatch(/p below 1e-300/);
  });
  test('cones: round, with three spreads, and none', async () => {
    const [one, three] = [
      await value('cone68', 'cone', '--displacement', '1.5', '--spread', '5cm', '--events', '100'),
      await value('cone68', 'cone', '--displacement', '15 mm', '--spread', '5,5,5', '--events', '100'),
    ];
    expect(three).toBeCloseTo(one, 7);
    expect(await value('cone68_of_a_measurement', 'cone', '--displacement', '3', '--spread', '1,2,2', '--events', '1')).toBeGreaterThan(1);
    const weak = await run('cone', '--displacement', '1', '--spread', '10', '--events', '100');
    expect(weak.out).toMatch(/direction +none: chance alone gives as much in 80.*3 sigma/);
  });
  test.skipIf(!existsSync(golden))('the Monte-Carlo table of cones (../shared/golden beside the project)', async () => {
    const { cone_table } = JSON.parse(readFileSync(resolve(golden, 'detector.json'), 'utf8')) as { cone_table: { rows: number[][] } }; // as the test asks
    for (const [d = 0, spread = 0, events = 0, one, , drawn = 0] of cone_table.rows) {
      const args = ['cone', '--displacement', `${d}`, '--spread', `${spread}`, '--events', `${events}`];
      expect(((await value('one_axis', ...args)) * 180) / Math.PI).toBeCloseTo(Number(one), 9);
      expect(Math.abs(((await value('cone68', ...args)) * 180) / Math.PI / drawn - 1)).toBeLessThan(0.008);
    }
  });
});

describe('what is wrong, and what would be right', () => {
  test.each([
    [['ibd'], /--energy, such as --energy 5MeV/],
    [['ibd', '--energy', '1.7MeV'], /below the threshold of 1\.8060662073274 MeV/],
    [['ibd', '--energy', '5 K'], /"K" is not one of MeV, keV, eV, GeV.*--energy 5MeV/],
    [['ibd', '--energy', '2,'], /"" is no number/],
    [['ibd', '--energy', '5', '--cosine', '2'], /from -1 to 1/],
    [['ibd', '--energy', '5', '--cosine', '0', '--angle', '3'], /not both/],
    [['ibd', '--power', '1GW'], /--distance is missing, such as --distance 25m/],
    [['ibd', '--energy', '5 +- 1 MeV'], /no uncertainty/],
    [['ibd', '--loading', '1%', '--energy', '4'], /--loading is not for ibd/],
    [['li6'], /--loading is missing, such as --loading 0.1%/],
    [['li6', '--loading', '120%'], /100 %/],
    [['li6', '--loading', '0', '--hydrogen', '0'], /nothing that captures/],
    [['cone', '--displacement', '1.9'], /--spread is missing/],
    [['cone', '--displacement', '-1', '--spread', '1', '--events', '5'], /above zero/],
    [['cone', '--displacement', '1', '--spread', '1,2', '--events', '5'], /one length or three, not 2/],
    [['cone', '--displacement', '1', '--spread', '1', '--events', '2.5'], /whole number/],
    [['accidentals', '--prompt', '1', '--delayed', '1', '--window', '1', '--singles', '3'], /go together/],
    [['geoneutrino'], /either --heat/],
    [['geoneutrino', '--heat', '20TW', '--thorium', '1kg'], /--thorium goes with --uranium/],
    [['geoneutrino', '--heat', '1e400W'], /too large/],
  ])('%j', async (args, says) => {
    const got = await run(...args);
    expect(got).toMatchObject({ code: 2, out: '' });
    expect(got.err).toMatch(says);
  });
});
