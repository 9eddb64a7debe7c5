/** A rig: the folder that says what makes up a laboratory. Reading it tells everything that is wrong with it, and where. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Limits } from './alarm.ts';
import type { Catalogue } from './catalogue.ts';
import type { Condition } from './condition.ts';
import type { Severity } from './entry.ts';
import type { FeedbackSpec } from './feedback-spec.ts';
import type { Kinds, Schema } from './instrument.ts';
import { influxTarget } from './recorder/influx-http.ts';
import { readAlarms, readEscalations, readWatch } from './rig-alarms.ts';
import { type RigCalibration, wantedCalibrations } from './rig-calibrations.ts';
import { checkAgainstShape } from './rig-check.ts';
import { channelsOf } from './rig-conditions.ts';
import { readDerivations } from './rig-derive.ts';
import { withUserDrivers } from './rig-drivers.ts';
import { readFeedback } from './rig-feedback.ts';
import { readInstruments } from './rig-instruments.ts';
import { readInterlocks, readSafeOrder } from './rig-interlocks.ts';
import { type RigLink, readLinks } from './rig-links.ts';
import { readRamps } from './rig-ramps.ts';
import { bytesOf, checkName, described, hint, isTable, table, text } from './rig-read.ts';
import { type Shape, simulatedShape } from './rig-shape.ts';
import { checkStart, readStart } from './rig-start.ts';
import { inOrder, type Message, readSheet, type Sheet } from './rig-yaml.ts';

export type { RigLink } from './rig-links.ts';
export { type Shape, simulatedShape } from './rig-shape.ts';
export { type Message, printed } from './rig-yaml.ts';

/** Seconds. `then`: what the guardian does when the host is dead. */
export interface Lease {
  readonly longest: number;
  readonly deadline: number;
  readonly then: 'safe' | 'keep';
  /** The rig says that no interlock is wanted for it. */
  readonly bare?: boolean;
  /** The instrument whose watchdog holds this output as well (a dead-man board in the laser's interlock line). */
  readonly heldBy?: string;
}

/** A condition that must hold, what is forbidden while it does not, and the safe orders that are given, in their order. */
export interface RigInterlock {
  readonly name: string;
  readonly when: Condition;
  /** instrument.command, or instrument.command[index]: orders refused while it does not hold, but for their safe value. */
  readonly forbids: readonly string[];
  /** instrument.command of hazardous commands, given their safe value in this order. */
  readonly trips: readonly string[];
  /** After a trip the outputs stay forbidden until somebody acknowledges by name. */
  readonly latch: boolean;
  /** For whoever stands before it at night. */
  readonly guidance?: string;
}

/** Active while its condition holds. */
export interface RigAlarm {
  readonly name: string;
  /** From the mildest to the worst. */
  readonly levels: readonly { readonly severity: Severity; readonly when: Condition }[];
  /** Seconds for which a condition must hold before the alarm is raised. */
  readonly delay: number;
  /** Stays until acknowledged, even when it has gone by itself. */
  readonly latch: boolean;
  readonly guidance?: string;
}

/** Who is told of an alarm that nobody acknowledges. */
export interface RigEscalation {
  readonly severity: Severity;
  /** Seconds without acknowledgement. */
  readonly after: number;
  /** Program and arguments. */
  readonly command?: readonly string[];
  readonly webhook?: string;
}

/** Orders of this command go in steps from the present output. SI; seconds. */
export interface RigRamp {
  /** Unit of the command per second. */
  readonly rate: number;
  /** How far the readback may lie from where the ramp is before the ramp stops. */
  readonly band: number;
  /** Seconds between two steps. */
  readonly every: number;
}

