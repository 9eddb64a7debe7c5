/** How a simulator is declared: the counterpart of a driver under the same file name, written from the instrument's documentation. */
import type { Links, MOf, QOf, Schema } from './instrument.ts';

export { Fault } from '../protocols/protocol.ts';
export { asRefused, declared, Part, type Scale } from './declared.ts';
export type { Field, Schema } from './instrument.ts';
export { options, terminator, whole, word } from './instrument.ts';
export { Refused } from './talk.ts';

/** The physics that simulators share. It has its own time: it steps in fixed ticks of `dt` seconds, whoever asks and how often. */
export interface World {
  step(dt: number): void;
}

export interface WorldModel<W extends World = World> {
  readonly name: string;
  /** Seconds of one tick. */
  readonly tick: number;
  readonly make: (seed: number) => W;
}

export const world = <W extends World>(model: WorldModel<W>): WorldModel<W> => model;

/** Carries bytes to the simulated device at an address behind this one (a GPIB adapter's bus); undefined when nobody answers. */
export type Beyond = (address: string, bytes: Uint8Array) => Uint8Array | undefined;

export type Answer<L extends Links, R extends keyof L, S, W> = (
  q: QOf<L[R]>,
  s: S,
  w: W,
  t: number,
  beyond: Beyond,
) => readonly MOf<L[R]>[];

export interface Unasked<M, S, W> {
  /** Seconds between two looks at whether the device has something to say. */
  readonly every: number;
  readonly say: (s: S, w: W, t: number) => readonly M[];
}

// biome-ignore lint/suspicious/noExplicitAny: simulators of different states and worlds stand in one list
type Any = any;
export interface Simulator<P = Any, L extends Links = Any, S = Any, W extends World = Any> {
  readonly options: Schema<P>;
  readonly links: (p: P) => L;
  /** The settings of this one device, apart from the shared world. */
  readonly state: (p: P, name: string) => S;
  readonly world: WorldModel<W>;
  /** t in seconds since the world began. No answer is an empty list. */
  readonly answer: { readonly [R in keyof L]?: Answer<L, R, S, W> };
  readonly unasked?: { readonly [R in keyof L]?: Unasked<MOf<L[R]>, S, W> };
  /** What the device does to the world by itself, before each of its ticks. */
  readonly tick?: (s: S, w: W, t: number, dt: number) => void;
  /** Seconds between a question's end and its answer's beginning. */
  readonly think: number;
  /** Roles on which the device takes one TCP client at a time. */
  readonly oneClient: readonly string[];
}

export interface DeclaredSimulator<P, L extends Links, S, W extends World> {
  readonly options?: Schema<P>;
  readonly links: L | ((p: P) => L);
  readonly state: (p: P, name: string) => S;
  readonly world: WorldModel<W>;
  readonly answer: { readonly [R in keyof L]?: Answer<L, R, S, W> };
  readonly unasked?: { readonly [R in keyof L]?: Unasked<MOf<L[R]>, S, W> };
  readonly tick?: (s: S, w: W, t: number, dt: number) => void;
  readonly think?: number;
  readonly oneClient?: readonly (keyof L & string)[];
}

const anything: Schema<Any> = { fields: {}, parse: (yaml) => yaml ?? {} };

/** Declares a simulator. The default export of every file under simulators/. */
export function simulator<L extends Links, S, W extends World, P = Readonly<Record<string, never>>>(
  d: DeclaredSimulator<P, L, S, W>,
): Simulator<P, L, S, W> {
  const links = d.links;
  return {
    options: d.options ?? anything,
    links: typeof links === 'function' ? (links as (p: P) => L) : () => links, // an object or a function of the options, never both
    state: d.state,
    world: d.world,
    answer: d.answer,
    unasked: d.unasked,
    tick: d.tick,
    think: d.think ?? 0.001,
    oneClient: d.oneClient ?? [],
  };
}

/** A uniform number in (0, 1) that depends on seed, name and tick alone: neither on polling rate nor on the order of questions. */
export function uniform(seed: number, name: string, tick: number): number {
  let h = 2166136261 ^ seed;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 16777619);
  // Ticks above 2^32 count too (a year at 10 ms is 3e9).
  h = mix(h ^ (tick >>> 0));
  h = mix(h ^ Math.floor(tick / 4294967296));
  return ((h >>> 0) + 0.5) / 4294967296;
}

// Finaliser of MurmurHash3 (public domain, A. Appleby): every input bit reaches every output bit.
function mix(x: number): number {
  let h = x;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h;
}

/** A standard normal number, a function of (seed, name, tick): Box and Muller. */
export function gauss(seed: number, name: string, tick: number): number {
  const u = uniform(seed, name, tick);
  const v = uniform(seed ^ 0x5bd1e995, name, tick);
  return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
}

/** A Poisson count of the given mean, a function of (seed, name, tick): inversion below 50, above it the rounded normal with skew term. */
export function poisson(mean: number, seed: number, name: string, tick: number): number {
  if (!(mean > 0)) return 0;
  if (mean < 50) {
    const u = uniform(seed, name, tick);
    let p = Math.exp(-mean);
    let sum = p;
    let n = 0;
    while (u > sum && n < 1000) {
      n++;
      p *= mean / n;
      sum += p;
    }
    return n;
  }
  // Cornish-Fisher to second order: matches mean, variance and skewness of the Poisson distribution.
  const z = gauss(seed, name, tick);
  return Math.max(0, Math.round(mean + Math.sqrt(mean) * z + (z * z - 1) / 6));
}
