/** The alarms of a rig, what the program watches by itself, and who is told when nobody acknowledges. */
import { dirname, isAbsolute, resolve } from 'node:path';
import type { Limits } from './alarm.ts';
import { PLACES, SEVERITIES } from './alarm-state.ts';
import { type Condition, leavesOf } from './condition.ts';
import type { Severity } from './entry.ts';
import type { Methods, Rig, RigAlarm, RigEscalation } from './rig.ts';
import { given } from './rig-check.ts';
import { type ChannelLookup, channelsOf, readCondition } from './rig-conditions.ts';
import { proveCondition } from './rig-proof.ts';
import { bytesOf, checkName, described, hint, isTable, seconds, table, text, word } from './rig-read.ts';
import type { Shape } from './rig-shape.ts';
import type { Path, Sheet } from './rig-yaml.ts';

const LIKE = '{ when: { of: laser.temperature, above: 35 degC }, severity: alarm }';
const KEYS = ['when', 'severity', 'levels', 'delay', 'latch', 'guidance'];
/** What a person acknowledges under these names is no alarm. */
const TAKEN = ['stop', 'record', 'all', 'rig'];

type Shapes = ReadonlyMap<string, Shape>;

export function readAlarms(sheet: Sheet, rig: Rig, shapes: Shapes, methods: Methods): readonly RigAlarm[] {
  if (sheet.at(['alarms']) === undefined) return [];
  const channels = channelsOf(sheet, rig, shapes, methods);
  return Object.keys(table(sheet, ['alarms'], `"chiller: ${LIKE}"`) ?? {}).flatMap((name) => {
    const one = readAlarm(sheet, name, channels);
    return one ? [one] : [];
  });
}

function readAlarm(sheet: Sheet, name: string, channels: ChannelLookup): RigAlarm | undefined {
  const path = ['alarms', name];
  const before = sheet.errors.length;
  if (!checkName(sheet, path, name, 'key')) return undefined;
  if (TAKEN.includes(name)) sheet.say(path, `"${name}" means something else to "bridgman acknowledge"; give the alarm another name`, 'key');
  const written = table(sheet, path, LIKE, KEYS);
  if (!written) return undefined;
  const levels = readLevels(sheet, path, written, channels);
  const delay = 'delay' in written ? seconds(sheet, [...path, 'delay'], true) : 0;
  const latch = 'latch' in written ? flag(sheet, [...path, 'latch']) : false;
  const guidance = 'guidance' in written ? text(sheet, [...path, 'guidance'], '"look at the chiller"') : undefined;
  if (sheet.errors.length > before || !levels || delay === undefined || latch === undefined) return undefined;
  return { name, levels, delay, latch, ...(guidance === undefined ? {} : { guidance }) };
}

function readLevels(
  sheet: Sheet,
  path: Path,
  written: Readonly<Record<string, unknown>>,
  channels: ChannelLookup,
): RigAlarm['levels'] | undefined {
  if ('when' in written === 'levels' in written) {
    const what =
      'when' in written ? '"when" and "levels" stand beside each other: one of them is wanted' : 'when it is to be raised is missing';
    sheet.say(path, `${what}; write ${LIKE}, or "levels: { warning: { of: ..., above: ... }, critical: ... }"`, 'key');
    return undefined;
  }
  if ('when' in written) {
    const severity = 'severity' in written ? word(sheet, [...path, 'severity'], SEVERITIES) : 'alarm';
    const when = readWhen(sheet, [...path, 'when'], channels);
    return severity && when && [{ severity, when }];
  }
  if ('severity' in written)
    sheet.say(
      [...path, 'severity'],
      '"levels" has the severities already: leave "severity" out, or write "when" in place of "levels"',
      'key',
    );
  const like = '"levels: { warning: { of: cell.temperature, above: 400 K }, critical: { of: cell.temperature, above: 450 K } }"';
  const all = table(sheet, [...path, 'levels'], like, SEVERITIES);
  if (!all) return undefined;
  if (Object.keys(all).length === 0) sheet.say([...path, 'levels'], `there is no level; write ${like}`, 'key');
  const levels = SEVERITIES.flatMap((severity) => {
    const when = severity in all ? readWhen(sheet, [...path, 'levels', severity], channels) : undefined;
    return when ? [{ severity, when }] : [];
  });
  for (const [i, { severity, when }] of levels.entries()) {
    const milder = levels[i - 1];
    if (milder && isMilder(when, milder.when))
      sheet.warn(
        [...path, 'levels', severity],
        `this is reached before "${milder.severity}" is: the limit of the worse level lies farther out`,
      );
  }
  return levels;
}

