/** The one shape of a measured value, from the wire to InfluxDB. */
import type { Unit } from './units.ts';

export type Kind = Unit | 'flag' | 'state' | 'trace';
export type Kinds = Readonly<Record<string, Kind>>;
export type Of<K extends Kind> = K extends 'flag' ? boolean : K extends 'state' ? string : K extends 'trace' ? Trace : number;

export interface Column {
  readonly unit: Unit;
  readonly data: Float64Array | Float32Array | Int32Array | Uint32Array | Uint16Array | Int16Array;
}

/** Named columns of one shape (row-major). begin..end is the exposure, in microseconds since 1970. */
export interface Trace {
  readonly columns: Readonly<Record<string, Column>>;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
  readonly settings: Readonly<Record<string, number | string>>;
}

/** random: independent between readings; shared: signed size per named common cause (lamp, geometry), added linearly. */
export interface Sigma {
  readonly random: number;
  readonly shared?: Readonly<Record<string, number>>;
}

export type Measured<K extends Kind> = { readonly t?: number } & (
  | { readonly quality: 'good' | 'suspect'; readonly why?: string; readonly value: Of<K>; readonly sigma?: Sigma }
  | { readonly quality: 'bad'; readonly why: string }
);

export type Origin = 'hardware' | 'simulator';

/** What made a derived value: enough to make it again. */
export interface Provenance {
  readonly method: string;
  readonly parameters: string;
  readonly calibration?: string;
  readonly inputs: readonly string[];
}

export type Reading<K extends Kind = Kind> = Measured<K> & {
  /** instrument.channel */
  readonly from: string;
  readonly index?: number;
  readonly kind: K;
  /** Microseconds since 1970. */
  readonly t: number;
  /** Counts the readings of this channel and index, from 0. */
  readonly seq: number;
  readonly origin: Origin;
  readonly made?: Provenance;
};

/** A list gives one reading per index. */
export type Given<K extends Kind> = Of<K> | Measured<K> | readonly (Of<K> | Measured<K>)[];
export type Values<O extends Kinds = Kinds> = { readonly [N in keyof O]?: Given<O[N]> };

export const bad = (why: string): { readonly quality: 'bad'; readonly why: string } => ({ quality: 'bad', why });

/** The whole one-sigma bar: random and every shared cause, causes being independent of one another. */
export function total(sigma: Sigma | undefined): number {
  if (!sigma) return 0;
  let square = sigma.random ** 2;
  for (const size of Object.values(sigma.shared ?? {})) square += size ** 2;
  return Math.sqrt(square);
}
