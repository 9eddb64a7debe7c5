import { type CaenAsk, type CaenError, caenHv, caenTell, readCaenAsk } from '../protocols/caen-hv.ts';
import { decimal } from '../protocols/text.ts';
import { type Field, options, Refused, simulator, whole, word } from '../src/simulator.ts';
import { type HighVoltage, highVoltage, kill, type Output } from './worlds/high-voltage.ts';

const MODELS = ['DT8033', 'R8034', 'DT1415ET', 'NDT1470', 'DT1471ET', 'DT5533E', 'DT5534E'] as const;
type Model = (typeof MODELS)[number];
interface Kind {
  /** As the manuals print them, bit 0 first. */
  readonly bits: readonly string[];
  /** The BD field stands in each command (N1470 family). */
  readonly boards?: true;
  /** Values end with a semicolon, and a setting is answered with its value (DT55xxE). */
  readonly semicolon?: true;
  /** Parameters can be described with INFO (803x). */
  readonly info?: true;
  readonly names: { readonly down: string; readonly status: string };
}

/** N1470, DT55xxE and 803x user manuals, "channel status". */
const N14: Kind = {
  bits: ['ON', 'RUP', 'RDW', 'OVC', 'OVV', 'UNV', 'MAXV', 'TRIP', 'OVP', 'OVT', 'DIS', 'KILL', 'ILK', 'NOCAL'],
  boards: true,
  names: { down: 'RDW', status: 'STAT' },
};
const DT55: Kind = {
  bits: ['ON', 'RUP', 'RDW', 'OVC', 'OVV', 'UNV', 'MAXV', 'TRIP', 'OVP', 'TWN', 'OVT', 'KILL', 'ILK'],
  semicolon: true,
  names: { down: 'RDW', status: 'STAT' },
};
const SMART: Kind = {
  bits: ['ON', 'RUP', 'RDW', 'OVC', 'OVV', 'UNV', 'TRIP', 'OVP', 'TWN', 'OVT', 'KILL', 'ILK', 'DIS', 'FAIL', 'LOCK', 'MAXV'],
  info: true,
  names: { down: 'RDWN', status: 'STATUS' },
};
/** Family, channels, V, µA. */
const KINDS: Readonly<Record<Model, readonly [Kind, number, number, number]>> = {
  DT8033: [SMART, 8, 4000, 3000],
  R8034: [SMART, 16, 6000, 1000],
  DT1415ET: [SMART, 8, 1000, 1000],
  NDT1470: [N14, 4, 8100, 3000],
  DT1471ET: [N14, 4, 5600, 310],
  DT5533E: [DT55, 4, 4000, 3000],
  DT5534E: [DT55, 4, 6000, 1000],
};

interface Channel {
  readonly name: string;
  /** Of its load, at the beginning. */
  readonly ohms: number;
  /** V, µA, V, V/s, V/s, s. */
  vset: number;
  iset: number;
  maxv: number;
  up: number;
  down: number;
  trip: number;
  powerDown: 'RAMP' | 'KILL';
  polarity: '+' | '-';
  on: boolean;
  tripped: boolean;
  killed: boolean;
  interlocked: boolean;
  /** Its switch on the front panel is off. */
  disabled: boolean;
  /** Seconds above the current limit. */
  over: number;
}
interface State {
  readonly model: Model;
  readonly kind: Kind;
  readonly volts: number;
  readonly microamps: number;
  readonly board: number;
  readonly channels: Channel[];
  local: boolean;
  /** What stands at the interlock and kill inputs, and how warm it is inside (°C). */
  interlock: boolean;
  kill: boolean;
  celsius: number;
  interlockMode: string;
}

const FOREVER = 1000; // s: this trip time means never
const HOT = 125; // °C: channels go off (DT55xxE manual)
const WARM = 80;
const AT_ONCE = 1e9; // V/s

const outputOf = (c: Channel, w: HighVoltage): Output => w.output(c.name, c.ohms);

function statusOf(s: State, c: Channel, w: HighVoltage): number {
  const { volts, limited } = outputOf(c, w);
  const target = c.on ? Math.min(c.vset, c.maxv) : 0;
  const is: Readonly<Record<string, boolean>> = {
    ON: c.on,
    RUP: c.on && volts < target - 0.05 && !limited,
    RDW: volts > target + 0.05,
    OVC: limited,
    UNV: c.on && limited,
    MAXV: c.on && c.vset > c.maxv,
    TRIP: c.tripped,
    TWN: s.celsius > WARM && s.celsius <= HOT,
    OVT: s.celsius > HOT,
    DIS: c.disabled,
    KILL: c.killed,
    ILK: c.interlocked,
  };
  return s.kind.bits.reduce((sum, name, n) => sum + (is[name] === true ? 2 ** n : 0), 0);
}

