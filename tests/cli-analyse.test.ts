import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type AbcdEvent, encodeAbcd } from '../protocols/abcd.ts';
import { concat } from '../protocols/protocol.ts';
import { encodeWaveDump } from '../protocols/wavedump.ts';
import { analyse } from '../src/cli/analyse.ts';
import { EXIT } from '../src/cli/command.ts';

const folder = mkdtempSync(join(tmpdir(), 'bridgman-analyse-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await analyse.run(args, { out: (t) => (out += t), err: (t) => (err += t) });
  expect(out + err).not.toMatch(/\bat .*\(?.*:\d+:\d+|node:internal|undefined|[^"]NaN/);
  return { code, out, err };
}
async function json(...args: string[]) {
  const { code, out, err } = await run(...args, '--json');
  expect([code, err]).toEqual([EXIT.ok, '']);
  return JSON.parse(out);
}

const SECOND = 512e9; // ticks of 2 ns / 1024
const event = (t: number, channel = 0, more: Partial<AbcdEvent> = {}): AbcdEvent => ({
  ...{ timestamp: Math.round(t * SECOND), short: 300, long: 400, baseline: 100 + channel, channel, group: 0 },
  ...more,
});

describe('ABCD', () => {
  test('counts, sums, shapes and coincidences of an unsorted file', async () => {
    const events = [
      event(0.1),
      event(0.3, 1, { short: 500, long: 450 }),
      event(0.3 - 50e-9, 0, { short: 100, long: 400 }),
      event(0.2, 1),
      event(0.9, 0),
      event(0.9 + 150e-9, 1),
    ];
    const path = file('a.ade', encodeAbcd(events));
    const got = await json(path, '--coincidence', '0,1', '--within', '100ns');
    expect(got).toMatchObject({
      ...{ file: path, format: 'abcd', events: 6, backward_steps: 2, cut_off_bytes: 0, late: 0 },
      ...{ short_gate_sum: 1800, long_gate_sum: 2450, short_above_long: 1 },
      channels: {
        0: { events: 3, long_gate_sum: 1200, charge: { count: 3, mean: 400, sd: 0 }, psd: { count: 3, mean: (0.25 + 0.75 + 0.25) / 3 } },
        1: { events: 3, shapeless: 1, baseline: { mean: 101 }, psd: { count: 2, mean: 0.25, sd: 0 } },
      },
      coincidences: [{ channels: ['0', '1'], within: 1e-7, count: 1 }],
    });
    expect(got.largest_backward_step).toBeCloseTo(0.1, 6);
    expect(got.coincidences[0].expected_accidentals).toBeCloseTo((2 * 9 * 1e-7) / 0.8, 9);
    expect((await json(path, '--coincidence', '0,1', '--within', '150ns')).coincidences[0].count).toBe(2);
    expect((await json(path, '--tick', '0.00390625 ns')).duration).toBeCloseTo(1.6, 6);
    expect((await json(path, '--split', '0.5')).channels[0].psd).toMatchObject({ below: { count: 2 }, above: { count: 1 } });
    expect((await json(path, '--charge', '420:500')).channels[1].psd.count).toBe(0);
    const { out } = await run(path, '--coincidence', '0,1', '--split', '0.5');
    expect(out).toMatch(/events +6 in 1 file/);
    expect(out).toMatch(/2 backward steps, the largest 99\.9999 ms/);
    expect(out).toMatch(/^0 & 1 +100 ns +1 /m);
  });

  test('cut at every offset: one sentence, whole events kept', async () => {
    const bytes = encodeAbcd([0.1, 0.2, 0.3].map((t) => event(t)));
    for (let n = 0; n <= bytes.length; n++) {
      const path = file('cut.ade', bytes.subarray(0, n));
      const { code, out, err } = await run(path, '--json');
      if (n < 16) {
        expect([n, code, out]).toEqual([n, EXIT.failed, '']);
        expect(err.trim().split('\n')).toHaveLength(1);
        expect(err).toContain(n === 0 ? 'is empty' : `has ${n} bytes`);
        continue;
      }
      expect([n, code, err]).toEqual([n, EXIT.ok, '']);
      const got = JSON.parse(out);
      expect([got.events, got.cut_off_bytes]).toEqual([Math.floor(n / 16), n % 16]);
      expect(got.warnings.some((w: string) => w.includes('ends in the middle'))).toBe(n % 16 > 0);
    }
  });

  test('zeros, wild times and a lone channel are told, and nothing is lost', async () => {
    const zeros = new Uint8Array(4096);
    const good = Array.from({ length: 1200 }, (_, i) => event(1 + i * 1e-4));
    const wild = encodeAbcd([event(1.02, 77)]);
    new DataView(wild.buffer).setUint8(7, 0xff);
    const bytes = concat(encodeAbcd(good.slice(0, 300)), zeros, encodeAbcd(good.slice(300, 600)), wild, encodeAbcd(good.slice(600)));
    const got = await json(file('odd.ade', bytes), '--window', '10ms');
    expect(got).toMatchObject({ events: 1200 + 256 + 1, long_gate_sum: 1201 * 400, channels: { 77: { events: 1 } } });
    // The times that are not believed do not make the run longer.
    expect(got.duration).toBeCloseTo(0.1199, 6);
    const said = got.warnings.join('\n');
    expect(said).toContain('256 events of nothing but zeros, the first at byte 4800');
    expect(said).toContain('channel 77 (1) has hardly an event, others up to 1456');
    expect(said).toContain('1 single time stamp far ahead');
    expect(said).toMatch(/256 events came more than 10 ms after later ones/);
  });

  test('several files are one run, or each by itself', async () => {
    const a = file('p.ade', encodeAbcd([0.1, 0.2, 0.3].map((t) => event(t, 0))));
    const b = file('q.ade', encodeAbcd([0.1, 0.2, 0.7].map((t) => event(t + 2e-8, 3))));
    const got = await json(a, b, '--coincidence', '0,3');
    expect(got).toMatchObject({ file: null, events: 6, coincidences: [{ count: 2 }], files: [{ file: a, events: 3 }, { file: b }] });
    const each = await json(a, b, '--separate');
    expect(each.map((one: { file: string; events: number }) => [one.file, one.events])).toEqual([
      [a, 3],
      [b, 3],
    ]);
    const twice = await json(a, file('r.ade', encodeAbcd([0.15, 0.25].map((t) => event(t, 0)))));
    expect(twice.warnings.join()).toContain('at the same time; if they are of different runs, --separate');
  });
});

describe('WaveDump', () => {
  /** A triangle of 100 counts on a baseline of 500, its peak at sample 40: the gate leaves the 150 of its first five samples out. */
  const record = (sign: number): number[] => Array.from({ length: 200 }, (_, i) => 500 + sign * Math.max(0, 100 - 10 * Math.abs(i - 40)));
  const wave = (channel: number, n: number, sign = -1, board = 31): Uint8Array =>
    concat(
      ...Array.from({ length: n }, (_, i) =>
        encodeWaveDump({ board, pattern: 0, channel, number: i, time: 1000 * (i + 1), samples: record(i === 2 ? 0 : sign) }),
      ),
    );

  test('one file a channel, merged by time; an empty record counts, but has no charge', async () => {
    const [a, b] = [file('w0.dat', wave(0, 5)), file('w1.dat', wave(1, 5))];
    const got = await json(a, b, '--coincidence', '0,1');
    expect(got).toMatchObject({
      ...{ format: 'wavedump', events: 10, backward_steps: 0, charge_sum: 8 * 850 },
      channels: { 0: { events: 5, empty: 1, baseline: { mean: 500, sd: 0 } }, 1: { events: 5 } },
      coincidences: [{ count: 4 }],
      files: [{ samples: { least: 200, most: 200 } }, {}],
    });
    expect(got.duration).toBeCloseTo(4 * 8e-6, 12);
    expect((await json(a, '--gate', '1,2', '--tail', '1')).charge_sum).toBe(4 * (90 + 100 + 90));
    expect((await json(a, '--threshold', '101')).channels[0]).toMatchObject({ empty: 5, charge: { count: 0, least: null } });
    expect((await json(a, '--tick', '10ns')).duration).toBeCloseTo(4e-5, 12);
  });

  test('polarity and record length by the configuration beside it, or by the options', async () => {
    const inside = join(folder, 'run');
    mkdirSync(inside);
    writeFileSync(join(inside, 'wave0.dat'), wave(0, 3, 1));
    writeFileSync(join(inside, 'WaveDumpConfig.txt'), 'RECORD_LENGTH 190\nPULSE_POLARITY POSITIVE\n');
    const path = join(inside, 'wave0.dat');
    const got = await json(path);
    expect(got.charge_sum).toBe(2 * 850);
    expect(got.warnings.join()).toMatch(/200 samples an event, .*WaveDumpConfig.txt asks for 190: the headers were believed/);
    expect((await json(path, '--polarity', 'negative')).channels[0].empty).toBe(3);
    expect((await run(path, '--config', join(folder, 'none.txt'))).err).toContain('cannot be read');
  });

  test('two boards keep their channels apart', async () => {
    const [a, b] = [file('b0.dat', wave(1, 5)), file('b1.dat', wave(1, 5, -1, 30))];
    const got = await json(a, b, '--coincidence', '30.1,31.1');
    expect(Object.keys(got.channels)).toEqual(['30.1', '31.1']);
    expect(got.coincidences).toMatchObject([{ channels: ['30.1', '31.1'], count: 4 }]);
    expect(got.warnings.join()).toContain('as if they had one clock');
  });

  test('cut at every offset of a small file', async () => {
    const bytes = concat(
      ...[0, 1, 2].map((i) => encodeWaveDump({ board: 31, pattern: 0, channel: 0, number: i, time: i, samples: [1, 2, 3, 4] })),
    );
    for (let n = 0; n <= bytes.length; n++) {
      const { code, out, err } = await run(file('cut.dat', bytes.subarray(0, n)), '--json');
      if (n < 32) {
        expect([n, code, out]).toEqual([n, EXIT.failed, '']);
        expect(err.trim().split('\n')).toHaveLength(1);
        continue;
      }
      expect([n, code, err]).toEqual([n, EXIT.ok, '']);
      expect([JSON.parse(out).events, JSON.parse(out).cut_off_bytes]).toEqual([Math.floor(n / 32), n % 32]);
    }
  });
});

describe('event lists', () => {
  const list = (rows: readonly (readonly number[])[], head = 't_ns,E_MeVee,psd'): string =>
    `${[head, ...rows.map((r) => r.join(','))].join('\n')}\n`;
  test('pairs by the cuts, which are options', async () => {
    const rows = [
      [1e6, 3, 0.1],
      [1e6 + 50e3, 0.5, 0.3],
      [5e6, 3, 0.1],
      [5e6 + 200e3, 0.5, 0.3],
      [9e6, 25, 0.1],
      [9.5e6, 3, 0.1],
      [9.5e6 + 10e3, 0.5, 0.3],
    ];
    const path = file('events.csv', list(rows));
    const got = await json(path, '--duration', '20ms');
    expect(got).toMatchObject({ events: 7, muons: 1, veto_time_s: 0.001, live_time_s: 0.019, on_time_pairs: 1, pairs_ns: [[1e6, 1.05e6]] });
    expect(await json(path, '--duration', '20ms', '--dt', '1us:201us')).toMatchObject({ on_time_pairs: 2 });
    expect(await json(path, '--duration', '20ms', '--muon', '30')).toMatchObject({ muons: 0, on_time_pairs: 2 });
    expect(await json(path, '--delayed', '0.6:0.7')).toMatchObject({ on_time_pairs: 0 });
    expect((await run(path, '--duration', '1ms')).err).toContain('is shorter than the run');
    expect((await run(path, '--prompt', '8:1')).err).toContain('these cuts cannot be');
    expect((await run(path, '--gate', '4,80')).err).toContain('--gate is not for event lists');
    expect((await run(path)).out).toMatch(/pairs +1 on time/);
  });
  test('lines that are no rows are counted, and a cut end is told', async () => {
    const path = file('broken.csv', `${list([[1e6, 3, 0.1]])}nonsense\n2e6,3\n3e6,3,0.1\n4e6,`);
    const got = await json(path);
    expect(got).toMatchObject({ events: 2, unreadable_lines: 2, cut_off_bytes: 4 });
    expect(got.warnings.join('\n')).toContain('the first is line 3');
    appendFileSync(path, '3,0.1');
    expect(await json(path)).toMatchObject({
      events: 3,
      cut_off_bytes: 0,
      warnings: expect.arrayContaining([expect.stringContaining('has no end')]),
    });
    expect((await run(file('head.csv', 't_ns,E_MeVee,psd\n'))).err).toContain('has no event below its first line');
    expect((await run(file('words.csv', 't_ns,E_MeVee,psd\na,b,c\n1,nan,2\n'))).err).toContain(
      'has no event: none of its 2 lines below the first is a row of numbers',
    );
    const [head, row] = ['px_cm,py_cm,pz_cm,dx_cm,dy_cm,dz_cm', '1,2,3,4,6,15'];
    expect((await run(file('places.csv', `${head}\n${row}\n`))).err).toContain('has no column dt_us; its first line must name it');
  });
  test('without off-time windows it says what is not known', async () => {
    const got = await json(file('off.csv', list([[1e6, 3, 0.1]])), '--off', '1ms,200us,0');
    expect(got.warnings.join('\n')).toContain('without off-time windows accidentals are not known');
  });
  test('few pairs are judged by a chance that knows how few they are, and it is shown', async () => {
    const rows = Array.from({ length: 8 }, (_, i) => `0,0,0,${3 + (i % 2)},${(i % 3) - 1},${(i % 5) - 2},20`);
    const path = file('eight.csv', `px_cm,py_cm,pz_cm,dx_cm,dy_cm,dz_cm,dt_us\n${rows.join('\n')}\n`);
    const { all } = await json(path);
    expect(all.p_value_hotelling).toBeGreaterThan(10 * all.p_value_3dof);
    expect((await run(path)).out).toMatch(/chi2 \d[\d.]*, p [\d.e-]+, for so few [\d.e-]+$/m);
  });
  test('one pair has a displacement, and no direction', async () => {
    const head = 'px_cm,py_cm,pz_cm,dx_cm,dy_cm,dz_cm,dt_us';
    const one = await json(file('pair.csv', `${head}\n1,2,3,4,6,15,20\n`));
    expect(one.all).toMatchObject({ mean_displacement_cm: [3, 4, 12], length_cm: 13, chi2_no_direction: null });
    expect(one.all.stated.none).toBe('no direction: 1 pair is too few');
    const same = await json(file('same.csv', `${head}\n${'1,2,3,4,6,15,20\n'.repeat(5)}`));
    expect(same.all).toMatchObject({ n: 5, length_cm: 13, length_noise_corrected_cm: 13, sd_per_axis_cm: [0, 0, 0] });
    expect(same.all.stated.none).toContain('no spread in three dimensions');
    const three = await json(file('three.csv', `${head}\n1,2,3,4,6,15,20\n1,2,3,4,6,16,20\n1,2,3,5,6,15,20\n`));
    expect(three.all.stated.none).toBe('no direction: 3 pairs are too few');
    const still = await json(file('still.csv', `${head}\n${'1,2,3,1,2,3,20\n'.repeat(5)}`));
    expect(still.all.stated.none).toBe('no direction: the mean displacement is nought');
  });
});

describe('what is wrong is one sentence', () => {
  test.each<readonly [string, () => readonly string[], number, RegExp]>([
    ['no file', () => [], EXIT.usage, /a file is wanted/],
    ['a missing file', () => [join(folder, 'none.dat')], EXIT.failed, /^bridgman analyse: there is no file .*none\.dat$/],
    ['an empty file', () => [file('empty', '')], EXIT.failed, /is empty$/],
    ['a folder', () => [folder], EXIT.failed, /is a folder/],
    [
      'text',
      () => [file('notes.txt', 'Lorem ipsum dolor sit amet, consetetur sadipscing elitr, sed diam nonumy eirmod\n')],
      EXIT.failed,
      /Known are/,
    ],
    ['waveforms as text', () => [file('t.txt', 'Record Length: 1024\nBoardID: 31\n')], EXIT.failed, /OUTPUT_FILE_FORMAT BINARY/],
    [
      'samples without headers',
      () => [
        file(
          's.dat',
          Uint8Array.from({ length: 8192 }, (_, i) => (i % 2 ? 8 : 90 + (i % 5))),
        ),
      ],
      EXIT.failed,
      /OUTPUT_FILE_HEADER YES/,
    ],
    ['zeros', () => [file('z.dat', new Uint8Array(8192))], EXIT.failed, /nothing but zeros/],
    [
      'two kinds',
      () => [file('k.ade', encodeAbcd([event(1), event(2)])), file('k.csv', 't_ns,E_MeVee,psd\n1,2,3\n')],
      EXIT.usage,
      /one kind of file/,
    ],
    [
      'no such channel',
      () => [file('c.ade', encodeAbcd([event(1), event(2)])), '--coincidence', '0,5'],
      EXIT.usage,
      /there is no channel 5; there are 0/,
    ],
    ['one channel', () => ['x', '--coincidence', '0'], EXIT.usage, /two channels or more/],
    ['a channel twice', () => ['x', '--coincidence', '1,1'], EXIT.usage, /named twice/],
    ['a window without a unit', () => ['x', '--window', '5'], EXIT.usage, /--window is a time with its unit/],
    ['within alone', () => ['x', '--within', '5ns'], EXIT.usage, /goes with --coincidence/],
    ['a format', () => ['x', '--format', 'root'], EXIT.usage, /wavedump or abcd/],
    ['a split', () => ['x', '--split', '2'], EXIT.usage, /between 0 and 1/],
    ['an option', () => ['x', '--windw', '5 s'], EXIT.usage, /did you mean --window/],
  ])('%s', async (_, args, code, why) => {
    const got = await run(...args());
    expect(got).toMatchObject({ code, out: '' });
    expect(got.err.replace(/\nSee "bridgman analyse --help"\.\n$/, '').trim()).toMatch(why);
  });
});

const shared = resolve(import.meta.dirname, '../../shared');
describe.skipIf(!existsSync(shared))('real and golden files (skipped where ../shared is not there)', () => {
  const data = resolve(shared, 'data/detector');
  const golden = JSON.parse(existsSync(shared) ? readFileSync(resolve(shared, 'golden/detector.json'), 'utf8') : '{}');
  test('list mode beside 252Cf', async () => {
    const got = await json(resolve(data, 'example_data_DT5725_Ch0_Plastic_Cf-252_source_events.ade'), '--split', '0.3');
    expect(got).toMatchObject({
      ...{ events: 91_952, short_gate_sum: 159_706_945, long_gate_sum: 282_611_150, short_above_long: 3_971 },
      ...{ backward_steps: 0, largest_backward_step: 0, cut_off_bytes: 0, channels: { 0: { events: 91_952 } } },
    });
    expect(got.duration).toBeCloseTo(317.0958, 3);
  });
  test('two SiPMs in coincidence', async () => {
    const got = await json(
      resolve(data, 'SiPM_coincidence_wave0.dat'),
      resolve(data, 'SiPM_coincidence_wave1.dat'),
      '--coincidence',
      '0,1',
    );
    expect(got).toMatchObject({
      ...{ events: 82, channels: { 0: { events: 41, empty: 0 }, 1: { events: 41, empty: 0 } }, coincidences: [{ count: 41 }] },
      files: [{ events: 41, samples: { least: 6006, most: 6006 } }, { events: 41 }],
    });
    expect(got.warnings.join('\n')).toContain('asks for 6000');
  });
  test('the golden stream', async () => {
    const got = await json(resolve(shared, 'golden/coincidence_stream.csv'), '--duration', '20 s');
    const { muons, prompt_candidates, delayed_candidates, on_time_pairs, off_window_counts } = golden.coincidence;
    expect(got).toMatchObject({ muons, prompt_candidates, delayed_candidates, on_time_pairs, off_window_counts });
    expect(got.pairs_after_isolation).toBe(golden.coincidence.pairs_after_isolation_300us_Egt0p38);
    expect(got.live_time_s).toBeCloseTo(golden.coincidence.live_time_s, 9);
    expect(got.signal_estimate).toBeCloseTo(golden.coincidence.signal_estimate, 9);
    expect(got.pairs_ns.slice(0, 10)).toEqual(golden.coincidence.pairs_ns);
  });
  test('the golden pairs', async () => {
    const got = await json(resolve(shared, 'golden/direction_events.csv'));
    for (const [mine, theirs] of [
      [got.all, golden.direction.all],
      [got.cut, golden.direction.cut_dt_lt_100us_and_dist_lt_25cm],
    ]) {
      expect(mine.n).toBe(theirs.n);
      for (const name of ['theta_deg', 'phi_deg', 'sigma_theta_deg', 'chi2_no_direction', 'length_cm', 'length_noise_corrected_cm'])
        expect(Math.abs(mine[name] / theirs[name] - 1)).toBeLessThan(1e-9);
    }
  });
});