export interface RigInstrument {
  readonly name: string;
  readonly model: string;
  /** Role -> link. Instruments with the same `wire` share one open link. */
  readonly links: Readonly<Record<string, RigLink>>;
  /** As given: the model's schema parses them again where they are used. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Seconds between two questions, and time-out of one, in place of the driver's. */
  readonly pace?: number;
  readonly within?: number;
  /** Channel -> seconds between two polls, in place of the driver's. */
  readonly every: Readonly<Record<string, number>>;
  /** Command -> limits in SI; never wider than the driver's. */
  readonly limits: Readonly<Record<string, readonly [number, number]>>;
  readonly leases: Readonly<Record<string, Lease>>;
  /** Command -> how it is ramped. */
  readonly ramps?: Readonly<Record<string, RigRamp>>;
  /** Options of its simulator: see `simulatorOptions`. */
  readonly simulate: Readonly<Record<string, unknown>>;
}

export interface RigInput {
  /** instrument.channel or derivation.output, with [index] where it is one of a list */
  readonly from: string;
  readonly pair: 'last' | 'exact' | 'interpolate' | 'held';
  /** Seconds; without meaning for the first input, which triggers. */
  readonly within: number;
  /** Of `held`: what it must be; a flag is on or off. */
  readonly is?: number | string;
}

/** A file that a parameter names, as it was when the rig was read. */
export interface RigFile {
  /** As the rig gives it. */
  readonly path: string;
  /** Hexadecimal. */
  readonly sha256: string;
  readonly bytes: Uint8Array;
}

export interface RigDerivation {
  readonly name: string;
  readonly method: string;
  /** In the order of the method's inputs: the first triggers. */
  readonly inputs: Readonly<Record<string, RigInput>>;
  /** As given, with a RigFile in the place of each file's name; the method's schema parses them where they are used. */
  readonly params: Readonly<Record<string, unknown>>;
}

export interface StartOrder {
  readonly instrument: string;
  readonly command: string;
  readonly index?: number;
  /** A quantity or word as written, or a flag; absent for a command that takes nothing. */
  readonly value?: string | boolean;
  /** Seconds after the order before has ended. */
  readonly after: number;
}

/** Plain data that goes to another process as it is. */
export interface Rig {
  readonly name: string;
  readonly about?: string;
  /** The rig's folder and its file, absolute. */
  readonly folder: string;
  readonly file: string;
  /** The YAML as it was. */
  readonly text: string;
  readonly influx?: string;
  /** Absolute. */
  readonly sessions: string;
  readonly links: Readonly<Record<string, RigLink>>;
  readonly instruments: readonly RigInstrument[];
  readonly derive: readonly RigDerivation[];
  /** The calibrations in the rig's folder, of the channels for which a derivation wants them. */
  readonly calibrations?: readonly RigCalibration[];
  readonly start: readonly StartOrder[];
  readonly interlocks?: readonly RigInterlock[];
  /** Outputs held on measured quantities. */
  readonly feedback?: readonly FeedbackSpec[];
  readonly alarms?: readonly RigAlarm[];
  /** Limits of the alarms that the program has by itself, where this rig wants others. */
  readonly watch?: Partial<Limits>;
  readonly escalate?: readonly RigEscalation[];
  /** Hazardous outputs (instrument.command) in the order in which they are made safe when everything is; those not named come last, together. */
  readonly safeOrder?: readonly string[];
  /** A stop while this file exists; absolute. */
  readonly stopFile?: string;
  /** Raw streams stop in this order when the disk fills; bytes kept for the slow parts. */
  readonly record: { readonly rawOrder: readonly string[]; readonly reserve?: number };
}

/** What a rig must know of a method of derivation (src/derive/derivation.ts). */
export interface Method {
  readonly method: string;
  readonly inputs: Kinds;
  readonly optional?: readonly string[];
  readonly outputs: Kinds;
  readonly params: Schema<unknown>;
  /** Dotted names of the parameters that are files. */
  readonly files?: readonly string[];
  /** The kinds of calibration that it takes from the rig's ledger. */
  readonly takes?: readonly string[];
}
export type Methods = ReadonlyMap<string, Method>;

