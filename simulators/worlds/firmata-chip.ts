/**
 * StandardFirmata 2.5 on an Arduino Uno, as its source has it: modes and states of pins, what is reported when, servos that are attached
 * with the last pulse of their slot. Source: firmata/arduino, StandardFirmata.ino, Firmata.cpp, FirmataParser.cpp, Boards.h.
 */
import { type FirmataCommand, type FirmataTell, firmata, MODES } from '../../protocols/firmata.ts';

export const PINS = 20;
const FIRST_DIGITAL = 2;
const FIRST_ANALOG = 14;
const PWM: readonly number[] = [3, 5, 6, 9, 10, 11];
const I2C: readonly number[] = [18, 19];
const MAX_SERVOS = 12; // Servo.h
const MIDDLE = 1500; // µs, DEFAULT_PULSE_WIDTH of Servo.h: what a servo is driven to that nobody has given a pulse
const SHORTEST = 544;
const LONGEST = 2400;
const SAMPLING = 19; // ms
const LEAST_SAMPLING = 10;
const LOADER = 0.5; // s in which the bootloader takes the bytes
const BLINK = 2.125; // s in which the version is blinked (Firmata.cpp, blinkVersion), while bytes wait
const BUFFER = 64; // bytes, HardwareSerial.h

export const isAnalog = (pin: number): boolean => pin >= FIRST_ANALOG && pin < PINS;
const isDigital = (pin: number): boolean => pin >= FIRST_DIGITAL && pin < PINS;
const channelOf = (pin: number): number => pin - FIRST_ANALOG;

/** What is wired to the pins. */
export interface Outside {
  /** The level at an input pin, with or without its pull-up. */
  level(pin: number, pullUp: boolean): boolean;
  /** 0 to 1 of full scale. */
  analog(channel: number): number;
  /** A reply of the device at an I2C address; undefined where there is none. */
  i2c(address: number, register: number, count: number): readonly number[] | undefined;
  written(address: number, bytes: readonly number[]): void;
}

interface Slot {
  pulse: number;
  range: readonly [number, number];
  pin: number | undefined;
}

export interface Chip {
  readonly modes: number[];
  /** What was last written to a pin, or whether its pull-up is on. */
  readonly states: number[];
  /** Levels of outputs, as they are outside. */
  readonly levels: boolean[];
  readonly reported: boolean[];
  readonly sent: number[];
  readonly analogs: boolean[];
  readonly slots: Slot[];
  readonly freed: number[];
  samplingMs: number;
  /** Seconds of the world. */
  sampled: number;
  /** When it was last reset, while it boots. */
  booting: number | undefined;
  /** Commands that wait for the end of the boot, and their bytes. */
  readonly waiting: FirmataCommand[];
  waitingBytes: number;
  /** It has taken a sysex that was longer than its buffer, and what it does then is not to be known: here it does nothing. */
  crashed: boolean;
}

const wire = firmata();

function defaults(c: Chip): void {
  for (let port = 0; port < 16; port++) {
    c.reported[port] = false;
    c.sent[port] = 0;
  }
  for (let pin = 0; pin < PINS; pin++) {
    // The pins of the serial line are left alone.
    c.modes[pin] = !isDigital(pin) ? MODES.input : isAnalog(pin) ? MODES.analog : MODES.output;
    c.states[pin] = 0;
    c.levels[pin] = false;
    c.analogs[pin] = false;
  }
  c.slots.length = 0;
  c.freed.length = 0;
}

/** A board that has been on for long. */
export function chip(): Chip {
  const c: Chip = {
    modes: [],
    states: [],
    levels: [],
    reported: [],
    sent: [],
    analogs: [],
    slots: [],
    freed: [],
    samplingMs: SAMPLING,
    sampled: 0,
    booting: undefined,
    waiting: [],
    waitingBytes: 0,
    crashed: false,
  };
  defaults(c);
  return c;
}

/** Reset button, brown-out, or a port that was opened: everything is as after power-up, and it says who it is when it has booted. */
export function reset(c: Chip, t: number): void {
  defaults(c);
  c.samplingMs = SAMPLING;
  c.booting = t;
  c.crashed = false;
  c.waiting.length = 0;
  c.waitingBytes = 0;
}

/** µs of the pulses on a servo's pin; undefined where there are none. */
export const pulseAt = (c: Chip, pin: number): number | undefined =>
  c.booting === undefined ? c.slots.find((s) => s.pin === pin)?.pulse : undefined;

const version = (): FirmataTell => ({ say: 'version', major: 2, minor: 5 });
const firmware = (): FirmataTell => ({ say: 'firmware', major: 2, minor: 5, name: 'StandardFirmata.ino' });

