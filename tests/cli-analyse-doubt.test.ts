/** Files whose numbers are not what they seem: `bridgman analyse` says so. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { encodeAbcd } from '../protocols/abcd.ts';
import { concat } from '../protocols/protocol.ts';
import { encodeWaveDump } from '../protocols/wavedump.ts';
import { analyse } from '../src/cli/analyse.ts';
import { EXIT } from '../src/cli/command.ts';

const folder = mkdtempSync(join(tmpdir(), 'bridgman-doubt-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await analyse.run(args, { out: (t) => (out += t), err: (t) => (err += t) });
  return { code, out, err };
}
async function json(...args: string[]) {
  const { code, out, err } = await run(...args, '--json');
  expect([code, err]).toEqual([EXIT.ok, '']);
  return JSON.parse(out);
}

describe('waveforms', () => {
  const pulse = (height: number, most = 16_383, at = 40): number[] =>
    Array.from({ length: 200 }, (_, i) => Math.min(most, 100 + Math.max(0, Math.round(height * (1 - Math.abs(i - at) / 10)))));
  const wave = (of: (i: number) => readonly number[], width: 1 | 2 = 2, time = (i: number) => 1000 * (i + 1), numbers = (i: number) => i) =>
    concat(
      ...Array.from({ length: 20 }, (_, i) =>
        encodeWaveDump({ board: 0, pattern: 0, channel: 0, number: numbers(i), time: time(i), samples: of(i) }, width),
      ),
    );

  test('the end of a converter is named before it is known, and counts when it is', async () => {
    const path = file(
      'ten.dat',
      wave((i) => pulse(i % 4 === 0 ? 5000 : 300, 1023)),
    );
    const before = await json(path, '--polarity', 'positive');
    expect(before.channels[0]).toMatchObject({ saturated: 0, psd: { count: 20 } });
    expect(before.warnings.join()).toMatch(/5 events reach 1023, the end of a 10-bit converter; with --bits 10/);
    const after = await json(path, '--polarity', 'positive', '--bits', '10');
    expect(after.channels[0]).toMatchObject({ saturated: 5, psd: { count: 15 } });
    expect(after.warnings.join('\n')).toMatch(/^channel 0: 5 of 20 events saturated: their charges are too small/);
    expect((await run(path, '--polarity', 'positive', '--bits', '10')).out).toMatch(/^! channel 0: 5 of 20 events saturated/m);
  });

  test('the wrong polarity, a gate beyond the record, samples of one byte', async () => {
    const positive = file(
      'pos.dat',
      wave(() => pulse(300)),
    );
    expect((await json(positive)).warnings.join()).toMatch(/channel 0: 20 of 20 events without a pulse; is the polarity right/);
    expect((await json(positive, '--polarity', 'positive')).warnings).toEqual([]);
    const late = file(
      'late.dat',
      wave((i) => pulse(300, 16_383, i < 3 ? 190 : 40)),
    );
    expect((await json(late, '--polarity', 'positive')).warnings.join()).toMatch(
      /channel 0: 3 of 20 events with a gate that leaves the record/,
    );
    const narrow = file(
      'narrow.dat',
      wave((i) => pulse(i < 2 ? 500 : 100, 255), 1),
    );
    expect((await json(narrow)).warnings.join()).toMatch(/more than the 14 bits of these boards; --sample-bytes 1/);
    const known = await json(narrow, '--sample-bytes', '1', '--polarity', 'positive');
    expect(known.channels[0]).toMatchObject({ saturated: 2, psd: { count: 18 } });
  });

  test('a configuration that is none, and a table called a binary file', async () => {
    const path = file(
      'c.dat',
      wave(() => pulse(300)),
    );
    const wrong = await run(path, '--config', path);
    expect(wrong).toMatchObject({ code: EXIT.usage, out: '' });
    expect(wrong.err).toMatch(/c\.dat has no line of a WaveDumpConfig\.txt, such as "PULSE_POLARITY POSITIVE"/);
    const table = await run(file('list.csv', 't_ns,E_MeVee,psd\n1000,3,0.1\n2000,3,0.1\n'), '--format', 'abcd');
    expect(table).toMatchObject({ code: EXIT.failed, out: '' });
    expect(table.err).toMatch(/list\.csv is an event list in CSV, not a file of --format abcd/);
  });

  test('events further apart than the counter can tell', async () => {
    const path = file(
      'slow.dat',
      wave(
        () => pulse(300),
        2,
        (i) => (i * 2 ** 30) % 2 ** 31,
      ),
    );
    expect((await json(path, '--polarity', 'positive')).warnings.join()).toMatch(
      /channel 0: its events are 8\.58993 s apart, and the counter goes round every 17\.1799 s/,
    );
  });

  test('an event that only stands after a later one is not missing', async () => {
    const order = (i: number): number => (i === 10 ? 11 : i === 11 ? 10 : i);
    const path = file(
      'swap.dat',
      wave(
        () => pulse(300),
        2,
        (i) => 1000 * (order(i) + 1),
        order,
      ),
    );
    expect(await json(path, '--polarity', 'positive')).toMatchObject({ events: 20, backward_steps: 1, files: [{ missing: 0 }] });
    const gap = file(
      'gap.dat',
      wave(
        () => pulse(300),
        2,
        undefined,
        (i) => (i < 10 ? i : i + 3),
      ),
    );
    expect((await json(gap, '--polarity', 'positive')).files).toMatchObject([{ missing: 3 }]);
  });
});

test('list mode: a gate at the end of its range is in the sums, and in no pulse shape', async () => {
  const events = Array.from({ length: 10 }, (_, i) => ({
    ...{ timestamp: 512e9 + 1e9 * i, short: 300, long: i === 3 ? 65_535 : 400, baseline: 100, channel: 2, group: 0 },
  }));
  const got = await json(file('full.ade', encodeAbcd(events)));
  expect(got).toMatchObject({ long_gate_sum: 9 * 400 + 65_535, channels: { 2: { saturated: 1, psd: { count: 9, mean: 0.25 } } } });
  expect(got.warnings.join()).toMatch(/channel 2: 1 of 10 events with a gate of 65535, the end of its range/);
});

describe('event lists', () => {
  const rows = Array.from({ length: 5 }, (_, i) => `${1e6 * (i + 1)},3,0.1`);
  const text = (head: string, lines: readonly string[], end = '\n'): string => [head, ...lines, ''].join(end);
  test('quotes and a byte order mark are taken; a number without bounds is none', async () => {
    const quoted = rows.map((row) => row.replace(/[^,]+/g, '"$&"'));
    expect(await json(file('q.csv', `\ufeff${text('"t_ns","E_MeVee","psd"', quoted)}`))).toMatchObject({ events: 5, unreadable_lines: 0 });
    const wild = await json(file('inf.csv', text('t_ns,E_MeVee,psd', [...rows, '1e400,2,0.1'])));
    expect(wild).toMatchObject({ events: 5, unreadable_lines: 1, duration_s: 0.005 });
  });
  test.each([
    ['other columns', text('time,energy,shape', rows), /has the columns time, energy, shape in its first line/],
    ['semicolons', text('t_ns;E_MeVee;psd', rows), /its columns must be parted by commas/],
    ['CR alone', text('t_ns,E_MeVee,psd', rows, '\r'), /lines that end with CR alone/],
    ['UTF-16', Uint8Array.from(Buffer.from(`\ufeff${text('t_ns,E_MeVee,psd', rows)}`, 'utf16le')), /is text in UTF-16/],
  ])('%s', async (name, content, why) => {
    const got = await run(file(`${name}.csv`, content));
    expect([got.code, got.out]).toEqual([EXIT.failed, '']);
    expect(got.err).toMatch(why);
    expect(got.err).toMatch(/^[^\n]*\n$/);
  });
  test('a run that begins elsewhere than at 0 s', async () => {
    const unix = await json(file('unix.csv', text('t_ns,E_MeVee,psd', ['1.7e18,3,0.1', '1.7000000001e18,3,0.1'])));
    const said = unix.warnings.join();
    expect(said).toMatch(/the first event is at 1700000000 s.* begins at 0 s/);
    expect(said).toContain('beyond 2^53 ns');
    const early = await json(file('early.csv', text('t_ns,E_MeVee,psd', ['-5,3,0.1', ...rows])));
    expect(early.warnings.join()).toMatch(/1 event before 0 s/);
  });
});
