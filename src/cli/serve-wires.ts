/** Serves the wires of a rig on sockets, pseudo-terminals and in folders, whatever it is that answers there. */
import { access, constants, lstat, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Clock } from '../clock.ts';
import { LinkError } from '../links/link-error.ts';
import { parseAddress } from '../links/open.ts';
import type { Rig } from '../rig.ts';
import { addressOf } from '../rig-open.ts';
import type { Wire } from '../rig-wires.ts';
import { type Served, serveFolder, servePty, serveTcp, serveUdp } from '../serve.ts';
import type { Port } from '../simulate.ts';
import { type Io, Usage } from './command.ts';

/** What everything that is served shares; `stops` end it, the last first. */
export interface Scene {
  readonly clock: Clock;
  readonly oneClient: boolean;
  readonly json: boolean;
  readonly io: Io;
  readonly stops: (() => void | Promise<void>)[];
}

/** How a role is served: by its framing, and by whether it answers or only gives (files in a folder). */
export type Way = 'stream' | 'packets' | 'files';

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

export const say = ({ json, io }: Scene, data: Readonly<Record<string, string>>, text: string): void =>
  io.out(json ? `${JSON.stringify(data)}\n` : `${text}\n`);

/** Where the copy of the rig is. */
export const sayCopy = (scene: Scene, file: string): void => say(scene, { rig: file }, `rig ${file}   bridgman run ${file}`);

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
  /** What is served comes in its own time, not as slowly as the line takes it. */
  readonly timed?: boolean;
}

/** "laser", "board control", "cell and oven". */
export const nameOf = ({ users }: Wire): string =>
  users
    .map(({ instrument, role }) => (Object.keys(instrument.links).length > 1 ? `${instrument.name} ${role}` : instrument.name))
    .join(' and ');

/** The address says that no instrument is served there, so that readings from there never pass for measured. */
const simulated = (address: string): string =>
  /[?&]origin=simulator\b/.test(address) ? address : `${address}${address.includes('?') ? '&' : '?'}origin=simulator`;

/** Serves one wire; gives its address as a rig writes it. */
export async function serveWire(
  wire: Wire,
  ports: readonly Port[],
  way: Way,
  { asWritten, timed = false }: RigServing,
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
        serveTerminal(ports, await place('pty', wire), scene.clock, was.kind === 'serial' && !timed ? was.baud : undefined),
        (at) => at + query,
      );
    case 'tcp':
      return done(serveTcp(ports, { ...where, oneClient: scene.oneClient }, scene.clock), (at) => at);
    case 'udp':
      return done(serveUdp(ports, where, scene.clock), (at) => at);
    case 'folder':
      return done(serveFolder(ports, await place('folder', wire)), (at) => at + (was.kind === 'folder' ? query : ''));
    case 'gpib':
    case 'hits':
      throw new Error(`${wire.address} has no bytes of its own`); // nobody serves them
  }
}

export type Places = (kind: 'pty' | 'folder', wire: Wire) => Promise<string>;

/** A path for each wire, named after the rig's link or its instruments. */
export function places(rig: Pick<Rig, 'name' | 'links'>, wanted: RigServing, stops: Scene['stops']): Places {
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

/** Resolves when the program is told to end. */
export function interrupted(): Promise<void> {
  return new Promise((end) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => end());
  });
}
