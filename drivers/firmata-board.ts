import { type FirmataAsk, type FirmataCommand, type FirmataTell, firmata, isAnswered } from '../protocols/firmata.ts';
import {
  type Drive,
  drivenTo,
  isPinName,
  levelOf,
  orderOf,
  type PinName,
  type Pins,
  pinOf,
  portOf,
  portQuestion,
  quietly,
  resolution,
  settledAt,
} from '../protocols/firmata-pins.ts';
import {
  type Actors,
  type Askers,
  type Body,
  bad,
  type Came,
  type Command,
  type Field,
  type Given,
  type Here,
  instrument,
  type Kinds,
  NoReply,
  options,
  type Poll,
  poll,
  Refused,
  type Stream,
  type Talk,
  type Values,
} from '../src/instrument.ts';
import { quantity, type Unit } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof firmata> };

/** A contact: `high` is the level that means closed, pressed, arrived. */
interface Contact {
  readonly pin: PinName;
  readonly high: boolean;
  readonly pullUp: boolean;
}
interface Output {
  readonly is: 'output';
  readonly kind: string;
  readonly pin: PinName;
  readonly positions: readonly string[];
  readonly drive: Drive;
  readonly ends: Readonly<Record<string, Contact>>;
  /** Seconds. */
  readonly settle: number;
  readonly safe?: string;
}
interface Switch extends Contact {
  readonly is: 'switch';
}
interface Analog {
  readonly is: 'analog';
  readonly pin: PinName;
  readonly full: number;
  readonly unit: Unit;
  readonly inverted: boolean;
}
type Part = Output | Switch | Analog;
type Parts = Readonly<Record<string, Part>>;
/** What identify has found out: numbers of the pins that the parts name, channels of those that are analog, bits of each channel. */
interface Id {
  readonly firmware: string;
  readonly pins: Readonly<Record<string, number>>;
  readonly channels: Readonly<Record<string, number>>;
  readonly bits: Readonly<Record<string, number>>;
}

/** Positions by kind: the one that an active output makes stands first. */
const OUTPUTS: Readonly<Record<string, readonly [string, string]>> = {
  shutter: ['open', 'closed'],
  mirror: ['in', 'out'],
  filter: ['in', 'out'],
  iris: ['in', 'out'],
  relay: ['on', 'off'],
  led: ['on', 'off'],
};
const KINDS = [...Object.keys(OUTPUTS), 'servo', 'photodiode', 'analog', 'switch'];
const TAKEN = ['firmware', 'reset', 'message'];
const STATES = ['moving', 'unknown', 'stuck'] as const;
const MOVE = 0.5; // s, of a hobby servo through its whole range
const CLICK = 0.1; // s, of a relay or a solenoid
const LONGEST_SETTLE = 60;

type Table = Readonly<Record<string, unknown>>;
const isTable = (yaml: unknown): yaml is Table => yaml !== null && typeof yaml === 'object' && !Array.isArray(yaml);
/** Thrown and caught within the reading of the options alone: what it says becomes a Refused. */
class Wrong extends Error {}
const wrong = (why: string): never => {
  throw new Wrong(why);
};
const keysOf = (at: string, given: Table, known: readonly string[]): void => {
  const strange = Object.keys(given).find((key) => !known.includes(key));
  if (strange !== undefined) wrong(`${at}${strange}: is not known here; known are ${known.join(', ')}`);
};
const inUnit = (at: string, yaml: unknown, unit: Unit, like: string, scale = 1): number => {
  if (typeof yaml === 'number' && scale !== 1) return yaml * scale;
  const read = typeof yaml === 'string' || typeof yaml === 'number' ? quantity(yaml) : `must be a quantity such as "${like}"`;
  if (typeof read === 'string') return wrong(`${at}: ${read}`);
  return read.unit === unit ? read.value : wrong(`${at}: must be a quantity such as "${like}", not ${JSON.stringify(yaml)}`);
};
const flag = (at: string, yaml: unknown, otherwise: boolean): boolean =>
  yaml === undefined ? otherwise : typeof yaml === 'boolean' ? yaml : wrong(`${at}: must be true or false, not ${JSON.stringify(yaml)}`);
