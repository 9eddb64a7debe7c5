/** The links of a rig: real ones, or simulators in their place, all in one universe. */
import type { Catalogue } from './catalogue.ts';
import type { Clock } from './clock.ts';
import { parsed, modelOf, type Wire, wires } from './host.ts';
import type { AnyProtocol } from './instrument.ts';
import type { Link } from './link.ts';
import { openLink, parseAddress } from './links/open.ts';
import { simulatedLink } from './links/simulated.ts';
import type { Rig, RigInstrument } from './rig.ts';
import { simulatorOptions } from './rig-shape.ts';
import { type Device, type Universe, universe } from './simulate.ts';

export interface SimulatedRig {
  readonly universe: Universe;
  /** The simulated link of a wire; undefined where an instrument on it has no simulator. */
  open(wire: Wire): Link | undefined;
  readonly device: (instrument: string) => Device | undefined;
  truth(): Readonly<Record<string, number>>;
}

export function simulatedRig(rig: Rig, catalogue: Catalogue, clock: Clock, seed: number): SimulatedRig {
  const all = universe(seed, clock);
  const { tunnels } = wires(rig, catalogue);
  const devices = new Map<string, Device>();
  const make = (instrument: RigInstrument, behind: Readonly<Record<string, Device>>): Device | undefined => {
    const simulator = catalogue.simulators.get(instrument.model);
    if (!simulator) return undefined;
    const device = all.device(instrument.name, simulator, simulatorOptions(instrument, simulator), behind);
    devices.set(instrument.name, device);
    return device;
  };
  // What lies behind an adapter is there before the adapter.
  const behind = new Map<string, Record<string, Device>>();
  for (const tunnel of tunnels) {
    const [adapter = '', address = ''] = tunnel.address.slice('gpib:'.length).split('/');
    for (const { instrument } of tunnel.users) {
      const device = make(instrument, {});
      if (device) behind.set(adapter, { ...behind.get(adapter), [address]: device });
    }
  }
  for (const instrument of rig.instruments) if (!devices.has(instrument.name)) make(instrument, behind.get(instrument.name) ?? {});

  return {
    universe: all,
    device: (name) => devices.get(name),
    truth: () => all.truth(),
    open(wire) {
      const ports = wire.users.flatMap(({ instrument, role }) => {
        const port = devices.get(instrument.name)?.ports[role];
        return port ? [port] : [];
      });
      if (ports.length < wire.users.length) return undefined;
      const address = parseAddress(wire.address);
      const line = typeof address === 'object' && 'baud' in address ? { baud: address.baud } : {};
      const packets = wire.users[0].protocol.framing === 'packets';
      return simulatedLink(ports, clock, { framing: packets ? 'packets' : 'stream', ...line });
    },
  };
}

export function openRigLink(wire: Wire, clock: Clock, lock = true): Link {
  return openAddress(wire.address, wire.users[0].protocol, clock, { lock, model: modelOf, parsed });
}

export function openAddress(text: string, protocol: AnyProtocol, clock: Clock, context: Record<string, unknown>): Link {
  const address = parseAddress(text);
  if (typeof address === 'string') throw new Error(`${text}: ${address}`);
  return openLink(address, clock, { ...context, protocol } as never);
}
