import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { encodeSpe } from '../protocols/spe.ts';
import { calc } from '../src/cli/calc.ts';
import { type Command, EXIT } from '../src/cli/command.ts';
import { fit } from '../src/cli/fit.ts';
import { spectralRadiance } from '../src/derive/radiance.ts';

const folder = mkdtempSync(join(tmpdir(), 'bridgman-fit-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function run(command: Command, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await command.run(args, { out: (t) => (out += t), err: (t) => (err += t) });
  expect(out + err).not.toMatch(/\bat .*\(?.*:\d+:\d+|node:internal|undefined|[^"]NaN/);
  return { code, out, err };
}
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const axis = Float64Array.from({ length: 200 }, (_, i) => (600 + 1.5 * i) / 1e9);
const columns = (value: (l: number) => number, between = '\t'): string =>
  `# nm${between}value\n${[...axis].map((l) => `${l * 1e9}${between}${value(l)}`).join('\n')}\n`;
const throughput = (l: number): number => 3e-9 * Math.exp(-(((l * 1e9 - 740) / 130) ** 2));
const sample = file(
  'sample.txt',
  columns((l) => throughput(l) * spectralRadiance(l, 1873.25, 0.4) * 40),
);
const lampCounts = file(
  'lamp-counts.txt',
  columns((l) => throughput(l) * spectralRadiance(l, 2255) * 40, ', '),
);
const lampTable = file(
  'lamp.csv',
  columns((l) => 1e-9 * spectralRadiance(l, 2255), ';'),
);

describe('fit planck', () => {
  test('a corrected spectrum of any scale', async () => {
    for (const scale of [1e-12, 1, 1e9]) {
      const path = file(
        'corrected.txt',
        columns((l) => scale * spectralRadiance(l, 2345.678), '  '),
      );
      const { code, out } = await run(fit, 'planck', path, '--window', '600:880', '--json');
      const got = JSON.parse(out);
      expect(code).toBe(EXIT.ok);
      expect(got.temperature.value).toBeCloseTo(2345.678, 5);
      expect(got.temperature.unit).toBe('K');
      expect(got.calibration).toBeNull();
      expect(got.window.to.value).toBeCloseTo(880.5e-9, 9);
    }
  });
  test('counts with a lamp temperature or a lamp table give the same; files are named with their checksums', async () => {
    for (const lamp of [
      ['--lamp-temperature', '2255K'],
      ['--lamp', lampTable],
    ]) {
      const { code, out } = await run(
        fit,
        'planck',
        sample,
        '--calibration',
        lampCounts,
        ...lamp,
        '--s-lamp',
        '10',
        '--s-slope',
        '2%',
        '--json',
      );
      const got = JSON.parse(out);
      expect(code).toBe(EXIT.ok);
      expect(got.temperature.value).toBeCloseTo(1873.25, lamp[0] === '--lamp' ? 3 : 5);
      expect(got.calibration.frame).toEqual({ file: 'lamp-counts.txt', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
      expect(got.terms.lamp.value).toBeCloseTo((1873.25 / 2255) ** 2 * 10, 3);
      expect(got.terms.emissivity.value).toBeCloseTo(2 * Math.abs(got.sensitivity_per_percent_slope.value), 6);
      expect(got.temperature.sigma).toBeCloseTo(Math.hypot(...Object.values<{ value: number }>(got.terms).map((t) => t.value)), 9);
    }
  });
  test('the bar of the lamp may stand beside its temperature; no other uncertainty is dropped', async () => {
    const lit = ['--calibration', lampCounts, '--window', '620:880'];
    const beside = JSON.parse((await run(fit, 'planck', sample, ...lit, '--lamp-temperature', '2255 K +- 10 K', '--json')).out);
    const apart = JSON.parse((await run(fit, 'planck', sample, ...lit, '--lamp-temperature', '2255K', '--s-lamp', '10K', '--json')).out);
    expect(beside.terms.lamp.value).toBeGreaterThan(5);
    expect(beside.terms).toEqual(apart.terms);
    const twice = await run(fit, 'planck', sample, ...lit, '--lamp-temperature', '2255 K +- 10 K', '--s-lamp', '10K');
    expect(twice).toMatchObject({ code: EXIT.usage, err: expect.stringContaining('given twice') });
    const other = await run(fit, 'planck', sample, ...lit, '--lamp-temperature', '2255 K', '--s-slope', '2 % +- 1 %');
    expect(other).toMatchObject({ code: EXIT.usage, err: expect.stringContaining('--s-slope takes no uncertainty') });
  });
  test('a dark that is not there, or of another exposure, is told', async () => {
    const regions = [{ shape: [1, 200] as const, x: 0, y: 0, binning: [1, 1] as const, wavelength: axis }];
    const spe = (name: string, counts: number, exposure: number): string => {
      const data = [Float32Array.from(axis, (l) => counts * throughput(l) * spectralRadiance(l, 2255))];
      return file(
        name,
        encodeSpe({ version: 3, pixel: 'f32', regions, exposure, settings: { camera: 'PIXIS' }, frames: [{ data, tracked: {} }] }),
      );
    };
    const lit = ['--calibration', spe('l.spe', 40, 0.02), '--lamp-temperature', '2255K', '--window', '620:880'];
    const light = spe('s.spe', 20, 0.02);
    const flags = async (...more: string[]): Promise<string> =>
      JSON.parse((await run(fit, 'planck', light, ...lit, ...more, '--json')).out).flags.join('; ');
    const without = await flags();
    expect(without).toContain('no dark is subtracted from the spectrum (--dark)');
    expect(without).toContain("no dark is subtracted from the lamp's spectrum (--calibration-dark)");
    const other = await flags('--dark', spe('d100.spe', 0.01, 0.1), '--calibration-dark', spe('d20.spe', 0.01, 0.02));
    expect(other).toContain('the spectrum was exposed for 20 ms, its dark for 100 ms: it is not scaled');
    expect(other).not.toContain("the lamp's spectrum was exposed");
    expect(other).not.toContain('no dark is subtracted');
  });
  test('lines for people', async () => {
    const { code, out } = await run(fit, 'planck', sample, '--calibration', lampCounts, '--lamp-temperature', '2255');
    expect(code).toBe(EXIT.ok);
    expect(out).toMatch(/^temperature +1873/);
    expect(out).toContain('sha256');
    expect(out).toContain('no lamp term');
  });
  test('methods', async () => {
    for (const method of ['trax', 'unweighted', 'wien']) {
      const { out } = await run(
        fit,
        'planck',
        sample,
        '--calibration',
        lampCounts,
        '--lamp-temperature',
        '2255',
        '--method',
        method,
        '--json',
      );
      const got = JSON.parse(out);
      expect(got.method).toBe(method);
      expect(got.constants).toBe(method === 'trax' ? 'T-Rax' : 'SI 2019');
      expect(Math.abs(got.temperature.value - 1873.25)).toBeLessThan({ wien: 1, trax: 0.02 }[method] ?? 1e-3);
    }
  });
  test('frames of an SPE file, rows and dark', async () => {
    const shape = [3, 200] as const;
    const counts = (t: number, offset: number): Float32Array =>
      Float32Array.from(
        { length: 600 },
        (_, i) => offset + (i < 200 ? 0 : 1e-8 * spectralRadiance(axis[i % 200] ?? 0, t) * throughput(axis[i % 200] ?? 0) * 1e9),
      );
    const regions = [{ shape, x: 0, y: 0, binning: [1, 1] as const, wavelength: axis }];
    const common = { version: 3, pixel: 'f32' as const, regions, exposure: 0.5, settings: { camera: 'PIXIS' } };
    const spe = (name: string, ...frames: Float32Array[]): string =>
      file(name, encodeSpe({ ...common, frames: frames.map((f) => ({ data: [f], tracked: {} })) }));
    const shots = spe('shots.spe', counts(1500, 100), counts(2500, 100));
    const dark = spe('dark.spe', counts(1, 100).fill(100));
    const lamp = spe('lamp.spe', counts(2255, 0));
    const args = ['--calibration', lamp, '--lamp-temperature', '2255', '--dark', dark, '--rows', '1:2', '--json'];
    for (const [frame, t] of [
      ['0', 1500],
      ['1', 2500],
    ] as const) {
      const { code, out } = await run(fit, 'planck', shots, ...args, '--frame', frame);
      expect(code).toBe(EXIT.ok);
      expect(Math.abs(JSON.parse(out).temperature.value - t)).toBeLessThan(0.01);
      expect(JSON.parse(out).rows).toEqual([1, 2]);
    }
    expect(await run(fit, 'planck', shots, ...args, '--frame', '2')).toMatchObject({
      code: EXIT.usage,
      err: expect.stringContaining('frames 0 to 1'),
    });
    expect(await run(fit, 'planck', shots, ...args.with(7, '1:3'))).toMatchObject({
      code: EXIT.usage,
      err: expect.stringContaining('rows 0 to 2'),
    });
  });
  test('no temperature is said with a reason and an upper limit', async () => {
    const faint = file(
      'faint.txt',
      columns((l) => throughput(l) * spectralRadiance(l, 700)),
    );
    const { code, out } = await run(fit, 'planck', faint, '--calibration', lampCounts, '--lamp-temperature', '2255', '--json');
    expect(code).toBe(EXIT.refused);
    expect(JSON.parse(out).refused).toMatch(/no temperature.*signal-to-noise.*upper limit \d+ K/);
    const blind = await run(fit, 'planck', sample, '--calibration', lampCounts, '--lamp', file('red.txt', '950 1\n1000 2\n'));
    expect(blind).toMatchObject({ code: EXIT.refused, out: '', err: expect.stringContaining('lamp') });
    const beside = await run(fit, 'planck', sample, '--window', '1000:1100', '--json');
    expect(beside.code).toBe(EXIT.refused);
    expect(JSON.parse(beside.out).refused).toContain('does not overlap');
  });
  test.each([
    [['planck'], 'FILE is missing'],
    [['plank', 'x'], 'did you mean planck?'],
    [['planck', 'x', '--windw', '600:900'], 'did you mean --window?'],
    [['planck', 'x', '--window'], '--window needs a value'],
    [['planck', 'x', '--window', '900:600'], 'LOW:HIGH'],
    [['planck', 'x', '--rows', '7:3'], 'FIRST:LAST'],
    [['planck', 'x', '--rows', '1.5:3'], 'whole number'],
    [['planck', 'x', '--gain', '0'], 'above zero'],
    [['planck', 'x', '--gain', '2K'], 'not in 1'],
    [['planck', 'x', '--method', 'magic'], 'there are: ml, trax'],
    [['planck', 'x', '--calibration', 'y'], '--lamp FILE or --lamp-temperature'],
    [['planck', 'x', '--lamp', 'y'], 'needs --calibration'],
    [['planck', 'x', 'y'], 'one word too many'],
    [['planck', 'x', '--json', '--json'], 'given twice'],
  ])('%j is answered with a sentence', async (args, sentence) => {
    expect(await run(fit, ...args)).toMatchObject({ code: EXIT.usage, out: '', err: expect.stringContaining(sentence) });
  });
  test.each([
    [';', true],
    ['\t', true],
    [' ', true],
    [' ; ', true],
    [', ', false],
    [',', false],
    [';', false],
  ])('columns parted by %j, decimal commas: %s', async (between, commas) => {
    const line = (l: number): string => {
      const [nm, value] = [(l * 1e9).toFixed(1), spectralRadiance(l, 1500).toExponential(6)];
      return commas ? `${nm}${between}${value}`.replaceAll('.', ',') : `${nm}${between}${value}`;
    };
    const table = file('commas.txt', `nm${between}radiance\n${[...axis].map(line).join('\n')}\n`);
    const { code, out } = await run(fit, 'planck', table, '--window', '620:880', '--json');
    expect(code).toBe(EXIT.ok);
    expect(JSON.parse(out).temperature.value).toBeCloseTo(1500, 1);
  });
  test('a table of the lamp that is no text', async () => {
    const picture = file('lamp.png', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x1b));
    expect(await run(fit, 'planck', sample, '--calibration', lampCounts, '--lamp', picture)).toMatchObject({
      code: EXIT.failed,
      err: expect.stringContaining('no text'),
    });
  });
  test('bad files', async () => {
    const cases: (readonly [string, string])[] = [
      [join(folder, 'nowhere.spe'), 'there is no such file'],
      [folder, 'this is a folder'],
      [file('empty.spe', ''), 'the file is empty'],
      [
        file(
          'noise.spe',
          Uint8Array.from({ length: 9000 }, (_, i) => (i * 7919) % 251),
        ),
        'PROTO_NOT_SPE',
      ],
      [file('cut.spe', new Uint8Array(300)), 'PROTO_SPE_INCOMPLETE'],
      [file('words.txt', 'nm counts\n600 1\nsix hundred\n'), 'line 3'],
      [file('one.txt', '600 1\n'), 'two lines or more'],
    ];
    for (const [path, sentence] of cases) {
      expect(await run(fit, 'planck', path, '--json')).toMatchObject({
        code: EXIT.failed,
        out: '',
        err: expect.stringContaining(sentence),
      });
    }
  });
  test('help shows examples first', async () => {
    const { code, out } = await run(fit, '--help');
    expect(code).toBe(EXIT.ok);
    expect(out.startsWith('Examples')).toBe(true);
    expect((await run(fit)).code).toBe(EXIT.usage);
  });

  const data = resolve(import.meta.dirname, '../../shared/data/spectra');
  describe.skipIf(!existsSync(data))('real spectra (skipped without ../shared)', () => {
    const args = (side: string, method: string): string[] => [
      ...[
        'planck',
        join(data, 'test_measurement.spe'),
        '--calibration',
        join(data, `${side}_calibration.spe`),
        '--lamp',
        join(data, '15A_lamp.txt'),
      ],
      ...['--window', '666:836', '--rows', side === 'ds' ? '152:163' : '99:110', '--method', method, '--json'],
    ];
    test.each([
      ['ds', 'trax', 1046.906, 14.7],
      ['us', 'trax', 1413.609, 2.109],
      ['ds', 'unweighted', 1046.889, 14.7],
      ['us', 'unweighted', 1413.586, 2.109],
      ['ds', 'wien', 1021.05, 18.55],
      ['us', 'wien', 1426.37, 1.655],
    ])('%s by %s', async (side, method, t, sigma) => {
      const got = JSON.parse((await run(fit, ...args(side, method))).out);
      expect(Math.abs(got.temperature.value - t)).toBeLessThan(0.05);
      expect(Math.abs(got.terms.statistical.value - sigma)).toBeLessThan(0.05);
      if (method === 'trax') expect(got.temperature.sigma).toBe(got.terms.statistical.value);
      expect(got.pixels).toBe(636);
    });
    test('the count-domain fit takes the camera noise from the dark rows and describes the faint side', async () => {
      const got = JSON.parse((await run(fit, ...args('ds', 'ml'))).out);
      expect(got.chi2_per_dof).toBeGreaterThan(0.9);
      expect(got.chi2_per_dof).toBeLessThan(1.2);
      expect(Math.abs(got.temperature.value - 1034.2)).toBeLessThan(15);
    });
  });
});

describe('calc planck', () => {
  test('radiance at 2000 K, 650 nm, and back', async () => {
    const there = await run(calc, 'planck', '--temperature', '2000K', '--wavelength', '650nm', '--emissivity', '0.35', '--json');
    const { radiance } = JSON.parse(there.out);
    expect(Math.abs(radiance.value / (0.35 * 16025329836.149328) - 1)).toBeLessThan(1e-12);
    const back = await run(calc, 'planck', '--radiance', String(radiance.value), '--wavelength', '650nm', '--emissivity', '0.35', '--json');
    expect(JSON.parse(back.out).temperature.value).toBeCloseTo(2000, 8);
    const perNanometre = await run(calc, 'planck', '--radiance', `${radiance.value / 1e9} W/m2/sr/nm`, '--wavelength', '650nm', '--json');
    expect(JSON.parse(perNanometre.out).temperature.value).toBeLessThan(2000);
  });
  test('a list of wavelengths', async () => {
    const { out } = await run(calc, 'planck', '--temperature', '1000K', '--wavelength', '650nm,0.75um', '--json');
    expect(JSON.parse(out).results.map((r: { wavelength: { value: number } }) => r.wavelength.value)).toEqual([650e-9, 750e-9]);
    expect((await run(calc, 'planck', '--temperature', '1000K', '--wavelength', '650nm,750nm')).out.trim().split('\n')).toHaveLength(2);
  });
  test.each([
    [['--temperature', '0K', '--wavelength', '650nm'], 'above zero'],
    [['--temperature=-5K', '--wavelength', '650nm'], 'above zero'],
    [['--temperature', '-5K', '--wavelength', '650nm'], 'above zero'],
    [['--temperature', 'NaN', '--wavelength', '650nm'], 'is not a number with a unit'],
    [['--temperature', '2000K', '--wavelength', '650'], 'write it like 650nm'],
    [['--temperature', '2000K', '--wavelength', '0nm'], 'above zero'],
    [['--temperature', '2000K'], '--wavelength is missing'],
    [['--wavelength', '650nm'], 'either --temperature or --radiance'],
    [['--radiance', 'bright', '--wavelength', '650nm'], '--radiance'],
    [['--radiance', '-1', '--wavelength', '650nm'], 'above zero'],
    [['--radiance', '1,2,3', '--wavelength', '650nm,700nm'], '3 radiances for 2 wavelengths'],
    [['--temperature', '2000K', '--wavelength', '650nm', '--emissivity', '1.2'], 'up to 1'],
    [['--temperature', '1K', '--wavelength', '1nm'], 'too small'],
  ])('%j is answered with a sentence', async (args, sentence) => {
    expect(await run(calc, 'planck', ...args)).toMatchObject({ code: EXIT.usage, out: '', err: expect.stringContaining(sentence) });
  });
});