const level = (at: string, yaml: unknown, otherwise: 'high' | 'low'): boolean => {
  const given = yaml ?? otherwise;
  return given === 'high' || given === 'low' ? given === 'high' : wrong(`${at}: must be high or low, not ${JSON.stringify(yaml)}`);
};
const pinAt = (at: string, yaml: unknown): PinName =>
  isPinName(yaml)
    ? yaml
    : wrong(
        `${at}: ${yaml === undefined ? 'is needed: ' : ''}a pin is a whole number from 2 to 127 or a name from A0 to A15${yaml === undefined ? '' : `, not ${JSON.stringify(yaml)}`}`,
      );

function contact(at: string, yaml: unknown): Contact {
  if (!isTable(yaml)) return { pin: pinAt(at, yaml), high: false, pullUp: true };
  keysOf(`${at}: `, yaml, ['pin', 'active', 'pull_up']);
  return {
    pin: pinAt(`${at}: pin`, yaml.pin),
    high: level(`${at}: active`, yaml.active, 'low'),
    pullUp: flag(`${at}: pull_up`, yaml.pull_up, true),
  };
}

/** Angles in degrees to pulses, as johnny-five does: 0 and 180 degrees are the shortest and the longest, fractions of µs are cut off. */
function angles(at: string, yaml: unknown, [shortest, longest]: readonly [number, number]): Readonly<Record<string, number>> {
  if (!isTable(yaml) || Object.keys(yaml).length < 2)
    return wrong(`${at}: is needed: the angle of each position, such as { open: 20 deg, closed: 110 deg }`);
  const out: Record<string, number> = {};
  for (const [position, given] of Object.entries(yaml)) {
    if (!/^[A-Za-z]\w*$/.test(position) || STATES.some((s) => s === position)) wrong(`${at}: "${position}" is no name of a position`);
    const degrees = (inUnit(`${at}: ${position}`, given, 'rad', '20 deg', Math.PI / 180) * 180) / Math.PI;
    const rounded = Math.round(degrees * 1e6) / 1e6; // of the way through radians
    if (!(rounded >= 0 && rounded <= 180)) wrong(`${at}: ${position}: must be an angle from 0 to 180 deg, not ${JSON.stringify(given)}`);
    out[position] = Math.trunc((rounded * (longest - shortest)) / 180 + shortest);
  }
  if (new Set(Object.values(out)).size < Object.keys(out).length) wrong(`${at}: two positions have the same angle`);
  return out;
}

function pulses(at: string, yaml: unknown): readonly [number, number] | undefined {
  if (yaml === undefined) return undefined;
  if (!Array.isArray(yaml) || yaml.length !== 2) return wrong(`${at}: must be the pulses for 0 and 180 degrees, such as [600 us, 2400 us]`);
  const [a, b] = yaml.map((one: unknown) => Math.round(inUnit(at, one, 's', '600 us', 1e-6) * 1e6));
  return a >= 544 && b <= 2400 && a < b ? [a, b] : wrong(`${at}: must rise and be from 544 us to 2400 us`);
}

function output(at: string, kind: string, given: Table): Output {
  const servo = kind === 'servo' || given.angles !== undefined;
  keysOf(at, given, ['part', 'pin', 'ends', 'settle', 'safe', ...(servo ? ['angles', 'pulses'] : ['active'])]);
  const names = OUTPUTS[kind];
  const range = pulses(`${at}pulses`, given.pulses);
  const active = servo ? true : level(`${at}active`, given.active, 'high');
  const drive: Drive = servo
    ? { servo: angles(`${at}angles`, given.angles, range ?? [600, 2400]), ...(range ? { range } : {}) }
    : { levels: { [names[0]]: active, [names[1]]: !active } };
  const positions = Object.keys('servo' in drive ? drive.servo : drive.levels);
  if (servo && names && positions.some((p) => !names.includes(p)))
    wrong(`${at}angles: the positions of a ${kind} are ${names.join(' and ')}; one with others is a servo`);
  const ends: Record<string, Contact> = {};
  if (given.ends !== undefined && !isTable(given.ends)) wrong(`${at}ends: must be the pin of each end, such as { ${positions[0]}: 4 }`);
  for (const [position, one] of Object.entries(given.ends ?? {})) {
    if (!positions.includes(position)) wrong(`${at}ends: ${position}: is no position; they are ${positions.join(', ')}`);
    ends[position] = contact(`${at}ends: ${position}`, one);
  }
  const settle =
    given.settle === undefined
      ? servo
        ? MOVE
        : kind === 'relay' || kind === 'led'
          ? 0
          : CLICK
      : inUnit(`${at}settle`, given.settle, 's', '0.5 s');
  if (!(settle >= 0 && settle <= LONGEST_SETTLE)) wrong(`${at}settle: must be 0 to ${LONGEST_SETTLE} s`);
  const { safe } = given;
  const position = typeof safe === 'boolean' ? (safe ? 'on' : 'off') : safe;
  if (position !== undefined && (typeof position !== 'string' || !positions.includes(position)))
    wrong(`${at}safe: must be one of ${positions.join(', ')}, not ${JSON.stringify(safe)}`);
  const base = { is: 'output', kind, pin: pinAt(`${at}pin`, given.pin), positions, drive, ends, settle } as const;
  return typeof position === 'string' ? { ...base, safe: position } : base;
}

