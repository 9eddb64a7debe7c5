/** The derivations of a rig: methods, inputs, parameters, and the files that parameters name. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Method, Methods, RigDerivation, RigFile, RigInput } from './rig.ts';
import { pathEntry } from './rig-calibrations.ts';
import { parsedBy } from './rig-instruments.ts';
import { checkName, described, hint, isName, isTable, seconds, type Table, table, text, word } from './rig-read.ts';
import type { Path, Sheet } from './rig-yaml.ts';
import { quantity } from './units.ts';

/** Seconds within which an input that is named without `within` must have come: older than that, it is no partner. */
export const WITHIN = 1;
/** The same for a channel of the optical path: it moves seldom, and some boards tell only of changes. */
export const HELD_WITHIN = 60;
/** The parameter of which entries may be channels. */
const PATH = 'path';
/** What must be so for there to be a result, and is no part of what a calibration is compared by. */
const ONLY = 'only';

export async function readDerivations(sheet: Sheet, folder: string, methods: Methods): Promise<RigDerivation[]> {
  const out: RigDerivation[] = [];
  const instruments = sheet.at(['instruments']);
  for (const name of Object.keys(table(sheet, ['derive'], '"up: { method: planck-ml, spectrum: camera.spectrum }"') ?? {})) {
    const path = ['derive', name];
    if (!checkName(sheet, path, name, 'key')) continue;
    if (isTable(instruments) && Object.hasOwn(instruments, name)) {
      sheet.say(path, `"${name}" is the name of an instrument already; a derivation needs another one`, 'key');
      continue;
    }
    const one = await readDerivation(sheet, path, name, folder, methods);
    if (one) out.push(one);
  }
  return out;
}

async function readDerivation(
  sheet: Sheet,
  path: Path,
  name: string,
  folder: string,
  methods: Methods,
): Promise<RigDerivation | undefined> {
  const given = table(sheet, path, '"{ method: planck-ml, spectrum: camera.spectrum }"', undefined, { method: '"method: planck-ml"' });
  if (!given || !('method' in given)) return undefined;
  const methodName = text(sheet, [...path, 'method'], '"planck-ml"');
  if (methodName === undefined) return undefined;
  const method = methods.get(methodName);
  if (!method) {
    sheet.say([...path, 'method'], `there is no method "${methodName}"${hint(methodName, methods.keys())}`);
    return undefined;
  }
  const inputs = readInputs(sheet, path, given, method);
  const held = readPath(sheet, path, given, method);
  const own = Object.keys(method.params.fields);
  const known = ['method', ...Object.keys(method.inputs), ...own];
  const params: Record<string, unknown> = {};
  let strange = false;
  for (const [key, value] of Object.entries(given)) {
    if (key === 'method' || Object.hasOwn(method.inputs, key)) continue;
    if (!own.includes(key)) {
      strange = true;
      sheet.say([...path, key], `${methodName} has no input or parameter "${key}"${hint(key, known)}`, 'key');
    } else params[key] = key === PATH && held ? held.constants : value;
  }
  const filled = await withFiles(sheet, path, params, method.files ?? [], folder);
  if (!filled) return undefined;
  const parsed = parsedBy(sheet, path, method.params, filled, methodName);
  return inputs && parsed && !strange ? { name, method: methodName, inputs: { ...inputs, ...held?.channels }, params: filled } : undefined;
}

interface HeldPath {
  /** Inputs by the name path.NAME, or only.NAME where the rig says what it must be. */
  readonly channels: Readonly<Record<string, RigInput>>;
  readonly constants: Readonly<Record<string, unknown>>;
}
const CHANNEL = /^[A-Za-z_][\w-]*\.[A-Za-z_][\w.-]*(?:\[\d+\])?$/;

/** The optical path of a derivation that takes its calibration from the ledger: what is a channel becomes an input, the rest stays. */
function readPath(sheet: Sheet, path: Path, given: Table, method: Method): HeldPath | undefined {
  if (!method.takes || !Object.hasOwn(given, PATH)) return undefined;
  const here = [...path, PATH];
  if (given.calibration !== 'auto') sheet.say(here, '"path" is compared by "calibration: auto"; write that too, or leave it out', 'key');
  const all = table(sheet, here, '"{ filter: optics.filter, magnification: 20, side: up }"');
  if (!all) return { channels: {}, constants: {} };
  const channels: Record<string, RigInput> = {};
  const constants: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(all)) {
    const at = [...here, name];
    if (!isName(name)) sheet.say(at, `"${name}" is no name: names have letters, digits, - and _ (64 at most)`, 'key');
    else if (isTable(value)) {
      const input = readHeld(sheet, at, value);
      if (input) channels[`${input.is === undefined ? PATH : ONLY}.${name}`] = input;
    } else if (typeof value === 'string' && CHANNEL.test(value))
      channels[`${PATH}.${name}`] = { from: value, pair: 'held', within: HELD_WITHIN };
    else {
      const entry = pathEntry(value);
      if (entry === undefined)
        sheet.say(at, `"${name}" of the path is a channel such as optics.filter, a word or a number, not ${described(value)}`);
      else constants[name] = entry;
    }
  }
  return { channels, constants };
}

