/** What the methods of resistivity share: inputs as numbers with their bars, outputs with their quality, quantities of the rig. */
import type { Field } from '../instrument.ts';
import { bad, type Kind, type Kinds, type Measured, type Reading, type Sigma, type Values } from '../reading.ts';
import { Refused } from '../talk.ts';
import type { Unit } from '../units.ts';
import type { Known } from './gauge.ts';
import { known, perhaps } from './gauge-parameters.ts';
import { notForward } from './signs.ts';

export type Numeric = Reading<Unit>;

/** An input that the graph has let through: never bad. */
export const valued = (reading: Numeric | undefined): (Known & { readonly from: string }) | undefined =>
  reading === undefined || reading.quality === 'bad' || typeof reading.value !== 'number'
    ? undefined
    : { value: reading.value, from: reading.from, ...(reading.sigma ? { sigma: reading.sigma } : {}) };

/** Every output bad, with one reason. */
export const nothing = <O extends Kinds>(outputs: O, why: string): Values<O> =>
  Object.fromEntries(Object.keys(outputs).map((name) => [name, bad(why)])) as Values<O>; // one bad value for each output

/** A number with its bar; suspect with `why`, bad where it is none. */
export const good = (value: number, sigma?: Sigma, why?: string): Measured<Kind> & Measured<never> =>
  (Number.isFinite(value)
    ? { quality: why === undefined ? 'good' : 'suspect', value, ...(sigma ? { sigma } : {}), ...(why === undefined ? {} : { why }) }
    : bad('not a number')) as Measured<Kind> & Measured<never>; // a number of whichever unit its output has

/** A quantity above zero of the rig; its uncertainty is shared by all that is made with it, under the name of its cause. */
export const amountOf = (about: string, unit: Unit, example: string, cause: string): Field<Known | undefined> =>
  perhaps(about, (v) => {
    const read = known(v, unit, example);
    if (read instanceof Refused) return read;
    if (unit === 'A' && read.value < 0) return new Refused(notForward(read.value, `"${String(v)}"`));
    if (!(read.value > 0)) return new Refused(`must be above zero, not ${String(v)}`);
    return { value: read.value, ...(read.sigma === undefined ? {} : { sigma: { random: 0, shared: { [cause]: read.sigma } } }) };
  });
