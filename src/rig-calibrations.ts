/** The calibrations of a rig: the records `calibrations/NAME.yaml` in its folder, with the files that they name. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isoMicroseconds } from '../protocols/spe-form.ts';
import {
  CALIBRATIONS,
  type CalibrationRecord,
  type CalibrationTaken,
  type NamedFile,
  type OpticalPath,
  type RecordedLamp,
  type ReferenceLine,
  shapeOf,
} from './derive/calibration-record.ts';
import { type CalibrationFiles, type LedgerRecord, prepared } from './derive/ledger.ts';
import type { Methods, RigDerivation, RigFile } from './rig.ts';
import { described, hint, inUnit, isTable, table, text, word } from './rig-read.ts';
import { type Message, type Path, readSheet, type Sheet } from './rig-yaml.ts';
import type { Unit } from './units.ts';

/** Below the rig's folder. */
export const CALIBRATION_FOLDER = 'calibrations';

/** A record with the bytes of its own text and of the files that it names. Plain data that goes to another process as it is. */
export interface RigCalibration {
  readonly record: CalibrationRecord;
  readonly text: RigFile;
  readonly files: { readonly [N in keyof CalibrationFiles]?: RigFile };
}

export const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

/** What the id of a record must be. */
export const idOf = (taken: CalibrationTaken): string => sha256(shapeOf(taken)).slice(0, 16);

/** A record with its id, ready for `printRecord`. */
export const sealed = (taken: CalibrationTaken): CalibrationRecord => ({ ...taken, id: idOf(taken) });

/** What derivations take of a record; throws for a record that `readCalibration` would have refused. */
export function ledgerRecord({ record, files }: RigCalibration): LedgerRecord {
  const bytes = Object.fromEntries(Object.entries(files).map(([name, file]) => [name, file.bytes]));
  const ready = prepared(record, bytes);
  if ('wrong' in ready) throw new Error(`the calibration ${record.id}: ${ready.wrong}`);
  return ready;
}

/** The records of the channels for which a derivation wants its calibration from the ledger; what is wrong with any record is warned of. */
export async function wantedCalibrations(
  sheet: Sheet,
  folder: string,
  derive: readonly RigDerivation[],
  methods: Methods,
): Promise<readonly RigCalibration[]> {
  const wanted = derive.filter(isAuto).map((d) => ({ ...d, of: channelOf(Object.values(d.inputs)[0]?.from ?? '') }));
  if (wanted.length === 0) return [];
  const { calibrations, messages } = await readCalibrations(folder);
  sheet.warnings.push(...messages);
  for (const { name, method, of } of wanted) {
    const takes = methods.get(method)?.takes ?? [];
    const needed = takes.includes('lamp') ? ['lamp', 'response'] : takes;
    const has = calibrations.some(({ record }) => record.of === of && needed.includes(record.calibration));
    const what = `${needed[0]} calibration of ${of}`;
    if (!has)
      sheet.warn(
        ['derive', name, 'calibration'],
        `there is no ${what} in ${CALIBRATION_FOLDER}/; take one: bridgman calibrate ${needed[0]} ${of}`,
      );
  }
  return calibrations.filter(({ record }) => wanted.some(({ of }) => of === record.of));
}

/** Whether a derivation takes its calibration from the ledger. */
export const isAuto = ({ params }: Pick<RigDerivation, 'params'>): boolean => params.calibration === 'auto';
const channelOf = (from: string): string => from.replace(/\[\d+\]$/, '');

/** The records that can be used, and what is wrong with the others; in the order of their names. */
export async function readCalibrations(
  folder: string,
): Promise<{ readonly calibrations: readonly RigCalibration[]; readonly messages: readonly Message[] }> {
  const place = join(folder, CALIBRATION_FOLDER);
  const names = (await readdir(place).catch(() => [])).filter((name) => /\.ya?ml$/.test(name)).sort();
  const calibrations: RigCalibration[] = [];
  const messages: Message[] = [];
  for (const name of names) {
    const read = await readCalibration(join(place, name));
    messages.push(...read.messages);
    if (!read.calibration) continue;
    const { id } = read.calibration.record;
    const twin = calibrations.find(({ record }) => record.id === id);
    if (twin)
      messages.push({ file: join(place, name), line: 1, column: 1, text: `this is the record ${id} of ${twin.text.path} once more` });
    else calibrations.push(read.calibration);
  }
  return { calibrations, messages };
}