function part(at: string, given: unknown): Part {
  if (!isTable(given)) return wrong(`${at}must be a table such as { part: shutter, pin: 9, angles: { open: 20 deg, closed: 110 deg } }`);
  const kind = given.part;
  if (typeof kind !== 'string' || !KINDS.includes(kind))
    return wrong(`${at}part: must be one of ${KINDS.join(', ')}${kind === undefined ? '' : `, not ${JSON.stringify(kind)}`}`);
  if (kind === 'switch') {
    keysOf(at, given, ['part', 'pin', 'active', 'pull_up']);
    return {
      is: 'switch',
      pin: pinAt(`${at}pin`, given.pin),
      high: level(`${at}active`, given.active, 'low'),
      pullUp: flag(`${at}pull_up`, given.pull_up, true),
    };
  }
  if (kind !== 'analog' && kind !== 'photodiode') return output(at, kind, given);
  keysOf(at, given, ['part', 'pin', 'full', 'inverted']);
  const full =
    given.full === undefined
      ? { value: 1, unit: '1' as const }
      : typeof given.full === 'string' || typeof given.full === 'number'
        ? quantity(given.full)
        : 'must be a quantity such as "5 V"';
  if (typeof full === 'string') return wrong(`${at}full: ${full}`);
  return {
    is: 'analog',
    pin: pinAt(`${at}pin`, given.pin),
    full: full.value,
    unit: full.unit,
    inverted: flag(`${at}inverted`, given.inverted, false),
  };
}

const contactsOf = (p: Part): readonly Contact[] => (p.is === 'switch' ? [p] : p.is === 'output' ? Object.values(p.ends) : []);
const pinsOf = (p: Part): readonly PinName[] => (p.is === 'switch' ? [p.pin] : [p.pin, ...contactsOf(p).map((c) => c.pin)]);

const parts: Field<Parts> = {
  about:
    'NAME: { part: shutter | mirror | filter | iris | relay | led | servo | photodiode | analog | switch, pin, ... } of each part; docs/optics-board.md',
  of(yaml) {
    if (yaml === undefined) return {};
    if (!isTable(yaml)) return new Refused('is written as "NAME: { part: shutter, pin: 9, ... }"');
    const out: Record<string, Part> = {};
    const owner = new Map<PinName, string>();
    try {
      for (const [name, given] of Object.entries(yaml)) {
        if (!/^[A-Za-z]\w*$/.test(name) || name.includes('_at_') || TAKEN.includes(name))
          wrong(`"${name}" is no name for a part: letters, digits and _, and not ${TAKEN.join(', ')}`);
        const read = part(`${name}: `, given);
        for (const pin of pinsOf(read)) {
          if (owner.has(pin)) wrong(`${name}: the pin ${pin} is already used by ${owner.get(pin)}`);
          owner.set(pin, name);
        }
        out[name] = read;
      }
    } catch (error) {
      if (error instanceof Wrong) return new Refused(error.message);
      throw error;
    }
    return out;
  },
};

const NO_PULL_UP = ': it needs firmware of protocol 2.5, or a resistor and "pull_up: false"';

