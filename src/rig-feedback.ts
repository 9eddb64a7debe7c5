/** Loops of a rig: "feedback: { heating: { holds: up.temperature, by: laser.current, gain: 0.01 %/K, ... } }". */
import { ANSWERS, type Answer, FEEDBACK, type FeedbackSource, type FeedbackSpec, outputName } from './feedback-spec.ts';
import type { Command } from './instrument.ts';
import type { Rig, RigInstrument } from './rig.ts';
import { given, isUnit, noCommand, range } from './rig-check.ts';
import { type Channel, type ChannelLookup, difference, perTime } from './rig-conditions.ts';
import { SOURCE } from './rig-derive.ts';
import { checkName, described, example, hint, inUnit, seconds, table, word } from './rig-read.ts';
import type { Shape } from './rig-shape.ts';
import type { Path, Sheet } from './rig-yaml.ts';
import { quantity, show, type Unit } from './units.ts';

const KEYS = ['holds', 'by', 'factor', 'gain', 'integral', 'deadband', 'ramp', 'limits', 'lost'];
const LIMITS = ['output', 'rate', 'setpoint', 'sigma', 'difference', 'jump'];
const LOST = ['frames', 'then', 'jumped', 'stale'];
const LIKE = '"heating: { holds: up.temperature, by: laser.current, gain: 0.01 %/K, integral: 4 s, limits: ..., lost: ... }"';
const SLOWEST = 3.5; // polls, as of conditions
const LEAST = 1; // seconds
const MOST_FRAMES = 10;

interface About {
  readonly sheet: Sheet;
  readonly rig: Rig;
  readonly shapes: ReadonlyMap<string, Shape>;
  readonly channels: ChannelLookup;
}

/** In SI, in the rig's order; what is wrong is said at its place, and the loop left out. `rig`: with its ramps. */
export function readFeedback(sheet: Sheet, rig: Rig, shapes: ReadonlyMap<string, Shape>, channels: ChannelLookup): readonly FeedbackSpec[] {
  const path = [FEEDBACK];
  if (sheet.at(path) === undefined || !table(sheet, path, LIKE)) return [];
  if (rig.instruments.some(({ name }) => name === FEEDBACK))
    sheet.say(['instruments', FEEDBACK], `"${FEEDBACK}" is what orders call the loops of a rig: give the instrument another name`, 'key');
  const all: FeedbackSpec[] = [];
  for (const name of given(sheet, path)) {
    const at = [...path, name];
    if (!checkName(sheet, at, name, 'key')) continue;
    const before = sheet.errors.length;
    const one = readLoop({ sheet, rig, shapes, channels }, at, name);
    if (one && sheet.errors.length === before) {
      const other = all.find((two) => outputName(two) === outputName(one));
      if (other) sheet.say([...at, 'by'], `${outputName(one)} is held by "${other.name}" already: two loops would work against each other`);
      else all.push(one);
    }
  }
  return all;
}

