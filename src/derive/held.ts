/** What a part of the optical path was during an exposure: known from before it began, and the same until it had ended. */

import type { Reading, Trace } from '../reading.ts';
import { show, type Unit } from '../units.ts';
import { NOWHERE, samePlace } from './ledger.ts';

/**
 * The last reading from before the trigger's exposure began (for a trigger that is no trace, from before its time), no older than `reach`
 * (microseconds), where it and every reading after it are good and of one value, up to the first that came when the exposure had ended;
 * otherwise a sentence. Readings that have not come yet are not waited for. `kept` is in order of time.
 */
export function heldThrough(kept: readonly Reading[], from: string, reach: number, trigger: Reading): Reading | string {
  const { begin, end } = exposureOf(trigger);
  const at = kept.findLastIndex((r) => r.t <= begin);
  const before = kept[at];
  if (!before || begin - before.t > reach)
    return `${from} is not known: it had not been read within ${reach / 1e6} s before the exposure began`;
  const first = placeOf(before, from);
  if (typeof first !== 'object') return first;
  let changed: string | undefined;
  for (let i = at + 1; i < kept.length; i++) {
    const next = kept[i];
    if (!next) break;
    const place = placeOf(next, from);
    if (typeof place !== 'object') changed ??= place;
    else if (!samePlace(first.value, place.value)) return `${from} changed during the exposure (${first.shown} -> ${place.shown})`;
    if (next.t >= end) break;
  }
  return changed ?? before;
}

function exposureOf(trigger: Reading): { readonly begin: number; readonly end: number } {
  if (trigger.kind !== 'trace' || trigger.quality === 'bad') return { begin: trigger.t, end: trigger.t };
  const { begin, end } = trigger.value as Trace; // its kind says so
  return { begin, end: Math.max(begin, end) };
}

interface Place {
  readonly value: number | string;
  readonly shown: string;
}

/** As an entry of a path is compared: a flag is the word on or off. */
export function placeOf(reading: Reading, from = reading.from): Place | string {
  if (reading.quality === 'bad') return `${from} is not known: ${reading.why}`;
  if (reading.quality === 'suspect') return `${from} is not sure: ${reading.why ?? 'suspect'}`;
  const value = reading.value as number | string | boolean; // the rig's check lets no trace pass
  if (typeof value === 'string' && NOWHERE.includes(value)) return `${from} is ${value === 'unknown' ? 'not known' : value}`;
  if (typeof value === 'number') return { value, shown: show(value, reading.kind as Unit) }; // a number has a unit
  const word = typeof value === 'boolean' ? (value ? 'on' : 'off') : value;
  return { value: word, shown: word };
}
