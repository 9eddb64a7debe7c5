import { type Decoder, Fault, type Protocol } from './protocol.ts';
import { Unsendable, whole } from './unsendable.ts';

/** One frame of either direction: command and data bytes, which are a qualifier and a 16-bit number where a value is meant. */
export interface NeslabFrame {
  /** 1 to 100; always 1 on RS-232. */
  readonly address: number;
  readonly command: number;
  readonly data: readonly number[];
}

export interface NeslabOptions {
  readonly bus?: 'rs232' | 'rs485';
}

const LEAD = { rs232: 0xca, rs485: 0xcc } as const;
const MOST_DATA = 8; // bytes (framing table, "00 to 08 hex")
const MOST_JUNK = 64;
/** Lead, two bytes of address, command, count, checksum. */
const AROUND = 6;
/** The command of an error reply. */
export const NESLAB_ERROR = 0x0f;
const ON_OFF_ARRAY = 0x81;
const NO_CHANGE = 2;

/** Inverted low byte of the sum of all bytes from the address to the last data byte: 00 01 20 00 has DE. */
export const neslabSum = (bytes: ArrayLike<number>, from: number, to: number): number => {
  let sum = 0;
  for (let i = from; i < to; i++) sum += bytes[i];
  return (sum & 0xff) ^ 0xff;
};

/** A value as it came: the qualifier's high digit is the number of decimals, its low digit the unit (0 none, 1 °C). */
export interface NeslabValue {
  readonly value: number;
  readonly decimals: number;
  readonly unit: number;
}
export function neslabValue(data: readonly number[]): NeslabValue | undefined {
  const [qualifier = 0, high = 0, low = 0] = data;
  if (data.length !== 3 || qualifier >> 4 > 4) return undefined;
  const raw = (high << 8) | low;
  return { value: (raw >= 0x8000 ? raw - 0x10000 : raw) / 10 ** (qualifier >> 4), decimals: qualifier >> 4, unit: qualifier & 0x0f };
}
/** The two bytes of a value with so many decimals; Unsendable where it does not fit. */
export function neslabWord(value: number, decimals: number): readonly [number, number] {
  const n = Math.round(value * 10 ** decimals);
  whole('a value in its last decimal', n + 0x8000, 0xffff);
  return [(n >> 8) & 0xff, n & 0xff];
}

function encode({ address, command, data }: NeslabFrame, lead: number): Uint8Array {
  if (data.length > MOST_DATA) throw new Unsendable(`${data.length} bytes of data, but a frame carries ${MOST_DATA} at most`);
  const frame = Uint8Array.of(
    lead,
    0,
    whole('the address', address, 100, 1),
    whole('the command', command, 0xff),
    data.length,
    ...data.map((byte) => whole('a byte of data', byte, 0xff)),
    0,
  );
  frame[frame.length - 1] = neslabSum(frame, 1, frame.length - 1);
  return frame;
}

/**
 * Finds frames by lead, count and checksum. Where one is not intact, the search goes on at its second byte. Faults: PROTO_NOISE,
 * PROTO_BAD_CRC (a frame with a wrong checksum is among the bytes), PROTO_UNFINISHED.
 */
function frames(lead: number): Decoder<NeslabFrame> {
  let held: number[] = [];
  let junk: number[] = [];
  let wrong = false;
  let said: (NeslabFrame | Fault)[] = [];

  const flush = (): void => {
    if (junk.length > 0) said.push(new Fault(wrong ? 'PROTO_BAD_CRC' : 'PROTO_NOISE', Uint8Array.from(junk)));
    junk = [];
    wrong = false;
  };
  const drop = (): void => {
    junk.push(...held.splice(0, 1));
    if (junk.length >= MOST_JUNK) flush();
  };
  const likely = (): boolean =>
    held[0] === lead &&
    (held.length < 2 || held[1] === 0) &&
    (held.length < 3 || (held[2] >= 1 && held[2] <= 100)) &&
    (held.length < 5 || held[4] <= MOST_DATA);

  const search = (): void => {
    while (held.length > 0) {
      if (!likely()) {
        drop();
        continue;
      }
      const size = held.length < 5 ? Number.POSITIVE_INFINITY : held[4] + AROUND;
      if (held.length < size) return;
      if (held[size - 1] !== neslabSum(held, 1, size - 1)) {
        wrong = true;
        drop();
        continue;
      }
      flush();
      said.push({ address: held[2], command: held[3], data: held.slice(5, size - 1) });
      held = held.slice(size);
    }
  };

  return (bytes) => {
    said = [];
    if (bytes.length === 0) {
      flush();
      if (held.length > 0) said.push(new Fault('PROTO_UNFINISHED', Uint8Array.from(held)));
      held = [];
      return said;
    }
    for (const byte of bytes) {
      held.push(byte);
      search();
    }
    return said;
  };
}

/** On a line of two wires one hears what one has sent: a question has no data where its answer has, or asks for "no change". */
const isEcho = (m: NeslabFrame, q: NeslabFrame): boolean =>
  m.data.length === q.data.length &&
  m.data.every((byte, i) => byte === q.data[i]) &&
  (q.command !== ON_OFF_ARRAY || q.data.includes(NO_CHANGE));

/**
 * Thermo NESLAB "NC Serial Communications Protocol": binary frames with address, command and checksum; the answer repeats the command, an
 * error has command 0F and the command that it is about. Source: manuals of the EX, RTE 7 and RTE 110 series, appendix; the database
 * NeslabEX of epics-modules/ip.
 */
export function neslab({ bus = 'rs232' }: NeslabOptions = {}): Protocol<NeslabFrame, NeslabFrame> {
  const lead = LEAD[bus];
  const both = { encode: (m: NeslabFrame) => encode(m, lead), decoder: () => frames(lead) };
  return {
    asks: both,
    tells: both,
    apart: 'unit',
    unit: (q) => q.address,
    fits(m, q) {
      if (m.address !== q.address) return 'unasked';
      if (m.command === NESLAB_ERROR) {
        // An error about a checksum may have the command wrong, too.
        const [code = 0, about] = m.data;
        return code === 3 || about === q.command ? 'answer' : 'late';
      }
      if (m.command !== q.command) return 'late';
      return isEcho(m, q) ? 'unasked' : 'answer';
    },
  };
}
