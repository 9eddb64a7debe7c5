/** What a Firmata board says, asked or by itself. Source: firmata/protocol (protocol.md, i2c.md). */
import { ANALOG, characters, END, groups, PORT, pair, pairs, START, SYSEX, textOf, ungrouped, unpaired, VERSION } from './firmata-bytes.ts';
import { type Decoder, Fault } from './protocol.ts';
import { whole } from './unsendable.ts';

export interface Capability {
  readonly mode: number;
  /** Bits. */
  readonly resolution: number;
}

export type FirmataTell =
  | { readonly say: 'version'; readonly major: number; readonly minor: number }
  | { readonly say: 'firmware'; readonly major: number; readonly minor: number; readonly name: string }
  /** Per pin. */
  | { readonly say: 'capabilities'; readonly pins: readonly (readonly Capability[])[] }
  /** Per pin: its analog channel, or 127. */
  | { readonly say: 'mapping'; readonly channels: readonly number[] }
  /** Of an output, what was last written; of an input, whether its pull-up is on. Without `mode` the board has no such pin. */
  | { readonly say: 'pin state'; readonly pin: number; readonly mode?: number; readonly state?: number }
  | { readonly say: 'port'; readonly port: number; readonly bits: number }
  | { readonly say: 'analog'; readonly channel: number; readonly value: number }
  | { readonly say: 'string'; readonly text: string }
  | { readonly say: 'i2c'; readonly address: number; readonly register: number; readonly data: readonly number[] }
  | { readonly say: 'sysex'; readonly command: number; readonly data: readonly number[] };

/** Of a board of 128 pins the capabilities are a good deal shorter. */
const LONGEST = 4096;
const NO_CHANNEL = 127;

const frame = (command: number, data: readonly number[]): Uint8Array =>
  Uint8Array.from([START, whole('the command of a sysex', command, 0x7f), ...data.map((d) => whole('a byte of a sysex', d, 0x7f)), END]);

export function encodeTell(m: FirmataTell): Uint8Array {
  switch (m.say) {
    case 'version':
      return Uint8Array.of(VERSION, whole('the version', m.major, 127), whole('the version', m.minor, 127));
    case 'firmware':
      return frame(SYSEX.firmware, [m.major, m.minor, ...pairs(characters(m.name))]);
    case 'capabilities':
      return frame(
        SYSEX.capabilities,
        m.pins.flatMap((modes) => [
          ...modes.flatMap(({ mode, resolution }) => [whole('a mode', mode, 126), whole('a resolution', resolution, 126)]),
          NO_CHANNEL,
        ]),
      );
    case 'mapping':
      return frame(SYSEX.analogMapping, m.channels);
    case 'pin state':
      return frame(SYSEX.pinState, [m.pin, ...(m.mode === undefined ? [] : [m.mode, ...groups(m.state ?? 0, 1)])]);
    case 'port':
      return Uint8Array.of(PORT | whole('the port', m.port, 15), ...pair('the bits of a port', m.bits));
    case 'analog':
      return Uint8Array.of(ANALOG | whole('the analog channel', m.channel, 15), ...pair('the value', m.value));
    case 'string':
      return frame(SYSEX.string, pairs(characters(m.text)));
    case 'i2c':
      return frame(SYSEX.i2cReply, [...pair('the I2C address', m.address), ...pair('the register', m.register), ...pairs(m.data)]);
    case 'sysex':
      return frame(m.command, m.data);
  }
}

function readCapabilities(data: readonly number[]): FirmataTell | undefined {
  const pins: Capability[][] = [];
  let modes: Capability[] = [];
  for (let i = 0; i < data.length; i++) {
    if (data[i] === NO_CHANNEL) {
      pins.push(modes);
      modes = [];
    } else if (i + 1 < data.length && data[i + 1] !== NO_CHANNEL) {
      modes.push({ mode: data[i], resolution: data[i + 1] });
      i++;
    } else return undefined;
  }
  return modes.length === 0 && pins.length > 0 ? { say: 'capabilities', pins } : undefined;
}

