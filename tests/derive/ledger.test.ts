/** Which calibration fits a spectrum, and the words when none does. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SpectralFrame } from '../../src/derive/calibration.ts';
import type { CalibrationRecord } from '../../src/derive/calibration-record.ts';
import { heldThrough } from '../../src/derive/held.ts';
import {
  axisOf,
  contradiction,
  EMPTY,
  fingerprint,
  type Ledger,
  type LedgerRecord,
  learnt,
  type Need,
  prepared,
  samePlace,
  select,
  type Wanted,
} from '../../src/derive/ledger.ts';
import type { Reading } from '../../src/reading.ts';

const T = 1_795_342_272_000_000; // 2026-11-22T10:11:12Z
const DAY = 86_400e6;
const FRAME: SpectralFrame = { wavelength: [600e-9, 700e-9], counts: new Float64Array(80), rows: 40, columns: 2, exposure: 0.5 };
let ids = 0;
function one(more: Partial<CalibrationRecord> = {}, frame: Partial<SpectralFrame> = {}): LedgerRecord {
  const record: CalibrationRecord = {
    calibration: 'lamp',
    id: (++ids).toString(16).padStart(16, '0'),
    of: 'us.spectrum',
    taken: T,
    valid: { from: T },
    path: { filter: 'none', side: 'up' },
    region: { rows: [8, 19], columns: 2 },
    lamp: { temperature: 2255 },
    ...more,
  };
  return { record, frame: { ...FRAME, ...frame } };
}
const of = (...all: readonly LedgerRecord[]): Ledger => all.reduce(learnt, EMPTY);
const WANTED: Wanted = {
  of: 'us.spectrum',
  t: T + DAY,
  path: { filter: 'none', side: 'up' },
  told: {},
  rows: [8, 19],
  columns: 2,
  exposure: 0.5,
};
const found = (ledger: Ledger, wanted: Partial<Wanted> = {}, need: Need = 'lamp'): LedgerRecord | string => {
  const got = select(ledger, need, { ...WANTED, ...wanted });
  return 'refused' in got ? got.refused : got;
};

describe('a lamp is chosen', () => {
  test('by the path, the newest where several fit', () => {
    const [none, ten] = [one(), one({ path: { filter: '10 %', side: 'up' } })];
    const newer = one({ taken: T + 1, valid: { from: T + 1 } });
    const older = one({ taken: T - 1, valid: { from: T - 1 } });
    const ledger = of(none, ten, newer, older);
    expect(found(ledger)).toBe(newer);
    expect(found(ledger, { path: { filter: '10 %', side: 'up' } })).toBe(ten);
    expect(found(ledger, { t: T })).toBe(none);
    expect(found(of(none, ten))).toBe(none);
  });

  test('whatever the order in which the records were learnt', () => {
    const all = Array.from({ length: 6 }, (_, i) => one({ taken: T + i, valid: { from: T + i } }));
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: 6 }), (order) => {
        expect(found(of(...order))).toBe(all[5]);
      }),
    );
  });

  test('a record learnt again takes the place of the old one', () => {
    const old = one({ valid: { from: T, until: T + 1 } });
    const longer = { ...old, record: { ...old.record, valid: { from: T } } };
    expect(found(of(old))).toContain('expired');
    expect(found(of(old, longer))).toBe(longer);
    expect(of(old, longer).records).toHaveLength(1);
  });

  test('numbers to one part in a thousand, words to the letter, quantities as what they mean', () => {
    const path = (magnification: number | string): Partial<Wanted> => ({ path: { magnification } });
    const twenty = of(one({ path: { magnification: 20 } }));
    expect(typeof found(twenty, path(20.019))).toBe('object');
    expect(found(twenty, path(20.03))).toContain('no lamp calibration for magnification 20.03 (nearest');
    expect(samePlace('10 %', 0.1)).toBe(true);
    expect(samePlace('10 %', '10%')).toBe(false);
    expect(samePlace('none', 0)).toBe(false);
    expect(samePlace(0, 0)).toBe(true);
  });

  test('a response counts as a lamp', () => {
    const response = one({ calibration: 'response' });
    expect(found(of(one({ taken: T - 5 }), response))).toBe(response);
  });
});

describe('no lamp', () => {
  const said = (ledger: Ledger, wanted: Partial<Wanted> = {}): string => String(found(ledger, wanted)).replace(/[0-9a-f]{8}(?=[: ])/, 'ID');
  const advice = 'take one: bridgman calibrate lamp us.spectrum';
  test.each<readonly [string, Partial<CalibrationRecord>, Partial<Wanted>]>([
    ['no lamp calibration for filter 10 % (nearest ID: filter none)', {}, { path: { filter: '10 %', side: 'up' } }],
    ['the lamp calibration ID of us.spectrum expired at 2026-11-22T10:11:13Z', { valid: { from: T, until: T + 1e6 } }, {}],
    ['the lamp calibration ID of us.spectrum holds from 2026-11-24T10:11:12Z on', { valid: { from: T + 2 * DAY } }, {}],
    [
      'no lamp calibration for filter 10 % (nearest ID: filter none, expired at 2026-11-22T10:11:13Z)',
      { valid: { from: T, until: T + 1e6 } },
      { path: { filter: '10 %', side: 'up' } },
    ],
    ['no lamp calibration for rows 24 to 35 (nearest ID: rows 8 to 19)', {}, { rows: [24, 35] }],
    [
      'no lamp calibration for side down, rows 24 to 35 (nearest ID: side up, rows 8 to 19)',
      {},
      { path: { filter: 'none', side: 'down' }, rows: [24, 35] },
    ],
    ['no lamp calibration for columns 1024 (nearest ID: columns 2)', {}, { columns: 1024 }],
    ['no lamp calibration for iris open (nearest ID: iris not recorded)', {}, { path: { filter: 'none', side: 'up', iris: 'open' } }],
    ['no lamp calibration for side not known (nearest ID: side up)', {}, { path: { filter: 'none' } }],
    [
      'no lamp calibration for centre wavelength 700 nm (nearest ID: centre wavelength 750 nm)',
      { path: { ...WANTED.path, centre_wavelength: 750e-9 } },
      { told: { centre_wavelength: 700e-9 } },
    ],
    ['no lamp calibration for grating 300 (nearest ID: grating not recorded)', {}, { path: { ...WANTED.path, grating: 300 } }],
  ])('%s', (wanted, record, asked) => {
    expect(said(of(one(record)), asked)).toBe(`${wanted}; ${advice}`);
  });

  test('at all, or of this channel', () => {
    expect(said(EMPTY)).toBe(`no lamp calibration of us.spectrum; ${advice}`);
    expect(said(of(one({ of: 'ds.spectrum' }), one({ calibration: 'dark' })))).toBe(`no lamp calibration of us.spectrum; ${advice}`);
  });

  test('the nearest is the one with the fewest differences, of those one that is valid', () => {
    const far = one({ path: { filter: '10 %', side: 'down' } });
    const near = one({ path: { filter: '50 %', side: 'up' } });
    const expired = one({ path: { filter: '70 %', side: 'up' }, valid: { from: T, until: T + 1 }, taken: T + 1 });
    expect(found(of(far, expired, near))).toContain(`nearest ${near.record.id.slice(0, 8)}: filter 50 %)`);
  });

  test('what the spectrum tells of itself is compared where the calibration or its data tells it too', () => {
    const told = { grating: '150', camera: 'PIXIS' };
    expect(found(of(one()), { told })).toBeTypeOf('object');
    expect(found(of(one({}, { path: { grating: '300' } })), { told })).toContain('for grating 150 (nearest');
    expect(found(of(one({ path: { ...WANTED.path, camera: 'ProEM' } }, { path: { camera: 'PIXIS' } })), { told })).toContain(
      'camera ProEM',
    );
    expect(fingerprint({ ...told, exposure: 1, serial: 'S1' })).toEqual({ ...told, serial: 'S1' });
    expect(contradiction({ grating: '150', side: 'up' }, told)).toBeUndefined();
    expect(contradiction({ grating: '300' }, told)).toBe('grating is 300 in the rig and 150 in the spectrum');
  });

  test('names of the path that every object has are no entries', () => {
    expect(found(of(one({ path: {} })), { path: { constructor: 'x' } })).toContain('constructor x (nearest');
    expect(found(of(one({ path: { toString: 1 } })), { path: {} })).toContain('toString not known');
  });
});

describe('a dark', () => {
  const dark = one({ calibration: 'dark', path: { camera: 'PIXIS' }, exposure: 0.5 });
  const told = { camera: 'PIXIS' };
  test('does not depend on what it does not name', () => {
    expect(found(of(dark), { told, path: { filter: '10 %' } }, 'dark')).toBe(dark);
  });
  test('is of one exposure, camera and region', () => {
    expect(found(of(dark), { told, exposure: 0.5004 }, 'dark')).toBe(dark);
    const said = (wanted: Partial<Wanted>): unknown => found(of(dark), { told, ...wanted }, 'dark');
    expect(said({ exposure: 1 })).toContain('no dark calibration for exposure 1 s (nearest 0');
    expect(said({ exposure: 1 })).toContain('exposure 500 ms); take one: bridgman calibrate dark us.spectrum');
    expect(found(of(dark), { told, exposure: undefined } as Partial<Wanted>, 'dark')).toContain('exposure not known');
    expect(said({ told: { camera: 'ProEM' } })).toContain('camera ProEM');
    expect(said({ rows: [0, 39] })).toContain('rows 0 to 39');
  });
});

describe('wavelengths', () => {
  test('are compared by what the record names', () => {
    const axis = one({ calibration: 'wavelength', path: { grating: '150' }, coefficients: [600, 0.5] });
    expect(found(of(axis), { told: { grating: '150' } }, 'wavelength')).toBe(axis);
    expect(found(of(axis), { told: { grating: '300' } }, 'wavelength')).toContain('grating 300');
  });
  test('nm by power of the pixel, which counts from 0', () => {
    const { record } = one({ coefficients: [600, 0.5, -1e-3] });
    expect(Array.from(axisOf(record, 3) ?? [])).toEqual([600e-9, 600.499e-9, 600.996e-9].map((l) => expect.closeTo(l, 18)));
    expect(axisOf({ ...record, coefficients: [600, 1, -1] }, 3)).toBeUndefined(); // turns round
    expect(axisOf({ ...record, coefficients: [-5, 1] }, 3)).toBeUndefined();
    expect(Array.from(axisOf({ ...record, coefficients: [600, -1] }, 2) ?? [])).toEqual([600e-9, 599e-9]); // as some spectrometers run
  });
});

describe('the files of a record', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const { record } = one({ region: {} });
  test('are read once', () => {
    const got = prepared(record, { data: bytes('600 1\n601 2\n') });
    expect('wrong' in got ? got.wrong : got.frame?.counts).toEqual(Float64Array.of(1, 2));
  });
  test.each<readonly [string, CalibrationRecord, Parameters<typeof prepared>[1], string]>([
    ['nothing', record, {}, 'needs its data'],
    ['no spectrum', record, { data: bytes('hello') }, 'two lines or more'],
    ['no table', record, { data: bytes('600 1\n601 2\n'), radiance: bytes('x') }, 'two lines or more'],
    ['another dark', record, { data: bytes('600 1\n601 2\n'), dark: bytes('600 1\n601 2\n602 1\n') }, 'the dark has 1 x 3 pixels'],
    ['no axis', { ...record, calibration: 'wavelength', coefficients: [-1, 0.1] }, {}, 'the coefficients give no axis'],
  ])('%s is refused', (_, given, files, wanted) => {
    const got = prepared(given, files);
    expect('wrong' in got ? got.wrong : 'taken').toContain(wanted);
  });
});

describe('held through an exposure', () => {
  const S = 1e6;
  const at = (t: number, value: number | string | boolean, more: Partial<{ bad: string; suspect: string; kind: string }> = {}): Reading =>
    ({
      from: 'optics.filter',
      kind: more.kind ?? (typeof value === 'number' ? 'm' : typeof value === 'boolean' ? 'flag' : 'state'),
      t: t * S,
      seq: 0,
      origin: 'hardware',
      quality: more.bad ? 'bad' : more.suspect ? 'suspect' : 'good',
      why: more.bad ?? more.suspect,
      value,
    }) as Reading; // of the shape that its kind wants
  const shot = (begin: number, end: number): Reading =>
    ({
      from: 'us.spectrum',
      kind: 'trace',
      t: end * S,
      seq: 0,
      origin: 'hardware',
      quality: 'good',
      value: { columns: {}, shape: [1], begin: begin * S, end: end * S, settings: {} },
    }) as Reading; // a trace
  const held = (...kept: readonly Reading[]): unknown => {
    const got = heldThrough(kept, 'optics.filter', 60 * S, shot(10, 12));
    return typeof got === 'string' ? got : [got.t / S, got.quality === 'bad' ? '' : got.value];
  };
  test('the last reading from before', () => {
    expect(held(at(1, '10 %'), at(9, 'none'))).toEqual([9, 'none']);
    expect(held(at(10, 'none'))).toEqual([10, 'none']);
    expect(held(at(9, 'none'), at(11, 'none'), at(12, 'none'))).toEqual([9, 'none']);
  });
  test('changed, also where it came back, or moved', () => {
    expect(held(at(9, 'none'), at(11, '10 %'))).toBe('optics.filter changed during the exposure (none -> 10 %)');
    expect(held(at(9, 'none'), at(10.5, 'moving'), at(11, '10 %'))).toBe('optics.filter changed during the exposure (none -> 10 %)');
    expect(held(at(9, 'none'), at(10.5, 'moving'), at(11, 'none'))).toBe('optics.filter is moving');
    expect(held(at(9, 'moving'))).toBe('optics.filter is moving');
    expect(held(at(9, 'stuck'))).toBe('optics.filter is stuck');
    expect(held(at(9, 'unknown'))).toBe('optics.filter is not known');
    expect(held(at(9, true), at(11, false))).toBe('optics.filter changed during the exposure (on -> off)');
    expect(held(at(9, 1e-3), at(11, 2e-3))).toBe('optics.filter changed during the exposure (1 mm -> 2 mm)');
    expect(held(at(9, 1e-3), at(11, 1.0005e-3))).toEqual([9, 1e-3]);
  });
  test('what came when the exposure had ended shows what it was, what came after that no more', () => {
    expect(held(at(9, 'none'), at(12.5, '10 %'))).toBe('optics.filter changed during the exposure (none -> 10 %)');
    expect(held(at(9, 'none'), at(12.1, 'none'), at(12.5, '10 %'))).toEqual([9, 'none']);
  });
  test('not known', () => {
    expect(held()).toBe('optics.filter is not known: it had not been read within 60 s before the exposure began');
    expect(held(at(10.1, 'none'))).toContain('is not known');
    const old = heldThrough([at(-51, 'none')], 'optics.filter', 60 * S, shot(10, 12));
    expect(old).toContain('is not known');
    expect(held(at(9, 'none', { bad: 'no answer' }))).toBe('optics.filter is not known: no answer');
    expect(held(at(9, 'none', { suspect: 'drifts' }))).toBe('optics.filter is not sure: drifts');
    expect(held(at(9, 'none'), at(11, 'none', { bad: 'reset' }))).toBe('optics.filter is not known: reset');
  });
});
