/** What a person writes as an order's value, as the command takes it: a quantity with its unit into SI, on and off into a flag. */
import type { OrderValue } from './entry.ts';
import type { Takes } from './instrument.ts';
import { quantity, show } from './units.ts';

export interface GivenValue {
  readonly value?: OrderValue;
  /** One sigma, where it was written ("12 um +- 1 um"). */
  readonly sigma?: number;
}

const ON = ['on', 'true', 'yes', '1'];
const OFF = ['off', 'false', 'no', '0'];

/** A sentence where it does not fit. `uncertain`: it may carry an uncertainty. A number from a program is in the command's own SI unit; a person writes the unit. */
export function givenValue(takes: Takes, written: string | number | boolean | undefined, uncertain = false): GivenValue | string {
  if (takes === 'nothing') return written === undefined ? {} : 'this command takes no value';
  if (written === undefined)
    return `a value is needed: ${takes === 'flag' ? 'on or off' : takes === 'state' ? 'a word' : `a number in ${takes}`}`;
  if (takes === 'flag') {
    if (typeof written === 'boolean') return { value: written };
    const word = String(written).toLowerCase();
    if (ON.includes(word)) return { value: true };
    if (OFF.includes(word)) return { value: false };
    return `the value must be on or off, not "${written}"`;
  }
  if (takes === 'state') return { value: String(written) };
  if (typeof written === 'boolean') return `the value must be a number in ${takes}, not on or off`;
  const q = quantity(typeof written === 'number' ? written : written.trim());
  if (typeof q === 'string') return q;
  // A bare number in a person's words may have been meant in any unit: 20 is not 20 Pa for whoever thinks in bar.
  const bare = typeof written === 'string' && /^[-+.\deE\s±]*$/.test(written);
  if (bare && takes !== '1')
    return `the unit is missing in "${written}": the value must be in ${takes}, such as "${written.trim()} ${takes}"`;
  if (q.unit !== takes && typeof written !== 'number') return `the value must be in ${takes}, and "${written}" is in ${q.unit}`;
  if (q.sigma !== undefined && !uncertain) return `the value takes no uncertainty: write "${show(q.value, q.unit)}"`;
  return { value: q.value, ...(q.sigma === undefined ? {} : { sigma: q.sigma }) };
}
