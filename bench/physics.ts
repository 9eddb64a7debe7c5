/**
 * All that is derived from a detector's hits, at the rate of a full gigabit: spectra, rates and live time, levels of the channels, events,
 * pairs, vertices, direction. From hits, from the bytes on (framing, CRC and features of 64 channels before it), and with fits of gains
 * beside it; in one process, as fast as it goes. A ratio of 1 is a core that is busy all the time with what a gigabit sends.
 */
import { crc32 } from 'node:zlib';
import { DIGITIZER_64, frameBytes } from '../protocols/waveform-layout.ts';
import { Flood, preparedRecords } from '../simulators/worlds/detector-flood.ts';
import { CONVERTER } from '../simulators/worlds/detector-pulses.ts';
import { SOURCE } from '../simulators/worlds/detector-setup.ts';
import { catalogue } from '../src/catalogue.ts';
import { channelScale } from '../src/derive/channel-scale.ts';
import { chainOf } from '../src/derive/detector-plan.ts';
import { detectorWatch } from '../src/derive/detector-watch.ts';
import { type Hits, hits } from '../src/derive/hits.ts';
import { liveTime } from '../src/derive/live-time.ts';
import { spectra } from '../src/derive/spectra.ts';
import type { AnyProtocol } from '../src/instrument.ts';
import { sourceOf } from '../src/readout/formats.ts';
import { type Reader, type ReaderPlan, reader } from '../src/readout/reader.ts';
import { Refused } from '../src/talk.ts';

interface Result {
  readonly name: string;
  readonly ratio: number;
  readonly goal: number;
  readonly detail: string;
}

const MB = 117e6; // bytes a second: what TCP leaves of a gigabit
const FRAME = frameBytes(DIGITIZER_64);
const RATE = MB / FRAME; // frames a second
const POOL = 256;
const PIECE = 64; // frames of one block
const SECONDS = 20; // of the stream
const WARM = 2;
const BEGIN = 1_767_225_600e6; // microseconds since 1970

const OPTIONS = {
  scale: 7.8125e-5,
  record: 'nothing',
  physics: {
    photoelectron: 16,
    map: { box: ['32 cm', '32 cm', '32 cm'], channels: 'walls', attenuation: '150 cm', radius: '3.2 cm', scattered: 0.3 },
    source: { theta: '70 deg', phi: '50 deg' },
  },
};

/** Fits of gain and edge of each channel, one a second: as in a run with a calibration source. Here they find nothing, and so try all they can. */
const FITS = {
  photoelectrons: { low: -50, high: 500, bins: 275 },
  edge: { source: '137Cs', low: 200, high: 900, bins: 200 },
};

async function planned(options: object): Promise<ReaderPlan> {
  const { instruments } = await catalogue();
  const model = instruments.get('sitcp-digitizer');
  if (!model) throw new Error('there is no sitcp-digitizer');
  const read: unknown = model.options.parse(options);
  if (read instanceof Refused) throw new Error(read.why);
  const { data } = model.links(read) as Readonly<Record<string, AnyProtocol>>; // role -> language
  return data?.readout as unknown as ReaderPlan; // made by its driver
}

/** Ticks of each frame: at random, a fixed sequence, so that some follow one another within a capture time. */
const TIMES = ((): Float64Array => {
  let state = 20261123;
  let t = 0;
  return Float64Array.from({ length: Math.ceil(RATE * (WARM + SECONDS)) + 2 * PIECE }, () => {
    state = (state * 48271) % 2147483647;
    t -= Math.log(state / 2147483647) / RATE;
    return Math.round(t / DIGITIZER_64.time.tick);
  });
})();
const time = (n: number): number => TIMES[n] ?? 0;

/** Records of positrons with their neutrons, gammas and fast neutrons, one after the other as they come in time, and muons. */
function flood(): Flood {
  const sources = (
    [
      ['pairs', 4],
      ['gammas', 4],
      ['neutrons', 0.2],
      ['muons', 0.05],
    ] as const
  ).map(([kind, rate]) => ({ ...SOURCE, kind, rate }));
  return new Flood(DIGITIZER_64, preparedRecords(7, POOL, CONVERTER, DIGITIZER_64, { sources }));
}

interface Ran {
  /** Of CPU time. */
  readonly seconds: number;
  readonly hits: number;
  readonly events: number;
  readonly pairs: number;
}

/** Feeds so many seconds of the stream; `take` has the piece from frame n on, `look` comes once a second. */
function run(take: (n: number) => () => number, look: (t: number) => Readonly<Record<string, unknown>>): Ran {
  const said: Record<string, unknown> = {};
  let [seconds, found, second] = [0, 0, 0];
  for (let n = 0; n < RATE * (WARM + SECONDS); n += PIECE) {
    const counts = n >= RATE * WARM;
    const piece = take(n);
    const start = process.cpuUsage();
    const many = piece();
    if (Math.floor(n / RATE) > second) {
      second = Math.floor(n / RATE);
      Object.assign(said, look(BEGIN + 1e6 * (n / RATE)));
    }
    const { user, system } = process.cpuUsage(start);
    if (!counts) continue;
    seconds += (user + system) / 1e6;
    found += many;
  }
  const number = (name: string): number => {
    const value = said[name];
    return typeof value === 'number' ? value : Number((value as { readonly value?: number } | undefined)?.value); // as the chain gives it
  };
  const result = { seconds, hits: found, events: number('events'), pairs: number('pairs') };
  // Wrong before slow: a chain that finds nothing is not the one that is meant.
  if (!(result.events > 0.9 * RATE * (WARM + SECONDS - 2) && result.pairs > 0))
    throw new Error(`only ${result.events} events, ${result.pairs} pairs`);
  return result;
}

