import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Fault } from '../../protocols/protocol.ts';
import { complete, encodeSpe, readSpe, type Spe, SpeFault, spe } from '../../protocols/spe.ts';
import { child, parseXml } from '../../protocols/spe-xml.ts';

/** A header as in the WinX header structure; `put` writes further fields. */
function header(
  fields: { type: number; columns: number; rows: number; frames: number; version: number },
  put?: (v: DataView) => void,
): Uint8Array {
  const bytes = new Uint8Array(4100);
  const view = new DataView(bytes.buffer);
  view.setInt16(108, fields.type, true);
  view.setUint16(42, fields.columns, true);
  view.setUint16(656, fields.rows, true);
  view.setInt32(1446, fields.frames, true);
  view.setInt16(34, -1, true);
  view.setInt32(664, -1, true);
  view.setFloat32(1992, fields.version, true);
  view.setInt32(2996, 0x01234567, true);
  view.setUint16(4098, 0x5555, true);
  put?.(view);
  return bytes;
}
const text = (s: string): Uint8Array => new TextEncoder().encode(s);
const join = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((p) => [...p]));
const write = (view: DataView, at: number, s: string): void => new Uint8Array(view.buffer).set(text(s), at);
const raw = (a: ArrayBufferView): Uint8Array => new Uint8Array(a.buffer, a.byteOffset, a.byteLength);
function good(bytes: Uint8Array): Spe {
  const read = readSpe(bytes);
  if (read instanceof SpeFault) throw new Error(`${read.fault}: ${read.why}`);
  return read;
}
function fault(bytes: Uint8Array): SpeFault {
  const read = readSpe(bytes);
  if (!(read instanceof SpeFault)) throw new Error('was read');
  return read;
}
/** A 3.0 file: data, then the footer at its announced place. */
function version3(footer: string, data: Uint8Array, frames = 1, columns = 1, rows = 1): Uint8Array {
  const head = header({ type: 3, columns, rows, frames, version: 3 }, (v) => v.setBigUint64(678, BigInt(4100 + data.length), true));
  return join(head, data, text(footer));
}
const footer = (format: string, more = '', experiment = ''): string =>
  `<SpeFormat version="3.0" xmlns="http://www.princetoninstruments.com/spe/2009"><DataFormat>${format}</DataFormat>${more}` +
  `<DataHistories><DataHistory id="1"><Origin creator="Zoë 測定" created="2020-02-29T23:59:59.5-02:30" software="LightField">` +
  `<Experiment xmlns="http://www.princetoninstruments.com/experiment/2009">${experiment}</Experiment></Origin></DataHistory></DataHistories></SpeFormat>`;

