import { type CounterFrame, counterFrames, type FrameLayout } from '../protocols/counter-frames.ts';
import { rbcp } from '../protocols/rbcp.ts';
import {
  type Actors,
  type Askers,
  type Command,
  type Field,
  instrument,
  type Kind,
  NoReply,
  options,
  type Poll,
  patiently,
  Refused,
  type Stream,
  type Takes,
  type Talk,
} from '../src/instrument.ts';
import { UNITS, type Unit } from '../src/units.ts';

type L = { readonly control: ReturnType<typeof rbcp>; readonly data: ReturnType<typeof counterFrames> };

/** One named register: `bytes` from `address` on, big-endian, as SiTCP sends them. */
interface Register {
  readonly address: number;
  readonly bytes: number;
  /** number and signed are scaled to SI; flag is anything but 0; word is shown as hexadecimal digits. */
  readonly kind: 'number' | 'signed' | 'flag' | 'word';
  readonly scale: number;
  readonly unit: Unit;
  readonly every: number;
  readonly writable: boolean;
  /** Writing it twice does what writing it once does. */
  readonly idempotent: boolean;
  readonly limits?: readonly [number, number];
  readonly safe?: number | boolean;
  /** What it must hold for the board to be the right one. */
  readonly expect?: number;
}
type Registers = Readonly<Record<string, Register>>;
interface Frame extends FrameLayout {
  readonly names: readonly string[];
}
interface Options {
  readonly registers: Registers;
  readonly frame: Frame;
}

const TRIES = 3; // sitcpy and basil ask up to three times again
const KINDS = ['number', 'signed', 'flag', 'word'] as const;
const KEYS = ['address', 'bytes', 'kind', 'scale', 'unit', 'every', 'writable', 'idempotent', 'limits', 'safe', 'expect'];

const isTable = (yaml: unknown): yaml is Readonly<Record<string, unknown>> =>
  yaml !== null && typeof yaml === 'object' && !Array.isArray(yaml);
const isWhole = (yaml: unknown, lo: number, hi: number): yaml is number =>
  Number.isInteger(yaml) && Number(yaml) >= lo && Number(yaml) <= hi;

/** The raw numbers that the register holds. */
function rawRange({ bytes, kind }: Pick<Register, 'bytes' | 'kind'>): readonly [number, number] {
  if (kind === 'flag') return [0, 1];
  return kind === 'signed' ? [-(2 ** (8 * bytes - 1)), 2 ** (8 * bytes - 1) - 1] : [0, 2 ** (8 * bytes) - 1];
}

/** The values in SI that it can be given: what it holds, or less. */
function range(r: Register): readonly [number, number] {
  const [lo, hi] = rawRange(r).map((raw) => raw * r.scale);
  return [Math.min(lo, hi), Math.max(lo, hi)];
}

function register(yaml: unknown): Register | string {
  if (!isTable(yaml)) return 'is written as "{ address: 0x10, bytes: 2 }"';
  const unknown = Object.keys(yaml).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) return `has no "${unknown}"; known are ${KEYS.join(', ')}`;
  const { address, bytes = 1, kind: word = 'number', scale = 1, unit = '1', every = 1, writable = false, idempotent = true } = yaml;
  if (!isWhole(address, 0, 0xffffffff)) return `needs an address from 0 to 0xffffffff, not ${JSON.stringify(address)}`;
  if (!isWhole(bytes, 1, 6)) return `bytes must be 1 to 6, not ${JSON.stringify(bytes)}`;
  const kind = KINDS.find((k) => k === word);
  if (!kind) return `kind must be one of ${KINDS.join(', ')}, not ${JSON.stringify(word)}`;
  const si = UNITS.find((u) => u === String(unit));
  if (!si) return `unit must be one of ${UNITS.join(', ')}; write the prefix into the scale`;
  if (typeof scale !== 'number' || !Number.isFinite(scale) || scale === 0) return 'scale must be a number, in SI per count, and not 0';
  if (typeof every !== 'number' || !(every >= 0.01)) return 'every must be a number of seconds from 0.01';
  if (typeof writable !== 'boolean' || typeof idempotent !== 'boolean') return 'writable and idempotent are true or false';
  const { limits, safe, expect } = yaml;
  const made: Register = { address, bytes, kind, scale, unit: si, every, writable, idempotent };
  if (!writable && (limits !== undefined || safe !== undefined)) return 'limits and safe are for writable registers';
  if (writable && kind === 'word') return 'a word is shown and not written: give it the kind number';
  const [lo, hi] = range(made);
  let bounds: readonly [number, number] | undefined;
  if (limits !== undefined) {
    const pair: readonly unknown[] = Array.isArray(limits) ? limits : [];
    const [a, b] = pair;
    if (typeof a !== 'number' || typeof b !== 'number' || pair.length !== 2 || !(a < b && a >= lo && b <= hi))
      return `limits must rise and lie within what the register holds, [${lo}, ${hi}] ${si}`;
    bounds = [a, b];
  }
  if (safe !== undefined && !(kind === 'flag' ? typeof safe === 'boolean' : typeof safe === 'number' && safe >= lo && safe <= hi))
    return kind === 'flag' ? 'safe must be true or false' : `safe must be a number from ${lo} to ${hi}`;
  if (expect !== undefined && !isWhole(expect, 0, 2 ** (8 * bytes) - 1)) return 'expect must be a whole number that fits into it';
  return {
    ...made,
    ...(bounds ? { limits: bounds } : {}),
    ...(typeof safe === 'number' || typeof safe === 'boolean' ? { safe } : {}),
    ...(expect === undefined ? {} : { expect }),
  };
}

