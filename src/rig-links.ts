/** The links of a rig: addresses, the names given to them, and which instruments may share one. */
import { dirname, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Fault } from '../protocols/protocol.ts';
import type { AnyProtocol, Proof } from './instrument.ts';
import { parseAddress } from './links/open.ts';
import { boardsIn, boardsOf, isBuild, type Planned } from './readout/boards.ts';
import { checkName, described, hint, table } from './rig-read.ts';
import type { Path, Sheet } from './rig-yaml.ts';

export interface RigLink {
  /** As src/links/open.ts reads it. */
  readonly address: string;
  /** Equal for everything that shares one open link. */
  readonly wire: string;
}

/** One role of one instrument on its link. */
export interface Member {
  readonly instrument: string;
  readonly role: string;
  readonly model: string;
  readonly path: Path;
  readonly link: RigLink;
  readonly protocol: AnyProtocol;
  readonly proof: Proof<unknown, unknown> | undefined;
}

export function readLinks(sheet: Sheet, all: Readonly<Record<string, unknown>>): Readonly<Record<string, RigLink>> {
  const out: Record<string, RigLink> = {};
  if (!('links' in all)) return out;
  for (const name of Object.keys(table(sheet, ['links'], '"links: { bus: serial:/dev/ttyUSB0?baud=9600 }"') ?? {})) {
    const path = ['links', name];
    if (!checkName(sheet, path, name, 'key')) continue;
    if (name === 'simulated') sheet.say(path, '"simulated" is an address; give the link another name', 'key');
    else {
      const link = address(sheet, path, name);
      if (link) out[name] = link;
    }
  }
  return out;
}

/** The link that an instrument's role names: one of the rig's, or an address. `owner` tells links without an address apart. */
export function linkAt(sheet: Sheet, path: Path, owner: string, links: Readonly<Record<string, RigLink>>): RigLink | undefined {
  const given = sheet.at(path);
  if (typeof given === 'string' && Object.hasOwn(links, given)) return links[given];
  const named = sheet.at(['links']);
  const known = named !== null && typeof named === 'object' ? Object.keys(named) : [];
  if (typeof given === 'string' && known.includes(given)) return undefined; // its fault has been told where it stands
  if (typeof given === 'string' && /^[A-Za-z0-9_-]+$/.test(given) && given !== 'simulated') {
    sheet.say(
      path,
      `there is no link "${given}" in this rig, and it is no address such as "serial:/dev/ttyUSB0?baud=9600"${hint(given, known)}`,
    );
    return undefined;
  }
  return address(sheet, path, owner);
}

function address(sheet: Sheet, path: Path, owner: string): RigLink | undefined {
  const given = sheet.at(path);
  if (typeof given !== 'string') {
    sheet.say(path, `a link is an address such as "serial:/dev/ttyUSB0?baud=9600" or "tcp:192.168.0.5:10001", not ${described(given)}`);
    return undefined;
  }
  const parsed = parseAddress(given);
  if (typeof parsed === 'string') {
    sheet.say(path, parsed);
    return undefined;
  }
  switch (parsed.kind) {
    case 'serial':
      return { address: given, wire: `serial:${parsed.path}` };
    case 'tcp':
    case 'udp':
      return { address: given, wire: `${parsed.kind}:${parsed.host.toLowerCase()}:${parsed.port}` };
    case 'gpib':
      return { address: given, wire: `gpib:${parsed.link}/${parsed.address}` };
    case 'folder': {
      // Relative to the rig, whoever opens it; each link looks at files of its own pattern, so that nothing is shared.
      const place = `folder:${resolve(dirname(resolve(sheet.file)), parsed.path)}${given.slice('folder:'.length + parsed.path.length)}`;
      return { address: place, wire: place };
    }
    case 'hits': {
      const place = `hits:${parsed.boards.join(',')}`;
      return { address: place, wire: place };
    }
    case 'johnny-five':
      return { address: given, wire: `johnny-five:${owner}` };
    case 'simulated':
      return { address: given, wire: `simulated:${owner}` };
  }
}

/** The adapter that a link goes through, where it goes through one. */
export function adapterOf(link: RigLink): string | undefined {
  const parsed = parseAddress(link.address);
  return typeof parsed === 'object' && parsed.kind === 'gpib' ? parsed.link : undefined;
}

