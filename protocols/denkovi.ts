import { type Decoder, Fault, fromLatin1, type Protocol } from './protocol.ts';
import { whole } from './unsendable.ts';

/** `relays` has relay 1 in its highest of 16 bits, as the board has. */
export type DenkoviAsk =
  | { readonly do: 'ask' }
  | { readonly do: 'set'; readonly relays: number }
  | { readonly do: 'one'; readonly relay: number; readonly on: boolean }
  | { readonly do: 'all'; readonly on: boolean };
/** The state, which is two bytes and nothing else; or a command repeated. */
export type DenkoviTell = { readonly relays: number } | { readonly echo: DenkoviAsk };

export const RELAYS = 16;
const ALL = 0xffff;
const LONGEST = 5;

/** The bit of a relay (1 to 16) in the state. */
export const relayBit = (relay: number): number => 1 << (RELAYS - whole('the relay', relay, RELAYS, 1));

const text = (q: DenkoviAsk): string => {
  switch (q.do) {
    case 'ask':
      return 'ask//';
    case 'all':
      return q.on ? 'on//' : 'off//';
    case 'one':
      return `${String(whole('the relay', q.relay, RELAYS, 1)).padStart(2, '0')}${q.on ? '+' : '-'}//`;
    case 'set': {
      const relays = whole('the relays', q.relays, ALL);
      return `x${String.fromCharCode(relays >> 8, relays & 0xff)}//`;
    }
  }
};

/** The command that these bytes are; 'begun' where they are the beginning of one; undefined for neither. */
function command(bytes: readonly number[]): DenkoviAsk | 'begun' | undefined {
  const said = String.fromCharCode(...bytes);
  if (said[0] === 'x') {
    if (!'//'.startsWith(said.slice(3))) return undefined;
    return bytes.length < LONGEST ? 'begun' : { do: 'set', relays: (bytes[1] << 8) | bytes[2] };
  }
  if (said === 'ask//') return { do: 'ask' };
  if (said === 'on//' || said === 'off//') return { do: 'all', on: said === 'on//' };
  const [, digits, sign] = /^(0[1-9]|1[0-6])([+-])\/\/$/.exec(said) ?? [];
  if (digits !== undefined) return { do: 'one', relay: Number(digits), on: sign === '+' };
  const begun = ['ask//', 'on//', 'off//'].some((one) => one.startsWith(said)) || /^(?:[01]|(?:0[1-9]|1[0-6])(?:[+-]\/?)?)$/.test(said);
  return begun ? 'begun' : undefined;
}

/** Commands as the board hears them. Where the bytes are none, the search goes on at the second of them. Faults: PROTO_NOISE, PROTO_UNFINISHED. */
function commands(): Decoder<DenkoviAsk> {
  let held: number[] = [];
  let junk: number[] = [];
  return (bytes) => {
    const said: (DenkoviAsk | Fault)[] = [];
    const flush = (): void => {
      if (junk.length > 0) said.push(new Fault('PROTO_NOISE', Uint8Array.from(junk)));
      junk = [];
    };
    if (bytes.length === 0) {
      flush();
      if (held.length > 0) said.push(new Fault('PROTO_UNFINISHED', Uint8Array.from(held)));
      held = [];
      return said;
    }
    for (const byte of bytes) {
      held.push(byte);
      while (held.length > 0) {
        const found = command(held);
        if (found === 'begun') break;
        if (found !== undefined) {
          flush();
          said.push(found);
          held = [];
          break;
        }
        junk.push(...held.splice(0, 1));
        if (junk.length >= 64) flush();
      }
    }
    return said;
  };
}

/**
 * Answers. Two bytes are a state, given at once, even where they could be the beginning of a repeated command: if the rest of it follows,
 * the command is given, too, and whoever has sent it knows by that (`fits`). Only "as" is awaited, since "ask" is asked all the time:
 * the one state that looks like it is not read. Faults: PROTO_UNFINISHED.
 */
function answers(): Decoder<DenkoviTell> {
  let held: number[] = [];
  /** The first two bytes held have been given as a state. */
  let given = false;
  const isAsk = (): boolean => held[0] === 0x61 && held[1] === 0x73;
  return (bytes) => {
    const said: (DenkoviTell | Fault)[] = [];
    const state = (): void => void said.push({ relays: (held[0] << 8) | held[1] });
    if (bytes.length === 0) {
      const left = given ? held.slice(2) : held;
      if (left.length > 0) said.push(new Fault('PROTO_UNFINISHED', Uint8Array.from(left)));
      held = [];
      given = false;
      return said;
    }
    for (const byte of bytes) {
      held.push(byte);
      while (held.length >= 2) {
        const found = command(held);
        if (found === 'begun') {
          if (!given && !isAsk()) {
            state();
            given = true;
          }
          break;
        }
        if (found !== undefined) {
          said.push({ echo: found });
          held = [];
        } else {
          if (!given) state();
          held = held.slice(2);
        }
        given = false;
      }
    }
    return said;
  };
}

const same = (a: DenkoviAsk, b: DenkoviAsk): boolean => text(a) === text(b);

/**
 * Denkovi boards of 16 relays, 9600 8N1: "ask//" is answered by two bytes, relay 1 highest; "x", two bytes and "//" set all; "on//",
 * "off//" and "01+//" or "01-//" set all or one. Boards repeat the commands that set (dimss1979/denkovi). There is no checksum and no
 * identity. Source: rojasj84/Laser-Heating denkovi_serial.py; dimss1979/denkovi, after the board's manual.
 */
export function denkovi(): Protocol<DenkoviAsk, DenkoviTell> {
  return {
    asks: { encode: (q) => fromLatin1(text(q)), decoder: commands },
    tells: {
      encode: (m) => ('echo' in m ? fromLatin1(text(m.echo)) : Uint8Array.of(m.relays >> 8, m.relays & 0xff)),
      decoder: answers,
    },
    resync: fromLatin1('//'),
    fits(m, q) {
      if ('relays' in m) return q.do === 'ask' ? 'answer' : 'late';
      if (q.do === 'ask') return 'unasked';
      return same(m.echo, q) ? 'answer' : 'late';
    },
  };
}
