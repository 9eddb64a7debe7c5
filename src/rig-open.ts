/** The links of a rig: real ones, or simulators in their place, all in one universe. */
import type { Catalogue } from './catalogue.ts';
import type { Clock } from './clock.ts';
import type { Keep } from './entry.ts';
import { type Link, wrapped } from './link.ts';
import { LinkError } from './links/link-error.ts';
import { type Address, openLink, parseAddress } from './links/open.ts';
import { simulatedLink } from './links/simulated.ts';
import type { ReaderPlan } from './readout/reader.ts';
import { localStream, type SessionPlace, streamLink } from './readout/stream-link.ts';
import type { Rig, RigInstrument } from './rig.ts';
import { simulatorOptions } from './rig-shape.ts';
import { type Wire, wires } from './rig-wires.ts';
import { type Device, type Universe, universe } from './simulate.ts';

export interface SimulatedRig {
  readonly universe: Universe;
  /** The simulated link of a wire; undefined where an instrument on it has no simulator. A fast stream gives `keep` what is to be recorded. */
  open(wire: Wire, keep?: Keep): Link | undefined;
  device(instrument: string): Device | undefined;
}

export function simulatedRig(rig: Rig, catalogue: Catalogue, clock: Clock, seed: number): SimulatedRig {
  const all = universe(seed, clock);
  const { tunnels } = wires(rig, catalogue);
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
      const ports = wire.users.flatMap(({ instrument, role }) => {
        const port = devices.get(instrument.name)?.ports[role];
        return port ? [port] : [];
      });
      if (ports.length < wire.users.length) return undefined;
      const address = addressOf(wire.address);
      const plan = planOf(wire);
      const packets = plan === undefined && wire.users[0].protocol.framing === 'packets';
      const serial = address.kind === 'serial' || address.kind === 'simulated';
      const link = simulatedLink(ports, clock, {
        framing: packets ? 'packets' : 'stream',
        ...(serial && address.baud !== undefined ? { baud: address.baud } : {}),
        ...(address.kind === 'serial' ? { halfDuplex: address.halfDuplex } : {}),
      });
      return plan === undefined ? link : localStream(link, plan, clock, keep);
    },
  };
}

/** What a readout process is to do with this wire, where it is too fast for the host. A driver made it with `readout()` of its plan. */
const planOf = (wire: Wire): ReaderPlan | undefined => wire.users[0]?.protocol.readout as ReaderPlan | undefined;

/** The rig's check has refused what is no address. */
export function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (typeof address === 'string') throw new Error(address);
  return address;
}

/** Opens a wire of the rig; a fast stream in a process of its own, which writes to `session`. Throws LINK_ADDRESS for one that is not over TCP. */
export function openWire(wire: Wire, clock: Clock, options: Parameters<typeof openReal>[2] & { readonly session?: SessionPlace }): Link {
  const plan = planOf(wire);
  const { session, told } = options;
  if (plan === undefined) return openReal(wire.address, clock, options);
  const address = addressOf(wire.address);
  if (address.kind !== 'tcp') throw new LinkError('LINK_ADDRESS', `${wire.address}: a stream of this kind is read over tcp:HOST:PORT`);
  const { host, port } = address;
  const link = streamLink({ name: wire.key, host, port, plan, ...(session ? { session } : {}), ...(told ? { told } : {}) }, clock);
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