/** What a part needs of each of its pins, and why the board is not taken: with the part, the pin and the mode. */
function lacking(all: Parts, pins: Pins, protocol: string): string | undefined {
  const drivers = new Map<number, string>();
  const owners = new Map<number, string>();
  for (const [name, p] of Object.entries(all)) {
    const wants = [
      ...(p.is === 'output'
        ? [[p.pin, 'servo' in p.drive ? 'servo' : 'output'] as const]
        : p.is === 'analog'
          ? [[p.pin, 'analog'] as const]
          : []),
      ...contactsOf(p).map((c) => [c.pin, c.pullUp ? 'pullup' : 'input'] as const),
    ];
    for (const [named, mode] of wants) {
      const pin = pinOf(named, pins);
      if (pin === undefined) return `${name}: the board has no pin ${named}`;
      const other = owners.get(pin);
      if (other !== undefined && other !== name) return `${name}: the pin ${named} is already used by ${other}`;
      owners.set(pin, name);
      if (resolution(pins, pin, mode) === undefined)
        return `${name}: the pin ${named} of this board has no mode "${mode}"${mode === 'pullup' ? NO_PULL_UP : ''}`;
      if (mode !== 'output') continue;
      const beside = drivers.get(portOf(pin));
      if (beside !== undefined && !/^2\.([5-9]|\d\d)|^[3-9]/.test(protocol))
        return `${name}: ${beside} is on the same port of eight pins, and firmware of protocol ${protocol} can only set both at once: it needs 2.5`;
      drivers.set(portOf(pin), name);
    }
  }
  return undefined;
}

function* ask<S extends FirmataTell['say']>(askers: Askers<L>, q: FirmataAsk, say: S): Talk<Extract<FirmataTell, { say: S }>> {
  const m = yield* askers.main.ask(q);
  if (m.say !== say) throw new NoReply(`the answer is of another kind (${m.say})`);
  return m as Extract<FirmataTell, { say: S }>; // its kind has just been looked at
}

const FIRMWARE: FirmataCommand = { do: 'firmware' };
const REBOOTED = 'the board has been reset: where this part is, is not known until it is ordered anew';
const LOOK = 0.2; // s between two looks at an output or a port, beside what the board reports by itself
const SAMPLE = 0.5; // s, of an analog input, which the board reports every 19 ms by itself
const LIVE = 2; // s
const ARRIVAL = 1; // s that an order's readback is given beyond the part's own time

/** What is remembered of an output between two looks. */
interface Memory {
  readonly name: string;
  readonly part: Output;
  readonly pin: number;
  readonly ends: readonly (readonly [position: string, contact: Contact, pin: number])[];
  /** Counts orders and resets: what was asked before one of them says nothing. */
  epoch: number;
  /** Where it has been sent, and since when (µs) as far as answers tell; `over`: its time to settle has passed. */
  going?: { readonly target: string; since?: number; over?: boolean };
  /** Where it was last seen to be driven by an order. */
  arrived?: string;
  drive?: string;
  /** Its pin has been looked at since its last order. */
  seen: boolean;
  lost: boolean;
}
interface Looked {
  readonly epoch: number;
  readonly pin: Extract<FirmataTell, { say: 'pin state' }>;
  /** The end switches; absent where their inputs have only just been set up. */
  readonly ends?: Readonly<Record<string, boolean>>;
}

function where(o: Memory, ends: Readonly<Record<string, boolean>>, t: number): Given<'state'> {
  const { going, part, drive } = o;
  if (going) {
    const { target } = going;
    const there = ends[target] === true && drive === target && settledAt(ends, drive) === target;
    going.since ??= t;
    if (!there && !going.over && t - going.since < part.settle * 1e6) return 'moving';
    o.going = undefined;
    o.arrived = drive === target ? target : undefined;
  }
  // Something else than our order has changed what drives it: a reset that nobody has told.
  if (o.arrived !== undefined && drive !== o.arrived) forget(o);
  if (o.lost) return part.safe === undefined ? 'unknown' : bad(REBOOTED);
  return settledAt(ends, drive);
}

function forget(o: Memory): void {
  o.epoch++;
  o.lost = true;
  o.seen = false;
  o.going = o.arrived = o.drive = undefined;
}

/** `moving` is given before a byte goes: what was exposed from then on was exposed while the part moved. */
function* move(o: Memory, target: string, alone: boolean, act: Actors<L>, here: Here): Talk<void> {
  // The same order again does not begin the move anew.
  if (o.going?.target !== target) o.going = { target };
  o.lost = false;
  o.seen = false;
  o.arrived = o.drive = undefined;
  const epoch = ++o.epoch;
  yield* here.give({ [o.name]: 'moving' });
  try {
    yield* act.main.send(orderOf(o.pin, o.part.drive, target, alone));
  } catch (error) {
    if (o.epoch === epoch) o.going = undefined;
    throw error;
  }
  yield* here.wait(o.part.settle);
  if (o.epoch === epoch && o.going) o.going.over = true;
}

