import { md5 } from './md5.ts';
import { concat, type Decoder, Fault, type Protocol } from './protocol.ts';
import { Unsendable, whole } from './unsendable.ts';

/** One message of either direction. Its data travels in the header up to 16 bytes, behind it from there on. */
export interface ObpMessage {
  readonly type: number;
  readonly data: Uint8Array;
  /** Set by the host; the device repeats it in every response. */
  readonly regarding: number;
  /** Bits of OBP_FLAG. */
  readonly flags: number;
  /** 0 is none; else see `obpError`. */
  readonly error: number;
  readonly version: number;
  /** True: with the MD5 sum of all before the checksum; false: with none. */
  readonly md5: boolean;
}
/** What is left out is 0, none, and version 0x1100. */
export type ObpAsk = Pick<ObpMessage, 'type'> & Partial<ObpMessage>;

/** Ventana data sheet, page 9. */
export const OBP_FLAG = { response: 0x01, ack: 0x02, ackRequested: 0x04, nack: 0x08, exception: 0x10, deprecated: 0x20 } as const;

const HEADER = 44;
const IMMEDIATE = 24;
const IMMEDIATE_MOST = 16;
const CHECKSUM = 16;
const FOOTER = [0xc5, 0xc4, 0xc3, 0xc2] as const;
const BEHIND = CHECKSUM + FOOTER.length;
const VERSION = 0x1100;
/** Bytes of payload: 15 spectra of an Ocean FX have 65,100. */
export const OBP_LONGEST = 0x20000;
const JUNK = 4096; // bytes of noise in one Fault
const NONE = new Uint8Array(0);

function encode(m: ObpAsk): Uint8Array {
  const data = m.data ?? NONE;
  if (data.length > OBP_LONGEST) throw new Unsendable(`the data has ${data.length} bytes, and ${OBP_LONGEST} is the most`);
  const immediate = data.length <= IMMEDIATE_MOST;
  const body = new Uint8Array(HEADER + (immediate ? 0 : data.length));
  const view = new DataView(body.buffer);
  body.set([0xc1, 0xc0]);
  view.setUint16(2, whole('the version', m.version ?? VERSION, 0xffff), true);
  view.setUint16(4, whole('the flags', m.flags ?? 0, 0xffff), true);
  view.setUint16(6, whole('the error', m.error ?? 0, 0xffff), true);
  view.setUint32(8, whole('the message type', m.type, 0xffffffff), true);
  view.setUint32(12, whole('regarding', m.regarding ?? 0, 0xffffffff), true);
  body[22] = m.md5 ? 1 : 0;
  body[23] = immediate ? data.length : 0;
  body.set(data, immediate ? IMMEDIATE : HEADER);
  view.setUint32(40, BEHIND + (immediate ? 0 : data.length), true);
  return concat(body, m.md5 ? md5(body) : new Uint8Array(CHECKSUM), Uint8Array.from(FOOTER));
}

/** The whole length of the message whose header this is; undefined where no header can look so. */
function lengthOf(header: DataView): number | undefined {
  const behind = header.getUint32(40, true);
  const immediate = header.getUint8(23);
  if (header.getUint8(22) > 1 || immediate > IMMEDIATE_MOST || behind < BEHIND || behind > BEHIND + OBP_LONGEST) return undefined;
  return immediate > 0 && behind > BEHIND ? undefined : HEADER + behind;
}

function read(frame: Uint8Array): ObpMessage {
  const view = new DataView(frame.buffer, frame.byteOffset);
  const immediate = frame[23];
  return {
    type: view.getUint32(8, true),
    data: immediate > 0 ? frame.slice(IMMEDIATE, IMMEDIATE + immediate) : frame.slice(HEADER, frame.length - BEHIND),
    regarding: view.getUint32(12, true),
    flags: view.getUint16(4, true),
    error: view.getUint16(6, true),
    version: view.getUint16(2, true),
    md5: frame[22] === 1,
  };
}

const endsWell = (frame: Uint8Array): boolean => FOOTER.every((byte, i) => frame[frame.length - FOOTER.length + i] === byte);

function sumIsRight(frame: Uint8Array): boolean {
  if (frame[22] === 0) return true;
  const sum = md5(frame.subarray(0, frame.length - BEHIND));
  return sum.every((byte, i) => frame[frame.length - BEHIND + i] === byte);
}

