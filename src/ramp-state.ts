/** What is kept of an output that is ramped, and the size of a step. */
import type { OrderOutcome, RampStatus } from './entry.ts';
import type { OrderRequest } from './order.ts';
import type { RigRamp } from './rig.ts';
import type { Unit } from './units.ts';

/** What is known only of an identified instrument may be a getter. */
export interface RampSpec extends RigRamp {
  readonly instrument: string;
  readonly command: string;
  /** What the command takes; '' while that is not known. */
  readonly unit: Unit | '';
  /** Its safe value, which goes at once. */
  readonly safe?: number | undefined;
}

/** An output that can be ramped. */
export interface Output {
  readonly name: string;
  readonly spec: RampSpec;
  /** A step has been given and has not ended. */
  stepping: boolean;
  /** Safe orders that have not ended. */
  readonly safes: Set<number>;
  /** Monotonic second before which no step goes: whatever is held, resumed or replaced, the output never moves faster than its rate. */
  notBefore: number;
  ramp?: Ramp;
  /** The last one that has begun. */
  shown?: Ramp;
}

/** One ramp, from the order to its end. */
export interface Ramp {
  readonly request: OrderRequest;
  readonly to: number;
  readonly done: (outcome: OrderOutcome, why?: string) => void;
  /** Monotonic second until which its first step must have gone. */
  until: number;
  state: RampStatus['state'];
  /** Looks for where the output is. */
  locating: boolean;
  /** It has been found once. */
  begun: boolean;
  held: boolean;
  ended: boolean;
  from: number;
  /** The last step, and the one before. */
  at: number;
  before: number;
  /** Steps are counted from here. */
  base: number;
  count: number;
  /** Steps given in all. */
  given: number;
  /** Time of the last good reading, and how many looks have found none since. */
  seen: number;
  silent: number;
  /** Monotonic second at which it has taken too long. */
  limit: number;
  why?: string;
  cancel: () => void;
}

/**
 * At most one step further, or the target where it is as near. What would happen to be the safe value would be a safe order: half a step
 * goes instead.
 */
export function nextStep(ramp: Pick<Ramp, 'at' | 'to' | 'base' | 'count'>, size: number, safe: number | undefined): number {
  const { at, to } = ramp;
  if (Math.abs(to - at) <= size * (1 + 1e-9)) return to;
  const step = Math.sign(to - at) * size;
  ramp.count++;
  const value = ramp.base + ramp.count * step;
  if (value !== safe) return value;
  ramp.base = at + step / 2;
  ramp.count = 0;
  return ramp.base;
}

/** "45 s", "12 min", "3.5 h" */
export const lasting = (seconds: number): string => {
  if (seconds < 100) return `${Number(seconds.toPrecision(2))} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${Number((seconds / 3600).toPrecision(2))} h`;
};
