import { oidBefore } from '../protocols/ber.ts';
import { type Binding, type SnmpAsk, type SnmpTell, type SnmpValue, snmp } from '../protocols/snmp.ts';
import { type Field, options, Refused, simulator, whole } from '../src/simulator.ts';
import { type HighVoltage, highVoltage } from './worlds/high-voltage.ts';

interface Options {
  readonly modules: number;
  readonly outputs: number;
  readonly module_volts: number;
  readonly read: string;
  readonly write: string;
}
/** One output, as the rows of outputTable have it. Volts and amperes. */
interface Channel {
  readonly name: string;
  /** Its row: one more than its number. */
  readonly row: number;
  on: boolean;
  volts: number;
  amps: number;
  rise: number;
  fall: number;
  /** Bits of outputStatus that stay until they are cleared. */
  readonly events: Set<number>;
  inhibit: boolean;
  celsius: number;
}
interface State {
  readonly name: string;
  readonly read: string;
  readonly write: string;
  readonly maxVolts: number;
  readonly channels: readonly Channel[];
  main: boolean;
  /** What an agent of version 1 of a smaller size would not send: the most bindings of one reply. */
  most: number;
}

/** WIENER-CRATE-MIB, revision 1207. */
const CRATE = '1.3.6.1.4.1.19947.1';
const ENTRY = `${CRATE}.3.2.1`;
const SYSTEM = '1.3.6.1.2.1.1';
const EMERGENCY = 14;
const MAX_AMPS = 0.01;
const SLEW = 1000; // V/s at most

const integer = (value: number): SnmpValue => ({ type: 'integer', value });
const float = (value: number): SnmpValue => ({ type: 'float', value });
const text = (said: string): SnmpValue => ({ type: 'octets', value: Uint8Array.from(said, (c) => c.charCodeAt(0)) });
/** BITS: the first one is the high bit of the first byte. */
function bits(of: Iterable<number>, bytes: number): SnmpValue {
  const value = new Uint8Array(bytes);
  for (const n of of) value[n >> 3] |= 0x80 >> (n & 7);
  return { type: 'octets', value };
}

const outputOf = (s: State, c: Channel, w: HighVoltage) => w.output(`${s.name} ${c.name}`);
/** Noise of the measurement, where there is something to measure. */
const noisy = (s: State, c: Channel, w: HighVoltage, what: string, value: number, size: number): SnmpValue =>
  float(value + size * w.noise(`${s.name} ${c.name} ${what}`));

function status(s: State, c: Channel, w: HighVoltage): readonly number[] {
  const o = outputOf(s, c, w);
  const live = s.main && c.on;
  const moving = Math.abs(o.volts - o.target) > 1e-6 && !o.limited;
  return [
    ...(live ? [0] : []),
    ...(c.inhibit ? [1] : []),
    ...(o.limited ? [10] : []),
    ...(moving && o.volts < o.target ? [11] : []),
    ...(moving && o.volts > o.target ? [12] : []),
    ...c.events,
  ];
}

/** Columns of outputTable. */
const COLUMNS: Readonly<Record<number, (s: State, c: Channel, w: HighVoltage) => SnmpValue>> = {
  2: (_s, c) => text(c.name.toUpperCase()),
  3: () => integer(1),
  4: (s, c, w) => bits(status(s, c, w), 2),
  5: (s, c, w) => noisy(s, c, w, 'sense', outputOf(s, c, w).volts, 0.002),
  6: (s, c, w) => noisy(s, c, w, 'terminal', outputOf(s, c, w).volts, 0.002),
  7: (s, c, w) => noisy(s, c, w, 'amps', outputOf(s, c, w).amps, 1e-10),
  8: (_s, c) => integer(Math.round(c.celsius)),
  9: (s, c) => integer(c.events.has(EMERGENCY) ? 3 : s.main && c.on ? 1 : 0),
  10: (_s, c) => float(c.volts),
  12: (_s, c) => float(c.amps),
  13: (_s, c) => float(c.rise),
  14: (_s, c) => float(c.fall),
};

