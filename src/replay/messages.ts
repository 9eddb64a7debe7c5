/** Messages of the slow parts as what they should be; undefined where they are none of ours. */
import type { Alarm, CalibrationEntry, OrderEntry } from '../entry.ts';
import type { Reading } from '../reading.ts';
import { ChunkMessage, type McapMessage } from '../recorder/mcap-read.ts';
import { traceOf } from '../recorder/session-json.ts';
import type { Recorded } from './player.ts';

const decoder = new TextDecoder();

let records: Uint8Array | undefined; // of the last chunk that was read
let buffer: Buffer = Buffer.alloc(0);

/** The text of a message; straight from its chunk, where it is of one. */
function textOf(m: Pick<McapMessage, 'bytes'>): string {
  if (!(m instanceof ChunkMessage)) return decoder.decode(m.bytes);
  if (m.records !== records) {
    records = m.records;
    buffer = Buffer.from(records.buffer, records.byteOffset, records.length);
  }
  return buffer.toString('utf8', m.from, m.to);
}

type Kinds = readonly (readonly [string, 'string' | 'number' | 'object'])[];
const kindsOf = (kinds: Readonly<Record<string, 'string' | 'number' | 'object'>>): Kinds => Object.entries(kinds);

/** `kinds`: the fields without which it cannot be used. */
function parsed<T>(m: Pick<McapMessage, 'bytes'>, kinds: Kinds): T | undefined {
  let value: unknown;
  try {
    value = JSON.parse(textOf(m));
  } catch {
    return undefined;
  }
  if (value === null || typeof value !== 'object') return undefined;
  const fields = value as Readonly<Record<string, unknown>>; // an object, by the line above
  for (const [name, kind] of kinds) if (typeof fields[name] !== kind) return undefined;
  return value as T; // written by session-json.ts
}

const READING = kindsOf({ from: 'string', kind: 'string', t: 'number', seq: 'number', quality: 'string' });
const EXCHANGE = kindsOf({ instrument: 'string', role: 'string', by: 'string', asked: 'number', sent: 'string', id: 'number' });
const ORDER = kindsOf({ id: 'number', t: 'number', by: 'string', instrument: 'string', command: 'string' });
const ALARM = kindsOf({ t: 'number', from: 'string', text: 'string' });
const CALIBRATION = kindsOf({ t: 'number', by: 'string', id: 'string', path: 'string', files: 'object' });
const QUALITIES: readonly unknown[] = ['good', 'suspect', 'bad'];

export function readingIn(m: Pick<McapMessage, 'bytes'>): Reading | undefined {
  const r = parsed<Reading>(m, READING);
  if (!r || !QUALITIES.includes(r.quality)) return undefined;
  return r.quality === 'bad' ? (typeof r.why === 'string' ? r : undefined) : 'value' in r ? r : undefined;
}
export const exchangeIn = (m: McapMessage): Recorded | undefined => {
  const x = parsed<Recorded>(m, EXCHANGE);
  return x && (x.reply === undefined || typeof x.reply === 'string') && (x.came === undefined || typeof x.came === 'number')
    ? x
    : undefined;
};
export const orderIn = (m: McapMessage): OrderEntry | undefined => parsed<OrderEntry>(m, ORDER);
export const alarmIn = (m: McapMessage): Alarm | undefined => parsed<Alarm>(m, ALARM);
/** Files by their paths. */
export type LearntEntry = Omit<CalibrationEntry, 'files'> & { readonly files: readonly string[] };
export const calibrationIn = (m: McapMessage): LearntEntry | undefined => {
  const entry = parsed<LearntEntry>(m, CALIBRATION);
  return entry && Array.isArray(entry.files) ? entry : undefined;
};

/** What of a trace stands before its numbers. */
const headOf = ({ bytes }: McapMessage): Reading | undefined => readingIn({ bytes: bytes.subarray(0, bytes.indexOf(10)) });

/** Whether these are the numbers of a reading. Those that cannot be read are none. */
export function isTrace(m: McapMessage, { seq, t, index }: Reading): boolean {
  const head = headOf(m);
  return head?.seq === seq && head.t === t && head.index === index;
}

/** With its numbers. */
export function traceIn(m: McapMessage): Reading<'trace'> | undefined {
  try {
    return headOf(m) && traceOf(m.bytes);
  } catch {
    return undefined;
  }
}