/** Says which members cannot be on one link together, and why. */
export function checkWires(sheet: Sheet, members: readonly Member[]): void {
  const wires = grouped(members);
  checkBuilt(sheet, members);
  for (const [wire, [first, ...others]] of wires) {
    checkKind(sheet, wire, first);
    const units = new Map<string, Member>([[unitOf(first), first]]);
    for (const member of others) {
      const before = `${first.instrument}${first.instrument === member.instrument ? ` (${first.role})` : ''}`;
      if (settingsOf(member.link) !== settingsOf(first.link)) {
        sheet.say(member.path, `${wire} is opened as "${first.link.address}" for ${before}: one port has one set of settings`);
        continue;
      }
      if (wire.startsWith('gpib:')) {
        sheet.say(member.path, `${before} has the address ${wire} already: two instruments need two addresses`);
        continue;
      }
      if (!sameLanguage(first, member)) {
        sheet.say(
          member.path,
          `${wire} is used by ${before} (${first.model}), whose language differs from that of ${member.model}: one link has one language`,
        );
        continue;
      }
      if (member.protocol.apart === undefined) {
        sheet.say(
          member.path,
          `${wire} is used by ${before} already, and replies of ${member.model} do not say whose they are: give it a link of its own`,
        );
        continue;
      }
      const unit = unitOf(member);
      const same = units.get(unit);
      if (same) {
        const which = unit === '' ? 'cannot be told apart' : `both have the address ${unit}`;
        sheet.say(member.path, `${member.instrument} and ${same.instrument} are on one link (${wire}) and ${which}`);
      } else units.set(unit, member);
    }
  }
}

/** Whether boards whose hits are joined are there, and can be one detector. */
function checkBuilt(sheet: Sheet, members: readonly Member[]): void {
  const rig = members.flatMap(
    ({ instrument, protocol: { readout: plan } }) => (plan === undefined ? [] : [{ instrument, plan: plan as unknown as Planned['plan'] }]), // made by drivers
  );
  for (const { path, link, model, protocol } of members) {
    const plan = protocol.readout as unknown as Planned['plan'] | undefined; // made by its driver
    const joins = link.address.startsWith('hits:');
    if (plan === undefined || !isBuild(plan)) {
      if (joins) sheet.say(path, `${model} joins no hits: "${link.address}" is for an event-builder`);
      continue;
    }
    if (!joins) {
      sheet.say(path, `${model} takes the hits of boards of this rig: "hits:LEFT,RIGHT", not ${link.address}`);
      continue;
    }
    const names = boardsIn(link.address);
    const boards = boardsOf(names, plan, rig);
    const streams = members.filter((m) => m.protocol.readout !== undefined && names.includes(m.instrument));
    const simulated = streams.filter((m) => m.link.address.startsWith('simulated')).length;
    if (typeof boards === 'string') sheet.say(path, boards);
    else if (simulated > 0 && simulated < streams.length)
      sheet.say(path, 'some of its boards are simulated and some are not: they have no clock in common');
  }
}

/** Whether what goes over this kind of link can be what the model speaks: a stream of bytes, or whole datagrams and files. */
function checkKind(sheet: Sheet, wire: string, { path, model, protocol }: Member): void {
  const kind = wire.slice(0, wire.indexOf(':'));
  if (kind === 'simulated' || kind === 'hits') return;
  const [packets, stream] = [kind === 'udp' || kind === 'folder', kind === 'serial' || kind === 'tcp' || kind === 'gpib'];
  if (protocol.readout !== undefined) {
    if (isBuild(protocol.readout)) return;
    if (kind !== 'tcp') sheet.say(path, `the stream of ${model} is read over TCP: "tcp:192.168.10.16:24", not ${wire}`);
  } else if (protocol.framing === 'packets') {
    if (stream)
      sheet.say(path, `${model} speaks in whole datagrams or files: "udp:192.168.10.16:4660" or "folder:shots?pattern=*.spe", not ${wire}`);
  } else if (kind === 'folder')
    sheet.say(path, `${model} speaks over a line: "serial:/dev/ttyUSB0" or "tcp:192.168.0.5:10001", not ${wire}`);
  else if (packets)
    sheet.warn(path, `${model} is made for a serial line or TCP: over ${wire} messages can be lost, come twice or in another order`);
}

/** The address in one way of writing: with its defaults, in one order, names of hosts in small letters. */
function settingsOf({ address: given }: RigLink): string {
  const parsed = parseAddress(given);
  return JSON.stringify(typeof parsed === 'object' && 'host' in parsed ? { ...parsed, host: parsed.host.toLowerCase() } : parsed);
}

function grouped(members: readonly Member[]): Map<string, [Member, ...Member[]]> {
  const out = new Map<string, [Member, ...Member[]]>();
  for (const m of members) {
    const list = out.get(m.link.wire);
    if (list) list.push(m);
    else out.set(m.link.wire, [m]);
  }
  return out;
}

function unitOf({ protocol, proof }: Member): string {
  const unit = protocol.unit?.bind(protocol);
  return unit && proof ? String(unit.call(protocol, proof.ask(0))) : '';
}

/** Each reads the other's questions as they were meant. */
function sameLanguage(a: Member, b: Member): boolean {
  const understood = (from: Member, by: Member): boolean => {
    if (!from.proof) return from.model === by.model;
    const question: unknown = from.proof.ask(1);
    const numbered: unknown = from.protocol.number ? from.protocol.number(question, 1) : question;
    const bytes = from.protocol.asks.encode(numbered);
    const meant = from.protocol.asks.decoder()(bytes) as readonly unknown[]; // a question may be several messages
    return meant.length > 0 && !meant.some((m) => m instanceof Fault) && isDeepStrictEqual(by.protocol.asks.decoder()(bytes), meant);
  };
  return understood(a, b) && understood(b, a);
}
