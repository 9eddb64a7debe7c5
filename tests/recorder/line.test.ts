import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseLine, parseLines } from '../../bench/line-parse.ts';
import type { Reading } from '../../src/reading.ts';
import { decimalsOf, lineWriter } from '../../src/recorder/line.ts';
import { fieldKey, tagValue } from '../../src/recorder/line-text.ts';

const volts = (more: Partial<Reading<'V'>> = {}): Reading =>
  ({
    from: 'sm.voltage',
    kind: 'V',
    t: 1_700_000_000_000_000,
    seq: 0,
    origin: 'hardware',
    quality: 'good',
    value: 1.5,
    ...more,
  }) as Reading; // parts of one shape put together
const decoder = new TextDecoder('utf-8', { fatal: true });

function written(readings: readonly Reading[], resolution?: number): string {
  const writer = lineWriter({ rig: 'demo', resolution: () => resolution });
  for (const reading of readings) expect(writer.write(reading)).toBe(true);
  return decoder.decode(writer.take().bytes);
}
const field = (reading: Reading, name: string, resolution?: number) => parseLine(written([reading], resolution).slice(0, -1)).fields[name];

test('a derived value carries the id of its calibration', () => {
  const made = { method: 'planck-ml', parameters: 'p', calibration: '3f9a0c1d22e4b567', inputs: [] };
  expect(field(volts({ made }), 'calibration')).toBe('3f9a0c1d22e4b567');
  expect(field(volts({ made: { method: 'm', parameters: 'p', inputs: [] } }), 'calibration')).toBeUndefined();
});

test('the lines of every kind of reading, to the byte', () => {
  const common = { t: 1_700_000_000_123_456, seq: 7, origin: 'simulator' } as const;
  const sigma = { random: 0.25, shared: { lamp: -2, 'two words': 1e-7 } };
  expect(
    written([
      { from: 'oven.inside', kind: 'K', quality: 'good', value: 300, ...common },
      { from: 'hv.current', kind: 'A', index: 3, quality: 'suspect', why: 'over range', value: 1e-9, sigma, ...common },
      { from: 'laser.on', kind: 'flag', quality: 'good', value: true, ...common },
      { from: 'laser.on', kind: 'flag', quality: 'good', value: false, ...common },
      { from: 'laser.mode', kind: 'state', quality: 'good', value: 'cw "low"', ...common },
      { from: 'oven.inside', kind: 'K', quality: 'bad', why: 'no reply', ...common },
      { from: 'k.lorenz', kind: 'W Ω/K²', quality: 'good', value: -2.44e-8, ...common },
      {
        from: 'us.spectrum',
        kind: 'trace',
        quality: 'good',
        value: { columns: {}, shape: [0], begin: 0, end: 1, settings: {} },
        ...common,
      },
    ]),
  ).toBe(
    `temperature,channel=inside,instrument=oven,origin=simulator,revision=0,rig=demo quality=0i,value=300 1700000000123456007
current,channel=current,index=3,instrument=hv,origin=simulator,revision=0,rig=demo quality=1i,value=1e-9,sigma=0.25,shared_lamp=-2,shared_two\\ words=1e-7,why="over range" 1700000000123456007
flag,channel=on,instrument=laser,origin=simulator,revision=0,rig=demo quality=0i,value=true 1700000000123456007
flag,channel=on,instrument=laser,origin=simulator,revision=0,rig=demo quality=0i,value=false 1700000000123456007
state,channel=mode,instrument=laser,origin=simulator,revision=0,rig=demo quality=0i,value="cw \\"low\\"" 1700000000123456007
temperature,channel=inside,instrument=oven,origin=simulator,revision=0,rig=demo quality=2i,why="no reply" 1700000000123456007
lorenz_number,channel=lorenz,instrument=k,origin=simulator,revision=0,rig=demo quality=0i,value=-2.44e-8 1700000000123456007
trace,channel=spectrum,instrument=us,origin=simulator,revision=0,rig=demo quality=0i 1700000000123456007
`,
  );
});

test('series of one channel are kept apart by index, kind and origin', () => {
  const readings = [volts(), volts({ index: 0 }), volts({ index: 5000 }), volts({ index: -1 }), volts({ origin: 'simulator' })];
  const others: Reading[] = [{ ...volts(), kind: 'A' } as Reading, volts({ index: 0 }), volts()]; // the same name under another kind
  const points = parseLines(written([...readings, ...others]));
  expect(points.map((p) => [p.measurement, p.tags.index, p.tags.origin])).toEqual([
    ['voltage', undefined, 'hardware'],
    ['voltage', '0', 'hardware'],
    ['voltage', '5000', 'hardware'],
    ['voltage', '-1', 'hardware'],
    ['voltage', undefined, 'simulator'],
    ['current', undefined, 'hardware'],
    ['voltage', '0', 'hardware'],
    ['voltage', undefined, 'hardware'],
  ]);
});

