import type { ModbusTell } from '../protocols/modbus.ts';
import { LIMITS, NUMBER_TYPES, type NumberType, numberOf, ORDERS, registersOf, registersWith } from '../protocols/modbus-numbers.ts';
import {
  type Block,
  inBlocks,
  isBits,
  isGateway,
  type Place,
  readOf,
  replyOf,
  spokenException,
  spokenPlace,
  TABLES,
  type Table,
  tellOf,
  type Words,
  wordsOf,
  writeOf,
} from '../protocols/modbus-places.ts';
import { modbusRtu } from '../protocols/modbus-rtu.ts';
import { modbusTcp } from '../protocols/modbus-tcp.ts';
import {
  asRefused,
  bad,
  type Command,
  declared,
  instrument,
  type Kind,
  type Measured,
  NoReply,
  options,
  type Part,
  poll,
  Refused,
  readbackOf,
  type Scale,
  type Schema,
  type Shown,
  whole,
  word,
} from '../src/instrument.ts';
import { show } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof modbusRtu> };

const LIKE = '"{ input: 3, type: u16, scale: 0.01, unit: m }" or "{ discrete: 0 }"';
const ORDER_LIKE = '"{ coil: 2, safe: off, readback: valve_open }" or "{ holding: 10, unit: bar, limits: [0, 6] }"';

/** What words mean, both ways. */
interface Meaning {
  readonly kind: Exclude<Kind, 'trace'>;
  readonly read: (words: Words) => Measured<Kind>;
  /** The words of a value, or why there are none. */
  readonly write: (value: unknown, limits?: readonly [number, number]) => Words | string;
  /** Words as they may come. */
  readonly sample: Words;
  /** Of a state. */
  readonly words?: readonly string[];
  /** Of a number. */
  readonly scale?: Scale;
  readonly step?: number;
  readonly ends?: readonly [number, number];
}
interface Channel extends Shown, Place {
  readonly read: Meaning['read'];
  readonly sample: Words;
  readonly span?: readonly [number, number];
}
interface Write {
  readonly name: string;
  readonly table: 'coil' | 'holding';
  readonly address: number;
  readonly several: boolean;
  readonly write: (value: unknown) => Words | string;
  /** Limits, safe value, readback and the like. */
  readonly facts: Omit<Command<L>, 'talk'>;
}
interface Options {
  readonly unit: number;
  readonly framing: 'rtu' | 'tcp';
  readonly bridge: number;
  readonly channels: readonly Channel[];
  /** What a command is read back from is known when all channels are. */
  readonly commands: readonly ((channels: readonly Channel[]) => Write)[];
  readonly identify: (Place & { readonly is: number }) | undefined;
  readonly proof: Place | undefined;
}

/** The one table that a part of the options names, and the address there of so many words. */
function place<T extends Table>(part: Part, tables: readonly T[], count: (table: T) => number): Place & { readonly table: T } {
  const [table, other] = tables.filter((one) => part.at(one).given);
  if (table === undefined) return part.wrong(`needs its address: one of ${tables.map((t) => `"${t}: 0"`).join(', ')}`);
  if (other !== undefined) return part.wrong(`has both ${table} and ${other}; one of them`);
  const n = count(table);
  return { table, address: part.at(table).whole(0, 0x10000 - n), count: n };
}

/** Type and order of the number that a part of the options describes. */
function numberType(part: Part) {
  const type = part.at('type').word(NUMBER_TYPES, 'u16');
  const orders = ORDERS[registersOf(type)];
  return { type, order: part.at('order').word(orders, orders[0]) };
}

/** Words by the number that stands for each. */
function states(part: Part, lo: number, hi: number): ReadonlyMap<number, string> {
  const given = part.yaml;
  const all = Object.entries(given !== null && typeof given === 'object' && !Array.isArray(given) ? given : {});
  if (all.length === 0) part.wrong('must be written as "{ 0: closed, 1: open }"');
  return new Map(
    all.map(([number, name]): [number, string] => {
      const n = /^-?\d+$/.test(number) ? Number(number) : Number.NaN;
      if (!(n >= lo && n <= hi)) part.wrong(`"${number}" is no whole number from ${lo} to ${hi}`);
      return typeof name === 'string' && name !== '' ? [n, name] : part.at(number).wrong('must be a word, such as closed');
    }),
  );
}

const good = (value: number | boolean | string): Measured<Kind> => ({ quality: 'good', value }) as Measured<Kind>; // of the kind beside it in a Meaning

