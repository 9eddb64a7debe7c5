/** The host's side of the guardian. */
import type { Clock } from './clock.ts';
import type { Prepared, ToGuardian, ToHost } from './guardian/armed.ts';
import type { Host } from './host.ts';
import { type Keeper, leaseName } from './lease.ts';
import type { Rig } from './rig.ts';

const WATCH = 1; // seconds without a word from the guardian after which it counts as gone
const CONFIRM = 1; // seconds for the guardian to confirm that it has armed a lease

export interface KeeperOptions {
  readonly clock: Clock;
  readonly rig: Rig;
  readonly isSimulated: (address: string) => boolean;
  readonly lab: () => Pick<Host, 'acquired' | 'identity'> | undefined;
  readonly send: (message: ToGuardian) => void;
  /** The pipe to the guardian is whole. */
  readonly connected: () => boolean;
}

/** The guardian as the keeper of leases: prepared with what it needs to act alone, confirmed before a hazardous byte goes. */
export function guardianKeeper({ clock, rig, isSimulated, lab, send, connected }: KeeperOptions): {
  readonly keeper: Keeper;
  heard(message: ToHost): void;
} {
  /** Who waits for the guardian's word, by lease: an order, and somebody who has found the output on. */
  const waiting = new Map<string, Set<(why?: string) => void>>();
  let watched = clock.mono();
  const keeper: Keeper = {
    name: 'guardian',
    alive: () => connected() && clock.mono() - watched < WATCH,
    arm(lease, armed) {
      const name = leaseName(lease);
      const prepared = preparedOf(rig, lab(), lease, isSimulated);
      if (!prepared) {
        armed('the instrument has not identified itself');
        return;
      }
      const all = waiting.get(name) ?? new Set();
      waiting.set(name, all);
      // Each is told once, by the guardian or by its own timer, never by another's.
      const mine = (why?: string): void => {
        cancel();
        if (all.delete(mine)) armed(why);
      };
      const cancel = clock.after(CONFIRM, () => mine('the guardian has not confirmed'));
      all.add(mine);
      send({ is: 'prepare', prepared });
      send({ is: 'arm', name });
    },
    beat: (active) => send({ is: 'beat', active }),
    release: (lease) => send({ is: 'release', name: leaseName(lease) }),
    prepare(lease) {
      const prepared = preparedOf(rig, lab(), lease, isSimulated);
      if (prepared) send({ is: 'prepare', prepared });
    },
  };
  return {
    keeper,
    heard(message) {
      if (message.is === 'watch') watched = clock.mono();
      if (message.is !== 'armed') return;
      const all = waiting.get(message.name);
      waiting.delete(message.name);
      for (const armed of [...(all ?? [])]) armed(message.why);
    },
  };
}

function preparedOf(
  rig: Rig,
  lab: ReturnType<KeeperOptions['lab']>,
  lease: Parameters<Keeper['arm']>[0],
  isSimulated: (address: string) => boolean,
): Prepared | undefined {
  const instrument = rig.instruments.find((i) => i.name === lease.instrument);
  const acquired = lab?.acquired.get(lease.instrument);
  if (!instrument || !acquired?.commands[lease.command]) return undefined;
  const addresses = (i: Rig['instruments'][number]): Readonly<Record<string, string>> =>
    Object.fromEntries(Object.entries(i.links).map(([role, { address }]) => [role, address]));
  const carriers: Record<string, Prepared['carriers'][string]> = {};
  // Each carrier, and what carries it.
  const carried = [instrument];
  for (const one of carried) {
    for (const { address } of Object.values(one.links)) {
      const adapter = /^gpib:([^/]+)\//.exec(address)?.[1];
      const carrier = rig.instruments.find((i) => i.name === adapter);
      if (!carrier || carried.includes(carrier)) continue;
      carried.push(carrier);
      carriers[carrier.name] = {
        model: carrier.model,
        options: carrier.options,
        id: lab?.identity(carrier.name),
        links: addresses(carrier),
      };
    }
  }
  return {
    name: leaseName(lease),
    instrument: lease.instrument,
    model: instrument.model,
    options: instrument.options,
    id: acquired.id,
    command: lease.command,
    index: lease.index,
    deadline: lease.deadline,
    then: lease.then,
    ...(lease.order === undefined ? {} : { order: lease.order }),
    outside: !Object.values(addresses(instrument)).some(isSimulated),
    links: addresses(instrument),
    carriers,
  };
}
