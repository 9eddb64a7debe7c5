/** A channel with many indices in one line of the screen: 64 photomultipliers are looked at as one, and the one that differs is named. */
import type { Reading } from '../reading.ts';
import { show } from '../units.ts';

const NAMED = 4; // indices that are named, at most

/** "0, 3, 17" or "0, 3, 17, 20 and 12 more". */
function named(indices: readonly number[]): string {
  const shown = indices.slice(0, NAMED).join(', ');
  return indices.length > NAMED ? `${shown} and ${indices.length - NAMED} more` : shown;
}
const indexOf = (r: Reading): number => r.index ?? 0;

/** What the list says, without its name and age. Of one channel, in the order of the indices, at least one. */
export function listText(all: readonly Reading[]): string {
  const bad = all.filter((r) => r.quality === 'bad');
  const good = all.filter((r) => r.quality !== 'bad');
  const [first] = bad;
  const troubles = first?.quality === 'bad' ? [`${bad.length} bad (${named(bad.map(indexOf))}): ${first.why}`] : [];
  return [...(good.length > 0 ? [goodText(good)] : []), ...troubles].join('; ');
}

function goodText(good: readonly Reading[]): string {
  const values = good.map((r) => (r.quality === 'bad' ? Number.NaN : Number(r.value)));
  const [{ kind }] = good as readonly [Reading, ...Reading[]]; // at least one: see above
  if (kind === 'flag') {
    const on = good.filter((r) => r.quality !== 'bad' && r.value === true);
    if (on.length === 0 || on.length === good.length) return on.length === 0 ? 'all no' : 'all yes';
    return `yes: ${named(on.map(indexOf))}`;
  }
  if (kind === 'state' || kind === 'trace') {
    const words = new Map<string, number[]>();
    for (const r of good) {
      const word = r.quality === 'bad' || kind === 'trace' ? 'trace' : String(r.value);
      words.set(word, [...(words.get(word) ?? []), indexOf(r)]);
    }
    if (words.size === 1) return `all ${[...words.keys()].join('')}`;
    // The rarest first: it is the one that differs.
    return [...words]
      .sort(([, a], [, b]) => a.length - b.length)
      .map(([word, at]) => (at.length <= NAMED ? `${word}: ${named(at)}` : `${word}: ${at.length}`))
      .join(', ');
  }
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const at = (value: number): number => indexOf(good[values.indexOf(value)] as Reading); // one of them
  if (least === most) return `all ${show(least, kind)}`;
  return `${show(least, kind)} [${at(least)}] to ${show(most, kind)} [${at(most)}]`;
}