const NAME = /^[A-Za-z]\w*$/;
const REGISTERS: Registers = {
  version: { address: 0, bytes: 4, kind: 'word', scale: 1, unit: '1', every: 10, writable: false, idempotent: true },
  threshold: { address: 4, bytes: 2, kind: 'number', scale: 1, unit: '1', every: 1, writable: true, idempotent: true },
  enabled: { address: 6, bytes: 1, kind: 'flag', scale: 1, unit: '1', every: 1, writable: true, idempotent: true },
};
const FRAME: Frame = { sync: 0x5a5aa5a5, counters: 4, names: ['counter_0', 'counter_1', 'counter_2', 'counter_3'] };
const OWN = ['frame', 'lost'];

const registers: Field<Registers> = {
  about: 'NAME: { address, bytes, kind, scale, unit, every, writable, idempotent, limits, safe, expect } of each register',
  of(yaml) {
    if (yaml === undefined) return REGISTERS;
    if (!isTable(yaml) || Object.keys(yaml).length === 0) return new Refused('is written as NAME: { address: 0x10, bytes: 2 }');
    const out: Record<string, Register> = {};
    for (const [name, given] of Object.entries(yaml)) {
      if (!NAME.test(name) || OWN.includes(name)) return new Refused(`"${name}" is no name for a register`);
      const read = register(given);
      if (typeof read === 'string') return new Refused(`${name} ${read}`);
      out[name] = read;
    }
    return out;
  },
};

const frame: Field<Frame> = {
  about:
    '{ sync: 32-bit word, counters: [NAME, ...], end: 32-bit word } of the data stream; a frame is sync, its number, the counters, end',
  of(yaml) {
    if (yaml === undefined) return FRAME;
    if (!isTable(yaml)) return new Refused('is written as { sync: 0x5a5aa5a5, counters: [a, b] }');
    const unknown = Object.keys(yaml).find((key) => !['sync', 'counters', 'end'].includes(key));
    if (unknown !== undefined) return new Refused(`has no "${unknown}"; known are sync, counters, end`);
    const { sync = FRAME.sync, counters = FRAME.names, end } = yaml;
    if (!isWhole(sync, 0, 0xffffffff)) return new Refused('sync must be a whole number of 32 bits');
    if (end !== undefined && !isWhole(end, 0, 0xffffffff)) return new Refused('end must be a whole number of 32 bits');
    const names: readonly unknown[] = Array.isArray(counters) ? counters : [];
    const good = names.filter((n): n is string => typeof n === 'string' && NAME.test(n) && !OWN.includes(n));
    if (names.length === 0 || good.length < names.length || new Set(good).size < good.length || good.length > 1024)
      return new Refused('counters must be a list of different names, such as [top, bottom]');
    return { sync, counters: good.length, names: good, ...(end === undefined ? {} : { end }) };
  },
};

const rawOf = (data: Uint8Array): number => data.reduce((n, byte) => n * 256 + byte, 0);
const hex = (n: number, digits: number): string => `0x${n.toString(16).padStart(digits, '0')}`;

function shownBy(r: Register, data: Uint8Array): number | boolean | string {
  const raw = rawOf(data);
  if (r.kind === 'flag') return raw !== 0;
  if (r.kind === 'word') return hex(raw, 2 * r.bytes);
  return (r.kind === 'signed' && raw >= 2 ** (8 * r.bytes - 1) ? raw - 2 ** (8 * r.bytes) : raw) * r.scale;
}
function dataOf(r: Register, value: number | boolean): Uint8Array {
  const raw = typeof value === 'boolean' ? Number(value) : Math.round(value / r.scale);
  const [lo, hi] = rawRange(r);
  if (!(raw >= lo && raw <= hi)) throw new NoReply(`${value} ${r.unit} does not fit into the register`);
  const unsigned = raw < 0 ? raw + 2 ** (8 * r.bytes) : raw;
  return Uint8Array.from({ length: r.bytes }, (_, i) => Math.floor(unsigned / 2 ** (8 * (r.bytes - 1 - i))) % 256);
}

