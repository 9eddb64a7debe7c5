/** Values of conditions as people write them: limits and the value beside them in one unit, with the same decimals. */
import type { Condition, Leaf, Test } from './condition.ts';
import type { Kind } from './reading.ts';
import { show } from './units.ts';

/** Name, factor and offset: SI = value * factor + offset. The first is taken where several are as short. */
type Scale = readonly [string, number, number?];

const SCALES: Readonly<Record<string, readonly Scale[]>> = {
  K: [
    ['°C', 1, 273.15],
    ['K', 1],
  ],
  Pa: [
    ['bar', 1e5],
    ['mbar', 100],
    ['GPa', 1e9],
    ['Pa', 1],
  ],
  '1': [
    ['', 1],
    ['%', 0.01],
  ],
  s: [
    ['s', 1],
    ['ms', 1e-3],
    ['min', 60],
    ['h', 3600],
  ],
  rad: [
    ['deg', Math.PI / 180],
    ['rad', 1],
  ],
  V: [
    ['V', 1],
    ['kV', 1e3],
    ['mV', 1e-3],
    ['µV', 1e-6],
  ],
  A: [
    ['A', 1],
    ['mA', 1e-3],
    ['µA', 1e-6],
  ],
  W: [
    ['W', 1],
    ['mW', 1e-3],
    ['kW', 1e3],
  ],
  m: [
    ['mm', 1e-3],
    ['µm', 1e-6],
    ['nm', 1e-9],
    ['m', 1],
  ],
  'K/s': [
    ['K/min', 1 / 60],
    ['K/s', 1],
  ],
  'Pa/s': [
    ['bar/min', 1e5 / 60],
    ['bar/s', 1e5],
    ['mbar/s', 100],
    ['Pa/s', 1],
  ],
};

const shortest = (x: number): string => String(Number(x.toPrecision(9)));
const decimalsOf = (x: number): number => /\.(\d+)$/.exec(shortest(x))?.[1]?.length ?? 0;

function scalesOf(kind: Kind, slope: boolean): readonly Scale[] {
  const plain = SCALES[kind] ?? [[kind, 1]];
  if (!slope) return plain;
  const by = kind === 'K' ? [['K', 1] as const] : plain;
  return by.flatMap(([name, factor]) => [
    [`${name || '1'}/min`, factor / 60],
    [`${name || '1'}/s`, factor],
    [`${name || '1'}/h`, factor / 3600],
  ]);
}

/** The value and the limits, each with decimals enough to tell the value from its limits; the unit is that in which the limits are short. */
export function alike(
  kind: Kind,
  slope: boolean,
  value: number,
  limits: readonly number[],
): { readonly value: string; readonly limits: readonly string[]; readonly unit: string } {
  const scales = scalesOf(kind, slope);
  const length = ([, factor, offset = 0]: Scale): number => limits.reduce((n, l) => n + shortest((l - offset) / factor).length, 0);
  const [name, factor, offset = 0] = scales.reduce((best, one) => (length(one) < length(best) ? one : best));
  const inIt = (x: number): number => (x - offset) / factor;
  const all = [value, ...limits].map(inIt);
  const largest = Math.max(...all.map(Math.abs));
  const least = Number.isFinite(largest) && largest > 0 ? 2 - Math.floor(Math.log10(largest)) : 0;
  let decimals = Math.min(9, Math.max(0, least, ...limits.map((l) => decimalsOf(inIt(l)))));
  const text = (x: number): string => inIt(x).toFixed(decimals);
  while (decimals < 9 && limits.some((l) => l !== value && text(l) === text(value))) decimals++;
  return { value: text(value), limits: limits.map(text), unit: name && ` ${name}` };
}

export const spoken = (word: string | boolean): string => (typeof word === 'boolean' ? (word ? 'on' : 'off') : word);

export const limitsOf = (test: Test): readonly number[] =>
  test.is === 'between' ? [test.lo, test.hi] : test.is === 'one-of' ? [] : [test.limit];

/** "is 41.2 °C, not below 40.0 °C"; `by`: how far past the limit it would have to be. */
export function brokenWords(leaf: Leaf, value: number | boolean | string, by = 0): string {
  const { test, slope } = leaf;
  if (test.is === 'one-of') return `is ${spoken(value as boolean | string)}, not ${test.words.map(spoken).join(' or ')}`; // what one-of looks at
  const verb = slope === undefined ? 'is' : 'changes by';
  const past = by === 0 ? test : pastBy(test, by);
  const said = alike(leaf.kind, slope !== undefined, Number(value), limitsOf(past));
  const [a = '', b = ''] = said.limits;
  const wanted = past.is === 'between' ? `between ${a} and ${b}${said.unit}` : `${past.is} ${a}${said.unit}`;
  return `${verb} ${said.value}${said.unit}, ${by === 0 ? 'not' : 'not yet'} ${wanted}${by === 0 ? '' : ' again'}`;
}

/** "is 39.0 °C" */
export function valueWords(leaf: Leaf, value: number | boolean | string): string {
  if (typeof value !== 'number') return `is ${spoken(value)}`;
  const said = alike(leaf.kind, leaf.slope !== undefined, value, limitsOf(leaf.test));
  return `${leaf.slope === undefined ? 'is' : 'changes by'} ${said.value}${said.unit}`;
}

/** The same test with the limits moved inwards. */
export const pastBy = (test: Test, by: number): Test => {
  switch (test.is) {
    case 'above':
      return { is: 'above', limit: test.limit + by };
    case 'below':
      return { is: 'below', limit: test.limit - by };
    case 'between':
      return { is: 'between', lo: test.lo + by, hi: test.hi - by };
    default:
      return test;
  }
};

/** "2.1 s", "10 min" */
export const duration = (seconds: number): string => {
  if (seconds >= 120) {
    const minutes = Number((seconds / 60).toPrecision(3));
    return minutes >= 120 ? `${Number((seconds / 3600).toPrecision(3))} h` : `${minutes} min`;
  }
  return seconds >= 10 ? `${Number(seconds.toPrecision(3))} s` : show(Number(seconds.toPrecision(2)), 's');
};

/** "laser.temperature below 40 °C and (guard.door on or guard.key on)" */
export function conditionWords(condition: Condition, inside = false): string {
  if ('of' in condition) {
    const { of, index, test, slope } = condition;
    const name = index === undefined ? of : `${of}[${index}]`;
    if (test.is === 'one-of') return `${name} ${test.words.map(spoken).join(' or ')}`;
    const limits = limitsOf(test);
    const said = alike(condition.kind, slope !== undefined, limits[0] ?? 0, limits);
    const changing = slope === undefined ? '' : ' changing by';
    return `${name}${changing} ${test.is === 'between' ? `between ${said.limits.join(' and ')}` : `${test.is} ${said.limits[0]}`}${said.unit}`;
  }
  const all = 'all' in condition;
  const text = (all ? condition.all : condition.any).map((one) => conditionWords(one, true)).join(all ? ' and ' : ' or ');
  return inside ? `(${text})` : text;
}