function capabilities(): FirmataTell {
  const pins = Array.from({ length: PINS }, (_, pin) => {
    const modes: { mode: number; resolution: number }[] = [];
    const has = (mode: number, resolution: number): void => void modes.push({ mode, resolution });
    if (isDigital(pin)) {
      has(MODES.input, 1);
      has(MODES.pullup, 1);
      has(MODES.output, 1);
    }
    if (isAnalog(pin)) has(MODES.analog, 10);
    if (PWM.includes(pin)) has(MODES.pwm, 8);
    if (isDigital(pin)) has(MODES.servo, 14);
    if (I2C.includes(pin)) has(MODES.i2c, 1);
    return modes;
  });
  return { say: 'capabilities', pins };
}

const isInput = (mode: number): boolean => mode === MODES.input || mode === MODES.pullup;

/** Pins that are no inputs read as 0. */
function portBits(c: Chip, port: number, outside: Outside): number {
  let bits = 0;
  for (let bit = 0; bit < 8; bit++) {
    const pin = 8 * port + bit;
    if (pin < PINS && isDigital(pin) && isInput(c.modes[pin]) && outside.level(pin, c.states[pin] === 1)) bits |= 1 << bit;
  }
  return bits;
}

const analogTell = (channel: number, outside: Outside): FirmataTell => ({
  say: 'analog',
  channel,
  value: Math.max(0, Math.min(1023, Math.round(1023 * outside.analog(channel)))),
});

function detach(c: Chip, pin: number): void {
  const at = c.slots.findIndex((s) => s.pin === pin);
  if (at < 0) return;
  c.slots[at].pin = undefined;
  c.freed.push(at);
}

/** A slot that was used before keeps its last pulse. */
function attach(c: Chip, pin: number, range: readonly [number, number]): readonly FirmataTell[] {
  const freed = c.freed.pop();
  if (freed !== undefined) {
    c.slots[freed].pin = pin;
    c.slots[freed].range = range;
  } else if (c.slots.length < MAX_SERVOS) c.slots.push({ pulse: MIDDLE, range, pin });
  else return [{ say: 'string', text: 'Max servos attached' }];
  return [];
}

function setMode(c: Chip, pin: number, mode: number, outside: Outside): readonly FirmataTell[] {
  if (!isDigital(pin)) return [];
  if (mode !== MODES.servo) detach(c, pin);
  const said: FirmataTell[] = [];
  if (isAnalog(pin)) {
    c.analogs[channelOf(pin)] = mode === MODES.analog;
    if (mode === MODES.analog) said.push(analogTell(channelOf(pin), outside));
  }
  c.states[pin] = 0;
  switch (mode) {
    case MODES.analog:
      if (isAnalog(pin)) c.modes[pin] = mode;
      break;
    case MODES.input:
      c.modes[pin] = mode;
      break;
    case MODES.pullup:
      c.modes[pin] = mode;
      c.states[pin] = 1;
      break;
    case MODES.output:
      if (c.modes[pin] !== MODES.output) c.levels[pin] = false;
      c.modes[pin] = mode;
      break;
    case MODES.pwm:
      if (PWM.includes(pin)) c.modes[pin] = mode;
      break;
    case MODES.servo:
      c.modes[pin] = mode;
      if (!c.slots.some((s) => s.pin === pin)) said.push(...attach(c, pin, [SHORTEST, LONGEST]));
      break;
    case MODES.i2c:
      if (I2C.includes(pin)) c.modes[pin] = mode;
      break;
    default:
      said.push({ say: 'string', text: 'Unknown pin mode' });
  }
  return said;
}

/** Only a pin whose mode is servo or PWM takes a value. */
function write(c: Chip, pin: number, value: number): void {
  if (pin >= PINS) return;
  if (c.modes[pin] === MODES.servo) {
    const slot = c.slots.find((s) => s.pin === pin);
    if (slot) {
      const [lo, hi] = slot.range;
      const pulse = value < SHORTEST ? Math.trunc(lo + (Math.min(180, value) * (hi - lo)) / 180) : value;
      slot.pulse = Math.max(lo, Math.min(hi, pulse));
    }
    c.states[pin] = value;
  } else if (c.modes[pin] === MODES.pwm) c.states[pin] = value;
}

function writePort(c: Chip, port: number, bits: number): void {
  for (let bit = 0; bit < 8; bit++) {
    const pin = 8 * port + bit;
    if (pin >= PINS) return;
    const on = (bits >> bit) % 2 === 1;
    if (c.modes[pin] === MODES.output) c.levels[pin] = on;
    // An input's pull-up is switched on so, but not off.
    else if (c.modes[pin] !== MODES.input) continue;
    c.states[pin] = on ? 1 : 0;
  }
}