export type Loaded =
  | { readonly ok: true; readonly rig: Rig; readonly warnings: readonly Message[]; readonly shapes: ReadonlyMap<string, Shape> }
  | { readonly ok: false; readonly messages: readonly Message[] };

const KEYS = [
  'rig',
  'about',
  'influx',
  'sessions',
  'links',
  'instruments',
  'derive',
  'feedback',
  'interlocks',
  'safe_order',
  'stop_file',
  'alarms',
  'watch',
  'escalate',
  'start',
  'record',
];

/**
 * Reads a rig from its folder or its file, checks it, and runs each of its instruments against its simulator to check what only an
 * identified instrument can tell. Never throws for what the files say: all that is wrong comes back, in the order of the lines.
 */
export async function loadRig(path: string, catalogue: Catalogue, methods: Methods): Promise<Loaded> {
  const found = await openSheet(path);
  if ('messages' in found) return { ok: false, messages: found.messages };
  const { sheet, file } = found;
  const folder = dirname(file);
  const own = await withUserDrivers(catalogue, folder);
  sheet.errors.push(...own.messages);
  if (sheet.value === undefined) return { ok: false, messages: inOrder(sheet.errors) };
  const rig = await readRig(sheet, file, own.catalogue, methods);
  const shapes = simulatedShape(rig, own.catalogue);
  checkAgainstShape(sheet, rig, shapes, own.catalogue, methods);
  const safe = { ...rig, ...readSafety(sheet, rig, shapes, methods) };
  const whole = { ...safe, start: readStart(sheet).map((one) => checkStart(sheet, safe, shapes, one)) };
  if (sheet.errors.length > 0) return { ok: false, messages: inOrder(sheet.errors) };
  return { ok: true, rig: whole, warnings: inOrder(sheet.warnings), shapes };
}

/** What needs the channels and commands of identified instruments: interlocks, alarms, ramps, feedback. */
function readSafety(sheet: Sheet, rig: Rig, shapes: ReadonlyMap<string, Shape>, methods: Methods): Partial<Rig> {
  const interlocks = readInterlocks(sheet, rig, shapes, channelsOf(sheet, rig, shapes, methods));
  const safeOrder = readSafeOrder(sheet, rig, shapes);
  const instruments = rig.instruments.map((placed) => {
    const ramps = readRamps(sheet, placed, shapes.get(placed.name));
    return Object.keys(ramps).length === 0 ? placed : { ...placed, ramps };
  });
  const feedback = readFeedback(sheet, { ...rig, instruments }, shapes, channelsOf(sheet, rig, shapes, methods));
  const alarms = readAlarms(sheet, rig, shapes, methods);
  const watch = readWatch(sheet, rig, shapes, methods);
  const escalate = readEscalations(sheet);
  return {
    instruments,
    ...(interlocks.length === 0 ? {} : { interlocks }),
    ...(safeOrder === undefined ? {} : { safeOrder }),
    ...(feedback.length === 0 ? {} : { feedback }),
    ...(alarms.length === 0 ? {} : { alarms }),
    ...(watch === undefined ? {} : { watch }),
    ...(escalate.length === 0 ? {} : { escalate }),
  };
}

async function openSheet(
  path: string,
): Promise<{ readonly sheet: Sheet; readonly file: string } | { readonly messages: readonly Message[] }> {
  const shown = await stat(path).then(
    (s) => (s.isDirectory() ? join(path, 'rig.yaml') : path),
    () => path,
  );
  try {
    return { sheet: readSheet(shown, await readFile(shown)), file: resolve(shown) };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const why = code === 'ENOENT' || code === 'ENOTDIR' ? 'there is no such file' : `the file cannot be read (${code || String(error)})`;
    return { messages: [{ file: shown, line: 1, column: 1, text: `${why}; a rig is a folder with a rig.yaml in it` }] };
  }
}

