import { type Decoder, Fault, fromLatin1, latin1, type Protocol } from './protocol.ts';
import { Unsendable, whole } from './unsendable.ts';

/** A question of the dead-man board: who, state, timeout MS, relay 0|1, shutter 0|1, feed. */
export interface DeadmanAsk {
  /** The question's number, 0 to 65535, which the answer repeats; 0 unless given. */
  readonly n?: number;
  /** One to eight small letters; the board answers words that it does not know with the outcome `unknown`. */
  readonly word: string;
  /** 0 to 99999. */
  readonly value?: number;
}

export const OUTCOMES = ['ok', 'tripped', 'disarmed', 'input', 'range', 'unknown'] as const;
export const TRIPS = ['none', 'reset', 'heartbeat', 'door', 'button', 'key'] as const;
export const RESETS = ['power', 'external', 'brownout', 'watchdog', 'unknown'] as const;
export type Outcome = (typeof OUTCOMES)[number];
export type Trip = (typeof TRIPS)[number];
export type Reset = (typeof RESETS)[number];

/** An answer: what became of the question, and the whole state of the board after it. Times in milliseconds, as on the wire. */
export interface DeadmanTell {
  readonly n: number;
  readonly word: string;
  readonly outcome: Outcome;
  /** Inputs: true is closed, which is safe. */
  readonly door: boolean;
  readonly button: boolean;
  readonly key: boolean;
  /** Outputs as their pins are: true is energised. */
  readonly relay: boolean;
  readonly shutter: boolean;
  /** What the time-out of the heartbeat is set to; 0 is off. */
  readonly timeout: number;
  /** What is left of it. */
  readonly left: number;
  readonly trip: Trip;
  /** Since the board's last reset, modulo 2^32. */
  readonly uptime: number;
  readonly reset: Reset;
  /** Words behind the state: the answer to `who` alone. */
  readonly more?: string;
}

/**
 * CRC-16/IBM-3740 (polynomial 0x1021, initial value 0xFFFF, not reflected, no final inversion; also known as CRC-16/CCITT-FALSE).
 * Its check value, of "123456789", is 0x29B1 (G. Cook, Catalogue of parametrised CRC algorithms).
 */
export function crc16ccitt(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let crc = 0xffff;
  for (let i = from; i < to; i++) crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >> 8) ^ bytes[i]];
  return crc;
}

/** What each value of the upper byte comes to. */
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1;
  return crc;
});

const LF = 0x0a;
const CR = 0x0d;
const STAR = 0x2a;
/** Bytes of a line between its first one and its end (LF). The board keeps no more of a question. */
export const LONGEST_ASK = 32;
const LONGEST_TELL = 160;

const DIGITS = '0123456789ABCDEF';
const digit = (crc: number, place: number): number => DIGITS.charCodeAt((crc >> (12 - 4 * place)) & 15);

function line(start: string, body: string, longest: number): Uint8Array {
  if (body.length + 5 > longest) throw new Unsendable(`${JSON.stringify(body)} is longer than a line of ${longest} bytes`);
  const bytes = fromLatin1(`${start}${body}*0000\n`);
  const sum = body.length + 2;
  const crc = crc16ccitt(bytes, 1, sum - 1);
  for (let i = 0; i < 4; i++) bytes[sum + i] = digit(crc, i);
  return bytes;
}

const isText = (byte: number): boolean => byte >= 0x20 && byte < 0x7f;

/**
 * Lines of one direction. The first byte of a line begins anew wherever it comes, so that half a line costs no other than itself; CR
 * is passed over.
 * Faults: PROTO_BAD_CRC, PROTO_UNFINISHED (another line began, or silence), PROTO_NOISE (all else that is no line).
 */
function framed<M>(start: number, longest: number, read: (body: string) => M | undefined): Decoder<M> {
  const held = new Uint8Array(longest + 1);
  let n = 0;
  let inside = false;

  const give = (said: (M | Fault)[], fault: string): void => {
    if (n > 0) said.push(new Fault(fault, held.slice(0, n)));
    n = 0;
    inside = false;
  };

  /** Between the first byte and the star; undefined where the checksum behind it is another one. */
  const body = (): Uint8Array | undefined => {
    const star = n - 5;
    if (star < 1 || held[star] !== STAR) return undefined;
    const crc = crc16ccitt(held, 1, star);
    for (let i = 0; i < 4; i++) if (held[star + 1 + i] !== digit(crc, i)) return undefined;
    return held.subarray(1, star);
  };

  const judge = (said: (M | Fault)[]): void => {
    const bytes = body();
    if (!bytes) {
      give(said, 'PROTO_BAD_CRC');
      return;
    }
    const m = read(latin1(bytes));
    if (m === undefined) {
      give(said, 'PROTO_NOISE');
      return;
    }
    n = 0;
    inside = false;
    said.push(m);
  };

  return (bytes) => {
    const said: (M | Fault)[] = [];
    if (bytes.length === 0) give(said, inside ? 'PROTO_UNFINISHED' : 'PROTO_NOISE');
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i];
      if (byte === start) {
        give(said, inside ? 'PROTO_UNFINISHED' : 'PROTO_NOISE');
        held[n++] = byte;
        inside = true;
      } else if (byte === LF) {
        if (inside) judge(said);
        else give(said, 'PROTO_NOISE');
      } else if (byte !== CR) {
        if (!isText(byte) || n > longest) inside = false;
        if (n <= longest) held[n++] = byte;
      }
    }
    return said;
  };
}

