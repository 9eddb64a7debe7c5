import type { ModbusAsk, ModbusTell } from '../protocols/modbus.ts';
import { LIMITS, NUMBER_TYPES, type NumberType, numberOf, ORDERS, registersOf, registersWith } from '../protocols/modbus-numbers.ts';
import { modbusRtu } from '../protocols/modbus-rtu.ts';
import { type ModbusTable, serveModbus } from '../protocols/modbus-serve.ts';
import { modbusTcp } from '../protocols/modbus-tcp.ts';
import {
  asRefused,
  declared,
  type Field,
  options,
  type Part,
  Refused,
  type Scale,
  type Schema,
  simulator,
  whole,
  word,
} from '../src/simulator.ts';
import { type Bench, bench } from './worlds/bench.ts';

const TABLES = ['coil', 'discrete', 'holding', 'input'] as const;
type Table = (typeof TABLES)[number];
type Value = number | boolean | string;

/** What lies at an address, and how a value of the rig's is put there. */
interface Cell {
  readonly name: string;
  readonly table: Table;
  readonly address: number;
  readonly count: number;
  readonly words: (value: Value, before: readonly number[]) => readonly number[];
  readonly value: (words: readonly number[]) => Value;
  /** A value as it is written in the rig. */
  readonly given: (part: Part) => Value;
  readonly begins: Value;
  /** One sigma in SI. */
  readonly noise: number;
}
interface Echoed extends Cell {
  readonly shownBy: string | undefined;
}
interface Options {
  readonly unit: number;
  readonly framing: 'rtu' | 'tcp';
  readonly channels: readonly Cell[];
  readonly commands: readonly Echoed[];
  readonly identify: readonly (readonly [Table, number, number])[];
  readonly values: Readonly<Record<string, Part>>;
  readonly noise: number;
  readonly diagnostics: 'echo' | 'refused' | 'silent';
  readonly bridge: unknown;
  readonly proof: unknown;
}
interface State {
  readonly unit: number;
  readonly memory: Readonly<Record<Table, Record<number, number>>>;
  readonly cells: readonly Cell[];
  readonly commands: readonly Echoed[];
  readonly diagnostics: Options['diagnostics'];
}

/** The meaning of a place; `values` is what the rig says that it shows. */
function cell(name: string, part: Part): Cell {
  const table = TABLES.find((t) => part.at(t).given) ?? part.wrong('has no address');
  const bits = table === 'coil' || table === 'discrete';
  const type: NumberType = bits ? 'u16' : part.at('type').word(NUMBER_TYPES, 'u16');
  const count = bits ? 1 : registersOf(type);
  const order = part.at('order').word(ORDERS[registersOf(type)], ORDERS[registersOf(type)][0]);
  const bit = part.at('bit').given ? part.at('bit').whole(0, 31) : undefined;
  const number = (words: readonly number[]): number => (bits ? (words[0] ?? 0) : numberOf(type, order, words));
  const put = (n: number, before: readonly number[]): readonly number[] => {
    if (bits) return [n];
    if (bit === undefined) return registersWith(type, order, n);
    const rest = number(before) - 2 ** bit * (Math.floor(number(before) / 2 ** bit) % 2);
    return registersWith(type, order, rest + n * 2 ** bit);
  };
  const whole = (words: readonly number[]): number => (bit === undefined ? number(words) : Math.floor(number(words) / 2 ** bit) % 2);
  const base = { name, table, address: part.at(table).whole(0, 0x10000 - count), count, noise: 0 };
  const names = part.at('states');
  if (names.given) {
    const all = Object.entries((names.yaml ?? {}) as Readonly<Record<string, unknown>>).map(([n, w]) => [Number(n), String(w)] as const); // the driver has read it
    const [[, first] = [0, '']] = all;
    return {
      ...base,
      words: (value, before) => put(all.find(([, w]) => w === value)?.[0] ?? 0, before),
      value: (words) => all.find(([n]) => n === whole(words))?.[1] ?? '',
      given: (one) => one.word(all.map(([, w]) => w)),
      begins: first,
    };
  }
  const kind = part.at('kind').given ? part.at('kind').yaml : part.at('takes').yaml;
  if (bits || bit !== undefined || kind === 'flag') {
    const invert = part.at('invert').flag(false);
    return {
      ...base,
      words: (on, before) => put(on === invert ? 0 : 1, before),
      value: (words) => (whole(words) !== 0) !== invert,
      given: (one) => one.flag(),
      begins: false,
    };
  }
  return { ...base, ...numbers(part, part.scale(), type, number, put) };
}