const NUMBER_KEYS = ['type', 'order', 'scale', 'offset', 'unit'];

/** What the words at a place mean, as the keys of its group say; `told` is the kind that is asked for, if any. */
function meaning(part: Part, table: Table, told: Part): Meaning {
  const { type, order } = numberType(part);
  const bits = isBits(table);
  const bit = part.at('bit').given ? part.at('bit').whole(0, 16 * registersOf(type) - 1) : undefined;
  if (bit !== undefined && type !== 'u16' && type !== 'u32') part.at('type').wrong('must be u16 or u32 where one bit is read');
  const kind = told.word(
    ['flag', 'state', 'number'] as const,
    part.at('states').given ? 'state' : bits || bit !== undefined ? 'flag' : 'number',
  );
  const strange = {
    flag: [...NUMBER_KEYS.slice(2), 'states', 'span', 'limits'],
    state: [...NUMBER_KEYS.slice(2), 'invert', 'span', 'limits'],
    number: ['invert', 'states', 'bit'],
  };
  for (const key of strange[kind]) if (part.at(key).given) part.at(key).wrong(`has no meaning for a ${kind}`);
  if (kind === 'number' && bits) told.wrong(`a ${table} is a flag, or with "states" a state`);
  const raw = (w: Words): number => (bits ? w[0] : numberOf(type, order, w));
  const whole = (w: Words): number => (bit === undefined ? raw(w) : Math.floor(raw(w) / 2 ** bit) % 2);
  const words = (n: number): Words => (bits ? [n] : registersWith(type, order, bit === undefined ? n : n * 2 ** bit));
  if (kind === 'number') return numbers(part.scale(), type, raw, words);
  if (type === 'f32' && !bits) part.at('type').wrong(`f32 is no ${kind}: whole numbers only`);
  if (kind === 'flag') {
    const invert = part.at('invert').flag(false);
    return {
      kind,
      read: (w) => good((whole(w) !== 0) !== invert),
      write: (value) => (typeof value === 'boolean' ? words(value === invert ? 0 : 1) : 'on or off is needed'),
      sample: words(invert ? 0 : 1),
    };
  }
  const names = states(part.at('states'), ...(bits || bit !== undefined ? ([0, 1] as const) : LIMITS[type]));
  const all = [...names].map(([n, name]) => `${n} (${name})`).join(', ');
  return {
    kind,
    read(w) {
      const name = names.get(whole(w));
      return name === undefined ? bad(`${whole(w)} is none of ${all}`) : good(name);
    },
    write(value) {
      const [n] = [...names].find(([, name]) => name === value) ?? [];
      return n === undefined ? `"${String(value)}" is none of ${all}` : words(n);
    },
    sample: words([...names.keys()][0] ?? 0),
    words: [...new Set(names.values())],
  };
}

function numbers(scale: Scale, type: NumberType, raw: (w: Words) => number, words: (n: number) => Words): Meaning {
  const [lowest, highest] = LIMITS[type];
  const ends = [scale.si(lowest), scale.si(highest)].sort((a, b) => a - b);
  const [least = 0, most = 0] = ends;
  return {
    kind: scale.unit,
    read(w) {
      const value = scale.si(raw(w));
      // Said by the unit itself, and under a checksum: no reason to distrust the line.
      return Number.isFinite(value) ? good(value) : bad(`the registers hold no number (${raw(w)})`);
    },
    write(value, [lo, hi] = [least, most]) {
      if (typeof value !== 'number' || !Number.isFinite(value)) return `${String(value)} is no number`;
      const exact = scale.number(value);
      // The nearest number, or where that is beyond a limit the one before it.
      const tries = type === 'f32' ? [exact] : [Math.round(exact), Math.floor(exact), Math.ceil(exact)];
      const slack = 1e-9 * Math.max(Math.abs(lo), Math.abs(hi));
      const n = tries.find((one) => one >= lowest && one <= highest && scale.si(one) >= lo - slack && scale.si(one) <= hi + slack);
      return n === undefined
        ? `${show(value, scale.unit)} cannot be written: ${show(lo, scale.unit)} to ${show(hi, scale.unit)} can`
        : words(n);
    },
    sample: words(1),
    scale,
    // A floating number has no step of its own.
    ...(type === 'f32' ? {} : { step: scale.step }),
    ends: [least, most],
  };
}

