/** A rig whose derivations take their calibration from its folder: what `check` says of it, what goes into the session, and a run of it. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSpe, SpeFault } from '../protocols/spe.ts';
import { type Catalogue, catalogue } from '../src/catalogue.ts';
import { type CalibrationTaken, printRecord } from '../src/derive/calibration-record.ts';
import { graph } from '../src/graph.ts';
import { filesOf, methods, nodesOf } from '../src/methods.ts';
import type { Reading, Trace } from '../src/reading.ts';
import { type Loaded, loadRig, printed, type Rig } from '../src/rig.ts';
import { idOf, ledgerRecord, sealed, sha256 } from '../src/rig-calibrations.ts';

const scratch = mkdtempSync(join(tmpdir(), 'bridgman-calibrations-'));
afterAll(() => rmSync(scratch, { recursive: true }));
let known: Catalogue;
beforeAll(async () => {
  known = await catalogue();
});

const demo = resolve(import.meta.dirname, '../rigs/demo/calibrations');
const LAMP = new Uint8Array(readFileSync(join(demo, 'lamp.spe')));
const DARK = new Uint8Array(readFileSync(join(demo, 'dark.spe')));
const T = 1_795_342_272_000_000; // 2026-11-22T10:11:12Z
const taken = (name: string, bytes: Uint8Array, more: Partial<CalibrationTaken>): CalibrationTaken => ({
  calibration: 'lamp',
  of: 'camera.spectrum',
  taken: T,
  valid: { from: 0 },
  path: {},
  region: {},
  data: { file: name, sha256: sha256(bytes) },
  ...more,
});
const UP = taken('lamp.spe', LAMP, {
  path: { side: 'up', shutter: 'on' },
  region: { rows: [8, 19], columns: 512 },
  lamp: { temperature: 2255, sigma: 10 },
});
const DARK_TAKEN = taken('dark.spe', DARK, { calibration: 'dark', exposure: 0.5 });

const RIG = `rig: ledger
instruments:
  guard:
    model: bridgman-deadman
    link: serial:/dev/ttyACM0
    leases: { relay: unused, shutter: unused }
  camera:
    model: princeton-spe
    link: folder:/data/spectra?pattern=*.spe
derive:
  up:
    method: planck-ml
    spectrum: camera.spectrum
    calibration: auto
    path: { shutter: guard.shutter, side: up }
    rows: [8, 19]
    window: [620 nm, 880 nm]
`;

let folders = 0;
function folder(rig: string, files: Readonly<Record<string, string | Uint8Array>>): string {
  const place = join(scratch, String(folders++));
  mkdirSync(join(place, 'calibrations'), { recursive: true });
  writeFileSync(join(place, 'rig.yaml'), rig);
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(place, 'calibrations', name), bytes);
  return place;
}
const FILES = { 'lamp.spe': LAMP, 'dark.spe': DARK, 'a.yaml': printRecord(sealed(UP)), 'b.yaml': printRecord(sealed(DARK_TAKEN)) };
const load = (place: string): Promise<Loaded> => loadRig(place, known, methods);
const told = (loaded: Loaded, place: string): string[] =>
  (loaded.ok ? loaded.warnings : loaded.messages).map((m) => printed({ ...m, file: relative(place, m.file) }));
async function rigOf(place: string): Promise<Rig> {
  const loaded = await load(place);
  if (!loaded.ok) throw new Error(told(loaded, place).join('\n'));
  return loaded.rig;
}

describe('what check says', () => {
  test('nothing of a rig that is right', async () => {
    const place = folder(RIG, FILES);
    const loaded = await load(place);
    expect([loaded.ok, told(loaded, place)]).toEqual([true, []]);
  });

  test('a record changed by hand is left out, with its place; the others go on', async () => {
    const place = folder(RIG, { ...FILES, 'c.yaml': FILES['a.yaml'].replace('shutter: on', 'shutter: off') });
    const loaded = await load(place);
    expect(loaded.ok && loaded.rig.calibrations?.map(({ text }) => text.path)).toEqual(['calibrations/a.yaml', 'calibrations/b.yaml']);
    expect(told(loaded, place)).toEqual([expect.stringMatching(/^calibrations\/c.yaml:2:5: the record was changed after it was taken/)]);
  });

  test('without any lamp, what to do', async () => {
    const place = folder(RIG, {});
    expect(told(await load(place), place)).toEqual([
      'rig.yaml:14:18: there is no lamp calibration of camera.spectrum in calibrations/; take one: bridgman calibrate lamp camera.spectrum',
    ]);
  });

  test.each([
    [
      'path: { shutter: guard.shutter, side: up }',
      'path: { shutter: guard.shuter, side: up }',
      '15:22: "guard" has no channel "shuter"; did you mean "shutter"?',
    ],
    [
      'path: { shutter: guard.shutter, side: up }',
      'path: { shutter: gaurd.shutter }',
      '15:22: there is no instrument or derivation "gaurd" in this rig; did you mean "guard"?',
    ],
    ['path: { shutter: guard.shutter, side: up }', 'path: { shutter: { from: guard.shutter, within: 5 V } }', '15:53: "5 V" is a'],
    [
      'path: { shutter: guard.shutter, side: up }',
      'path: { shutter: { from: guard.shutter, wihin: 5 s } }',
      '15:45: there is no "wihin" in "shutter"; did you mean "within"?',
    ],
    [
      'path: { shutter: guard.shutter, side: up }',
      'path: { shutter: camera.spectrum }',
      '15:22: camera.spectrum gives a trace: an entry of the path is a state, a flag or a number',
    ],
    [
      'path: { shutter: guard.shutter, side: up }',
      'path: { shutter: [1, 2] }',
      '15:22: "shutter" of the path is a channel such as optics.filter, a word or a number, not a list',
    ],
    ['path: { shutter: guard.shutter, side: up }', 'path: up', '15:11: "path" is a group of "name: value"'],
    ['path: { shutter: guard.shutter, side: up }', 'path: { shutter: up.factor }', '15:22: this goes in a circle: up needs up'],
    ['    calibration: auto\n', '', '14:5: "path" is compared by "calibration: auto"; write that too, or leave it out'],
    ['calibration: auto', 'calibration: automatic', '14:18: planck-ml: calibration: must name a lamp frame'],
    ['rows: [8, 19]', 'any_path: true', '16:15: planck-ml: any_path: a calibration that is chosen by its path'],
    [
      'rows: [8, 19]',
      'emissivity: { material: unobtainium }',
      '16:17: planck-ml: emissivity: there is no material "unobtainium"; there are tungsten',
    ],
  ])('%s -> %s', async (from, to, wanted) => {
    expect(RIG).toContain(from);
    const place = folder(RIG.replace(from, to), FILES);
    const loaded = await load(place);
    expect(loaded.ok).toBe(false);
    expect(told(loaded, place).join('\n')).toContain(`rig.yaml:${wanted}`);
  });

  test('what a part of the path must be is something that it can be', async () => {
    const with_ = (is: string): string =>
      RIG.replace('path: { shutter: guard.shutter, side: up }', `path: { side: up, shutter: { from: guard.shutter, is: ${is} } }`);
    for (const [is, text] of [
      ['open', /rig\.yaml:15:\d+: guard\.shutter is never "open"; it is on, off/],
      ['[on]', /rig\.yaml:15:\d+: "is" is a word or a number/],
    ] as const) {
      const place = folder(with_(is), FILES);
      expect(told(await load(place), place).join('\n')).toMatch(text);
    }
    const place = folder(with_('on'), FILES);
    const rig = await rigOf(place);
    expect(rig.derive[0]?.inputs['only.shutter']).toEqual({ from: 'guard.shutter', pair: 'held', within: 60, is: 'on' });
    const [node] = nodesOf(rig);
    const [other] = nodesOf(await rigOf(folder(with_('off'), FILES)));
    expect(node?.parametersId).not.toBe(other?.parametersId);
  });

  test('whatever stands there, nothing is thrown', async () => {
    const place = folder(RIG, FILES);
    const leaf = fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.double(),
      fc.boolean(),
      fc.constantFrom(null, 'auto', 'none', 'guard.shutter', 'up.factor', 'constructor'),
    );
    const value = fc.oneof(
      leaf,
      fc.array(leaf, { maxLength: 3 }),
      fc.dictionary(fc.constantFrom('from', 'within', 'filter', 'material', '__proto__', 'x'), leaf, { maxKeys: 3 }),
    );
    const params = fc.record(
      { calibration: fc.oneof(fc.constant('auto'), value), path: value, dark: value, emissivity: value },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(params, async (more) => {
        const lines = Object.entries(more).map(([key, v]) => `    ${key}: ${JSON.stringify(v)}\n`);
        writeFileSync(join(place, 'rig.yaml'), RIG.replace(/ {4}calibration.*\n.*\n/, lines.join('')));
        const loaded = await load(place);
        if (loaded.ok) graph(nodesOf(loaded.rig));
      }),
      { numRuns: 60 },
    );
  });

  test('a material is taken', async () => {
    expect((await load(folder(RIG.replace('rows: [8, 19]', 'emissivity: { material: tungsten }'), FILES))).ok).toBe(true);
  });
});

describe('a rig with records', () => {
  test('is plain data; its files and its parameters have the records in them', async () => {
    const rig = await rigOf(folder(RIG, FILES));
    expect(structuredClone(rig)).toEqual(rig);
    expect(Object.keys(filesOf(rig)).sort()).toEqual(['a.yaml', 'b.yaml', 'dark.spe', 'lamp.spe'].map((name) => `calibrations/${name}`));
    expect(rig.derive[0]?.inputs).toEqual({
      spectrum: { from: 'camera.spectrum', pair: 'last', within: 0 },
      'path.shutter': { from: 'guard.shutter', pair: 'held', within: 60 },
    });
    const id = (r: Rig): string | undefined => nodesOf(r)[0]?.parametersId;
    const longer = { ...FILES, 'a.yaml': printRecord(sealed({ ...UP, valid: { from: 0, until: T } })) };
    expect(id(await rigOf(folder(RIG, FILES)))).toBe(id(rig));
    expect(id(await rigOf(folder(RIG, longer)))).not.toBe(id(rig));
    expect(nodesOf(rig)[0]?.calibration).toBeUndefined();
  });

  test('records of other channels are left at home', async () => {
    const other = printRecord(sealed({ ...UP, of: 'other.spectrum' }));
    const rig = await rigOf(folder(RIG, { ...FILES, 'd.yaml': other }));
    expect(rig.calibrations).toHaveLength(2);
    const plain = await rigOf(folder(RIG.replace('calibration: auto', 'mode: ml').replace(/ {4}path:.*\n/, ''), FILES));
    expect(plain.calibrations).toBeUndefined();
  });

  test('gives temperatures by the record that fits, through the nodes that a run uses', async () => {
    const rig = await rigOf(folder(RIG, FILES));
    const g = graph(nodesOf(rig));
    const read = readSpe(LAMP);
    if (read instanceof SpeFault) throw new Error(read.why);
    const [region, frame] = [read.regions[0], read.frames[0]];
    if (!region?.wavelength || !frame?.data[0]) throw new Error('no frame');
    const base = { seq: 0, origin: 'hardware', quality: 'good' } as const;
    const value: Trace = {
      columns: { wavelength: { unit: 'm', data: region.wavelength }, counts: { unit: '1', data: Float64Array.from(frame.data[0]) } },
      shape: region.shape,
      begin: T,
      end: T + 5e5,
      settings: { ...read.settings, exposure: 0.5, saturation: 65535, gain: 1, read_noise: 5 },
    };
    const spectrum: Reading<'trace'> = { ...base, from: 'camera.spectrum', kind: 'trace', t: T + 5e5, value };
    const shutter = (t: number, on: boolean): Reading<'flag'> => ({ ...base, from: 'guard.shutter', kind: 'flag', t, value: on });
    const kelvin = (): Reading | undefined => g(spectrum).find((r) => r.from === 'up.temperature');
    expect(kelvin()).toMatchObject({ quality: 'bad', why: expect.stringContaining('guard.shutter is not known') });
    g(shutter(T - 1e6, true));
    const got = kelvin();
    expect(got).toMatchObject({ quality: 'good', made: { calibration: idOf(UP) } });
    expect(got?.quality === 'good' && Math.abs(Number(got.value) - 2255)).toBeLessThan(20); // the lamp itself
    g(shutter(T - 5e5, false));
    expect(kelvin()).toMatchObject({
      quality: 'bad',
      why: `no lamp calibration for shutter off (nearest ${idOf(UP).slice(0, 8)}: shutter on); take one: bridgman calibrate lamp camera.spectrum`,
    });
    const off = sealed({ ...UP, path: { side: 'up', shutter: 'off' } });
    const bytes = new Uint8Array(LAMP);
    const file = { path: 'x', sha256: sha256(bytes), bytes };
    g.learn(ledgerRecord({ record: off, text: file, files: { data: file } }));
    expect(kelvin()).toMatchObject({ quality: 'good', made: { calibration: off.id } });
  });
});
