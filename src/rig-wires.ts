/** A rig's instruments as the host takes them: the model of each, with the rig's own pace and intervals, and the wires they share. */
import type { Catalogue } from './catalogue.ts';
import type { AnyProtocol, Instrument } from './instrument.ts';
import type { Rig, RigInstrument } from './rig.ts';
import { Refused } from './talk.ts';

/** One wire of the rig: its address, and the instruments on it in the rig's order. */
export interface Wire {
  readonly key: string;
  readonly address: string;
  readonly users: readonly { readonly instrument: RigInstrument; readonly role: string; readonly protocol: AnyProtocol }[];
}

/** The wires of a rig, each once. `gpib:` addresses are tunnels of another instrument and come back separately, each behind those that carry it. */
export function wires(rig: Rig, catalogue: Catalogue): { readonly wires: readonly Wire[]; readonly tunnels: readonly Wire[] } {
  const found = new Map<
    string,
    { key: string; address: string; users: { instrument: RigInstrument; role: string; protocol: AnyProtocol }[] }
  >();
  for (const instrument of rig.instruments) {
    const model = modelOf(catalogue, instrument);
    const languages = model.links(parsed(model, instrument)) as Readonly<Record<string, AnyProtocol>>; // role -> language
    for (const [role, { wire, address }] of Object.entries(instrument.links)) {
      const at = found.get(wire) ?? { key: wire, address, users: [] };
      found.set(wire, at);
      const protocol = languages[role];
      if (protocol) at.users.push({ instrument, role, protocol });
    }
  }
  const all = [...found.values()].filter((w) => w.users.length > 0);
  const tunnels = all.filter((w) => w.address.startsWith('gpib:'));
  const deep = new Map(tunnels.map((w) => [w, depth(w, tunnels)]));
  return {
    wires: all.filter((w) => !w.address.startsWith('gpib:')),
    tunnels: tunnels.sort((a, b) => (deep.get(a) ?? 0) - (deep.get(b) ?? 0)),
  };
}

/** Nothing of its own comes over it: what it carries is built of the hits of other instruments. */
export const isBuilt = ({ address }: Pick<Wire, 'address'>): boolean => address.startsWith('hits:');

/** Of gpib:ADAPTER/ADDRESS. */
export const carrierOf = ({ address }: Pick<Wire, 'address'>): string => address.slice('gpib:'.length).split('/')[0] ?? '';

/** How many carriers a tunnel goes through: a meter at the relay of a source that is behind an adapter goes through two. */
function depth(tunnel: Wire, tunnels: readonly Wire[], seen: readonly Wire[] = []): number {
  const below = tunnels.find((w) => w.users.some((u) => u.instrument.name === carrierOf(tunnel)));
  return below === undefined || seen.includes(below) ? 1 : 1 + depth(below, tunnels, [...seen, tunnel]);
}

export function modelOf(catalogue: Catalogue, instrument: RigInstrument): Instrument {
  const model = catalogue.instruments.get(instrument.model);
  if (!model) throw new Error(`no driver ${instrument.model}: the rig's check lets none pass`);
  return model;
}

/** The options of a rig's instrument as its model understands them; the rig's check has refused what it does not. */
export function parsed(model: Instrument, instrument: RigInstrument): unknown {
  const options: unknown = model.options.parse(instrument.options);
  if (options instanceof Refused) throw new Error(`${instrument.name}: ${options.why}`);
  return options;
}

/** A model as this rig wants it: its pace, time-out and poll intervals. */
export function adapted(model: Instrument, instrument: RigInstrument): Instrument {
  const { pace, within, every: intervals } = instrument;
  return {
    ...model,
    pace: pace ?? model.pace,
    within: within ?? model.within,
    body: (p: unknown, id: unknown) => {
      const body = model.body(p, id);
      const polls = body.polls?.map((poll) => {
        const wanted = Object.keys(poll.gives as Record<string, unknown>).flatMap((c) =>
          intervals?.[c] === undefined ? [] : [intervals[c]],
        );
        return wanted.length > 0 ? { ...poll, every: Math.min(...wanted) } : poll;
      });
      return { ...body, polls };
    },
  };
}
