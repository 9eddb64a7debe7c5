/**
 * Trips every interlock of a rig with every fault of its inputs, on the simulators and on virtual time, and says what became of the
 * outputs. Each case has a laboratory of its own; the same seed gives the same results.
 */
import type { Catalogue } from './catalogue.ts';
import { type Leaf, leavesOf } from './condition.ts';
import type { Host, HostOptions } from './host.ts';
import type { Rig, RigInterlock } from './rig.ts';
import { type Bench, type Case, runCase } from './trip-case.ts';
import { tripLab } from './trip-lab.ts';
import { readbackOf } from './trip-outputs.ts';
import { type Heard, heardOf, listen } from './trip-plan.ts';
import { FAULTS, type FaultKind, type TripResult } from './trip-result.ts';

export { FAULTS, type FaultKind, type OutputResult, type TripResult } from './trip-result.ts';

export interface TripTestOptions {
  readonly seed?: number;
  /** Only the interlock of this name. */
  readonly interlock?: string;
  /** Only these faults. */
  readonly faults?: readonly FaultKind[];
  /** Makes the host: for tests of the test itself. */
  readonly host?: (options: HostOptions) => Host;
}

export const casesOf = (rig: Rig, { interlock, faults = FAULTS }: TripTestOptions = {}): readonly Case[] =>
  (rig.interlocks ?? [])
    .filter((one) => interlock === undefined || one.name === interlock)
    .flatMap((one) => distinct(one).flatMap((leaf) => faults.map((fault) => ({ interlock: one, leaf, fault }))));

/** Two leaves of one channel with one test are one row. */
const distinct = (interlock: RigInterlock): readonly Leaf[] => {
  const seen = new Set<string>();
  return leavesOf(interlock.when).filter((leaf) => {
    const name = JSON.stringify(leaf);
    return !seen.has(name) && seen.add(name);
  });
};

/** One result after another, in the order of `casesOf`. The rig has been checked. */
export function* tripTest(rig: Rig, catalogue: Catalogue, options: TripTestOptions = {}): Generator<TripResult> {
  const cases = casesOf(rig, options);
  if (cases.length === 0) return;
  const seed = options.seed ?? 1;
  const host = options.host === undefined ? {} : { host: options.host };
  const channels = (rig.interlocks ?? []).flatMap((one) => leavesOf(one.when).map((leaf) => leaf.of));
  const scout = tripLab(rig, catalogue, { seed, kept: new Set(channels), ...host });
  listen(scout, rig.interlocks ?? []);
  const heard = new Map<string, Heard>(channels.map((of) => [of, heardOf(scout.readings.get(of) ?? [])]));
  const outputs = (rig.interlocks ?? []).flatMap((one) => one.trips.flatMap((name) => readbackOf(scout, name) ?? []));
  scout.close();
  const nothing = heardOf([]);
  const bench: Bench = {
    rig,
    catalogue,
    options: { seed, kept: new Set([...channels, ...outputs]), ...host },
    heard: (channel) => heard.get(channel) ?? nothing,
    onValues: new Map(),
  };
  for (const one of cases) yield runCase(bench, one);
}
