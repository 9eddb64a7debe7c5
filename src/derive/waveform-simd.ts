/** The kernel of src/derive/waveform-block.ts once more, made of WebAssembly's vector instructions at start-up: the same numbers, faster. */
import { FLAG } from './hits.ts';
import {
  type Code,
  call,
  f64,
  f64x2,
  i16x8,
  i32,
  type Local,
  leaveWhen,
  load16x4,
  loop,
  type Routine,
  select,
  v128,
  wasm,
  when,
} from './wasm.ts';
import type { PulseSettings } from './waveform.ts';

/** Bytes at which each thing stands in the module's memory. */
export interface SimdPlaces {
  /** The frame, channel after channel; what stands behind it may be read, and is not used. */
  readonly samples: number;
  /** A pulse's heights, with zeros before them, and those of its constant-fraction signal. */
  readonly x: number;
  readonly c: number;
  /** Squares of the baseline's deviations. */
  readonly square: number;
  /** Columns of doubles, and of 16 bits. */
  readonly time: number;
  readonly charge: number;
  readonly tail: number;
  readonly peak: number;
  readonly baseline: number;
  readonly noise: number;
  readonly channel: number;
  readonly flags: number;
  readonly end: number;
}

const NARROW = 16; // fewer samples than two vectors are left to the plain kernel
const WIDE = 128; // numpy halves longer sums
const MOST = 32 * 1024 * 1024; // samples

/** Whether the module can be made for these: `simdPlaces` and `simdModule` mean nothing where it cannot. */
export const simdCan = (channels: number, samples: number, { baseline, gate }: PulseSettings): boolean =>
  samples >= NARROW && samples >= baseline && baseline >= 2 && baseline <= WIDE && gate[0] + gate[1] <= WIDE && channels * samples <= MOST;

export function simdPlaces(channels: number, samples: number, { baseline, cfd }: PulseSettings): SimdPlaces {
  let end = 0;
  const room = (bytes: number): number => {
    const at = end;
    end += 16 * Math.ceil(bytes / 16) + 16;
    return at;
  };
  const column = (): number => room(8 * channels);
  const places = {
    samples: room(2 * channels * samples),
    x: room(8 * (cfd.delay + samples + 4)) + 16 * Math.ceil(cfd.delay / 2),
    c: room(8 * samples),
    square: room(8 * baseline),
    time: column(),
    charge: column(),
    tail: column(),
    peak: column(),
    baseline: column(),
    noise: column(),
    channel: room(2 * channels),
    flags: room(2 * channels),
  };
  return { ...places, end };
}

const int = i32.const;
const times = (value: Code, shift: number): Code => i32.shiftLeft(value, int(shift));
const plus = (a: Code, b: number): Code => i32.add(a, int(b));
const count = (i: Local, step: number): Code => i.set(plus(i.get, step));

/** The sum of n doubles at an address, in numpy's order; n up to 128. */
const PAIRWISE: Routine = {
  parameters: ['i32', 'i32'],
  result: 'f64',
  code({ parameters, local }) {
    const [at, n] = parameters as [Local, Local]; // as many as are declared
    const [ab, cd, ef, gh] = [local('v128'), local('v128'), local('v128'), local('v128')];
    const end = local('i32');
    const stop = local('i32');
    const sum = local('f64');
    const columns = [ab, cd, ef, gh];
    const both = (v: Local): Code => f64.add(f64x2.lane(v.get, 0), f64x2.lane(v.get, 1));
    return [
      end.set(i32.add(at.get, times(n.get, 3))),
      when(
        i32.atLeast(n.get, int(8)),
        stop.set(i32.add(at.get, times(i32.and(n.get, int(-8)), 3))),
        ...columns.map((v, i) => v.set(v128.load(at.get, 16 * i))),
        loop(
          count(at, 64),
          leaveWhen(i32.atLeast(at.get, stop.get)),
          ...columns.map((v, i) => v.set(f64x2.add(v.get, v128.load(at.get, 16 * i)))),
        ),
        sum.set(f64.add(f64.add(both(ab), both(cd)), f64.add(both(ef), both(gh)))),
      ),
      loop(leaveWhen(i32.atLeast(at.get, end.get)), sum.set(f64.add(sum.get, f64.load(at.get))), count(at, 8)),
      sum.get,
    ];
  },
};

/** The last eight bytes first. */
const UPPER = [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7];

/** The smallest or largest of eight samples, in every lane. */
function across(v: Local, op: (...v: readonly Code[]) => Code): Code {
  const turned = (bytes: number): Code => {
    const order = Array.from({ length: 16 }, (_, i) => (i + bytes) % 16);
    return v.set(op(v.get, v128.shuffle(v.get, v.get, order)));
  };
  return [...turned(8), ...turned(4), ...turned(2)];
}

