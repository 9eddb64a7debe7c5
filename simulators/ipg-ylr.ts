import { ipg } from '../protocols/ipg.ts';
import { decimal } from '../protocols/text.ts';
import { options, simulator, terminator, whole, word } from '../src/simulator.ts';
import { type Dac, dac, type Laser, type Side } from './worlds/dac.ts';

type Family = 'ylr' | 'yar';
interface Options {
  readonly terminator: string;
  readonly family: Family;
  readonly side: Side;
  readonly power: number;
}

interface State {
  readonly name: string;
  readonly family: Family;
  readonly side: Side;
  readonly full: number;
  /** Status bits that the laser's surroundings set: interlock, over-temperature, module failure ... */
  readonly faults: Set<number>;
  /** Set while EMON waits: when light comes, in seconds of the world. */
  startsAt: number | undefined;
  emission: boolean;
  /** Per cent of full diode current (YLR), watts (YAR). */
  setPoint: number;
  aiming: boolean;
  analog: boolean;
  /** What the analog input asks for, 0 to 1. */
  input: number;
  hardware: boolean;
  modulation: boolean;
  aimingHardware: boolean;
  window: number;
  /** °C of the seed, which sets the wavelength (YAR). */
  seed: number;
  key: boolean;
  enabled: boolean;
}

const START_DELAY = 3; // s, the laser's own safety delay
const LEAST = 10; // per cent: no lasing below
const BLOCKS = { ylr: [1, 3, 6, 7, 10, 11, 17, 29, 30], yar: [16, 17, 19, 20] } as const;
/** Bits that RERR clears; the others go when their cause goes. */
const LATCHED = { ylr: [1, 3, 17], yar: [16, 17, 19] } as const;

function watts(s: State): number {
  if (!s.emission) return 0;
  if (s.family === 'yar') return s.setPoint;
  const part = s.analog ? s.input : s.setPoint / 100;
  return s.full * Math.max(0, (part - LEAST / 100) / (1 - LEAST / 100));
}

function off(s: State): void {
  s.emission = false;
  s.startsAt = undefined;
}

const laserOf = (s: State, w: Dac): Laser => w.laser(s.name, s.side);
const blocked = (s: State): boolean => BLOCKS[s.family].some((bit) => s.faults.has(bit));

function statusWord(s: State): number {
  const starting = s.startsAt !== undefined;
  const own: readonly (readonly [number, boolean])[] =
    s.family === 'yar'
      ? [
          [0, s.emission],
          [1, starting],
        ]
      : [
          [2, s.emission],
          [4, s.analog],
          [8, s.aiming],
          [12, s.modulation],
          [14, s.enabled],
          [15, starting],
          [21, s.key],
          [22, s.aimingHardware],
        ];
  const bits = new Set([...s.faults, ...own.filter(([, on]) => on).map(([bit]) => bit)]);
  return [...bits].reduce((word, bit) => word + 2 ** bit, 0);
}

/** A reply's value; '' repeats the command alone; `Refusal` answers "ERR: ...". */
class Refusal {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}
type Says = string | Refusal;
type Handler = (s: State, w: Dac, arg: string, t: number) => Says;

const set =
  (change: (s: State) => void): Handler =>
  (s) => {
    change(s);
    return '';
  };

function power(s: State, w: Dac): string {
  const p = watts(s);
  if (!s.emission) return 'Off';
  return p < s.full / 100 ? 'Low' : (p * (1 + 0.001 * w.noise(`${s.name} ROP`))).toFixed(1);
}

function start(s: State, _w: Dac, _arg: string, t: number): Says {
  if (s.hardware) return new Refusal('Hardware emission control is enabled');
  if (s.family === 'ylr' && !s.key) return new Refusal('Key switch is not in REM position');
  if (s.family === 'ylr' && !s.enabled) return new Refusal('Laser enable is not asserted');
  if (blocked(s)) return new Refusal('Emission cannot be turned on: error present');
  if (!s.emission) s.startsAt ??= t + START_DELAY;
  return '';
}

/** The number after a command, which a blank may or may not separate, within what the laser takes. */
function ranged(arg: string, takes: (n: number) => boolean, then: (n: number) => string): Says {
  const n = decimal(arg);
  return takes(n) ? then(n) : new Refusal('Out of range');
}

const COMMON: Readonly<Record<string, Handler>> = {
  EMON: start,
  EMOFF: set(off),
  ROP: power,
  RDC: (s, w) => (s.emission ? 12 * (watts(s) / s.full) + 0.4 + 0.01 * w.noise(`${s.name} RDC`) : 0).toFixed(2),
  RCT: (s, w) => (25 + 12 * (watts(s) / s.full) + 0.05 * w.noise(`${s.name} RCT`)).toFixed(1),
  RERR: (s) => {
    for (const bit of LATCHED[s.family]) s.faults.delete(bit);
    return '';
  },
  STA: (s) => String(statusWord(s)),
};

