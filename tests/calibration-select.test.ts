/** Temperatures with the calibration that the state of the optics selects: followed, refused with the difference, and named in every value. */
import { describe, expect, test } from 'vitest';
import { encodeSpe } from '../protocols/spe.ts';
import type { CalibrationRecord, OpticalPath } from '../src/derive/calibration-record.ts';
import { type LedgerRecord, prepared } from '../src/derive/ledger.ts';
import { ruby } from '../src/derive/pressure-methods.ts';
import { spectralRadiance } from '../src/derive/radiance.ts';
import { rubyLineAt, rubyReference } from '../src/derive/ruby.ts';
import { rubyScale } from '../src/derive/ruby-scales.ts';
import { planckMl } from '../src/derive/temperature.ts';
import { type Graph, graph, type NodeSpec } from '../src/graph.ts';
import { Refused } from '../src/instrument.ts';
import type { Reading, Trace } from '../src/reading.ts';

const S = 1e6;
const T0 = 1_795_342_272 * S; // 2026-11-22T10:11:12Z
const [ROWS, COLUMNS] = [16, 128];
const WAVELENGTH = Float64Array.from({ length: COLUMNS }, (_, i) => (620 + 2 * i) / 1e9);
const SETTINGS = { camera: 'Test', grating: '150' };
const BIAS = 400;
/** No real filter is grey. */
const THROUGH: Readonly<Record<string, (nm: number) => number>> = {
  none: () => 1,
  '10 %': (nm) => 0.1 * Math.exp((nm - 700) / 150),
};

/** Counts of a grey body through a filter, in all rows; without light for 0 K. */
function counts(kelvin: number, filter: string, exposure: number, emissivity = 1): Uint16Array {
  const row = Array.from(WAVELENGTH, (l) => {
    const nm = l * 1e9;
    const light = kelvin === 0 ? 0 : emissivity * spectralRadiance(l, kelvin) * 6e-7 * Math.exp(-(((nm - 740) / 150) ** 2));
    return Math.min(65535, Math.round(BIAS + exposure * light * (THROUGH[filter]?.(nm) ?? 0)));
  });
  return Uint16Array.from({ length: ROWS * COLUMNS }, (_, i) => row[i % COLUMNS] ?? 0);
}
const file = (data: Uint16Array, exposure: number, wavelength = WAVELENGTH): Uint8Array =>
  encodeSpe({
    version: 3,
    pixel: 'u16',
    regions: [{ shape: [ROWS, COLUMNS], x: 0, y: 0, binning: [1, 1], wavelength }],
    frames: [{ data: [data], tracked: {} }],
    exposure,
    saturation: 65535,
    settings: SETTINGS,
  });

let ids = 0;
function recordOf(more: Partial<CalibrationRecord>, data?: Uint8Array): LedgerRecord {
  const record: CalibrationRecord = {
    calibration: 'lamp',
    id: `${(++ids).toString(16).padStart(8, '0')}aaaaaaaa`,
    of: 'us.spectrum',
    taken: T0,
    valid: { from: T0 },
    path: {},
    region: { columns: COLUMNS },
    ...more,
  };
  const ready = prepared(record, data ? { data } : {});
  if ('wrong' in ready) throw new Error(ready.wrong);
  return ready;
}
const lamp = (path: OpticalPath, more: Partial<CalibrationRecord> = {}): LedgerRecord =>
  recordOf({ path, lamp: { temperature: 2255, sigma: 10 }, ...more }, file(counts(2255, String(path.filter ?? 'none'), 0.2), 0.2));
const dark = (exposure: number): LedgerRecord => recordOf({ calibration: 'dark', exposure }, file(counts(0, 'none', exposure), exposure));
const NONE = lamp({ filter: 'none', side: 'up' });
const TEN = lamp({ filter: '10 %', side: 'up' });
const DARKS = [dark(0.2), dark(0.5)];
const ALL = [NONE, TEN, ...DARKS];