function readLoop(about: About, at: Path, name: string): FeedbackSpec | undefined {
  const { sheet } = about;
  const found = table(sheet, at, LIKE, KEYS, {
    holds: '"holds: up.temperature", or several such as "holds: [up.temperature, down.temperature]"',
    by: '"by: laser.current"',
    gain: '"gain: 0.01 %/K": how much output for how much that is missing',
    integral: '"integral: 4 s"',
    limits: '"limits: { output: [10 %, 60 %], rate: 5 %/s, setpoint: [1000 K, 4000 K] }"',
    lost: '"lost: { frames: 2, then: lower, stale: 5 s }"',
  });
  if (!found) return undefined;
  const held = 'holds' in found ? readHeld(about, [...at, 'holds']) : undefined;
  const by = 'by' in found ? readOutput(about, [...at, 'by']) : undefined;
  const factor = 'factor' in found ? readSources(about, [...at, 'factor']) : [];
  const integral = 'integral' in found ? seconds(sheet, [...at, 'integral']) : undefined;
  const limitsAt = [...at, 'limits'];
  const lost = 'lost' in found ? readLost(sheet, [...at, 'lost'], held?.channels, by, (factor?.length ?? 0) > 0) : undefined;
  if (!held || !by) return undefined;
  const { unit } = held;
  const gain = 'gain' in found ? readGain(sheet, [...at, 'gain'], by.unit, unit) : undefined;
  const deadband = 'deadband' in found ? positive(sheet, [...at, 'deadband'], difference(sheet.at([...at, 'deadband']), unit)) : 0;
  const ramp = 'ramp' in found ? positive(sheet, [...at, 'ramp'], perTime(sheet.at([...at, 'ramp']), unit)) : undefined;
  const limits = 'limits' in found ? readLimits(sheet, limitsAt, by, unit, held.sources.length, factor?.length ?? 0) : undefined;
  if (!factor || gain === undefined || integral === undefined || deadband === undefined || !limits || !lost) return undefined;
  return {
    name,
    holds: held.sources,
    unit,
    factor: factor.map(({ source }) => source),
    instrument: by.instrument,
    command: by.command,
    ...(by.index === undefined ? {} : { index: by.index }),
    outputUnit: by.unit,
    gain,
    integral,
    deadband,
    ...(ramp === undefined ? {} : { ramp }),
    limits,
    lost,
  };
}

// --- what is held
interface Found {
  readonly source: FeedbackSource;
  readonly channel: Channel;
  readonly unit: Unit;
}

/** One name or a list of names, each of a number; undefined after a message. */
function readSources({ sheet, channels }: About, at: Path): readonly Found[] | undefined {
  const written = sheet.at(at);
  const list = Array.isArray(written) ? (written as unknown[]) : [written];
  if (list.length === 0) sheet.say(at, `"${at.at(-1)}" is an empty list; write INSTRUMENT.CHANNEL or DERIVATION.OUTPUT`);
  const all = list.flatMap((one, i): Found[] => {
    const place = Array.isArray(written) ? [...at, i] : at;
    const [, source, name, index] = (typeof one === 'string' && SOURCE.exec(one)) || [];
    if (source === undefined || name === undefined) {
      sheet.say(place, `"${at.at(-1)}" is INSTRUMENT.CHANNEL or DERIVATION.OUTPUT, such as "up.temperature", not ${described(one)}`);
      return [];
    }
    const of = `${source}.${name}`;
    const channel = channels.find(of);
    if (channel === undefined) return [];
    const why = ((): string | undefined => {
      if (typeof channel === 'string') return channel;
      if (!isUnit(channel.kind)) return `${of} gives a ${channel.kind}: only numbers are held`;
      if (index !== undefined && channel.list === false) return `${of} is no list: it has no [${index}]; write "${of}"`;
      if (index === undefined && channel.list === true) return `${of} is a list: write which one, such as "${of}[0]"`;
      return list.indexOf(one) === i ? undefined : `${String(one)} is there twice`;
    })();
    if (why !== undefined) sheet.say(place, why);
    if (why !== undefined || typeof channel === 'string' || !isUnit(channel.kind)) return [];
    return [{ source: { of, ...(index === undefined ? {} : { index: Number(index) }) }, channel, unit: channel.kind }];
  });
  return all.length < list.length || list.length === 0 ? undefined : all;
}

interface Held {
  readonly sources: readonly FeedbackSource[];
  readonly channels: readonly Channel[];
  readonly unit: Unit;
}

function readHeld(about: About, at: Path): Held | undefined {
  const all = readSources(about, at);
  const [first] = all ?? [];
  if (!all || !first) return undefined;
  const other = all.findIndex(({ unit }) => unit !== first.unit);
  if (other >= 0) {
    const { source, unit } = all[other];
    about.sheet.say(
      [...at, other],
      `${source.of} is in ${unit === '1' ? 'no unit' : unit}, and ${first.source.of} in ${first.unit}: what is held together is of one unit`,
    );
    return undefined;
  }
  return { sources: all.map(({ source }) => source), channels: all.map(({ channel }) => channel), unit: first.unit };
}