/** Undefined where it is none that a board sends. */
function readSysex(body: readonly number[]): FirmataTell | undefined {
  const [command, ...data] = body;
  if (command === undefined) return undefined;
  switch (command) {
    case SYSEX.firmware: {
      const [major, minor, ...rest] = data;
      const name = unpaired(rest);
      return minor === undefined || !name ? undefined : { say: 'firmware', major, minor, name: textOf(name) };
    }
    case SYSEX.capabilities:
      return readCapabilities(data);
    case SYSEX.analogMapping:
      return data.length > 0 ? { say: 'mapping', channels: data } : undefined;
    case SYSEX.pinState: {
      const [pin, mode, ...state] = data;
      if (pin === undefined || state.length > 5) return undefined;
      if (mode === undefined) return { say: 'pin state', pin };
      return state.length === 0 ? undefined : { say: 'pin state', pin, mode, state: ungrouped(state) };
    }
    case SYSEX.string: {
      const codes = unpaired(data);
      return codes && { say: 'string', text: textOf(codes) };
    }
    case SYSEX.i2cReply: {
      const bytes = unpaired(data.slice(4));
      if (data.length < 4 || !bytes) return undefined;
      return { say: 'i2c', address: ungrouped(data.slice(0, 2)), register: ungrouped(data.slice(2, 4)), data: bytes };
    }
    // Questions of a host, which a line that echoes sends back.
    case SYSEX.analogMappingQuery:
    case SYSEX.capabilityQuery:
    case SYSEX.pinStateQuery:
    case SYSEX.servoConfig:
    case SYSEX.samplingInterval:
    case SYSEX.i2cRequest:
    case SYSEX.i2cConfig:
      return undefined;
    default:
      return { say: 'sysex', command, data };
  }
}

const group = (status: number): number => (status < START ? status & 0xf0 : status);

/**
 * The host's role. A status byte begins anew wherever it comes, so that half a message costs no other than itself. The board speaks by
 * itself, also while a question goes out: what is held is kept then. Faults: PROTO_NOISE, PROTO_UNFINISHED, PROTO_BAD_LENGTH.
 */
export function host(): Decoder<FirmataTell> {
  let held: number[] = [];
  let inSysex = false;
  let long = false;

  const whole3 = (status: number, a: number, b: number): FirmataTell => {
    const n = status & 0x0f;
    switch (group(status)) {
      case VERSION:
        return { say: 'version', major: a, minor: b };
      case PORT:
        return { say: 'port', port: n, bits: a | (b << 7) };
      default:
        return { say: 'analog', channel: n, value: a | (b << 7) };
    }
  };

  const ended = (): FirmataTell | Fault => {
    const bytes = Uint8Array.of(...held, END);
    const body = held.slice(1);
    const was = long;
    held = [];
    inSysex = long = false;
    if (was) return new Fault('PROTO_BAD_LENGTH', bytes);
    return readSysex(body) ?? new Fault('PROTO_NOISE', bytes);
  };

  const one = (byte: number): readonly (FirmataTell | Fault)[] => {
    if (byte < 0x80) {
      if (held.length === 0) return [new Fault('PROTO_NOISE', Uint8Array.of(byte))];
      if (held.length < LONGEST) held.push(byte);
      else long = true;
      if (inSysex || held.length < 3) return [];
      const [status, a, b] = held;
      held = [];
      return [whole3(status, a, b)];
    }
    if (byte === END && inSysex) return [ended()];
    const said: (FirmataTell | Fault)[] =
      held.length > 0 ? [new Fault(long ? 'PROTO_BAD_LENGTH' : 'PROTO_UNFINISHED', Uint8Array.from(held))] : [];
    held = [];
    inSysex = byte === START;
    long = false;
    if (inSysex || [VERSION, PORT, ANALOG].includes(group(byte))) held = [byte];
    else said.push(new Fault('PROTO_NOISE', Uint8Array.of(byte)));
    return said;
  };

  return (bytes) => Array.from(bytes).flatMap(one);
}