describe('SPE 2.x', () => {
  const types = [
    [0, 'f32', Float32Array.of(1.5, -2.25, 3, 4, 5, 6)],
    [1, 'i32', Int32Array.of(-100_000, 2, 3, 4, 5, 6)],
    [2, 'i16', Int16Array.of(-7, 2, 3, 4, 5, 6)],
    [3, 'u16', Uint16Array.of(65535, 2, 3, 4, 5, 6)],
    [5, 'f64', Float64Array.of(0.1, -2, 3, 4, 5, 6)],
    [6, 'u8', Uint8Array.of(255, 2, 3, 4, 5, 6)],
    [8, 'u32', Uint32Array.of(4_000_000_000, 2, 3, 4, 5, 6)],
  ] as const;
  test.each(types)('data type %i is %s', (code, name, data) => {
    const got = good(join(header({ type: code, columns: 3, rows: 2, frames: 1, version: 2.5 }), raw(data)));
    expect(got.pixel).toBe(name);
    expect(got.version).toBe(2.5);
    expect(got.frames[0]?.data[0]).toEqual(data);
    expect(got.regions[0]?.shape).toEqual([2, 3]);
    expect(got.saturation).toBe({ u16: 65535, u8: 255 }[name as string]);
  });
  test('the polynomial counts pixels from 1; exposure, date and UTC', () => {
    const got = good(
      join(
        header({ type: 3, columns: 4, rows: 1, frames: 1, version: 2.2 }, (v) => {
          for (const [i, c] of [600, 0.5, 0.01].entries()) v.setFloat64(3263 + 8 * i, c, true);
          v.setFloat32(10, 0.18, true);
          write(v, 20, '31Dec2012');
          write(v, 172, '194223');
          write(v, 179, '004223');
        }),
        raw(Uint16Array.of(1, 2, 3, 4)),
      ),
    );
    expect([...(got.regions[0]?.wavelength ?? [])].map((w) => w * 1e9)).toEqual(
      [600.51, 601.04, 601.59, 602.16].map((w) => expect.closeTo(w, 9)),
    );
    expect(got.exposure).toBe(0.18);
    expect(got.recordedText).toBe('2012-12-31T19:42:23');
    expect(got.recorded).toBe(Date.UTC(2013, 0, 1, 0, 42, 23) * 1000);
  });
  test('rubbish in the place of the XML offset is not trusted (WinSpec 2.5)', () => {
    const data = raw(Uint16Array.of(1, 2, 3, 4));
    for (const offset of [7_155_600_064_513n, 4102n, 12n]) {
      const head = header({ type: 3, columns: 2, rows: 2, frames: 1, version: 2.5 }, (v) => v.setBigUint64(678, offset, true));
      expect(good(join(head, data)).frames[0]?.data[0]).toEqual(Uint16Array.of(1, 2, 3, 4));
    }
  });
  test('several frames and several regions', () => {
    const head = header({ type: 2, columns: 0, rows: 0, frames: 2, version: 2.5 }, (v) => {
      v.setInt16(1510, 2, true);
      for (const [i, n] of [11, 14, 2, 1, 1, 1, 21, 23, 1, 5, 8, 2].entries()) v.setUint16(1512 + 2 * i, n, true);
    });
    const got = good(join(head, raw(Int16Array.from({ length: 16 }, (_, i) => i))));
    expect(got.regions).toEqual([
      { shape: [1, 2], x: 10, y: 0, binning: [2, 1] },
      { shape: [2, 3], x: 20, y: 4, binning: [1, 2] },
    ]);
    expect(got.frames.map((f) => f.data.map((d) => [...d]))).toEqual([
      [
        [0, 1],
        [2, 3, 4, 5, 6, 7],
      ],
      [
        [8, 9],
        [10, 11, 12, 13, 14, 15],
      ],
    ]);
  });
});