/** A number as each family prints it; the N1470 family pads with zeros. */
const printed = (s: State, value: number, decimals: number, width: number): string =>
  s.kind.boards ? value.toFixed(decimals).padStart(width, '0') : value.toFixed(decimals);

type Monitor = (s: State, c: Channel, w: HighVoltage) => string;
const measured = (value: number, noise: number): number => Math.max(0, value + noise);
/** Of a channel. The names of ramp down and status differ by family. */
const MONITORS: Readonly<Record<string, Monitor>> = {
  VSET: (s, c) => printed(s, c.vset, 1, 6),
  ISET: (s, c) => printed(s, c.iset, 2, 7),
  VMON: (s, c, w) => {
    const { volts } = outputOf(c, w);
    return printed(s, measured(volts, volts > 0 ? 0.05 * w.noise(`${c.name} volts`) : 0), 1, 6);
  },
  IMON: (s, c, w) => {
    const { amps } = outputOf(c, w);
    return printed(s, measured(1e6 * amps, amps > 0 ? 0.01 * w.noise(`${c.name} amps`) : 0), 2, 7);
  },
  MAXV: (s, c) => printed(s, c.maxv, 0, 4),
  RUP: (s, c) => printed(s, c.up, 0, 3),
  down: (s, c) => printed(s, c.down, 0, 3),
  TRIP: (s, c) => printed(s, c.trip, 1, 6),
  PDWN: (_, c) => c.powerDown,
  POL: (_, c) => c.polarity,
  status: (s, c, w) => String(statusOf(s, c, w)).padStart(s.kind.info ? 1 : 5, '0'),
};
/** Their limits and decimals have names of their own, but in the 803x, which describes them with INFO. */
const LIMITS: Readonly<Record<string, (s: State) => string>> = {
  VMIN: () => '0',
  VMAX: (s) => printed(s, s.volts, 1, 6),
  IMIN: () => '0',
  IMAX: (s) => printed(s, s.microamps, 2, 7),
  IMAXH: (s) => printed(s, s.microamps, 2, 7),
  VDEC: () => '1',
  VSDEC: () => '1',
  ISDEC: () => '2',
  RUPMIN: () => '1',
  RUPMAX: () => '500',
  RDWMIN: () => '1',
  RDWMAX: () => '500',
  TRIPMIN: () => '0',
  TRIPMAX: () => '1000',
  // N1470 user manual, "MONITOR commands related to the channels": all that a program may ask.
  IMRANGE: () => 'HIGH',
  IMDEC: () => '2',
  MVMIN: () => '0',
  MVMAX: (s) => printed(s, s.volts, 0, 4),
  MVDEC: () => '0',
  RUPDEC: () => '0',
  RDWDEC: () => '0',
  TRIPDEC: () => '1',
};
const N14_ONLY = ['IMAX', 'VDEC', 'IMRANGE', 'IMDEC', 'MVMIN', 'MVMAX', 'MVDEC', 'RUPDEC', 'RDWDEC', 'TRIPDEC'];
const only: Readonly<Record<string, (s: State) => boolean>> = {
  IMAXH: (s) => s.kind.semicolon === true,
  VSDEC: (s) => s.kind.semicolon === true,
  ...Object.fromEntries(N14_ONLY.map((par) => [par, (s: State) => s.kind.boards === true])),
};

function described(s: State, par: string): string | undefined {
  const table: Readonly<Record<string, string>> = {
    VSET: `0;2;0;${s.volts};1;0.1;0;V;;`,
    VMON: `0;0;0;${s.volts};1;0.1;0;V;;`,
    ISET: `0;2;0;${s.microamps};2;0.01;0;uA;;`,
    IMON: `0;0;0;${s.microamps};2;0.01;0;uA;;`,
    MAXV: `0;2;0;${s.volts};0;1;0;V;;`,
    RUP: '0;2;1;500;0;1;0;V/s;;',
    [s.kind.names.down]: '0;2;1;500;0;1;0;V/s;;',
    TRIP: '0;2;0;1000;1;0.1;0;s;;',
    PDWN: '6;2;;;;;;;RAMP;KILL',
    POL: '6;0;;;;;;;+;-',
    [s.kind.names.status]: '2;0;0;65535;0;1;0;;;',
    ON: '1;1;;;;;;;ON;OFF',
    OFF: '1;1;;;;;;;ON;OFF',
  };
  return table[par];
}