function i2c(command: Extract<FirmataCommand, { do: 'i2c' }>, outside: Outside): readonly FirmataTell[] {
  const { address, mode, data } = command;
  if (mode === 'write') outside.written(address, data);
  if (mode !== 'read') return [];
  const register = data.length > 1 ? data[0] : 0;
  const count = data.at(-1) ?? 0;
  const got = outside.i2c(address, register, count) ?? [];
  const reply: FirmataTell = { say: 'i2c', address, register, data: got };
  return got.length < count ? [{ say: 'string', text: 'I2C: Too few bytes received' }, reply] : [reply];
}

function obey(c: Chip, command: FirmataCommand, outside: Outside): readonly FirmataTell[] {
  switch (command.do) {
    case 'version':
      return [version()];
    case 'firmware':
      return [firmware()];
    case 'capabilities':
      return [capabilities()];
    case 'mapping':
      return [{ say: 'mapping', channels: Array.from({ length: PINS }, (_, pin) => (isAnalog(pin) ? channelOf(pin) : 127)) }];
    case 'pin state': {
      const { pin } = command;
      return [pin < PINS ? { say: 'pin state', pin, mode: c.modes[pin], state: c.states[pin] } : { say: 'pin state', pin }];
    }
    case 'mode':
      return setMode(c, command.pin, command.mode, outside);
    case 'pin':
      if (c.modes[command.pin] === MODES.output) {
        c.levels[command.pin] = command.on;
        c.states[command.pin] = command.on ? 1 : 0;
      }
      return [];
    case 'port':
      writePort(c, command.port, command.bits);
      return [];
    case 'write':
      write(c, command.pin, command.value);
      return [];
    case 'report port': {
      c.reported[command.port] = command.on;
      if (!command.on || 8 * command.port >= PINS) return [];
      const bits = portBits(c, command.port, outside);
      c.sent[command.port] = bits;
      return [{ say: 'port', port: command.port, bits }];
    }
    case 'report analog':
      if (FIRST_ANALOG + command.channel >= PINS) return [];
      c.analogs[command.channel] = command.on;
      return command.on ? [analogTell(command.channel, outside)] : [];
    case 'servo': {
      const { pin, shortest, longest } = command;
      if (!isDigital(pin)) return [];
      detach(c, pin);
      return [...attach(c, pin, [shortest, longest]), ...setMode(c, pin, MODES.servo, outside)];
    }
    case 'sampling':
      c.samplingMs = Math.max(LEAST_SAMPLING, command.ms);
      return [];
    case 'i2c':
      return i2c(command, outside);
    case 'i2c config':
      for (const pin of I2C) setMode(c, pin, MODES.i2c, outside);
      return [];
    case 'reset':
      defaults(c);
      return [];
    case 'overrun':
      c.crashed = true;
      return [];
    case 'string':
    case 'sysex':
    case 'end':
      return [];
  }
}

/** What it answers; nothing while it boots or has crashed. */
export function hear(c: Chip, command: FirmataCommand, t: number, outside: Outside): readonly FirmataTell[] {
  if (c.crashed) return [];
  if (c.booting === undefined) return obey(c, command, outside);
  const bytes = command.do === 'overrun' ? BUFFER : wire.asks.encode([command]).length;
  if (t - c.booting < LOADER || c.waitingBytes + bytes > BUFFER) return [];
  c.waiting.push(command);
  c.waitingBytes += bytes;
  return [];
}

/** What it says by itself: who it is after its boot, ports that have changed, analog inputs at their interval. */
export function speak(c: Chip, t: number, outside: Outside): readonly FirmataTell[] {
  if (c.crashed) return [];
  const said: FirmataTell[] = [];
  if (c.booting !== undefined) {
    if (t - c.booting < LOADER + BLINK) return [];
    c.booting = undefined;
    said.push(version(), firmware());
    for (const command of c.waiting.splice(0)) said.push(...obey(c, command, outside));
    c.waitingBytes = 0;
  }
  for (let port = 0; 8 * port < PINS; port++) {
    if (!c.reported[port]) continue;
    const bits = portBits(c, port, outside);
    if (bits === c.sent[port]) continue;
    c.sent[port] = bits;
    said.push({ say: 'port', port, bits });
  }
  if (t - c.sampled > c.samplingMs / 1000) {
    c.sampled = t;
    for (let pin = FIRST_ANALOG; pin < PINS; pin++) {
      if (c.modes[pin] === MODES.analog && c.analogs[channelOf(pin)]) said.push(analogTell(channelOf(pin), outside));
    }
  }
  return said;
}