describe('SPE 3.0', () => {
  const wavelength = (n: number): string => Array.from({ length: n }, (_, i) => 500 + i).join(',');
  const calibrations = (n: number, mapping: string): string =>
    `<Calibrations><WavelengthMapping id="1" orientation="Normal"><Wavelength xml:space="preserve">${wavelength(n)}</Wavelength></WavelengthMapping>${mapping}</Calibrations>`;
  const region = (width: number, height: number, ids: string, bytes: number): string =>
    `<DataBlock type="Region" calibrations="${ids}" count="1" width="${width}" height="${height}" size="${width * height * bytes}" stride="${width * height * bytes}" />`;

  test('regions cut and bin the wavelength axis', () => {
    const format = `<DataBlock type="Frame" count="1" pixelFormat="MonochromeUnsigned16" size="20" stride="20" calibrations="1">${region(3, 2, '2', 2)}${region(4, 1, '3', 2)}</DataBlock>`;
    const mapping =
      '<SensorMapping id="2" x="10" y="4" width="3" height="2" xBinning="1" yBinning="1" /><SensorMapping id="3" x="20" y="8" width="8" height="6" xBinning="2" yBinning="6" />';
    const got = good(version3(footer(format, calibrations(40, mapping)), raw(Uint16Array.from({ length: 10 }, (_, i) => i))));
    expect(got.regions.map((r) => [...(r.wavelength ?? [])].map((w) => Math.round(w * 1e10) / 10))).toEqual([
      [510, 511, 512],
      [520.5, 522.5, 524.5, 526.5],
    ]);
    expect(got.regions[1]).toMatchObject({ shape: [1, 4], x: 20, y: 8, binning: [2, 6] });
    expect(got.frames[0]?.data.map((d) => [...d])).toEqual([
      [0, 1, 2, 3, 4, 5],
      [6, 7, 8, 9],
    ]);
  });
  test('a glued file: the footer, not the header, has its width', () => {
    const format = `<DataBlock type="Frame" count="1" pixelFormat="MonochromeFloating32" size="28" stride="28" calibrations="1">${region(7, 1, '2', 4)}</DataBlock>`;
    const mapping = '<SensorMapping id="2" x="3" y="0" width="4" height="1" xBinning="1" yBinning="1" />';
    const bytes = version3(footer(format, calibrations(7, mapping)), raw(Float32Array.of(1, -2, 3, 4, 5, 6, 7)), 1, 4, 1);
    const got = good(bytes);
    expect(got.regions[0]?.shape).toEqual([1, 7]);
    expect(got.regions[0]?.wavelength?.length).toBe(7);
    expect(got.frames[0]?.data[0]).toEqual(Float32Array.of(1, -2, 3, 4, 5, 6, 7));
  });
  test('per-frame stamps: the stride is that of the footer, times and gates in SI', () => {
    const format = `<DataBlock type="Frame" count="2" pixelFormat="MonochromeUnsigned16" size="4" stride="44" metaFormat="1">${region(2, 1, '2', 2)}</DataBlock>`;
    const meta =
      '<MetaFormat><MetaBlock id="1"><TimeStamp event="ExposureStarted" type="Int64" bitDepth="64" resolution="1000000" absoluteTime="2020-01-01T00:00:00Z" />' +
      '<TimeStamp event="ExposureEnded" type="Int64" bitDepth="64" resolution="1000000" absoluteTime="2020-01-01T00:00:00Z" />' +
      '<FrameTrackingNumber type="Int64" bitDepth="64" /><GateTracking component="Delay" type="Double" bitDepth="64" monotonic="True" />' +
      '<GateTracking component="Width" type="Double" bitDepth="64" monotonic="True" /></MetaBlock></MetaFormat>';
    const data = new Uint8Array(88);
    const view = new DataView(data.buffer);
    for (const f of [0, 1]) {
      view.setUint16(44 * f, 10 + f, true);
      view.setUint16(44 * f + 2, 20 + f, true);
      for (const [i, n] of [1_500_000n, 2_000_000n, 7n + BigInt(f)].entries()) view.setBigInt64(44 * f + 4 + 8 * i, n, true);
      view.setFloat64(44 * f + 28, 30, true);
      view.setFloat64(44 * f + 36, 500 * (f + 1), true);
    }
    const experiment =
      '<Devices><Cameras><Camera><ReadoutControl><Accumulations type="Int64">10</Accumulations></ReadoutControl><Intensifier><Gating><Mode>Repetitive</Mode><RepetitiveGate type="Pulse"><Pulse delay="30" width="3000" /></RepetitiveGate></Gating></Intensifier></Camera></Cameras></Devices>';
    const got = good(version3(footer(format, meta, experiment), data, 2));
    expect(got.frames.map((f) => [...(f.data[0] ?? [])])).toEqual([
      [10, 20],
      [11, 21],
    ]);
    const zero = Date.UTC(2020, 0, 1) * 1000;
    expect(got.frames[1]).toMatchObject({ begin: zero + 1.5e6, end: zero + 2e6, exposure: expect.closeTo(1e-5, 15) });
    expect(got.frames[1]?.tracked).toEqual({ exposure_started: 1.5, exposure_ended: 2, frame: 8, gate_delay: 3e-8, gate_width: 1e-6 });
    expect(got.exposure).toBeCloseTo(3e-5, 15); // gate 3 us, 10 accumulations
    expect(got.recorded).toBe(Date.UTC(2020, 2, 1, 2, 29, 59, 500) * 1000);
  });
  test.each([
    [
      '<Devices><Cameras><Camera><ShutterTiming><ExposureTime type="Double">1100</ExposureTime></ShutterTiming></Camera></Cameras></Devices>',
      1.1,
    ],
    [
      '<LegacyExperiment><Experiment><CollectionParameters><Exposure value="0.18 s" /></CollectionParameters></Experiment></LegacyExperiment>',
      0.18,
    ],
    [
      '<LegacyExperiment><Experiment><CollectionParameters><Exposure value="250 ms" /></CollectionParameters></Experiment></LegacyExperiment>',
      0.25,
    ],
    ['', undefined],
  ])('exposure of %s', (experiment, seconds) => {
    const format = `<DataBlock type="Frame" count="1" pixelFormat="MonochromeUnsigned16" size="4" stride="4">${region(2, 1, '2', 2)}</DataBlock>`;
    expect(good(version3(footer(format, '', experiment), raw(Uint16Array.of(1, 2)))).exposure).toBe(seconds);
  });
  test('the converter sets the saturation of floating frames too', () => {
    const format = `<DataBlock type="Frame" count="1" pixelFormat="MonochromeFloating32" size="4" stride="4">${region(1, 1, '2', 4)}</DataBlock>`;
    const bits = (n: string): string => `<Devices><Cameras><Camera><Adc><BitDepth>${n}</BitDepth></Adc></Camera></Cameras></Devices>`;
    const read = (e: string): number | undefined => good(version3(footer(format, '', e), raw(Float32Array.of(1)))).saturation;
    expect([read(bits('16')), read(bits('14')), read('')]).toEqual([65535, 16383, undefined]);
  });
  test('what may stand before the root is passed over, and another root is no footer', () => {
    const format = `<DataBlock type="Frame" count="1" pixelFormat="MonochromeUnsigned16" size="4" stride="4">${region(2, 1, '2', 2)}</DataBlock>`;
    const data = raw(Uint16Array.of(1, 2));
    const xml = footer(format);
    for (const before of [
      '\ufeff',
      '\ufeff<?xml version="1.0" encoding="utf-8"?>\r\n',
      `<!--${'-'.repeat(9000)}>-->`,
      '<!DOCTYPE SpeFormat>',
    ])
      expect(good(version3(before + xml, data)).frames[0]?.data[0]).toEqual(Uint16Array.of(1, 2));
    const prefixed = xml.replace('<SpeFormat', '<p:SpeFormat').replace('</SpeFormat', '</p:SpeFormat');
    expect(good(version3(prefixed, data)).regions[0]?.shape).toEqual([1, 2]);
    expect(fault(version3(`<html>${'x'.repeat(2000)}`, data))).toMatchObject({ fault: 'PROTO_SPE_DAMAGED' });
    expect(fault(version3(`<!--${'-'.repeat(9000)}`, data))).toMatchObject({ fault: 'PROTO_SPE_INCOMPLETE' });
  });
  test('a footer that contradicts itself is damage and says how', () => {
    const frame = (attributes: string, inner: string): string => `<DataBlock type="Frame" ${attributes}>${inner}</DataBlock>`;
    const cases: (readonly [string, string])[] = [
      [frame('count="3" pixelFormat="MonochromeUnsigned16" size="4" stride="4"', region(2, 1, '', 2)), 'frame 2 of 3 is missing'],
      [frame('count="1" pixelFormat="MonochromeUnsigned12" size="4" stride="4"', region(2, 1, '', 2)), 'MonochromeUnsigned12'],
      [frame('count="1" pixelFormat="MonochromeUnsigned16" size="4" stride="2"', region(2, 1, '', 2)), 'do not fit together'],
      [frame('count="1" pixelFormat="MonochromeUnsigned16" size="4" stride="4"', region(0, 1, '', 2)), 'width 0'],
      [frame('count="1" pixelFormat="MonochromeUnsigned16" size="4" stride="4"', ''), 'no region'],
      ['', 'no DataFormat'],
    ];
    for (const [format, sentence] of cases) {
      const got = fault(version3(footer(format), raw(Uint16Array.of(1, 2))));
      expect(got).toMatchObject({ fault: 'PROTO_SPE_DAMAGED', why: expect.stringContaining(sentence) });
    }
  });
});

