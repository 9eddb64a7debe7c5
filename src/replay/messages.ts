/** Messages of the slow parts as what they should be; undefined where they are none of ours. */
import type { Alarm, CalibrationEntry, OrderEntry } from '../entry.ts';
import type { Reading } from '../reading.ts';
import type { McapMessage } from '../recorder/mcap-read.ts';
import { traceOf } from '../recorder/session-json.ts';
import type { Recorded } from './player.ts';

const decoder = new TextDecoder();

/** `kinds`: the fields without which it cannot be used. */
function parsed<T>({ bytes }: Pick<McapMessage, 'bytes'>, kinds: Readonly<Record<string, 'string' | 'number' | 'object'>>): T | undefined {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch {
    return undefined;
  }
  if (value === null || typeof value !== 'object') return undefined;
  const fields = value as Readonly<Record<string, unknown>>; // an object, by the line above
  return Object.entries(kinds).every(([name, kind]) => typeof fields[name] === kind) ? (value as T) : undefined; // written by session-json.ts
}

const QUALITIES: readonly unknown[] = ['good', 'suspect', 'bad'];

export function readingIn(m: Pick<McapMessage, 'bytes'>): Reading | undefined {
  const r = parsed<Reading>(m, { from: 'string', kind: 'string', t: 'number', seq: 'number', quality: 'string' });
  if (!r || !QUALITIES.includes(r.quality)) return undefined;
  return r.quality === 'bad' ? (typeof r.why === 'string' ? r : undefined) : 'value' in r ? r : undefined;
}
export const exchangeIn = (m: McapMessage): Recorded | undefined => {
  const x = parsed<Recorded>(m, { instrument: 'string', role: 'string', by: 'string', asked: 'number', sent: 'string', id: 'number' });
  return x && (x.reply === undefined || typeof x.reply === 'string') && (x.came === undefined || typeof x.came === 'number')
    ? x
    : undefined;
};
export const orderIn = (m: McapMessage): OrderEntry | undefined =>
  parsed<OrderEntry>(m, { id: 'number', t: 'number', by: 'string', instrument: 'string', command: 'string' });
export const alarmIn = (m: McapMessage): Alarm | undefined => parsed<Alarm>(m, { t: 'number', from: 'string', text: 'string' });
/** Files by their paths. */
export type LearntEntry = Omit<CalibrationEntry, 'files'> & { readonly files: readonly string[] };
export const calibrationIn = (m: McapMessage): LearntEntry | undefined => {
  const entry = parsed<LearntEntry>(m, { t: 'number', by: 'string', id: 'string', path: 'string', files: 'object' });
  return entry && Array.isArray(entry.files) ? entry : undefined;
};

/** With its numbers. */
export function traceIn({ bytes }: McapMessage): Reading<'trace'> | undefined {
  try {
    const trace = traceOf(bytes);
    return readingIn({ bytes: bytes.subarray(0, bytes.indexOf(10)) }) ? trace : undefined;
  } catch {
    return undefined;
  }
}
