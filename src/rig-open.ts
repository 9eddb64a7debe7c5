/** The links of a rig: real ones, or simulators in their place, all in one universe. */
import type { Catalogue } from './catalogue.ts';
import type { Clock } from './clock.ts';
import type { Keep } from './entry.ts';
import { type Link, wrapped } from './link.ts';
import { LinkError } from './links/link-error.ts';
import { type Address, openLink, parseAddress } from './links/open.ts';
import { simulatedLink } from './links/simulated.ts';
import { type BuildPlan, boardsIn, boardsOf, isBuild } from './readout/boards.ts';
import { type FeedPorts, feedPorts, localFeeds } from './readout/feeds.ts';
import { localBuild, localStream } from './readout/local-stream.ts';
import type { ReaderPlan } from './readout/reader.ts';
import { type BuildOptions, buildLink, type SessionPlace, streamLink } from './readout/stream-link.ts';
import type { Rig, RigInstrument } from './rig.ts';
import { simulatorOptions } from './rig-shape.ts';
import { isBuilt, type Wire, wires } from './rig-wires.ts';
import { type Device, type Universe, universe } from './simulate.ts';

export interface SimulatedRig {
  readonly universe: Universe;
  /** The simulated link of a wire; undefined where an instrument on it has no simulator. A fast stream gives `keep` what is to be recorded. */
  open(wire: Wire, keep?: Keep): Link | undefined;
  device(instrument: string): Device | undefined;
}

export function simulatedRig(rig: Rig, catalogue: Catalogue, clock: Clock, seed: number): SimulatedRig {
  const all = universe(seed, clock);
  const { wires: plain, tunnels } = wires(rig, catalogue);
  const feeds = localFeeds();
  const devices = new Map<string, Device>();
  const make = (instrument: RigInstrument, behind: Readonly<Record<string, Device>>): Device | undefined => {
    const simulator = catalogue.simulators.get(instrument.model);
    if (!simulator) return undefined;
    const device = all.device(instrument.name, simulator, simulatorOptions(simulator, instrument), behind);
    devices.set(instrument.name, device);
    return device;
  };
  // What lies behind an adapter is there before the adapter.
  const behind = new Map<string, Record<string, Device>>();
  for (const tunnel of [...tunnels].reverse()) {
    const [adapter = '', address = ''] = tunnel.address.slice('gpib:'.length).split('/');
    for (const { instrument } of tunnel.users) {
      const device = make(instrument, behind.get(instrument.name) ?? {});
      if (device) behind.set(adapter, { ...behind.get(adapter), [address]: device });
    }
  }
  for (const instrument of rig.instruments) if (!devices.has(instrument.name)) make(instrument, behind.get(instrument.name) ?? {});

  return {
    universe: all,
    device: (name) => devices.get(name),
    open(wire, keep) {
      const plan = planOf(wire);
      if (plan && isBuild(plan)) return localBuild(buildOf(wire, plan, plain), feeds, clock);
      const ports = wire.users.flatMap(({ instrument, role }) => {
        const port = devices.get(instrument.name)?.ports[role];
        return port ? [port] : [];
      });
      if (ports.length < wire.users.length) return undefined;
      const address = addressOf(wire.address);
      const packets = plan === undefined && wire.users[0].protocol.framing === 'packets';
      const serial = address.kind === 'serial' || address.kind === 'simulated';
      const link = simulatedLink(ports, clock, {
        framing: packets ? 'packets' : 'stream',
        ...(serial && address.baud !== undefined ? { baud: address.baud } : {}),
        ...(address.kind === 'serial' ? { halfDuplex: address.halfDuplex } : {}),
      });
      return plan === undefined ? link : localStream(link, plan, clock, keep, feeds.of(wire.users[0]?.instrument.name ?? ''));
    },
  };
}

/** What a readout process is to do with this wire, where it is too fast for the host. A driver made it with `readout()` of its plan. */
const planOf = (wire: Wire): ReaderPlan | BuildPlan | undefined => wire.users[0]?.protocol.readout as ReaderPlan | BuildPlan | undefined;

/** The rig's check has refused what is no address. */
export function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (typeof address === 'string') throw new Error(address);
  return address;
}

/** What a wire `hits:...` is to build, of the wires of its rig. The rig's check has refused what cannot be. */
function buildOf(wire: Wire, plan: BuildPlan, all: readonly Wire[]): BuildOptions {
  const rig = all.flatMap((one) =>
    one.users.flatMap(({ instrument, protocol }) =>
      protocol.readout === undefined ? [] : [{ instrument: instrument.name, plan: protocol.readout as unknown as ReaderPlan | BuildPlan }],
    ),
  );
  const boards = boardsOf(boardsIn(wire.address), plan, rig);
  if (typeof boards === 'string') throw new LinkError('LINK_ADDRESS', `${wire.address}: ${boards}`);
  return { name: wire.key, boards, hold: plan.build.hold, physics: plan.physics };
}

/** The boards whose hits somebody wants, of the wires of a rig. */
export const wantedBoards = (all: readonly Wire[]): ReadonlySet<string> =>
  new Set(all.flatMap(({ address }) => (isBuilt({ address }) ? boardsIn(address) : [])));

type RealOptions = Parameters<typeof openReal>[2];
export interface OpenOptions extends RealOptions {
  readonly session?: SessionPlace;
  /** All wires of the rig, and where the hits of its boards are to be had: for what is built of them. */
  readonly all?: readonly Wire[];
  readonly feeds?: FeedPorts;
}

/** Opens a wire of the rig; a fast stream in a process of its own, which writes to `session`. Throws LINK_ADDRESS for one that is not over TCP. */
export function openWire(wire: Wire, clock: Clock, options: OpenOptions): Link {
  const plan = planOf(wire);
  const { session, told, all = [wire], feeds: ports = feedPorts(new Set()) } = options;
  if (plan === undefined) return openReal(wire.address, clock, options);
  if (isBuild(plan)) {
    const { link, feed } = buildLink({ ...buildOf(wire, plan, all), ...(told ? { told } : {}) }, clock);
    const boards = boardsIn(wire.address);
    ports.take(boards, feed);
    // What is built of simulated light is simulated.
    const readers = all.filter((one) => one !== wire && one.users.some((u) => boards.includes(u.instrument.name)));
    return readers.some((one) => addressOf(one.address).origin === 'simulator') ? wrapped(link, { origin: 'simulator' }) : link;
  }
  const address = addressOf(wire.address);
  if (address.kind !== 'tcp') throw new LinkError('LINK_ADDRESS', `${wire.address}: a stream of this kind is read over tcp:HOST:PORT`);
  const { host, port } = address;
  const feeds = ports.of(wire.users[0]?.instrument.name ?? '');
  const link = streamLink(
    { name: wire.key, host, port, plan, ...(session ? { session } : {}), ...(told ? { told } : {}), ...(feeds ? { feeds } : {}) },
    clock,
  );
  return address.origin === undefined ? link : wrapped(link, { origin: address.origin });
}

/** Opens the real thing. `lock: false` opens a serial port that another process still holds; `inProcess` watches folders in this process. */
export function openReal(
  text: string,
  clock: Clock,
  options: { readonly base: string; readonly lock?: boolean; readonly inProcess?: boolean; readonly told?: (text: string) => void },
): Link {
  const address = addressOf(text);
  const { lock = true, base, inProcess, told } = options;
  return openLink(address.kind === 'serial' ? { ...address, lock } : address, clock, { base, inProcess, told });
}
