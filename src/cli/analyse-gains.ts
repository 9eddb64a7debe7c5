/** Gains and energy scales of a recorded stream against time: with the windows and the drift of the reading process, from the hits. */
import { channelScale, type ScaleName } from '../derive/channel-scale.ts';
import type { Hits } from '../derive/hits.ts';
import { digits, plural } from './analyse-events.ts';
import type { Measure } from './analyse-measures.ts';
import type { Recorded } from './analyse-session.ts';
import { columns } from './table.ts';

export const GAINS_HELP = `  --gains             gains and energy scales of the channels against time, where the rig's options ask for them: as the readout process finds
                      them, a fit for each second of the run (tens of milliseconds each)
`;

export interface Gains {
  /** Blocks in the order of their times, more or less. */
  take(block: Hits): void;
  end(): { readonly json: Readonly<Record<string, unknown>>; readonly text: string; readonly measures: readonly Measure[] };
}

/** One channel: weighted sums over its windows. */
interface Sum {
  windows: number;
  weights: number;
  mean: number;
  squares: number;
  readonly first: number;
  last: number;
}

const SECOND = 1e9;

/** Undefined where the rig asks for neither. `began`: of the session, microseconds since 1970; its first hit is taken to be of then. */
export function gainsOf({ plan }: Recorded, began = 0): Gains | undefined {
  if (!plan?.scale?.photoelectrons && !plan?.scale?.energy) return undefined;
  const sums = {
    ...(plan.scale.photoelectrons ? { gain: new Map<number, Sum>() } : {}),
    ...(plan.scale.energy ? { energy_scale: new Map<number, Sum>() } : {}),
  };
  const scale = channelScale({ ...plan.scale, channels: plan.channels }, (name, c, found) => {
    const own = sums[name];
    if (own && found.quality !== 'bad') add(own, c, found.value, found.sigma?.random ?? 0);
  });
  let [zero, next, last] = [Number.NaN, Number.NaN, Number.NaN];
  const clock = (t: number): number => began + (t - zero) / 1e3;
  return {
    take(block) {
      let from = 0;
      for (let i = 0; i < block.count; i++) {
        const t = block.t[i] as number; // i < count
        if (Number.isNaN(zero)) [zero, next] = [t, t + SECOND];
        last = t;
        if (t < next) continue;
        scale.take(part(block, from, i));
        from = i;
        scale.look(clock(t));
        next = Math.max(next + SECOND, t); // silence holds nothing to be fitted
      }
      scale.take(part(block, from, block.count));
    },
    end() {
      const said = scale.end(clock(last));
      const found = (Object.entries(sums) as [ScaleName, Map<number, Sum>][]) // its own keys
        .map(([name, own]) => ({ name, own, written: name.replace('_', ' '), sentence: String(said[`${name}_channels`]) }));
      return {
        json: Object.fromEntries(
          found.map(({ name, own, sentence }) => [
            name,
            { state: said[`${name}s`], drift: sentence, channels: Object.fromEntries([...own].map(([c, sum]) => [c, shown(sum)])) },
          ]),
        ),
        text: columns(found.map(({ own, written, sentence }) => [written, `${range(own)}: ${sentence}`])),
        measures: found.flatMap(({ name, own, written }) =>
          [...own].map(([c, sum]) => ({
            ...{ quantity: `${written} ${c}`, unit: name === 'gain' ? '' : 'MeVee' },
            ...{ value: sum.mean, sigma: sigmaOf(sum), of: 'error' as const },
          })),
        ),
      };
    },
  };
}

function add(own: Map<number, Sum>, c: number, value: number, sigma: number): void {
  if (!(sigma > 0)) return;
  const sum = own.get(c) ?? { windows: 0, weights: 0, mean: 0, squares: 0, first: value, last: value };
  own.set(c, sum);
  const weight = 1 / sigma ** 2;
  sum.windows++;
  sum.weights += weight;
  const off = value - sum.mean;
  sum.mean += (off * weight) / sum.weights;
  sum.squares += weight * off * (value - sum.mean);
  sum.last = value;
}

/** Windows that scatter by more than their bars make a wider one. */
const sigmaOf = ({ windows, weights, squares }: Sum): number =>
  Math.sqrt((windows > 1 ? Math.max(1, squares / (windows - 1)) : 1) / weights);

const shown = (sum: Sum): object => ({
  ...{ mean: sum.mean, sigma: sigmaOf(sum), windows: sum.windows, first: sum.first, last: sum.last },
});

function range(own: ReadonlyMap<number, Sum>): string {
  if (own.size === 0) return 'of no channel';
  const [means, windows] = [[...own.values()].map(({ mean }) => mean), [...own.values()].map((one) => one.windows)];
  const [least, most] = [Math.min(...windows), Math.max(...windows)];
  const each = `${least === most ? most : `${least} to ${most}`} window${most === 1 ? '' : 's'}`;
  return `${digits(Math.min(...means), 4)} to ${digits(Math.max(...means), 4)}, ${plural(own.size, 'channel')} with ${each}`;
}

/** The same columns from one row to another: as much of them as a scale looks at. */
function part(block: Hits, from: number, to: number): Hits {
  if (from === 0 && to === block.count) return block;
  const [channel, charge, flags] = [block.channel, block.charge, block.flags].map((column) => column.subarray(from, to));
  return { ...block, count: to - from, channel, charge, flags } as Hits; // columns of the same kinds
}
