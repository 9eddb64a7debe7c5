/** Readings as InfluxDB 1.x line protocol, written as bytes: one cached prefix per series, no string in between. */
import type { Kind, Reading } from '../reading.ts';
import { QUANTITY, type Unit } from '../units.ts';
import { fixedBytes, type Grow, grow, type Hint, numberBytes, sigmaBytes, timeBytes } from './line-number.ts';
import { fieldKey, stringBytes, tagValue } from './line-text.ts';

/** Whole lines, each with its newline. `starts[i]` is where line i begins; the last entry is the end of the last line. */
export interface Lines {
  readonly bytes: Uint8Array;
  readonly starts: readonly number[];
}

export interface LineOptions {
  readonly rig: string;
  /** 0 for live data, n for what was derived again. */
  readonly revision?: number;
  /** The smallest step that a channel's value can take, in its SI unit; undefined writes full doubles. Asked once per series. */
  readonly resolution?: (from: string, kind: Kind, index: number | undefined) => number | undefined;
}

export interface LineWriter {
  /** Adds one point. False, and nothing added, when its time is no time that InfluxDB can hold. */
  write(reading: Reading): boolean;
  readonly points: number;
  readonly size: number;
  /** Gives what was written and begins anew; the bytes belong to the caller. */
  take(): Lines;
}

interface Series {
  readonly kind: Kind;
  readonly origin: string;
  readonly index: number | undefined;
  /** "measurement,tags quality=0i" and the same for 1 and 2; and for a number "…,value=" behind it. */
  readonly bare: readonly [Uint8Array, Uint8Array, Uint8Array];
  readonly valued: readonly [Uint8Array, Uint8Array, Uint8Array];
  readonly decimals: number | undefined;
  readonly hint: Hint;
  readonly next: Series | undefined;
}

interface Channel {
  /** Slot 0 holds the series without index, slot n + 1 that of index n. */
  readonly slots: (Series | undefined)[];
  readonly others: Map<number, Series>;
}

const QUALITY = { good: 0, suspect: 1, bad: 2 } as const;
const SLOTS = 4096;
const NOT_FINITE = 'the value is not a finite number';
const encoder = new TextEncoder();

/** The measurement that readings of a kind go to: the quantity of their unit, or flag, state, trace. */
export const measurement = (kind: Kind): string => QUANTITY[kind as Unit] ?? kind; // flag, state and trace are no units: undefined, then themselves

/** 10^-9 -> 9, 0.25 -> 2, 10 -> 0: the decimals that show a step; undefined where there is no step to show. */
export function decimalsOf(resolution: number | undefined): number | undefined {
  if (resolution === undefined || !(resolution > 0) || resolution === Number.POSITIVE_INFINITY) return undefined;
  for (let d = 0; d <= 15; d++) {
    const steps = resolution * 10 ** d;
    if (steps >= 0.999_999 && Math.abs(steps - Math.round(steps)) < 1e-6 * steps) return d;
    if (steps >= 100) return d; // a third of a millikelvin: no decimals end it, two digits more than the step will do
  }
  return undefined;
}

