/** Runs side by side: rates, charges, light yield, capture time, direction and conditions, and how far apart they are in sigma. */

import { digits } from './analyse-events.ts';
import type { Measure } from './analyse-measures.ts';
import { columns } from './table.ts';

/** One quantity of all runs; differences are to the first of them. */
export interface Compared {
  readonly quantity: string;
  readonly unit: string;
  /** What sigma is: the error of the value, or the spread of readings. */
  readonly of: Measure['of'];
  readonly values: readonly ({ readonly value: number; readonly sigma: number } | null)[];
  readonly differences: readonly ({ readonly difference: number; readonly sigma: number; readonly sigmas: number | null } | null)[];
}

/** From here on a difference is pointed at. */
const FAR = 3;

/** Every quantity that a run has; null where one has none. Sigmas are null where neither value has an error and they differ. */
export function compared(runs: readonly (readonly Measure[])[]): readonly Compared[] {
  const names = [...new Set(runs.flatMap((run) => run.map((m) => m.quantity)))];
  return names.map((quantity) => {
    const found = runs.map((run) => run.find((m) => m.quantity === quantity));
    const [first] = found;
    const some = found.find((m) => m !== undefined);
    return {
      quantity,
      unit: some?.unit ?? '',
      of: some?.of ?? 'error',
      values: found.map((m) => (m ? { value: m.value, sigma: m.sigma } : null)),
      differences: found.slice(1).map((m) => {
        if (!m || !first) return null;
        const turn = m.turn ?? Number.POSITIVE_INFINITY;
        const straight = m.value - first.value;
        const [difference, sigma] = [
          Math.abs(straight) > turn / 2 ? straight - Math.sign(straight) * turn : straight,
          Math.hypot(m.sigma, first.sigma),
        ];
        return { difference, sigma, sigmas: difference === 0 ? 0 : sigma > 0 ? Math.abs(difference) / sigma : null };
      }),
    };
  });
}

/** A column for each run, and one for each difference to the first. */
export function comparisonText(names: readonly string[], all: readonly Compared[]): string {
  const head = names.map((name, i) => `  ${i + 1}  ${name}`).join('\n');
  const cell = (v: Compared['values'][number]): string => (v === null ? '-' : `${digits(v.value, 6)} ± ${digits(v.sigma, 2)}`);
  const shown = all.filter((c) => !OF_CHANNELS.some(([, is]) => is.test(c.quantity)));
  const table = columns([
    ['QUANTITY', ...names.map((_, i) => String(i + 1)), ...names.slice(1).map((_, i) => `${i + 2} less 1`)],
    ...shown.map(({ quantity, unit, values, differences }) => [
      `${quantity}${unit === '' ? '' : ` (${unit})`}`,
      ...values.map(cell),
      ...differences.map((d) =>
        d === null ? '-' : `${digits(d.difference, 3)}${d.sigmas === null ? '' : `, ${d.sigmas.toFixed(1)} sigma`}${far(d) ? ' !' : ''}`,
      ),
    ]),
  ]);
  const spread = shown.some(({ of }) => of === 'spread') ? 'Conditions: ± is the spread of their readings.\n' : '';
  return `RUNS\n${head}\n\n${table}${spread}${OF_CHANNELS.map(([name, is]) =>
    channelsText(
      name,
      all.filter((c) => is.test(c.quantity)),
    ),
  ).join('')}`;
}

const far = (d: NonNullable<Compared['differences'][number]>): boolean => d.sigmas === null || d.sigmas >= FAR;

/** Quantities of single channels, by their names. */
const OF_CHANNELS = [
  ['Mean charges', /^charge /],
  ['Gains', /\bgain \d+$/],
  ['Energy scales', /\benergy scale \d+$/],
] as const;

/** Of single channels: only how many have changed, and the worst. */
function channelsText(name: string, charges: readonly Compared[]): string {
  const runs = charges[0]?.differences.length ?? 0;
  let text = '';
  for (let i = 0; i < runs; i++) {
    // Of many channels some are beyond three sigma by chance.
    const limit = Math.max(FAR, Math.sqrt(2 * Math.log(20 * charges.length)));
    const changed = charges
      .flatMap((c) => {
        const [d, first] = [c.differences[i], c.values[0]];
        return d && first && (d.sigmas ?? Number.POSITIVE_INFINITY) >= limit
          ? [{ channel: c.quantity.replace(/(charge|gain|energy scale) /, ''), part: d.difference / first.value, d }]
          : [];
      })
      .sort((a, b) => Math.abs(b.part) - Math.abs(a.part));
    const [worst] = changed;
    text +=
      worst === undefined
        ? `${name} of ${charges.length} channels, ${i + 2} less 1: none beyond ${limit.toFixed(1)} sigma.\n`
        : `${name} of ${charges.length} channels, ${i + 2} less 1: ${changed.length} beyond ${limit.toFixed(1)} sigma, most in channel ${worst.channel}: ${(100 * worst.part).toFixed(1)} %.\n`;
  }
  return text;
}