function channel(name: string, part: Part): Channel {
  const bits = !part.at('input').given && !part.at('holding').given && (part.at('coil').given || part.at('discrete').given);
  const known = ['kind', 'invert', 'states', 'every', 'example', ...(bits ? [] : [...NUMBER_KEYS, 'bit', 'span'])];
  const at = place(part.only([...TABLES, ...known], LIKE), TABLES, (table) => (isBits(table) ? 1 : registersOf(numberType(part).type)));
  const { kind, read, sample, words, scale, step, write } = meaning(part, at.table, part.at('kind'));
  const base = { ...at, name, kind, every: part.at('every').seconds(1), ...(words ? { words } : {}), ...(step ? { step } : {}) };
  const span = scale && part.at('span').given ? part.at('span').range(scale) : undefined;
  if (!scale || !span) return withExample(part, { ...base, read, sample }, scale);
  const middle = write((span[0] + span[1]) / 2);
  const within = (w: Words): Measured<Kind> => {
    const m = read(w);
    if (m.quality === 'bad' || typeof m.value !== 'number' || (m.value >= span[0] && m.value <= span[1])) return m;
    return bad(
      `${show(m.value, scale.unit)} is outside of what is possible (${show(span[0], scale.unit)} to ${show(span[1], scale.unit)})`,
    );
  };
  if (typeof middle === 'string') return part.at('span').wrong(middle);
  return withExample(part, { ...base, read: within, sample: middle, span }, scale);
}

/** The rig's own example, where there is one: words as a manual prints them, and what they mean. */
function withExample(part: Part, one: Channel, scale: Scale | undefined): Channel {
  const example = part.at('example');
  if (!example.given) return one;
  const given = example.only(['words', 'is'], '"{ words: [16840, 0], is: 21 °C }"').at('words');
  const list: unknown = typeof given.yaml === 'number' ? [given.yaml] : given.yaml;
  const most = isBits(one.table) ? 1 : 0xffff;
  const fits = (n: unknown): n is number => typeof n === 'number' && Number.isInteger(n) && n >= 0 && n <= most;
  if (!Array.isArray(list) || list.length !== one.count || !list.every(fits))
    return given.wrong(`must be ${one.count === 1 ? 'a whole number' : 'a list of 2 whole numbers'} from 0 to ${most}`);
  const got = one.read(list);
  if (got.quality === 'bad') return given.wrong(got.why);
  const is = example.at('is');
  const { value } = got;
  const right = scale
    ? Math.abs(Number(value) - is.amount(scale)) <= Math.max(1e-6 * Math.abs(Number(value)), 0.5 * (one.step ?? 0))
    : value === (one.kind === 'flag' ? is.flag() : is.yaml);
  if (!right)
    is.wrong(`these words read as ${scale ? show(Number(value), scale.unit) : one.kind === 'flag' ? (value ? 'on' : 'off') : value}`);
  return { ...one, sample: list };
}

function command(name: string, part: Part): (channels: readonly Channel[]) => Write {
  const bits = part.at('coil').given && !part.at('holding').given;
  const known = ['takes', 'invert', 'states', 'function', 'safe', 'readback', 'about', ...(bits ? [] : [...NUMBER_KEYS, 'limits'])];
  const { table, address, count } = place(part.only(['coil', 'holding', ...known], ORDER_LIKE), ['coil', 'holding'] as const, (t) =>
    t === 'coil' ? 1 : registersOf(numberType(part).type),
  );
  const { kind, write, words, scale, step: own, ends } = meaning(part, table, part.at('takes'));
  const [single, many] = table === 'coil' ? [5, 15] : [6, 16];
  const code = part.at('function').given ? part.at('function').number() : count > 1 ? many : single;
  if (code !== many && (code !== single || count > 1)) part.at('function').wrong(`must be ${count > 1 ? '' : `${single} or `}${many} here`);
  const limits = scale && ends ? limitsOf(part.at('limits'), scale, ends) : undefined;
  const step = own ?? (limits ? 1e-6 * Math.max(Math.abs(limits[0]), Math.abs(limits[1])) : 0);
  if (words && new Set(words).size < [...states(part.at('states'), -Infinity, Infinity)].length)
    part.at('states').wrong('has one word twice: which number would be written?');
  const about = part.at('about').about();
  const safe = part.at('safe');
  const off = !safe.given ? undefined : scale ? safe.amount(scale) : words ? safe.word(words) : safe.flag();
  if (typeof off === 'number' && limits && !(off >= limits[0] && off <= limits[1])) safe.wrong('is outside of the limits');
  return (channels) => ({
    name,
    table,
    address,
    several: code === many,
    write: (value) => write(value, limits),
    facts: {
      takes: kind,
      ...(limits ? { limits } : {}),
      ...(words ? { words } : {}),
      ...(off === undefined ? {} : { safe: off as never }), // of the kind that the command takes
      ...(about === undefined ? {} : { about }),
      ...readbackOf(part, channels, { kind, step, ...(words ? { words } : {}), ...(scale ? { scale } : {}) }),
    },
  });
}

