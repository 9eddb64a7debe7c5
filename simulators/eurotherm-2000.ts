import { type ModbusAsk, type ModbusTell, signed, unsigned } from '../protocols/modbus.ts';
import { modbusRtu } from '../protocols/modbus-rtu.ts';
import { type ModbusException, serveModbus } from '../protocols/modbus-serve.ts';
import { modbusTcp } from '../protocols/modbus-tcp.ts';
import { type Field, options, Refused, simulator, whole, word } from '../src/simulator.ts';
import { type Dac, dac } from './worlds/dac.ts';

interface Options {
  readonly unit: number;
  readonly decimals: number;
  readonly output_decimals: number;
  readonly heater: string | undefined;
  readonly safe_setpoint?: unknown;
  readonly framing: 'rtu' | 'tcp';
}

interface State {
  readonly name: string;
  readonly unit: number;
  readonly heater: string;
  /** Register numbers for one degree, and for one per cent of output. */
  readonly degree: number;
  readonly percent: number;
  /** °C. */
  setPoint: number;
  high: number;
  low: number;
  /** Proportional band in °C, integral and derivative time in s. */
  band: number;
  integral: number;
  derivative: number;
  /** Per cent. */
  output: number;
  maximum: number;
  /** Per cent a second; 0: no limit. */
  rate: number;
  /** Part of full output that the integral term has gathered. */
  gathered: number;
  /** °C, of the tick before. */
  before: number | undefined;
  /** Seconds of tuning that are left. */
  tuning: number;
  /** The thermocouple is torn off. */
  broken: boolean;
}

const ZERO = 273.15;
const BROKEN = 32767;
const TUNING = 60; // s

interface Register {
  readonly get: (s: State, w: Dac) => number;
  /** False where the controller does not take the number. */
  readonly set?: (s: State, n: number) => boolean;
}

const within = (n: number, lo: number, hi: number, take: (n: number) => void): boolean => {
  if (!(n >= lo && n <= hi)) return false;
  take(n);
  return true;
};

/** Holding registers by address. */
const REGISTERS: Readonly<Record<number, Register>> = {
  1: {
    get: (s, w) => (s.broken ? BROKEN : s.degree * (w.heater(s.heater).temperature - ZERO + 0.03 * w.noise(`${s.name} thermocouple`))),
  },
  2: { get: (s) => s.degree * s.setPoint, set: (s, n) => within(n / s.degree, s.low, s.high, (c) => void (s.setPoint = c)) },
  3: { get: (s) => s.percent * s.output },
  6: { get: (s) => s.band, set: (s, n) => within(n, 1, 9999, (b) => void (s.band = b)) },
  8: { get: (s) => s.integral, set: (s, n) => within(n, 0, 9999, (t) => void (s.integral = t)) },
  9: { get: (s) => s.derivative, set: (s, n) => within(n, 0, 9999, (t) => void (s.derivative = t)) },
  30: { get: (s) => s.percent * s.maximum, set: (s, n) => within(n / s.percent, 0, 100, (p) => void (s.maximum = p)) },
  37: { get: (s) => s.rate, set: (s, n) => within(n, 0, 99, (r) => void (s.rate = r)) },
  111: { get: (s) => s.degree * s.high, set: (s, n) => within(n / s.degree, s.low, 3000, (c) => void (s.high = c)) },
  112: { get: (s) => s.degree * s.low, set: (s, n) => within(n / s.degree, -300, s.high, (c) => void (s.low = c)) },
  270: { get: (s) => (s.tuning > 0 ? 1 : 0), set: (s, n) => within(n, 0, 1, (on) => void (s.tuning = on * TUNING)) },
};

const held = (n: number): number => unsigned(Math.max(-32768, Math.min(32767, Math.round(n))));

function get(s: State, w: Dac, address: number, count: number): readonly number[] | ModbusException {
  const values: number[] = [];
  for (let a = address; a < address + count; a++) {
    const register = REGISTERS[a];
    if (!register) return 2;
    values.push(held(register.get(s, w)));
  }
  return values;
}

function set(s: State, address: number, number: number): ModbusException | undefined {
  const register = REGISTERS[address];
  if (!register?.set) return 2;
  return register.set(s, signed(number)) ? undefined : 3;
}

/** Functions 3 and 6 alone; another's question is not heard, and one to every unit (0) is not answered. */
function answer(q: ModbusAsk, s: State, w: Dac): readonly ModbusTell[] {
  if (q.unit !== s.unit && q.unit !== 0) return [];
  if (q.function !== 3 && q.function !== 6) return q.unit === 0 ? [] : [{ unit: q.unit, function: q.function, exception: 1 }];
  const tell = serveModbus(q, {
    holding: { get: (address, count) => get(s, w, address, count), set: (address, [number = 0]) => set(s, address, number) },
  });
  return tell && q.unit !== 0 ? [tell] : [];
}

/** One step of the loop: proportional band, integral that stops at the limits, derivative of the measured value. */
function control(s: State, w: Dac, dt: number): void {
  const heater = w.heater(s.heater);
  const measured = heater.temperature - ZERO;
  const slope = (measured - (s.before ?? measured)) / dt;
  s.before = measured;
  const part = (s.setPoint - measured - s.derivative * slope) / s.band;
  const step = s.integral > 0 ? (((s.setPoint - measured) / s.band) * dt) / s.integral : 0;
  const wanted = 100 * (part + s.gathered + step);
  if ((wanted < s.maximum || step < 0) && (wanted > 0 || step > 0)) s.gathered = Math.max(0, Math.min(1, s.gathered + step));
  const limited = s.broken ? 0 : Math.max(0, Math.min(s.maximum, wanted));
  const most = s.rate > 0 ? s.rate * dt : 100;
  s.output += Math.max(-most, Math.min(most, limited - s.output));
  s.tuning = Math.max(0, s.tuning - dt);
  heater.output = s.output / 100;
}

const heaterName: Field<string | undefined> = {
  about: "the world's heater that it holds (otherwise the instrument's name)",
  of: (yaml) => (yaml === undefined || typeof yaml === 'string' ? yaml : new Refused('must be a name')),
};

/** A temperature controller on a bus, with a heater of the world `dac`. */
export default simulator({
  options: options<Options>({
    unit: whole('address on the bus', 1, 254),
    decimals: whole('decimals of temperatures on the display', 0, 2, 1),
    output_decimals: whole('decimals of output power on the display', 0, 2, 1),
    heater: heaterName,
    safe_setpoint: { about: "the driver's own", of: (yaml) => yaml },
    framing: word('rtu on a line, tcp behind a Modbus TCP gateway', ['rtu', 'tcp'] as const, 'rtu'),
  }),
  links: ({ framing }) => ({ main: framing === 'tcp' ? modbusTcp() : modbusRtu() }),
  state: ({ unit = 1, decimals = 1, output_decimals = 1, heater }: Partial<Options>, name: string): State => ({
    name,
    unit,
    heater: heater ?? name,
    degree: 10 ** decimals,
    percent: 10 ** output_decimals,
    setPoint: 0,
    high: decimals === 2 ? 300 : 1000,
    low: -100,
    band: 30,
    integral: 40,
    derivative: 2,
    output: 0,
    maximum: 100,
    rate: 0,
    gathered: 0,
    before: undefined,
    tuning: 0,
    broken: false,
  }),
  world: dac,
  answer: { main: answer },
  tick: (s, w, _t, dt) => control(s, w, dt),
  think: 0.005, // s; such controllers take some milliseconds
});