// --- the output
interface By {
  readonly instrument: string;
  readonly command: string;
  readonly index?: number;
  readonly declared: Command;
  readonly placed: RigInstrument;
  readonly unit: Unit;
}

function readOutput({ sheet, rig, shapes }: About, at: Path): By | undefined {
  const written = sheet.at(at);
  const [, instrument, command, index] = (typeof written === 'string' && SOURCE.exec(written)) || [];
  if (instrument === undefined || command === undefined) {
    sheet.say(at, `"by" is INSTRUMENT.COMMAND, such as "laser.current" or "hv.voltage[3]", not ${described(written)}`);
    return undefined;
  }
  const placed = rig.instruments.find((one) => one.name === instrument);
  const shape = shapes.get(instrument);
  if (!placed || !shape) {
    const names = given(sheet, ['instruments']);
    if (!names.includes(instrument)) sheet.say(at, `there is no instrument "${instrument}" in this rig${hint(instrument, names)}`);
    return undefined;
  }
  if (shape.fault !== undefined) return undefined; // told already
  const name = `${instrument}.${command}`;
  const declared = Object.hasOwn(shape.commands, command) ? shape.commands[command] : undefined;
  const why = ((): string | undefined => {
    if (shape.state.is !== 'running')
      return `what ${instrument} (${placed.model}) has is not known here (${shape.state.why}): an output that is held needs a simulator that answers`;
    return declared ? cannotHold(placed, shape, name, command, declared, index) : noCommand(placed, shape, command);
  })();
  if (why !== undefined) sheet.say(at, why);
  if (why !== undefined || !declared || !isUnit(declared.takes)) return undefined;
  return { instrument, command, ...(index === undefined ? {} : { index: Number(index) }), declared, placed, unit: declared.takes };
}

function cannotHold(
  placed: RigInstrument,
  shape: Shape,
  name: string,
  command: string,
  declared: Command,
  index: string | undefined,
): string | undefined {
  const { takes, readback, count, limits } = declared;
  if (!isUnit(takes)) return `${name} takes ${takes === 'nothing' ? 'nothing' : `a ${takes}`}: an output that is held takes a number`;
  if (count === undefined && index !== undefined) return `${name} has no index; write "${name}"`;
  if (count !== undefined && !(index !== undefined && Number(index) < count))
    return `${name} has the indices 0 to ${count - 1}; write "${name}[0]"`;
  if (!readback) return `${name} has no readback: where the output is cannot be told, and nothing can be held by it`;
  if (readback.shows || shape.channels[readback.channel] !== takes)
    return `"${readback.channel}", the readback of ${name}, does not show the value itself: nothing can be held by it`;
  if (!shape.polls.some((poll) => poll.channels.includes(readback.channel)))
    return `"${readback.channel}", the readback of ${name}, is not asked for at intervals: nothing can be held by it`;
  if (!limits && !placed.limits[command])
    return `${name} has no limits: write them at ${placed.name}, such as "limits: { ${command}: [${example(takes).slice(1, -1)}, ...] }"`;
  if (Object.hasOwn(placed.ramps ?? {}, command))
    return `${name} is ramped: an output is either ramped or held; the loop has a "ramp" of its own`;
  if (declared.safe !== undefined && !placed.leases[command])
    return `${name} is hazardous and unused in this rig: its orders would be refused`;
  return undefined;
}

// --- numbers
function positive(sheet: Sheet, at: Path, read: number | string): number | undefined {
  if (typeof read === 'number' && read > 0) return read;
  sheet.say(at, typeof read === 'string' ? read : `"${String(sheet.at(at))}" must be more than zero`);
  return undefined;
}

const unitWord = (unit: Unit): string => (unit === '1' ? '%' : unit === 'Pa' ? 'bar' : unit);

