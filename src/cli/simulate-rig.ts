/** The rig of `bridgman simulate RIG`: every wire served at once, all in one world, and a copy of the rig that leads there. */
import type { Catalogue } from '../catalogue.ts';
import { every } from '../clock.ts';
import type { AnyProtocol } from '../instrument.ts';
import { methods } from '../methods.ts';
import { loadRig, printed } from '../rig.ts';
import { withUserDrivers } from '../rig-drivers.ts';
import { simulatedRig } from '../rig-open.ts';
import { isBuilt, wires } from '../rig-wires.ts';
import type { Port } from '../simulate.ts';
import type { Simulator } from '../simulator.ts';
import { EXIT } from './command.ts';
import { checkCopy, copy } from './rig-copy.ts';
import { places, type RigServing, type Scene, say, sayCopy, serveWire, type Way } from './serve-wires.ts';

/** All in one world. */
export interface SimulatedScene extends Scene {
  readonly seed: number;
}

/** Seconds between two steps of the worlds, so that a question after a quiet night finds nothing to make up for. */
export const SETTLE = 0.1;

/** How a role is served; one that only gives packets gives files. */
export function wayOf(simulator: Simulator | undefined, role: string, { protocol }: { readonly protocol: AnyProtocol }): Way {
  if (protocol.framing !== 'packets' || protocol.readout !== undefined) return 'stream';
  return simulator?.answer[role] === undefined && simulator?.unasked?.[role] !== undefined ? 'files' : 'packets';
}

/** Serves a rig; gives an exit code of EXIT. Throws a LinkError where something cannot be listened on, a Usage where it makes no sense. */
export async function serveRig(path: string, known: Catalogue, wanted: RigServing, scene: SimulatedScene): Promise<number> {
  const { clock, seed, io, stops } = scene;
  const loaded = await loadRig(path, known, methods);
  if (!loaded.ok) {
    for (const message of loaded.messages) io.err(`${printed(message)}\n`);
    return EXIT.rig;
  }
  for (const message of loaded.warnings) io.err(`${printed(message)}: warning\n`);
  const { rig } = loaded;
  const { catalogue: all } = await withUserDrivers(known, rig.folder);
  if (wanted.write !== undefined) checkCopy(rig, known, wanted.write);
  const lab = simulatedRig(rig, all, clock, seed);
  stops.push(() => {
    for (const { name } of rig.instruments) lab.device(name)?.close();
  });
  stops.push(every(clock, SETTLE, () => lab.universe.settle()));

  const { wires: plain, tunnels } = wires(rig, all);
  const place = places(rig, wanted, stops);
  const served = new Map<string, string>();
  for (const wire of plain) {
    if (isBuilt(wire)) continue; // what is built of the boards' hits is built where it runs
    const ports: Port[] = [];
    for (const { instrument, role } of wire.users) {
      const port = lab.device(instrument.name)?.ports[role];
      if (port) ports.push(port);
      else io.err(`${instrument.name}: the model ${instrument.model} has no simulator; its link is left as it is\n`);
    }
    if (ports.length === 0) continue;
    const [{ instrument, role, protocol }] = wire.users;
    const way = wayOf(all.simulators.get(instrument.model), role, { protocol });
    const alone = all.simulators.get(instrument.model)?.oneClient.includes(role) === true;
    const address = await serveWire(wire, ports, way, wanted, place, { ...scene, oneClient: scene.oneClient || alone });
    served.set(wire.key, address);
  }
  for (const { address, users } of tunnels) {
    const [adapter = ''] = address.slice('gpib:'.length).split('/');
    for (const { instrument } of users)
      say(scene, { name: instrument.name, kind: 'gpib', address }, `${instrument.name} behind ${adapter}   ${address}`);
  }
  if (served.size === 0) {
    io.err(`bridgman simulate: no link of ${rig.name} can be served\n`);
    return EXIT.failed;
  }
  const { write } = wanted;
  if (write === undefined) return EXIT.ok;
  const code = await copy({ rig, known, served, file: write, what: 'served simulators', command: `simulate ${rig.folder}` }, io);
  if (code === EXIT.ok) sayCopy(scene, write);
  return code;
}