describe('what is no number never becomes a field', () => {
  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, null])('%s', (value) => {
    for (const resolution of [undefined, 1e-3]) {
      const { fields } = parseLine(
        written(
          [volts({ value: value as number, sigma: { random: Number.NaN, shared: { lamp: Number.POSITIVE_INFINITY } } })],
          resolution,
        ).slice(0, -1),
      ); // JSON turns NaN into null
      expect(fields).toEqual({ quality: 2n, why: 'the value is not a finite number' });
    }
    const { fields } = parseLine(written([volts({ sigma: { random: value ?? Number.NaN, shared: { lamp: 1 } } })]).slice(0, -1));
    expect(fields).toEqual({ quality: 0n, value: 1.5, shared_lamp: 1 });
  });

  test('a time that cannot be written is refused, and nothing is added', () => {
    const writer = lineWriter({ rig: 'demo' });
    for (const t of [Number.NaN, Number.POSITIVE_INFINITY, 2 ** 54, -(2 ** 54)]) expect(writer.write(volts({ t }))).toBe(false);
    expect(writer.take()).toEqual({ bytes: new Uint8Array(0), starts: [0] });
  });
});

describe('numbers', () => {
  const double = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer().map((n) => n / 1000),
    fc.tuple(fc.integer(), fc.integer({ min: -30, max: 30 })).map(([n, e]) => Number(`${n}e${e}`)),
    fc.maxSafeInteger(),
  );

  test('full doubles read back as the same bits, never in more digits than a string takes', () => {
    fc.assert(
      fc.property(fc.array(double, { minLength: 1, maxLength: 20 }), (values) => {
        const lines = written(values.map((value) => volts({ value, sigma: { random: Math.abs(value) } })))
          .trimEnd()
          .split('\n');
        lines.forEach((line, i) => {
          const value = values[i] ?? 0;
          const shown = /value=([^,]*)/.exec(line)?.[1] ?? '';
          expect(Object.is(Number(shown), value)).toBe(true);
          if (!shown.includes('e') && !String(value).includes('e') && value !== 0) expect(shown).toBe(String(value));
          expect(parseLine(line).fields.sigma).toBe(Math.abs(value));
        });
      }),
      { numRuns: 500 },
    );
  });

  test('fixed decimals are within half a step of the value', () => {
    fc.assert(
      fc.property(double, fc.integer({ min: 0, max: 12 }), (value, decimals) => {
        const step = Number(`1e-${decimals}`);
        const got = Number(field(volts({ value }), 'value', step));
        expect(Math.abs(got - value)).toBeLessThanOrEqual(step * 0.5 * (1 + 1e-9) + Math.abs(value) * 2 ** -51);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    [21.5, 0.01, '21.5'],
    [-0.004, 0.01, '0'],
    [0.005, 0.01, '0.01'],
    [-1234.5678, 0.001, '-1234.568'],
    [999.9996, 0.001, '1000'],
    [100, 0.001, '100'],
    [1e22, 0.001, '1e+22'],
    [9007199254.5, 1e-6, '9007199254.5'],
    [0.30000000000000004, 0.25, '0.3'],
    [12.4, 10, '12'],
  ])('%d in steps of %d is %s', (value, step, shown) => {
    expect(written([volts({ value })], step)).toContain(`value=${shown} `);
  });

  test('a bar keeps three digits however coarse the channel is', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-15, max: 1e9, noNaN: true }), fc.integer({ min: 0, max: 15 }), (random, decimals) => {
        expect(Number(field(volts({ sigma: { random } }), 'sigma', Number(`1e-${decimals}`))) / random).toBeCloseTo(1, 2);
      }),
    );
  });

  test.each([
    [undefined, undefined],
    [0, undefined],
    [Number.NaN, undefined],
    [1e-20, undefined],
    [10, 0],
    [1, 0],
    [0.1, 1],
    [0.25, 2],
    [2.5, 1],
    [1e-9, 9],
    [1 / 3, 3],
    [2 ** -20, 9],
  ])('a step of %d takes %d decimals', (step, decimals) => {
    expect(decimalsOf(step)).toBe(decimals);
  });

  test('times are exact to the nanosecond up to 2^53 us on both sides of 1970', () => {
    const edge = fc.constantFrom(0, 1, 999, 1e7, 1e8 - 1, 1e8, 1e15, 2 ** 53 - 1);
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeInteger(), edge), fc.nat(), (t, seq) => {
        expect(parseLine(written([volts({ t, seq })]).slice(0, -1)).time).toBe(BigInt(t) * 1000n + BigInt(seq % 1000));
      }),
      { numRuns: 500 },
    );
    expect(written([volts({ t: 0, seq: 5 })])).toMatch(/ 5\n$/);
    expect(written([volts({ t: -5, seq: 3 })])).toMatch(/ -4997\n$/);
    expect(written([volts({ t: -5, seq: 0 })])).toMatch(/ -5000\n$/);
  });
});

