/** The method `thermocouple`: a voltage and the temperature of the cold junction in, the temperature of the hot one out. */
import { type Field, options, word } from '../instrument.ts';
import { bad, type Reading } from '../reading.ts';
import type { Derivation } from './derivation.ts';
import type { Known } from './gauge.ts';
import { amount, measuredAmount, perhaps } from './gauge-parameters.ts';
import { THERMOCOUPLES, type Thermocouple, thermocouple } from './thermocouple.ts';

interface Params {
  readonly type: Thermocouple;
  readonly junction: Known | undefined;
  readonly tolerance: number | undefined;
}
const INPUTS = { voltage: 'V', cold_junction: 'K' } as const;
const OUTPUTS = { temperature: 'K' } as const;

const junction: Field<Known | undefined> = perhaps(
  'temperature of the cold junction where none is measured, such as 23 degC +- 1 degC',
  (v) => measuredAmount(v, 'K', '23 degC +- 1 degC', 'cold_junction'),
);

export const thermocoupleMethod: Derivation<Params, typeof INPUTS, typeof OUTPUTS, undefined> = {
  method: 'thermocouple',
  inputs: INPUTS,
  optional: ['cold_junction'],
  outputs: OUTPUTS,
  params: options<Params>({
    type: word('letter of the thermocouple', THERMOCOUPLES),
    junction,
    tolerance: perhaps('one sigma of the class of the wire, such as 1.5 K', (v) => amount(v, 'K', '1.5 K', true)),
  }),
  start: () => undefined,
  step(_, inputs, { type, junction: fixed, tolerance }) {
    const { voltage } = inputs;
    const cold: Reading<'K'> | undefined = inputs.cold_junction; // a rig may leave it out
    if (voltage.quality === 'bad') return [undefined, { temperature: bad(voltage.why) }];
    const at = cold && cold.quality !== 'bad' ? cold : fixed;
    if (!at)
      return [
        undefined,
        { temperature: bad('the cold junction is not known: give its channel as "cold_junction", or "junction: 23 degC"') },
      ];
    const got = thermocouple(type, voltage, at, tolerance);
    if (typeof got === 'string') return [undefined, { temperature: bad(got) }];
    const { temperature: value, sigma, suspect } = got;
    const quality = suspect === undefined ? ({ quality: 'good' } as const) : ({ quality: 'suspect', why: suspect } as const);
    return [undefined, { temperature: { ...quality, value, ...(sigma ? { sigma } : {}) } }];
  },
};
