/** Conditions of a rig: what a channel must be, joined by all-of and any-of. What could never be true at runtime is said here. */
import type { Condition, Leaf, Test } from './condition.ts';
import { duration } from './condition-words.ts';
import type { Kind } from './reading.ts';
import type { Methods, Rig, RigInstrument } from './rig.ts';
import { given, interval, isUnit } from './rig-check.ts';
import { SOURCE } from './rig-derive.ts';
import { described, example, hint, inUnit, isTable, seconds, type Table, word } from './rig-read.ts';
import type { Facts, Shape } from './rig-shape.ts';
import type { Path, Sheet } from './rig-yaml.ts';
import { QUANTITY, quantity, type Unit } from './units.ts';

/** A channel of this rig, or the output of a derivation. */
export interface Channel extends Omit<Facts, 'every'> {
  readonly kind: Kind;
  /** Seconds between two polls in this rig; absent for what comes otherwise. */
  readonly every?: number;
}

export interface ChannelLookup {
  /** instrument.channel without index. A sentence where there is none; undefined where its fault has been told already. */
  find(of: string): Channel | string | undefined;
}

export function channelsOf(sheet: Sheet, rig: Rig, shapes: ReadonlyMap<string, Shape>, methods: Methods): ChannelLookup {
  const names = [...given(sheet, ['instruments']), ...given(sheet, ['derive'])];
  return {
    find(of) {
      const [source = '', channel = ''] = split(of);
      const derivation = rig.derive.find((d) => d.name === source);
      if (derivation) {
        const outputs = methods.get(derivation.method)?.outputs ?? {};
        if (Object.hasOwn(outputs, channel)) return { kind: outputs[channel], comes: 'derived' };
        return `"${source}" has no channel "${channel}"${hint(channel, Object.keys(outputs))}`;
      }
      const placed = rig.instruments.find((one) => one.name === source);
      const shape = shapes.get(source);
      if (!placed || !shape)
        return names.includes(source) ? undefined : `there is no instrument or derivation "${source}" in this rig${hint(source, names)}`;
      if (shape.fault !== undefined) return undefined;
      if (shape.state.is !== 'running') return uncheckable(placed, shape);
      if (!Object.hasOwn(shape.channels, channel))
        return `"${source}" has no channel "${channel}"${hint(channel, Object.keys(shape.channels))}`;
      const every = interval(placed, shape, channel);
      const { every: _, ...facts } = shape.facts[channel] ?? { comes: 'given' };
      return { kind: shape.channels[channel], ...facts, ...(every === undefined ? {} : { every }) };
    },
  };
}

/** Nothing is proven of what could not be asked. */
export const uncheckable = (placed: RigInstrument, shape: Shape): string =>
  `what ${placed.name} (${placed.model}) has is not known here${'why' in shape.state ? ` (${shape.state.why})` : ''}, so nothing can be proven of it; an instrument with interlocks needs a simulator that answers`;

const split = (of: string): readonly string[] => {
  const dot = of.indexOf('.');
  return [of.slice(0, dot), of.slice(dot + 1)];
};

const TESTS = ['above', 'below', 'between', 'is'] as const;
const KEYS = ['of', ...TESTS, 'hysteresis', 'for', 'stale', 'stuck', 'suspect', 'slope'];
const LIKE = '"{ of: laser.temperature, below: 40 degC }"';
const SLOWEST = 3.5; // polls that may be missed, nearly: one lost answer is no reason to act
const LEAST = 1; // seconds

