/** What a driver plans for the physics of its detector, as plain data, and the chain that it makes. */
import { bad, type Values } from '../reading.ts';
import type { Cuts } from './coincidence-cuts.ts';
import { type ChainOptions, checkChain, type DetectorChain, detectorChain } from './detector-chain.ts';
import { type MapPlan, mapOf } from './detector-map.ts';
import { PHYSICS_GIVES, SOURCE_GIVES } from './detector-values.ts';
import { flightFrom } from './direction.ts';
import { length, unit, type Vector } from './direction-cone.ts';
import type { Axis } from './histogram.ts';
import { LIGHT_GIVES } from './light-yield.ts';

/** Lengths in cm, times in ns, energies in MeVee, angles in radians. What is left out is as in ChainOptions. */
export interface PhysicsPlan {
  /** The detector's, from `firstChannel` on. */
  readonly channels: number;
  readonly firstChannel?: number;
  /** By channel number of the hits; without it there are no energies, and every reading says so. */
  readonly scale?: { readonly slope: readonly number[]; readonly offset?: readonly number[] };
  /** Nanoseconds: hits of several boards are events by time, as in ChainOptions. */
  readonly within?: number;
  readonly cuts?: Cuts;
  readonly map?: MapPlan;
  readonly photoelectron?: number | readonly number[];
  readonly dark?: number;
  readonly excess?: number;
  readonly energy?: Axis;
  readonly shape?: Axis;
  readonly light?: ChainOptions['light'];
  /** A source that is known: where it stands (the detector's middle is the origin), or where what it sends flies to. */
  readonly source?: { readonly at: Vector } | { readonly flight: Vector };
  /** Channels whose readings say under which conditions a run was made: nothing here looks at them, the analysis of sessions does. */
  readonly conditions?: readonly string[];
  readonly fits?: number;
  readonly refresh?: number;
}

/** "hv.voltage", or one of a list: "hv.voltage[3]". */
export const isCondition = (text: string): boolean => /^[\w-]+\.[\w-]+(\[\d+\])?$/.test(text);

/** As much of a chain as a reader needs. */
export type Physics = Pick<DetectorChain, 'take' | 'look' | 'clear'>;

/** A sentence for what is wrong with the plan. */
export function chainOf(plan: PhysicsPlan): Physics | string {
  const { map: of, photoelectron, dark, excess, source, scale, conditions: _, ...rest } = plan;
  const map = of && mapOf(of);
  if (typeof map === 'string') return `map: ${map}`;
  const vertex = map && {
    map,
    ...(photoelectron === undefined ? {} : { photoelectron }),
    ...(dark === undefined ? {} : { dark }),
    ...(excess === undefined ? {} : { excess }),
  };
  const along = source && ('at' in source ? flightFrom(source.at) : unit(source.flight));
  if (along && !(length(along) > 0)) return 'source: it stands in the middle of the detector, so there is no flight from it';
  // A scale that is none still lets the rest of the plan be looked at.
  const options: ChainOptions = {
    ...rest,
    scale: scale ?? { slope: new Float64Array((plan.firstChannel ?? 0) + plan.channels) },
    ...(vertex ? { vertex } : {}),
    ...(along ? { flight: along } : {}),
  };
  const wrong = checkChain(options);
  if (wrong !== undefined) return wrong;
  return scale ? detectorChain(options) : withoutEnergy(along !== undefined, plan.refresh ?? 10);
}

function withoutEnergy(hasSource: boolean, refresh: number): Physics {
  const none = bad('no energies: the scale of the channels is not known');
  const all: Values = Object.fromEntries(
    Object.keys({ ...PHYSICS_GIVES, ...LIGHT_GIVES, ...(hasSource ? SOURCE_GIVES : {}) }).map((name) => [name, none]),
  );
  let told = Number.NEGATIVE_INFINITY;
  return {
    take() {},
    look(_begin, end) {
      if (end - told < 1e6 * refresh) return {};
      told = end;
      return all;
    },
    clear() {},
  };
}