function node(params: Readonly<Record<string, unknown>>, records: readonly LedgerRecord[], name = 'up', channel = 'us.spectrum'): NodeSpec {
  const parsed = planckMl.params.parse({ calibration: 'auto', gain: 1, read_noise: 3, ...params });
  if (parsed instanceof Refused) throw new Error(parsed.why);
  return {
    name,
    derivation: planckMl,
    inputs: {
      spectrum: { from: channel, pair: 'last', within: 0 },
      'path.filter': { from: 'optics.filter', pair: 'held', within: 60 },
    },
    params: parsed,
    parametersId: 'p',
    records,
  };
}
const up = (records: readonly LedgerRecord[] = ALL, params: Readonly<Record<string, unknown>> = {}): Graph =>
  graph([node({ path: { side: 'up' }, ...params }, records)]);

let seq = 0;
const filter = (t: number, value: string): Reading =>
  ({ from: 'optics.filter', kind: 'state', t: T0 + t * S, seq: seq++, origin: 'hardware', quality: 'good', value }) as Reading<'state'>; // a word
/** A spectrum that ends at t. */
function shot(
  t: number,
  kelvin: number,
  through: string,
  more: { exposure?: number; from?: string; settings?: Trace['settings'] } = {},
): Reading {
  const exposure = more.exposure ?? 0.5;
  const end = T0 + t * S;
  const value: Trace = {
    columns: { wavelength: { unit: 'm', data: WAVELENGTH }, counts: { unit: '1', data: counts(kelvin, through, exposure, 0.5) } },
    shape: [ROWS, COLUMNS],
    begin: end - exposure * S,
    end,
    settings: { ...SETTINGS, exposure, saturation: 65535, ...more.settings },
  };
  return {
    from: more.from ?? 'us.spectrum',
    kind: 'trace',
    t: end,
    seq: seq++,
    origin: 'hardware',
    quality: 'good',
    value,
  } as Reading<'trace'>; // a trace
}
interface Got {
  readonly kelvin?: number;
  readonly why?: string;
  readonly by?: string;
  readonly quality: string;
}
function temperature(all: readonly Reading[], of = 'up'): Got {
  const r = all.find((one) => one.from === `${of}.temperature`);
  if (!r) throw new Error('no temperature');
  const by = r.made?.calibration;
  return {
    quality: r.quality,
    ...(r.quality === 'bad' ? {} : { kelvin: Math.round(Number(r.value)) }),
    ...(r.why === undefined ? {} : { why: r.why }),
    ...(by === undefined ? {} : { by }),
  };
}
const good = (kelvin: number, by: LedgerRecord): Got => ({
  quality: 'good',
  kelvin: expect.closeTo(kelvin, -0.7) as number,
  by: by.record.id,
});

