/** A session as CSV: what is read back are the readings, and what is hard in text is in quotes. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { exportSession, type Report } from '../src/export/export.ts';
import { iso } from '../src/export/iso.ts';
import { type Trace, total } from '../src/reading.ts';
import { at, hitBlock, READINGS, record, SENTENCE, START } from './export-session.ts';

const scratch = mkdtempSync(join(tmpdir(), 'bridgman-csv-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const session = await record(join(scratch, 'session'));

/** RFC 4180, section 2, to the letter: throws where a line does not end with CRLF or a quote stands alone. */
function parse(text: string): string[][] {
  const rows: string[][] = [[]];
  let i = 0;
  while (i < text.length) {
    let field = '';
    if (text[i] === '"') {
      for (i++; ; i++) {
        if (i >= text.length) throw new Error('a quote has no end');
        if (text[i] !== '"') field += text[i];
        else if (text[i + 1] === '"') {
          field += '"';
          i++;
        } else break;
      }
      i++;
    } else {
      while (i < text.length && text[i] !== ',' && text[i] !== '\r') {
        if (text[i] === '"' || text[i] === '\n') throw new Error(`a bare ${JSON.stringify(text[i])}`);
        field += text[i++];
      }
    }
    rows.at(-1)?.push(field);
    if (text[i] === ',') i++;
    else if (text.startsWith('\r\n', i)) {
      i += 2;
      if (i < text.length) rows.push([]);
    } else throw new Error(`neither a comma nor CRLF at ${i}`);
  }
  return rows;
}

async function exported(
  name: string,
  options: object = {},
): Promise<{ report: Report; table: (file: string) => Record<string, string>[]; units: (file: string) => string[] }> {
  const target = join(scratch, name);
  const report = await exportSession({ session, form: 'csv', target, ...options });
  const rows = (file: string) => parse(readFileSync(join(target, file), 'utf8'));
  return {
    report,
    table: (file) => {
      const [head = [], , ...body] = rows(file);
      for (const row of body) expect(row).toHaveLength(head.length);
      return body.map((row) => Object.fromEntries(head.map((key, i) => [key, row[i] ?? ''])));
    },
    units: (file) => rows(file)[1] ?? [],
  };
}
const of = (from: string) => READINGS.filter((r) => r.from === from);

describe('a number channel', async () => {
  const { table, units } = await exported('numbers');
  const rows = table('up.temperature.csv');
  const readings = of('up.temperature');

  test('has every reading, its double bit for bit', () => {
    expect(rows).toHaveLength(readings.length);
    for (const [i, r] of readings.entries())
      expect(rows[i]?.value === '' ? undefined : Number(rows[i]?.value)).toBe(r.quality === 'bad' ? undefined : r.value);
  });
  test('has times as ISO 8601 with microseconds, and as seconds from which they come back', () => {
    expect(rows[0]?.time).toBe('2026-11-22T23:59:59.123457Z');
    expect(rows[1]?.time).toBe('2026-11-23T00:00:00.123457Z');
    expect(rows.map((row) => Math.round(Number(row.seconds) * 1e6) + START)).toEqual(readings.map(({ t }) => t));
  });
  test('has error bars: the whole, the random part, and each common cause', () => {
    const [, , r] = readings;
    if (!r || r.quality === 'bad') throw new Error('not the reading that is wanted');
    expect(Number(rows[2]?.sigma)).toBe(total(r.sigma));
    expect(Number(rows[2]?.sigma_random)).toBe(r.sigma?.random);
    expect(rows[2]?.sigma_shared).toBe('lamp=-0.5;window edge=1');
    expect(rows[11]).toMatchObject({ sigma: '', sigma_random: '', sigma_shared: '', quality: 'suspect', why: 'hot' });
  });
  test('has reasons with quotes and line breaks, and no value where it is bad', () =>
    expect(rows[10]).toMatchObject({ value: '', quality: 'bad', why: SENTENCE, seq: '10', calibration: 'cal-1', origin: 'simulator' }));
  test('has a row of units', () => expect(units('up.temperature.csv')).toEqual(['ISO 8601', 's', 'K', 'K', 'K', 'K', '', '', '', '', '']));
});

