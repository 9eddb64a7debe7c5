import { type Spe, SpeFault } from '../protocols/spe.ts';
import { type SpeFile, speFile } from '../protocols/spe-file.ts';
import { bad, type Came, type Field, instrument, type Measured, options, Refused, type Trace, whole } from '../src/instrument.ts';

type L = { readonly main: ReturnType<typeof speFile> };
interface Options {
  /** Electrons per count. */
  readonly gain: number | undefined;
  /** Counts rms per pixel. */
  readonly read_noise: number | undefined;
  readonly region: number;
}

const positive = (about: string): Field<number | undefined> => ({
  about,
  of: (yaml) =>
    yaml === undefined || (typeof yaml === 'number' && yaml > 0 && Number.isFinite(yaml))
      ? yaml
      : new Refused(`must be a number above zero, not ${JSON.stringify(yaml)}`),
});

/** The pixels' own type, where a column may have it. */
const column = (data: Spe['frames'][number]['data'][number]) => (data instanceof Uint8Array ? Uint16Array.from(data) : data);

/** One frame of one region. Without stamps of its own it ended when the file came, and those before it one exposure earlier each. */
function trace(spe: Spe, number: number, name: string, came: Came, p: Options): Measured<'trace'> {
  const region = spe.regions[p.region];
  const frame = spe.frames[number];
  const data = frame.data[p.region];
  if (!region || !data) return bad(`${name} has no region ${p.region}: it has ${spe.regions.length}, counted from 0`);
  const exposure = frame.exposure ?? spe.exposure;
  const length = (exposure ?? 0) * 1e6;
  const end = frame.end ?? came.t - (spe.frames.length - 1 - number) * length;
  const known = { exposure, saturation: spe.saturation, gain: p.gain, read_noise: p.read_noise, recorded: spe.recordedText };
  const settings = {
    ...spe.settings,
    ...frame.tracked,
    ...Object.fromEntries(Object.entries(known).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]))),
    ...(spe.frames.length > 1 ? { frame: number } : {}),
    file: name,
  };
  const value: Trace = {
    columns: {
      ...(region.wavelength ? { wavelength: { unit: 'm', data: region.wavelength } } : {}),
      counts: { unit: '1', data: column(data) },
    },
    shape: region.shape,
    begin: frame.begin ?? end - length,
    end,
    settings,
  };
  if (!region.wavelength) return { quality: 'suspect', why: `${name} has no wavelengths: the spectrometer was not calibrated`, value };
  return { quality: 'good', value };
}

function read(m: SpeFile, came: Came, p: Options) {
  const name = m.name ?? came.name ?? 'a file without name';
  if (m.read instanceof SpeFault) {
    const why = bad(`${name}: ${m.read.why}`);
    return { spectrum: why, exposure: why };
  }
  const spe = m.read;
  const frames = spe.frames.map((_, number) => trace(spe, number, name, came, p));
  const exposure = spe.frames[0]?.exposure ?? spe.exposure;
  const [only] = frames;
  return {
    // Several frames of one file are told apart by their index.
    spectrum: frames.length === 1 ? only : frames,
    exposure: exposure ?? bad(`${name} does not say how long it was exposed`),
  };
}

const EXAMPLE: SpeFile = {
  name: 'spectrum-000001.spe',
  bytes: new Uint8Array(0),
  read: {
    version: 3,
    pixel: 'u16',
    regions: [{ shape: [1, 2], x: 0, y: 0, binning: [1, 1], wavelength: Float64Array.of(600e-9, 601e-9) }],
    frames: [{ data: [Uint16Array.of(700, 65535)], begin: 1_456_333_972_000_000, end: 1_456_333_972_500_000, tracked: {} }],
    exposure: 0.5,
    saturation: 65535,
    settings: { camera: 'PIXIS: 400BR' },
  },
};
const EXAMPLE_TRACE: Trace = {
  columns: { wavelength: { unit: 'm', data: Float64Array.of(600e-9, 601e-9) }, counts: { unit: '1', data: Uint16Array.of(700, 65535) } },
  shape: [1, 2],
  begin: 1_456_333_972_000_000,
  end: 1_456_333_972_500_000,
  settings: { camera: 'PIXIS: 400BR', exposure: 0.5, saturation: 65535, file: 'spectrum-000001.spe' },
};

/** A folder that LightField or WinSpec saves its spectra to: each new file gives a spectrum per frame, and a damaged one says why. */
export default instrument<L, Options, undefined>({
  model: 'Princeton Instruments SPE files',
  source: 'SPE 3.0 File Format Specification; WinX header structure; real files of a beamline (CPrescher/T-rax tests)',
  proven: 'hardware',
  options: options<Options>({
    gain: positive('electrons per count, where it is known'),
    read_noise: positive('counts rms per pixel, where it is known'),
    region: whole('which region of interest, from 0', 0, 99, 0),
  }),
  links: { main: speFile() },
  body: (p) => ({
    streams: {
      main: [
        {
          gives: { spectrum: 'trace', exposure: 's' },
          takes: () => true,
          read: (m: SpeFile, came) => read(m, came, p),
          example: [EXAMPLE, { spectrum: { quality: 'good', value: EXAMPLE_TRACE }, exposure: 0.5 }],
        },
      ],
    },
  }),
});
