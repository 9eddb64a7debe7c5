import { firmata, MODES } from '../protocols/firmata.ts';
import { type Field, options, Refused, simulator } from '../src/simulator.ts';
import { quantity } from '../src/units.ts';
import { type Dac, dac } from './worlds/dac.ts';
import { type Chip, chip, hear, type Outside, pulseAt, reset, speak } from './worlds/firmata-chip.ts';
import { type Beam, PART_KINDS, type PartGiven, type PartKind } from './worlds/optics.ts';

type Table = Readonly<Record<string, unknown>>;
interface Options {
  /** As in the driver's options: docs/optics-board.md. */
  readonly parts: Readonly<Record<string, Table>>;
  readonly optics: Readonly<Record<string, Table>>;
  readonly contacts: Readonly<Record<string, 'open' | 'closed'>>;
  readonly levels: Readonly<Record<string, number>>;
  readonly reset_at: number | undefined;
}

/** What can go wrong with a part: it no longer moves, or its end switches stay as they are. */
export type Trouble = 'blocked' | 'switch';

interface Moving {
  readonly name: string;
  readonly pin: number;
  /** µs by position, or the level of a pin that makes the position. */
  readonly servo: Readonly<Record<string, number>> | undefined;
  readonly levels: Readonly<Record<string, boolean>> | undefined;
  /** Position in which the part is in the beam, or on. */
  readonly inside: string;
  readonly outside: string;
  readonly given: PartGiven | undefined;
  /** Seconds for the whole way: 180 degrees of a servo. */
  readonly moves: number;
  readonly ends: readonly { readonly pin: number; readonly position: string; readonly high: boolean; closed: boolean }[];
  /** µs of a servo's horn; 0 to 1 of others. */
  at: number;
  trouble: Trouble | undefined;
}
interface State {
  readonly chip: Chip;
  readonly parts: readonly Moving[];
  readonly switches: readonly { readonly name: string; readonly pin: number; readonly high: boolean }[];
  readonly analogs: readonly { readonly name: string; readonly channel: number; readonly light: boolean; readonly inverted: boolean }[];
  /** Of switches by name: true is closed. */
  readonly contacts: Record<string, boolean>;
  /** Of analog inputs by name, 0 to 1. */
  readonly levels: Record<string, number>;
  /** Registers of devices on the I2C bus, by address. */
  readonly i2c: Record<number, Record<number, number>>;
  /** Seconds of the world at which it is reset; then undefined. */
  resetAt: number | undefined;
}

const isTable = (yaml: unknown): yaml is Table => yaml !== null && typeof yaml === 'object' && !Array.isArray(yaml);
const NAMES: Readonly<Record<string, readonly [active: string, rest: string]>> = {
  shutter: ['open', 'closed'],
  mirror: ['in', 'out'],
  filter: ['in', 'out'],
  iris: ['in', 'out'],
  relay: ['on', 'off'],
  led: ['on', 'off'],
};
const WAY = 1800; // µs of 180 degrees
const NEAR = 0.03; // of the way between two positions: an end switch is pressed
const SERVO_TIME = 0.4; // s for 180 degrees
const CLICK_TIME = 0.03;
const BEAMS: readonly Beam[] = ['up', 'down', 'gauge', 'laser'];

const table = <T>(about: string, of: (given: unknown) => T | Refused): Field<Readonly<Record<string, T>>> => ({
  about,
  of(yaml) {
    if (yaml === undefined) return {};
    if (!isTable(yaml)) return new Refused('is written as "NAME: ..."');
    const out: Record<string, T> = {};
    for (const [name, given] of Object.entries(yaml)) {
      const read = of(given);
      if (read instanceof Refused) return new Refused(`${name}: ${read.why}`);
      out[name] = read;
    }
    return out;
  },
});
const isOneOf = <W extends string>(words: readonly W[], given: unknown): given is W => words.some((w) => w === given);

/** In the unit, or what would be right. */
function inUnit(yaml: unknown, unit: string): number | string {
  const read = typeof yaml === 'number' || typeof yaml === 'string' ? quantity(yaml) : `must be a quantity, not ${JSON.stringify(yaml)}`;
  if (typeof read === 'string') return read;
  return read.unit === unit ? read.value : `must be in ${unit}`;
}