function numbers(
  part: Part,
  scale: Scale,
  type: NumberType,
  number: (words: readonly number[]) => number,
  put: (n: number, before: readonly number[]) => readonly number[],
) {
  const ends = part.at('span').given ? part.at('span').range(scale) : part.at('limits').given ? part.at('limits').range(scale) : undefined;
  const [least, most] = LIMITS[type];
  return {
    words(value: Value) {
      const n = scale.number(Number(value));
      return put(Math.max(least, Math.min(most, type === 'f32' ? n : Math.round(n))), []);
    },
    value: (words: readonly number[]): Value => scale.si(number(words)),
    given: (one: Part): Value => one.amount(scale),
    begins: !ends ? scale.si(0) : part.at('limits').given ? Math.max(ends[0], Math.min(ends[1], scale.si(0))) : (ends[0] + ends[1]) / 2,
    noise: ends ? ends[1] - ends[0] : scale.step,
  };
}

const cells: Field<readonly Cell[]> = declared("the driver's own", (part) =>
  part.named('"level: { input: 3, unit: m }"').map(([name, one]) => cell(name, one)),
);
const orders: Field<readonly Echoed[]> = declared("the driver's own", (part) =>
  part.named('"valve: { coil: 2 }"').map(([name, one]) => {
    const { yaml } = one.at('readback');
    const shownBy = typeof yaml === 'string' ? yaml : one.at('readback').at('channel').yaml;
    return { ...cell(name, one), shownBy: typeof shownBy === 'string' ? shownBy : undefined };
  }),
);
const identity: Field<Options['identify']> = declared("the driver's own", (part) =>
  TABLES.filter((table) => part.at(table).given).map(
    (table) => [table, part.at(table).whole(0, 0xffff), part.at('is').whole(0, 0xffff)] as const,
  ),
);

const ours: Field<unknown> = { about: "the driver's own", of: (yaml) => yaml };

const peek = (s: State, { table, address, count }: Cell): number[] =>
  Array.from({ length: count }, (_, i) => s.memory[table][address + i] ?? 0);
function poke(s: State, to: Cell, value: Value): void {
  to.words(value, peek(s, to)).forEach((word, i) => void (s.memory[to.table][to.address + i] = word));
}

function begin(p: Partial<Options>): State {
  const { unit = 1, channels = [], commands = [], identify = [], values = {}, diagnostics = 'echo', noise = 0 } = p;
  const memory = { coil: {}, discrete: {}, holding: {}, input: {} };
  const s: State = { unit, memory, commands, diagnostics, cells: channels.map((c) => ({ ...c, noise: noise * c.noise })) };
  for (const [table, address, is] of identify) s.memory[table][address] = is;
  for (const one of [...commands, ...channels]) poke(s, one, one.begins);
  for (const one of channels) {
    const given = values[one.name];
    if (given) poke(s, one, one.given(given));
  }
  return s;
}

/** A value of the world's own making: it wavers where it is a number that nobody sets. */
function shown(s: State, w: Bench, table: Table): Record<number, number> {
  const wavering = s.cells.filter((c) => c.noise > 0 && c.table === table && table === 'input');
  if (wavering.length === 0) return s.memory[table];
  const out = { ...s.memory[table] };
  for (const c of wavering) {
    const words = c.words(Number(c.value(peek(s, c))) + c.noise * w.noise(c.name), []);
    words.forEach((word, i) => void (out[c.address + i] = word));
  }
  return out;
}

