/** A laboratory in one process on virtual time: a rig of simulators with everything the real host has. */

import type { Catalogue } from '../src/catalogue.ts';
import { leastOptions } from '../src/cli/instruments.ts';
import { type VirtualClock, virtualClock } from '../src/clock.ts';
import type { AlarmState, Entry } from '../src/entry.ts';
import { type Host, host } from '../src/host.ts';
import type { Keeper } from '../src/lease.ts';
import type { Link } from '../src/link.ts';
import { nodesOf } from '../src/methods.ts';
import type { Reading } from '../src/reading.ts';
import type { Rig } from '../src/rig.ts';
import { type SimulatedRig, simulatedRig } from '../src/rig-open.ts';
import type { Wire } from '../src/rig-wires.ts';

export interface Laboratory {
  readonly clock: VirtualClock;
  readonly host: Host;
  readonly simulated: SimulatedRig;
  readonly entries: Entry[];
  readings(from?: string): Reading[];
}

/** A keeper in the same process: it confirms at once and notes what it was told. */
export function keeperHere(): Keeper & { readonly beats: string[][]; dead: boolean } {
  const beats: string[][] = [];
  return {
    name: 'test',
    dead: false,
    beats,
    alive() {
      return !this.dead;
    },
    arm: (_, armed) => armed(),
    beat: (active) => void beats.push([...active]),
    release() {},
  };
}

export interface LaboratoryOptions {
  readonly seed?: number;
  readonly wrap?: (link: Link, wire: Wire, clock: VirtualClock) => Link;
  readonly open?: (wire: Wire, clock: VirtualClock) => Link | undefined;
  readonly keeper?: Keeper;
  readonly restored?: readonly AlarmState[];
}

export function laboratory(rig: Rig, catalogue: Catalogue, options: LaboratoryOptions = {}): Laboratory {
  const clock = virtualClock();
  const entries: Entry[] = [];
  const simulated = simulatedRig(rig, catalogue, clock, options.seed ?? 1);
  const lab = host({
    rig,
    catalogue,
    nodes: nodesOf(rig),
    clock,
    open(wire, _, keep) {
      const link = options.open?.(wire, clock) ?? simulated.open(wire, keep);
      if (!link) throw new Error(`${wire.key} has no simulator`);
      return options.wrap?.(link, wire, clock) ?? link;
    },
    emit: (entry) => void entries.push(entry),
    keeper: options.keeper ?? keeperHere(),
    restored: options.restored,
  });
  return {
    clock,
    host: lab,
    simulated,
    entries,
    readings: (from) =>
      entries.flatMap((e) => (e.kind === 'reading' && (from === undefined || e.reading.from === from) ? [e.reading] : [])),
  };
}

/** A rig of one instrument with the model's own defaults, each role on a simulated link of its own. */
export function rigOf(model: string, catalogue: Catalogue, more: Partial<Rig['instruments'][number]> = {}): Rig {
  const instrument = catalogue.instruments.get(model);
  if (!instrument) throw new Error(`no driver ${model}`);
  const given = leastOptions(instrument) ?? {};
  const options: unknown = instrument.options.parse(given);
  const roles = Object.keys(instrument.links(options) as Record<string, unknown>);
  return {
    name: 'test',
    folder: import.meta.dirname,
    file: 'rig.yaml',
    text: '',
    sessions: '',
    links: {},
    instruments: [
      {
        name: model,
        model,
        links: Object.fromEntries(roles.map((role) => [role, { wire: role, address: 'simulated' }])),
        options: given,
        every: {},
        limits: {},
        leases: {},
        simulate: {},
        ...more,
      },
    ],
    derive: [],
    start: [],
    record: { rawOrder: [] },
  };
}
