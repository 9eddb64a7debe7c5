import { encodeWaveDump, likeWaveDump, type WaveDumpFile, waveDumpFile } from '../protocols/wavedump.ts';
import { hitOrder } from '../src/derive/hit-order.ts';
import { HIT_CHANNELS, type HitValues, hitValues, noHits } from '../src/derive/hit-readings.ts';
import { hitStatistics } from '../src/derive/hit-statistics.ts';
import { WAVEDUMP_TICK, WAVEDUMP_TIME_BITS, waveDumpSource } from '../src/derive/wavedump-source.ts';
import { features, PULSE, type PulseSettings } from '../src/derive/waveform.ts';
import { type Came, type Field, instrument, options, Refused, whole, word } from '../src/instrument.ts';
import { quantity } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof waveDumpFile> };
interface Options {
  /** Nanoseconds of a tick of the trigger's time. */
  readonly tick: number;
  readonly time_bits: number;
  readonly polarity: 'negative' | 'positive';
  readonly bits: number;
  readonly baseline: number;
  readonly before: number;
  readonly after: number;
  readonly tail: number;
  readonly threshold: number;
  /** MiB; a larger file would keep the host from its other work. */
  readonly most: number;
}

const tick: Field<number> = {
  about: `of the trigger's time, such as "10 ns" for a 724 (otherwise ${WAVEDUMP_TICK} ns: 720, 725, 730, 740, 751)`,
  of(yaml) {
    const read = yaml === undefined ? { value: WAVEDUMP_TICK / 1e9, unit: 's' } : typeof yaml === 'string' ? quantity(yaml) : 'not a text';
    if (typeof read === 'string' || read.unit !== 's' || !(read.value > 0))
      return new Refused(`must be a time above zero, such as "8 ns", not ${JSON.stringify(yaml)}`);
    return read.value * 1e9;
  },
};

function read({ bytes, ...m }: WaveDumpFile, came: Came, p: Options): HitValues {
  const name = m.name ?? came.name ?? 'a file without name';
  if (bytes.length > p.most * 2 ** 20)
    return noHits(`${name} has ${bytes.length} bytes, more than ${p.most} MiB: bridgman analyse reads files of any size`);
  if (bytes.length > 0 && !likeWaveDump(bytes.subarray(0, 65_536)))
    return noHits(`${name} is no binary WaveDump file with headers: OUTPUT_FILE_FORMAT BINARY, OUTPUT_FILE_HEADER YES`);
  const settings: PulseSettings = {
    ...PULSE,
    ...{ polarity: p.polarity, bits: p.bits, baseline: p.baseline, gate: [p.before, p.after], threshold: p.threshold },
    tail: Math.min(p.tail, p.after),
    intervalNs: 1,
  };
  const source = waveDumpSource({
    tick: p.tick,
    timeBits: p.time_bits,
    pulse: (samples) => {
      const f = features(samples, settings);
      return { baseline: f.baseline, noise: f.noise, peak: f.peak, charge: f.charge, tail: f.tail, time: f.timeNs, flags: f.flags };
    },
  });
  const [order, statistics] = [hitOrder(), hitStatistics()];
  const take = (block: Parameters<typeof order.take>[0]): void => order.take(block, statistics.take);
  source.take(bytes, came.t, take);
  source.end(take);
  order.end(statistics.take);
  return hitValues(name, came.t, source.counts, order.counts, statistics);
}

/** 100 samples on 200 with a pulse of 60, 30 and 10 counts at sample 30, where the gate holds samples 26 to 99 and the tail 38 to 99. */
const samples = (last: number): readonly number[] => Array.from({ length: 130 }, (_, i) => 200 - ({ 30: 60, 31: 20, 40: last }[i] ?? 0));
const EXAMPLE: WaveDumpFile = {
  name: 'wave0.dat',
  bytes: Uint8Array.from(
    [0, 1].flatMap((number) => [
      ...encodeWaveDump({ board: 31, pattern: 0, channel: 0, number, time: 62_500_000 * number, samples: samples(20) }),
    ]),
  ),
};

/** A folder that WaveDump saves to, one file a channel: each finished file says how many events, how fast, how large, of which shape. */
export default instrument<L, Options, undefined>({
  model: 'CAEN WaveDump files',
  source:
    'CAEN WaveDump 3.10 (WriteOutputFiles), UM3148 DT5730/DT5725 User Manual (event structure); real files of a DT5751 (jintonic/toward)',
  proven: 'hardware',
  options: options<Options>({
    tick,
    time_bits: whole("bits of the trigger's time: 32 with the extended time tag", 16, 32, WAVEDUMP_TIME_BITS),
    polarity: word('of the pulses', ['negative', 'positive'] as const, 'negative'),
    bits: whole('of the converter: samples at its end are saturated', 1, 16, 16),
    baseline: whole('samples at the beginning that make the baseline', 1, 1_000_000, PULSE.baseline),
    before: whole('samples before the peak that belong to the charge', 0, 1_000_000, PULSE.gate[0]),
    after: whole('samples from the peak on that belong to the charge', 1, 1_000_000, PULSE.gate[1]),
    tail: whole('samples after the peak at which the tail begins', 0, 1_000_000, PULSE.tail),
    threshold: whole('ADC counts that a pulse has at least', 0, 65_535, PULSE.threshold),
    most: whole('MiB of a file that is read here; a larger one is told', 1, 256, 16),
  }),
  links: { main: waveDumpFile() },
  body: (p) => ({
    streams: {
      main: [
        {
          gives: HIT_CHANNELS,
          takes: () => true,
          read: (m: WaveDumpFile, came) => read(m, came, p),
          example: [
            EXAMPLE,
            {
              events: [{ quality: 'good', value: 2 }],
              rate: [{ quality: 'good', value: 4 }],
              charge: [{ quality: 'good', value: 100 }],
              psd: [{ quality: 'good', value: 0.2 }],
              cut_off: { quality: 'good', value: 0 },
              backward_steps: { quality: 'good', value: 0 },
            },
          ],
        },
      ],
    },
  }),
});
