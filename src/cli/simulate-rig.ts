/** The rig of `bridgman simulate RIG`: every wire served at once, all in one world, and a copy of the rig that leads there. */
import { access, constants, lstat, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { isAlias, isMap, isScalar, parseDocument } from 'yaml';
import type { Catalogue } from '../catalogue.ts';
import { type Clock, every } from '../clock.ts';
import type { AnyProtocol } from '../instrument.ts';
import { LinkError } from '../links/link-error.ts';
import { parseAddress } from '../links/open.ts';
import { methods } from '../methods.ts';
import { loadRig, printed, type Rig, type RigFile } from '../rig.ts';
import { withUserDrivers } from '../rig-drivers.ts';
import { addressOf, simulatedRig } from '../rig-open.ts';
import { type Wire, wires } from '../rig-wires.ts';
import { type Served, serveFolder, servePty, serveTcp, serveUdp } from '../serve.ts';
import type { Port } from '../simulate.ts';
import type { Simulator } from '../simulator.ts';
import { EXIT, type Io, Usage } from './command.ts';

/** What everything that is served shares; `stops` end it, the last first. */
export interface Scene {
  readonly clock: Clock;
  readonly seed: number;
  readonly oneClient: boolean;
  readonly json: boolean;
  readonly io: Io;
  readonly stops: (() => void | Promise<void>)[];
}

/** Seconds between two steps of the worlds, so that a question after a quiet night finds nothing to make up for. */
export const SETTLE = 0.1;

/** How a role is served: by its framing, and by whether it answers or only gives (files in a folder). */
export type Way = 'stream' | 'packets' | 'files';
export function wayOf(simulator: Simulator | undefined, role: string, { protocol }: { readonly protocol: AnyProtocol }): Way {
  if (protocol.framing !== 'packets' || protocol.readout !== undefined) return 'stream';
  return simulator?.answer[role] === undefined && simulator?.unasked?.[role] !== undefined ? 'files' : 'packets';
}

/** Waits until it is served, says where, and closes it at the end. `more` goes behind the line, and into its JSON. */
export async function serve(
  name: string,
  serving: Promise<Served>,
  scene: Scene,
  more: Readonly<Record<string, string>> = {},
): Promise<Served> {
  const served = await serving;
  scene.stops.push(() => served.close());
  const [, kind = '', place = ''] = /^(\w+):(.*)$/s.exec(served.address) ?? [];
  say(scene, { name, kind, address: served.address, ...more }, [`${name} on ${kind} ${place}`, ...Object.values(more)].join('   '));
  return served;
}

const say = ({ json, io }: Scene, data: Readonly<Record<string, string>>, text: string): void =>
  io.out(json ? `${JSON.stringify(data)}\n` : `${text}\n`);

/** A pseudo-terminal, with the words for a path where none can be; with `baud` as slow as such a line. */
export async function serveTerminal(ports: readonly Port[], path: string, clock: Clock, baud?: number): Promise<Served> {
  const folder = dirname(resolve(path));
  const writable = await access(folder, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!writable)
    throw new LinkError('LINK_PTY', `no pseudo-terminal can be made at ${path}: the folder ${folder} is not there or cannot be written`);
  const there = await lstat(path).catch(() => undefined);
  if (there && !there.isSymbolicLink())
    throw new LinkError('LINK_PTY', `no pseudo-terminal can be made at ${path}: there is something else of that name`);
  return servePty(ports, path, clock, baud === undefined ? {} : { baud });
}

export interface RigServing {
  /** Directories of pseudo-terminals and of folder links; a temporary one where they are not given. */
  readonly pty?: string;
  readonly folder?: string;
  readonly asWritten: boolean;
  readonly write?: string;
}

/** Serves a rig; gives an exit code of EXIT. Throws a LinkError where something cannot be listened on, a Usage where it makes no sense. */
export async function serveRig(path: string, known: Catalogue, wanted: RigServing, scene: Scene): Promise<number> {
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
  return wanted.write === undefined ? EXIT.ok : copy(rig, known, served, wanted.write, scene);
}

/** "laser", "board control", "cell and oven". */
const nameOf = ({ users }: Wire): string =>
  users
    .map(({ instrument, role }) => (Object.keys(instrument.links).length > 1 ? `${instrument.name} ${role}` : instrument.name))
    .join(' and ');

/** The address says that a simulator is served there, so that its readings never pass for an instrument's. */
const simulated = (address: string): string =>
  /[?&]origin=simulator\b/.test(address) ? address : `${address}${address.includes('?') ? '&' : '?'}origin=simulator`;

/** Serves one wire; gives its address as a rig writes it. */
async function serveWire(
  wire: Wire,
  ports: readonly Port[],
  way: Way,
  { asWritten }: RigServing,
  place: Places,
  scene: Scene,
): Promise<string> {
  const name = nameOf(wire);
  const was = addressOf(wire.address);
  const query = /\?.*$/s.exec(wire.address)?.[0] ?? '';
  // A simulated link has no address of its own: it gets one by how it talks.
  const kind =
    was.kind === 'simulated' || was.kind === 'johnny-five' ? ({ stream: 'tcp', packets: 'udp', files: 'folder' } as const)[way] : was.kind;
  const own = asWritten && (was.kind === 'tcp' || was.kind === 'udp') ? was : undefined;
  // Another address of this very machine is kept: two links may have the same port there.
  const where = { host: own && /^127\.|^::1$/.test(own.host) ? own.host : '127.0.0.1', port: own?.port ?? 0 };
  const done = async (serving: Promise<Served>, address: (at: string) => string): Promise<string> => {
    const served = await serving;
    const written = simulated(address(served.address));
    const parsed = parseAddress(written);
    if (typeof parsed === 'string') throw new Usage(`this path cannot be an address of a rig: ${parsed}`);
    await serve(name, Promise.resolve(served), scene, { link: written });
    return written;
  };
  switch (kind) {
    case 'serial':
      return done(
        serveTerminal(ports, await place('pty', wire), scene.clock, was.kind === 'serial' ? was.baud : undefined),
        (at) => at + query,
      );
    case 'tcp':
      return done(serveTcp(ports, { ...where, oneClient: scene.oneClient }, scene.clock), (at) => at);
    case 'udp':
      return done(serveUdp(ports, where, scene.clock), (at) => at);
    case 'folder':
      return done(serveFolder(ports, await place('folder', wire)), (at) => at + (was.kind === 'folder' ? query : ''));
    case 'gpib':
      throw new Error(`${wire.address} is a tunnel`); // wires() keeps them apart
  }
}

type Places = (kind: 'pty' | 'folder', wire: Wire) => Promise<string>;

/** A path for each wire, named after the rig's link or its instruments. */
function places(rig: Rig, wanted: RigServing, stops: Scene['stops']): Places {
  const used = new Set<string>();
  let temporary: Promise<string> | undefined;
  const temporaryFolder = (): Promise<string> => {
    temporary ??= mkdtemp(join(tmpdir(), `bridgman-${rig.name}-`)).then((made) => {
      // Once everything in it is closed.
      stops.unshift(() => rm(made, { recursive: true, force: true }));
      return made;
    });
    return temporary;
  };
  return async (kind, wire) => {
    const given = wanted[kind];
    const folder = given === undefined ? await temporaryFolder() : resolve(given);
    await mkdir(folder, { recursive: true });
    const named = Object.entries(rig.links).find(([, link]) => link.wire === wire.key)?.[0];
    const name = named ?? nameOf(wire).replaceAll(' and ', '-').replaceAll(' ', '-');
    let path = join(folder, name);
    for (let n = 2; used.has(path); n++) path = join(folder, `${name}-${n}`);
    used.add(path);
    return path;
  };
}

// --- the copy of the rig

/** What would make a copy that cannot be read, said before anything is served. */
function checkCopy(rig: Rig, known: Catalogue, file: string): void {
  if (resolve(file) === rig.file) throw new Usage(`--write ${file} would overwrite the rig itself; give another name`);
  if (dirname(resolve(file)) === rig.folder) return;
  const own = rig.instruments.find((i) => !known.instruments.has(i.model) || !known.simulators.has(i.model));
  if (own && !known.instruments.has(own.model))
    throw new Usage(
      `${rig.name} has drivers of its own, which are found beside it: write the copy there, such as --write ${join(rig.folder, 'served.yaml')}`,
    );
}

interface Change {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** Writes the rig's text with the addresses of served links in the place of its own, and reads it back. */
async function copy(rig: Rig, known: Catalogue, served: ReadonlyMap<string, string>, file: string, scene: Scene): Promise<number> {
  const { io } = scene;
  const text = copied(rig, served, dirname(resolve(file)));
  try {
    await writeFile(file, text);
  } catch (error) {
    io.err(`bridgman simulate: the copy cannot be written to ${file} (${error instanceof Error ? error.message : error})\n`);
    return EXIT.failed;
  }
  const loaded = await loadRig(file, known, methods);
  if (!loaded.ok) {
    for (const message of loaded.messages) io.err(`${printed(message)}\n`);
    io.err(`bridgman simulate: the copy ${file} is not right\n`);
    return EXIT.failed;
  }
  if (rig.influx !== undefined)
    io.err('the copy writes to the InfluxDB of the rig, marked as simulated: give "run" another --influx where that is not wanted\n');
  say(scene, { rig: file }, `rig ${file}   bridgman run ${file}`);
  return EXIT.ok;
}

function copied(rig: Rig, served: ReadonlyMap<string, string>, folder: string): string {
  const changes = new Map<number, Change>();
  const replace = (path: readonly (string | number)[], value: string): void => {
    const range = rangeOf(rig.text, path);
    if (!range) throw new Usage(`--write: ${path.join('.')} is not found in ${rig.file}`);
    const [from, to] = range;
    const change = { from, to, text: JSON.stringify(value) };
    const before = changes.get(from);
    if (before && before.text !== change.text)
      throw new Usage(`--write: ${path.join('.')} is written once for several links (an alias); write each by itself`);
    changes.set(from, change);
  };
  const moved = folder !== rig.folder;
  const links: readonly (readonly [path: readonly string[], link: Rig['links'][string]])[] = [
    ...Object.entries(rig.links).map(([name, link]) => [['links', name], link] as const),
    ...rig.instruments.flatMap((i) =>
      Object.entries(i.links).map(([role, link]) => {
        const one = ['instruments', i.name, 'link'];
        return [rangeOf(rig.text, one) ? one : ['instruments', i.name, 'links', role], link] as const;
      }),
    ),
  ];
  for (const [path, { wire, address }] of links) {
    const named = path[0] === 'instruments' && Object.hasOwn(rig.links, scalarAt(rig.text, path) ?? '');
    const now = served.get(wire) ?? (moved && address.startsWith('folder:') ? address : undefined);
    if (!named && now !== undefined) replace(path, now);
  }
  // Sessions of the copy lie beside it, not among those of the real instruments.
  if (moved) {
    for (const d of rig.derive) {
      for (const [steps, given] of filesIn(d.params))
        if (!isAbsolute(given.path)) replace(['derive', d.name, ...steps], resolve(rig.folder, given.path));
    }
  }
  let text = rig.text;
  for (const { from, to, text: now } of [...changes.values()].sort((a, b) => b.from - a.from))
    text = text.slice(0, from) + now + text.slice(to);
  return `# ${rig.name} with served simulators in the place of its instruments (bridgman simulate ${rig.folder})\n${text}`;
}

/** Every file that parameters name, with where it stands. */
function filesIn(value: unknown, path: readonly string[] = []): readonly (readonly [readonly string[], RigFile])[] {
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return [];
  if ('sha256' in value && 'bytes' in value && 'path' in value) return [[path, value as RigFile]]; // as the rig's reader puts it in
  return Object.entries(value).flatMap(([key, one]) => filesIn(one, [...path, key]));
}

/** The node at a path, and where its text stands. What lies behind an alias is found at its anchor; a last alias is replaced itself. */
function nodeAt(text: string, path: readonly (string | number)[]): unknown {
  const doc = parseDocument(text);
  return path.reduce<unknown>((node, step) => {
    const here = isAlias(node) ? node.resolve(doc) : node;
    return isMap(here) ? here.items.findLast((pair) => isScalar(pair.key) && String(pair.key.value) === String(step))?.value : undefined;
  }, doc.contents);
}

function rangeOf(text: string, path: readonly (string | number)[]): readonly [number, number] | undefined {
  const node = nodeAt(text, path);
  return (isScalar(node) || isAlias(node)) && node.range ? [node.range[0], node.range[1]] : undefined;
}

function scalarAt(text: string, path: readonly (string | number)[]): string | undefined {
  const doc = parseDocument(text);
  const node = nodeAt(text, path);
  const value = isAlias(node) ? node.resolve(doc) : node;
  return isScalar(value) && typeof value.value === 'string' ? value.value : undefined;
}