test('flags, states and indices', async () => {
  const { table, report } = await exported('others');
  expect(table('laser.emission.csv').map(({ value }) => value)).toEqual(['true', 'false', '']);
  expect(table('laser.state.csv').map(({ value }) => value)).toEqual(['=on, "Ω"', 'x'.repeat(2000), '=on, "Ω"']);
  expect(table('room.bias[3].csv').map(({ value }) => value)).toEqual(['3']);
  expect(report.files['room.bias[4]']).toBe('room.bias[4].csv');
});

test('spectra and images have one row a point', async () => {
  const { table, units } = await exported('traces');
  const rows = table('camera.spectrum.csv');
  const frames = of('camera.spectrum').filter(({ quality }) => quality !== 'bad');
  expect(units('camera.spectrum.csv')).toEqual(['ISO 8601', 's', '', '', 'm', '1', '', '', '']);
  expect(rows).toHaveLength(8 * frames.length);
  const points = frames.flatMap((r, frame) => {
    const { columns } = (r as { value: Trace }).value; // none of them is bad
    return [...Array(8).keys()].map((i) => [frame, i, columns.wavelength?.data[i], columns.counts?.data[i]]);
  });
  expect(rows.map((row) => [row.frame, row.i0, row.wavelength, row.counts].map(Number))).toEqual(points);
  expect(rows[8]).toMatchObject({ quality: 'suspect', why: 'saturated', time: iso(at(1.5)), seq: '1' });
  expect(table('camera.spectrum.bad.csv')).toMatchObject([{ quality: 'bad', why: 'no frame' }]);
  expect(table('room.map.csv').map((row) => [row.frame, row.i0, row.i1, row.rate].map(Number))).toEqual(
    [0, 1].flatMap((frame) => [1, 2, 3, 4, 5, 6.5 + frame].map((rate, i) => [frame, Math.floor(i / 3), i % 3, rate])),
  );
});

test('hits have a row each', async () => {
  const { table, report } = await exported('hits');
  const rows = table('digitizer.hits.csv');
  const block = hitBlock(0, 5);
  expect(report.hits).toBe(20);
  expect(rows.slice(0, 5).map((row) => [row.time, row.channel, row.charge, row.frame, row.flags].map(Number))).toEqual(
    [0, 1, 2, 3, 4].map((i) => [block.t[i], block.channel[i], block.charge[i], block.frame[i], block.flags[i]]),
  );
});

test('what was said has its tables, unless only some channels are wanted', async () => {
  const { table } = await exported('said');
  expect(table('notes.csv')).toMatchObject([{ by: 'eva', text: 'the cell is Ω aligned' }]);
  expect(table('orders.csv')).toMatchObject([{ by: 'rig', text: 'laser.emission true done' }]);
  await exported('some', { channels: ['laser.*', 'room.bias[4]'], from: at(2) });
  expect(readdirSync(join(scratch, 'some')).sort()).toEqual(['laser.emission.csv', 'laser.state.csv', 'room.bias[4].csv']);
});

test('a time range has its beginning and not its end', async () => {
  const { table } = await exported('range', { from: at(2), until: at(4) });
  expect(table('up.temperature.csv').map(({ seq }) => seq)).toEqual(['2', '3']);
});

describe('a folder that is there', () => {
  test('is used when it is empty', async () => {
    mkdirSync(join(scratch, 'empty'));
    expect((await exported('empty')).report.bytes).toBeGreaterThan(1000);
  });
  test('is kept otherwise, and with force keeps what is not of the export', async () => {
    mkdirSync(join(scratch, 'full/own'), { recursive: true });
    await expect(exported('full')).rejects.toThrow('is not empty');
    expect(readdirSync(join(scratch, 'full'))).toEqual(['own']);
    await exported('full', { force: true });
    expect(existsSync(join(scratch, 'full/own'))).toBe(true);
    expect(existsSync(join(scratch, 'full/up.temperature.csv'))).toBe(true);
  });
  test('nothing else is left beside it', () => expect(readdirSync(scratch).filter((name) => name.startsWith('.'))).toEqual([]));
});

test('times are those of Date wherever microseconds are exact', () => {
  for (let ms = -9e12; ms < 9e12; ms += 8_639_999_876) expect(iso(ms * 1000)).toBe(new Date(ms).toISOString().replace('Z', '000Z'));
  expect(iso(-1)).toBe('1969-12-31T23:59:59.999999Z');
  expect(iso(1e300)).toBe('');
});
