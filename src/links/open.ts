/** Addresses as people write them in a rig, and the links they open. */
import { resolve } from 'node:path';
import { nearest } from '../catalogue.ts';
import type { Clock } from '../clock.ts';
import { type Link, wrapped } from '../link.ts';
import { remoteFolder } from '../readout/folder-process.ts';
import type { Port } from '../simulate.ts';
import { firmataChildLink } from './firmata-child.ts';
import { LinkError } from './link-error.ts';
import type { Told } from './reconnecting.ts';
import { type SerialOptions, serialLink } from './serial.ts';
import { simulatedLink } from './simulated.ts';
import { tcpLink } from './tcp.ts';
import { type Carrier, tunnelLink } from './tunnel.ts';
import { udpLink } from './udp.ts';

/** `origin=simulator` behind the address of a port says that a simulator is served there: its readings never pass for an instrument's. */
export type Address = { readonly origin?: 'simulator' } & Place;
type Place =
  | ({ readonly kind: 'serial' } & Required<Omit<SerialOptions, 'told'>>)
  | { readonly kind: 'tcp' | 'udp'; readonly host: string; readonly port: number }
  | { readonly kind: 'gpib'; readonly link: string; readonly address: string }
  | { readonly kind: 'folder'; readonly path: string; readonly pattern: string; readonly existing: 'take' | 'leave' }
  | { readonly kind: 'johnny-five'; readonly board: string }
  | { readonly kind: 'hits'; readonly boards: readonly string[] }
  | { readonly kind: 'simulated'; readonly baud?: number };

export const ADDRESS_FORMS: readonly string[] = [
  'serial:/dev/ttyUSB0?baud=57600&parity=odd&bits=7&stop=1&duplex=half',
  'tcp:192.168.1.20:10001',
  'udp:192.168.10.16:4660',
  'gpib:ADAPTER/12',
  'folder:/data/spectra?pattern=*.spe&existing=leave',
  'johnny-five:BOARD',
  'hits:LEFT,RIGHT',
  'simulated?baud=9600',
];

/** Rates that serial ports and their drivers know. */
const BAUD_RATES: readonly number[] = [
  50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 7200, 9600, 14400, 19200, 28800, 31250, 38400, 56000, 57600, 74880, 76800,
  100000, 115200, 128000, 153600, 187500, 200000, 230400, 250000, 256000, 375000, 460800, 500000, 576000, 614400, 625000, 750000, 921600,
  1000000, 1152000, 1250000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000, 6000000, 8000000, 12000000,
];

/** Reads one value of the query; a sentence when it is none. */
type Key<T> = (text: string) => T | Wrong;
class Wrong {
  readonly why: string;
  constructor(why: string) {
    this.why = why;
  }
}

const oneOf =
  <W extends string | number>(words: readonly W[]): Key<W> =>
  (text) =>
    words.find((w) => String(w) === text) ??
    new Wrong(`must be one of ${words.join(', ')}, not "${text}"${meant(nearest(text, words.map(String)))}`);
const meant = (word: string | undefined): string => (word === undefined ? '' : `; did you mean "${word}"?`);

const baud: Key<number> = (text) => {
  const rate = Number(text);
  if (/^\d+$/.test(text) && BAUD_RATES.includes(rate)) return rate;
  const near = BAUD_RATES.reduce((best, one) => (Math.abs(one - rate) < Math.abs(best - rate) ? one : best), 9600);
  return new Wrong(`"${text}" is no baud rate; did you mean ${near}?`);
};
const anyText: Key<string> = (text) => (text === '' ? new Wrong('must not be empty') : text);

/** What is in a query, each key by its own reader. Unknown and repeated keys are errors. */
function query<T>(kind: string, text: string, keys: { readonly [K in keyof T]: Key<T[K]> }): Partial<T> | Wrong {
  const out: Partial<T> = {};
  if (text === '') return out;
  const known = Object.keys(keys);
  for (const part of text.split('&')) {
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    if (equals < 0) return new Wrong(`"${part}" has no value: write "${name || 'name'}=value"`);
    if (!known.includes(name)) {
      const has = known.length > 0 ? `it has ${known.join(', ')}` : 'it has none';
      return new Wrong(`${kind} has no setting "${name}"; ${has}${meant(nearest(name, known))}`);
    }
    const key = name as keyof T; // one of the keys of `keys`, checked above
    if (key in out) return new Wrong(`"${name}" is given twice`);
    const value = keys[key](decoded(part.slice(equals + 1)));
    if (value instanceof Wrong) return new Wrong(`${name} ${value.why}`);
    out[key] = value;
  }
  return out;
}