const OPTICS = ['kind', 'beams', 'transmission', 'slope', 'shows', 'moves', 'at', 'fault'];
function opticsOf(given: unknown): Table | string {
  if (!isTable(given)) return 'is written as "{ beams: [up], transmission: 10 % }"';
  const strange = Object.keys(given).find((key) => !OPTICS.includes(key));
  if (strange !== undefined) return `${strange}: is not known here; known are ${OPTICS.join(', ')}`;
  const { kind, beams, transmission, slope, shows, moves, fault } = given;
  if (kind !== undefined && !isOneOf(PART_KINDS, kind)) return `kind: must be one of ${PART_KINDS.join(', ')}`;
  if (beams !== undefined && !(Array.isArray(beams) && beams.every((b) => isOneOf(BEAMS, b))))
    return `beams: must be a list of ${BEAMS.join(', ')}`;
  if (shows !== undefined && !isOneOf(['lamp', 'neon', 'dark'], shows)) return 'shows: must be lamp, neon or dark';
  if (fault !== undefined && !isOneOf(['blocked', 'switch'], fault)) return 'fault: must be blocked or switch';
  for (const [key, value, unit] of [
    ['transmission', transmission, '1'],
    ['slope', slope, '1'],
    ['moves', moves, 's'],
  ] as const) {
    const read = value === undefined ? 0 : inUnit(value, unit);
    if (typeof read === 'string') return `${key}: ${read}`;
  }
  return given;
}

/** The pin of a board like the Uno. */
const pinOf = (given: unknown): number => (typeof given === 'string' ? 14 + Number(given.slice(1)) : Number(given));
const degrees = (given: unknown): number => (typeof given === 'number' ? given : (Number(inUnit(String(given), 'rad')) * 180) / Math.PI);
const microseconds = (given: unknown): number => (typeof given === 'number' ? given : Math.round(1e6 * Number(inUnit(String(given), 's'))));

function servoOf(given: Table): Readonly<Record<string, number>> | undefined {
  if (!isTable(given.angles)) return undefined;
  const [shortest, longest] = Array.isArray(given.pulses) ? given.pulses.map(microseconds) : [600, 2400];
  return Object.fromEntries(
    Object.entries(given.angles).map(([position, angle]) => [
      position,
      shortest + (Math.round(degrees(angle) * 1e6) / 1e6 / 180) * (longest - shortest),
    ]),
  );
}

function partGiven(kind: string, around: Table): PartGiven | undefined {
  const found: unknown = around.kind ?? kind;
  if (!isOneOf<PartKind>(PART_KINDS, found)) return undefined;
  const number = (value: unknown): number | undefined => (value === undefined ? undefined : Number(inUnit(value, '1')));
  const [transmission, slope] = [number(around.transmission), number(around.slope)];
  return {
    kind: found,
    beams: (around.beams ?? []) as readonly Beam[], // checked by opticsOf
    ...(transmission === undefined ? {} : { transmission }),
    ...(slope === undefined ? {} : { slope }),
    ...(around.shows === undefined ? {} : { shows: around.shows as NonNullable<PartGiven['shows']> }), // as above
  };
}

function movingOf(name: string, given: Table, around: Table): Moving {
  const kind = String(given.part);
  const servo = servoOf(given);
  const [active, rest] = NAMES[kind] ?? Object.keys(servo ?? {});
  const high = given.active !== 'low';
  const [inside, outside] = kind === 'shutter' ? [rest, active] : [active, rest];
  const levels = servo ? undefined : { [active]: high, [rest]: !high };
  const at = String(around.at ?? rest);
  const moves = around.moves === undefined ? (servo ? SERVO_TIME : CLICK_TIME) : Number(inUnit(around.moves, 's'));
  const ends = Object.entries(isTable(given.ends) ? given.ends : {}).map(([position, one]) => {
    const contact: Table = isTable(one) ? one : { pin: one };
    return { pin: pinOf(contact.pin), position, high: contact.active === 'high', closed: false };
  });
  return {
    name,
    pin: pinOf(given.pin),
    servo,
    levels,
    inside,
    outside,
    given: partGiven(kind, around),
    moves,
    ends,
    // Pins of a board that is on are low until somebody sets them.
    at: servo ? (servo[at] ?? 1500) : levels?.[inside] === false ? 1 : 0,
    trouble: around.fault as Trouble | undefined, // checked by opticsOf
  };
}

const placeOf = (p: Moving, position: string): number => (p.servo ? (p.servo[position] ?? 0) : position === p.inside ? 1 : 0);
/** 0 is out of the beam, 1 is in it. */
function inBeam(p: Moving): number {
  const [out, inn] = [placeOf(p, p.outside), placeOf(p, p.inside)];
  return Math.max(0, Math.min(1, (p.at - out) / (inn - out)));
}

function step(p: Moving, c: Chip, dt: number): void {
  if (p.trouble !== 'blocked') {
    const level = c.booting === undefined && c.modes[p.pin] === MODES.output && c.levels[p.pin];
    const target = p.servo ? pulseAt(c, p.pin) : p.levels?.[p.inside] === level ? 1 : 0;
    const far = p.servo ? WAY : 1;
    const most = p.moves > 0 ? (far * dt) / p.moves : far;
    if (target !== undefined) p.at += Math.max(-most, Math.min(most, target - p.at));
  }
  if (p.trouble === 'switch') return;
  const way = Math.abs(placeOf(p, p.inside) - placeOf(p, p.outside));
  for (const end of p.ends) end.closed = Math.abs(p.at - placeOf(p, end.position)) <= NEAR * way;
}

