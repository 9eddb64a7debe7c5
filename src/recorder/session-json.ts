/** Entries as the session holds them: one JSON object per message on a topic, traces and wire bytes as raw messages. */
import type { Entry } from '../entry.ts';
import type { Exchanged } from '../exchange.ts';
import type { Column, Reading, Trace } from '../reading.ts';
import type { Unit } from '../units.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface Written {
  readonly topic: string;
  readonly klass: 'slow' | `raw-${string}`;
  readonly t: number;
  readonly bytes: Uint8Array;
}

const utf8 = (text: string): Uint8Array => Buffer.from(text, 'utf8');
const json = (value: unknown): Uint8Array => utf8(JSON.stringify(value));
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function hex(bytes: Uint8Array): string {
  if (bytes.length > 64) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
  let text = ''; // of a few bytes: not worth a call
  for (let i = 0; i < bytes.length; i++) text += HEX[bytes[i]];
  return text;
}

/** The end of the topic of packets that have a name, such as the files of a folder. */
export const NAMED = ' named';

/** A line of JSON with the packet's name, then its bytes. */
function namedBytes(name: string, bytes: Uint8Array): Uint8Array {
  const head = encoder.encode(`${JSON.stringify({ name })}\n`);
  const whole = new Uint8Array(head.length + bytes.length);
  whole.set(head);
  whole.set(bytes, head.length);
  return whole;
}

/** What a message on a topic that ends with NAMED holds. */
export function namedOf(bytes: Uint8Array): { readonly name: string; readonly bytes: Uint8Array } {
  const end = bytes.indexOf(10);
  const { name } = JSON.parse(decoder.decode(bytes.subarray(0, end))) as { readonly name: string }; // written by namedBytes
  return { name, bytes: bytes.subarray(end + 1) };
}

/** A file name's part: what a wire's address has beside letters and digits becomes a dash. */
export const seriesOf = (link: string): `raw-${string}` => `raw-${link.replace(/[^A-Za-z0-9]+/g, '-').replace(/^-|-$/g, '') || 'link'}`;

/** Where a link's bytes go. */
interface Place {
  readonly klass: `raw-${string}`;
  /** Its topics. */
  readonly in: string;
  readonly out: string;
}
const places = new Map<string, Place>(); // as many as the rig has links

function placeOf(link: string): Place {
  let place = places.get(link);
  if (place === undefined) {
    place = { klass: seriesOf(link), in: `${link} in`, out: `${link} out` };
    places.set(link, place);
  }
  return place;
}

export function written(entry: Entry): readonly Written[] {
  switch (entry.kind) {
    case 'reading': {
      const { reading } = entry;
      const slow: Written = { topic: 'readings', klass: 'slow', t: reading.t, bytes: readingJson(reading) };
      if (reading.kind !== 'trace' || reading.quality === 'bad') return [slow];
      return [slow, { topic: reading.from, klass: 'raw-traces', t: reading.t, bytes: traceBytes(reading as Reading<'trace'>) }]; // its kind says so
    }
    case 'exchange': {
      return [{ topic: 'exchanges', klass: 'slow', t: entry.exchanged.asked, bytes: utf8(exchangeJson(entry.exchanged)) }];
    }
    case 'bytes': {
      const { link, direction, t, bytes, name } = entry.wire;
      const { klass, in: heard, out: said } = placeOf(link);
      const topic = direction === 'in' ? heard : said;
      // Not a topic for each name: a file has 65,536 of them at most, and each stays in memory.
      if (name !== undefined) return [{ topic: topic + NAMED, klass, t, bytes: namedBytes(name, bytes) }];
      return [{ topic, klass, t, bytes }];
    }
    case 'order':
      return [{ topic: 'orders', klass: 'slow', t: entry.order.ended ?? entry.order.t, bytes: json(entry.order) }];
    case 'gap':
      return [{ topic: 'gaps', klass: 'slow', t: entry.gap.to ?? entry.gap.from, bytes: json(entry.gap) }];
    case 'alarm':
      return [{ topic: 'alarms', klass: 'slow', t: entry.alarm.t, bytes: json(entry.alarm) }];
    case 'alarm-state':
      return [{ topic: 'alarm-states', klass: 'slow', t: entry.state.changed, bytes: json(entry.state) }];
    case 'interlock':
      return [{ topic: 'interlocks', klass: 'slow', t: entry.t, bytes: json({ ...entry.interlock, t: entry.t }) }];
    case 'note':
      return [{ topic: 'notes', klass: 'slow', t: entry.note.t, bytes: json(entry.note) }];
    case 'mark':
      return [{ topic: 'marks', klass: 'slow', t: entry.mark.t, bytes: json(entry.mark) }];
    case 'status':
      return [];
  }
}