/** The condition at this path, in SI; undefined after a message. */
export function readCondition(sheet: Sheet, path: Path, channels: ChannelLookup): Condition | undefined {
  const written = sheet.at(path);
  if (!isTable(written)) {
    const list = Array.isArray(written) ? '; a list is written behind "all:" or "any:"' : '';
    sheet.say(path, `a condition is written as ${LIKE}, not as ${described(written)}${list}`);
    return undefined;
  }
  const heads = (['of', 'all', 'any'] as const).filter((key) => Object.hasOwn(written, key));
  const [head] = heads;
  if (head === undefined || heads.length > 1) {
    const what = head === undefined ? 'has none of "of", "all" and "any"' : `has "${heads.join('" and "')}"; one of them is wanted`;
    sheet.say(head === undefined ? path : [...path, heads[1] ?? ''], `this condition ${what}; write ${LIKE} or "all: [..., ...]"`, 'key');
    return undefined;
  }
  const known = head === 'of' ? KEYS : [head];
  const strange = Object.keys(written).filter((key) => !known.includes(key));
  for (const key of strange)
    sheet.say([...path, key], `there is no "${key}" ${head === 'of' ? 'in a condition' : `beside "${head}"`}${hint(key, known)}`, 'key');
  if (head === 'of') {
    const leaf = readLeaf(sheet, path, written, channels);
    return strange.length > 0 ? undefined : leaf;
  }
  const list = written[head];
  if (!Array.isArray(list) || list.length === 0) {
    sheet.say(
      [...path, head],
      `"${head}" is a list of conditions such as "- ${LIKE.slice(1, -1)}", not ${Array.isArray(list) ? 'an empty one' : described(list)}`,
    );
    return undefined;
  }
  const parts = list.map((_, i) => readCondition(sheet, [...path, head, i], channels));
  const sound = parts.filter((one) => one !== undefined);
  if (sound.length < parts.length || strange.length > 0) return undefined;
  return head === 'all' ? { all: sound } : { any: sound };
}

function readLeaf(sheet: Sheet, path: Path, written: Table, channels: ChannelLookup): Leaf | undefined {
  const source = readSource(sheet, [...path, 'of'], channels);
  if (!source) return undefined;
  const { of, index, channel } = source;
  const { kind } = channel;
  const before = sheet.errors.length;
  const slope = 'slope' in written ? seconds(sheet, [...path, 'slope']) : undefined;
  const test = readTest(sheet, path, written, of, kind, 'slope' in written);
  const hysteresis = 'hysteresis' in written ? readHysteresis(sheet, [...path, 'hysteresis'], of, kind, 'slope' in written) : 0;
  const hold = 'for' in written ? seconds(sheet, [...path, 'for'], true) : 0;
  const stale = readStale(sheet, path, written, of, channel);
  const stuck = 'stuck' in written ? seconds(sheet, [...path, 'stuck']) : undefined;
  const suspect = 'suspect' in written ? word(sheet, [...path, 'suspect'], ['allowed', 'refused'] as const) : 'refused';
  const { every } = channel;
  for (const [key, value] of [
    ['stuck', stuck],
    ['slope', slope],
  ] as const) {
    if (value !== undefined && every !== undefined && value < 2 * every)
      sheet.say(
        [...path, key],
        `${of} is read every ${duration(every)}: "${key}" must be at least ${duration(2 * every)}, and more is better`,
      );
  }
  if (test === undefined || hysteresis === undefined || hold === undefined || stale === undefined || suspect === undefined)
    return undefined;
  if (sheet.errors.length > before) return undefined;
  return {
    of,
    ...(index === undefined ? {} : { index }),
    kind,
    test,
    ...(slope === undefined ? {} : { slope }),
    hysteresis,
    hold,
    stale,
    ...(stuck === undefined ? {} : { stuck }),
    suspect: suspect === 'allowed',
  };
}

interface Source {
  readonly of: string;
  readonly index?: number;
  readonly channel: Channel;
}

function readSource(sheet: Sheet, path: Path, channels: ChannelLookup): Source | undefined {
  const written = sheet.at(path);
  const [, source, name, index] = (typeof written === 'string' && SOURCE.exec(written)) || [];
  if (source === undefined || name === undefined) {
    sheet.say(path, `"of" is INSTRUMENT.CHANNEL, such as "laser.temperature" or "hv.voltage[3]", not ${described(written)}`);
    return undefined;
  }
  const of = `${source}.${name}`;
  const channel = channels.find(of);
  if (channel === undefined) return undefined;
  if (typeof channel === 'string') {
    sheet.say(path, channel);
    return undefined;
  }
  if (index !== undefined && channel.list === false) {
    sheet.say(path, `${of} is no list: it has no [${index}]; write "${of}"`);
    return undefined;
  }
  return { of, channel, ...(index === undefined ? {} : { index: Number(index) }) };
}

