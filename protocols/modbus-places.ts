/** Places in the four tables of a Modbus unit, their contents as words: registers as 0 to 65535, bits as 0 and 1. */
import { MOST, type ModbusAsk, type ModbusTell } from './modbus.ts';

/** The function that reads each table. */
export const READ = { coil: 1, discrete: 2, holding: 3, input: 4 } as const;
export type Table = keyof typeof READ;
export const TABLES = ['input', 'holding', 'discrete', 'coil'] as const;

/** Words that follow one another in one table; addresses count from 0. */
export interface Place {
  readonly table: Table;
  readonly address: number;
  readonly count: number;
}
export type Words = readonly number[];

export const isBits = (table: Table): boolean => table === 'coil' || table === 'discrete';
export const spokenPlace = ({ table, address, count }: Place): string =>
  `${table} ${address}${count > 1 ? ` to ${address + count - 1}` : ''}`;

/** What tells the replies of two reads apart: function, and number of registers or of bytes full of bits. */
export const replyOf = ({ table, count }: Place): string => `${READ[table]}/${isBits(table) ? Math.ceil(count / 8) : count}`;

export const readOf = (unit: number, { table, address, count }: Place): ModbusAsk => ({ unit, function: READ[table], address, count });

/** The words that a reply to this read holds; undefined where it is no reply to it. */
export function wordsOf(m: ModbusTell, { table, count }: Place): Words | undefined {
  if (!('values' in m) || m.function !== READ[table]) return undefined;
  const length = isBits(table) ? 8 * Math.ceil(count / 8) : count;
  return m.values.length === length ? m.values.slice(0, count).map(Number) : undefined;
}

/** The reply to this read that holds these words. */
export function tellOf(unit: number, { table, count }: Place, words: Words): ModbusTell {
  if (table === 'holding' || table === 'input') return { unit, function: READ[table], values: words };
  const values = Array.from({ length: 8 * Math.ceil(count / 8) }, (_, i) => words[i] === 1);
  return { unit, function: READ[table], values };
}

/** Writes words by the function for one (5, 6), or the one for several (15, 16). */
export function writeOf(unit: number, table: 'coil' | 'holding', address: number, words: Words, several: boolean): ModbusAsk {
  const [first = 0] = words;
  if (table === 'holding') return several ? { unit, function: 16, address, values: words } : { unit, function: 6, address, value: first };
  return several ? { unit, function: 15, address, values: words.map((w) => w !== 0) } : { unit, function: 5, address, value: first !== 0 };
}

/** One question of several wanted places. */
export interface Block<P extends Place> extends Place {
  readonly of: readonly P[];
}

/**
 * Neighbours in as few questions as the longest reply allows. Places with a gap between them are apart, but for one of at most `bridge`
 * words, which is read along.
 */
export function inBlocks<P extends Place>(places: readonly P[], bridge: number): readonly Block<P>[] {
  const out: Block<P>[] = [];
  for (const one of [...places].sort((a, b) => READ[a.table] - READ[b.table] || a.address - b.address)) {
    const last = out.at(-1);
    const count = last ? Math.max(last.count, one.address + one.count - last.address) : 0;
    const near = last && last.table === one.table && one.address <= last.address + last.count + bridge;
    if (near && count <= (isBits(one.table) ? MOST.bits : MOST.registers)) out[out.length - 1] = { ...last, count, of: [...last.of, one] };
    else out.push({ table: one.table, address: one.address, count: one.count, of: [one] });
  }
  return out;
}

const EXCEPTIONS: Readonly<Record<number, string>> = {
  1: 'illegal function: the unit cannot do this with such a table',
  2: 'illegal address: the unit has nothing there; addresses count from 0, so 30004 of a manual is input 3',
  3: 'illegal value',
  4: 'device failure',
  5: 'acknowledged, but not done yet',
  6: 'busy',
  8: 'memory parity error',
  10: 'the gateway has no way to the unit',
  11: 'the gateway hears nothing from the unit',
};

/** "exception 2 (illegal address: ...)" (v1.1b3, section 7). */
export const spokenException = (code: number): string => `exception ${code} (${EXCEPTIONS[code] ?? 'unknown'})`;

/** A gateway's own exception: nothing is known of the unit behind it. */
export const isGateway = (m: ModbusTell): boolean => 'exception' in m && (m.exception === 10 || m.exception === 11);