const boardMonitors: Readonly<Record<string, (s: State, w: HighVoltage) => string | undefined>> = {
  BDNAME: (s) => s.model,
  BDNCH: (s) => String(s.channels.length),
  BDFREL: () => '1.09',
  BDSNUM: () => '0417',
  BDCTR: (s) => (s.kind.semicolon ? undefined : s.local ? 'LOCAL' : 'REMOTE'),
  BDTERM: (s) => (s.kind.boards ? 'ON' : undefined),
  PARLIST: (s) => (s.kind.info ? ['BDNAME', 'BDNCH', 'BDFREL', 'BDSNUM', 'BDCTR', 'BDILK', 'BDILKM', 'BDCLR'].join(';') : undefined),
  BDILK: (s) => (s.interlock ? 'YES' : 'NO'),
  BDILKM: (s) => (s.kind.semicolon ? undefined : s.interlockMode),
  BDALARM: (s, w) => {
    const words = s.channels.map((c) => statusOf(s, c, w) & ~7); // all but on and the two ramps
    if (s.kind.boards) return String(words.reduce((sum, bits, n) => sum + (bits === 0 ? 0 : 2 ** n), 0)).padStart(5, '0');
    return s.kind.semicolon ? String(words.reduce((all, bits) => all | bits, 0) & 0x1ff8).padStart(5, '0') : undefined;
  },
};

/** What sets a channel; an error where the value is wrong. */
function set(s: State, c: Channel, par: string, value: string | undefined): CaenError | undefined {
  const amount = (lo: number, hi: number, take: (n: number) => void): CaenError | undefined => {
    const n = decimal(value ?? '');
    if (!(n >= lo && n <= hi)) return 'VAL';
    take(n);
    return undefined;
  };
  switch (par) {
    case 'VSET':
      return amount(0, s.volts, (n) => void (c.vset = n));
    case 'ISET':
      return amount(0, s.microamps, (n) => void (c.iset = n));
    case 'MAXV':
      return amount(0, s.volts, (n) => void (c.maxv = n));
    case 'RUP':
      return amount(1, 500, (n) => void (c.up = n));
    case s.kind.names.down:
      return amount(1, 500, (n) => void (c.down = n));
    case 'TRIP':
      return amount(0, FOREVER, (n) => void (c.trip = n));
    case 'PDWN':
      if (value !== 'RAMP' && value !== 'KILL') return 'VAL';
      c.powerDown = value;
      return undefined;
    case 'ON':
    case 'OFF':
      if (value !== undefined) return 'VAL';
      if (par === 'ON' && !c.disabled && !c.interlocked && !c.killed) Object.assign(c, { on: true, tripped: false, over: 0 });
      else c.on = false;
      return undefined;
    default:
      return 'PAR';
  }
}

/** A latch goes when its cause has gone. */
function clear(s: State): void {
  for (const c of s.channels) Object.assign(c, { tripped: false, killed: s.kill, interlocked: s.interlock, over: 0 });
}

function monitored(s: State, ask: CaenAsk, w: HighVoltage): readonly string[] | CaenError {
  const par = ask.par.toUpperCase();
  if (ask.channel === undefined) {
    const value = Object.hasOwn(boardMonitors, par) ? boardMonitors[par](s, w) : undefined;
    return value === undefined ? 'PAR' : [value];
  }
  if (ask.channel > s.channels.length) return 'CH';
  const { down, status } = s.kind.names;
  // What a channel has, in the spelling of this firmware (803x user manual).
  if (s.kind.info && par === 'PARCHLIST' && ask.channel < s.channels.length)
    return [...Object.keys(MONITORS).map((one) => (one === 'down' ? down : one === 'status' ? status : one)), 'ON', 'OFF'];
  const monitor =
    par === down ? MONITORS.down : par === status ? MONITORS.status : Object.hasOwn(MONITORS, par) ? MONITORS[par] : undefined;
  const limit = !s.kind.info && Object.hasOwn(LIMITS, par) && only[par]?.(s) !== false ? LIMITS[par] : undefined;
  if (!monitor && !limit) return 'PAR';
  const of = ask.channel === s.channels.length ? s.channels : [s.channels[ask.channel]];
  return of.map((c) => monitor?.(s, c, w) ?? limit?.(s) ?? '');
}