/** The rig's limits, which must be within what the registers hold; those of the registers otherwise. */
function limitsOf(part: Part, scale: Scale, [least, most]: readonly [number, number]): readonly [number, number] {
  if (!part.given) return [least, most];
  const limits = part.range(scale);
  const slack = 1e-9 * Math.max(Math.abs(least), Math.abs(most));
  if (limits[0] >= least - slack && limits[1] <= most + slack) return limits;
  return part.wrong(`the registers hold ${show(least, scale.unit)} to ${show(most, scale.unit)} at this scale`);
}

const channels = declared('NAME: { input | holding | discrete | coil: ADDRESS, ... } of each; see docs/rigs.md', (part) =>
  part.named(`"level: { input: 3, unit: m }"`).map(([name, one]) => channel(name, one)),
);
const commands = declared('NAME: { coil | holding: ADDRESS, ... } of each; see docs/rigs.md', (part) =>
  part.named(`"valve: { coil: 2 }"`).map(([name, one]) => command(name, one)),
);
const identify = declared('a register that tells this unit from others, "{ holding: 0, is: 1234 }"', (part) => {
  if (!part.given) return undefined;
  const at = place(part.only(['input', 'holding', 'is'], '"{ holding: 0, is: 1234 }"'), ['input', 'holding'] as const, () => 1);
  return { ...at, is: part.at('is').whole(0, 0xffff) };
});
const proof = declared(
  'echo (function 8), or a read like no other, "{ holding: 0, count: 2 }" (otherwise echo)',
  (part): Place | undefined => {
    if (!part.given || part.yaml === 'echo') return undefined;
    const count = part
      .only([...TABLES, 'count'], '"echo" or "{ holding: 0, count: 2 }"')
      .at('count')
      .whole(1, 120);
    return place(part, TABLES, () => count);
  },
);

const fields = options<Options>({
  unit: whole('address on the bus', 0, 255, 1),
  framing: word('rtu on a line or over TCP, tcp for Modbus TCP', ['rtu', 'tcp'] as const, 'rtu'),
  bridge: whole('undeclared registers or bits between two channels that are read along', 0, 100, 0),
  channels,
  commands,
  identify,
  proof,
});

/** The options one by one, and then what only all of them together can tell. */
const schema: Schema<Options> = {
  fields: fields.fields,
  parse(yaml) {
    const p = fields.parse(yaml);
    if (p instanceof Refused) return p;
    if (p.framing === 'rtu' && (p.unit < 1 || p.unit > 247))
      return new Refused('unit: must be from 1 to 247 on a serial line; 0 means every unit');
    for (const make of p.commands) {
      const made = asRefused(() => make(p.channels));
      if (made instanceof Refused) return new Refused(`commands: ${made.why}`);
    }
    const { proof: own } = p;
    const clash = own && blocks(p).find((b) => replyOf(b) === replyOf(own));
    if (clash) return new Refused(`proof: the reply for ${spokenPlace(clash)} is as long: another count is needed`);
    return p;
  },
};

/** The questions for all channels: those of one period together. */
const blocks = ({ channels: all, bridge }: Pick<Options, 'channels' | 'bridge'>): readonly Block<Channel>[] =>
  [...new Set(all.map((c) => c.every))].flatMap((every) =>
    inBlocks(
      all.filter((c) => c.every === every),
      bridge,
    ),
  );