/** The condition of being in alarm. */
function readWhen(sheet: Sheet, path: Path, channels: ChannelLookup): Condition | undefined {
  const when = readCondition(sheet, path, channels);
  if (!when) return undefined;
  // The hysteresis acts on leaving it: what it takes to come back is no matter here.
  proveCondition(inWordsOfAlarms(sheet), path, withoutHysteresis(when), channels);
  return when;
}

const inWordsOfAlarms = (sheet: Sheet): Sheet => ({
  ...sheet,
  say: (path, said, part) =>
    sheet.say(
      path,
      said.replace('this can never hold', 'this alarm could never be raised').replace('this cannot fail', 'this alarm would never go'),
      part,
    ),
});

const withoutHysteresis = (c: Condition): Condition =>
  'of' in c ? { ...c, hysteresis: 0 } : 'all' in c ? { all: c.all.map(withoutHysteresis) } : { any: c.any.map(withoutHysteresis) };

/** Of two single limits on one channel: the first is reached first. */
function isMilder(one: Condition, other: Condition): boolean {
  const [a, b] = [leavesOf(one), leavesOf(other)];
  const [x, y] = [a[0]?.test, b[0]?.test];
  if (a.length !== 1 || b.length !== 1 || a[0]?.of !== b[0]?.of || a[0]?.index !== b[0]?.index || a[0]?.slope !== b[0]?.slope) return false;
  if (x?.is === 'above' && y?.is === 'above') return x.limit < y.limit;
  return x?.is === 'below' && y?.is === 'below' && x.limit > y.limit;
}

function flag(sheet: Sheet, path: Path): boolean | undefined {
  const written = sheet.at(path);
  if (typeof written === 'boolean') return written;
  sheet.say(path, `"${path.at(-1)}" is true or false, not ${described(written)}`);
  return undefined;
}

const WATCHED = ['silence', 'link', 'lateness', 'queue', 'memory', 'clock_step', 'clock_offset'] as const;
const SILENCE = '"silence: { except: [camera.spectrum], after: 30 s }"';
/** Never reached, and a number still when the rig goes to another process as JSON. */
const NEVER = Number.MAX_VALUE;

/** What of the limits of the program's own alarms this rig has otherwise; "off" switches one off. */
export function readWatch(sheet: Sheet, rig: Rig, shapes: Shapes, methods: Methods): Partial<Limits> | undefined {
  if (sheet.at(['watch']) === undefined) return undefined;
  const written = table(sheet, ['watch'], SILENCE, WATCHED);
  if (!written) return undefined;
  const time = (key: string): number | undefined =>
    key in written ? (isOff(written[key]) ? NEVER : seconds(sheet, ['watch', key])) : undefined;
  const limits: Partial<Limits> = {
    ...(isOff(written.silence)
      ? { silence: NEVER }
      : 'silence' in written
        ? readSilence(sheet, shapes, channelsOf(sheet, rig, shapes, methods))
        : {}),
    linkDown: time('link'),
    lateness: time('lateness'),
    clockStep: time('clock_step'),
    clockOffset: time('clock_offset'),
    queue: 'queue' in written ? (isOff(written.queue) ? NEVER : count(sheet, ['watch', 'queue'])) : undefined,
    memory: 'memory' in written ? (isOff(written.memory) ? NEVER : bytesOf(sheet, ['watch', 'memory'])) : undefined,
  };
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}

const isOff = (value: unknown): boolean => value === false || value === 'off';

function count(sheet: Sheet, path: Path): number | undefined {
  const written = sheet.at(path);
  if (typeof written === 'number' && Number.isInteger(written) && written > 0) return written;
  sheet.say(path, `"${path.at(-1)}" is a number of entries such as 100000, or off, not ${described(written)}`);
  return undefined;
}

function readSilence(sheet: Sheet, shapes: Shapes, channels: ChannelLookup): Partial<Limits> {
  const path = ['watch', 'silence'];
  const written = table(sheet, path, SILENCE, ['except', 'after']) ?? {};
  const after = 'after' in written ? seconds(sheet, [...path, 'after']) : undefined;
  const list = written.except ?? [];
  if (!Array.isArray(list)) {
    sheet.say([...path, 'except'], `"except" is a list of instruments and channels such as [camera, oven.power], not ${described(list)}`);
    return {};
  }
  const instruments = given(sheet, ['instruments']);
  const except = (list as readonly unknown[]).flatMap((one, i) => {
    const [instrument = '', channel] = String(one).split('.', 2);
    const there = instruments.includes(instrument);
    // What could not be asked which channels it has is taken at its word.
    if (there && (channel === undefined || shapes.get(instrument)?.state.is !== 'running')) return [String(one)];
    const found = there ? channels.find(String(one)) : `there is no instrument "${instrument}" in this rig${hint(instrument, instruments)}`;
    if (typeof found === 'string') sheet.say([...path, 'except', i], found);
    return typeof found === 'object' ? [String(one)] : [];
  });
  return { ...(after === undefined ? {} : { silence: after }), ...(except.length === 0 ? {} : { silenceExcept: except }) };
}