describe('files that are not whole', () => {
  const shape = [2, 3] as const;
  const file: Spe = {
    version: 3,
    pixel: 'u16',
    regions: [{ shape, x: 5, y: 6, binning: [1, 1], wavelength: Float64Array.of(600e-9, 601e-9, 602e-9) }],
    frames: [0, 1].map((f) => ({ data: [Uint16Array.from({ length: 6 }, (_, i) => i + 10 * f)], tracked: {} })),
    exposure: 0.25,
    recorded: Date.UTC(2024, 1, 29, 12, 30, 1) * 1000 + 123_456,
    recordedText: '2024-02-29T12:30:01.123456Z',
    saturation: 65535,
    settings: { camera: 'PIXIS: 100BR <"&>', grating: '860nm,300', centre_wavelength: 7.5e-7, adc_bits: 16 },
  };
  test('what is written is read back', () => {
    const { recordedText: _, ...unwritten } = file;
    for (const version of [file, unwritten]) {
      const read = good(encodeSpe(version));
      expect({ ...read, regions: [], settings: {} }).toEqual({ ...file, regions: [], settings: {} });
      expect(read.settings).toEqual(file.settings);
      expect([...(read.regions[0]?.wavelength ?? [])]).toEqual([600e-9, 601e-9, 602e-9].map((w) => expect.closeTo(w, 18)));
    }
  });
  test('a growing file is incomplete at every length, and complete at its end', () => {
    for (const bytes of [
      encodeSpe(file),
      join(header({ type: 1, columns: 20, rows: 2, frames: 2, version: 2.5 }), raw(new Int32Array(80))),
    ]) {
      for (let length = 0; length < bytes.length; length += length > 4000 || length < 200 ? 1 : 97) {
        const got = fault(bytes.slice(0, length));
        if (got.fault !== 'PROTO_SPE_INCOMPLETE' || got.why.length < 20) throw new Error(`${length}: ${got.fault} ${got.why}`);
      }
      expect(complete(bytes.slice(0, -1))).toBe('incomplete');
      expect(complete(bytes)).toBe('complete');
    }
  });
  test('the fault names what is missing', () => {
    expect(fault(new Uint8Array(0)).why).toContain('the file is empty');
    expect(fault(encodeSpe(file).slice(0, 4110)).why).toContain('XML footer is missing: it should begin at byte 4124 of 4110');
    const two = join(header({ type: 1, columns: 20, rows: 2, frames: 2, version: 2.5 }), raw(new Int32Array(79)));
    expect(fault(two).why).toBe('frame 2 of 2 is missing or cut: 4 bytes short');
  });
  test('noise is damage, never an exception', () => {
    const noise = Uint8Array.from({ length: 6000 }, (_, i) => (i * 7919 + (i >> 3)) % 251);
    expect(complete(noise)).toBe('damaged');
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 5000 }), (bytes) => {
        readSpe(bytes);
      }),
      { numRuns: 200 },
    );
    const whole = encodeSpe(file);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, value) => {
        readSpe(whole.with(at, value));
      }),
      { numRuns: 2000 },
    );
  });
  test('as a protocol: one packet is one file', () => {
    const { asks, tells, fits } = spe();
    const [read] = tells.decoder()(tells.encode(file));
    expect(read instanceof Fault || !read ? undefined : read.frames.length).toBe(2);
    expect(tells.decoder()(Uint8Array.of(1, 2, 3))[0]).toBeInstanceOf(SpeFault);
    expect(tells.decoder()(new Uint8Array(0))).toEqual([]);
    expect(asks.decoder()(Uint8Array.of(1))[0]).toMatchObject({ fault: 'PROTO_SPE_NOT_ASKED' });
    if (read && !(read instanceof Fault)) expect(fits(read, undefined as never)).toBe('unasked');
  });
});