describe('a filter flipped in the middle of a run', () => {
  test('the calibration follows, step by step, and each value names the one that made it', () => {
    const g = up();
    g(filter(0, 'none'));
    expect(temperature(g(shot(1, 2000, 'none')))).toEqual(good(2000, NONE));
    g(filter(1.1, 'moving'));
    g(filter(1.4, '10 %'));
    expect(temperature(g(shot(2, 2500, '10 %')))).toEqual(good(2500, TEN));
    g(filter(2.1, 'none'));
    const back = g(shot(3, 1800, 'none'));
    expect(temperature(back)).toEqual(good(1800, NONE));
    expect(back.map((r) => r.made?.calibration)).toEqual(back.map(() => NONE.record.id));
    expect(back[0]?.made?.inputs).toEqual([
      expect.stringMatching(/^us.spectrum#/),
      expect.stringMatching(/^optics.filter#/),
      ...[DARKS[1], DARKS[0]].map((one) => `calibration#${one?.record.id}`),
    ]);
  });

  test('without the right one the temperature is refused; the wrong one would have been hundreds of kelvin off', () => {
    const g = up([NONE, ...DARKS]);
    g(filter(0, '10 %'));
    const id = NONE.record.id.slice(0, 8);
    expect(temperature(g(shot(1, 2500, '10 %')))).toEqual({
      quality: 'bad',
      why: `no lamp calibration for filter 10 % (nearest ${id}: filter none); take one: bridgman calibrate lamp us.spectrum`,
    });
    const blind = up([lamp({ filter: 'none', side: 'up' }), ...DARKS]);
    blind(filter(0, 'none')); // somebody put the filter in by hand
    expect(Math.abs((temperature(blind(shot(1, 2500, '10 %'))).kelvin ?? 0) - 2500)).toBeGreaterThan(100);
  });

  test('flipped during the exposure', () => {
    const g = up();
    g(filter(0, 'none'));
    g(filter(0.8, '10 %'));
    expect(temperature(g(shot(1, 2000, 'none')))).toEqual({
      quality: 'bad',
      why: 'optics.filter changed during the exposure (none -> 10 %)',
    });
    expect(temperature(g(shot(1.5, 2000, '10 %')))).toEqual(good(2000, TEN));
    g(filter(1.9, 'moving'));
    expect(temperature(g(shot(2, 2000, '10 %'))).why).toBe('optics.filter is moving');
    expect(temperature(g(shot(3, 2000, '10 %'))).why).toBe('optics.filter is moving');
    expect(temperature(g(shot(300, 2000, '10 %'))).why).toContain('it had not been read within 60 s before the exposure began');
  });

  test('no frame waits for a later reading of the optics', () => {
    const g = up();
    g(filter(0, 'none'));
    expect(g(shot(1, 2000, 'none')).length).toBeGreaterThan(0);
  });
});

describe('validity', () => {
  const week = lamp({ filter: 'none', side: 'up' }, { valid: { from: T0, until: T0 + 7 * 86_400 * S } });
  test('of the exposure, not of the present', () => {
    const g = up([week, ...DARKS]);
    g(filter(0, 'none'));
    expect(temperature(g(shot(1, 2000, 'none')))).toEqual(good(2000, week));
    const late = 7 * 86_400 + 1;
    g(filter(late, 'none'));
    expect(temperature(g(shot(late + 1, 2000, 'none'))).why).toBe(
      `the lamp calibration ${week.record.id.slice(0, 8)} of us.spectrum expired at 2026-11-29T10:11:12Z; take one: bridgman calibrate lamp us.spectrum`,
    );
    expect(temperature(g(shot(1.5, 2000, 'none')))).toEqual(good(2000, week)); // a file that came late
  });
});

describe('learnt while it runs', () => {
  test('a record is selected from then on', () => {
    const g = up([]);
    g(filter(0, 'none'));
    expect(temperature(g(shot(1, 2000, 'none'))).why).toBe(
      'no lamp calibration of us.spectrum; take one: bridgman calibrate lamp us.spectrum',
    );
    g.learn(NONE);
    expect(temperature(g(shot(2, 2000, 'none')))).toMatchObject({
      quality: 'suspect',
      by: NONE.record.id,
      why: expect.stringContaining('no dark is subtracted'),
    });
    for (const one of DARKS) g.learn(one);
    expect(temperature(g(shot(3, 2000, 'none')))).toEqual(good(2000, NONE));
    const newer = lamp({ filter: 'none', side: 'up' }, { taken: T0 + 3.2 * S, valid: { from: T0 + 3.2 * S } });
    g.learn(newer);
    expect(temperature(g(shot(3.4, 2000, 'none')))).toEqual(good(2000, NONE)); // exposed before the new one held
    expect(temperature(g(shot(4, 2000, 'none')))).toEqual(good(2000, newer));
  });

  test('the same readings and records give the same values, known from the start or learnt', () => {
    const values = (g: Graph, learn: boolean): unknown => {
      if (learn) for (const one of ALL) g.learn(one);
      seq = 100;
      return [g(filter(0, 'none')), g(shot(1, 2000, 'none')), g(filter(1.2, '10 %')), g(shot(2, 2100, '10 %'))];
    };
    expect(values(up([]), true)).toEqual(values(up(ALL), false));
  });

  test('a record of another channel is none of this one', () => {
    const g = up(DARKS);
    g.learn(lamp({ filter: 'none', side: 'up' }, { of: 'ds.spectrum' }));
    g(filter(0, 'none'));
    expect(temperature(g(shot(1, 2000, 'none'))).why).toContain('no lamp calibration of us.spectrum');
  });
});

describe('two sides', () => {
  test('each with its own lamp, or refused by side and rows', () => {
    const region = (rows: readonly [number, number]): Partial<CalibrationRecord> => ({ region: { rows, columns: COLUMNS } });
    const [first, second] = [lamp({ filter: 'none', side: 'up' }, region([0, 7])), lamp({ filter: 'none', side: 'down' }, region([8, 15]))];
    const side = (name: string, rows: readonly number[], records: readonly LedgerRecord[]): NodeSpec =>
      node({ path: { side: name }, rows }, records, name);
    const g = graph([side('up', [0, 7], [first, second, ...DARKS]), side('down', [8, 15], [first, second, ...DARKS])]);
    g(filter(0, 'none'));
    const all = g(shot(1, 2000, 'none'));
    expect([temperature(all, 'up'), temperature(all, 'down')]).toEqual([good(2000, first), good(2000, second)]);
    const causes = all.flatMap((r) => (r.quality !== 'bad' && r.from.endsWith('.temperature') ? [Object.keys(r.sigma?.shared ?? {})] : []));
    expect(causes).toEqual([
      ['lamp', 'window', 'emissivity', 'reproducibility'],
      ['lamp', 'window', 'emissivity', 'reproducibility'],
    ]);
    const one = graph([side('down', [8, 15], [first, ...DARKS])]);
    one(filter(0, 'none'));
    expect(temperature(one(shot(1, 2000, 'none')), 'down').why).toContain(
      `no lamp calibration for side down, rows 8 to 15 (nearest ${first.record.id.slice(0, 8)}: side up, rows 0 to 7)`,
    );
  });
});

describe('the terms and the dark', () => {
  const lampTerm = (params: Readonly<Record<string, unknown>>): number | undefined => {
    const g = up(ALL, params);
    g(filter(0, 'none'));
    const r = g(shot(1, 2000, 'none')).find((one) => one.from === 'up.temperature');
    return r?.quality === 'bad' ? undefined : r?.sigma?.shared?.lamp;
  };
  test("the lamp's own sigma is the lamp term, unless the rig gives one", () => {
    expect(lampTerm({})).toBeCloseTo((2000 / 2255) ** 2 * 10, 1);
    expect(lampTerm({ s_lamp: '20 K' })).toBeCloseTo((2000 / 2255) ** 2 * 20, 1);
  });
  test('sensitivity: what 1 % of emissivity per 150 nm does', () => {
    const g = up();
    g(filter(0, 'none'));
    const r = g(shot(1, 2000, 'none')).find((one) => one.from === 'up.sensitivity');
    expect(r).toMatchObject({ kind: 'K', quality: 'good' });
    expect(r?.quality === 'good' && Number(r.value)).toBeCloseTo(-10, -1); // 106 K for 10 % at 2000 K (Planck, 600 to 900 nm)
  });
  test('a dark of another exposure is not scaled: suspect, with what is missing', () => {
    const g = up();
    g(filter(0, 'none'));
    const got = temperature(g(shot(1, 2000, 'none', { exposure: 0.4 })));
    expect(got.quality).toBe('suspect');
    expect(got.why).toContain(
      `no dark is subtracted: no dark calibration for exposure 400 ms (nearest ${DARKS[1]?.record.id.slice(0, 8)}: exposure 500 ms)`,
    );
    expect(got.why).toContain('take one: bridgman calibrate dark us.spectrum');
  });
  test('of the lamp is the one that held when the lamp was taken', () => {
    const at = (from: number, until: number, level: number): LedgerRecord =>
      recordOf(
        { calibration: 'dark', exposure: 0.2, taken: T0 + from * S, valid: { from: T0 + from * S, until: T0 + until * S } },
        file(
          counts(0, 'none', 0.2).map((c) => c + level),
          0.2,
        ),
      );
    const [then, now] = [at(-1, 0.3, 0), at(0.4, 100, 300)];
    const g = up([NONE, dark(0.5), then, now]);
    g(filter(0, 'none'));
    expect(temperature(g(shot(2, 2000, 'none')))).toEqual(good(2000, NONE));
    const without = up([NONE, dark(0.5), now]); // better the one of now than none
    without(filter(0, 'none'));
    expect(temperature(without(shot(2, 2000, 'none'))).why ?? '').not.toContain('no dark');
  });
  test("of the lamp is the lamp's own where its record names one", () => {
    const bytes = file(counts(0, 'none', 0.2), 0.2);
    const own = prepared({ ...NONE.record, id: 'ffffffffffffffff' }, { data: file(counts(2255, 'none', 0.2), 0.2), dark: bytes });
    if ('wrong' in own) throw new Error(own.wrong);
    const g = up([own, dark(0.5)]);
    g(filter(0, 'none'));
    expect(temperature(g(shot(1, 2000, 'none')))).toEqual(good(2000, own));
  });
  test('the detector that bends the spectrum has bent the lamp too, though its file cannot say so', () => {
    const bend = (straight: Uint16Array): Uint16Array => straight.map((c) => BIAS + (c - BIAS) * (1 - (c - BIAS) / 1e5));
    const bent = recordOf(
      { path: { filter: 'none', side: 'up' }, lamp: { temperature: 2255 } },
      file(bend(counts(2255, 'none', 0.2)), 0.2),
    );
    // m = x (1 - x / a) has x = m / (1 - m / a - (m / a)^2 - 2 (m / a)^3 - 5 (m / a)^4 ...), a = 100,000.
    const nonlinearity = '1 -1e-5 -1e-10 -2e-15 -5e-20 -14e-25';
    const g = up([bent, ...DARKS]);
    g(filter(0, 'none'));
    const straight = shot(1, 2000, 'none');
    if (straight.quality === 'bad') throw new Error('no spectrum');
    const trace = straight.value as Trace;
    const through = bend(counts(2000, 'none', 0.5, 0.5));
    const told = (settings: Trace['settings']): Reading => {
      const value = {
        ...trace,
        columns: { ...trace.columns, counts: { unit: '1', data: through } },
        settings: { ...trace.settings, ...settings },
      };
      return { ...straight, value } as Reading<'trace'>; // a trace
    };
    const wrong = temperature(g(told({}))).kelvin ?? 0;
    const right = temperature(g(told({ nonlinearity }))).kelvin ?? 0;
    expect(Math.abs(right - 2000)).toBeLessThan(3);
    expect(Math.abs(wrong - right)).toBeGreaterThan(5);
  });
  test('none is looked for where the rig says so', () => {
    const g = up([NONE], { dark: 'none' });
    g(filter(0, 'none'));
    const got = temperature(g(shot(1, 2000, 'none')));
    expect(got.by).toBe(NONE.record.id);
    expect(got.why).not.toContain('no dark'); // what is wrong without one is seen in chi2
  });
  test('a response is used like a lamp of radiance 1, also as a table of other wavelengths', () => {
    const table = Array.from({ length: 60 }, (_, i) => 600 + 5 * i).map((nm) => `${nm} ${6e-7 * Math.exp(-(((nm - 740) / 150) ** 2))}\n`);
    const response = recordOf({ calibration: 'response', path: { filter: 'none', side: 'up' } }, new TextEncoder().encode(table.join('')));
    const g = up([response, ...DARKS]);
    g(filter(0, 'none'));
    expect(temperature(g(shot(1, 2000, 'none')))).toEqual(good(2000, response));
  });
});

describe('what the spectrum tells', () => {
  test('a simulated calibration never holds for a measured spectrum, and a measured one may for a simulated', () => {
    const g = up([lamp({ filter: 'none', side: 'up', origin: 'simulator' }), ...DARKS]);
    g(filter(0, 'none'));
    const measured = shot(1, 2000, 'none');
    expect(temperature(g(measured)).why).toContain('no lamp calibration for origin hardware (nearest');
    expect(temperature(g({ ...measured, origin: 'simulator' })).quality).toBe('good');
    const real = up();
    real(filter(0, 'none'));
    expect(temperature(real({ ...measured, origin: 'simulator' })).quality).toBe('good');
  });
  test('another grating is another path', () => {
    const g = up();
    g(filter(0, 'none'));
    expect(temperature(g(shot(1, 2000, 'none', { settings: { grating: '300' } }))).why).toContain(
      'no lamp calibration for grating 300 (nearest',
    );
  });
  test('the rig and the spectrum contradict each other', () => {
    const g = up(ALL, { path: { side: 'up', grating: '600' } });
    g(filter(0, 'none'));
    expect(temperature(g(shot(1, 2000, 'none'))).why).toBe('grating is 600 in the rig and 150 in the spectrum');
  });
});

describe('wavelengths of the ledger', () => {
  const coefficients = [640, 2];
  const axis = recordOf({ calibration: 'wavelength', coefficients, path: { grating: '150' } });
  test('take the place of those of spectrum and lamp, and are named', () => {
    // The axis is 20 nm off: a lamp and a sample that are both read on the wrong axis give another temperature.
    const [with_, without] = [up([...ALL, axis]), up(ALL)].map((g) => {
      g(filter(0, 'none'));
      return g(shot(1, 2000, 'none'));
    });
    expect(temperature(without ?? [])).toEqual(good(2000, NONE));
    const shifted = temperature(with_ ?? []);
    expect(shifted).toMatchObject({ quality: 'good', by: NONE.record.id });
    expect(Math.abs((shifted.kelvin ?? 0) - 2000)).toBeGreaterThan(5);
    expect(with_?.[0]?.made?.inputs).toContain(`calibration#${axis.record.id}`);
  });
  test('of another grating: the own ones are used, as suspect', () => {
    const g = up([...ALL, recordOf({ calibration: 'wavelength', coefficients, path: { grating: '600' } })]);
    g(filter(0, 'none'));
    expect(temperature(g(shot(1, 2000, 'none')))).toMatchObject({
      quality: 'suspect',
      why: expect.stringContaining("the wavelengths are the spectrum's own: no wavelength calibration for grating 150"),
    });
  });

  test('give a ruby its line, and refuse one where none fits', () => {
    const scale = rubyScale('ruby2020');
    if (!scale) throw new Error('no scale');
    const line = rubyLineAt(20e9, { scale, reference: rubyReference(), correction: 'datchi2007' }) * 1e9;
    const nm = (i: number): number => 690 + 0.03 * i;
    const lorentz = (x: number, at: number): number => 1 / (1 + ((x - at) / 0.4) ** 2);
    const data = Float64Array.from({ length: 1000 }, (_, i) =>
      Math.round(200 + 20_000 * lorentz(nm(i), line) + 12_000 * lorentz(nm(i), line - 1.44)),
    );
    const value: Trace = {
      columns: { wavelength: { unit: 'm', data: Float64Array.from(data, (_, i) => (689 + 0.03 * i) / 1e9) }, counts: { unit: '1', data } },
      shape: [1000],
      begin: T0,
      end: T0 + S,
      settings: { exposure: 1, gain: 1, read_noise: 3 },
    };
    const spectrum = {
      from: 'us.spectrum',
      kind: 'trace',
      t: T0 + S,
      seq: 0,
      origin: 'hardware',
      quality: 'good',
      value,
    } as Reading<'trace'>; // a trace
    const params = ruby.params.parse({ calibration: 'auto' });
    const spec = {
      name: 'gauge',
      derivation: ruby,
      inputs: { spectrum: { from: 'us.spectrum', pair: 'last' as const, within: 0 } },
      params,
      parametersId: 'p',
    };
    const real = recordOf({ calibration: 'wavelength', coefficients: [690, 0.03], region: { columns: 1000 } });
    const pressure = (records: readonly LedgerRecord[]): Reading | undefined =>
      graph([{ ...spec, records }])(spectrum).find((r) => r.from === 'gauge.pressure');
    const got = pressure([real]);
    expect(got?.quality === 'bad' ? got.why : Number(got?.value)).toBeCloseTo(20e9, -8);
    expect(got?.made?.calibration).toBe(real.record.id);
    expect(pressure([])).toMatchObject({
      quality: 'bad',
      why: 'no wavelength calibration of us.spectrum; take one: bridgman calibrate wavelength us.spectrum',
    });
  });
});