/** One record and its files; without a calibration when it cannot be used, and then the messages say why. Never throws. */
export async function readCalibration(
  file: string,
): Promise<{ readonly calibration?: RigCalibration; readonly messages: readonly Message[] }> {
  const bytes = await readFile(file).catch((error: unknown) => error);
  if (!(bytes instanceof Uint8Array)) return { messages: [{ file, line: 1, column: 1, text: 'the file cannot be read' }] };
  const sheet = readSheet(file, new Uint8Array(bytes));
  const record = sheet.value === undefined ? undefined : recordOf(sheet);
  if (!record) return { messages: sheet.errors };
  const files = await namedFiles(sheet, dirname(file), record);
  const ready = prepared(record, Object.fromEntries(Object.entries(files).map(([name, one]) => [name, one.bytes])));
  if (sheet.errors.length === 0 && 'wrong' in ready) sheet.say(FILE_AT[ready.of], ready.wrong);
  checkId(sheet, record);
  if (sheet.errors.length > 0) return { messages: sheet.errors };
  const path = join(CALIBRATION_FOLDER, basename(file));
  return { calibration: { record, text: { path, sha256: sha256(bytes), bytes: new Uint8Array(bytes) }, files }, messages: sheet.warnings };
}

function checkId(sheet: Sheet, record: CalibrationRecord): void {
  if (sheet.errors.length > 0) return; // what is wrong already makes another id
  const id = idOf(record);
  if (record.id === id) return;
  sheet.say(
    ['id'],
    `the record was changed after it was taken: its id is ${record.id}, and what it says has the id ${id}; undo the change, or take the calibration again. If the change is right, write id: "${id}"`,
  );
}

const FILE_AT: Readonly<Record<keyof CalibrationFiles | 'record', Path>> = {
  data: ['data'],
  dark: ['dark', 'data'],
  radiance: ['lamp', 'radiance'],
  record: ['coefficients'],
};

/** The files beside the record, as they were when it was taken; what is missing or changed is said. */
async function namedFiles(sheet: Sheet, folder: string, record: CalibrationRecord): Promise<RigCalibration['files']> {
  const found: { -readonly [N in keyof CalibrationFiles]?: RigFile } = {};
  const radiance = record.lamp && 'radiance' in record.lamp ? record.lamp.radiance : undefined;
  for (const [name, named] of Object.entries({ data: record.data, dark: record.dark, radiance })) {
    if (!named) continue;
    const part = name as keyof CalibrationFiles; // the keys of the object above
    const bytes = await readFile(resolve(folder, named.file)).catch((error: unknown) => error);
    if (!(bytes instanceof Uint8Array)) {
      sheet.say(FILE_AT[part], `there is no file "${named.file}" beside the record; put it back, or take the calibration again`);
      continue;
    }
    const hash = sha256(bytes);
    if (hash !== named.sha256)
      sheet.say(
        FILE_AT[part],
        `the file "${named.file}" was changed after the calibration was taken: its sha256 is ${hash.slice(0, 16)}..., not ${named.sha256.slice(0, 16)}...; restore it, or take the calibration again`,
      );
    found[part] = { path: join(CALIBRATION_FOLDER, named.file), sha256: hash, bytes: new Uint8Array(bytes) };
  }
  return found;
}

const KEYS = ['calibration', 'id', 'of', 'taken', 'valid', 'path', 'region', 'exposure', 'lamp', 'coefficients', 'lines'];
const NEEDED = {
  calibration: `"calibration: ${CALIBRATIONS.join(' | ')}"`,
  id: '\'id: "0000000000000000"\', and what it must be is said next',
  of: '"of: camera.spectrum"',
  taken: '"taken: 2026-11-22T10:11:12Z"',
};
const KNOWN = [...KEYS, 'data', 'sha256', 'dark', 'by', 'note'];