/** "%20" and its like; a lone % stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const KINDS = ['serial', 'tcp', 'udp', 'gpib', 'folder', 'johnny-five', 'hits', 'simulated'] as const;

/** The address, or a sentence that says what is wrong with it and what would be right. */
export function parseAddress(text: string): Address | string {
  const colon = text.search(/[:?]/);
  const word = colon < 0 ? text : text.slice(0, colon);
  const behind = colon < 0 ? '' : text.slice(text[colon] === ':' ? colon + 1 : colon);
  const kind = KINDS.find((k) => k === word);
  if (!kind) {
    const near = nearest(word, KINDS) ?? (word.startsWith('/dev/') || /^COM\d/i.test(word) ? 'serial' : undefined);
    const known = KINDS.map((k) => (k === 'simulated' ? k : `${k}:`)).join(', ');
    const example = ADDRESS_FORMS.find((form) => form.startsWith(near ?? 'tcp'));
    const hint = near === undefined ? '.' : `; did you mean "${near}"?`;
    return `"${text}" is no address: it must begin with one of ${known}${hint} An address looks like ${example}`;
  }
  const mark = behind.indexOf('?');
  const where = mark < 0 ? behind : behind.slice(0, mark);
  const asked = mark < 0 ? '' : behind.slice(mark + 1);
  const parts = asked.split('&');
  const born = kind === 'gpib' || kind === 'simulated' ? [] : parts.filter((part) => part === 'origin=simulator');
  const rest = parts.filter((part) => born.length !== 1 || part !== born[0]).join('&');
  const parsed = PARSERS[kind](where, rest);
  if (!(parsed instanceof Wrong)) return born.length === 1 ? { ...parsed, origin: 'simulator' } : parsed;
  return `"${text}": ${parsed.why}; a right one is ${ADDRESS_FORMS.find((form) => form.startsWith(kind))}`;
}

const PARSERS: Readonly<Record<(typeof KINDS)[number], (where: string, asked: string) => Address | Wrong>> = {
  serial(path, asked) {
    if (path === '') return new Wrong('the port is missing');
    const q = query('a serial port', asked, {
      baud,
      bits: oneOf([5, 6, 7, 8] as const),
      parity: oneOf(['none', 'even', 'odd', 'mark', 'space'] as const),
      stop: oneOf([1, 1.5, 2] as const),
      duplex: oneOf(['full', 'half'] as const),
      lock: oneOf(['true', 'false'] as const),
    });
    if (q instanceof Wrong) return q;
    return {
      kind: 'serial',
      path,
      baud: q.baud ?? 9600,
      dataBits: q.bits ?? 8,
      parity: q.parity ?? 'none',
      stopBits: q.stop ?? 1,
      halfDuplex: q.duplex === 'half',
      lock: q.lock !== 'false',
    };
  },
  tcp: (where, asked) => socket('tcp', where, asked),
  udp: (where, asked) => socket('udp', where, asked),
  gpib(where, asked) {
    const q = query('gpib', asked, {});
    if (q instanceof Wrong) return q;
    const match = /^([^/\s]+)\/([\w.:-]+)$/.exec(where);
    if (!match) return new Wrong('the adapter and the address on its bus are written as NAME/ADDRESS');
    const [, link = '', address = ''] = match;
    const bus = /^(\d+)(?::(\d+))?$/.exec(address);
    if (bus && Number(bus[1]) > 30) return new Wrong(`GPIB addresses are 0 to 30, not ${bus[1]}`);
    if (bus?.[2] !== undefined && (Number(bus[2]) < 96 || Number(bus[2]) > 126))
      return new Wrong(`secondary GPIB addresses are 96 to 126, not ${bus[2]}`);
    return { kind: 'gpib', link, address };
  },
  folder(path, asked) {
    if (path === '') return new Wrong('the folder is missing');
    const q = query('a folder', asked, { pattern: anyText, existing: oneOf(['take', 'leave'] as const) });
    if (q instanceof Wrong) return q;
    return { kind: 'folder', path, pattern: q.pattern ?? '*', existing: q.existing ?? 'leave' };
  },
  'johnny-five'(board, asked) {
    const q = query('johnny-five', asked, {});
    if (q instanceof Wrong) return q;
    return /^\w+$/.test(board) ? { kind: 'johnny-five', board } : new Wrong('the name of the board is missing');
  },
  hits(where, asked) {
    const q = query('hits', asked, {});
    if (q instanceof Wrong) return q;
    const boards = where.split(',');
    const wrong = boards.find((name) => !/^[A-Za-z0-9_-]+$/.test(name));
    if (wrong !== undefined) return new Wrong(`"${wrong}" is no instrument's name`);
    const twice = boards.find((name, i) => boards.indexOf(name) !== i);
    if (twice !== undefined) return new Wrong(`${twice} is there twice`);
    return boards.length > 1 ? { kind: 'hits', boards } : new Wrong('two boards or more are joined');
  },
  simulated(where, asked) {
    if (where !== '') return new Wrong(`nothing stands behind "simulated" but "?baud=...", not "${where}"`);
    const q = query('simulated', asked, { baud });
    if (q instanceof Wrong) return q;
    return { kind: 'simulated', ...q };
  },
};