const noun = (kind: Kind): string =>
  isUnit(kind) ? `a ${QUANTITY[kind].replaceAll('_', ' ')}${kind === '1' ? '' : ` in ${kind}`}` : `a ${kind}`;

/** What would be right for a channel of this kind. */
const right = (kind: Kind): string =>
  kind === 'flag' ? '"is: on"' : kind === 'state' ? '"is: WORD"' : isUnit(kind) ? `"below: ${example(kind).slice(1, -1)}"` : '';

function readTest(sheet: Sheet, path: Path, written: Table, of: string, kind: Kind, slope: boolean): Test | undefined {
  if (kind === 'trace') {
    sheet.say([...path, 'of'], `${of} gives a trace: a condition looks at a number, a flag or a word; derive one from it`);
    return undefined;
  }
  const tests = TESTS.filter((key) => Object.hasOwn(written, key));
  const [test, other] = tests;
  if (test === undefined) {
    if (Object.keys(written).every((key) => KEYS.includes(key)))
      sheet.say(path, `what ${of} must be is missing; it gives ${noun(kind)}: write ${right(kind)}`, 'key');
    return undefined;
  }
  if (other !== undefined) {
    const both = tests.join() === 'above,below' ? '; for both write "between: [LOW, HIGH]"' : '; join two conditions by "all: [..., ...]"';
    sheet.say([...path, other], `"${test}" and "${other}" stand beside each other${both}`, 'key');
    return undefined;
  }
  if ((test === 'is') === isUnit(kind)) {
    sheet.say(
      [...path, test],
      `${of} gives ${noun(kind)}, and "${test}" wants ${test === 'is' ? 'a flag or a word' : 'a number'}; write ${right(kind)}`,
      'key',
    );
    return undefined;
  }
  if (slope && test === 'is') {
    sheet.say([...path, 'slope'], `${of} gives ${noun(kind)}: it has no slope`, 'key');
    return undefined;
  }
  return test === 'is' ? readWords(sheet, [...path, 'is'], of, kind) : readLimits(sheet, [...path, test], test, of, kind, slope);
}

function readWords(sheet: Sheet, path: Path, of: string, kind: Kind): Test | undefined {
  const written = sheet.at(path);
  const list = Array.isArray(written) ? (written as unknown[]) : [written];
  if (list.length === 0) sheet.say(path, 'the list is empty: nothing would be right');
  const words: (string | boolean)[] = [];
  for (const [i, one] of list.entries()) {
    const at = Array.isArray(written) ? [...path, i] : path;
    const read = kind === 'flag' ? flagOf(one) : typeof one === 'string' && one !== '' ? one : undefined;
    if (read === undefined)
      sheet.say(
        at,
        kind === 'flag'
          ? `${of} gives a flag: write "is: on" or "is: off" (true and false, yes and no are the same), not ${described(one)}`
          : `${of} gives words: write "is: WORD"${typeof one === 'boolean' || typeof one === 'number' ? `, in quotes where YAML takes it for something else: "${String(one)}"` : ''}, not ${described(one)}`,
      );
    else words.push(read);
  }
  return words.length === list.length && words.length > 0 ? { is: 'one-of', words } : undefined;
}

function flagOf(written: unknown): boolean | undefined {
  if (typeof written === 'boolean') return written;
  const said = String(written).toLowerCase();
  return ['on', 'yes', 'true'].includes(said) ? true : ['off', 'no', 'false'].includes(said) ? false : undefined;
}

