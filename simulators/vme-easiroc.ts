import { type EasirocEvent, easirocEvents, eventOf } from '../protocols/easiroc.ts';
import { easirocCounts } from '../protocols/easiroc-framer.ts';
import { readSlowControl, SLOW_CONTROL_BYTES, type SlowControl } from '../protocols/easiroc-slow-control.ts';
import { adcWord, eventBytes, scalerWord, tdcWord } from '../protocols/easiroc-words.ts';
import { type RbcpAsk, type RbcpTell, rbcp } from '../protocols/rbcp.ts';
import { type Field, options, poisson, Refused, simulator, uniform } from '../src/simulator.ts';
import { type DetectorWorld, detector, type LightEvent } from './worlds/detector.ts';
import { type Given, setupFields } from './worlds/detector-setup.ts';

interface Options extends Given {
  readonly running: boolean;
  readonly bias: number;
  readonly stale: number;
  readonly lose: number;
  readonly dark: number;
  readonly version: readonly number[];
}

/** The last thing that the monitor ADC was told and has measured: no output depends on it. */
interface Monitor {
  select: number;
  mux: number;
  channel: number;
  since: number;
  before: number;
  latched: number;
}
interface Chip {
  shifted: Uint8Array;
  settings: SlowControl | undefined;
}
interface State {
  /** What the rig says of the detector, until the world has been told. */
  setup: Given | undefined;
  readonly dark: number;
  readonly version: readonly number[];
  readonly lose: number;
  readonly memory: Map<number, number>;
  readonly chips: readonly [Chip, Chip];
  direct: number[];
  status: number;
  /** Volts at the SiPMs, and where they are going. */
  bias: number;
  enabled: boolean;
  stale: number;
  /** The last flash that was seen, and the last that was sent: when, and what the counters had then. */
  seen: number;
  sent: number;
  readonly last: Monitor;
}

/** Places that take a write: DirectControl, SlowControl, ReadRegister, StatusRegister, SelectableLogic ... of the firmware. */
const WRITABLE: readonly (readonly [from: number, length: number])[] = [
  [0x00, 3],
  [0x03, SLOW_CONTROL_BYTES],
  [0x3c, 1],
  [0x3d, SLOW_CONTROL_BYTES],
  [0x76, 1],
  [0x77, 1],
  [0x78, 11],
  [0x88, 1],
  [0x100, 2],
  [0x1000, 256],
  [0x10000, 4],
  [0x10010, 3],
  [0x10030, 1],
];
const VERSION = 0xf0000000;
const MONITOR_READ = 0x10020;
const inside = (at: number, [from, length]: readonly [number, number]): boolean => at >= from && at < from + length;
const writable = (at: number): boolean => WRITABLE.some((piece) => inside(at, piece));

const flag = (about: string, otherwise: boolean): Field<boolean> => ({
  about: `${about} (otherwise ${otherwise ? 'yes' : 'no'})`,
  of: (yaml = otherwise) => (typeof yaml === 'boolean' ? yaml : new Refused('must be true or false')),
});
const number = (about: string, lo: number, hi: number, otherwise: number): Field<number> => ({
  about: `${about} (${lo} to ${hi}, otherwise ${otherwise})`,
  of: (yaml = otherwise) => (typeof yaml === 'number' && yaml >= lo && yaml <= hi ? yaml : new Refused(`must be from ${lo} to ${hi}`)),
});
const version: Field<readonly number[]> = {
  about: 'the six bytes of the version register (otherwise 1.2.3-4 of 2015-02-20)',
  of(yaml = [0x12, 0x34, 0x20, 0x15, 0x02, 0x20]) {
    const bytes: readonly unknown[] = Array.isArray(yaml) ? yaml : [];
    const good = bytes.filter((b): b is number => Number.isInteger(b) && Number(b) >= 0 && Number(b) <= 255);
    return good.length === 6 && bytes.length === 6 ? good : new Refused('must be six bytes');
  },
};

const PER_VOLT = 483.183; // Calibration.yml
const OFFSET = 780;
const BREAKDOWN = 53; // V
const OVER = 3; // V above it at which a photoelectron is GAIN counts
const GAIN = 40;
const PEDESTAL = 800;
const LOW = 10; // the high gain's counts for one of the low
const SLEW = 0.3; // s, of the bias supply
const TURN = 0x2000;
const LOOK = 0.1; // s between two looks at whether the board has something to send

const setPoint = (s: State): number => {
  const code = (s.memory.get(0x10004) ?? 0) * 256 + (s.memory.get(0x10005) ?? 0);
  return s.enabled ? Math.max(0, (code - OFFSET) / PER_VOLT) : 0;
};

