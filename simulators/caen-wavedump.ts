import { concat } from '../protocols/protocol.ts';
import { encodeWaveDump, type WaveDumpFile, waveDumpFile } from '../protocols/wavedump.ts';
import { gauss, options, simulator, whole, word } from '../src/simulator.ts';
import { type DetectorWorld, detector, type LightEvent } from './worlds/detector.ts';
import { type Given, setupFields } from './worlds/detector-setup.ts';

interface Options extends Given {
  readonly every: number;
  readonly channels: number;
  readonly samples: number;
  readonly bits: number;
  readonly polarity: 'negative' | 'positive';
}
type Board = Pick<Options, 'every' | 'channels' | 'samples' | 'bits' | 'polarity'>;
interface State extends Board {
  /** What the rig says of the detector, until the world has been told. */
  setup: Given | undefined;
  readonly name: string;
  seen: number;
  waiting: LightEvent[];
  /** Of the next file, and of the next event. */
  number: number;
  event: number;
}

const TICK = 125e6; // per second, of the trigger time tag
const SAMPLE = 4e-9;
const GAIN = 2; // ADC counts of a photoelectron's height
const NOISE = 1.5;
const [FAST, SLOW] = [20e-9, 120e-9]; // decay times of the light, and its rise
const RISE = 4e-9;
const TRIGGER = 40; // the sample of the trigger

/** Light of one photoelectron at a time after the flash, of height 1 where there is fast light alone. */
const light = (t: number, slow: number): number =>
  t < 0 ? 0 : (1 - Math.exp(-t / RISE)) * ((1 - slow) * Math.exp(-t / FAST) + slow * (FAST / SLOW) * Math.exp(-t / SLOW));

function waveform(s: State, w: DetectorWorld, { n, t, pe, slow }: LightEvent, channel: number): number[] {
  const top = 2 ** s.bits - 1;
  const [baseline, sign] = s.polarity === 'negative' ? [0.9 * top, -1] : [0.1 * top, 1];
  const height = (pe[channel] ?? 0) * GAIN * w.gain(channel, t);
  return Array.from({ length: s.samples }, (_, i) => {
    const noise = NOISE * gauss(w.seed, `${s.name} ${channel} ${n}`, i);
    return Math.min(top, Math.max(0, Math.round(baseline + sign * height * light((i - TRIGGER) * SAMPLE, slow[channel] ?? 0) + noise)));
  });
}

function files(s: State, w: DetectorWorld, t: number): readonly WaveDumpFile[] {
  s.waiting.push(...w.events(s.seen));
  s.seen = s.waiting.at(-1)?.n ?? s.seen;
  if (t < s.every * s.number) return [];
  const run = s.number++;
  const flashes = s.waiting.splice(0);
  if (flashes.length === 0) return [];
  const first = s.event;
  s.event += flashes.length;
  return Array.from({ length: s.channels }, (_, channel) => ({
    name: `run${String(run).padStart(4, '0')}_wave${channel}.dat`,
    bytes: concat(
      ...flashes.map((flash, i) =>
        encodeWaveDump({
          ...{ board: 31, pattern: 0, channel, number: (first + i) % 2 ** 24 },
          // 31 bits; the 32nd is set once they have gone round.
          time: (Math.floor(flash.t * TICK) % 2 ** 31) + (flash.t * TICK >= 2 ** 31 ? 2 ** 31 : 0),
          samples: waveform(s, w, flash, channel),
        }),
      ),
    ),
  }));
}

/** WaveDump beside a digitizer that every flash in the detector triggers: one file a channel, new ones every `every` seconds. */
export default simulator({
  options: options<Options>({
    every: whole('seconds of one set of files', 1, 3600, 10),
    channels: whole('of the board', 1, 64, 2),
    samples: whole('of one record', 64, 65_536, 256),
    bits: whole('of the converter', 8, 16, 14),
    polarity: word('of the pulses', ['negative', 'positive'] as const, 'negative'),
    ...setupFields,
  }),
  links: { main: waveDumpFile() },
  world: detector,
  state: (p: Options, name): State => {
    const { every, channels, samples, bits, polarity, ...setup } = p;
    return { ...{ every, channels, samples, bits, polarity, setup, name }, seen: 0, waiting: [], number: 1, event: 0 };
  },
  answer: {},
  unasked: { main: { every: 0.1, say: (s, w, t) => files(s, w, t) } },
  tick: (s, w) => {
    if (!s.setup) return;
    w.configure(s.setup);
    s.setup = undefined;
  },
});
