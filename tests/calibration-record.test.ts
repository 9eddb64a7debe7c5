/** Records of calibrations: what is printed is read back, what was changed by hand is refused with line and column. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { type CalibrationTaken, printRecord, shapeOf } from '../src/derive/calibration-record.ts';
import { idOf, readCalibration, readCalibrations, recordOf, sealed, sha256 } from '../src/rig-calibrations.ts';
import { printed, readSheet } from '../src/rig-yaml.ts';

const scratch = mkdtempSync(join(tmpdir(), 'bridgman-records-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const DATA = new TextEncoder().encode(Array.from({ length: 64 }, (_, i) => `${600 + i} ${1000 + i}\n`).join(''));
const T = 1_795_342_272_000_000; // 2026-11-22T10:11:12Z
const LAMP: CalibrationTaken = {
  calibration: 'lamp',
  of: 'us.spectrum',
  taken: T,
  valid: { from: T, until: T + 7 * 86_400e6 },
  path: { side: 'up', filter: 'none', magnification: 20, grating: '750nm,150' },
  region: { rows: [8, 19], columns: 64 },
  exposure: 0.5,
  lamp: { temperature: 2255, sigma: 10 },
  data: { file: 'lamp.txt', sha256: sha256(DATA) },
  by: 'anna',
  note: 'new lamp: "15A"\nsecond line',
};
let folders = 0;
/** A rig's folder with this text as calibrations/lamp.yaml and the data beside it. */
function folder(text: string, data: Uint8Array | undefined = DATA): string {
  const place = join(scratch, String(folders++));
  mkdirSync(join(place, 'calibrations'), { recursive: true });
  writeFileSync(join(place, 'calibrations', 'lamp.yaml'), text);
  if (data) writeFileSync(join(place, 'calibrations', 'lamp.txt'), data);
  return place;
}
const said = async (text: string, data?: Uint8Array | null): Promise<string[]> => {
  const place = folder(text, data === null ? undefined : data);
  if (data === null) rmSync(join(place, 'calibrations', 'lamp.txt'), { force: true });
  const { messages } = await readCalibration(join(place, 'calibrations', 'lamp.yaml'));
  return messages.map((m) => printed(m).replace(`${place}/`, ''));
};
const TEXT = printRecord(sealed(LAMP));

describe('a record', () => {
  test('as text', () => {
    expect(TEXT).toBe(`calibration: lamp
id: ${JSON.stringify(idOf(LAMP)).replace(/^"([a-f].*)"$/, '$1')}
of: us.spectrum
taken: 2026-11-22T10:11:12Z
valid: { from: 2026-11-22T10:11:12Z, until: 2026-11-29T10:11:12Z }
path: { side: up, filter: none, magnification: 20, grating: "750nm,150" }
region: { rows: [8, 19], columns: 64 }
exposure: 0.5 s
lamp: { temperature: 2255 K +- 10 K }
data: lamp.txt
sha256: ${JSON.stringify(sha256(DATA)).replace(/^"([a-f].*)"$/, '$1')}
by: anna
note: "new lamp: \\"15A\\"\\nsecond line"
`);
  });

  test('is read back with its files', async () => {
    const { calibrations, messages } = await readCalibrations(folder(TEXT));
    expect(messages).toEqual([]);
    expect(calibrations).toHaveLength(1);
    expect(calibrations[0]?.record).toEqual(sealed(LAMP));
    expect(calibrations[0]?.text.path).toBe('calibrations/lamp.yaml');
    expect(calibrations[0]?.files.data).toMatchObject({ path: 'calibrations/lamp.txt', sha256: sha256(DATA) });
  });

  const name = fc.stringMatching(/^[a-z_]{1,8}$/);
  const value = fc.oneof(
    fc.string({ minLength: 1, unit: 'grapheme' }),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((v) => v + 0),
  );
  const positive = fc.double({ min: 1e-9, max: 1e9, noNaN: true });
  const time = fc.integer({ min: 0, max: 4e15 });
  test('whatever it says is read back to the last digit', () => {
    const any = fc.record({
      path: fc.dictionary(name, value),
      exposure: positive,
      kelvin: positive,
      sigma: positive,
      from: time,
      by: fc.string({ minLength: 1 }),
    });
    fc.assert(
      fc.property(any, ({ path, exposure, kelvin, sigma, from, by }) => {
        const given = sealed({
          ...LAMP,
          path: { ...path },
          exposure,
          lamp: { temperature: kelvin, sigma },
          taken: from,
          valid: { from },
          by,
        });
        const sheet = readSheet('r.yaml', new TextEncoder().encode(printRecord(given)));
        expect([recordOf(sheet), sheet.errors]).toEqual([given, []]);
      }),
    );
  });

  test('of the other kinds', async () => {
    const { lamp: _, ...plain } = LAMP;
    const lines = [{ wavelength: 696.5431e-9, pixel: 101.25, residual: -4e-12 }];
    const others: readonly CalibrationTaken[] = [
      { ...plain, calibration: 'dark' },
      { ...plain, calibration: 'response' },
      { ...plain, calibration: 'wavelength', coefficients: [600, 0.58, -1.2e-6], lines },
      { ...LAMP, lamp: { radiance: { file: 'lamp.txt', sha256: sha256(DATA) } }, dark: { file: 'lamp.txt', sha256: sha256(DATA) } },
    ];
    for (const given of others) {
      const { calibrations, messages } = await readCalibrations(folder(printRecord(sealed(given))));
      expect([given.calibration, messages]).toEqual([given.calibration, []]);
      expect(calibrations[0]?.record).toEqual(sealed(given));
    }
  });

  test('its id is that of what shapes a number, and of nothing else', () => {
    const id = idOf(LAMP);
    expect(id).toMatch(/^[0-9a-f]{16}$/);
    expect(
      idOf({ ...LAMP, valid: { from: 0 }, taken: 5, by: 'bert', note: 'x', data: { file: 'renamed.txt', sha256: sha256(DATA) } }),
    ).toBe(id);
    expect(idOf({ ...LAMP, path: Object.fromEntries(Object.entries(LAMP.path).reverse()) })).toBe(id);
    const changes: readonly Partial<CalibrationTaken>[] = [
      { of: 'ds.spectrum' },
      { calibration: 'response' },
      { path: { ...LAMP.path, filter: '10 %' } },
      { region: { rows: [8, 20], columns: 64 } },
      { exposure: 0.6 },
      { lamp: { temperature: 2256, sigma: 10 } },
      { lamp: { temperature: 2255, sigma: 11 } },
      { data: { file: 'lamp.txt', sha256: sha256('x') } },
      { coefficients: [600, 0.5] },
    ];
    const ids = changes.map((change) => idOf({ ...LAMP, ...change }));
    expect(new Set([id, ...ids]).size).toBe(changes.length + 1);
    expect(shapeOf(LAMP)).not.toContain('anna');
  });
});