/** A writer of lines; tags are instrument, channel, index, origin, rig and revision, an empty one is left out. */
export function lineWriter(options: LineOptions): LineWriter {
  const channels = new Map<string, Channel>();
  const out: Grow = { bytes: new Uint8Array(65_536), at: 0 };
  let starts: number[] = [0];

  function series(reading: Reading): Series {
    let channel = channels.get(reading.from);
    if (!channel) channels.set(reading.from, (channel = { slots: [], others: new Map() }));
    const { index } = reading;
    const slot = index === undefined ? 0 : index + 1;
    const small = index === undefined || (index >= 0 && slot < SLOTS && Number.isInteger(slot));
    const first = small ? channel.slots[slot] : channel.others.get(slot);
    for (let s = first; s; s = s.next) if (s.kind === reading.kind && s.origin === reading.origin) return s;
    const made = makeSeries(reading, options, first);
    if (!small) channel.others.set(slot, made);
    else {
      while (channel.slots.length < slot) channel.slots.push(undefined);
      channel.slots[slot] = made;
    }
    return made;
  }

  function write(reading: Reading): boolean {
    const { t } = reading;
    if (!(Math.abs(t) <= Number.MAX_SAFE_INTEGER)) return false;
    const s = series(reading);
    const { kind } = s;
    if (reading.quality === 'bad') {
      put(out, s.bare[2]);
      why(out, reading.why);
    } else if (kind === 'trace') {
      put(out, s.bare[QUALITY[reading.quality]]);
      if (reading.why !== undefined) why(out, reading.why);
    } else {
      const { value, sigma } = reading;
      if (typeof value === 'number' ? !Number.isFinite(value) : typeof value !== 'boolean' && typeof value !== 'string') {
        put(out, s.bare[2]);
        why(out, reading.why ?? NOT_FINITE);
      } else {
        put(out, s.valued[QUALITY[reading.quality]]);
        if (typeof value === 'number') s.decimals === undefined ? numberBytes(out, value, s.hint) : fixedBytes(out, value, s.decimals);
        else if (typeof value === 'string') stringBytes(out, value);
        else put(out, value ? TRUE : FALSE);
        if (sigma !== undefined) {
          term(out, SIGMA, sigma.random, s.decimals);
          const { shared } = sigma;
          if (shared !== undefined) for (const cause in shared) term(out, sharedKey(cause), shared[cause], s.decimals);
        }
        if (reading.why !== undefined) why(out, reading.why);
      }
    }
    if (reading.made?.calibration !== undefined) {
      put(out, CALIBRATION);
      stringBytes(out, reading.made.calibration);
    }
    timeBytes(out, t, reading.seq);
    starts.push(out.at);
    return true;
  }

  return {
    write,
    get points() {
      return starts.length - 1;
    },
    get size() {
      return out.at;
    },
    take() {
      const lines = { bytes: out.bytes.subarray(0, out.at), starts };
      out.bytes = new Uint8Array(Math.max(65_536, out.at + (out.at >> 3)));
      out.at = 0;
      starts = [0];
      return lines;
    },
  };
}

const TRUE = encoder.encode('true');
const FALSE = encoder.encode('false');
const SIGMA = encoder.encode(',sigma=');
const WHY = encoder.encode(',why=');
const CALIBRATION = encoder.encode(',calibration=');
const shared = new Map<string, Uint8Array>();

function sharedKey(cause: string): Uint8Array {
  let key = shared.get(cause);
  if (!key) {
    key = encoder.encode(`,${fieldKey(`shared_${cause}`)}=`);
    if (shared.size < 10_000) shared.set(cause, key);
  }
  return key;
}

function makeSeries(reading: Reading, options: LineOptions, next: Series | undefined): Series {
  const { from, index, kind, origin } = reading;
  const dot = from.lastIndexOf('.');
  const tags: readonly (readonly [string, string])[] = [
    ['channel', dot < 0 ? '' : from.slice(dot + 1)],
    ['index', index === undefined ? '' : String(index)],
    ['instrument', dot < 0 ? from : from.slice(0, dot)],
    ['origin', origin],
    ['revision', String(options.revision ?? 0)],
    ['rig', options.rig],
  ]; // in the order of their names, which spares the server a sort
  const head = measurement(kind) + tags.map(([name, value]) => (value === '' ? '' : `,${name}=${tagValue(value)}`)).join('');
  const at = (quality: number, tail: string) => encoder.encode(`${head} quality=${quality}i${tail}`);
  return {
    kind,
    origin,
    index,
    bare: [at(0, ''), at(1, ''), at(2, '')],
    valued: [at(0, ',value='), at(1, ',value='), at(2, ',value=')],
    decimals: decimalsOf(options.resolution?.(from, kind, index)),
    hint: { decimals: 0 },
    next,
  };
}

function put(out: Grow, part: Uint8Array): void {
  if (out.at + part.length > out.bytes.length) grow(out, part.length);
  out.bytes.set(part, out.at);
  out.at += part.length;
}

/** Part of an error bar; a value that is no finite number is left out. */
function term(out: Grow, key: Uint8Array, size: number | undefined, decimals: number | undefined): void {
  if (size === undefined || !Number.isFinite(size)) return;
  put(out, key);
  sigmaBytes(out, size, decimals);
}

function why(out: Grow, text: string): void {
  put(out, WHY);
  stringBytes(out, text);
}
