/** Parts on the pins of a Firmata board: how a pin is named, what is said to set it, and what it shows. */
import { board, encodeAsk, type FirmataAsk, type FirmataCommand } from './firmata-asks.ts';
import { MODES, type Mode } from './firmata-bytes.ts';
import type { Capability, FirmataTell } from './firmata-tells.ts';
import { Fault } from './protocol.ts';

/** The board's own number, 2 and above (0 and 1 are its serial line), or the name of an analog input. */
export type PinName = number | string;
export const isPinName = (given: unknown): given is PinName =>
  (typeof given === 'number' && Number.isInteger(given) && given >= 2 && given <= 127) ||
  (typeof given === 'string' && /^A(\d|1[0-5])$/.test(given));

/** What a board has told of its pins. */
export interface Pins {
  readonly modes: readonly (readonly Capability[])[];
  readonly channels: readonly number[];
}
/** The board's number of a pin; undefined where it has none of that name. */
export function pinOf(name: PinName, pins: Pins): number | undefined {
  const pin = typeof name === 'number' ? name : pins.channels.indexOf(Number(name.slice(1)));
  return pin >= 0 && pin < pins.modes.length ? pin : undefined;
}
/** Bits of a mode of a pin; undefined where the pin has no such mode. */
export const resolution = (pins: Pins, pin: number, mode: Mode): number | undefined =>
  pins.modes[pin]?.find((c) => c.mode === MODES[mode])?.resolution;

export const portOf = (pin: number): number => pin >> 3;
export const levelOf = (bits: number, pin: number): boolean => ((bits >> (pin & 7)) & 1) === 1;

/** Sets inputs of one port up and asks for the port; its answer comes at once. A board that has been reset so comes back by itself. */
export const portQuestion = (port: number, inputs: readonly { readonly pin: number; readonly pullUp: boolean }[]): FirmataAsk => [
  ...inputs.map(({ pin, pullUp }) => ({ do: 'mode', pin, mode: pullUp ? MODES.pullup : MODES.input }) as const),
  { do: 'report port', port, on: true },
];

/**
 * Mode and level of a digital output. `alone`: it is the only output of its port, and all of the port is set, as johnny-five does. With
 * others on its port the message for one pin is taken (Firmata 2.5), which needs no memory of theirs.
 */
export const digitalOrder = (pin: number, on: boolean, alone: boolean): FirmataAsk => [
  { do: 'mode', pin, mode: MODES.output },
  alone ? { do: 'port', port: portOf(pin), bits: on ? 1 << (pin & 7) : 0 } : { do: 'pin', pin, on },
];

/**
 * Attaches a servo and sends it to a pulse in µs, as johnny-five does. The firmware takes a value only from a pin that is attached, so it
 * comes right behind, in the same write: before the next pulse, of which there are 50 a second.
 */
export const servoOrder = (pin: number, pulse: number, range?: readonly [number, number]): FirmataAsk => [
  range ? { do: 'servo', pin, shortest: range[0], longest: range[1] } : { do: 'mode', pin, mode: MODES.servo },
  { do: 'write', pin, value: pulse },
];

/** Pulses in µs, or levels, by position. */
export type Drive =
  | { readonly servo: Readonly<Record<string, number>>; readonly range?: readonly [number, number] }
  | { readonly levels: Readonly<Record<string, boolean>> };

export const orderOf = (pin: number, drive: Drive, position: string, alone: boolean): FirmataAsk =>
  'servo' in drive ? servoOrder(pin, drive.servo[position] ?? 0, drive.range) : digitalOrder(pin, drive.levels[position] ?? false, alone);

/** The position that the pin's own state says it is driven to; undefined where it is driven to none. */
export function drivenTo(drive: Drive, m: Extract<FirmataTell, { say: 'pin state' }>): string | undefined {
  if ('servo' in drive) return m.mode === MODES.servo ? Object.keys(drive.servo).find((p) => drive.servo[p] === m.state) : undefined;
  return m.mode === MODES.output ? Object.keys(drive.levels).find((p) => drive.levels[p] === (m.state !== 0)) : undefined;
}

/** Where a part is that has had time to get there, by its end switches (true is there) and by what drives it: `stuck` where they contradict. */
export function settledAt(ends: Readonly<Record<string, boolean>>, drive: string | undefined): string {
  const [end, second] = Object.keys(ends).filter((position) => ends[position]);
  if (second !== undefined) return 'stuck';
  if (end !== undefined) return drive === undefined || drive === end ? end : 'stuck';
  if (drive === undefined) return 'unknown';
  return drive in ends ? 'stuck' : drive;
}

const QUIET: readonly FirmataCommand['do'][] = [
  ...(['end', 'version', 'firmware', 'capabilities', 'mapping', 'pin state'] as const),
  ...(['report port', 'report analog', 'i2c', 'i2c config'] as const),
];
const QUIET_MODES: readonly number[] = [MODES.input, MODES.pullup, MODES.analog, MODES.i2c];
/** Whether a command drives no output: it asks, sets an input up, or speaks to a device on the I2C bus. */
export const isQuiet = (c: FirmataCommand): boolean => QUIET.includes(c.do) || (c.do === 'mode' && QUIET_MODES.includes(c.mode));

/** The commands in these bytes; undefined where they are not whole, or one of them would drive an output. */
export function quietly(bytes: Uint8Array): FirmataAsk | undefined {
  const commands: FirmataCommand[] = [];
  for (const q of board()(bytes)) {
    if (q instanceof Fault || !q.every(isQuiet)) return undefined;
    commands.push(...q);
  }
  return encodeAsk(commands).length === bytes.length ? commands : undefined;
}