/** Written by hand: there is one for every question. */
function exchangeJson(x: Exchanged): string {
  const { id, asked, came, sent, reply, fault } = x;
  const end = `${came === undefined ? '' : `,"came":${came}`}${reply ? `,"reply":"${hex(reply)}"` : ''}${fault === undefined ? '' : `,"fault":${JSON.stringify(fault)}`}`;
  return `{"id":${id},"instrument":${quoted(x.instrument)},"role":${quoted(x.role)},"by":${quoted(x.by)},"asked":${asked},"sent":"${hex(sent)}"${end}}`;
}

const names = new Map<string, string>();
const MOST_NAMES = 10_000;

/** A name as JSON, kept: instruments, channels and polls are few and come again and again. */
function quoted(name: string): string {
  let text = names.get(name);
  if (text === undefined) {
    text = JSON.stringify(name);
    if (names.size < MOST_NAMES) names.set(name, text);
  }
  return text;
}

/** A good number with nothing beside it, as nearly all are: written by hand. */
const isPlain = (r: Reading): r is Reading<Unit> & { readonly quality: 'good' } =>
  r.quality === 'good' &&
  typeof r.value === 'number' &&
  Number.isFinite(r.value) &&
  r.index === undefined &&
  r.sigma === undefined &&
  r.why === undefined &&
  r.made === undefined;

/** A trace's numbers go to its raw part; here stands what they are. */
function readingJson(reading: Reading): Uint8Array {
  if (isPlain(reading)) {
    const { value, from, kind, t, seq, origin } = reading;
    return utf8(
      `{"quality":"good","value":${value},"from":${quoted(from)},"kind":${quoted(kind)},"t":${t},"seq":${seq},"origin":${quoted(origin)}}`,
    );
  }
  if (reading.kind !== 'trace' || reading.quality === 'bad') return json(reading);
  const { columns, shape, begin, end, settings } = reading.value as Trace; // its kind says so
  const names = Object.fromEntries(Object.entries(columns).map(([name, c]) => [name, c.unit]));
  return json({ ...reading, value: { columns: names, shape, begin, end, settings } });
}

export function readingOf(bytes: Uint8Array): Reading {
  return JSON.parse(decoder.decode(bytes)) as Reading; // written above
}

const TYPES = { Float64Array, Float32Array, Int32Array, Uint32Array, Uint16Array, Int16Array } as const;
type TypeName = keyof typeof TYPES;

/** A line of JSON with the columns' names, units, types and lengths, then their little-endian numbers one after another. */
export function traceBytes(reading: Reading<'trace'>): Uint8Array {
  if (reading.quality === 'bad') return new Uint8Array(0);
  const { columns, shape, begin, end, settings } = reading.value;
  const list = Object.entries(columns);
  const head = json({
    ...reading,
    value: {
      shape,
      begin,
      end,
      settings,
      columns: list.map(([name, c]) => ({ name, unit: c.unit, type: c.data.constructor.name, length: c.data.length })),
    },
  });
  const whole = new Uint8Array(head.length + 1 + list.reduce((n, [, c]) => n + c.data.byteLength, 0));
  whole.set(head);
  whole[head.length] = 10;
  let at = head.length + 1;
  for (const [, c] of list) {
    whole.set(new Uint8Array(c.data.buffer, c.data.byteOffset, c.data.byteLength), at);
    at += c.data.byteLength;
  }
  return whole;
}

export function traceOf(bytes: Uint8Array): Reading<'trace'> {
  const end = bytes.indexOf(10);
  const head = JSON.parse(decoder.decode(bytes.subarray(0, end))) as Reading<'trace'> & {
    readonly value: Omit<Trace, 'columns'> & {
      readonly columns: readonly { name: string; unit: Column['unit']; type: TypeName; length: number }[];
    };
  }; // written by traceBytes
  let at = end + 1;
  const columns: Record<string, Column> = {};
  for (const { name, unit, type, length } of head.value.columns) {
    const size = TYPES[type].BYTES_PER_ELEMENT * length;
    columns[name] = { unit, data: new TYPES[type](bytes.slice(at, at + size).buffer) };
    at += size;
  }
  return { ...head, value: { ...head.value, columns } } as Reading<'trace'>; // its columns are whole again
}
