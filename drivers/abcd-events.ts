import { type AbcdFile, abcdFile, encodeAbcd, likeAbcd } from '../protocols/abcd.ts';
import { ABCD_TICK, abcdSource } from '../src/derive/abcd-source.ts';
import { hitOrder } from '../src/derive/hit-order.ts';
import { HIT_CHANNELS, type HitValues, hitValues, noHits } from '../src/derive/hit-readings.ts';
import { hitStatistics } from '../src/derive/hit-statistics.ts';
import { type Came, type Field, instrument, options, Refused, whole } from '../src/instrument.ts';
import { quantity } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof abcdFile> };
interface Options {
  /** Nanoseconds of a time stamp's tick. */
  readonly tick: number;
  /** MiB; a larger file would keep the host from its other work. */
  readonly most: number;
}

const tick: Field<number> = {
  about: 'of the time stamps, such as "0.00390625 ns" (otherwise 2 ns / 1024, of a 500 MHz board: the file does not say)',
  of(yaml) {
    const read = yaml === undefined ? { value: ABCD_TICK / 1e9, unit: 's' } : typeof yaml === 'string' ? quantity(yaml) : 'not a text';
    if (typeof read === 'string' || read.unit !== 's' || !(read.value > 0))
      return new Refused(`must be a time above zero, such as "0.00390625 ns", not ${JSON.stringify(yaml)}`);
    return read.value * 1e9;
  },
};

const HEAD = 65_536;
function read({ bytes, ...m }: AbcdFile, came: Came, p: Options): HitValues {
  const name = m.name ?? came.name ?? 'a file without name';
  if (bytes.length > p.most * 2 ** 20)
    return noHits(`${name} has ${bytes.length} bytes, more than ${p.most} MiB: bridgman analyse reads files of any size`);
  const like = likeAbcd(bytes.subarray(0, HEAD));
  if (like !== true)
    return noHits(`${name} ${like === 'short' ? `has no whole event in its ${bytes.length} bytes` : 'is no ABCD list-mode file'}`);
  const [source, order, statistics] = [abcdSource({ tick: p.tick }), hitOrder(), hitStatistics()];
  source.take(bytes, came.t, (block) => order.take(block, statistics.take));
  source.end(() => {}); // it holds no whole event
  order.end(statistics.take);
  return hitValues(name, came.t, source.counts, order.counts, statistics);
}

/** Two events of channel 0, half a second apart. */
const EXAMPLE: AbcdFile = {
  name: 'run_events.ade',
  bytes: encodeAbcd([
    { timestamp: 256e9, short: 2, long: 4, baseline: 61852, channel: 0, group: 0 },
    { timestamp: 512e9, short: 3, long: 4, baseline: 61852, channel: 0, group: 0 },
  ]),
};

/** A folder that ABCD saves its list-mode files to: each finished file says per channel how many events, how fast, how large, of which shape. */
export default instrument<L, Options, undefined>({
  model: 'ABCD list-mode files',
  source: 'ec-jrc/abcd: include/events.h, include/defaults.h and its example data',
  proven: 'hardware',
  options: options<Options>({ tick, most: whole('MiB of a file that is read here; a larger one is told', 1, 256, 8) }),
  links: { main: abcdFile() },
  body: (p) => ({
    streams: {
      main: [
        {
          gives: HIT_CHANNELS,
          takes: () => true,
          read: (m: AbcdFile, came) => read(m, came, p),
          example: [
            EXAMPLE,
            {
              events: [{ quality: 'good', value: 2 }],
              rate: [{ quality: 'good', value: 4 }],
              charge: [{ quality: 'good', value: 4 }],
              psd: [{ quality: 'good', value: 0.375 }],
              cut_off: { quality: 'good', value: 0 },
              backward_steps: { quality: 'good', value: 0 },
            },
          ],
        },
      ],
    },
  }),
});