/** What the sheet says as a record; undefined after messages. Its id and its files are not looked at here. */
export function recordOf(sheet: Sheet): CalibrationRecord | undefined {
  const all = sheet.value;
  if (!isTable(all)) {
    sheet.say([], `a record is a group of "name: value", such as "calibration: lamp", not ${described(all)}`);
    return undefined;
  }
  for (const key of Object.keys(all))
    if (!KNOWN.includes(key)) sheet.say([key], `there is no "${key}" in a record${hint(key, KNOWN)}`, 'key');
  for (const [key, like] of Object.entries(NEEDED))
    if (!(key in all)) sheet.say([], `"${key}" is missing in the record; write ${like}`, 'key');
  const given = <T>(key: string, read: (at: Path) => T | undefined): { readonly [k: string]: T } => {
    const value = Object.hasOwn(all, key) ? read([key]) : undefined;
    return value === undefined ? {} : { [key]: value };
  };
  const kind = 'calibration' in all ? word(sheet, ['calibration'], CALIBRATIONS) : undefined;
  const id = 'id' in all ? idText(sheet) : '';
  const of = 'of' in all ? channelName(sheet, ['of']) : '';
  const taken = 'taken' in all ? time(sheet, ['taken']) : 0;
  const data = namedFile(sheet, ['data'], ['sha256'], 'data' in all);
  const record = {
    calibration: kind ?? 'lamp',
    id: id ?? '',
    of: of ?? '',
    taken: taken ?? 0,
    valid: 'valid' in all ? validity(sheet, taken ?? 0) : { from: taken ?? 0 },
    path: 'path' in all ? opticalPath(sheet) : {},
    region: 'region' in all ? regionOf(sheet) : {},
    ...given('exposure', (at) => quantityAt(sheet, at, 's')?.value),
    ...given('lamp', (at) => lampOf(sheet, at)),
    ...given('coefficients', (at) => numbers(sheet, at)),
    ...given('lines', (at) => linesOf(sheet, at)),
    ...(data ? { data } : {}),
    ...given('dark', (at) =>
      table(sheet, at, '"{ data: dark.spe, sha256: ... }"', ['data', 'sha256'])
        ? namedFile(sheet, [...at, 'data'], [...at, 'sha256'], true)
        : undefined,
    ),
    ...given('by', (at) => text(sheet, at, '"anna"')),
    ...given('note', (at) => text(sheet, at, '"new lamp"')),
  } satisfies CalibrationRecord;
  if (kind) needed(sheet, record);
  return sheet.errors.length === 0 ? record : undefined;
}

/** What each kind needs, and what means nothing in it. */
function needed(sheet: Sheet, { calibration, lamp, data, dark, coefficients, exposure }: CalibrationRecord): void {
  const parts = { lamp, data, dark, coefficients, exposure };
  const must: Readonly<Record<typeof calibration, readonly (keyof typeof parts)[]>> = {
    lamp: ['lamp', 'data'],
    response: ['data'],
    dark: ['data', 'exposure'],
    wavelength: ['coefficients'],
  };
  const like = {
    lamp: '"lamp: { temperature: 2255 K +- 10 K }"',
    data: '"data: FILE" and "sha256: ..."',
    dark: '"dark: { data: FILE, sha256: ... }"',
    coefficients: '"coefficients: [600, 0.58]": nm by power of the pixel',
    exposure: '"exposure: 0.5 s"',
  };
  for (const key of must[calibration]) {
    if (sheet.at([key]) === undefined) sheet.say(['calibration'], `a ${calibration} calibration needs ${like[key]}`);
  }
  const strange: readonly (keyof typeof parts)[] =
    calibration === 'lamp' ? ['coefficients'] : calibration === 'wavelength' ? ['lamp', 'dark'] : ['lamp', 'dark', 'coefficients'];
  for (const key of strange)
    if (parts[key] !== undefined) sheet.say([key], `"${key}" means nothing in a ${calibration} calibration; leave it out`, 'key');
}