function readLimits(sheet: Sheet, path: Path, is: 'above' | 'below' | 'between', of: string, kind: Kind, slope: boolean): Test | undefined {
  if (!isUnit(kind)) return undefined;
  const one = (at: Path): number | undefined => {
    const read = slope ? perTime(sheet.at(at), kind) : inUnit(sheet.at(at), kind);
    if (typeof read === 'number') return read;
    if (typeof read !== 'string' && read.sigma === undefined) return read.value;
    const why = typeof read === 'string' ? read : exact(sheet.at(at));
    sheet.say(at, `${of} gives ${kind === '1' ? 'a number without unit' : kind}: ${why}`);
    return undefined;
  };
  if (is !== 'between') {
    const limit = one(path);
    return limit === undefined ? undefined : { is, limit };
  }
  const written = sheet.at(path);
  if (!Array.isArray(written) || written.length !== 2) {
    sheet.say(path, `"between" is two quantities such as [20 degC, 40 degC], not ${described(written)}`);
    return undefined;
  }
  const [lo, hi] = [one([...path, 0]), one([...path, 1])];
  if (lo === undefined || hi === undefined) return undefined;
  if (lo <= hi) return { is, lo, hi };
  sheet.say(path, `the lower limit (${String(written[0])}) is above the upper one (${String(written[1])})`);
  return undefined;
}

function readHysteresis(sheet: Sheet, path: Path, of: string, kind: Kind, slope: boolean): number | undefined {
  if (!isUnit(kind)) {
    sheet.say(path, `${of} gives ${noun(kind)}: it has no hysteresis; "for: 3 s" is how long it must have been right`, 'key');
    return undefined;
  }
  const read = slope ? perTime(sheet.at(path), kind) : difference(sheet.at(path), kind);
  if (typeof read === 'number' && read >= 0) return read;
  sheet.say(path, typeof read === 'string' ? `${of}: ${read}` : `"${String(sheet.at(path))}" must be zero or more`);
  return undefined;
}

const exact = (written: unknown): string => `"${String(written)}" must be one number, without an uncertainty`;

const DEGREES = /^(.*?)\s*(?:°C|degC)\s*$/;

/** A difference of two quantities of this unit; of temperatures in K, because 2 °C are 275.15 K. A sentence where it is none. */
export function difference(written: unknown, unit: Unit): number | string {
  const [, number] = (typeof written === 'string' && unit === 'K' && DEGREES.exec(written)) || [];
  if (number !== undefined)
    return `"${String(written)}" is a temperature, and a difference of temperatures is wanted here: write "${number} K"`;
  const read = inUnit(written, unit);
  if (typeof read === 'string') return read;
  return read.sigma === undefined ? read.value : exact(written);
}

/** "5 K/min" in the unit per second: any quantity of the unit over any unit of time. A sentence where it is none. */
export function perTime(written: unknown, unit: Unit): number | string {
  const like = `a change per time is wanted here, such as "${example(unit).slice(1, -1).replace('300 K', '5 K')}/min"`;
  const text = typeof written === 'string' ? written : '';
  const cut = text.lastIndexOf('/');
  if (cut < 0) return `${like}, not ${described(written)}`;
  const time = quantity(`1 ${text.slice(cut + 1).trim()}`);
  if (typeof time === 'string' || time.unit !== 's') return `"${text}" is not per time; ${like}`;
  // A degree of a change is a kelvin.
  const amount = difference(text.slice(0, cut).trim().replace(DEGREES, '$1 K'), unit);
  return typeof amount === 'string' ? `"${text}": ${amount}` : amount / time.value;
}

const COMES: Readonly<Record<Channel['comes'], string>> = {
  polled: 'is polled',
  streamed: 'comes by itself',
  given: 'comes with orders only',
  derived: 'is derived',
};

function readStale(sheet: Sheet, path: Path, written: Table, of: string, channel: Channel): number | undefined {
  const { every, comes } = channel;
  if (!('stale' in written)) {
    if (every !== undefined) return Math.max(LEAST, SLOWEST * every);
    sheet.say(path, `"stale" is missing: ${of} ${COMES[comes]}, so write how old its last reading may be, such as "stale: 5 s"`, 'key');
    return undefined;
  }
  const stale = seconds(sheet, [...path, 'stale']);
  if (stale === undefined || every === undefined || stale >= 2 * every) return stale;
  sheet.say(
    [...path, 'stale'],
    `${of} is read every ${duration(every)}: "stale" must be at least ${duration(2 * every)}, or one answer that is late takes it for silent; or read it more often ("every: { ${split(of)[1]}: ${duration(stale / 4)} }")`,
  );
  return undefined;
}
