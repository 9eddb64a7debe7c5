/** What a rig says of gains and energy scales: the charges to be fitted, and the windows of time. */
import { declared, type Field, type Part } from '../instrument.ts';
import { type ChannelScaleOptions, ENERGY_SCALE_GIVES, GAIN_GIVES } from './channel-scale.ts';
import { GAMMA_SOURCES, type GammaSource } from './compton.ts';
import { type Axis, checkAxis } from './histogram.ts';
import { checkWindows, type WindowOptions } from './scale-windows.ts';

export type GainPart = NonNullable<ChannelScaleOptions['photoelectrons']>;
export type EdgePart = Axis & WindowOptions & { readonly source: GammaSource };

/** What the two options add to the channels of a stream. */
export const scaleGives = (gain: GainPart | undefined, edge: EdgePart | undefined) => ({
  ...(gain ? GAIN_GIVES : {}),
  ...(edge ? ENERGY_SCALE_GIVES : {}),
});

const WINDOWS = ['within', 'longest', 'change'] as const;

export const photoelectronsField = (like: Axis): Field<GainPart | undefined> =>
  declared(
    '{ low, high, bins } of charge in which peaks of single photoelectrons are looked for: gives the gain of each channel and its drift; further keys are pedestal, crosstalk, within, longest, change (docs/detector.md)',
    (part) => {
      if (!part.given) return undefined;
      part.only(['low', 'high', 'bins', 'pedestal', 'crosstalk', ...WINDOWS], shown(like));
      return { ...windows(part, like), ...pedestal(part.at('pedestal')), ...(part.at('crosstalk').flag(false) ? { crosstalk: true } : {}) };
    },
  );

export const edgeField = (like: Axis): Field<EdgePart | undefined> =>
  declared(
    `{ source, low, high, bins } of charge around the Compton edge of a source (${Object.keys(GAMMA_SOURCES).join(', ')}): gives energy_scale and its drift; further keys are within, longest, change`,
    (part) => {
      if (!part.given) return undefined;
      part.only(['source', 'low', 'high', 'bins', ...WINDOWS], `{ source: 137Cs, ${shown(like).slice(2)}`);
      const source = part.at('source').word(Object.keys(GAMMA_SOURCES) as GammaSource[]); // its own keys
      return { ...windows(part, like), source };
    },
  );

const shown = ({ low, high, bins }: Axis): string => `{ low: ${low}, high: ${high}, bins: ${bins} }`;

function windows(part: Part, like: Axis): Axis & WindowOptions {
  const given = ['low', 'high', 'bins'].filter((name) => part.at(name).given);
  if (given.length < 3) return part.wrong(`is written as ${shown(like)}`);
  const axis = { low: part.at('low').number(), high: part.at('high').number(), bins: part.at('bins').whole(1, 65_536) };
  const number = (name: 'within' | 'change') => (part.at(name).given ? { [name]: part.at(name).number() } : {});
  const made = { ...axis, ...number('within'), ...number('change'), ...longest(part.at('longest')) };
  const wrong = checkAxis(axis, 'charge') ?? checkWindows(made);
  return wrong === undefined ? made : part.wrong(wrong);
}

function pedestal(part: Part): Pick<GainPart, 'pedestal'> {
  if (!part.given) return {};
  part.only(['centre', 'sigma'], '{ centre: 0, sigma: 4 }');
  const [centre, sigma] = [part.at('centre').number(), part.at('sigma').number()];
  return sigma > 0 ? { pedestal: { centre, sigma } } : part.at('sigma').wrong(`must be above 0, not ${sigma}`);
}

const longest = (part: Part): { readonly longest?: number } => (part.given ? { longest: part.seconds() } : {});
