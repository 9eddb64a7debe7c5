/**
 * The method `two-sides`: one temperature of the two sides of a sample. The weighted mean where the sides agree within three sigma of their
 * difference; else the plain mean with half of the difference as an error of its own, because then no average is the sample's temperature.
 */
import { type Field, options, Refused, word } from '../instrument.ts';
import { bad, type Measured, type Reading, type Sigma, type Values } from '../reading.ts';
import type { Derivation } from './derivation.ts';

const INPUTS = { a: 'K', b: 'K' } as const;
const OUTPUTS = { temperature: 'K', difference: 'K', rule: 'state' } as const;
type Outputs = typeof OUTPUTS;

interface Params {
  readonly one_side: 'refuse' | 'allow';
  /** Causes that each side has for itself, although they have one name. */
  readonly own: readonly string[];
}

/** Beyond so many sigma of their difference the sides do not agree. */
const AGREE = 3;
/** The spread of a side's fits over its windows, and its scatter from run to run, are that side's own. */
const OWN = ['window', 'reproducibility'];

const own: Field<readonly string[]> = {
  about: `causes of uncertainty that each side has for itself, although both call them alike; otherwise [${OWN.join(', ')}]`,
  of: (v = OWN) =>
    Array.isArray(v) && v.every((name) => typeof name === 'string') ? v : new Refused('must be a list of names, such as [window]'),
};

type Known = Extract<Reading<'K'>, { readonly quality: 'good' | 'suspect' }>;

/** `p` times a plus `q` times b: causes that both share add with their signs, all others and the random parts in square. */
function joined(p: number, a: Sigma, q: number, b: Sigma, own: readonly string[]): Sigma {
  const shared: Record<string, number> = {};
  for (const cause of new Set([...Object.keys(a.shared ?? {}), ...Object.keys(b.shared ?? {})])) {
    const [x, y] = [p * (a.shared?.[cause] ?? 0), q * (b.shared?.[cause] ?? 0)];
    shared[cause] = own.includes(cause) ? Math.hypot(x, y) : x + y;
  }
  return { random: Math.hypot(p * a.random, q * b.random), shared };
}

const variance = ({ random, shared = {} }: Sigma): number => Object.values(shared).reduce((sum, size) => sum + size ** 2, random ** 2);

/** The part of a in the mean of least variance, from 0 to 1. What both sides share equally says nothing of their weights. */
function weight(a: Sigma, b: Sigma, own: readonly string[]): number {
  let common = 0;
  for (const [cause, size] of Object.entries(a.shared ?? {})) if (!own.includes(cause)) common += size * (b.shared?.[cause] ?? 0);
  const [alone, other] = [variance(a) - common, variance(b) - common];
  const sum = alone + other;
  return sum > 0 ? Math.min(1, Math.max(0, other / sum)) : 0.5;
}

function both(a: Known, b: Known, own: readonly string[]): Values<Outputs> {
  const gap = a.value - b.value;
  if (!a.sigma || !b.sigma) {
    const why = `${(a.sigma ? b : a).from} has no error bar: nobody can say whether the sides agree`;
    const sigma = { random: 0, shared: { sides: Math.abs(gap) / 2 } };
    return {
      temperature: { quality: 'suspect', why, value: (a.value + b.value) / 2, sigma },
      difference: { quality: 'suspect', why, value: gap },
      rule: 'half-difference',
    };
  }
  const difference = joined(1, a.sigma, -1, b.sigma, own);
  const agree = Math.abs(gap) < AGREE * Math.sqrt(variance(difference));
  const part = agree ? weight(a.sigma, b.sigma, own) : 0.5;
  const sigma = joined(part, a.sigma, 1 - part, b.sigma, own);
  const sides = Math.hypot(sigma.shared?.sides ?? 0, gap / 2);
  return {
    temperature: {
      quality: 'good',
      value: part * a.value + (1 - part) * b.value,
      sigma: agree ? sigma : { ...sigma, shared: { ...sigma.shared, sides } },
    },
    difference: { quality: 'good', value: gap, sigma: difference },
    rule: agree ? 'weighted' : 'half-difference',
  };
}

const whyOf = (r: Reading<'K'>): string => (r.quality === 'bad' ? `${r.from}: ${r.why}` : '');

function fewer(a: Reading<'K'>, b: Reading<'K'>, one: Params['one_side']): Values<Outputs> {
  const [left, lost] = a.quality === 'bad' ? [b, a] : [a, b];
  if (left.quality === 'bad') {
    const why = `${whyOf(a)}; ${whyOf(b)}`;
    return { temperature: bad(why), difference: bad(why), rule: bad(why) };
  }
  const why = `only one side: ${whyOf(lost)}`;
  if (one === 'refuse') return { temperature: bad(why), difference: bad(why), rule: bad(why) };
  const temperature: Measured<'K'> = {
    quality: 'suspect',
    why: `${left.from} alone: ${whyOf(lost)}`,
    value: left.value,
    ...(left.sigma ? { sigma: left.sigma } : {}),
  };
  return { temperature, difference: bad(why), rule: { quality: 'suspect', why, value: 'one side' } };
}

/**
 * `temperature`: the combination, with random part and each shared cause carried through the weights, and `sides` where the sides disagree.
 * `difference`: a less b. `rule`: weighted, half-difference, or one side. A side that is bad makes all bad, unless `one_side: allow`.
 */
export const twoSides: Derivation<Params, typeof INPUTS, Outputs, undefined> & { readonly takesBad: true } = {
  method: 'two-sides',
  inputs: INPUTS,
  outputs: OUTPUTS,
  takesBad: true,
  params: options<Params>({
    one_side: word('what a missing side leaves: nothing, or the other side, as suspect', ['refuse', 'allow'] as const, 'refuse'),
    own,
  }),
  start: () => undefined,
  step: (_, { a, b }, p) => [undefined, a.quality === 'bad' || b.quality === 'bad' ? fewer(a, b, p.one_side) : both(a, b, p.own)],
};
