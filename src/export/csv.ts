/** A folder of tables as RFC 4180 has them: one file a channel, a row of names, a row of units, values in SI with all their digits. */
import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Hits } from '../derive/hits.ts';
import type { CalibrationEntry } from '../entry.ts';
import { type Reading, type Trace, total } from '../reading.ts';
import { iso } from './iso.ts';
import { fileNames } from './names.ts';
import type { Sink } from './sink.ts';
import type { Found, Item } from './walk.ts';

/** One line break for all of them (RFC 4180, section 2.1). */
const EOL = '\r\n';
const FLUSH = 1 << 16; // characters of one file
const FLUSH_ALL = 1 << 25; // characters of all files

/** A field: in quotes where it has to be. */
export const field = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const row = (...fields: readonly string[]): string => fields.map(field).join(',') + EOL;

/** The shortest decimal that reads back as the same double; nothing for what is no finite number. */
const number = (value: unknown): string =>
  typeof value !== 'number' || !Number.isFinite(value) ? '' : Object.is(value, -0) ? '-0' : String(value);

interface Table {
  readonly file: string;
  text: string;
  /** Frames of a trace so far, and what its columns are called. */
  frames: number;
  columns: readonly string[];
}

/** Files named after their channels below `folder`, which is made. Memory is bounded, and no more than one file is open at a time. */
export async function csvSink(folder: string): Promise<Sink> {
  await mkdir(folder, { recursive: true });
  const names = fileNames('.csv');
  const tables = new Map<string, Table>();
  const files: Record<string, string> = {};
  let held = 0;
  let began: number | undefined;

  const flush = async (table: Table): Promise<void> => {
    if (table.text === '') return;
    const { text } = table;
    held -= text.length;
    table.text = '';
    await appendFile(join(folder, table.file), text);
  };
  const put = async (table: Table, text: string): Promise<void> => {
    table.text += text;
    held += text.length;
    if (table.text.length > FLUSH) await flush(table);
    if (held > FLUSH_ALL) for (const one of tables.values()) await flush(one);
  };
  const open = (key: string, name: string): Table => {
    const file = names(name);
    const table: Table = { file, text: '', frames: 0, columns: [] };
    tables.set(key, table);
    files[key] = file;
    return table;
  };
  const seconds = (t: number): string => {
    began ??= t;
    return number((t - began) / 1e6);
  };

  const scalar = async (name: string, reading: Reading): Promise<void> => {
    // Readings of another kind under the same name have a file of their own.
    let key = name;
    for (let n = 2; tables.has(key) && tables.get(key)?.columns[0] !== reading.kind; n++) key = `${name} (${n})`;
    const known = tables.get(key);
    const table = known ?? open(key, key);
    if (!known) {
      table.columns = [reading.kind];
      await put(table, `${scalarHead(reading)}`);
    }
    await put(table, scalarRow(reading, seconds));
  };

  const trace = async (name: string, reading: Reading<'trace'> & { readonly quality: 'good' | 'suspect' }): Promise<void> => {
    const { columns, shape } = reading.value;
    const wanted = [String(shape.length), ...Object.entries(columns).flatMap(([column, { unit }]) => [column, unit])];
    let key = name;
    for (let n = 2; tables.has(key) && tables.get(key)?.columns.join('\n') !== wanted.join('\n'); n++) key = `${name} (${n})`;
    const known = tables.get(key);
    const table = known ?? open(key, key);
    if (!known) {
      table.columns = wanted;
      await put(table, traceHead(reading.value));
    }
    for (const text of traceRows(reading, table.frames, seconds)) await put(table, text);
    table.frames++;
  };

  return {
    files,
    async take(item: Item) {
      if (item.kind === 'rig') began ??= item.t;
      else if (item.kind === 'hits') {
        const known = tables.get(item.name);
        const table = known ?? open(item.name, item.name);
        if (!known) await put(table, HITS_HEAD);
        for (const text of hitRows(item.block, item.t)) await put(table, text);
      } else if (item.kind === 'said') {
        const known = tables.get(item.topic);
        const table = known ?? open(item.topic, item.topic);
        if (!known) await put(table, SAID_HEAD);
        await put(table, saidRow(item.topic, item.t, item.json, seconds));
      } else if (item.kind === 'reading') {
        const { name, reading } = item;
        if (reading.kind !== 'trace') await scalar(name, reading);
        else if (reading.quality === 'bad') await scalar(`${name}.bad`, reading);
        else await trace(name, reading as Reading<'trace'> & { readonly quality: 'good' | 'suspect' }); // its kind says so
      }
      return undefined;
    },
    async end(_: Found) {
      for (const table of tables.values()) await flush(table);
    },
  };
}