function socket(kind: 'tcp' | 'udp', where: string, asked: string): Address | Wrong {
  const q = query(kind, asked, {});
  if (q instanceof Wrong) return q;
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/.exec(where);
  if (!match) return new Wrong('an IPv6 address stands in brackets: [fe80::1]:10001');
  const host = match[1] ?? match[2] ?? '';
  const port = match[3];
  if (host === '' || /[\s/]/.test(host)) return new Wrong(host === '' ? 'the host is missing' : `"${host}" is no host`);
  if (port === undefined || port === '') return new Wrong('the port is missing');
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535)
    return new Wrong(`the port must be a whole number from 1 to 65535, not "${port}"`);
  return { kind, host, port: Number(port) };
}

export interface OpenContext {
  /** Called once for each change of a link's state. */
  readonly told?: Told;
  /** What relative folders are relative to: the rig's folder. */
  readonly base?: string;
  /** Watches folders in this process. */
  readonly inProcess?: boolean;
  /** The instrument that carries a `gpib:` address. */
  readonly carrier?: (name: string) => Carrier | undefined;
  /** Where the bytes behind that carrier are born. */
  readonly origin?: Link['origin'];
  /** What `simulated` is linked to. */
  readonly simulated?: { readonly ports: readonly Port[]; readonly framing: Link['framing']; readonly halfDuplex?: boolean };
}

/** Opens the link of an address. Connecting goes on by itself; throws LINK_ADDRESS where the context lacks what the address names. */
export function openLink(address: Address, clock: Clock, context: OpenContext = {}): Link {
  const link = opened(address, clock, context);
  return address.origin === undefined ? link : wrapped(link, { origin: address.origin });
}

function opened(address: Address, clock: Clock, context: OpenContext): Link {
  const { told } = context;
  switch (address.kind) {
    case 'serial':
      return serialLink({ ...address, told }, clock);
    case 'tcp':
      return tcpLink({ ...address, told }, clock);
    case 'udp':
      return udpLink({ ...address, told }, clock);
    case 'folder': {
      const { pattern, existing } = address;
      const path = resolve(context.base ?? '.', address.path);
      return remoteFolder({ path, pattern, existing, told, inProcess: context.inProcess }, clock);
    }
    case 'gpib': {
      const carrier = context.carrier?.(address.link);
      if (!carrier) throw new LinkError('LINK_ADDRESS', `there is no instrument "${address.link}" that carries gpib:${address.link}/...`);
      return tunnelLink(carrier, address.address, clock, context.origin ?? 'hardware');
    }
    case 'johnny-five':
      return firmataChildLink(clock, { told });
    case 'hits':
      throw new LinkError('LINK_ADDRESS', `hits:${address.boards.join(',')}: hits are joined by what builds events of several boards`);
    case 'simulated': {
      if (!context.simulated) throw new LinkError('LINK_ADDRESS', 'a simulated link needs a simulator');
      const { ports, framing, halfDuplex } = context.simulated;
      return simulatedLink(ports, clock, { framing, halfDuplex, baud: address.baud });
    }
  }
}
