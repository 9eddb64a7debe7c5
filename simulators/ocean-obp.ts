import { type ObpAsk, type ObpMessage, obp } from '../protocols/obp.ts';
import { encodeSpectra, type ObpForm } from '../protocols/obp-spectrum.ts';
import { type Field, options, Refused, simulator, whole, word } from '../src/simulator.ts';
import { type Dac, dac } from './worlds/dac.ts';
import { type Looking, looking, reaching } from './worlds/light-options.ts';
import { type Bench, countsOf, type Detector, type Exposed, regrated, Spectrometer, type Start } from './worlds/spectrometer.ts';

type FamilyName = 'qe-pro' | 'fx' | 'sts';
interface Options extends Looking {
  readonly family: FamilyName;
  readonly checksum: 'none' | 'md5';
  readonly pixels: number;
  readonly first: number;
  readonly side: 'up' | 'down';
  readonly buffer: number;
  readonly buffering: boolean;
  readonly abort: 'stops' | 'finishes';
}

interface Model {
  readonly serial: string;
  readonly firmware: number;
  readonly bench: Bench;
  readonly form: ObpForm;
  /** Microseconds. */
  readonly limits: readonly [number, number];
  readonly starts: Readonly<Record<number, Start>>;
  /** °C of each sensor at rest. */
  readonly sensors: readonly number[];
  /** Spectra that the buffer can be made to hold; 0 without one. */
  readonly buffer: number;
}

const FLAG = { response: 1, ack: 2, ackRequested: 4, nack: 8 } as const;
const NO_ERROR = 0;
const UNKNOWN_TYPE = 2;
const BAD_LENGTH = 5;
const BAD_DATA = 6;
const NOT_READY = 7;

/** Of each family in its own counts: the answer falls off by a tenth at both ends. */
const bend = (full: number): readonly number[] => [0.93, 0.27, -0.3, 0.1, -0.03, 0.004, -0.002, 0.001].map((c, i) => c / full ** i);

const MODELS: Readonly<Record<FamilyName, Model>> = {
  // QE Pro data sheet: 4 + 6 + 1024 + 6 + 4 pixels of 18 bits; 8 ms at least; sensors: processor, reserved, board, detector.
  'qe-pro': {
    serial: 'QEP03738',
    firmware: 0x0135,
    bench: {
      pixels: 1044,
      active: [10, 1033],
      wavelength: [598.2, 0.3012, -4.1e-6, -1e-10],
      saturation: 262143,
      nonlinearity: bend(262143),
      bias: 1510,
      readNoise: 8,
      readout: 0.005,
    },
    form: 'meta32',
    limits: [8000, 1_600_000_000],
    starts: { 0: 'free', 1: 'never', 2: 'strobe', 3: 'pulse' },
    sensors: [41.5, 0, 34.25, -10],
    buffer: 15000,
  },
  // 2136 pixels of 16 bits (a packet capture); 10 us to 10 s; up to 4,500 spectra a second (Ocean FX triggering options, 20171107).
  fx: {
    serial: 'FX00172',
    firmware: 0x0208,
    bench: {
      pixels: 2136,
      active: [0, 2135],
      wavelength: [590.5, 0.1502, -1.2e-6, 0],
      saturation: 65535,
      nonlinearity: bend(65535),
      bias: 1490,
      readNoise: 12,
      readout: 0.0002,
    },
    form: 'meta64',
    limits: [10, 10_000_000],
    starts: { 0: 'free', 1: 'pulse', 3: 'never', 255: 'never' },
    sensors: [38.5, 36],
    buffer: 50000,
  },
  // STS data sheet: 1024 pixels of 14 bits, 13 ms from one to the next; sensors: detector, reserved, board.
  sts: {
    serial: 'S04211',
    firmware: 0x0111,
    bench: {
      pixels: 1024,
      active: [0, 1023],
      wavelength: [635.4, 0.4611, -2.3e-5, -1.1e-9],
      saturation: 16383,
      nonlinearity: bend(16383),
      bias: 1502,
      readNoise: 6,
      readout: 0.013,
    },
    form: 'u16',
    limits: [10, 85_000_000],
    starts: { 0: 'free', 1: 'pulse', 2: 'strobe' },
    sensors: [33.5, 0, 35.75],
    buffer: 0,
  },
};
const MOST_SCANS = 5000;
const MOST_BINNING = 3;

