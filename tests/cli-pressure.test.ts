import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { encodeSpe } from '../protocols/spe.ts';
import { catalogue } from '../src/catalogue.ts';
import { calc } from '../src/cli/calc.ts';
import { type Command, EXIT } from '../src/cli/command.ts';
import { fit } from '../src/cli/fit.ts';
import { ramanLine } from '../src/derive/diamond-scales.ts';
import { methods } from '../src/methods.ts';
import { loadRig, printed } from '../src/rig.ts';
import { edgeOf, even, lines, poisson, R1, R2, uniform } from './derive/pressure-spectra.ts';

const shared = resolve(import.meta.dirname, '../../shared');
const path = resolve(shared, 'golden/pressure.json');
const golden = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
const measured = resolve(shared, 'data/spectra/Ruby.spe');
const folder = mkdtempSync(join(tmpdir(), 'bridgman-pressure-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function run(command: Command, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await command.run(args, { out: (t) => (out += t), err: (t) => (err += t) });
  expect(out + err).not.toMatch(/\bat .*\(?.*:\d+:\d+|node:internal|undefined|[^"]NaN/);
  return { code, out, err };
}
async function answer(command: Command, ...args: string[]) {
  const { code, out, err } = await run(command, ...args, '--json');
  expect({ code, err }).toEqual({ code: EXIT.ok, err: '' });
  return JSON.parse(out);
}
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const columns = (nm: Float64Array, counts: Float64Array): string => `nm counts\n${[...nm].map((l, i) => `${l} ${counts[i]}`).join('\n')}\n`;
const relative = (got: number, wanted: number): number => Math.abs(got / wanted - 1);

const axis = even(688, 700, 400);
const random = uniform(3);
const counts = lines(axis, [R1, R2]).map((m) => poisson(m, random));
const rubyFile = file('ruby.txt', columns(axis, counts));

describe('calc ruby', () => {
  test('numbers in print, bare or with units', async () => {
    const bare = await answer(calc, 'ruby', '--wavelength', '700', '--reference', '694.25', '--scale', 'ruby2020');
    expect(bare.pressure).toMatchObject({ value: expect.closeTo(16.21e9, -7), unit: 'Pa' });
    expect(bare.quality).toBe('good');
    expect(bare.wavelength).toEqual({ value: 700e-9, sigma: null, unit: 'm' });
    expect(await answer(calc, 'ruby', '--wavelength', '700nm')).toEqual(bare);
    const hot = await answer(calc, 'ruby', '--wavelength', '700', '--temperature', '500');
    expect(hot.pressure.value / 1e9).toBeCloseTo(11.93, 2);
    const dewaele = await answer(calc, 'ruby', '--wavelength=710', '--scale=Dewaele-2008');
    expect(dewaele.pressure.value / 1e9).toBeCloseTo(48.07, 2);
  });

  test.skipIf(!golden)('golden rows (skipped without ../shared)', async () => {
    for (const [line, ...wanted] of golden.ruby_P_of_lambda.rows) {
      for (const [i, name] of golden.ruby_P_of_lambda.columns.slice(1).entries()) {
        const got = await answer(calc, 'ruby', '--wavelength', line, '--reference', '694.25', '--scale', name);
        if (wanted[i] === 0) expect(got.pressure.value).toBe(0);
        else expect(relative(got.pressure.value / 1e9, wanted[i])).toBeLessThan(1e-12);
      }
    }
    for (const [line, sl, sl0, t, st, , dLine, , , , , all] of golden.ruby_error_budget_shen2020.rows) {
      const args = ['--wavelength', `${line} +- ${sl}`, '--reference', `694.25 nm +- ${sl0} nm`, '--temperature', `${t} K +- ${st} K`];
      const got = await answer(calc, 'ruby', ...args);
      expect(relative(got.pressure.sigma / 1e9, all)).toBeLessThan(1e-6);
      expect(relative(got.terms.line.value / 1e9, dLine)).toBeLessThan(1e-6);
      expect(Object.keys(got.terms)).toEqual(['line', 'ruby_reference', 'temperature', 'ruby2020_a', 'ruby2020_c']);
    }
  });

  test('a bare number may have a bare uncertainty, digits alike or not', async () => {
    for (const [text, sigma] of [
      ['735 +- 0.005', 5e-12],
      ['711 +- 11', 11e-9],
    ] as const) {
      const got = await answer(calc, 'ruby', '--wavelength', text);
      expect(got.wavelength.value).toBe(Number(text.slice(0, 3)) / 1e9);
      expect(got.wavelength.sigma).toBeCloseTo(sigma, 18);
    }
  });

  test('the way back, a list, and a hot one', async () => {
    const got = await answer(calc, 'ruby', '--pressure', '0,50GPa,100', '--temperature', '400');
    expect(got.results).toHaveLength(3);
    for (const [i, p] of [0, 50e9, 100e9].entries()) {
      expect(got.results[i].pressure.value).toBeCloseTo(p, -2);
      const line = String(got.results[i].wavelength.value * 1e9);
      expect((await answer(calc, 'ruby', '--wavelength', line, '--temperature', '400')).pressure.value).toBeCloseTo(p, -2);
    }
  });

  test('outside of the scale it is suspect, with the range in words; what is missing is a note', async () => {
    const got = await answer(calc, 'ruby', '--wavelength', '740', '--scale', 'mao1986');
    expect(got.quality).toBe('suspect');
    expect(got.flags[0]).toMatch(/outside of the scale mao1986, which holds from 0 to 80 GPa/);
    expect(got.pressure.sigma).toBeNull();
    expect(got.flags.join()).toContain('no scale term');
    const { out } = await run(calc, 'ruby', '--wavelength', '740');
    expect(out).toMatch(/^pressure +\d+\.\d+ ± \d\.\d+ GPa {2}\(suspect\)/);
  });
});

describe('its siblings', () => {
  test.skipIf(!golden)('samarium and diamond edge: golden rows (skipped without ../shared)', async () => {
    const { columns: names, rows } = golden.srb4o7;
    for (const [d, ...wanted] of rows) {
      for (const [i, name] of names.slice(1).entries()) {
        const got = await answer(
          calc,
          'samarium',
          '--wavelength',
          String(Number((685.41 + d).toFixed(6))),
          '--reference',
          '685.41',
          '--scale',
          name,
        );
        expect(relative(got.pressure.value / 1e9, wanted[i])).toBeLessThan(5e-12);
      }
    }
    for (const [edge, p1334, p1333] of golden.diamond_edge.rows) {
      expect((await answer(calc, 'diamond-edge', '--shift', String(edge))).pressure.value / 1e9).toBeCloseTo(p1334, 9);
      const got = await answer(calc, 'diamond-edge', '--shift', `${edge} 1/cm`, '--reference', '1333');
      expect(got.pressure.value / 1e9).toBeCloseTo(p1333, 9);
    }
    for (const [laser, line, shift] of golden.raman_shift.rows) {
      const got = await answer(calc, 'diamond-edge', '--wavelength', String(line), '--laser', String(laser));
      expect(relative(got.shift.value / 100, shift)).toBeLessThan(1e-11);
    }
  });

  test('their ways back, and the wavelength of an edge', async () => {
    const sm = await answer(calc, 'samarium', '--pressure', '25', '--temperature', '600');
    expect(
      (await answer(calc, 'samarium', '--wavelength', String(sm.wavelength.value * 1e9), '--temperature', '600')).pressure.value,
    ).toBeCloseTo(25e9, -1);
    const edge = await answer(calc, 'diamond-edge', '--pressure', '150', '--laser', '532nm');
    expect(edge.pressure.value).toBeCloseTo(150e9, -1);
    expect(edge.wavelength.value).toBeCloseTo(ramanLine(532e-9, edge.shift.value), 15);
  });

  test('thermal pressure beside the cold one', async () => {
    const got = await answer(calc, 'thermal-pressure', '--pressure', '30 GPa +- 0.5 GPa', '--temperature', '2000K', '--factor', '0.5');
    expect(got.cold.value).toBe(30e9);
    expect(got.thermal.value).toBeCloseTo(0.5 * 0.00224e9 * 1275, 0);
    expect(got.pressure.value).toBe(got.cold.value + got.thermal.value);
    expect(got.terms.thermal_pressure.value).toBeCloseTo(got.thermal.value / 2, 3);
    expect(got.flags[0]).toContain('unverified');
    const other = await answer(
      calc,
      'thermal-pressure',
      '--pressure',
      '30',
      '--temperature',
      '2000',
      '--alpha-k',
      '3 MPa/K',
      '--weight',
      '1',
    );
    expect(other.thermal.value).toBeCloseTo(3e6 * 1700, 0);
  });

  test('thermocouples both ways', async () => {
    const hot = await answer(calc, 'thermocouple', '--type', 'K', '--voltage', '34.3776453714994mV', '--junction', '23.4degC');
    expect(hot.temperature.value).toBeCloseTo(850 + 273.15, 6);
    expect(hot.flags).toEqual([]);
    const back = await answer(calc, 'thermocouple', '--type', 's', '--temperature', '1000degC');
    expect(back.voltage.value * 1e3).toBeCloseTo(9.58709765686, 9);
    expect(back.flags).toEqual(['the cold junction is not given: taken as 0 degC']);
    const bar = await answer(
      calc,
      'thermocouple',
      '--type',
      'K',
      '--voltage',
      '20 mV +- 0.01 mV',
      '--junction',
      '296 K +- 1 K',
      '--tolerance',
      '2',
    );
    expect(bar.temperature.sigma).toBeGreaterThan(2.2);
  });

  test.each([
    [['ruby'], 'give one of --wavelength, --pressure'],
    [['ruby', '--wavelength', '700', '--pressure', '3'], 'give only one of'],
    [['ruby', '--wavelength', '700', '--scale', 'ruby1999'], 'there is no scale "ruby1999"; there are ruby2020'],
    [['ruby', '--wavelength', '700 K'], '"700 K" is in K, not in m'],
    [['ruby', '--wavelength', '-700'], 'above zero'],
    [['ruby', '--wavelength', '700', '--laser', '532'], '--laser is not for ruby; it takes --wavelength'],
    [['ruby', '--wavelength', '700', '--correction', 'none'], 'there is no "none"; there are datchi2007'],
    [['rubi', '--wavelength', '700'], 'did you mean ruby?'],
    [['planck', '--pressure', '3', '--wavelength', '650nm'], '--pressure is not for planck'],
    [['diamond-edge', '--wavelength', '580'], '--laser is missing'],
    [['diamond-edge', '--shift', '1550nm'], 'must be a Raman shift'],
    [['thermal-pressure', '--pressure', '30'], '--temperature is missing'],
    [['thermal-pressure', '--pressure', '30', '--temperature', '2000', '--factor', '2'], '--factor: must be a number from 0 to 1'],
    [['thermocouple', '--voltage', '3'], '--type: must be one of K, S, R, B, C'],
    [['thermocouple', '--type', 'K'], 'give either --voltage or --temperature'],
  ])('%j is answered with a sentence', async (args, sentence) => {
    expect(await run(calc, ...args)).toMatchObject({ code: EXIT.usage, out: '', err: expect.stringContaining(sentence) });
  });

  test.each([
    [['thermocouple', '--type', 'S', '--voltage', '34mV'], 'outside of what type S gives'],
    [['thermocouple', '--type', 'B', '--temperature', '2500'], 'outside of the table of type B'],
    [['samarium', '--pressure', '1e6'], 'the scale rashchenko2015 gives no'],
  ])('%j has no answer, and why', async (args, sentence) => {
    expect(await run(calc, ...args)).toMatchObject({ code: EXIT.refused, out: '', err: expect.stringContaining(sentence) });
    const { out } = await run(calc, ...args, '--json');
    expect(JSON.parse(out).refused).toContain(sentence);
  });
});

describe('fit ruby', () => {
  test('a text file: pressure, raw lines, terms, file', async () => {
    const got = await answer(fit, 'ruby', rubyFile, '--temperature', '300 K +- 2 K', '--reference', '694.25 nm +- 0.01 nm');
    expect(got.r1.wavelength.value * 1e9).toBeCloseTo(695.1234, 2);
    expect(got.wavelength).toEqual(got.r1.wavelength);
    expect(Math.abs(got.r1.wavelength.value * 1e9 - 695.1234)).toBeLessThan(4e9 * got.r1.wavelength.sigma);
    expect(got.r2.wavelength.value * 1e9).toBeCloseTo(693.6789, 2);
    expect(Object.keys(got.terms)).toEqual(['line', 'ruby_reference', 'temperature', 'ruby2020_a', 'ruby2020_c']);
    expect(got.pressure.sigma).toBeCloseTo(Math.hypot(...Object.values<{ value: number }>(got.terms).map((t) => t.value)), 3);
    expect(got.spectrum).toEqual({ file: 'ruby.txt', sha256: expect.stringMatching(/^[0-9a-f]{64}$/), frame: 0 });
    expect(Math.abs(got.unweighted.r1.value - got.r1.wavelength.value) * 1e9).toBeLessThan(0.003);
    // Any scale from the raw line.
    const line = String(got.wavelength.value * 1e9);
    const again = await answer(calc, 'ruby', '--wavelength', line, '--temperature', '300', '--scale', 'mao1986');
    const direct = await answer(fit, 'ruby', rubyFile, '--temperature', '300', '--scale', 'mao1986');
    expect(direct.pressure.value).toBeCloseTo(again.pressure.value, -2);
  });

  test('lines for people', async () => {
    const { code, out } = await run(fit, 'ruby', rubyFile, '--window', '690:700');
    expect(code).toBe(EXIT.ok);
    expect(out).toMatch(/^pressure +2\.\d+ ± 0\.\d+ GPa\n/);
    expect(out).toMatch(/R1 +695\.12\d+ ± 0\.00\d+ nm, width/);
    expect(out).toContain('sha256');
  });

  test('rows, frames and a dark of SPE files', async () => {
    const regions = [{ shape: [3, 400] as const, x: 0, y: 0, binning: [1, 1] as const, wavelength: axis.map((l) => l / 1e9) }];
    const common = { version: 3, pixel: 'f32' as const, regions, exposure: 0.5, settings: { camera: 'PIXIS' } };
    const image = (of: (i: number) => number): Float32Array => Float32Array.from({ length: 1200 }, (_, i) => of(i));
    const light = image((i) => 600 + (i < 400 ? 0 : (counts[i % 400] ?? 0)));
    const write = (name: string, ...frames: Float32Array[]): string =>
      file(name, encodeSpe({ ...common, frames: frames.map((data) => ({ data: [data], tracked: {} })) }));
    const spe = write(
      'ruby.spe',
      image(() => 600),
      light,
    );
    const dark = write(
      'dark.spe',
      image(() => 600),
    );
    const got = await answer(fit, 'ruby', spe, '--frame', '1', '--rows', '1:2', '--dark', dark);
    const text = await answer(fit, 'ruby', rubyFile);
    expect(got.r1.wavelength.value).toBeCloseTo(text.r1.wavelength.value, 14);
    expect(got.dark).toMatchObject({ file: 'dark.spe' });
    expect(got.rows).toEqual([1, 2]);
    expect(await run(fit, 'ruby', spe, '--rows', '0:0', '--json')).toMatchObject({ code: EXIT.refused });
  });

  test.skipIf(!existsSync(measured))('a measured spectrum (skipped without ../shared)', async () => {
    const got = await answer(fit, 'ruby', measured, '--rows', '11:24', '--window', '687.4534645528955:701.7185202403905');
    expect(Math.abs(got.r1.wavelength.value * 1e9 - 694.31868)).toBeLessThan(2e-4);
    const plain = await answer(
      fit,
      'ruby',
      measured,
      '--rows',
      '11:24',
      '--window',
      '687.4534645528955:701.7185202403905',
      '--method',
      'unweighted',
    );
    expect(Math.abs(plain.r1.wavelength.value * 1e9 - 694.3186787)).toBeLessThan(2e-5);
    expect(got.unweighted.r1.value).toBe(plain.r1.wavelength.value);
  });

  test('no line is exit code 3 with the reason, in JSON with its code', async () => {
    const one = file('one.txt', columns(axis, lines(axis, [R1])));
    expect(await run(fit, 'ruby', one)).toMatchObject({
      code: EXIT.refused,
      out: '',
      err: expect.stringContaining('only one line stands out'),
    });
    const { out } = await run(fit, 'ruby', one, '--json');
    expect(JSON.parse(out)).toMatchObject({ code: 'one-line', masked: [] });
  });

  test.each([
    [['ruby'], 'FILE is missing'],
    [['ruby', rubyFile, '--lamp', 'x'], '--lamp is not for ruby'],
    [['planck', rubyFile, '--scale', 'ruby2020'], '--scale is not for planck'],
    [['ruby', rubyFile, '--rows', '7:9'], 'rows 7 to 9 are not in the frame'],
    [['ruby', rubyFile, '--method', 'wien'], 'there is no method "wien" for ruby'],
    [['ruby', rubyFile, '--scale', 'x'], '--scale: there is no scale "x"'],
    [['ruby', rubyFile, '--temperature', 'hot'], '--temperature'],
    [['ruby', rubyFile, '--window', '700:690'], '--window'],
    [['diamond-edge', rubyFile], '--laser is missing'],
    [['diamond-edge', rubyFile, '--laser', '532', '--window', '1800:1300'], 'is not LOW:HIGH in 1/cm'],
    [['rubby', rubyFile], 'did you mean ruby?'],
  ])('%j is answered with a sentence', async (args, sentence) => {
    expect(await run(fit, ...args)).toMatchObject({ code: EXIT.usage, out: '', err: expect.stringContaining(sentence) });
  });
  test('a file that is not there is exit code 1', async () => {
    expect(await run(fit, 'ruby', join(folder, 'nowhere.spe'))).toMatchObject({
      code: EXIT.failed,
      err: expect.stringContaining('no such file'),
    });
  });
});

test('fit samarium and diamond-edge', async () => {
  const nm = even(680, 700, 500);
  const sm = file(
    'sm.txt',
    columns(
      nm,
      lines(nm, [{ area: 4000, centre: 690.51, hwhm: 0.12, lorentz: 0.7 }]).map((m) => poisson(m, random)),
    ),
  );
  const got = await answer(fit, 'samarium', sm);
  expect(got.pressure.value / 1e9).toBeCloseTo(19.57, 1);
  expect(got.line.fwhm.value * 1e9).toBeCloseTo(0.24, 1);
  const laser = 532e-9;
  const raman = even(ramanLine(laser, 120_000) * 1e9, ramanLine(laser, 190_000) * 1e9, 1000);
  const edge = file(
    'edge.txt',
    columns(
      raman,
      edgeOf(raman, laser, 1550, 12, 20_000, 4000).map((m) => poisson(m, random)),
    ),
  );
  const args = ['diamond-edge', edge, '--laser', '532', '--window', '1350:1880', '--reference', '1334 +- 0.5'];
  const found = await answer(fit, ...args);
  expect(found.shift.value / 100).toBeCloseTo(1550, -1);
  expect(Object.keys(found.terms)).toContain('smoothing');
  expect((await run(fit, ...args)).out).toMatch(/^pressure +10\d(\.\d+)? ± \d(\.\d+)? GPa/);
});

describe('in a rig', () => {
  const rig = async (derive: string): Promise<{ ok: boolean; told: string[]; inputs: string[] }> => {
    const place = mkdtempSync(join(folder, 'rig-'));
    mkdirSync(join(place, 'incoming'));
    const text = `rig: r\ninstruments:\n  camera: { model: princeton-spe, link: "folder:incoming?pattern=*.spe" }\n  cell: { model: operator, options: { values: { temperature: { unit: K, about: of the cell, limits: [1 K, 900 K] } } } }\nderive:\n  p: ${derive}\n`;
    writeFileSync(join(place, 'rig.yaml'), text);
    const loaded = await loadRig(place, await catalogue(), methods);
    return {
      ok: loaded.ok,
      told: (loaded.ok ? loaded.warnings : loaded.messages).map(printed),
      inputs: loaded.ok ? loaded.rig.derive.flatMap((d) => Object.keys(d.inputs)) : [],
    };
  };
  test('the temperature may be left out', async () => {
    expect(await rig('{ method: ruby, spectrum: camera.spectrum }')).toEqual({ ok: true, told: [], inputs: ['spectrum'] });
    const hot = await rig('{ method: ruby, temperature: cell.temperature, spectrum: camera.spectrum }');
    expect(hot).toEqual({ ok: true, told: [], inputs: ['spectrum', 'temperature'] });
  });
  test('what is wrong is told with its place', async () => {
    const told = async (derive: string): Promise<string> => (await rig(derive)).told.join('\n');
    expect(await told('{ method: ruby }')).toContain('the input "spectrum" of ruby is missing');
    expect(await told('{ method: ruby, spectrum: camera.spectrum, temperature: cell.nothing }')).toContain('no channel "nothing"');
    expect(await told('{ method: ruby, spectrum: camera.spectrum, temperature: camera.spectrum }')).toContain('wants K');
    expect(await told('{ method: ruby, spectrum: camera.spectrum, scale: mao }')).toMatch(/rig\.yaml:6:\d+: .*there is no scale "mao"/);
    expect(await told('{ method: diamond-edge, spectrum: camera.spectrum }')).toContain('such as 532 nm');
  });
});

test('every reason for which there is no line is explained in docs/errors.md', () => {
  const root = resolve(import.meta.dirname, '..');
  const source = readFileSync(resolve(root, 'src/derive/line-pixels.ts'), 'utf8');
  const [, union = ''] = /^export type NoLineCode = (.*);$/m.exec(source) ?? [];
  const own = [...union.matchAll(/'([a-z-]+)'/g)].map(([, word = '']) => word).filter((word) => word !== 'path-mismatch');
  expect(own.length).toBeGreaterThan(3);
  const [, rest = ''] = readFileSync(resolve(root, 'docs/errors.md'), 'utf8').split('## No pressure');
  const [section = ''] = rest.split(/^## /m);
  for (const code of own) expect(section).toContain(`| \`${code}\` |`);
});