test('XML: entities, CDATA, comments, prefixes, and where it stops making sense', () => {
  const root = parseXml(
    '\ufeff<?xml version="1.0"?><!-- a > b --><p:A x=\'1>2\' y="&lt;&#65;&#x42;&amp;"><B/><B>t<![CDATA[<&>]]>u</B></p:A>\0\0',
  );
  if (typeof root === 'string') throw new Error(root);
  expect(root).toMatchObject({ name: 'A', attributes: { x: '1>2', y: '<AB&' } });
  expect(root.children.map((c) => c.text)).toEqual(['', 't<&>u']);
  expect(child(root, 'B')?.text).toBe('');
  for (const [xml, why] of [
    ['<A><B></A>', 'closes nothing'],
    ['<A><B', 'breaks off'],
    ['<A>', 'never closed'],
    ['words', 'no element'],
    ['<A>'.repeat(300), 'inside one another'],
  ] as const) {
    expect(parseXml(xml)).toContain(why);
  }
});

const data = resolve(import.meta.dirname, '../../../shared/data/spectra');
describe.skipIf(!existsSync(data))('real files (skipped without ../shared)', () => {
  const real = (name: string): Spe => good(new Uint8Array(readFileSync(resolve(data, name))));
  test.each([
    ['Ruby.spe', 'u16', [100, 1340], 1, 1, [685.648, 713.457], '2016-02-24T23:12:52.803Z'],
    ['SPE_v2_PIXIS.SPE', 'i32', [100, 1340], 1, 0.5, [610.745, 887.298], '2013-07-14T00:42:23.000Z'],
    ['SPE_v3_CustomRegions.spe', 'u16', [50, 500], 1, 1.1, [380.161, 485.319], '2013-09-24T16:46:25.721Z'],
    ['SPE_v3_PIMAX_2frames.spe', 'f32', [255, 1024], 2, 3e-5, [611.869, 885.711], '2013-10-14T17:29:24.522Z'],
    ['test_measurement.spe', 'f32', [255, 1024], 1, 0.5, [611.77, 885.792], '2015-01-27T21:14:25.413Z'],
  ] as const)('%s', (name, pixel, shape, frames, exposure, ends, recorded) => {
    const got = real(name);
    const axis = got.regions[0]?.wavelength ?? new Float64Array(0);
    expect(got).toMatchObject({ pixel, exposure: expect.closeTo(exposure, 12) });
    expect(got.regions[0]?.shape).toEqual(shape);
    expect(got.frames).toHaveLength(frames);
    expect(got.frames[0]?.data[0]).toHaveLength(shape[0] * shape[1]);
    expect([axis[0], axis.at(-1)].map((w) => Number(((w ?? 0) * 1e9).toFixed(3)))).toEqual(ends);
    expect(axis).toHaveLength(shape[1]);
    expect(new Date((got.recorded ?? 0) / 1000).toISOString()).toBe(recorded);
  });
  test('the ruby line stands where it should, and camera and grating are known', () => {
    const got = real('Ruby.spe');
    const sum = new Float64Array(1340);
    got.frames[0]?.data[0]?.forEach((v, i) => {
      sum[i % 1340] = (sum[i % 1340] ?? 0) + v;
    });
    const red = sum.map((v, i) => ((got.regions[0]?.wavelength?.[i] ?? 0) > 690e-9 ? v : 0)); // the laser's stray light lies below
    const top = red.indexOf(Math.max(...red));
    expect((got.regions[0]?.wavelength?.[top] ?? 0) * 1e9).toBeCloseTo(694.32, 1);
    expect(got.settings).toMatchObject({ camera: 'PIXIS: 100BR', grating: '500nm,1800' });
  });
});