/** Another's commands, such as johnny-five's: whole ones, and none that sets an output. They go between our own. */
function* passOn(act: Actors<L>, bytes: Uint8Array): Talk<Uint8Array | undefined> {
  const q = quietly(bytes);
  const last = q?.at(-1);
  if (!q || !last) throw new NoReply('not passed on: only whole questions and settings of inputs are');
  if (isAnswered(last)) return firmata().tells.encode(yield* act.main.exchange(q));
  yield* act.main.send(q);
  return undefined;
}

function bodyOf(all: Parts, id: Id): Body<L> {
  const numbered = (pin: PinName): number => id.pins[String(pin)] ?? 0; // every pin of the parts has been looked up by identify
  const entries = Object.entries(all);
  const outputs = entries.flatMap(([name, p]): Memory[] =>
    p.is === 'output'
      ? [
          {
            name,
            part: p,
            pin: numbered(p.pin),
            ends: Object.entries(p.ends).map(([at, c]) => [at, c, numbered(c.pin)]),
            epoch: 0,
            seen: false,
            lost: false,
          },
        ]
      : [],
  );
  /** Contacts are flags: switches by their name, end switches as NAME_at_POSITION. */
  const contacts = [
    ...entries.flatMap(([name, p]) => (p.is === 'switch' ? [{ name, contact: p, pin: numbered(p.pin) }] : [])),
    ...outputs.flatMap((o) => o.ends.map(([at, contact, pin]) => ({ name: `${o.name}_at_${at}`, contact, pin }))),
  ];
  const analogs = entries.flatMap(([name, p]) => (p.is === 'analog' ? [{ name, part: p, channel: id.channels[String(p.pin)] ?? 0 }] : []));
  const ports = new Map<number, { readonly question: FirmataAsk; bits?: number }>();
  for (const port of new Set(contacts.map((c) => portOf(c.pin)))) {
    const inputs = contacts.filter((c) => portOf(c.pin) === port).map(({ pin, contact }) => ({ pin, pullUp: contact.pullUp }));
    ports.set(port, { question: portQuestion(port, inputs) });
  }
  const digital = (o: Memory): boolean => 'levels' in o.part.drive;
  const isAlone = (o: Memory): boolean => !outputs.some((other) => other !== o && digital(other) && portOf(other.pin) === portOf(o.pin));

  /** Undefined where its inputs have only just been set up: what it says then may be from before. */
  function* look(askers: Askers<L>, port: number): Talk<number | undefined> {
    const one = ports.get(port);
    if (!one) return undefined;
    const known = one.bits !== undefined;
    const { bits } = yield* ask(askers, one.question, 'port');
    one.bits = bits;
    return known ? bits : undefined;
  }
  const closed = (contact: Contact, pin: number, bits: number): boolean => levelOf(bits, pin) === contact.high;
  const endsOf = (o: Memory): Readonly<Record<string, boolean>> | undefined => {
    const seen = o.ends.map(([at, contact, pin]) => [at, contact, pin, ports.get(portOf(pin))?.bits] as const);
    if (seen.some(([, , , bits]) => bits === undefined)) return undefined;
    return Object.fromEntries(seen.map(([at, contact, pin, bits = 0]) => [at, closed(contact, pin, bits)]));
  };
  const flags = (port: number, bits: number): Values<Kinds> =>
    Object.fromEntries(contacts.filter((s) => portOf(s.pin) === port).map((s) => [s.name, closed(s.contact, s.pin, bits)]));
  const scaled = ({ part: p, channel }: (typeof analogs)[number], value: number): number => {
    const portion = value / (2 ** (id.bits[String(channel)] ?? 10) - 1);
    return p.full * (p.inverted ? 1 - portion : portion);
  };

  const outputPoll = (o: Memory): Poll<L, Kinds, Looked> => ({
    gives: { [o.name]: 'state' },
    every: LOOK,
    *talk(askers) {
      const { epoch } = o;
      const pin = yield* ask(askers, [{ do: 'pin state', pin: o.pin }], 'pin state');
      let ready = true;
      for (const port of new Set(o.ends.map(([, , n]) => portOf(n)))) if ((yield* look(askers, port)) === undefined) ready = false;
      return ready ? { epoch, pin, ends: endsOf(o) } : { epoch, pin };
    },
    read(m, came) {
      if (m.epoch !== o.epoch) return o.going ? { [o.name]: 'moving' } : {};
      o.drive = drivenTo(o.part.drive, m.pin);
      o.seen = true;
      return m.ends ? { [o.name]: where(o, m.ends, came.t) } : {};
    },
    example: [
      {
        epoch: 0,
        pin: { say: 'pin state', pin: o.pin, mode: 0, state: 0 },
        ends: Object.fromEntries(o.ends.map(([at], i) => [at, i === 0])),
      },
      { [o.name]: o.ends[0]?.[0] ?? 'unknown' },
    ],
    words: { [o.name]: [...o.part.positions, ...STATES] },
  });

  const portPoll = (port: number): Poll<L, Kinds, number | undefined> => {
    const mine = contacts.filter((s) => portOf(s.pin) === port);
    return {
      gives: Object.fromEntries(mine.map((s) => [s.name, 'flag'])),
      every: LOOK,
      talk: (askers) => look(askers, port),
      read: (bits) => (bits === undefined ? {} : flags(port, bits)),
      example: [0, Object.fromEntries(mine.map((s) => [s.name, !s.contact.high]))],
    };
  };
  const portStream = (port: number): Stream<Kinds, FirmataTell> => {
    const mine = contacts.filter((s) => portOf(s.pin) === port);
    const ended = outputs.filter((o) => o.ends.some(([, , pin]) => portOf(pin) === port));
    return {
      gives: { ...Object.fromEntries(mine.map((s) => [s.name, 'flag'])), ...Object.fromEntries(ended.map((o) => [o.name, 'state'])) },
      takes: (m) => m.say === 'port' && m.port === port && ports.get(port)?.bits !== undefined,
      read(m, came: Came) {
        if (m.say !== 'port') return {};
        const one = ports.get(port);
        if (one) one.bits = m.bits;
        const states = ended
          .filter((o) => o.seen)

          .map((o) => [o, endsOf(o)] as const)
          .flatMap(([o, ends]) => (ends ? [[o.name, where(o, ends, came.t)] as const] : []));
        return { ...flags(port, m.bits), ...Object.fromEntries(states) };
      },
      example: [{ say: 'port', port, bits: 0 }, Object.fromEntries(mine.map((s) => [s.name, !s.contact.high]))],
    };
  };
  const analogPoll = (a: (typeof analogs)[number]): Poll<L, Kinds, FirmataTell> =>
    poll<L, Kinds>({
      ask: [{ do: 'report analog', channel: a.channel, on: true }],
      every: SAMPLE,
      gives: { [a.name]: a.part.unit },
      read: (m) => (m.say === 'analog' ? { [a.name]: scaled(a, m.value) } : {}),
      example: [{ say: 'analog', channel: a.channel, value: 0 }, { [a.name]: a.part.inverted ? a.part.full : 0 }],
      resolution: { [a.name]: Math.abs(a.part.full) / 2 ** (id.bits[String(a.channel)] ?? 10) },
    });
  const analogStream = (a: (typeof analogs)[number]): Stream<Kinds, FirmataTell> => ({
    gives: { [a.name]: a.part.unit },
    takes: (m) => m.say === 'analog' && m.channel === a.channel,
    read: (m) => (m.say === 'analog' ? { [a.name]: scaled(a, m.value) } : {}),
    example: [
      { say: 'analog', channel: a.channel, value: 2 ** (id.bits[String(a.channel)] ?? 10) - 1 },
      { [a.name]: a.part.inverted ? 0 : a.part.full },
    ],
  });

  const resetStream: Stream<Kinds, FirmataTell> = {
    gives: { reset: 'flag', ...Object.fromEntries(outputs.map((o) => [o.name, 'state'])) },
    // The version is asked by identify alone: in mid-session it says that the board has begun anew.
    takes: (m) => m.say === 'version',
    read() {
      for (const o of outputs) forget(o);
      for (const one of ports.values()) one.bits = undefined;
      return { reset: true, ...Object.fromEntries(outputs.map((o) => [o.name, bad(REBOOTED)])) };
    },
    example: [{ say: 'version', major: 2, minor: 5 }, { reset: true }],
  };
  const otherStream: Stream<Kinds, FirmataTell> = {
    gives: { message: 'state' },
    takes: (m) => ['string', 'firmware', 'port', 'analog', 'i2c', 'sysex'].includes(m.say),
    read: (m) => (m.say === 'string' && m.text !== '' ? { message: m.text } : {}),
    example: [{ say: 'string', text: 'Unknown pin mode' }, { message: 'Unknown pin mode' }],
  };

  return {
    tunnel: (act, _address, bytes) => passOn(act, bytes),
    gives: { message: 'state', ...Object.fromEntries(outputs.map((o) => [o.name, 'state'])) },
    known: { message: 'none' },
    polls: [
      poll<L, { firmware: 'state'; reset: 'flag' }>({
        ask: [FIRMWARE],
        every: LIVE,
        gives: { firmware: 'state', reset: 'flag' },
        read: (m) => (m.say === 'firmware' ? { firmware: `${m.name} ${m.major}.${m.minor}`, reset: outputs.some((o) => o.lost) } : {}),
        example: [
          { say: 'firmware', major: 2, minor: 5, name: 'StandardFirmata.ino' },
          { firmware: 'StandardFirmata.ino 2.5', reset: false },
        ],
      }),
      ...outputs.map(outputPoll),
      ...[...ports.keys()].map(portPoll),
      ...analogs.map(analogPoll),
    ],
    streams: { main: [resetStream, ...[...ports.keys()].map(portStream), ...analogs.map(analogStream), otherStream] },
    commands: Object.fromEntries(
      outputs.map((o): readonly [string, Command<L, 'state'>] => {
        const { kind, positions, settle, safe } = o.part;
        const base: Command<L, 'state'> = {
          takes: 'state',
          words: positions,
          talk: (act, value, _index, here) => move(o, value, isAlone(o), act, here),
          readback: { channel: o.name, within: settle + ARRIVAL, by: 0 },
          about: `sets the ${kind} on pin ${o.part.pin}: ${positions.join(', ')}`,
        };
        return [o.name, safe === undefined ? base : { ...base, safe }];
      }),
    ),
  };
}