function tree(s: State, w: HighVoltage, t: number): Map<string, SnmpValue> {
  const failing = s.channels.some((c) => [...c.events].some((n) => n >= 2 && n <= 9));
  const entries: [string, SnmpValue][] = [
    [`${SYSTEM}.1.0`, text('WIENER MPOD (4388090, MPOD 2.1.2098.1, MPODslave 1.09, MPOD-BL 1.50 )')],
    [`${SYSTEM}.3.0`, { type: 'ticks', value: Math.round(100 * t) % 2 ** 32 }],
    [`${CRATE}.1.1.0`, integer(s.main ? 1 : 0)],
    [`${CRATE}.1.2.0`, bits([...(s.main ? [0] : []), ...(failing ? [4] : [])], 2)],
    [`${CRATE}.3.1.0`, integer(s.channels.length)],
  ];
  for (const [column, read] of Object.entries(COLUMNS))
    for (const c of s.channels) entries.push([`${ENTRY}.${column}.${c.row}`, read(s, c, w)]);
  return new Map(entries);
}

/** What outputSwitch does when it is written; false where the channel does not obey. */
function turn(s: State, c: Channel, w: HighVoltage, word: number): boolean {
  switch (word) {
    case 0:
      c.on = false;
      return true;
    case 1:
      if (!s.main || c.inhibit || c.events.size > 0) return true; // the write is taken, and the output stays off
      c.on = true;
      return true;
    case 2:
      c.events.delete(EMERGENCY);
      return true;
    case 3: {
      c.on = false;
      c.volts = 0;
      c.events.add(EMERGENCY);
      Object.assign(outputOf(s, c, w), { target: 0, volts: 0, amps: 0, limited: false });
      return true;
    }
    case 10:
      c.events.clear();
      return true;
    default:
      return false;
  }
}

const OK = 0;
const NOT_WRITABLE = 17;
const WRONG_TYPE = 7;
const WRONG_VALUE = 10;

/** The error of a write; `now` carries it out. */
function write({ name, value }: Binding, s: State, w: HighVoltage, now: boolean): number {
  if (name === `${CRATE}.1.1.0`) {
    if (value.type !== 'integer') return WRONG_TYPE;
    if (value.value !== 0 && value.value !== 1) return WRONG_VALUE;
    if (now) s.main = value.value === 1;
    if (now && !s.main) for (const c of s.channels) c.on = false;
    return OK;
  }
  const [column, row] = name.startsWith(`${ENTRY}.`) ? name.slice(ENTRY.length + 1).split('.') : [];
  const c = s.channels.find((one) => one.row === Number(row));
  if (!c) return NOT_WRITABLE;
  if (column === '9') {
    if (value.type !== 'integer') return WRONG_TYPE;
    if (![0, 1, 2, 3, 10].includes(value.value)) return WRONG_VALUE;
    if (now) turn(s, c, w, value.value);
    return OK;
  }
  const most = new Map([
    ['10', s.maxVolts],
    ['12', MAX_AMPS],
    ['13', SLEW],
    ['14', SLEW],
  ]).get(column);
  if (most === undefined) return NOT_WRITABLE;
  if (value.type !== 'float') return WRONG_TYPE;
  if (!(value.value >= 0 && value.value <= most * (1 + 1e-6))) return WRONG_VALUE;
  if (!now) return OK;
  if (column === '10') c.volts = value.value;
  else if (column === '12') c.amps = value.value;
  else if (column === '13') c.rise = value.value;
  else c.fall = value.value;
  return OK;
}

/** RFC 3584, 4.4: what version 1 knows of the errors of version 2. */
const INTO_V1: Readonly<Record<number, number>> = { 7: 3, 10: 3, 17: 2 };