function readHeld(sheet: Sheet, at: Path, value: Table): RigInput | undefined {
  table(sheet, at, '"{ from: optics.filter, within: 10 min }"', ['from', 'within', 'is'], { from: '"from: optics.filter"' });
  if (!('from' in value)) return undefined;
  const is = 'is' in value ? pathEntry(value.is) : undefined;
  if ('is' in value && is === undefined) {
    sheet.say([...at, 'is'], `"is" is a word or a number, such as "is: out", not ${described(value.is)}`);
    return undefined;
  }
  const within = 'within' in value ? seconds(sheet, [...at, 'within']) : HELD_WITHIN;
  if (typeof value.from === 'string' && SOURCE.test(value.from))
    return within === undefined ? undefined : { from: value.from, pair: 'held', within, ...(is === undefined ? {} : { is }) };
  sheet.say([...at, 'from'], `an entry of the path is INSTRUMENT.CHANNEL, such as "optics.filter", not ${described(value.from)}`);
  return undefined;
}

function readInputs(sheet: Sheet, path: Path, given: Table, method: Method): Readonly<Record<string, RigInput>> | undefined {
  const out: Record<string, RigInput> = {};
  const names = Object.keys(method.inputs).filter((name) => Object.hasOwn(given, name) || !method.optional?.includes(name));
  for (const [i, name] of names.entries()) {
    if (!Object.hasOwn(given, name)) {
      sheet.say(path, `the input "${name}" of ${method.method} is missing; write "${name}: INSTRUMENT.CHANNEL"`, 'key');
      continue;
    }
    const input = readInput(sheet, [...path, name], i === 0);
    if (input) out[name] = input;
  }
  return Object.keys(out).length === names.length ? out : undefined;
}

function readInput(sheet: Sheet, path: Path, first: boolean): RigInput | undefined {
  const value = sheet.at(path);
  const whole = isTable(value);
  const at = whole ? [...path, 'from'] : path;
  if (whole)
    table(sheet, path, '"{ from: b.power, pair: interpolate, within: 0.5 s }"', ['from', 'pair', 'within'], { from: '"from: b.power"' });
  if (whole && !('from' in value)) return undefined;
  const from = sheet.at(at);
  if (typeof from !== 'string' || !SOURCE.test(from)) {
    sheet.say(at, `an input is INSTRUMENT.CHANNEL, such as "camera.spectrum" or "hv.voltage[3]", not ${described(from)}`);
    return undefined;
  }
  const paired = whole && 'pair' in value;
  const pair = paired ? word(sheet, [...path, 'pair'], ['last', 'exact', 'interpolate'] as const) : 'last';
  const within = whole && 'within' in value ? seconds(sheet, [...path, 'within'], pair === 'exact') : undefined;
  if (first && whole && ('pair' in value || 'within' in value))
    sheet.warn(path, 'the first input triggers: "pair" and "within" mean nothing here', 'key');
  else if (paired && !('within' in value))
    sheet.say(path, `"within" is missing beside "pair"; write "within: 0.5 s": how far apart in time the two may be`, 'key');
  return pair === undefined ? undefined : { from, pair, within: within ?? (first ? 0 : WITHIN) };
}

export const SOURCE = /^([^.[\]\s]+)\.([^[\]\s]+?)(?:\[(\d+)\])?$/;
const LARGEST = 64 << 20; // bytes of a calibration: detector frames have a few megabytes

/** Words in the place of a file: the one that fits, or none at all. */
const WORDS = ['auto', 'none'];

/** The parameters with the bytes of each file in the place of its name; undefined after a message. */
async function withFiles(sheet: Sheet, path: Path, params: Table, files: readonly string[], folder: string): Promise<Table | undefined> {
  const out = structuredClone(params) as Record<string, unknown>; // a copy of plain data, of the same shape
  let whole = true;
  for (const dotted of files) {
    const steps = dotted.split('.');
    const last = steps.pop() ?? '';
    let holder: unknown = out;
    for (const step of steps) holder = isTable(holder) && Object.hasOwn(holder, step) ? holder[step] : undefined;
    if (!isTable(holder) || !Object.hasOwn(holder, last)) continue;
    const name = holder[last];
    // A parameter may be a file or a number ("emissivity: 0.35"): only text that is no quantity names a file.
    if (typeof name !== 'string' || WORDS.includes(name) || typeof quantity(name) !== 'string') continue;
    const file = await readWhole(resolve(folder, name), name);
    if (typeof file === 'string') {
      whole = false;
      sheet.say([...path, ...steps, last], file);
    } else (holder as Record<string, unknown>)[last] = file; // part of our own copy
  }
  return whole ? out : undefined;
}

async function readWhole(place: string, path: string): Promise<RigFile | string> {
  try {
    const bytes = new Uint8Array(await readFile(place));
    if (bytes.length > LARGEST) return `the file "${path}" has ${bytes.length} bytes, more than a calibration can have`;
    if (bytes.length === 0) return `the file "${path}" is empty`;
    return { path, sha256: createHash('sha256').update(bytes).digest('hex'), bytes };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? `there is no file "${path}"; files are looked for in the rig's folder`
      : code === 'EISDIR'
        ? `"${path}" is a folder; a file is wanted`
        : `the file "${path}" cannot be read (${code})`;
  }
}
