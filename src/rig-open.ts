/** The links of a rig: real ones, or simulators in their place, all in one universe. */
import type { Catalogue } from './catalogue.ts';
import type { Clock } from './clock.ts';
import type { Link } from './link.ts';
import { type Address, openLink, parseAddress } from './links/open.ts';
import { simulatedLink } from './links/simulated.ts';
import type { Rig, RigInstrument } from './rig.ts';
import { simulatorOptions } from './rig-shape.ts';
import { type Wire, wires } from './rig-wires.ts';
import { type Device, type Universe, universe } from './simulate.ts';

export interface SimulatedRig {
  readonly universe: Universe;
  /** The simulated link of a wire; undefined where an instrument on it has no simulator. */
  open(wire: Wire): Link | undefined;
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
    open(wire) {
      const ports = wire.users.flatMap(({ instrument, role }) => {
        const port = devices.get(instrument.name)?.ports[role];
        return port ? [port] : [];
      });
      if (ports.length < wire.users.length) return undefined;
      const address = addressOf(wire.address);
      const packets = wire.users[0].protocol.framing === 'packets';
      const serial = address.kind === 'serial' || address.kind === 'simulated';
      return simulatedLink(ports, clock, {
        framing: packets ? 'packets' : 'stream',
        ...(serial && address.baud !== undefined ? { baud: address.baud } : {}),
        ...(address.kind === 'serial' ? { halfDuplex: address.halfDuplex } : {}),
      });
    },
  };
}

/** The rig's check has refused what is no address. */
export function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (typeof address === 'string') throw new Error(address);
  return address;
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