const SCALAR = ['time', 'seconds', 'value', 'sigma', 'sigma_random', 'sigma_shared', 'quality', 'why', 'origin', 'seq', 'calibration'];

function scalarHead({ kind }: Reading): string {
  const unit = kind === 'trace' || kind === 'state' ? '' : kind;
  const bar = kind === 'flag' ? '' : unit;
  return row(...SCALAR) + row('ISO 8601', 's', unit, bar, bar, bar, '', '', '', '', '');
}

function scalarRow(r: Reading, seconds: (t: number) => string): string {
  const sigma = r.quality === 'bad' ? undefined : r.sigma;
  const value = r.quality === 'bad' ? '' : typeof r.value === 'number' ? number(r.value) : r.value === null ? '' : String(r.value);
  const shared = Object.entries(sigma?.shared ?? {}).map(([cause, size]) => `${cause}=${number(size)}`);
  const bars = sigma ? [number(total(sigma)), number(sigma.random), shared.join(';')] : ['', '', ''];
  const tail = [r.quality, r.why ?? '', r.origin, number(r.seq), r.made?.calibration ?? ''];
  return row(iso(r.t), seconds(r.t), value, ...bars, ...tail);
}

function traceHead({ columns, shape }: Trace): string {
  const axes = shape.map((_, i) => `i${i}`);
  const blank = axes.map(() => '');
  return (
    row('time', 'seconds', 'frame', ...axes, ...Object.keys(columns), 'quality', 'why', 'seq') +
    row('ISO 8601', 's', '', ...blank, ...Object.values(columns).map(({ unit }) => unit), '', '', '')
  );
}

/** One row a point; a column that has one row of the last dimension only (wavelengths) is said again in each. */
function* traceRows(
  r: Reading<'trace'> & { readonly quality: 'good' | 'suspect' },
  frame: number,
  seconds: (t: number) => string,
): Generator<string> {
  const { columns, shape } = r.value;
  const list = Object.values(columns).map(({ data }) => data);
  const last = shape.at(-1) ?? 1;
  const points = shape.reduce((n, size) => n * size, 1);
  const most = Math.max(points, ...list.map(({ length }) => length));
  const head = [iso(r.t), seconds(r.t), String(frame)].map(field).join(',');
  const tail = [r.quality, r.why ?? '', number(r.seq)].map(field).join(',');
  let text = '';
  for (let i = 0; i < most; i++) {
    text += head;
    for (let axis = 0, rest = points; axis < shape.length; axis++) {
      rest /= shape[axis] ?? 1;
      text += i < points ? `,${Math.floor(i / rest) % (shape[axis] ?? 1)}` : ',';
    }
    for (const data of list)
      text += `,${number(data.length === points || i < data.length ? data[i] : data.length === last ? data[i % last] : undefined)}`;
    text += `,${tail}${EOL}`;
    if (text.length > FLUSH) {
      yield text;
      text = '';
    }
  }
  yield text;
}

const HITS_HEAD =
  row('recorded', 'time', 'channel', 'charge', 'tail', 'peak', 'baseline', 'noise', 'frame', 'flags') +
  row('ISO 8601', 'ns', '', '', '', '', '', '', '', '');

function* hitRows(block: Hits, t: number): Generator<string> {
  const head = iso(t);
  let text = '';
  for (let i = 0; i < block.count; i++) {
    const own = [block.t, block.channel, block.charge, block.tail, block.peak, block.baseline, block.noise, block.frame, block.flags];
    text += `${head},${own.map((column) => number(column[i])).join(',')}${EOL}`;
    if (text.length > FLUSH) {
      yield text;
      text = '';
    }
  }
  yield text;
}

const SAID_HEAD = row('time', 'seconds', 'by', 'text', 'json') + row('ISO 8601', 's', '', '', '');

/** Orders, notes, marks, alarms ...: who and what in words, and all of it as JSON. */
function saidRow(topic: string, t: number, json: string, seconds: (t: number) => string): string {
  let of: Record<string, unknown>;
  try {
    of = Object(JSON.parse(json)) as Record<string, unknown>;
  } catch {
    of = {};
  }
  const words = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '');
  const order = `${words(of.instrument)}.${words(of.command)} ${of.value === undefined ? '' : String(of.value)} ${words(of.outcome)}`;
  const what: Readonly<Record<string, string>> = {
    orders: order.trim().replace(/ +/g, ' '),
    gaps: `${words(of.channel)}: ${words(of.cause)}`,
    interlocks: `${words(of.name)} ${words(of.is)}`,
    marks: `run ${words(of.run)} ${words(of.what)}`,
    calibrations: words((of as Partial<CalibrationEntry>).id),
  };
  return row(iso(t), seconds(t), words(of.by ?? of.from ?? of.name), what[topic] ?? words(of.text), json);
}