interface State {
  readonly name: string;
  readonly family: FamilyName;
  readonly abort: 'stops' | 'finishes';
  readonly camera: Spectrometer;
  readonly detector: Detector;
  strobe: boolean;
  /** A message that it is not ready for: what makes it so is the unit's own affair. */
  refuses: number | undefined;
  /** Questions for a spectrum that wait for one, and what has been given for the last of them: nothing that is set. */
  readonly talk: { waiting: ObpAsk[]; readonly given: { readonly of: Exposed; readonly counts: Uint32Array }[]; toJSON(): undefined };
}

const bytes = (value: number, length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => Math.floor(value / 256 ** i) % 256);
const floats = (...values: readonly number[]): Uint8Array => {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((v, i) => {
    view.setFloat32(4 * i, v, true);
  });
  return new Uint8Array(view.buffer);
};
const numberOf = (data: Uint8Array): number => data.reduceRight((n, byte) => n * 256 + byte, 0);

type Said = Uint8Array | number;
const refused = (m: Said): m is number => typeof m === 'number';

/** What is asked for; a number is an error. */
function told(q: ObpAsk, s: State, w: Dac, t: number): Said | undefined {
  const { camera } = s;
  const model = MODELS[s.family];
  const data = q.data ?? new Uint8Array(0);
  const has = (there: boolean, what: () => Said): Said => (there ? what() : UNKNOWN_TYPE);
  const item = (list: readonly number[]): Said =>
    data.length !== 1 ? BAD_LENGTH : data[0] < list.length ? floats(list[data[0]]) : BAD_DATA;
  const celsius = (i: number): number => (model.sensors[i] === 0 ? 0 : model.sensors[i] + 0.05 * w.noise(`${s.name} sensor ${i}`));
  const buffer = model.buffer > 0;
  switch (q.type) {
    case 0x00000080:
      return Uint8Array.of(4);
    case 0x00000090:
      return bytes(model.firmware, 2);
    case 0x00000100:
      return Uint8Array.from(model.serial, (c) => c.charCodeAt(0));
    case 0x00000101:
      return Uint8Array.of(model.serial.length);
    case 0x00100800:
      return has(s.family === 'fx', () => Uint8Array.of(Number(camera.buffered)));
    case 0x00100820:
      return has(buffer, () => bytes(model.buffer, 4));
    case 0x00100822:
      return has(buffer, () => bytes(camera.size, 4));
    case 0x00100900:
      return has(buffer, () => bytes(camera.buffered ? camera.held.length : 0, 4));
    case 0x00100908:
      return has(buffer, () => Uint8Array.of(Number(!camera.running)));
    case 0x00100928:
    case 0x00100980:
    case 0x00101100:
      if (q.type !== { meta32: 0x00100928, meta64: 0x00100980, u16: 0x00101100 }[model.form]) return UNKNOWN_TYPE;
      if (model.form === 'meta64' && data.length !== 4) return BAD_LENGTH;
      s.talk.waiting.push(q);
      return undefined;
    case 0x00110000:
      return bytes(camera.now.exposure, 4);
    case 0x00110001:
    case 0x00110002:
      return has(s.family === 'fx', () => bytes(model.limits[q.type - 0x00110001], 4));
    case 0x00110100:
      return Uint8Array.of(camera.now.trigger);
    case 0x00110220:
      return has(s.family === 'fx', () => bytes(model.bench.pixels, 4));
    case 0x00110280:
      return has(s.family === 'sts', () => Uint8Array.of(camera.now.binning));
    case 0x00110281:
      return has(s.family === 'sts', () => Uint8Array.of(MOST_BINNING));
    case 0x00110400:
      return Uint8Array.of(Number(camera.now.lamp));
    case 0x00120000:
      return has(s.family !== 'qe-pro', () => bytes(camera.now.scans, 2));
    case 0x00180100:
      return Uint8Array.of(camera.bench.wavelength.length);
    case 0x00180101:
      return item(camera.bench.wavelength);
    case 0x00181100:
      return Uint8Array.of(camera.bench.nonlinearity.length);
    case 0x00181101:
      return item(camera.bench.nonlinearity);
    case 0x00310001:
      return Uint8Array.of(Number(s.strobe));
    case 0x00400000:
      return Uint8Array.of(model.sensors.length);
    case 0x00400002:
      return floats(...model.sensors.map((_, i) => celsius(i)));
    case 0x00420004:
      return has(s.family === 'qe-pro', () => floats(celsius(3)));
    default:
      return done(q.type, data, s, t);
  }
}