/**
 * Looks for the start bytes; a message counts when its lengths are possible, its footer stands where it must, and its checksum, if it has
 * one, is right. What is not such is thrown away up to the next start bytes, so that a message that lost a byte costs no other.
 * Faults: PROTO_NOISE, PROTO_BAD_LENGTH, PROTO_BAD_FOOTER, PROTO_BAD_CRC, PROTO_UNFINISHED (silence), 4,096 bytes each at most.
 */
function decoder(): Decoder<ObpMessage> {
  let held: Uint8Array = NONE;
  /** Why what is being thrown away is no message, and whether the next may only begin behind the first byte held. */
  let code: string | undefined;
  let behind = false;
  /** What has come since, while the message that is held is known to need more. */
  let later: Uint8Array[] = [];
  let missing = 0;

  /** Where the next message may begin, or where what is held may go on to one. */
  const nextStart = (from: number): number => {
    for (let i = from; i < held.length; i++) {
      if (held[i] === 0xc1 && (i + 1 === held.length || held[i + 1] === 0xc0)) return i;
    }
    return held.length;
  };

  const drop = (said: (ObpMessage | Fault)[], length: number, fault: string): void => {
    for (let at = 0; at < length; at += JUNK) said.push(new Fault(fault, held.slice(at, Math.min(length, at + JUNK))));
    held = held.slice(length);
  };

  const reject = (why: string): true => {
    code = why;
    behind = true;
    return true;
  };

  /** Takes one step; false when more bytes are needed. */
  const step = (said: (ObpMessage | Fault)[], silent: boolean): boolean => {
    if (held.length === 0) return false;
    const start = nextStart(behind ? 1 : 0);
    if (start > 0) {
      // Junk comes out when its end is known, or in pieces of one size: whatever the split.
      const ends = start + 1 < held.length || silent;
      const length = ends ? start : start - (start % JUNK);
      if (length === 0) return false;
      code ??= 'PROTO_NOISE';
      drop(said, length, code);
      if (ends) code = undefined;
      behind = false;
      return ends;
    }
    if (held.length > 1) code = undefined;
    const needed = held.length < HEADER ? HEADER : lengthOf(new DataView(held.buffer, held.byteOffset, HEADER));
    if (needed === undefined) return reject('PROTO_BAD_LENGTH');
    if (held.length < needed || held.length < HEADER) {
      missing = needed - held.length;
      return silent && reject('PROTO_UNFINISHED');
    }
    const frame = held.subarray(0, needed);
    if (!endsWell(frame)) return reject('PROTO_BAD_FOOTER');
    if (sumIsRight(frame)) {
      said.push(read(frame));
      held = held.slice(needed);
    } else drop(said, needed, 'PROTO_BAD_CRC');
    return true;
  };

  return (bytes) => {
    const said: (ObpMessage | Fault)[] = [];
    later.push(bytes.slice());
    missing -= bytes.length;
    if (missing > 0 && bytes.length > 0) return said;
    held = concat(held, ...later);
    later = [];
    missing = 0;
    while (step(said, bytes.length === 0));
    return said;
  };
}

/**
 * By `regarding`, which every response repeats, and the type. A refusal may bear the type in its place (Ventana data sheet, page 9: "message
 * type and regarding fields will be set to the type that caused the error"). What is deferred is answered later; our own echo is no answer.
 */
function fits(m: ObpMessage, q: ObpAsk): 'answer' | 'late' {
  const { response, ack, nack } = OBP_FLAG;
  if ((m.flags & (response | ack | nack)) === 0 || m.error === 255 || m.type !== q.type) return 'late';
  return m.regarding === (q.regarding ?? 0) || ((m.flags & nack) !== 0 && m.regarding === q.type) ? 'answer' : 'late';
}

/**
 * The Ocean Binary Protocol of Ocean Optics / Ocean Insight spectrometers (QE Pro, STS, Ocean FX, HDX): the same frames on USB, RS-232
 * (8N1, 9600 baud unless set otherwise) and TCP (port 57357). Sources: Ventana data sheet 891-00000-200-05-201305, pages 9 to 13;
 * ap--/python-seabreeze protocol.py; Ocean Optics' demo-qepro-api.c.
 */
export function obp(): Protocol<ObpAsk, ObpMessage> {
  return {
    asks: { encode, decoder },
    tells: { encode, decoder },
    fits,
    apart: 'question',
    number: (q, n) => ({ ...q, regarding: n % 0x100000000 }),
    answers: (m, q) => ({ ...m, regarding: q.regarding ?? 0 }),
  };
}