function power({ running, bias, stale, lose, dark, version: v, ...setup }: Options): State {
  const code = Math.round(bias * PER_VOLT + OFFSET);
  // 0x10004 and 0x10005 are ours: what the DAC has taken, which no packet reaches.
  const memory = new Map([
    [0x10004, code >> 8],
    [0x10005, code & 0xff],
  ]);
  const chip = (): Chip => ({ shifted: new Uint8Array(SLOW_CONTROL_BYTES), settings: undefined });
  return {
    setup,
    dark,
    version: v,
    lose,
    memory,
    chips: [chip(), chip()],
    direct: [0, 0, 0],
    status: running ? 0x0f : 0,
    bias,
    enabled: bias > 0,
    stale,
    seen: 0,
    sent: 0,
    last: { select: 255, mux: 0, channel: 0, since: 0, before: 0, latched: 0 },
  };
}

/** Shift and load: DirectControl.vhd, SlowControl.vhd. */
function direct(s: State, at: number, value: number): void {
  const before = s.direct[at];
  s.direct[at] = value;
  for (const [i, chip] of s.chips.entries()) {
    if (at === 2 && value & (1 << i))
      chip.shifted = Uint8Array.from({ length: SLOW_CONTROL_BYTES }, (_, n) => s.memory.get((i === 0 ? 0x03 : 0x3d) + n) ?? 0);
    if (at === i && value & 0x20 && !(before & 0x20) && value & 0x10) chip.settings = readSlowControl(chip.shifted);
  }
}

/** HVControl.vhd: any write to the first three switches the supply on. */
function supply(s: State, at: number): void {
  s.enabled = at !== 3;
  if (at !== 2) return;
  s.memory.set(0x10004, s.memory.get(0x10000) ?? 0);
  s.memory.set(0x10005, s.memory.get(0x10001) ?? 0);
}

const CONVERSION = 0.016; // s at 125 conversions a second: before that, the value is the one before

function analog(s: State, channel: number): number {
  if (channel === 3) return s.bias / 0.00208;
  if (channel === 4) return (1e-8 + Math.max(0, s.bias - BREAKDOWN) * 4e-7) / 3.4e-8;
  if (channel === 5 || channel === 0) return ((channel === 5 ? 301.5 : 299) * 65535 * 2.4) / 4500;
  const mux = s.last.mux;
  const upper = mux >= 184 && mux <= 207;
  const base = upper ? 199 : 55;
  const odd = mux > base;
  const ch = 2 * (odd ? base + 8 - mux : base - mux) + (odd ? 1 : 0) + (upper ? 0 : 16);
  const code = s.chips[channel === 1 ? 0 : 1]?.settings?.input_dac[ch] ?? 0;
  return code & 256 ? ((code & 255) * 4.5) / 255 / 6.85e-5 : 0;
}

function adc(s: State, at: number, value: number, t: number): void {
  const m = s.last;
  if (at === 0) m.select = value;
  else if (at === 2) m.mux = value;
  else if (m.select === 240) {
    const held = t - m.since < CONVERSION ? m.before : analog(s, m.channel);
    m.latched = Math.max(0, Math.min(0xffff, Math.round(held)));
  } else if (m.select <= 10) {
    m.before = analog(s, m.channel);
    m.channel = m.select;
    m.since = t;
  }
}

function store(s: State, at: number, value: number, t: number): void {
  // The monitor ADC's are in `last`.
  if (!inside(at, [0x10010, 3])) s.memory.set(at, value);
  if (inside(at, [0x10010, 3])) adc(s, at - 0x10010, value, t);
  else if (at < 3) direct(s, at, value);
  else if (at === 0x77) s.status = value;
  else if (inside(at, [0x10000, 4])) supply(s, at - 0x10000);
}

function load(s: State, at: number): number | undefined {
  if (inside(at, [VERSION, 6])) return s.version[at - VERSION];
  if (inside(at, [MONITOR_READ, 2])) return at === MONITOR_READ ? s.last.latched >> 8 : s.last.latched & 0xff;
  return undefined; // also what can be written: nobody answers a read there, and SiTCP says bus error
}

function bus(q: RbcpAsk, s: State, t: number): RbcpTell {
  const { command, address, id = 0 } = q;
  const length = q.command === 'read' ? q.length : q.data.length;
  const places = Array.from({ length }, (_, i) => address + i);
  const said = { command, address, id, ack: true };
  if (q.command === 'write') {
    if (!places.every(writable)) return { ...said, busError: true, data: q.data };
    for (const [i, at] of places.entries()) store(s, at, q.data[i], t);
    return { ...said, busError: false, data: q.data };
  }
  const bytes = places.map((at) => load(s, at));
  const busError = bytes.includes(undefined);
  return { ...said, busError, data: Uint8Array.from(bytes, (b) => (busError ? 0 : (b ?? 0))) };
}