/** What is ordered: an error, or 0. */
function done(type: number, data: Uint8Array, s: State, t: number): number {
  const { camera } = s;
  const model = MODELS[s.family];
  const value = numberOf(data);
  const buffer = model.buffer > 0;
  const set = (there: boolean, length: number, lo: number, hi: number, apply: () => void): number => {
    if (!there) return UNKNOWN_TYPE;
    if (data.length !== length) return BAD_LENGTH;
    if (value < lo || value > hi) return BAD_DATA;
    apply();
    return NO_ERROR;
  };
  switch (type) {
    case 0x00100000:
      return set(buffer, 0, 0, 0, () => camera.stop(s.abort === 'finishes'));
    case 0x00100810:
      return set(s.family === 'fx', 1, 0, 1, () => {
        camera.buffered = value !== 0;
      });
    case 0x00100830:
      return set(buffer, 0, 0, 0, () => {
        camera.held = [];
      });
    case 0x00100832:
      return set(buffer, 4, 1, model.buffer, () => {
        camera.size = value;
      });
    case 0x00100902:
      return set(buffer, 0, 0, 0, () => camera.start(t));
    case 0x00110010:
      return set(true, 4, ...model.limits, () => {
        camera.now.exposure = value;
      });
    case 0x00110110:
      if (data.length === 1 && model.starts[value] === undefined) return BAD_DATA;
      return set(true, 1, 0, 255, () => {
        camera.now.trigger = value;
      });
    case 0x00110120:
      return set(true, 0, 0, 0, () => camera.pulse(t));
    case 0x00110290:
      return set(s.family === 'sts', 1, 0, MOST_BINNING, () => {
        camera.now.binning = value;
      });
    case 0x00110410:
      return set(true, 1, 0, 1, () => {
        camera.now.lamp = value !== 0;
      });
    case 0x00120010:
      return set(s.family !== 'qe-pro', 2, 1, MOST_SCANS, () => {
        camera.now.scans = value;
      });
    case 0x00310011:
      return set(true, 1, 0, 1, () => {
        s.strobe = value !== 0;
      });
    default:
      return UNKNOWN_TYPE;
  }
}

/** A response bears the question's type, regarding and kind of checksum. */
function response(q: ObpAsk, said: Said): ObpMessage {
  const asked = ((q.flags ?? 0) & FLAG.ackRequested) !== 0;
  const wrong = refused(said) && said !== NO_ERROR;
  return {
    type: q.type,
    regarding: q.regarding ?? 0,
    version: q.version ?? 0x1100,
    md5: q.md5 === true,
    flags: FLAG.response | (wrong ? FLAG.nack : asked ? FLAG.ack : 0),
    error: refused(said) ? said : NO_ERROR,
    data: refused(said) ? new Uint8Array(0) : said,
  };
}

