/** Conditions of a run: what the readings of some channels were while it went on. */
import { isCondition } from '../derive/detector-plan.ts';
import type { Reading } from '../reading.ts';
import { isUnit } from '../rig-check.ts';
import { show, type Unit } from '../units.ts';
import { Usage } from './command.ts';
import { columns } from './table.ts';

export interface Condition {
  /** As it was asked for: all of a list together, or one of them. */
  readonly of: string;
  readonly unit: Unit | '';
  readonly readings: number;
  /** Readings that were bad. */
  readonly bad: number;
  /** Of numbers; NaN where there is none. `sd` is their spread, no error of the mean. */
  readonly mean: number;
  readonly sd: number;
  readonly least: number;
  readonly most: number;
  /** Of flags and words: how often each was read. */
  readonly words: Readonly<Record<string, number>>;
}

export interface Conditions {
  take(reading: Reading): void;
  readonly all: readonly Condition[];
}

export const CONDITIONS_HELP = `  --conditions A,B    channels of other instruments that belong to the run, such as hv.voltage,plant.purge,hv.current[3]: their mean, spread and range
                      (otherwise "conditions" of the rig's physics)
`;

/** Undefined where the option is not given. Throws Usage. */
export function conditionsAsked(text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined;
  const asked = text.split(',').map((one) => one.trim());
  const wrong = asked.find((one) => !isCondition(one));
  if (wrong !== undefined) throw new Usage(`--conditions: "${wrong}" is no channel; write INSTRUMENT.CHANNEL, such as plant.purge`);
  return [...new Set(asked)];
}

interface Sums {
  unit: Unit | '';
  n: number;
  bad: number;
  mean: number;
  squares: number;
  least: number;
  most: number;
  readonly words: Map<string, number>;
}

export function conditionsOf(channels: readonly string[]): Conditions {
  const all = new Map<string, Sums>();
  for (const of of channels)
    all.set(of, {
      unit: '',
      n: 0,
      bad: 0,
      mean: 0,
      squares: 0,
      least: Number.POSITIVE_INFINITY,
      most: Number.NEGATIVE_INFINITY,
      words: new Map(),
    });
  const add = (s: Sums, r: Reading): void => {
    if (r.quality === 'bad') {
      s.bad++;
      return;
    }
    const { value } = r;
    if (typeof value === 'number') {
      if (isUnit(r.kind)) s.unit = r.kind;
      s.n++;
      const off = value - s.mean;
      s.mean += off / s.n;
      s.squares += off * (value - s.mean);
      s.least = Math.min(s.least, value);
      s.most = Math.max(s.most, value);
    } else if (typeof value === 'string' || typeof value === 'boolean') {
      const word = value === true ? 'on' : value === false ? 'off' : value;
      s.n++;
      s.words.set(word, (s.words.get(word) ?? 0) + 1);
    }
  };
  return {
    take(r) {
      for (const of of r.index === undefined ? [r.from] : [r.from, `${r.from}[${r.index}]`]) {
        const sums = all.get(of);
        if (sums) add(sums, r);
      }
    },
    get all() {
      return [...all].map(([of, { unit, n, bad, mean, squares, least, most, words }]): Condition => {
        const numbers = n > 0 && words.size === 0;
        const number = (value: number): number => (numbers ? value : Number.NaN);
        return {
          ...{ of, unit, readings: n, bad },
          ...{ mean: number(mean), sd: number(n > 1 ? Math.sqrt(squares / (n - 1)) : 0), least: number(least), most: number(most) },
          words: Object.fromEntries(words),
        };
      });
    },
  };
}

/** Numbers in SI; null where there is none. */
export const conditionsJson = (all: readonly Condition[]): Readonly<Record<string, object>> =>
  Object.fromEntries(
    all.map(({ of, unit, readings, bad, mean, sd, least, most, words }) => [
      of,
      Object.keys(words).length > 0
        ? { readings, bad, words }
        : { unit, readings, bad, ...(readings > 0 ? { mean, sd, least, most } : { mean: null, sd: null, least: null, most: null }) },
    ]),
  );

export function conditionsText(all: readonly Condition[]): string {
  if (all.length === 0) return '';
  return `\n${columns([
    ['CONDITION', 'mean', 'spread', 'from', 'to', 'readings'],
    ...all.map(({ of, unit, readings, bad, mean, sd, least, most, words }) => {
      const how = `${readings}${bad > 0 ? `, ${bad} bad` : ''}`;
      if (readings === 0) return [of, 'no reading', '', '', '', how];
      const said = Object.entries(words);
      if (said.length > 0) return [of, said.map(([word, n]) => (said.length === 1 ? word : `${word} ${n}`)).join(', '), '', '', '', how];
      return [of, show(mean, unit), show(Number(sd.toPrecision(3)), unit), show(least, unit), show(most, unit), how];
    }),
  ])}`;
}
