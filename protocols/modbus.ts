/** Modbus questions and replies as values, the same for both framings. Source: Modbus Application Protocol Specification v1.1b3. */

/** The unit (1 to 247; 0 is every unit, on a serial line) and, on TCP, the number of the transaction. */
export interface Addressed {
  readonly unit: number;
  readonly id?: number;
}

/**
 * Addresses count from 0; coils are booleans, registers 0 to 65535. `raw` holds what follows the function code where the function is
 * none of these, or where its fields contradict one another (so that a server can answer with an exception).
 */
export type ModbusAsk = Addressed &
  (
    | { readonly function: 1 | 2 | 3 | 4; readonly address: number; readonly count: number }
    | { readonly function: 5; readonly address: number; readonly value: boolean }
    | { readonly function: 6; readonly address: number; readonly value: number }
    | { readonly function: 8; readonly sub: number; readonly data: readonly number[] }
    | { readonly function: 15; readonly address: number; readonly values: readonly boolean[] }
    | { readonly function: 16; readonly address: number; readonly values: readonly number[] }
    | {
        readonly function: 23;
        readonly address: number;
        readonly count: number;
        readonly writeAddress: number;
        readonly values: readonly number[];
      }
    | { readonly function: number; readonly raw: Uint8Array }
  );

/** The bits of functions 1 and 2 fill whole bytes: the question's count, rounded up to eight, the rest false. */
export type ModbusTell = Addressed &
  (
    | { readonly function: 1 | 2; readonly values: readonly boolean[] }
    | { readonly function: 3 | 4 | 23; readonly values: readonly number[] }
    | { readonly function: 5; readonly address: number; readonly value: boolean }
    | { readonly function: 6; readonly address: number; readonly value: number }
    | { readonly function: 8; readonly sub: number; readonly data: readonly number[] }
    | { readonly function: 15 | 16; readonly address: number; readonly count: number }
    | { readonly function: number; readonly raw: Uint8Array }
    | { readonly function: number; readonly exception: number }
  );

/** Sections 6.1 to 6.17: the most that one question may read or write. */
export const MOST = { bits: 2000, registers: 125, writeBits: 1968, writeRegisters: 123, writeWhileReading: 121 } as const;

/** Function 8: the sub-functions whose reply repeats the question (section 6.8). */
const REPEATED: readonly number[] = [0, 1, 3, 10, 20];

const same = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((x, i) => x === b[i]);

/**
 * Whether the reply can be the one to the question: its function (an exception's, too), the number of values asked for, the address
 * and value or count that a write repeats, the data that function 8 repeats. Another unit's reply is 'unasked', all else 'late'.
 */
export function fitsFrame(m: ModbusTell, q: ModbusAsk): 'answer' | 'unasked' | 'late' {
  if (m.unit !== q.unit) return 'unasked';
  return m.function === q.function && ('exception' in m || fitsFields(m, q)) ? 'answer' : 'late';
}

/** Function 8, sub-function 0: what is said comes back, whatever it is. */
const isEcho = (m: ModbusAsk | ModbusTell): m is Addressed & { readonly function: 8; readonly sub: 0; readonly data: readonly number[] } =>
  'sub' in m && m.sub === 0;
/** As Protocol's `bare` and `answers` want it, for both framings. */
export const bareAsk = (q: ModbusAsk): ModbusAsk => (isEcho(q) ? { ...q, data: q.data.map(() => 0) } : q);
export const echoed = (m: ModbusTell, q: ModbusAsk): ModbusTell => (isEcho(m) && isEcho(q) ? { ...m, data: q.data } : m);

function fitsFields(m: ModbusTell, q: ModbusAsk): boolean {
  if ('raw' in q) return !('exception' in m);
  if ('raw' in m || 'exception' in m) return false;
  switch (q.function) {
    case 1:
    case 2:
      return (m.function === 1 || m.function === 2) && m.values.length === 8 * Math.ceil(q.count / 8);
    case 3:
    case 4:
    case 23:
      return (m.function === 3 || m.function === 4 || m.function === 23) && m.values.length === q.count;
    case 5:
    case 6:
      return (m.function === 5 || m.function === 6) && m.address === q.address && m.value === q.value;
    case 8:
      return m.function === 8 && m.sub === q.sub && (!REPEATED.includes(q.sub) || same(m.data, q.data));
    case 15:
    case 16:
      return (m.function === 15 || m.function === 16) && m.address === q.address && m.count === q.values.length;
  }
}

/** A register as the signed number it may stand for (two's complement), and back. */
export const signed = (register: number): number => (register > 0x7fff ? register - 0x10000 : register);
export const unsigned = (value: number): number => (value < 0 ? value + 0x10000 : value);
