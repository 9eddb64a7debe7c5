/** A simulated camera before the simulated cell, for tests of what it sees. */
import camera from '../../simulators/princeton-spe.ts';
import { type Dac, dac } from '../../simulators/worlds/dac.ts';
import { type VirtualClock, virtualClock } from '../../src/clock.ts';
import { averageFrames, type SpectralFrame } from '../../src/derive/calibration.ts';
import { spectrumOf } from '../../src/derive/files.ts';
import { type Universe, universe } from '../../src/simulate.ts';
import { Refused } from '../../src/talk.ts';

export interface CameraBench {
  readonly clock: VirtualClock;
  readonly all: Universe;
  readonly world: Dac;
  /** The next exposures, one after the other. */
  take(count: number): readonly SpectralFrame[];
  /** The mean of the next exposures. */
  mean(count: number): SpectralFrame;
}

export function optionsOf<T>(schema: { parse(yaml: unknown): T | Refused }, yaml: unknown): T {
  const options = schema.parse(yaml);
  if (options instanceof Refused) throw new Error(options.why);
  return options;
}

/** One exposure of 0.5 s after the other, unless told otherwise. */
export function cameraBench(simulate: Readonly<Record<string, unknown>> = {}, seed = 1, looks = 0.1): CameraBench {
  const clock = virtualClock();
  const all = universe(seed, clock);
  const { ports } = all.device('camera', camera, optionsOf(camera.options, { every: '0.5 s', ...simulate }));
  const came: SpectralFrame[] = [];
  ports.main.says.subscribe(({ bytes }) => {
    const frame = spectrumOf(bytes, 0);
    if (typeof frame === 'string') throw new Error(frame);
    came.push({ ...frame, gain: 1, readNoise: 5 });
  });
  const take = (count: number): readonly SpectralFrame[] => {
    came.length = 0;
    for (let i = 0; came.length < count && i < 1e5; i++) {
      clock.advance(looks);
      all.settle();
    }
    return came.slice(0, count);
  };
  return {
    clock,
    all,
    world: all.of(dac),
    take,
    mean(count) {
      const mean = averageFrames(take(count));
      if (!mean) throw new Error('no frames');
      return mean;
    },
  };
}

/** Sum of some rows of each column, over the bias. */
export function columnsOf({ counts, columns }: SpectralFrame, [first, last]: readonly [number, number], bias = 600): Float64Array {
  const sum = new Float64Array(columns);
  for (let r = first; r <= last; r++) for (let i = 0; i < columns; i++) sum[i] += (counts[r * columns + i] ?? Number.NaN) - bias;
  return sum;
}

export const meanOf = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0) / values.length;
export const rmsOf = (values: ArrayLike<number>): number => Math.sqrt(meanOf(Array.from(values, (v) => v * v)));