function tableOf<V>(s: State, w: Bench, table: Table, from: (n: number) => V, to: (v: V) => number): ModbusTable<V> {
  const there = s.memory[table];
  const all = (address: number, count: number): number[] => Array.from({ length: count }, (_, i) => address + i);
  return {
    get(address, count) {
      const at = all(address, count);
      const now = shown(s, w, table);
      return at.every((a) => a in there) ? at.map((a) => from(now[a])) : 2;
    },
    ...(table === 'coil' || table === 'holding'
      ? {
          set(address: number, values: readonly V[]) {
            const at = all(address, values.length);
            if (!at.every((a) => a in there)) return 2;
            at.forEach((a, i) => void (there[a] = to(values[i])));
            follow(s, table, at);
            return undefined;
          },
        }
      : {}),
  };
}

/** What shows an output elsewhere (an end switch, a flow meter) follows it. */
function follow(s: State, table: Table, at: readonly number[]): void {
  for (const one of s.commands) {
    const to = s.cells.find((c) => c.name === one.shownBy);
    if (one.table !== table || !at.includes(one.address) || !to || (to.table === table && to.address === one.address)) continue;
    poke(s, to, one.value(peek(s, one)));
  }
}

function answer(q: ModbusAsk, s: State, w: Bench): readonly ModbusTell[] {
  if (q.unit !== s.unit && q.unit !== 0) return [];
  if (q.function === 8 && s.diagnostics !== 'echo')
    return s.diagnostics === 'silent' || q.unit === 0
      ? []
      : [{ unit: q.unit, ...('id' in q ? { id: q.id } : {}), function: 8, exception: 1 }];
  const bit = (n: number): boolean => n !== 0;
  const tell = serveModbus(q, {
    coils: tableOf(s, w, 'coil', bit, Number),
    discretes: tableOf(s, w, 'discrete', bit, Number),
    holding: tableOf(s, w, 'holding', Number, Number),
    inputs: tableOf(s, w, 'input', Number, Number),
  });
  return tell ? [tell] : [];
}

const fields = options<Options>({
  unit: whole('address on the bus', 0, 255, 1),
  framing: word('rtu on a line or over TCP, tcp for Modbus TCP', ['rtu', 'tcp'] as const, 'rtu'),
  channels: cells,
  commands: orders,
  identify: identity,
  values: declared('what channels show at first, as the rig writes it: "{ level: 1.2 m, leak: on }"', (part) =>
    Object.fromEntries(part.named('"{ level: 1.2 }"')),
  ),
  noise: declared('one sigma of inputs that are numbers, as a part of their span (otherwise 0)', (part) => part.number(0)),
  diagnostics: word('what becomes of function 8', ['echo', 'refused', 'silent'] as const, 'echo'),
  bridge: ours,
  proof: ours,
});

/** A value that a channel cannot show is told, too. */
const schema: Schema<Options> = {
  fields: fields.fields,
  parse(yaml) {
    const p = fields.parse(yaml);
    if (p instanceof Refused) return p;
    for (const [name, given] of Object.entries(p.values)) {
      const one = p.channels.find((c) => c.name === name);
      if (!one) return new Refused(`values: there is no channel "${name}"; known are ${p.channels.map((c) => c.name).join(', ')}`);
      const value = asRefused(() => one.given(given));
      if (value instanceof Refused) return new Refused(`values: ${value.why}`);
    }
    return p;
  },
};

/** A unit that has just what the rig declares of it, and answers all else with exception 2. */
export default simulator({
  options: schema,
  links: ({ framing }: Partial<Options>) => ({ main: framing === 'tcp' ? modbusTcp() : modbusRtu() }),
  state: begin,
  world: bench,
  answer: { main: answer },
  think: 0.005, // s; such units take some milliseconds
});
