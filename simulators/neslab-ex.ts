import { NESLAB_ERROR, type NeslabFrame, neslab, neslabWord } from '../protocols/neslab.ts';
import { type Field, options, simulator, whole, word } from '../src/simulator.ts';
import { type Dac, dac } from './worlds/dac.ts';

interface Options {
  readonly address: number;
  readonly bus: 'rs232' | 'rs485';
  readonly series: 'ex' | 'rte' | 'thermoflex';
  readonly external: 'yes' | 'no';
  readonly load: number;
}

interface State {
  readonly name: string;
  readonly address: number;
  readonly series: Options['series'];
  readonly external: boolean;
  /** W that the water carries in. */
  readonly load: number;
  /** °C. */
  bath: number;
  setPoint: number;
  low: number;
  high: number;
  on: boolean;
  byExternal: boolean;
  faultsEnabled: boolean;
  muted: boolean;
  restart: boolean;
  /** Numbers with 0.01 °C. */
  fine: boolean;
  fullCool: boolean;
  serial: boolean;
  /** Heat and cool P, I, D. */
  readonly pid: number[];
  heat: number;
  /** Latched until the bath is switched off. */
  faulted: boolean;
  lowLevel: boolean;
}

const HEAT = 1500; // W
const COOL = 800; // W
const CAPACITY = 7 * 4180; // J/K
const TO_ROOM = 5; // W/K

const CELSIUS = 1;
type Value = { readonly value: number; readonly decimals: number; readonly unit: number };
const degrees = (s: State, value: number): Value => ({ value, decimals: s.fine ? 2 : 1, unit: CELSIUS });
const tuned = (s: State, n: number): Value => ({ value: s.pid[n] ?? 0, decimals: n % 3 === 0 ? 1 : 2, unit: 0 });

/** Read functions (table 1) that give a value; the set function of the same value is 80 hex higher. */
const GETS: ReadonlyMap<number, (s: State, w: Dac) => Value | undefined> = new Map([
  [0x20, (s: State, w: Dac) => degrees(s, s.bath + 0.01 * w.noise(`${s.name} bath`))],
  [0x21, (s: State, w: Dac) => (s.external ? degrees(s, s.bath + s.load / 500 + 0.02 * w.noise(`${s.name} external`)) : undefined)],
  [0x40, (s: State) => degrees(s, s.low)],
  [0x60, (s: State) => degrees(s, s.high)],
  [0x70, (s: State) => degrees(s, s.setPoint)],
]);
const SETS: ReadonlyMap<number, readonly [number, number, (s: State, value: number) => void]> = new Map([
  [0x40, [-100, 250, (s: State, value: number) => void (s.low = value)]],
  [0x60, [-100, 250, (s: State, value: number) => void (s.high = value)]],
  [0x70, [-30, 200, (s: State, value: number) => void (s.setPoint = value)]],
]);
const PID_FIRST = 0x71;
const PID_MOST = [99.9, 9.99, 5];
const isPid = (s: State, command: number): boolean => command >= PID_FIRST && command < PID_FIRST + (s.series === 'rte' ? 6 : 3);

const bits = (...all: readonly boolean[]): number => all.reduce((byte, is) => (byte << 1) | Number(is), 0);
/** Table 2, from bit 7 to bit 0 of each byte. */
function status(s: State): readonly number[] {
  const pump = s.on;
  const d3 = bits(
    false,
    false,
    s.faulted && s.bath > s.high,
    s.faulted && s.bath < s.low,
    s.lowLevel,
    s.bath > s.high,
    s.bath < s.low,
    s.lowLevel,
  );
  const compressor = s.series === 'rte' && s.on;
  const d4 = bits(s.faulted && !s.muted, s.muted, s.faulted, false, s.on, pump, compressor, s.on && s.heat > 0);
  const d5 = bits(s.byExternal, false, s.on && s.heat > 0, false, compressor, false, false, false);
  return s.series === 'thermoflex' ? [bits(false, false, false, false, false, false, false, s.on), 0, 0, 0] : [0, 0, d3, d4, d5];
}

/** The on/off array: 0 off, 1 on, 2 no change; the answer has what is now. */
const ARRAY: readonly (keyof State & ('on' | 'byExternal' | 'faultsEnabled' | 'muted' | 'restart' | 'fine' | 'fullCool' | 'serial'))[] = [
  ...(['on', 'byExternal', 'faultsEnabled', 'muted', 'restart', 'fine', 'fullCool', 'serial'] as const),
];