function answer(q: SnmpAsk, s: State, w: HighVoltage, t: number): readonly SnmpTell[] {
  const { version = 'v2c', community, id = 0 } = q;
  const may = community === s.write || (community === s.read && q.kind !== 'set');
  if (!may && community !== s.read) return []; // an unknown community is no question
  const say = (bindings: readonly Binding[], error = 0, errorIndex = 0): readonly SnmpTell[] => [
    { version, community, id, kind: 'response', error, errorIndex, bindings },
  ];
  const refuse = (error: number, at: number): readonly SnmpTell[] =>
    say(q.bindings, version === 'v1' ? (INTO_V1[error] ?? error) : error, at);
  if (!may) return refuse(version === 'v1' ? 2 : 6, 1);
  if (q.bindings.length > s.most && q.kind !== 'bulk') return version === 'v1' ? refuse(1, 0) : say([], 1);

  if (q.kind === 'set') {
    for (const now of [false, true]) {
      for (const [i, one] of q.bindings.entries()) {
        const error = write(one, s, w, now);
        if (error !== OK) return refuse(error, i + 1);
      }
    }
    return say(q.bindings);
  }

  const all = tree(s, w, t);
  if (q.kind === 'get') {
    const missing = q.bindings.findIndex((b) => !all.has(b.name));
    if (version === 'v1' && missing >= 0) return refuse(2, missing + 1);
    return say(q.bindings.map(({ name }) => ({ name, value: all.get(name) ?? { type: 'noSuchInstance' } })));
  }

  const names = [...all.keys()].sort((a, b) => (oidBefore(a, b) ? -1 : 1));
  const after = (name: string): Binding => {
    const next = names.find((one) => oidBefore(name, one));
    const value = next === undefined ? undefined : all.get(next);
    return next === undefined || value === undefined ? { name, value: { type: 'endOfMibView' } } : { name: next, value };
  };
  if (q.kind !== 'bulk') {
    const found = q.bindings.map((b) => after(b.name));
    const end = found.findIndex((b) => b.value.type === 'endOfMibView');
    return version === 'v1' && end >= 0 ? refuse(2, end + 1) : say(found);
  }
  const found = q.bindings.slice(0, q.once).map((b) => after(b.name));
  let at = q.bindings.slice(q.once).map((b) => b.name);
  for (let i = 0; i < q.most && at.length > 0 && found.length + at.length <= s.most; i++) {
    const row = at.map(after);
    found.push(...row);
    at = row.map((b) => b.name);
    if (row.every((b) => b.value.type === 'endOfMibView')) break;
  }
  return say(found);
}

const community = (about: string, otherwise: string): Field<string> => ({
  about: `${about} (otherwise ${otherwise})`,
  of: (yaml = otherwise) => (typeof yaml === 'string' && yaml !== '' ? yaml : new Refused('must be a community, such as public')),
});
const theirs: Field<unknown> = { about: "the driver's own", of: (yaml) => yaml };

/** A crate with high-voltage modules of outputs in the world `high-voltage`, and its SNMP agent. Written from WIENER-CRATE-MIB. */
export default simulator({
  options: options<
    Options & { readonly version: unknown; readonly outputs_named: unknown; readonly max_volts: unknown; readonly max_amps: unknown }
  >({
    modules: whole('modules of the crate', 1, 10, 2),
    outputs: whole('outputs of each module', 1, 48, 1),
    module_volts: whole('V that an output gives at most', 1, 10_000, 3000),
    read: community('community that may read', 'public'),
    write: community('community that may write', 'guru'),
    version: theirs,
    outputs_named: theirs,
    max_volts: theirs,
    max_amps: theirs,
  }),
  links: { main: snmp() },
  world: highVoltage,
  state: (
    { modules = 2, outputs = 1, module_volts = 3000, read = 'public', write: guru = 'guru' }: Partial<Options>,
    name: string,
  ): State => ({
    ...{ name, read, write: guru, maxVolts: module_volts, main: true, most: 64 },
    channels: Array.from({ length: modules * outputs }, (_, i): Channel => {
      const number = 100 * Math.floor(i / outputs) + (i % outputs);
      return {
        ...{ name: `u${number}`, row: number + 1, on: false, volts: 0, amps: 0.001, rise: 50, fall: 50 },
        ...{ events: new Set(), inhibit: false, celsius: 28 },
      };
    }),
  }),
  answer: { main: answer },
  tick(s, w) {
    for (const c of s.channels) {
      const o = outputOf(s, c, w);
      const live = s.main && c.on && !c.inhibit;
      if (c.inhibit) c.on = false;
      Object.assign(o, { target: live ? c.volts : 0, up: c.rise, down: s.main ? c.fall : Number.POSITIVE_INFINITY, limit: c.amps });
    }
  },
});
