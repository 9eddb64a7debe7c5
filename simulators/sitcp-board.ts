import { type CounterFrame, counterFrames, type FrameLayout } from '../protocols/counter-frames.ts';
import { type RbcpAsk, type RbcpTell, rbcp } from '../protocols/rbcp.ts';
import { type Field, options, Refused, simulator } from '../src/simulator.ts';
import { COUNTER_TICK, type Counters, counters } from './worlds/counters.ts';

/** A piece of the board's address space; `value` is what it holds at power-up. */
interface Piece {
  readonly address: number;
  readonly bytes: number;
  readonly writable: boolean;
  readonly value: number;
}
interface Options {
  readonly registers: readonly Piece[];
  readonly frame: FrameLayout;
}
interface State {
  readonly memory: Map<number, number>;
  readonly readOnly: ReadonlySet<number>;
  readonly layout: FrameLayout;
  /** The tick of the last frame that was sent; absent before the first. */
  said: number | undefined;
}

const isTable = (yaml: unknown): yaml is Readonly<Record<string, unknown>> =>
  yaml !== null && typeof yaml === 'object' && !Array.isArray(yaml);
const uint = (yaml: unknown, otherwise: number): number => (typeof yaml === 'number' && yaml >= 0 ? Math.floor(yaml) : otherwise);

const BOARD: readonly Piece[] = [
  { address: 0, bytes: 4, writable: false, value: 0x20260101 },
  { address: 4, bytes: 2, writable: true, value: 100 },
  { address: 6, bytes: 1, writable: true, value: 1 },
];
/** SiTCP's own registers lie at the end of the address space: MAC, IP address and ports (SiTCP manual, internal registers). */
const OWN: readonly Piece[] = [{ address: 0xffffff00, bytes: 0x80, writable: true, value: 0 }];
const SCRATCH: Piece = { address: 0x1000, bytes: 0x400, writable: true, value: 0 };

const registers: Field<readonly Piece[]> = {
  about: 'NAME: { address, bytes, writable, value } of each register; anything else is a bus error',
  of(yaml) {
    if (yaml === undefined) return BOARD;
    if (!isTable(yaml)) return new Refused('is written as NAME: { address: 0x10, bytes: 2 }');
    return Object.values(yaml).map((given) => {
      const { address, bytes, writable, value, expect } = isTable(given) ? given : {};
      return { address: uint(address, 0), bytes: uint(bytes, 1), writable: writable === true, value: uint(value ?? expect, 0) };
    });
  },
};
const frame: Field<FrameLayout> = {
  about: '{ sync, counters: [NAME, ...] or how many, end } of the frames it sends',
  of(yaml) {
    const { sync, counters: names, end } = isTable(yaml) ? yaml : {};
    const many = Array.isArray(names) ? names.length : uint(names, 4);
    return { sync: uint(sync, 0x5a5aa5a5), counters: many, ...(end === undefined ? {} : { end: uint(end, 0) }) };
  },
};

function power({ registers: board, frame: layout }: Options): State {
  const memory = new Map<number, number>();
  const readOnly = new Set<number>();
  for (const { address, bytes, writable, value } of [SCRATCH, ...OWN, ...board]) {
    for (let i = 0; i < bytes; i++) {
      memory.set(address + i, Math.floor(value / 2 ** (8 * (bytes - 1 - i))) % 256);
      if (!writable) readOnly.add(address + i);
    }
  }
  return { memory, readOnly, layout, said: undefined };
}

/** One reply to each question, with its id and address; addresses count up through the data. */
function bus(q: RbcpAsk, s: State): RbcpTell {
  const { command, address, id = 0 } = q;
  const length = q.command === 'read' ? q.length : q.data.length;
  const places = Array.from({ length }, (_, i) => address + i);
  const missing = places.some((at) => !s.memory.has(at) || (command === 'write' && s.readOnly.has(at)));
  if (missing) return { command, address, id, ack: true, busError: true, data: q.command === 'write' ? q.data : new Uint8Array(length) };
  if (q.command === 'write') {
    places.forEach((at, i) => {
      s.memory.set(at, q.data[i]);
    });
  }
  return { command, address, id, ack: true, busError: false, data: Uint8Array.from(places, (at) => s.memory.get(at) ?? 0) };
}

/** The frames of the ticks since the last look. */
function frames(s: State, w: Counters): readonly CounterFrame[] {
  const from = s.said ?? w.ticks;
  s.said = w.ticks;
  return Array.from({ length: w.ticks - from }, (_, i) => ({
    number: (from + 1 + i) % 2 ** 32,
    counters: Array.from({ length: s.layout.counters }, (_, channel) => w.count(channel, from + 1 + i)),
  }));
}

/** A board with SiTCP: registers by RBCP, and a frame of counters every 0.1 s. */
export default simulator({
  options: options<Options>({ registers, frame }),
  links: (p: Options) => ({ control: rbcp(), data: counterFrames(p.frame) }),
  world: counters,
  state: power,
  answer: { control: (q, s) => [bus(q, s)] },
  oneClient: ['data'],
  unasked: { data: { every: COUNTER_TICK, say: (s, w) => frames(s, w) } },
});
