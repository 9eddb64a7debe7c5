/** Relays between instruments and the sample's contacts: which are closed, and what arrangement of contacts that makes. */
import type { Dac } from './dac.ts';

/** Channels by the name of the arrangement that they make. */
export type Arrangements = Readonly<Record<string, readonly string[]>>;
export const ARRANGEMENTS: Arrangements = { a: ['1', '4'], b: ['2', '3'] };

/** Arrangements as a rig gives them to the driver; the plain ones where it gives none. */
export function arrangementsOf(yaml: unknown, otherwise: Arrangements = ARRANGEMENTS): Arrangements {
  if (yaml === null || typeof yaml !== 'object') return otherwise;
  return Object.fromEntries(Object.entries(yaml).map(([name, list]) => [name, Array.isArray(list) ? list.map(String) : []]));
}

/** Puts the contacts as the closed relays have them: 'a', 'b', any other arrangement of the rig as it stands, or open. */
export function connect(closed: readonly string[], all: Arrangements, w: Dac): void {
  const [name] = Object.entries(all).find(([, list]) => list.length === closed.length && list.every((c) => closed.includes(c))) ?? [];
  w.probe.arrangement = closed.length === 0 || name === undefined ? 'open' : name === 'a' || name === 'b' ? name : 'four-terminal';
}