/** "0.01 %/K": a quantity of the output over one unit of what is held, in SI. */
export function gainOf(written: unknown, output: Unit, held: Unit): number | string {
  const like = `a gain is output over what is held, written such as "0.01 ${unitWord(output)}/${unitWord(held)}"`;
  if (typeof written !== 'string') return `${like}, not ${described(written)}`;
  // Either unit may have a stroke of its own.
  const cuts = [...written].flatMap((c, i) => (c === '/' ? [i] : []));
  for (const cut of cuts) {
    const per = quantity(`1 ${kelvin(written.slice(cut + 1))}`);
    const amount = inUnit(kelvin(written.slice(0, cut)), output);
    if (typeof per === 'string' || per.unit !== held || typeof amount === 'string' || amount.sigma !== undefined) continue;
    return amount.value / per.value;
  }
  return `${like}, not ${described(written)}`;
}
/** A degree of a difference is a kelvin. */
const kelvin = (text: string): string => text.trim().replace(/(?:°C|degC)$/, 'K');

function readGain(sheet: Sheet, at: Path, output: Unit, held: Unit): number | undefined {
  const read = gainOf(sheet.at(at), output, held);
  if (typeof read === 'number' && read !== 0 && Number.isFinite(read)) return read;
  sheet.say(at, typeof read === 'string' ? read : 'a gain of zero holds nothing');
  return undefined;
}

function readPair(sheet: Sheet, at: Path, unit: Unit, like: string): readonly [number, number] | undefined {
  const written = sheet.at(at);
  if (!Array.isArray(written) || written.length !== 2) {
    sheet.say(at, `"${at.at(-1)}" is two quantities such as ${like}, not ${described(written)}`);
    return undefined;
  }
  const ends = [0, 1].flatMap((i) => {
    const read = inUnit(written[i], unit);
    if (typeof read !== 'string' && read.sigma === undefined) return [read.value];
    sheet.say([...at, i], typeof read === 'string' ? read : `"${String(written[i])}" must be one number, without an uncertainty`);
    return [];
  });
  const [low, high] = ends;
  if (low === undefined || high === undefined) return undefined;
  if (low < high) return [low, high];
  sheet.say(at, `the lower limit (${String(written[0])}) must be below the upper one (${String(written[1])})`);
  return undefined;
}

function readLimits(sheet: Sheet, at: Path, by: By, unit: Unit, held: number, factors: number): FeedbackSpec['limits'] | undefined {
  const [u, h] = [unitWord(by.unit), unitWord(unit)];
  const found = table(sheet, at, `"limits: { output: [10 ${u}, 60 ${u}], rate: 5 ${u}/s, setpoint: [1000 ${h}, 4000 ${h}] }"`, LIMITS, {
    output: `"output: [10 ${u}, 60 ${u}]"`,
    rate: `"rate: 5 ${u}/s"`,
    setpoint: `"setpoint: [1000 ${h}, 4000 ${h}]"`,
    ...(held > 1 ? { difference: `"difference: 300 ${h}": several quantities are held` } : {}),
    ...(factors > 0 ? { jump: '"jump: 20 %": a factor is given' } : {}),
  });
  if (!found) return undefined;
  const only = (key: string, fits: boolean, why: string): boolean => {
    if (fits || !(key in found)) return key in found;
    sheet.say([...at, key], why, 'key');
    return false;
  };
  const output = 'output' in found ? readPair(sheet, [...at, 'output'], by.unit, `[10 ${u}, 60 ${u}]`) : undefined;
  if (output) checkOutput(sheet, [...at, 'output'], output, by);
  const rate = 'rate' in found ? positive(sheet, [...at, 'rate'], perTime(found.rate, by.unit)) : undefined;
  const setpoint = 'setpoint' in found ? readPair(sheet, [...at, 'setpoint'], unit, `[1000 ${h}, 4000 ${h}]`) : undefined;
  const sigma = 'sigma' in found ? positive(sheet, [...at, 'sigma'], difference(found.sigma, unit)) : undefined;
  const several = only('difference', held > 1, 'one quantity alone has no difference: leave it out, or hold several');
  const most = several ? positive(sheet, [...at, 'difference'], difference(found.difference, unit)) : undefined;
  const watched = only('jump', factors > 0, 'a jump of what? Write "factor: [up.factor, down.factor]" beside "holds"');
  const jump = watched ? positive(sheet, [...at, 'jump'], difference(found.jump, '1')) : undefined;
  if (!output || rate === undefined || !setpoint) return undefined;
  return {
    output,
    rate,
    setpoint,
    ...(sigma === undefined ? {} : { sigma }),
    ...(most === undefined ? {} : { difference: most }),
    ...(jump === undefined ? {} : { jump }),
  };
}

