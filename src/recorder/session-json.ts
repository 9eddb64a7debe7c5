/** Entries as the session holds them: one JSON object per message on a topic, traces and wire bytes as raw messages. */
import type { Entry } from '../entry.ts';
import type { Exchanged } from '../exchange.ts';
import type { Column, Reading, Trace } from '../reading.ts';
import type { Rig } from '../rig.ts';
import type { Unit } from '../units.ts';
import { JsonBytes } from './json-bytes.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Takes one message of the session; the bytes hold only until it returns. */
export type Put = (topic: string, klass: 'slow' | `raw-${string}`, t: number, bytes: Uint8Array, encoding?: string) => void;

/** The encoding of messages that are blocks of hits (src/readout/hit-bytes.ts). */
export const HITS = 'application/x-bridgman-hits';

const out = new JsonBytes();
const json = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value));

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

/** The rig names instruments; their raw series are those of their links. In the order in which they stop when room goes out. */
export const rawSeries = (rig: Pick<Rig, 'record' | 'instruments'>): readonly `raw-${string}`[] =>
  rig.record.rawOrder.flatMap((name) =>
    Object.values(rig.instruments.find((i) => i.name === name)?.links ?? {}).map(({ wire }) => seriesOf(wire)),
  );

/** The same with the series of fast streams, which stop together with those of their links. */
export const withStreams = (order: readonly `raw-${string}`[]): readonly `raw-${string}`[] =>
  order.flatMap((series) => [series, `${series}-stream` as const, `${series}-hits` as const]);

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

/** The messages of an entry, in the session's order. */
export function write(entry: Entry, put: Put): void {
  switch (entry.kind) {
    case 'reading': {
      const { reading } = entry;
      put('readings', 'slow', reading.t, readingJson(reading));
      if (reading.kind === 'trace' && reading.quality !== 'bad')
        put(reading.from, 'raw-traces', reading.t, traceBytes(reading as Reading<'trace'>)); // its kind says so
      return;
    }
    case 'exchange':
      put('exchanges', 'slow', entry.exchanged.asked, exchangeJson(entry.exchanged));
      return;
    case 'bytes': {
      const { link, direction, t, bytes, name, part } = entry.wire;
      if (part !== undefined) {
        put(`${link} ${part}`, `${seriesOf(link)}-${part}`, t, bytes, part === 'hits' ? HITS : undefined);
        return;
      }
      const { klass, in: heard, out: said } = placeOf(link);
      const topic = direction === 'in' ? heard : said;
      // Not a topic for each name: a file has 65,536 of them at most, and each stays in memory.
      if (name === undefined) put(topic, klass, t, bytes);
      else put(topic + NAMED, klass, t, namedBytes(name, bytes));
      return;
    }
    case 'order':
      put('orders', 'slow', entry.order.ended ?? entry.order.t, json(entry.order));
      return;
    case 'gap':
      put('gaps', 'slow', entry.gap.to ?? entry.gap.from, json(entry.gap));
      return;
    case 'alarm':
      put('alarms', 'slow', entry.alarm.t, json(entry.alarm));
      return;
    case 'alarm-state':
      put('alarm-states', 'slow', entry.state.changed, json(entry.state));
      return;
    case 'interlock':
      put('interlocks', 'slow', entry.t, json({ ...entry.interlock, t: entry.t }));
      return;
    case 'note':
      put('notes', 'slow', entry.note.t, json(entry.note));
      return;
    case 'mark':
      put('marks', 'slow', entry.mark.t, json(entry.mark));
      return;
    case 'calibration': {
      // Its place in the order of the slow messages says from which reading on it was used; a replay finds its files by their paths.
      const { files, ...calibration } = entry.calibration;
      for (const [path, bytes] of Object.entries(files)) put(`file ${path}`, 'raw-calibrations', calibration.t, bytes);
      put('calibrations', 'slow', calibration.t, json({ ...calibration, files: Object.keys(files) }));
      return;
    }
    case 'status':
      return;
  }
}

/** Written by hand: there is one for every question. */
function exchangeJson(x: Exchanged): Uint8Array {
  const { id, asked, came, sent, reply, fault } = x;
  out.ascii('{"id":').number(id).ascii(',"instrument":').name(x.instrument).ascii(',"role":').name(x.role);
  out.ascii(',"by":').name(x.by).ascii(',"asked":').number(asked).ascii(',"sent":').hex(sent);
  if (came !== undefined) out.ascii(',"came":').number(came);
  if (reply) out.ascii(',"reply":').hex(reply);
  if (fault !== undefined) out.ascii(',"fault":').text(fault);
  if (x.nth !== undefined) out.ascii(',"nth":').number(x.nth);
  if (x.behind !== undefined) out.ascii(',"behind":').number(x.behind);
  return out.ascii('}').done();
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
    out.ascii('{"quality":"good","value":').number(value).ascii(',"from":').name(from).ascii(',"kind":').name(kind);
    return out.ascii(',"t":').number(t).ascii(',"seq":').number(seq).ascii(',"origin":').name(origin).ascii('}').done();
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