/** A contact closes to ground, or to the supply where `high`; what is open is held by the pull-up, or floats. */
const atPin = (closed: boolean, high: boolean, pullUp: boolean): boolean => (closed ? high : high ? false : pullUp);

function outsideOf(s: State, w: Dac): Outside {
  return {
    level(pin, pullUp) {
      const contact = s.switches.find((one) => one.pin === pin);
      if (contact) return atPin(s.contacts[contact.name] ?? false, contact.high, pullUp);
      const end = s.parts.flatMap((p) => p.ends).find((one) => one.pin === pin);
      return end ? atPin(end.closed, end.high, pullUp) : pullUp;
    },
    analog(channel) {
      const one = s.analogs.find((a) => a.channel === channel);
      if (!one) return 0;
      const level = one.light ? w.optics.photodiode() + 0.0005 * w.noise(`analog ${one.name}`) : (s.levels[one.name] ?? 0.5);
      return one.inverted ? 1 - level : level;
    },
    i2c(address, register, count) {
      const device = s.i2c[address];
      return device && Array.from({ length: count }, (_, i) => device[register + i] ?? 0);
    },
    written(address, [register, ...bytes]) {
      const device = s.i2c[address];
      if (device && register !== undefined) for (const [i, byte] of bytes.entries()) device[register + i] = byte;
    },
  };
}

/** An Arduino Uno with StandardFirmata 2.5, switched on long before the world began, and what is wired to it. Written from docs/optics-board.md and its firmware. */
export default simulator({
  options: options<Options>({
    parts: table('the parts of the driver', (given) => (isTable(given) ? given : new Refused('must be a table'))),
    optics: table('NAME: { beams, transmission, slope, shows, kind, moves, at, fault } of each part in the light', (given) => {
      const read = opticsOf(given);
      return typeof read === 'string' ? new Refused(read) : read;
    }),
    contacts: table('NAME: closed | open, of switches; otherwise closed', (given) =>
      isOneOf(['open', 'closed'], given) ? given : new Refused('must be closed or open'),
    ),
    levels: table('NAME: 0 to 100 %, of analog inputs; otherwise 50 %', (given) => {
      const read = inUnit(given, '1');
      if (typeof read === 'string') return new Refused(read);
      return read >= 0 && read <= 1 ? read : new Refused('must be 0 to 100 %');
    }),
    reset_at: {
      about: 'seconds after which the board is reset; 0 s is a board that is reset when its port is opened',
      of(yaml) {
        const read = yaml === undefined ? undefined : inUnit(yaml, 's');
        return typeof read === 'string' ? new Refused(read) : read;
      },
    },
  }),
  links: { main: firmata() },
  state: ({ parts = {}, optics = {}, contacts = {}, levels = {}, reset_at }: Partial<Options>): State => {
    const all = Object.entries(parts);
    const switches = all
      .filter(([, p]) => p.part === 'switch')
      .map(([name, p]) => ({ name, pin: pinOf(p.pin), high: p.active === 'high' }));
    const isInput = (p: Table): boolean => isOneOf(['switch', 'analog', 'photodiode'], p.part);
    return {
      chip: chip(),
      parts: all.filter(([, p]) => !isInput(p)).map(([name, p]) => movingOf(name, p, optics[name] ?? {})),
      switches,
      analogs: all
        .filter(([, p]) => p.part === 'analog' || p.part === 'photodiode')
        .map(([name, p]) => ({ name, channel: pinOf(p.pin) - 14, light: p.part === 'photodiode', inverted: p.inverted === true })),
      contacts: Object.fromEntries(switches.map(({ name }) => [name, contacts[name] !== 'open'])),
      levels: { ...levels },
      i2c: {},
      resetAt: reset_at,
    };
  },
  world: dac,
  answer: { main: (q, s, w, t) => q.flatMap((command) => hear(s.chip, command, t, outsideOf(s, w))) },
  unasked: { main: { every: 0.005, say: (s, w, t) => speak(s.chip, t, outsideOf(s, w)) } },
  tick(s, w, t, dt) {
    if (s.resetAt !== undefined && t >= s.resetAt) {
      s.resetAt = undefined;
      reset(s.chip, t);
    }
    for (const p of s.parts) {
      step(p, s.chip, dt);
      if (p.given) w.optics.part(p.name, p.given).in = inBeam(p);
    }
  },
});
