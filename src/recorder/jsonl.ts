/** One reading as one line of JSON, for other people's programs. Times in microseconds since 1970, values in SI. */
import { type Reading, type Trace, total } from '../reading.ts';

export function jsonLine(r: Reading): string {
  const dot = r.from.indexOf('.');
  const isNumber = r.kind !== 'flag' && r.kind !== 'state' && r.kind !== 'trace';
  return `${JSON.stringify({
    t: r.t,
    instrument: r.from.slice(0, dot),
    channel: r.from.slice(dot + 1),
    index: r.index ?? null,
    value: r.quality === 'bad' ? null : r.kind === 'trace' ? shape(r.value as Trace) : r.value, // its kind says so
    sigma: r.quality === 'bad' || !isNumber || !r.sigma ? null : total(r.sigma),
    unit: isNumber ? r.kind : null,
    quality: r.quality,
    why: r.why ?? null,
    origin: r.origin,
  })}\n`;
}

/** A trace's numbers are in the session; a line says what there is. */
const shape = (trace: Trace): object => ({ columns: Object.keys(trace.columns), shape: trace.shape, begin: trace.begin, end: trace.end });