/** The hits of the pool, made once; times and frames are set anew for each round. */
function fromHits(plan: ReaderPlan, of: Flood): Ran {
  const source = sourceOf(plan.source, crc32);
  const physics = plan.physics && chainOf(plan.physics);
  if (typeof source === 'string' || typeof physics === 'string' || !physics || !plan.watch) throw new Error('the plan cannot be');
  const rows: Hits[] = [];
  const keep = (block: Hits): void => {
    for (let i = 0; i < block.count; i++) {
      const frame = block.frame[i] as number; // i < count, here and below
      let own = rows[frame];
      if (!own) rows[frame] = own = hits(DIGITIZER_64.channels);
      const k = own.count++;
      for (const name of COLUMNS) own[name][k] = block[name][i] as number;
    }
  };
  source.take(of.frames(0, POOL, time), BEGIN, keep);
  source.end(keep);
  const begun = rows.map((row, frame) => row.t.map((t) => t - time(frame) * DIGITIZER_64.time.tick * 1e9));
  const all = spectra({ ...plan.spectra, channels: plan.channels });
  const scale = channelScale({ ...plan.scale, channels: plan.channels });
  const live = liveTime({ channels: plan.channels, begin: BEGIN, ...(plan.perFrame === undefined ? {} : { perFrame: plan.perFrame }) });
  const watch = detectorWatch(plan.watch);
  const block = hits(PIECE * DIGITIZER_64.channels);
  let [frames, before, lived] = [0, BEGIN, 0];
  const take = (n: number) => {
    block.count = 0;
    for (let f = n; f < n + PIECE; f++) {
      const [own, t] = [rows[f % POOL], begun[f % POOL]];
      if (!own || !t) continue;
      const at = block.count;
      for (const name of COLUMNS) block[name].set(own[name].subarray(0, own.count), at);
      const shift = time(f) * DIGITIZER_64.time.tick * 1e9;
      for (let i = 0; i < own.count; i++) {
        block.t[at + i] = (t[i] as number) + shift; // i < count
        block.frame[at + i] = f;
      }
      block.count += own.count;
    }
    return () => {
      all.take(block);
      scale.take(block);
      live.take(block);
      watch.take(block);
      physics.take(block);
      frames += PIECE;
      return block.count;
    };
  };
  return run(take, (t) => {
    const { whole } = live.look(t, { ...source.counts, frames, missing: 0 });
    const said = { ...scale.look(t), ...watch.look(whole.live - lived, before, t), ...physics.look(BEGIN, t) };
    all.look(BEGIN, t);
    [before, lived] = [t, whole.live];
    return said;
  });
}

const COLUMNS = ['t', 'channel', 'charge', 'tail', 'peak', 'baseline', 'noise', 'flags', 'frame'] as const;

function fromBytes(plan: ReaderPlan, of: Flood): Ran {
  let found = 0;
  const made: Reader | string = reader({ plan, begin: BEGIN, crc32, hits: (block) => (found += block.count) });
  if (typeof made === 'string') throw new Error(made);
  const ran = run(
    (n) => {
      const bytes = of.frames(n, PIECE, time);
      return () => {
        const before = found;
        made.take(bytes, BEGIN + 1e6 * (n / RATE));
        return found - before;
      };
    },
    (t) => made.look(t),
  );
  const { missing, damaged, doubled } = made.counts;
  if (missing + damaged + doubled > 0) throw new Error(`${missing} frames missing, ${damaged} damaged, ${doubled} doubled`);
  return ran;
}

export async function physics(): Promise<readonly Result[]> {
  const [plan, fits, of] = [await planned(OPTIONS), await planned({ ...OPTIONS, ...FITS }), flood()];
  const result = (name: string, { seconds, hits: found, events, pairs }: Ran): Result => ({
    name,
    ratio: SECONDS / seconds,
    goal: 1,
    detail: `${Math.round(found / seconds).toLocaleString('en')} hits per CPU second, a gigabit has ${Math.round(found / SECONDS).toLocaleString('en')} a second: ${((100 * seconds) / SECONDS).toFixed(0)} % of a core; ${events} events, ${pairs} pairs`,
  });
  return [
    result('physics of a gigabit, from hits', fromHits(plan, of)),
    result('physics of a gigabit, from bytes', fromBytes(plan, of)),
    result('physics of a gigabit, hits and gains', fromHits(fits, of)),
  ];
}