function answer(q: NeslabFrame, s: State, w: Dac): readonly NeslabFrame[] {
  if (q.address !== s.address || !s.serial) return [];
  const tell = (...data: readonly number[]): readonly NeslabFrame[] => [{ address: s.address, command: q.command, data }];
  const wrong = (code: number): readonly NeslabFrame[] => [{ address: s.address, command: NESLAB_ERROR, data: [code, q.command] }];
  const shown = ({ value, decimals, unit }: Value) => tell((decimals << 4) | unit, ...neslabWord(value, decimals));
  if (q.command === 0x81 && q.data.length === 8) {
    ARRAY.forEach((name, i) => {
      if (q.data[i] === 0 || q.data[i] === 1) s[name] = q.data[i] === 1;
    });
    if (!s.on) s.faulted = false;
    return tell(...ARRAY.map((name) => Number(s[name])));
  }
  const reads = q.data.length === 0;
  if (q.command === 0 && reads) return tell(0, 1);
  if (q.command === 9 && reads) return tell(...status(s));
  const base = q.command & 0x7f;
  const get = isPid(s, base) ? (of: State) => tuned(of, base - PID_FIRST) : GETS.get(base);
  const now = get?.(s, w);
  if (!now) return wrong(1);
  if (q.command === base) return reads ? shown(now) : wrong(1);
  const setting = isPid(s, base)
    ? ([0, PID_MOST[(base - PID_FIRST) % 3], (of: State, value: number) => void (of.pid[base - PID_FIRST] = value)] as const)
    : SETS.get(base);
  if (!setting || q.data.length !== 2) return wrong(1);
  const [low, high, take] = setting;
  const raw = (q.data[0] << 8) | q.data[1];
  const value = (raw >= 0x8000 ? raw - 0x10000 : raw) / 10 ** now.decimals;
  // A value out of range is not taken; the answer tells what is.
  if (value >= low && value <= high) take(s, value);
  return shown(get?.(s, w) ?? now);
}

/** Proportional heating and cooling around the set point, as fast as both can. */
function control(s: State, room: number, dt: number): void {
  const [band = 1] = s.pid;
  s.heat = s.on ? Math.max(-1, Math.min(1, ((s.setPoint - s.bath) / band) * 10 - s.load / COOL)) : 0;
  const watts = (s.heat > 0 ? HEAT : COOL) * s.heat + (s.on ? s.load : 0) + TO_ROOM * (room - s.bath);
  s.bath += (watts * dt) / CAPACITY;
  if (s.on && s.faultsEnabled && (s.bath > s.high || s.bath < s.low || s.lowLevel)) {
    s.faulted = true;
    s.on = false;
  }
}

const external: Field<Options['external']> = word('an external sensor is plugged in', ['yes', 'no'], 'yes');

/** A bath whose answers have 0.1 or 0.01 °C as it is set. Written from the manuals of the EX and RTE series. */
export default simulator({
  options: options<Options>({
    address: whole('address on RS-485; 1 on RS-232', 1, 100, 1),
    bus: word('what the frames begin with', ['rs232', 'rs485'], 'rs232'),
    series: word('what it is', ['ex', 'rte', 'thermoflex'], 'ex'),
    external,
    load: whole('W of what it cools', 0, 600, 100),
  }),
  links: ({ bus = 'rs232' }: Partial<Options>) => ({ main: neslab({ bus }) }),
  state: ({ address = 1, series = 'ex', external: has = 'yes', load = 100 }: Partial<Options>, name: string): State => ({
    ...{ name, address, series, external: has === 'yes', load, bath: 22, setPoint: 20, low: -5, high: 80 },
    ...{ on: false, byExternal: false, faultsEnabled: true, muted: false, restart: false, fine: false, fullCool: false, serial: true },
    ...{ pid: [5, 0.5, 0.1, 5, 0.5, 0.1], heat: 0, faulted: false, lowLevel: false },
  }),
  world: dac,
  answer: { main: answer },
  tick: (s, w, _t, dt) => control(s, w.roomTemperature - 273.15, dt),
  think: 0.01,
});