const WORD = /^[a-z]{1,8}$/;
const ASK = /^(\d{1,5}) ([a-z]{1,8})(?: (\d{1,5}))?$/;
const TELL = new RegExp(
  `^(\\d{1,5}) ([a-z]{1,8}) (${OUTCOMES.join('|')}) ([D-])([B-])([K-]) ([R-])([S-]) (\\d{1,5}) (\\d{1,5}) (${TRIPS.join('|')}) (\\d{1,10}) (${RESETS.join('|')})(?: (.+))?$`,
);

function readAsk(body: string): DeadmanAsk | undefined {
  const [, n, word = '', value] = ASK.exec(body) ?? [];
  if (n === undefined || Number(n) > 0xffff) return undefined;
  return { n: Number(n), word, ...(value === undefined ? {} : { value: Number(value) }) };
}

function readTell(body: string): DeadmanTell | undefined {
  const found = TELL.exec(body);
  if (!found) return undefined;
  const n = Number(found[1]);
  const uptime = Number(found[12]);
  if (n > 0xffff || uptime > 0xffffffff) return undefined;
  const m: DeadmanTell = {
    n,
    word: found[2],
    outcome: found[3] as Outcome, // the expression has let through nothing else; so below
    door: found[4] === 'D',
    button: found[5] === 'B',
    key: found[6] === 'K',
    relay: found[7] === 'R',
    shutter: found[8] === 'S',
    timeout: Number(found[9]),
    left: Number(found[10]),
    trip: found[11] as Trip,
    uptime,
    reset: found[13] as Reset,
  };
  return found[14] === undefined ? m : { ...m, more: found[14] };
}

function encodeAsk({ n = 0, word, value }: DeadmanAsk): Uint8Array {
  if (!WORD.test(word)) throw new Unsendable(`${JSON.stringify(word)} is no word of one to eight small letters`);
  const number = whole('the number of the question', n, 0xffff);
  return line(':', `${number} ${word}${value === undefined ? '' : ` ${whole('the value', value, 99999)}`}`, LONGEST_ASK);
}

function encodeTell(m: DeadmanTell): Uint8Array {
  const inputs = `${m.door ? 'D' : '-'}${m.button ? 'B' : '-'}${m.key ? 'K' : '-'}`;
  const outputs = `${m.relay ? 'R' : '-'}${m.shutter ? 'S' : '-'}`;
  const state = `${m.outcome} ${inputs} ${outputs} ${m.timeout} ${m.left} ${m.trip} ${m.uptime} ${m.reset}`;
  const body = `${m.n} ${m.word} ${state}${m.more === undefined ? '' : ` ${m.more}`}`;
  if (readTell(body) === undefined) throw new Unsendable(`${JSON.stringify(body)} is no answer of the dead-man board`);
  return line('=', body, LONGEST_TELL);
}

/**
 * The dead-man board's lines: `:17 timeout 500*CRC` is answered by `=17 timeout ok DBK -- 500 500 none 61234 power*CRC`. The CRC is
 * `crc16ccitt` of what stands between the first byte and the star, as four hexadecimal digits. Source: docs/deadman.md.
 */
export function deadman(): Protocol<DeadmanAsk, DeadmanTell> {
  return {
    asks: { encode: encodeAsk, decoder: () => framed(0x3a, LONGEST_ASK, readAsk) },
    tells: { encode: encodeTell, decoder: () => framed(0x3d, LONGEST_TELL, readTell) },
    fits: (m, q) => (m.n === (q.n ?? 0) && m.word === q.word ? 'answer' : 'late'),
    apart: 'question',
    number: ({ word, value }, n) => (value === undefined ? { n: n % 0x10000, word } : { n: n % 0x10000, word, value }),
    answers: (m, q) => ({ ...m, n: q.n ?? 0 }),
  };
}