/** What the YAML says, as far as it is sound; what is not is left out and said. */
async function readRig(sheet: Sheet, file: string, catalogue: Catalogue, methods: Methods): Promise<Rig> {
  const folder = dirname(file);
  const all =
    table(sheet, [], '"rig: demo" and "instruments:"', KEYS, {
      rig: '"rig: NAME"',
      instruments: '"instruments:" and below it one "NAME: { model: ..., link: ... }" each',
    }) ?? {};
  const name = 'rig' in all ? text(sheet, ['rig'], '"demo"') : undefined;
  if (name !== undefined) checkName(sheet, ['rig'], name, 'value');
  const about = 'about' in all ? text(sheet, ['about'], '"laser heating, cell 7"') : undefined;
  const influx = 'influx' in all ? influxUrl(sheet) : undefined;
  const sessions = 'sessions' in all ? text(sheet, ['sessions'], '"sessions"') : undefined;
  const stopFile = 'stop_file' in all ? readStopFile(sheet, file) : undefined;
  const links = readLinks(sheet, all);
  const instruments = 'instruments' in all ? readInstruments(sheet, links, catalogue) : [];
  const derive = 'derive' in all ? await readDerivations(sheet, folder, methods) : [];
  const calibrations = await wantedCalibrations(sheet, folder, derive, methods);
  return {
    name: name ?? '',
    ...(about === undefined ? {} : { about }),
    folder,
    file,
    text: sheet.text,
    ...(influx === undefined ? {} : { influx }),
    sessions: resolve(folder, sessions ?? 'sessions'),
    links,
    instruments,
    derive,
    ...(calibrations.length === 0 ? {} : { calibrations }),
    start: [], // read when the commands are known
    ...(stopFile === undefined ? {} : { stopFile }),
    record: 'record' in all ? readRecord(sheet) : { rawOrder: [] },
  };
}

/** Anybody can make the file, so it must be one of its own. */
function readStopFile(sheet: Sheet, file: string): string | undefined {
  const given = text(sheet, ['stop_file'], '"STOP"');
  if (given === undefined) return undefined;
  const path = resolve(dirname(file), given);
  if (path !== file && path !== dirname(file) && !/[\\/]$/.test(given)) return path;
  sheet.say(
    ['stop_file'],
    `"stop_file" is the name of a file that is not there until somebody wants a stop, such as "STOP", not ${described(given)}`,
  );
  return undefined;
}

function influxUrl(sheet: Sheet): string | undefined {
  const given = text(sheet, ['influx'], '"http://localhost:8086/lab"');
  if (given === undefined) return undefined;
  const target = influxTarget(given);
  if (typeof target !== 'string') return given;
  sheet.say(['influx'], target);
  return undefined;
}

function readRecord(sheet: Sheet): Rig['record'] {
  const given = table(sheet, ['record'], '"record: { reserve: 64 MiB }"', ['raw_order', 'reserve']) ?? {};
  const reserve = 'reserve' in given ? bytesOf(sheet, ['record', 'reserve']) : undefined;
  const list = given.raw_order ?? [];
  const instruments = sheet.at(['instruments']);
  const known = isTable(instruments) ? Object.keys(instruments) : [];
  if (!Array.isArray(list))
    sheet.say(['record', 'raw_order'], `"raw_order" is a list of instruments such as [camera, board], not ${described(list)}`);
  const rawOrder: string[] = [];
  for (const [i, name] of (Array.isArray(list) ? (list as unknown[]) : []).entries()) {
    if (typeof name === 'string' && known.includes(name) && !rawOrder.includes(name)) rawOrder.push(name);
    else if (typeof name === 'string' && rawOrder.includes(name)) sheet.say(['record', 'raw_order', i], `"${name}" is there twice`);
    else
      sheet.say(
        ['record', 'raw_order', i],
        `there is no instrument ${described(name).replace('the text ', '')} in this rig${hint(String(name), known)}`,
      );
  }
  return { rawOrder, ...(reserve === undefined ? {} : { reserve }) };
}