const suppressed = (s: State, place: number): number =>
  (s.memory.get(0x1000 + 2 * place) ?? 0) * 256 + (s.memory.get(0x1000 + 2 * place + 1) ?? 0);

/** The words of one flash: ADC of chip 1 and 2 at high gain, then at low, TDC, scalers; what the status register switches off is not there. */
function wordsOf(s: State, w: DetectorWorld, { n, t, pe }: LightEvent): number[] {
  const words: number[] = [];
  const strength = Math.max(0, (s.bias - BREAKDOWN) / OVER) * GAIN;
  const masked = (ch: number): boolean => s.chips[ch >> 5]?.settings?.mask[ch & 31] === 1;
  const noise = (name: string, ch: number): number => Math.round(4 * (uniform(w.seed, `easiroc ${name} ${ch}`, n) - 0.5));
  if (s.status & 2) {
    for (const [gain, divide, offset] of [['high', 1, 0] as const, ['low', LOW, 64] as const]) {
      for (let ch = 0; ch < 64; ch++) {
        const value = Math.round(PEDESTAL + (pe[ch] * strength * w.gain(ch, t)) / divide) + noise(gain, ch);
        if (value <= suppressed(s, offset + ch)) continue;
        words.push(adcWord(gain, ch, Math.min(4095, value), value > 4095));
      }
    }
  }
  const lit = Array.from({ length: 64 }, (_, ch) => ch).filter((ch) => pe[ch] * strength > 100 && !masked(ch));
  if (s.status & 4) {
    for (const ch of lit) words.push(tdcWord('leading', ch, 1000 + (noise('leading', ch) & 15)));
    for (const ch of lit) words.push(tdcWord('trailing', ch, 900 - Math.min(500, pe[ch])));
  }
  if (s.status & 8) {
    const gap = t - s.sent;
    let all = 0;
    for (let ch = 0; ch < 64; ch++) {
      const dark = poisson(s.dark * gap, w.seed, `easiroc dark ${ch}`, n);
      const count = masked(ch) || strength === 0 ? 0 : dark + Number(lit.includes(ch));
      all += count;
      words.push(scalerWord(ch, (count % TURN) | (count >= TURN ? TURN : 0)));
    }
    const clocks = [all, all, all, Math.floor(gap * 1e6), Math.floor(gap * 1e3 + 0.5)];
    for (const [i, count] of clocks.entries()) words.push(scalerWord(64 + i, (count % TURN) | (count >= TURN ? TURN : 0)));
  }
  s.sent = t;
  return words;
}

function events(s: State, w: DetectorWorld): readonly EasirocEvent[] {
  const fresh = w.events(s.seen);
  s.seen = fresh.at(-1)?.n ?? s.seen;
  if (!(s.status & 1)) return [];
  return fresh.map((flash) => {
    const words = wordsOf(s, w, flash);
    const whole = eventBytes(words, 'packed');
    const gone = uniform(w.seed, 'easiroc lost', flash.n) < s.lose ? 4 * (1 + (flash.n % words.length)) : whole.length;
    // What the run before has left in the board comes out first.
    const junk = Uint8Array.from({ length: s.stale }, (_, i) => (i % 4 === 0 ? 0x80 : (37 * i) & 0x7f));
    s.stale = 0;
    const bytes = Uint8Array.of(...junk, ...whole.subarray(0, gone), ...whole.subarray(gone + 4));
    return eventOf(words, easirocCounts(), bytes);
  });
}

/**
 * A board with two EASIROC chips, at power-up as a run before has left it: in acquisition with its bias on. Every flash in the detector triggers
 * it. A board takes one TCP client at a time: serve it with --one-client.
 */
export default simulator({
  options: options<Options>({
    running: flag('whether it is in acquisition', true),
    bias: number('its bias in V', 0, 90, 56),
    stale: number('bytes that lie in it from the run before', 0, 4000, 0),
    lose: number('how many of the events lose a word on the way', 0, 1, 0),
    dark: number('dark counts of each channel per second', 0, 1e6, 250),
    version,
    ...setupFields,
  }),
  links: { control: rbcp(), data: easirocEvents('packed') },
  world: detector,
  state: power,
  tick(s, w, _t, dt) {
    if (s.setup) w.configure(s.setup);
    s.setup = undefined;
    s.bias += (setPoint(s) - s.bias) * (1 - Math.exp(-dt / SLEW));
  },
  answer: { control: (q: RbcpAsk, s: State, _w: DetectorWorld, t: number) => [bus(q, s, t)] },
  oneClient: ['data'],
  unasked: { data: { every: LOOK, say: (s: State, w: DetectorWorld) => events(s, w) } },
});