const kindOf = ({ kind, unit }: Register): Exclude<Kind, 'trace'> => (kind === 'flag' ? 'flag' : kind === 'word' ? 'state' : unit);

function* readRegister(ask: Askers<L>, name: string, { address, bytes }: Register): Talk<Uint8Array> {
  const m = yield* patiently(TRIES, () => ask.control.ask({ command: 'read', address, length: bytes }));
  if (m.busError) throw new NoReply(`bus error: the board has nothing at ${hex(address, 8)} (${name})`);
  return m.data;
}

/** A lost reply leaves it open whether the write was carried out: it is repeated only where that does no harm. */
function* writeRegister(act: Actors<L>, name: string, r: Register, value: number | boolean): Talk<void> {
  const data = dataOf(r, value);
  const m = yield* patiently(r.idempotent ? TRIES : 0, () => act.control.exchange({ command: 'write', address: r.address, data }));
  if (m.busError) throw new NoReply(`bus error: the board refuses a write to ${hex(r.address, 8)} (${name})`);
}

function polled([name, r]: readonly [string, Register]): Poll<L, { readonly [n: string]: Kind }, Uint8Array> {
  const example = new Uint8Array(r.bytes).fill(1);
  return {
    gives: { [name]: kindOf(r) },
    every: r.every,
    talk: (ask) => readRegister(ask, name, r),
    read: (data) => ({ [name]: shownBy(r, data) }),
    example: [example, { [name]: shownBy(r, example) }],
  };
}

function written([name, r]: readonly [string, Register]): readonly [string, Command<L, Takes>] {
  const flag = r.kind === 'flag';
  return [
    name,
    {
      takes: kindOf(r),
      ...(flag ? {} : { limits: r.limits ?? range(r) }),
      readback: { channel: name, within: 2, by: Math.abs(r.scale) / 2 },
      ...(r.safe === undefined ? {} : { safe: r.safe }),
      about: `writes the register at ${hex(r.address, 8)}`,
      *talk(act, value) {
        if (typeof value === 'number' || typeof value === 'boolean') yield* writeRegister(act, name, r, value);
      },
    },
  ];
}

/** The counters of each frame, and how many frames are missing before it by its number. */
function stream({ names }: Frame): Stream<{ readonly [n: string]: Kind }, CounterFrame> {
  let before: number | undefined;
  const example: CounterFrame = { number: 1, counters: names.map((_, i) => i) };
  const values = ({ number, counters }: CounterFrame, lost: number) => ({
    frame: number,
    lost,
    ...Object.fromEntries(names.map((name, i) => [name, counters[i]])),
  });
  return {
    gives: { frame: '1', lost: '1', ...Object.fromEntries(names.map((name) => [name, '1' as const])) },
    takes: () => true,
    silence: 5,
    read(m) {
      const missing = before === undefined ? 0 : (m.number - before - 1 + 2 ** 32) % 2 ** 32;
      before = m.number;
      return values(m, missing < 2 ** 31 ? missing : 0); // a number that goes back is a board that has started again
    },
    example: [example, values(example, 0)],
  };
}

/** A board with SiTCP: registers over RBCP (UDP 4660), and frames of counters that it sends by itself (TCP 24). */
export default instrument<L, Options, { readonly [register: string]: number }>({
  model: 'SiTCP board',
  source: 'BeeBeansTechnologies/sitcpy rbcp.py; SiLab-Bonn/basil TL/SiTcp.py; nchikuma/EASIROC RBCP.rb',
  proven: 'third-party driver',
  options: options<Options>({ registers, frame }),
  links: (p) => ({ control: rbcp(), data: counterFrames(p.frame) }),
  *identify(ask, p) {
    const found: Record<string, number> = {};
    const expecting = Object.entries(p.registers).filter(([, r]) => r.expect !== undefined);
    const [first] = Object.entries(p.registers);
    for (const [name, r] of expecting.length > 0 ? expecting : [first]) {
      const m = yield* ask.control.ask({ command: 'read', address: r.address, length: r.bytes });
      if (m.busError)
        return new Refused(`the board has nothing at ${hex(r.address, 8)} (${name}): it is another board or another firmware`);
      const raw = rawOf(m.data);
      if (r.expect === undefined) continue;
      if (raw !== r.expect) return new Refused(`${name} is ${hex(raw, 2 * r.bytes)}, and ${hex(r.expect, 2 * r.bytes)} is expected`);
      found[name] = raw;
    }
    return found;
  },
  body: (p) => ({
    polls: Object.entries(p.registers).map(polled),
    streams: { data: [stream(p.frame)] },
    commands: Object.fromEntries(
      Object.entries(p.registers)
        .filter(([, r]) => r.writable)
        .map(written),
    ),
  }),
});