const ESCALATE = '"- { severity: critical, after: 60 s, command: [/usr/local/bin/page, "{name}: {text}"] }"';

export function readEscalations(sheet: Sheet): readonly RigEscalation[] {
  const list = sheet.at(['escalate']);
  if (list === undefined) return [];
  if (!Array.isArray(list)) {
    sheet.say(['escalate'], `"escalate" is a list such as ${ESCALATE}, not ${described(list)}`);
    return [];
  }
  return (list as readonly unknown[]).flatMap((_, i) => {
    const one = readEscalation(sheet, ['escalate', i]);
    return one ? [one] : [];
  });
}

function readEscalation(sheet: Sheet, path: Path): RigEscalation | undefined {
  const written = sheet.at(path);
  if (!isTable(written)) {
    sheet.say(path, `who is told is written as ${ESCALATE}, not as ${described(written)}`);
    return undefined;
  }
  const known = ['severity', 'after', 'command', 'webhook'];
  for (const key of Object.keys(written))
    if (!known.includes(key)) sheet.say([...path, key], `there is no "${key}" in an escalation${hint(key, known)}`, 'key');
  for (const [key, like] of [
    ['severity', '"severity: critical"'],
    ['after', '"after: 60 s"'],
  ] as const)
    if (!(key in written)) sheet.say(path, `"${key}" is missing in this escalation; write ${like}`, 'key');
  const severity: Severity | undefined = 'severity' in written ? word(sheet, [...path, 'severity'], SEVERITIES) : undefined;
  const after = 'after' in written ? seconds(sheet, [...path, 'after'], true) : undefined;
  if ('command' in written === 'webhook' in written) {
    const what =
      'command' in written ? '"command" and "webhook" stand beside each other: make two of it' : 'neither "command" nor "webhook" says how';
    sheet.say(path, `${what}; an escalation is written as ${ESCALATE}, or with "webhook: http://..."`, 'key');
    return undefined;
  }
  const command = 'command' in written ? readCommand(sheet, [...path, 'command']) : undefined;
  const webhook = 'webhook' in written ? readWebhook(sheet, [...path, 'webhook']) : undefined;
  if (severity === undefined || after === undefined || (command === undefined && webhook === undefined)) return undefined;
  return { severity, after, ...(command ? { command } : { webhook }) };
}

/** Program and arguments; a program with a slash is meant from the rig's folder on. */
function readCommand(sheet: Sheet, path: Path): readonly string[] | undefined {
  const written = sheet.at(path);
  if (!Array.isArray(written) || written.length === 0) {
    const why = typeof written === 'string' ? '; there is no shell that would take it apart' : '';
    sheet.say(
      path,
      `"command" is a list of a program and its arguments such as [/usr/local/bin/page, "{name}: {text}"], not ${described(written)}${why}`,
    );
    return undefined;
  }
  const before = sheet.errors.length;
  const words = (written as readonly unknown[]).map((one, i) => {
    if ((typeof one !== 'string' && typeof one !== 'number') || one === '' || String(one).includes('\0')) {
      sheet.say([...path, i], `each part of a command is a text, not ${one === '' ? 'an empty one' : described(one)}; put it in quotes`);
      return '';
    }
    for (const [whole, place = ''] of String(one).matchAll(/\{(\w+)\}/g))
      if (!PLACES.some((p) => p === place))
        sheet.say([...path, i], `${whole} is not known in a command; known are ${PLACES.map((p) => `{${p}}`).join(', ')}`);
    if (i === 0 && /\{\w+\}/.test(String(one)))
      sheet.say([...path, i], 'an alarm does not say which program is run: write the program itself');
    return String(one);
  });
  if (sheet.errors.length > before) return undefined;
  const [program = '', ...rest] = words;
  return [program.includes('/') && !isAbsolute(program) ? resolve(dirname(resolve(sheet.file)), program) : program, ...rest];
}

function readWebhook(sheet: Sheet, path: Path): string | undefined {
  const written = text(sheet, path, '"http://localhost:8080/hook"');
  if (written === undefined) return undefined;
  const url = URL.canParse(written) ? new URL(written) : undefined;
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return written;
  sheet.say(path, `"webhook" is an address such as "http://localhost:8080/hook" (http or https), not ${described(written)}`);
  return undefined;
}