const HEX = (digits: number): RegExp => new RegExp(`^[0-9a-f]{${digits}}$`);

function idText(sheet: Sheet): string | undefined {
  const value = sheet.at(['id']);
  if (typeof value === 'string' && HEX(16).test(value)) return value;
  sheet.say(
    ['id'],
    `an id has 16 hexadecimal digits, in quotes where it begins with a digit, such as "3f9a0c1d22e4b567", not ${described(value)}`,
  );
  return undefined;
}

function namedFile(sheet: Sheet, at: Path, hashAt: Path, wanted: boolean): NamedFile | undefined {
  if (!wanted) {
    if (sheet.at(hashAt) !== undefined) sheet.say(hashAt, '"sha256" is that of "data", which is missing', 'key');
    return undefined;
  }
  const file = text(sheet, at, '"lamp.spe"');
  const hash = sheet.at(hashAt);
  if (typeof hash === 'string' && HEX(64).test(hash)) return file === undefined ? undefined : { file, sha256: hash };
  const where = hash === undefined ? at : hashAt;
  sheet.say(where, `"sha256" beside "${at.at(-1)}" is the hash of that file, 64 hexadecimal digits in quotes, not ${described(hash)}`);
  return undefined;
}

const CHANNEL = /^[^.[\]\s]+\.[^\s]+$/;
function channelName(sheet: Sheet, at: Path): string | undefined {
  const value = sheet.at(at);
  if (typeof value === 'string' && CHANNEL.test(value)) return value;
  sheet.say(at, `"of" is the channel that it was taken from, INSTRUMENT.CHANNEL, such as "camera.spectrum", not ${described(value)}`);
  return undefined;
}

function time(sheet: Sheet, at: Path): number | undefined {
  const value = sheet.at(at);
  const read = typeof value === 'string' ? isoMicroseconds(value) : undefined;
  if (read === undefined || !Number.isFinite(read)) {
    sheet.say(at, `"${at.at(-1)}" is a time with its zone, such as 2026-11-22T10:11:12Z, not ${described(value)}`);
    return undefined;
  }
  return read;
}

function validity(sheet: Sheet, taken: number): CalibrationRecord['valid'] {
  const given = table(sheet, ['valid'], '"{ from: 2026-11-22T10:11:12Z, until: 2026-11-29T10:11:12Z }"', ['from', 'until']) ?? {};
  const from = 'from' in given ? (time(sheet, ['valid', 'from']) ?? taken) : taken;
  const until = 'until' in given ? time(sheet, ['valid', 'until']) : undefined;
  if (until !== undefined && until < from) sheet.say(['valid', 'until'], 'the calibration ends before it begins');
  return until === undefined ? { from } : { from, until };
}

function opticalPath(sheet: Sheet): OpticalPath {
  const out: Record<string, number | string> = {};
  for (const [name, value] of Object.entries(table(sheet, ['path'], '"{ side: up, filter: none, iris: open }"') ?? {})) {
    const entry = pathEntry(value);
    if (entry === undefined)
      sheet.say(['path', name], `an entry of the path is a word or a number, such as "filter: none", not ${described(value)}`);
    else out[name] = entry;
  }
  return out;
}

/** A word, a number, or a flag as the word that a channel's flag is compared as. */
export function pathEntry(value: unknown): number | string | undefined {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return (typeof value === 'string' && value !== '') || (typeof value === 'number' && Number.isFinite(value)) ? value : undefined;
}