function carriedOut(s: State, ask: CaenAsk, w: HighVoltage): readonly string[] | CaenError | undefined {
  if (ask.verb === 'MON') return monitored(s, ask, w);
  const par = ask.par.toUpperCase();
  if (ask.verb === 'INFO') return s.kind.info ? (described(s, par)?.split(';') ?? 'PAR') : 'CMD';
  if (s.local) return 'LOC';
  if (ask.channel === undefined) {
    if (par === 'BDCLR') clear(s);
    else if (par !== 'BDILKM' || s.kind.semicolon) return 'PAR';
    else if (ask.value !== 'OPEN' && ask.value !== 'CLOSED') return 'VAL';
    else s.interlockMode = ask.value;
    return undefined;
  }
  if (ask.channel > s.channels.length) return 'CH';
  for (const c of ask.channel === s.channels.length ? s.channels : [s.channels[ask.channel]]) {
    const error = set(s, c, par, ask.value);
    if (error) return error;
  }
  return s.kind.semicolon && ask.value !== undefined ? [ask.value] : undefined;
}

/** A board that is not meant says nothing; one without address does not know the field. */
function answer(line: string, s: State, w: HighVoltage): readonly string[] {
  const ask = readCaenAsk(line);
  const at = s.kind.boards ? { board: s.board } : {};
  if (s.kind.boards && ask && ask.board !== s.board) return [];
  const said = !ask || (ask.board !== undefined && !s.kind.boards) ? 'CMD' : carriedOut(s, ask, w);
  if (typeof said === 'string') return [caenTell({ ...at, ok: false, error: said })];
  return [`${caenTell({ ...at, ok: true, values: said })}${said && s.kind.semicolon ? ';' : ''}`];
}

function tick(s: State, w: HighVoltage, dt: number): void {
  for (const c of s.channels) {
    const output = outputOf(c, w);
    if (s.kill) c.killed = true;
    if (s.interlock) c.interlocked = true;
    c.over = c.on && output.limited ? c.over + dt : 0;
    if (c.trip < FOREVER && c.over > c.trip) c.tripped = true;
    if (c.tripped || c.killed || c.interlocked || c.disabled || s.celsius > HOT) c.on = false;
    if (c.killed || c.interlocked) kill(output);
    output.target = c.on ? Math.min(c.vset, c.maxv) : 0;
    output.up = c.up;
    output.down = c.on || c.powerDown === 'RAMP' ? c.down : AT_ONCE;
    output.limit = c.iset / 1e6;
  }
}

const flag = (about: string): Field<boolean> => ({
  about: `${about} (true | false, otherwise false)`,
  of: (yaml) => (yaml === undefined || typeof yaml === 'boolean' ? (yaml ?? false) : new Refused('must be true or false')),
});
const ohms: Field<number> = {
  about: 'Ω of the load on each channel (otherwise 10 MΩ)',
  of: (yaml = 1e7) => (typeof yaml === 'number' && yaml > 0 ? yaml : new Refused('must be a resistance in Ω')),
};
const theirs: Field<unknown> = { about: "the driver's own", of: (yaml) => yaml };
interface Options {
  readonly model: Model;
  readonly address: number;
  readonly local: boolean;
  readonly interlock: boolean;
  readonly ohms: number;
  readonly board?: unknown;
  readonly family?: unknown;
  readonly power_down?: unknown;
}

/** A supply with a load on each channel of the world `high-voltage`. Written from the user manuals of the three families. */
export default simulator({
  options: options<Options>({
    model: word('model', MODELS, 'DT8033'),
    address: whole('address of the board, where it has one', 0, 31, 0),
    local: flag('the front panel has control'),
    interlock: flag('the interlock input is active'),
    ohms,
    board: theirs,
    family: theirs,
    power_down: theirs,
  }),
  links: { main: caenHv() },
  state: (p: Partial<Options>, name: string): State => {
    const { model = 'DT8033', address = 0, local = false, interlock = false, ohms: load = 1e7 } = p;
    const [kind, count, volts, microamps] = KINDS[model];
    const channel = (n: number): Channel => ({
      name: `${name}[${n}]`,
      ohms: load,
      ...{ vset: 0, iset: Math.min(500, microamps), maxv: volts, up: 50, down: 50, trip: 10, powerDown: 'RAMP' },
      polarity: kind.boards ? '-' : '+',
      ...{ on: false, tripped: false, killed: false, interlocked: interlock, disabled: false, over: 0 },
    });
    return {
      ...{ model, kind, volts, microamps, board: address, channels: Array.from({ length: count }, (_, n) => channel(n)) },
      ...{ local, interlock, kill: false, celsius: 40, interlockMode: 'OPEN' },
    };
  },
  world: highVoltage,
  answer: { main: answer },
  tick: (s, w, _t, dt) => tick(s, w, dt),
  think: 0.01,
});
