/** The capture buffer of a Stanford Research SR860: values of X, Y, R and theta at a rate, read as a block of little-endian floats. */
import { encodeBlock } from '../../protocols/scpi.ts';
import { sampled } from './lock-in.ts';
import { asked, doing, type Entry, numeric, single, wordIndex } from './srs-commands.ts';

export interface Capture {
  /** Kilobytes, what is captured, and the rate as a power of two below the highest. */
  readonly set: Record<string, number>;
  running: boolean;
  /** Goes on from the beginning when it is full. */
  continuous: boolean;
  wrapped: boolean;
  since: number;
  /** Values since the start, and the place of the next. */
  taken: number;
  readonly values: number[];
}

export const capture = (): Capture => ({
  set: { CAPTURELEN: 256, CAPTURECFG: 0, CAPTURERATE: 0 },
  running: false,
  continuous: false,
  wrapped: false,
  since: 0,
  taken: 0,
  values: [],
});

/** Which of X, Y, R, theta a configuration holds. */
const HELD = [[0], [0, 1], [2, 3], [0, 1, 2, 3]] as const;
const perSample = (c: Capture): number => HELD[c.set.CAPTURECFG]?.length ?? 1;
const room = (c: Capture): number => Math.floor((c.set.CAPTURELEN * 256) / perSample(c));
/** Hz: half for each step of the time constant above 1 us, of which there are two in a decade. */
export const highestRate = (oflt: number): number => 1.25e6 / 2 ** Math.min(oflt, 20);

export const due = (c: Capture, t: number, dt: number, rate: number): readonly number[] => {
  if (!c.running) return [];
  const all = sampled(c.since + c.taken / rate, t, dt, rate);
  return c.continuous ? all : all.slice(0, room(c) - c.taken);
};

export function take(c: Capture, outputs: readonly number[]): void {
  const held = HELD[c.set.CAPTURECFG] ?? [0];
  const at = (c.taken % room(c)) * held.length;
  for (const [k, which] of held.entries()) c.values[at + k] = outputs[which];
  c.taken++;
  if (c.taken % room(c) !== 0) return;
  if (c.continuous) c.wrapped = true;
  else c.running = false;
}

const bytes = (c: Capture): number => 4 * c.values.length;
/** Kilobytes captured, rounded up to two. */
const kilobytes = (c: Capture): number => 2 * Math.ceil(bytes(c) / 2048);

function block(c: Capture, from: number, length: number): string {
  const view = new DataView(new ArrayBuffer(1024 * length));
  for (let i = 0; i < 256 * length; i++) view.setFloat32(4 * i, c.values[256 * from + i] ?? 0, true);
  return encodeBlock(new Uint8Array(view.buffer));
}

interface Capturing {
  readonly capture: Capture;
  readonly set: Record<string, number>;
}
export function captureTable<S extends Capturing>(): readonly (readonly [string, Entry<S>])[] {
  const of = (s: S): Record<string, number> => s.capture.set;
  const idle = (n: number, s: S): number => (s.capture.running ? Number.NaN : n);
  return [
    single<S>('CAPTURELEN', of, 1, 4096, { then: (n, s) => idle(2 * Math.ceil(n / 2), s) }),
    single<S>('CAPTURECFG', of, 0, 3, { words: ['X', 'XY', 'RT', 'XYRT'], then: idle }),
    ['CAPTURERATEMAX', { get: (s) => String(highestRate(s.set.OFLT)) }],
    [
      'CAPTURERATE',
      {
        get: (s) => String(highestRate(s.set.OFLT) / 2 ** s.capture.set.CAPTURERATE),
        set(s, args) {
          const n = idle(numeric(args[0], 0, 20, true), s);
          if (!Number.isNaN(n)) s.capture.set.CAPTURERATE = n;
          return !Number.isNaN(n);
        },
      },
    ],
    [
      'CAPTURESTART',
      {
        set(s, [mode, trigger = '0'], _w, t) {
          const place = (words: readonly string[], said: string | undefined): number => {
            const number = numeric(said, 0, words.length - 1, true);
            const found = Number.isNaN(number) ? wordIndex(words, said) : -1;
            return found >= 0 ? found : number;
          };
          const [once, start] = [place(['ONESHOT', 'CONTINUOUS'], mode), place(['IMMEDIATE', 'TRIG', 'SAMPPERTRIG'], trigger)];
          if (Number.isNaN(once + start)) return false;
          // Nothing triggers it here: with a trigger it waits.
          Object.assign(s.capture, { running: start === 0, continuous: once === 1, wrapped: false, since: t, taken: 0 });
          s.capture.values.length = 0;
          return true;
        },
      },
    ],
    doing<S>('CAPTURESTOP', (s) => void (s.capture.running = false)),
    ['CAPTURESTAT', { get: ({ capture: c }) => String((c.running ? 1 : 0) + (c.taken > 0 ? 2 : 0) + (c.wrapped ? 4 : 0)) }],
    ['CAPTUREBYTES', { get: (s) => String(bytes(s.capture)) }],
    ['CAPTUREPROG', { get: (s) => (s.capture.running ? undefined : String(kilobytes(s.capture))) }],
    asked<S>('CAPTUREVAL', 0, 1 << 20, ({ capture: c }, n) => {
      const held = perSample(c);
      return c.values
        .slice(n * held, (n + 1) * held)
        .map((v) => v.toExponential(6))
        .join(',');
    }),
    [
      'CAPTUREGET',
      {
        get({ capture: c }, args) {
          const [from, length] = [numeric(args[0], 0, 4096, true), numeric(args[1], 1, 64, true)];
          return from <= kilobytes(c) && length <= kilobytes(c) ? block(c, from, length) : undefined;
        },
      },
    ],
  ];
}
