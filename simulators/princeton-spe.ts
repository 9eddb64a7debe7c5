import { readSpe } from '../protocols/spe.ts';
import { type SpeFile, speFile } from '../protocols/spe-file.ts';
import { type Field, options, Refused, simulator, word } from '../src/simulator.ts';
import { quantity } from '../src/units.ts';
import { axisOf, CAMERA, type Camera, exposed, spectrumFile } from './worlds/camera.ts';
import { type Dac, dac } from './worlds/dac.ts';
import { Gathered } from './worlds/light.ts';
import { type Looking, looking, reaching } from './worlds/light-options.ts';

interface Options extends Looking {
  readonly side: 'both' | 'up' | 'down';
  readonly exposure: number;
  readonly every: number;
  readonly gain: number;
  readonly read_noise: number;
  readonly gated: boolean;
}
interface State {
  readonly name: string;
  readonly options: Options;
  readonly camera: Camera;
  /** Ticks of the world since the camera was switched on. */
  ticks: number;
  /** The light of the exposure that runs. */
  light: Gathered;
  /** Exposures that have ended and are not files yet. */
  ended: { readonly number: number; readonly light: Gathered }[];
  number: number;
}

const positive = (about: string, otherwise: number, unit?: 's'): Field<number> => ({
  about: `${about} (otherwise ${otherwise}${unit ? ' s' : ''})`,
  of(yaml) {
    const read = typeof yaml === 'string' ? quantity(yaml) : { value: yaml ?? otherwise, unit };
    if (typeof read === 'string') return new Refused(read);
    if (typeof read.value === 'number' && read.value > 0 && read.unit === unit) return read.value;
    return new Refused(`must be ${unit ? 'a time such as "0.5 s"' : 'a number'} above zero, not ${JSON.stringify(yaml)}`);
  },
});

/** Collects light tick by tick: exposures of `exposure` seconds, one begun every `every` seconds. */
function collect(s: State, w: Dac, t: number, dt: number): void {
  const long = Math.max(1, Math.round(s.options.exposure / dt));
  const period = Math.max(long, Math.round(s.options.every / dt));
  if (s.options.gated && !(w.absorbedPower > 0)) {
    s.ticks = 0; // an exposure that the laser leaves is none
    return;
  }
  const at = s.ticks++ % period;
  if (at === 0) s.light = new Gathered();
  if (at >= long) return;
  s.light.add(reaching(s.options, w.moment, t), dt);
  if (at === long - 1) s.ended.push({ number: ++s.number, light: s.light });
}

function files(s: State, w: Dac): readonly SpeFile[] {
  return s.ended.splice(0).map(({ number, light }) => {
    const counts = exposed(light, s.camera, w.seed, s.name, number);
    const bytes = spectrumFile([counts], s.camera.exposure, s.camera.wavelength);
    return {
      name: `spectrum-${String(number).padStart(6, '0')}.spe`,
      bytes,
      get read() {
        return readSpe(bytes);
      },
    };
  });
}

function camera(p: Options): Camera {
  const { exposure, gain, read_noise: readNoise, dark, hot, cosmic, laser, excited, range, drift } = p;
  const wavelength = range ? axisOf(...range) : CAMERA.wavelength;
  return {
    ...CAMERA,
    ...{ exposure, gain, readNoise, dark, hot, cosmic },
    views: p.beam === 'gauge' ? ['gauge'] : p.side === 'both' ? ['up', 'down'] : [p.side],
    wavelength,
    seen: drift === 0 ? wavelength : wavelength.map((l) => l - drift),
    excitation: { laser, excited },
  };
}

/** A camera that looks at both sides of the cell, or at its ruby and anvil, and saves each exposure as an SPE 3.0 file. */
export default simulator({
  options: options<Options>({
    exposure: positive('exposure', CAMERA.exposure, 's'),
    every: positive('time from one exposure to the next', 1, 's'),
    gain: positive('electrons per count', CAMERA.gain),
    read_noise: positive('counts rms per pixel', CAMERA.readNoise),
    side: word('sides of the cell that it sees', ['both', 'up', 'down'] as const, 'both'),
    ...looking(CAMERA),
    gated: {
      about: 'true: exposures only while a laser is on the sample (otherwise false)',
      of: (yaml) => (yaml === undefined || typeof yaml === 'boolean' ? (yaml ?? false) : new Refused('must be true or false')),
    },
  }),
  links: { main: speFile() },
  world: dac,
  state: (p: Options, name): State => ({
    name,
    options: p,
    camera: camera(p),
    ticks: 0,
    light: new Gathered(),
    ended: [],
    number: 0,
  }),
  answer: {},
  unasked: { main: { every: 0.01, say: (s, w) => files(s, w) } },
  tick: (s, w, t, dt) => collect(s, w, t, dt),
});