/** Looks at the frame in memory; parameters: nanoseconds of its first sample, flags of each hit. Gives the number of rows. */
function look(channels: number, samples: number, settings: PulseSettings, places: SimdPlaces): Routine {
  const { bits, intervalNs, baseline: m, gate, tail: late, leading, threshold } = settings;
  const { fraction, delay } = settings.cfd;
  const negative = settings.polarity === 'negative';
  const [before, after] = gate;
  const { x, c, square } = places;
  return {
    parameters: ['f64', 'i32'],
    result: 'i32',
    code({ parameters, local }) {
      const [t, common] = parameters as [Local, Local]; // as many as are declared
      const row = local('i32');
      const channel = local('i32');
      const start = local('i32');
      const i = local('i32');
      const at = local('i32');
      const from = local('i32');
      const to = local('i32');
      const tailFrom = local('i32');
      const flags = local('i32');
      const extreme = local('i32');
      const baseline = local('f64');
      const peak = local('f64');
      const charge = local('f64');
      const tail = local('f64');
      const time = local('f64');
      const best = local('f64');
      const now = local('f64');
      const next = local('f64');
      const low = local('v128');
      const high = local('v128');
      const here = local('v128');
      const four = local('v128');
      const level = local('v128');
      const sampleAt = (index: Code, offset = 0): Code => i32.load16(i32.add(start.get, times(index, 1)), places.samples + offset);
      const height = (sample: Code): Code => (negative ? f64.sub(baseline.get, sample) : f64.sub(sample, baseline.get));
      const heights = (two: Code): Code => (negative ? f64x2.sub(level.get, two) : f64x2.sub(two, level.get));
      const xAt = (index: Code, offset = 0): Code => f64.load(times(index, 3), x + 8 * offset);
      const column = (place: number, value: Code): Code => f64.store(times(row.get, 3), value, place);
      const flagWhen = (condition: Code, flag: number): Code => when(condition, flags.set(i32.or(flags.get, int(flag))));

      const meanOfBaseline = [
        at.set(int(0)),
        i.set(int(0)),
        loop(at.set(i32.add(at.get, sampleAt(i.get))), count(i, 1), leaveWhen(i32.atLeast(i.get, int(m)))),
        baseline.set(f64.div(f64.of(at.get), f64.const(m))),
      ];
      // The last eight are looked at twice where eight do not divide the record.
      const extremes = [
        low.set(v128.load(plus(start.get, 2 * (samples - 8)), places.samples)),
        high.set(low.get),
        i.set(start.get),
        at.set(plus(start.get, 2 * (samples - 8))),
        loop(
          here.set(v128.load(i.get, places.samples)),
          low.set(i16x8.min(low.get, here.get)),
          high.set(i16x8.max(high.get, here.get)),
          count(i, 16),
          leaveWhen(i32.atLeast(i.get, at.get)),
        ),
        across(low, i16x8.min),
        across(high, i16x8.max),
      ];
      const lowest = i16x8.lane(low.get, 0);
      const highest = i16x8.lane(high.get, 0);
      const placeOfPeak = [
        here.set(i16x8.splat(extreme.get)),
        at.set(int(0)),
        loop(
          i.set(i16x8.bitmask(i16x8.equal(here.get, v128.load(i32.add(start.get, times(at.get, 1)), places.samples)))),
          leaveWhen(i.get),
          count(at, 8),
        ),
        at.set(i32.add(at.get, i32.trailingZeros(i.get))),
      ];
      const gateAndFlags = [
        flags.set(common.get),
        flagWhen(i32.or(i32.equal(lowest, int(0)), i32.atLeast(highest, int(2 ** bits - 1))), FLAG.saturated),
        from.set(plus(at.get, -before)),
        to.set(plus(at.get, after)),
        flagWhen(i32.or(i32.less(from.get, int(m)), i32.more(to.get, int(samples))), FLAG.cut),
        from.set(select(from.get, int(0), i32.atLeast(from.get, int(0)))),
        to.set(select(to.get, int(samples), i32.atMost(to.get, int(samples)))),
        tailFrom.set(plus(at.get, late)),
        tailFrom.set(select(tailFrom.get, from.get, i32.more(tailFrom.get, from.get))),
        tailFrom.set(select(tailFrom.get, to.get, i32.less(tailFrom.get, to.get))),
      ];
      const fill = [
        level.set(f64x2.splat(baseline.get)),
        // As far as the heights are needed: to the gate's end, and for the noise.
        extreme.set(select(to.get, int(m), i32.more(to.get, int(m)))),
        i.set(int(0)),
        loop(
          four.set(load16x4(i32.add(start.get, times(i.get, 1)), places.samples)),
          v128.store(times(i.get, 3), heights(f64x2.ofLow(four.get)), x),
          v128.store(times(i.get, 3), heights(f64x2.ofLow(v128.shuffle(four.get, four.get, UPPER))), x + 16),
          count(i, 4),
          leaveWhen(i32.atLeast(i.get, extreme.get)),
        ),
      ];
      const sums = [
        charge.set(call(0, plus(times(from.get, 3), x), i32.sub(to.get, from.get))),
        tail.set(call(0, plus(times(tailFrom.get, 3), x), i32.sub(to.get, tailFrom.get))),
        flagWhen(
          i32.equal(
            i32.and(i32.and(f64.atLeast(tail.get, f64.const(0)), f64.atMost(tail.get, charge.get)), f64.more(charge.get, f64.const(0))),
            int(0),
          ),
          FLAG.shapeless,
        ),
        i.set(int(0)),
        loop(
          here.set(v128.load(times(i.get, 3), x)),
          v128.store(times(i.get, 3), f64x2.mul(here.get, here.get), square),
          count(i, 2),
          leaveWhen(i32.atLeast(i.get, int(m))),
        ),
      ];
      const cfdAt = (index: Code): Code =>
        f64x2.sub(f64x2.mul(level.get, v128.load(times(index, 3), x)), v128.load(times(index, 3), x - 8 * delay));
      const crossing = [
        level.set(f64x2.splat(f64.const(fraction))),
        best.set(f64.mul(f64.const(fraction), xAt(int(0)))),
        here.set(f64x2.splat(best.get)),
        f64.store(int(0), best.get, c),
        i.set(int(0)),
        loop(
          leaveWhen(i32.atLeast(i.get, at.get)),
          four.set(cfdAt(i.get)),
          v128.store(times(i.get, 3), four.get, c),
          here.set(f64x2.max(here.get, four.get)),
          count(i, 2),
        ),
        when(
          i32.more(at.get, int(0)),
          i.set(plus(at.get, -1)),
          four.set(cfdAt(i.get)),
          v128.store(times(i.get, 3), four.get, c),
          here.set(f64x2.max(here.get, four.get)),
        ),
        best.set(select(f64x2.lane(here.get, 0), f64x2.lane(here.get, 1), f64.more(f64x2.lane(here.get, 0), f64x2.lane(here.get, 1)))),
        when(
          f64.more(best.get, f64.const(0)),
          here.set(f64x2.splat(best.get)),
          i.set(int(0)),
          loop(leaveWhen(v128.anyTrue(f64x2.equal(here.get, v128.load(times(i.get, 3), c)))), count(i, 2)),
          i.set(i32.add(i.get, i32.equal(f64.equal(f64.load(times(i.get, 3), c), best.get), int(0)))),
          now.set(best.get),
          loop(
            count(i, 1),
            leaveWhen(i32.atLeast(i.get, int(samples))),
            next.set(
              f64.sub(
                f64.mul(f64.const(fraction), height(f64.of(sampleAt(i.get)))),
                select(
                  height(f64.of(sampleAt(select(plus(i.get, -delay), int(0), i32.atLeast(i.get, int(delay)))))),
                  f64.const(0),
                  i32.atLeast(i.get, int(delay)),
                ),
              ),
            ),
            when(
              i32.equal(f64.more(next.get, f64.const(0)), int(0)),
              time.set(f64.add(f64.of(plus(i.get, -1)), f64.div(now.get, f64.sub(now.get, next.get)))),
            ),
            leaveWhen(f64.atLeast(time.get, f64.const(0))),
            now.set(next.get),
          ),
        ),
      ];
      const edge = [
        best.set(f64.mul(f64.const(leading), peak.get)),
        i.set(at.get),
        loop(leaveWhen(i32.equal(i.get, int(0))), leaveWhen(f64.atMost(xAt(plus(i.get, -1)), best.get)), count(i, -1)),
        when(
          i32.more(i.get, int(0)),
          now.set(xAt(plus(i.get, -1))),
          time.set(f64.add(f64.of(plus(i.get, -1)), f64.div(f64.sub(best.get, now.get), f64.sub(xAt(i.get), now.get)))),
        ),
      ];
      const give = [
        when(f64.less(time.get, f64.const(0)), flags.set(i32.or(flags.get, int(FLAG.untimed))), time.set(f64.of(at.get))),
        column(places.time, f64.add(t.get, f64.mul(f64.const(intervalNs), time.get))),
        column(places.charge, charge.get),
        column(places.tail, tail.get),
        column(places.peak, peak.get),
        column(places.baseline, baseline.get),
        column(places.noise, f64.sqrt(f64.div(call(0, int(square), int(m)), f64.const(m - 1)))),
        i32.store16(times(row.get, 1), channel.get, places.channel),
        i32.store16(times(row.get, 1), flags.get, places.flags),
        count(row, 1),
      ];
      return [
        loop(
          ...meanOfBaseline,
          ...extremes,
          extreme.set(negative ? lowest : highest),
          peak.set(height(f64.of(extreme.get))),
          when(
            i32.and(f64.atLeast(peak.get, f64.const(threshold)), f64.more(peak.get, f64.const(0))),
            ...placeOfPeak,
            ...gateAndFlags,
            ...fill,
            ...sums,
            time.set(f64.const(-1)),
            ...(settings.time === 'cfd' ? crossing : edge),
            ...give,
          ),
          count(start, 2 * samples),
          count(channel, 1),
          leaveWhen(i32.atLeast(channel.get, int(channels))),
        ),
        row.get,
      ];
    },
  };
}

/** The module: `r1(nanoseconds, flags)` looks at the frame in memory and gives the number of rows. */
export function simdModule(channels: number, samples: number, settings: PulseSettings, places: SimdPlaces): Uint8Array {
  return wasm(Math.ceil(places.end / 65536), [PAIRWISE, look(channels, samples, settings, places)]);
}