function pollOf(unit: number, block: Block<Channel>) {
  const { of: all, address } = block;
  const read = (m: ModbusTell): Readonly<Record<string, Measured<Kind>>> => {
    if ('exception' in m) {
      const why = bad(`the unit answers ${spokenException(m.exception)}, asked for ${spokenPlace(block)}`);
      return Object.fromEntries(all.map((c) => [c.name, why]));
    }
    const words = wordsOf(m, block);
    if (!words) throw new Error(`another reply than to a read of ${spokenPlace(block)}`);
    return Object.fromEntries(all.map((c) => [c.name, c.read(words.slice(c.address - address, c.address - address + c.count))]));
  };
  const image = new Array<number>(block.count).fill(0);
  for (const c of all) image.splice(c.address - address, c.count, ...c.sample);
  const sample = tellOf(unit, block, image);
  const meant = Object.entries(read(sample)).flatMap(([name, m]) => (m.quality === 'bad' ? [] : [[name, m.value] as const]));
  const facts = <T>(pick: (c: Channel) => T | undefined): Readonly<Record<string, T>> =>
    Object.fromEntries(all.map((c) => [c.name, pick(c)] as const).filter((one): one is readonly [string, T] => one[1] !== undefined));
  return poll<L, Readonly<Record<string, Kind>>>({
    ask: readOf(unit, block),
    every: all[0].every,
    gives: facts((c) => c.kind),
    read,
    example: [sample, Object.fromEntries(meant)],
    span: facts((c) => c.span),
    words: facts((c) => c.words),
    resolution: facts((c) => c.step),
  });
}

const ECHO = 0x5aa5;

/** Where no channel is declared: how the unit answers, if it does. */
const answers = ({ unit, proof: own }: Options) =>
  poll<L, { answers: 'state' }>({
    ask: own ? readOf(unit, own) : { unit, function: 8, sub: 0, data: [ECHO] },
    every: 1,
    gives: { answers: 'state' },
    read: (m) => {
      if (!('exception' in m)) return { answers: 'well' };
      return { answers: isGateway(m) ? bad(`the unit does not answer: ${spokenException(m.exception)}`) : 'by refusing' };
    },
    words: { answers: ['well', 'by refusing'] },
    example: [
      own ? tellOf(unit, own, new Array<number>(own.count).fill(0)) : { unit, function: 8, sub: 0, data: [ECHO] },
      { answers: 'well' },
    ],
  });

function commandOf(unit: number, { table, address, several, write, facts }: Write): Command<L> {
  return {
    ...facts,
    *talk(act, value) {
      const words = write(value);
      if (typeof words === 'string') throw new NoReply(words);
      const m = yield* act.main.exchange(writeOf(unit, table, address, words, several));
      if ('exception' in m) throw new NoReply(`the unit refuses: ${spokenException(m.exception)}`);
    },
  };
}

/**
 * Any Modbus unit whose channels and commands the rig declares: tank levels, leak sensors, valves. RTU on a line or over TCP, and Modbus
 * TCP. The proof is the echo of function 8; a unit without it refuses, which no other question's answer does in that function's name.
 */
export default instrument<L, Options, { readonly unit: number }>({
  model: 'Modbus I/O, as the rig declares it',
  source: 'Modbus Application Protocol Specification v1.1b3; Modbus over Serial Line v1.02; Modbus Messaging on TCP/IP v1.0b',
  proven: 'manual',
  options: schema,
  links: ({ framing }) => ({ main: framing === 'tcp' ? modbusTcp() : modbusRtu() }),
  pace: 0.005, // 3.5 characters at 9600 baud
  within: 0.5,
  proof: ({ unit, proof: own }) => ({
    main: own
      ? { ask: () => readOf(unit, own), is: (m) => wordsOf(m, own) !== undefined }
      : {
          ask: (n) => ({ unit, function: 8, sub: 0, data: [n & 0xffff] }),
          is: (m, n) => m.function === 8 && ('exception' in m ? !isGateway(m) : 'data' in m && m.data[0] === (n & 0xffff)),
        },
  }),
  *identify(ask, { unit, identify: own }) {
    if (!own) return { unit };
    const m = yield* ask.main.ask(readOf(unit, own));
    if ('exception' in m) {
      if (isGateway(m)) throw new NoReply(`the unit does not answer: ${spokenException(m.exception)}`);
      return new Refused(`${spokenPlace(own)} should be ${own.is}, and the unit answers ${spokenException(m.exception)}`);
    }
    const [is] = wordsOf(m, own) ?? [];
    return is === own.is ? { unit } : new Refused(`${spokenPlace(own)} is ${is}, not ${own.is}: another unit`);
  },
  body: (p) => ({
    polls: p.channels.length === 0 ? [answers(p)] : blocks(p).map((block) => pollOf(p.unit, block)),
    commands: Object.fromEntries(p.commands.map((make) => make(p.channels)).map((w) => [w.name, commandOf(p.unit, w)])),
  }),
});