describe('what is wrong with a record is said where it stands', () => {
  const changed = (from: string | RegExp, to: string): string => {
    const text = TEXT.replace(from, to);
    expect(text).not.toBe(TEXT);
    return text;
  };
  test('changed by hand', async () => {
    const [one, ...more] = await said(changed('filter: none', 'filter: "10 %"'));
    expect(more).toEqual([]);
    expect(one).toMatch(
      /^calibrations\/lamp.yaml:2:5: the record was changed after it was taken: its id is [0-9a-f]{16}, and what it says has the id [0-9a-f]{16}; undo the change, or take the calibration again/,
    );
  });
  test('its validity may be changed', async () => {
    expect(await said(changed(/, until: [^ ]+/, ''))).toEqual([]);
  });
  test('its data is missing or changed', async () => {
    expect(await said(TEXT, null)).toEqual([
      'calibrations/lamp.yaml:10:7: there is no file "lamp.txt" beside the record; put it back, or take the calibration again',
    ]);
    const [one, ...more] = await said(TEXT, new TextEncoder().encode('600 1\n601 2\n'));
    expect(more).toEqual([]);
    expect(one).toMatch(
      /^calibrations\/lamp.yaml:10:7: the file "lamp.txt" was changed after the calibration was taken: its sha256 is [0-9a-f]{16}\.\.\., not [0-9a-f]{16}\.\.\.; restore it/,
    );
  });
  test.each([
    ['calibration: lamp', 'calibration: lmap', '1:14: "calibration" is one of lamp, response, wavelength, dark, not the text "lmap"'],
    [
      'taken: 2026-11-22T10:11:12Z',
      'taken: yesterday',
      '4:8: "taken" is a time with its zone, such as 2026-11-22T10:11:12Z, not the text "yesterday"',
    ],
    ['exposure: 0.5 s', 'exposure: 0.5 V', '8:11: "0.5 V" is a'],
    ['rows: [8, 19]', 'rows: [19, 8]', '7:17: "rows" are two whole numbers from 0 that rise'],
    ['temperature: 2255 K +- 10 K', 'temprature: 2255 K', '9:9: there is no "temprature" in "lamp"; did you mean "temperature"?'],
    [/lamp: \{.*\n/, '', '1:14: a lamp calibration needs "lamp: { temperature: 2255 K +- 10 K }"'],
    ['of: us.spectrum', 'of: us', '3:5: "of" is the channel that it was taken from'],
    [/data: .*\n/, '', '10:1: "sha256" is that of "data", which is missing'],
    ['by: anna', 'by: anna\nbye: 1', '13:1: there is no "bye" in a record; did you mean "by"?'],
    [/^id: .*$/m, 'id: 12', '2:5: an id has 16 hexadecimal digits, in quotes where it begins with a digit'],
  ])('%s', async (from, to, wanted) => {
    expect((await said(changed(from, to))).join('\n')).toContain(`calibrations/lamp.yaml:${wanted}`);
  });
  test('no bytes make it throw', async () => {
    const broken = fc.tuple(fc.nat(TEXT.length), fc.nat(20), fc.string({ maxLength: 12 }));
    await fc.assert(
      fc.asyncProperty(broken, async ([at, cut, put]) => {
        await said(`${TEXT.slice(0, at)}${put}${TEXT.slice(at + cut)}`);
      }),
      { numRuns: 60 },
    );
  });
  test('one wrong record leaves the others', async () => {
    const place = folder(changed('exposure: 0.5 s', 'exposure: 1 s'));
    writeFileSync(join(place, 'calibrations', 'good.yaml'), TEXT);
    writeFileSync(join(place, 'calibrations', 'same.yaml'), TEXT);
    writeFileSync(join(place, 'calibrations', 'notes.txt'), 'no record');
    const { calibrations, messages } = await readCalibrations(place);
    expect(calibrations.map((c) => c.text.path)).toEqual(['calibrations/good.yaml']);
    expect(messages.map(({ text }) => text)).toEqual([
      expect.stringContaining('was changed after it was taken'),
      expect.stringContaining('of calibrations/good.yaml once more'),
    ]);
  });
});
