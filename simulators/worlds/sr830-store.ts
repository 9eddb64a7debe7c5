/** The data buffers of a Stanford Research SR830: values of both channels' displays at a rate, and the three forms in which they are read. */
import { sampled } from './lock-in.ts';
import { doing, type Entry, general, numeric } from './srs-commands.ts';

export interface Store {
  state: 'reset' | 'running' | 'paused';
  /** Seconds of the world at which the first value that is still there was due. */
  since: number;
  readonly one: number[];
  readonly two: number[];
}

const MOST = 16383; // points of each buffer

export function started(store: Store, t: number, rate: number): void {
  if (store.state === 'running') return;
  store.state = 'running';
  store.since = t - store.one.length / rate;
}
export function paused(store: Store): void {
  if (store.state === 'running') store.state = 'paused';
}
export function emptied(store: Store): void {
  store.state = 'reset';
  store.one.length = store.two.length = 0;
}

/** The moments of a tick, as parts of it, at which values are due. */
export const due = (store: Store, t: number, dt: number, rate: number): readonly number[] =>
  store.state === 'running' ? sampled(store.since + store.one.length / rate, t, dt, rate) : [];

/** Full, the store ends or loses its oldest values. */
export function keep(store: Store, [one, two]: readonly [number, number], loop: boolean, rate: number): void {
  if (store.state !== 'running') return;
  if (store.one.length >= MOST) {
    if (!loop) {
      store.state = 'paused';
      return;
    }
    store.one.shift();
    store.two.shift();
    store.since += 1 / rate;
  }
  store.one.push(one);
  store.two.push(two);
}

/** A message that begins so is bytes without a terminator. */
export const RAW = '\0';

/** Four bytes a point. */
function packed(points: readonly number[], put: (view: DataView, at: number, v: number) => void): string {
  const view = new DataView(new ArrayBuffer(4 * points.length));
  points.forEach((v, i) => {
    put(view, 4 * i, v);
  });
  let text = RAW;
  for (const byte of new Uint8Array(view.buffer)) text += String.fromCharCode(byte);
  return text;
}

/** Mantissa m and exponent e, both of 16 bits, low byte first: m 2^(e - 124) (manual, TRCL?). */
function nonNormalized(view: DataView, at: number, v: number): void {
  const e = v === 0 ? 0 : Math.max(0, Math.ceil(Math.log2(Math.abs(v))) + 124 - 15);
  view.setInt16(at, Math.max(-32768, Math.min(32767, Math.round(v / 2 ** (e - 124)))), true);
  view.setInt16(at + 2, e, true);
}

export function storeTable<S extends { readonly store: Store }>(): readonly (readonly [string, Entry<S>])[] {
  const points = (s: S, args: readonly string[]): readonly number[] | undefined => {
    const [channel, from, n] = [numeric(args[0], 1, 2, true), numeric(args[1], 0, MOST, true), numeric(args[2], 1, MOST, true)];
    const all = channel === 2 ? s.store.two : s.store.one;
    return from + n <= all.length && !Number.isNaN(channel) ? all.slice(from, from + n) : undefined;
  };
  const read = (name: string, form: (points: readonly number[]) => string): readonly [string, Entry<S>] => [
    name,
    {
      get(s, args) {
        const some = points(s, args);
        return some && form(some);
      },
    },
  ];
  return [
    ['SPTS', { get: (s) => String(s.store.one.length) }],
    read('TRCA', (some) => some.map((v) => general(v, 7)).join(',')),
    read('TRCB', (some) => packed(some, (view, at, v) => view.setFloat32(at, v, true))),
    read('TRCL', (some) => packed(some, nonNormalized)),
    doing<S>('REST', (s) => emptied(s.store)),
    doing<S>('PAUS', (s) => paused(s.store)),
  ];
}