describe('text', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 30 });
  const awkward = fc.string({ unit: fc.constantFrom(...'a\\", =\nΩ𝕂{\t'), maxLength: 12 });

  test('any string comes back from its field', () => {
    fc.assert(
      fc.property(fc.oneof(text, awkward), fc.oneof(text, awkward), (value, why) => {
        const two = [{ ...volts(), kind: 'state', quality: 'suspect', why, value } as Reading, volts()]; // a state in place of the voltage
        const [first, second] = parseLines(written(two));
        expect(first?.fields).toEqual({ quality: 1n, value, why });
        expect(second?.fields).toEqual({ quality: 0n, value: 1.5 });
      }),
      { numRuns: 500 },
    );
  });

  test('any name comes back from its tag, but for newlines and a backslash at the end or before a blank', () => {
    fc.assert(
      fc.property(fc.oneof(text, awkward), fc.oneof(text, awkward), (instrument, channel) => {
        const clean = (s: string) => s.replaceAll('\n', '\\n').replace(/\\( |$)/g, '\\_');
        fc.pre(!channel.includes('.'));
        const points = parseLines(written([volts({ from: `${instrument}.${channel}`, index: 1 }), volts()]));
        expect(points).toHaveLength(2);
        expect(points[0]?.tags.instrument).toBe(instrument === '' ? undefined : clean(instrument));
        expect(points[0]?.tags.channel).toBe(channel === '' ? undefined : clean(channel));
        expect(points[0]?.tags.index).toBe('1');
      }),
      { numRuns: 500, examples: [['\\="', '\\']] },
    );
    expect(tagValue('a\\')).toBe('a\\_');
    expect(tagValue('a\\ b')).toBe('a\\_b');
    expect(tagValue('a\nb, c=d')).toBe('a\\nb\\,\\ c\\=d');
  });

  test('any cause of a shared error gives one field', () => {
    fc.assert(
      fc.property(fc.oneof(text, awkward), (cause) => {
        const [first, second] = parseLines(written([volts({ sigma: { random: 1, shared: { [cause]: 2 } } }), volts()]));
        expect(first?.fields).toEqual({
          quality: 0n,
          value: 1.5,
          sigma: 1,
          [`shared_${cause.replaceAll('\\', '/').replaceAll('\n', ' ')}`]: 2,
        });
        expect(second?.fields.value).toBe(1.5);
      }),
    );
    expect(fieldKey('a b=c,d\\')).toBe('a\\ b\\=c\\,d/');
  });

  test('half a surrogate pair becomes U+FFFD', () => {
    expect(field({ ...volts(), kind: 'state', value: 'a\ud835b\udc00' } as Reading, 'value')).toBe('a\ufffdb\ufffd'); // a state
  });

  test('a string over 64 KiB is cut at a whole character and says so', () => {
    const state = (value: string) => String(field({ ...volts(), kind: 'state', value } as Reading, 'value')); // a state
    expect(state('"'.repeat(65_536))).toBe('"'.repeat(65_536));
    for (const unit of ['a', 'Ω', '温', '𝕂']) {
      const got = state(unit.repeat(65_537));
      expect(Buffer.byteLength(got)).toBeGreaterThan(65_530);
      expect(Buffer.byteLength(got)).toBeLessThanOrEqual(65_536);
      expect(got).toMatch(new RegExp(`^(${unit})+ … \\[cut\\]$`, 'u'));
    }
  });
});

test('the starts of the lines cut the bytes into the lines, and take begins anew', () => {
  const writer = lineWriter({ rig: 'demo' });
  const states = Array.from({ length: 3000 }, (_, seq) => ({ ...volts({ seq }), kind: 'state', value: '\n'.repeat(seq % 50) }) as Reading); // states
  for (const state of states) writer.write(state);
  expect(writer.points).toBe(3000);
  expect(writer.size).toBeGreaterThan(65_536);
  const { bytes, starts } = writer.take();
  expect(writer.points).toBe(0);
  writer.write(volts());
  states.forEach((state, i) => {
    const line = decoder.decode(bytes.subarray(starts[i], starts[i + 1]));
    expect(line.endsWith('\n')).toBe(true);
    expect(parseLine(line.slice(0, -1)).fields.value).toBe((state as Reading<'state'> & { value: string }).value); // not bad
  });
  expect(starts.at(-1)).toBe(bytes.length);
});