/** Inside of what the driver and the rig allow to everybody. */
function checkOutput(sheet: Sheet, at: Path, output: readonly [number, number], { declared, placed, command, unit }: By): void {
  for (const [i, value] of output.entries()) {
    for (const [limits, whose] of [
      [declared.limits, placed.model],
      [placed.limits[command], 'this rig'],
    ] as const) {
      if (!limits || (value >= limits[0] && value <= limits[1]) || value === declared.safe) continue;
      const of = whose === placed.model ? range(declared) : `${show(limits[0], unit)} to ${show(limits[1], unit)}`;
      sheet.say([...at, i], `${show(value, unit)} is outside of the limits of ${whose} (${of}): its orders would be refused`);
      break;
    }
  }
}

function readLost(
  sheet: Sheet,
  at: Path,
  channels: readonly Channel[] | undefined,
  by: By | undefined,
  factors: boolean,
): FeedbackSpec['lost'] | undefined {
  const found = table(sheet, at, '"lost: { frames: 2, then: lower, stale: 5 s }"', LOST, {
    frames: '"frames: 2"',
    then: '"then: lower", hold or off',
  });
  if (!found) return undefined;
  const { frames } = found;
  const whole = typeof frames === 'number' && Number.isInteger(frames) && frames >= 1 && frames <= MOST_FRAMES;
  if ('frames' in found && !whole)
    sheet.say(
      [...at, 'frames'],
      `"frames" is a whole number from 1 to ${MOST_FRAMES}: at how many lost readings in a row something is done, not ${described(frames)}`,
    );
  const answer = (key: 'then' | 'jumped'): Answer | undefined => {
    const read = word(sheet, [...at, key], ANSWERS);
    if (read !== 'off' || !by || typeof by.declared.safe === 'number') return read;
    sheet.say([...at, key], `${outputName(by)} has no safe value: write "lower" or "hold"`);
    return undefined;
  };
  const then = 'then' in found ? answer('then') : undefined;
  if ('jumped' in found && !factors)
    sheet.say([...at, 'jumped'], 'a jump of what? Write "factor: [up.factor, down.factor]" beside "holds"', 'key');
  const jumped = 'jumped' in found ? answer('jumped') : then;
  const stale = readStale(sheet, at, 'stale' in found, channels);
  if (!whole || then === undefined || jumped === undefined || stale === undefined) return undefined;
  return { frames, then, jumped, stale };
}

function readStale(sheet: Sheet, at: Path, written: boolean, channels: readonly Channel[] | undefined): number | undefined {
  const every = (channels ?? []).map((one) => one.every);
  const known = every.flatMap((one) => one ?? []);
  const slowest = known.length > 0 && known.length === every.length ? Math.max(...known) : undefined;
  if (!written) {
    if (slowest !== undefined) return Math.max(LEAST, SLOWEST * slowest);
    if (channels)
      sheet.say(
        at,
        '"stale" is missing: what is held is not polled, so write how old its last reading may be, such as "stale: 5 s"',
        'key',
      );
    return undefined;
  }
  const stale = seconds(sheet, [...at, 'stale']);
  if (stale === undefined || slowest === undefined || stale >= 2 * slowest) return stale;
  sheet.say(
    [...at, 'stale'],
    `what is held is read every ${slowest} s: "stale" must be at least ${2 * slowest} s, or one answer that is late takes it for lost`,
  );
  return undefined;
}