/** Spectra for those who wait for one. */
function spectra(s: State, w: Dac): readonly ObpMessage[] {
  const { form } = MODELS[s.family];
  const { bench } = s.camera;
  const { waiting, given } = s.talk;
  const said: ObpMessage[] = [];
  while (waiting.length > 0 && s.camera.held.length > 0) {
    const [q] = waiting.splice(0, 1);
    const most = form === 'meta64' ? Math.max(1, Math.min(15, numberOf(q.data ?? new Uint8Array(0)))) : 1;
    const taken = s.camera.held.splice(0, most).map((of) => ({ of, counts: countsOf(bench, of, s.detector, w.seed, s.name) }));
    given.push(...taken);
    given.splice(0, given.length - 1000);
    const payload = taken.map(({ of, counts }) => ({
      counts: form === 'meta32' ? counts : Uint16Array.from(counts),
      count: of.number,
      tick: s.camera.tickOf(of.end),
      exposure: of.exposure,
      trigger: of.trigger,
    }));
    said.push(response(q, encodeSpectra(form, payload)));
  }
  return said;
}

function answer(q: ObpAsk, s: State, w: Dac, t: number): readonly ObpMessage[] {
  s.camera.run(t, w);
  const said = q.type === s.refuses ? NOT_READY : told(q, s, w, t);
  if (said === undefined) return spectra(s, w);
  // An order is answered when an answer is asked for, or when it is refused.
  const silent = said === NO_ERROR && ((q.flags ?? 0) & FLAG.ackRequested) === 0;
  return silent ? [] : [response(q, said)];
}

const flag = (about: string, otherwise: boolean): Field<boolean> => ({
  about: `${about} (otherwise ${otherwise})`,
  of: (yaml) => (yaml === undefined || typeof yaml === 'boolean' ? (yaml ?? otherwise) : new Refused('must be true or false')),
});

function power(p: Options, name: string): State {
  const { bench: made, starts, buffer } = MODELS[p.family];
  const grated = p.range ? regrated(made, p.range) : made;
  const bench = p.drift === 0 ? grated : { ...grated, drift: p.drift };
  const now = { exposure: 100_000, trigger: 0, scans: 1, binning: 0, lamp: false };
  const keep = { buffered: buffer > 0 && (p.family !== 'fx' || p.buffering), size: p.buffer };
  return {
    name,
    family: p.family,
    abort: p.abort,
    camera: new Spectrometer(
      bench,
      now,
      keep,
      (trigger) => starts[trigger] ?? 'never',
      (moment, t) => reaching(p, moment, t),
    ),
    detector: {
      look: { view: p.beam === 'gauge' ? 'gauge' : p.side, laser: p.laser, excited: p.excited },
      dark: p.dark,
      hot: p.hot,
      cosmic: p.cosmic,
    },
    strobe: false,
    refuses: undefined,
    talk: { waiting: [], given: [], toJSON: () => undefined },
  };
}

/** A spectrometer that looks at one side of the cell, or at its ruby and anvil. It exposes from the beginning, and a change holds from the next exposure on. */
export default simulator({
  options: options<Options>({
    family: word('which', ['qe-pro', 'fx', 'sts'] as const),
    checksum: word('checksum of the questions', ['none', 'md5'] as const, 'none'),
    pixels: whole('as in the driver', 0, 65536, 0),
    first: whole('as in the driver', -64, 64, 0),
    side: word('which side of the cell', ['up', 'down'] as const, 'up'),
    buffer: whole('spectra in the buffer', 1, 50000, 16),
    buffering: flag('an fx keeps spectra until they are read', true),
    // A thermoelectrically cooled linear array.
    ...looking({ dark: 4, hot: 0, cosmic: 0.0005 }),
    abort: word('what an abort does to the exposure that runs', ['stops', 'finishes'] as const, 'stops'),
  }),
  links: { main: obp() },
  world: dac,
  state: power,
  answer: { main: answer },
  unasked: {
    main: {
      every: 0.005,
      say(s, w, t) {
        s.camera.run(t, w);
        return spectra(s, w);
      },
    },
  },
  tick: (s, w, t) => s.camera.tick(t, w),
});