function regionOf(sheet: Sheet): CalibrationRecord['region'] {
  const given = table(sheet, ['region'], '"{ rows: [8, 19], columns: 512 }"', ['rows', 'columns']) ?? {};
  const whole = (v: unknown): v is number => typeof v === 'number' && Number.isInteger(v) && v >= 0;
  const { rows, columns }: { rows?: unknown; columns?: unknown } = given;
  const [top, bottom]: readonly unknown[] = Array.isArray(rows) ? rows : [];
  const pair =
    Array.isArray(rows) && rows.length === 2 && whole(top) && whole(bottom) && top <= bottom ? ([top, bottom] as const) : undefined;
  if (rows !== undefined && !pair)
    sheet.say(['region', 'rows'], `"rows" are two whole numbers from 0 that rise, such as [8, 19], not ${described(rows)}`);
  const width = whole(columns) && columns > 0 ? columns : undefined;
  if (columns !== undefined && width === undefined)
    sheet.say(['region', 'columns'], `"columns" is a whole number above 0, not ${described(columns)}`);
  return { ...(pair ? { rows: pair } : {}), ...(width === undefined ? {} : { columns: width }) };
}

function quantityAt(sheet: Sheet, at: Path, unit: Unit): { readonly value: number; readonly sigma?: number } | undefined {
  const read = inUnit(sheet.at(at), unit);
  if (typeof read !== 'string' && read.value > 0) return { value: read.value, ...(read.sigma === undefined ? {} : { sigma: read.sigma }) };
  sheet.say(at, typeof read === 'string' ? read : `"${at.at(-1)}" must be above zero`);
  return undefined;
}

function lampOf(sheet: Sheet, at: Path): RecordedLamp | undefined {
  const given = table(sheet, at, '"{ temperature: 2255 K +- 10 K }" or "{ radiance: 15A_lamp.txt, sha256: ... }"', [
    'temperature',
    'radiance',
    'sha256',
  ]);
  if (!given) return undefined;
  if ('temperature' in given === 'radiance' in given) {
    sheet.say(at, 'a lamp has either a temperature or a file of its radiance', 'key');
    return undefined;
  }
  if ('temperature' in given) {
    const read = quantityAt(sheet, [...at, 'temperature'], 'K');
    return read && { temperature: read.value, ...(read.sigma === undefined ? {} : { sigma: read.sigma }) };
  }
  const radiance = namedFile(sheet, [...at, 'radiance'], [...at, 'sha256'], true);
  return radiance && { radiance };
}

function numbers(sheet: Sheet, at: Path): readonly number[] | undefined {
  const value = sheet.at(at);
  const sound = Array.isArray(value) && value.length >= 2 && value.every((v) => typeof v === 'number' && Number.isFinite(v));
  if (sound) return value as number[]; // looked at one by one
  sheet.say(at, `"${at.at(-1)}" is a list of two numbers or more, such as [600, 0.58, -1.2e-6], not ${described(value)}`);
  return undefined;
}

function linesOf(sheet: Sheet, at: Path): readonly ReferenceLine[] | undefined {
  const value = sheet.at(at);
  if (!Array.isArray(value)) {
    sheet.say(at, `"lines" is a list of { wavelength: 696.5431 nm, pixel: 101.25 }, not ${described(value)}`);
    return undefined;
  }
  return value.flatMap((_, i) => {
    const here = [...at, i];
    const one = table(sheet, here, '"{ wavelength: 696.5431 nm, pixel: 101.25, residual: 0.01 nm }"', ['wavelength', 'pixel', 'residual']);
    const wavelength = one && quantityAt(sheet, [...here, 'wavelength'], 'm')?.value;
    const pixel = one?.pixel;
    const left = one && 'residual' in one ? inUnit(one.residual, 'm') : undefined;
    if (typeof left === 'string') sheet.say([...here, 'residual'], left);
    if (one && !(typeof pixel === 'number' && Number.isFinite(pixel)))
      sheet.say([...here, 'pixel'], `"pixel" is a number, counted from 0, not ${described(pixel)}`);
    if (wavelength === undefined || typeof pixel !== 'number') return [];
    return [{ wavelength, pixel, ...(left === undefined || typeof left === 'string' ? {} : { residual: left.value }) }];
  });
}