/**
 * Optics on a board with StandardFirmata: shutters, mirrors, filters, relays, LEDs, photodiodes and contacts, as the rig's `parts` name
 * them. Connecting moves nothing: an output gets its mode with its first order, and inputs are set up by the question that reads them.
 */
export default instrument<L, { readonly parts: Parts }, Id>({
  model: 'Optics on a Firmata board',
  source: 'firmata/protocol (protocol.md, servos.md); firmata/arduino StandardFirmata.ino, run on simavr (2.4), not on hardware',
  proven: 'manual',
  options: options<{ readonly parts: Parts }>({ parts }),
  links: { main: firmata() },
  proof: { main: { ask: () => [{ do: 'end' }, FIRMWARE], is: (m) => m.say === 'firmware' } },
  within: 0.5,
  *identify(askers, { parts: all }) {
    const { name, major, minor } = yield* ask(askers, [FIRMWARE], 'firmware');
    const version = yield* ask(askers, [{ do: 'version' }], 'version');
    const { pins: modes } = yield* ask(askers, [{ do: 'capabilities' }], 'capabilities');
    const { channels } = yield* ask(askers, [{ do: 'mapping' }], 'mapping');
    const pins = { modes, channels };
    const why = lacking(all, pins, `${version.major}.${version.minor}`);
    if (why !== undefined) return new Refused(`the board (${name} ${major}.${minor}) does not fit: ${why}`);
    const found = [...new Set(Object.values(all).flatMap(pinsOf))].map((named) => [String(named), pinOf(named, pins) ?? 0] as const);
    const inputs = Object.values(all).flatMap((p) => (p.is === 'analog' ? [[String(p.pin), pinOf(p.pin, pins) ?? 0] as const] : []));
    return {
      firmware: `${name} ${major}.${minor}`,
      pins: Object.fromEntries(found),
      channels: Object.fromEntries(inputs.map(([named, pin]) => [named, channels[pin]])),
      bits: Object.fromEntries(inputs.map(([, pin]) => [String(channels[pin]), resolution(pins, pin, 'analog') ?? 10])),
    };
  },
  body: ({ parts: all }, id) => bodyOf(all, id),
});
