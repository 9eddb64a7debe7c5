/** What the simulated detectors have in common in a rig: where they look, through which grating, and what is wrong with them. */
import { type Field, Refused, whole, word } from '../../src/simulator.ts';
import { quantity } from '../../src/units.ts';
import type { Moment } from './light.ts';
import type { Flaws } from './light-detector.ts';

export interface Looking {
  readonly beam: 'side' | 'gauge';
  /** Metre. */
  readonly range: readonly [number, number] | undefined;
  /** Metre by which the wavelengths that it tells are too long. */
  readonly drift: number;
  readonly laser: number;
  readonly excited: boolean | undefined;
  readonly dark: number;
  readonly hot: number;
  readonly cosmic: number;
  /** Seconds of the world. */
  readonly blind: readonly [number, number] | undefined;
}

function amount(yaml: unknown, unit: 'm' | 's', example: string): number | Refused {
  const read = typeof yaml === 'string' ? quantity(yaml) : `must be written with its unit, such as "${example}"`;
  if (typeof read === 'string') return new Refused(read);
  return read.unit === unit ? read.value : new Refused(`must be such as "${example}", not ${JSON.stringify(yaml)}`);
}

function pair(about: string, unit: 'm' | 's', low: string, high: string): Field<readonly [number, number] | undefined> {
  const example = `[${low}, ${high}]`;
  return {
    about: `${about}, such as ${example}`,
    of(yaml) {
      if (yaml === undefined) return undefined;
      if (!Array.isArray(yaml) || yaml.length !== 2) return new Refused(`must be a pair such as ${example}, not ${JSON.stringify(yaml)}`);
      const [a, b] = [amount(yaml[0], unit, low), amount(yaml[1], unit, high)];
      if (a instanceof Refused) return a;
      if (b instanceof Refused) return b;
      return a >= 0 && a < b ? [a, b] : new Refused(`must rise, such as ${example}`);
    },
  };
}

const rate = (about: string, otherwise: number): Field<number> => ({
  about: `${about} (otherwise ${otherwise})`,
  of(yaml) {
    const value = yaml ?? otherwise;
    if (typeof value === 'number' && value >= 0 && Number.isFinite(value)) return value;
    return new Refused(`must be a number, 0 or more, not ${JSON.stringify(value)}`);
  },
});

/** Wavelengths outside of which no silicon sees. */
const SILICON = [300e-9, 1100e-9] as const;

/** The fields of these options; `flaws` are those of a usual detector of the kind. */
export function looking(flaws: Flaws): { readonly [N in keyof Looking]-?: Field<Looking[N]> } {
  const range = pair('wavelengths that it sees, as with another grating; otherwise as it is made', 'm', '685 nm', '715 nm');
  return {
    beam: word('"gauge" looks at the ruby and the anvil instead of the sample', ['side', 'gauge'] as const, 'side'),
    range: {
      about: range.about,
      of(yaml) {
        const read = range.of(yaml);
        if (!read || read instanceof Refused || (read[0] >= SILICON[0] && read[1] <= SILICON[1])) return read;
        return new Refused('must lie between 300 nm and 1100 nm');
      },
    },
    drift: {
      about: 'by how much the wavelengths that it tells are too long, as before a calibration, such as 0.2 nm (otherwise 0)',
      of: (yaml) => (yaml === undefined ? 0 : amount(yaml, 'm', '0.2 nm')),
    },
    laser: {
      about: 'wavelength of the laser that excites ruby and anvil, such as 660 nm (otherwise 532 nm)',
      of(yaml) {
        const read = yaml === undefined ? 532e-9 : amount(yaml, 'm', '532 nm');
        return read instanceof Refused || (read >= SILICON[0] && read <= SILICON[1])
          ? read
          : new Refused('must lie between 300 nm and 1100 nm');
      },
    },
    excited: {
      about: 'true: that laser always shines; otherwise a lamp or LED in the beam "gauge" says, and where there is none, false says never',
      of: (yaml) => (yaml === undefined || typeof yaml === 'boolean' ? yaml : new Refused('must be true or false')),
    },
    dark: rate('electrons per second of any pixel without light', flaws.dark),
    hot: whole('hot pixels', 0, 10_000, flaws.hot),
    cosmic: rate('cosmic hits per second on the detector', flaws.cosmic),
    blind: pair('time from the beginning during which no light reaches it', 's', '20 s', '25 s'),
  };
}

/** What reaches it between two ticks that end at t. */
export const reaching = ({ blind }: Pick<Looking, 'blind'>, moment: Moment, t: number): Moment =>
  blind && t > blind[0] && t <= blind[1] ? { ...moment, blind: true } : moment;