const FAMILIES: Readonly<Record<Family, Readonly<Record<string, Handler>>>> = {
  ylr: {
    ...COMMON,
    RMN: (s) => `YLR-${s.full}-SM-CS`,
    RFV: () => '1.0.53',
    RSN: () => '12090453',
    RCS: (s) => s.setPoint.toFixed(1),
    RNC: () => LEAST.toFixed(1),
    SDC: (s, _w, arg) => {
      if (s.analog) return new Refusal('External control is enabled');
      return ranged(
        arg,
        (n) => n === 0 || (n >= LEAST && n <= 100),
        (n) => {
          s.setPoint = Math.round(10 * n) / 10;
          return s.setPoint.toFixed(1);
        },
      );
    },
    ABN: (s) => {
      if (s.aimingHardware) return new Refusal('External aiming beam control is enabled');
      s.aiming = true;
      return '';
    },
    ABF: set((s) => (s.aiming = false)),
    EEC: set((s) => (s.analog = true)),
    DEC: set((s) => (s.analog = false)),
    ELE: set((s) => (s.hardware = true)),
    DLE: set((s) => (s.hardware = false)),
    EMOD: set((s) => (s.modulation = true)),
    DMOD: set((s) => (s.modulation = false)),
    EEABC: set((s) => (s.aimingHardware = true)),
    DEABC: set((s) => (s.aimingHardware = false)),
    RFWS: (s) => s.window.toFixed(2),
    SFWS: (s, _w, arg) =>
      ranged(
        arg,
        (n) => n >= 0 && n <= 60,
        (n) => {
          s.window = n;
          return n.toFixed(2);
        },
      ),
  },
  yar: {
    ...COMMON,
    RMN: () => 'YAR-10K-1064-LP-SF',
    RFV: () => '2.4.8',
    RSN: () => 'PA1204711',
    RPS: (s) => s.setPoint.toFixed(1),
    SPS: (s, _w, arg) =>
      ranged(
        arg,
        (n) => n === 0 || (n >= 1 && n <= s.full),
        (n) => {
          s.setPoint = n;
          return n.toFixed(1);
        },
      ),
    RNP: () => '1.0',
    RMP: (s) => s.full.toFixed(1),
    RMT: () => '55.0',
    RDPT: () => '0.1',
    RST: (s) => s.seed.toFixed(1),
    RWA: (s) => s.seed.toFixed(1),
    SWA: (s, _w, arg) =>
      ranged(
        arg,
        (n) => n >= 15 && n <= 40,
        (n) => {
          s.seed = n;
          return n.toFixed(1);
        },
      ),
  },
};

/** The command's word is letters; what follows is its number, with or without a blank between. */
function answer(line: string, s: State, w: Dac, t: number): readonly string[] {
  const [, written = '', arg = ''] = /^\s*([A-Za-z]*)\s*(.*?)\s*$/.exec(line) ?? [];
  const word = written.toUpperCase();
  const handler = FAMILIES[s.family][word];
  const says = handler ? handler(s, w, arg, t) : new Refusal('Invalid command');
  laserOf(s, w).power = watts(s);
  if (says instanceof Refusal) return [`ERR: ${says.text}`];
  return [says === '' ? word : `${word}: ${says}`];
}

/** A fibre laser on the cell of the world `dac`: 3 s from EMON to light, and nothing while one of its errors lasts. */
export default simulator({
  options: options<Options>({
    terminator: terminator('CR'),
    family: word('what answers: "yar" is an amplifier, which the driver refuses', ['ylr', 'yar'], 'ylr'),
    side: word('the side of the cell that it heats', ['up', 'down', 'both'], 'both'),
    power: whole('W at full diode current', 1, 10000, 100),
  }),
  links: ({ terminator: end = '\r' }: Partial<Options>) => ({ main: end === '\r' ? ipg() : ipg({ ask: end, tell: end }) }),
  state: ({ family = 'ylr', side = 'both', power: full = 100 }: Partial<Options>, name: string): State => ({
    name,
    family,
    side,
    full,
    faults: new Set(),
    startsAt: undefined,
    emission: false,
    setPoint: 0,
    aiming: false,
    analog: false,
    input: 0,
    hardware: false,
    modulation: false,
    aimingHardware: false,
    window: 0.5,
    seed: 25,
    key: true,
    enabled: true,
  }),
  world: dac,
  answer: { main: answer },
  tick(s, w, t) {
    if (blocked(s) || !(s.enabled || s.family === 'yar')) off(s);
    if (s.startsAt !== undefined && t >= s.startsAt) {
      s.emission = true;
      s.startsAt = undefined;
    }
    laserOf(s, w).power = watts(s);
  },
});
