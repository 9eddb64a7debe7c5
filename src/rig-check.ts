/** What only identified instruments can tell of a rig: channels, commands, limits, leases, units of derivations. */
import type { Catalogue } from './catalogue.ts';
import type { Command, Kind, Kinds } from './instrument.ts';
import type { Lease, Methods, Rig, RigInstrument } from './rig.ts';
import { SOURCE } from './rig-derive.ts';
import { LEASE, UNUSED } from './rig-instruments.ts';
import { adapterOf } from './rig-links.ts';
import { described, hint, inUnit, isTable } from './rig-read.ts';
import type { Shape } from './rig-shape.ts';
import type { Path, Sheet } from './rig-yaml.ts';
import { show, type Unit } from './units.ts';

export const isUnit = (kind: string): kind is Unit => kind !== 'flag' && kind !== 'state' && kind !== 'trace' && kind !== 'nothing';

/** Says what is wrong with the instruments and the derivations. */
export function checkAgainstShape(
  sheet: Sheet,
  rig: Rig,
  shapes: ReadonlyMap<string, Shape>,
  catalogue: Catalogue,
  methods: Methods,
): void {
  for (const placed of rig.instruments) {
    const shape = shapes.get(placed.name);
    if (shape) checkInstrument(sheet, placed, shape, shapes, catalogue);
  }
  checkDerivations(sheet, rig, shapes, methods);
}

function checkInstrument(
  sheet: Sheet,
  placed: RigInstrument,
  shape: Shape,
  shapes: ReadonlyMap<string, Shape>,
  catalogue: Catalogue,
): void {
  const path = ['instruments', placed.name];
  for (const [role, link] of Object.entries(placed.links)) {
    const adapter = adapterOf(link);
    const through = adapter === undefined ? undefined : shapes.get(adapter);
    if (through?.state.is !== 'running' || through.tunnel) continue;
    const carriers = [...shapes].filter(([, s]) => s.tunnel).map(([name]) => name);
    sheet.say(
      sheet.at([...path, 'links', role]) === undefined ? [...path, 'link'] : [...path, 'links', role],
      `"${adapter}" is no adapter: it cannot carry ${link.address}${carriers.length === 0 ? '' : `; ${carriers.join(', ')} can`}`,
    );
  }
  if (shape.fault !== undefined) {
    sheet.say([...path, 'model'], `${placed.model}: ${shape.fault}`);
    return;
  }
  if (shape.state.is !== 'running') {
    const why = catalogue.simulators.has(placed.model) ? `its simulator was not taken (${shape.state.why})` : shape.state.why;
    sheet.warn(path, `${placed.name}: ${why}: its channels and commands could not be checked`, 'key');
    return;
  }
  for (const channel of Object.keys(placed.every)) checkEvery(sheet, placed, shape, channel);
  for (const name of given(sheet, [...path, 'limits'])) checkLimits(sheet, placed, shape, name, knobs(placed, catalogue));
  for (const name of given(sheet, [...path, 'leases'])) {
    const command = shape.commands[name];
    if (!command) sheet.say([...path, 'leases', name], noCommand(placed, shape, name), 'key');
    else if (command.safe === undefined) sheet.warn([...path, 'leases', name], `"${name}" is not hazardous: it needs no lease`, 'key');
    else checkLease(sheet, placed, shape, shapes, name, command);
  }
  for (const [name, command] of Object.entries(shape.commands)) {
    if (command.safe === undefined || sheet.at([...path, 'leases', name]) !== undefined) continue;
    const what = sheet.at([...path, 'leases']) === undefined ? path : [...path, 'leases'];
    sheet.say(
      what,
      `"${name}" of ${placed.model} is hazardous and has no lease; write "leases: { ${name}: ${LEASE} }", or "${name}: ${UNUSED}" to have its orders refused`,
      'key',
    );
  }
}

/** A lease lives on readings of its readback: they must come at least twice within its deadline. */
function checkLease(
  sheet: Sheet,
  placed: RigInstrument,
  shape: Shape,
  shapes: ReadonlyMap<string, Shape>,
  name: string,
  command: Command,
): void {
  const lease = placed.leases[name];
  if (!lease) return;
  const path = ['instruments', placed.name, 'leases', name];
  const unread = (why: string): void =>
    sheet.say(
      path,
      `"${name}" of ${placed.model} ${why}, so a safe order could never be read back; only "${name}: ${UNUSED}" is possible`,
      'key',
    );
  const channel = command.readback?.channel;
  if (channel === undefined) unread('has no readback');
  else if (!['polled', 'streamed'].includes(shape.facts[channel]?.comes ?? ''))
    unread(`is read back from "${channel}", which the instrument neither is asked for nor sends`);
  else {
    const every = interval(placed, shape, channel);
    if (every !== undefined && lease.deadline < 2 * every)
      sheet.say(
        path,
        `the deadline of ${lease.deadline} s is too short: "${channel}", which shows that "${name}" is in order, is read every ${every} s; write a deadline of at least ${2 * every} s, or "every: { ${channel}: ${lease.deadline / 4} s }"`,
        'key',
      );
  }
  checkHolder(sheet, path, placed, shapes, name, lease);
}

/** The watchdog that holds an output as well: the instrument's own, or that of the board that the rig names. */
function checkHolder(
  sheet: Sheet,
  path: Path,
  placed: RigInstrument,
  shapes: ReadonlyMap<string, Shape>,
  name: string,
  { heldBy, deadline }: Lease,
): void {
  const own = shapes.get(placed.name)?.watchdog?.holds.includes(name) === true;
  const holder = heldBy ?? (own ? placed.name : undefined);
  if (holder === undefined) return;
  const at = heldBy === undefined ? path : [...path, 'held_by'];
  const shape = shapes.get(holder);
  if (!shape) {
    const names = given(sheet, ['instruments']);
    if (!names.includes(holder)) sheet.say(at, `there is no instrument "${holder}" in this rig${hint(holder, names)}`);
    return; // else its own fault has been told
  }
  if (shape.fault !== undefined) return;
  if (!shape.watchdog) {
    const those = [...shapes].filter(([, s]) => s.watchdog).map(([one]) => one);
    const why = shape.state.is === 'running' ? 'has no watchdog' : 'could not be checked for a watchdog';
    sheet.say(at, `"${holder}" ${why}: it cannot hold an output${those.length === 0 ? '' : `; ${those.join(', ')} can`}`);
    return;
  }
  const [shortest, longest] = shape.watchdog.limits;
  if (deadline >= shortest && deadline <= longest) return;
  const deadlineAt = [...path, 'deadline'];
  sheet.say(
    deadlineAt,
    `the watchdog of ${holder}, which holds ${placed.name}.${name}, can be set to ${shortest} to ${longest} s, and the deadline is ${deadline} s`,
  );
}

/** Seconds between two polls of a channel, with the rig's own intervals; undefined where it is not polled. */
export function interval(placed: Pick<RigInstrument, 'every'>, shape: Shape, channel: string): number | undefined {
  const all = shape.polls.flatMap((poll) => {
    if (!poll.channels.includes(channel)) return [];
    const wanted = poll.channels.flatMap((c) => placed.every[c] ?? []);
    return [wanted.length > 0 ? Math.min(...wanted) : poll.every];
  });
  return all.length === 0 ? undefined : Math.min(...all);
}

export const given = (sheet: Sheet, path: Path): readonly string[] => {
  const value = sheet.at(path);
  return isTable(value) ? Object.keys(value) : [];
};

export const noCommand = (placed: RigInstrument, shape: Shape, name: string): string => {
  const known = Object.keys(shape.commands);
  return `${placed.name} (${placed.model}) has no command "${name}"${known.length === 0 ? '; it has no commands' : hint(name, known)}`;
};

function checkEvery(sheet: Sheet, placed: RigInstrument, shape: Shape, channel: string): void {
  const path = ['instruments', placed.name, 'every', channel];
  if (!Object.hasOwn(shape.channels, channel)) {
    sheet.say(path, `${placed.name} (${placed.model}) has no channel "${channel}"${hint(channel, Object.keys(shape.channels))}`, 'key');
  } else if (!shape.polls.some((poll) => poll.channels.includes(channel))) {
    sheet.say(path, `"${channel}" is not asked for at intervals: it comes by itself`, 'key');
  }
}

/** What of the simulated unit a rig can choose, by which the check knows it: its model, its channels, its range. */
function knobs({ model }: RigInstrument, catalogue: Catalogue): string {
  const own = Object.keys(catalogue.instruments.get(model)?.options.fields ?? {});
  const more = Object.keys(catalogue.simulators.get(model)?.options.fields ?? {}).filter((name) => !own.includes(name));
  return more.length === 0 ? '' : ` (this is checked against its simulator; of which unit, "simulate" says: ${more.join(', ')})`;
}

function checkLimits(sheet: Sheet, placed: RigInstrument, shape: Shape, name: string, chosen: string): void {
  const path = ['instruments', placed.name, 'limits', name];
  const command = shape.commands[name];
  if (!command) {
    sheet.say(path, noCommand(placed, shape, name), 'key');
    return;
  }
  if (!isUnit(command.takes)) {
    sheet.say(path, `"${name}" takes ${command.takes === 'nothing' ? 'nothing' : `a ${command.takes}`}: it has no limits`, 'key');
    return;
  }
  const written = sheet.at(path);
  const ends = Array.isArray(written) && placed.limits[name] ? (written as unknown[]) : [];
  for (const [i, end] of ends.entries()) {
    const read = inUnit(end, command.takes);
    if (typeof read === 'string') {
      sheet.say([...path, i], read);
      continue;
    }
    const [lo, hi] = command.limits ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    if (read.value < lo || read.value > hi)
      sheet.say(
        [...path, i],
        `${described(end).replace('the text ', '')} is wider than what ${placed.model} allows (${range(command)}); limits can only be narrowed${chosen}`,
      );
  }
}

/** "0 to 1 W" */
export function range(command: Command): string {
  if (!command.limits || !isUnit(command.takes)) return '';
  const unit = command.takes;
  return `${show(command.limits[0], unit)} to ${show(command.limits[1], unit)}`;
}

const noun = (kind: Kind): string => (isUnit(kind) ? (kind === '1' ? 'a number without unit' : kind) : `a ${kind}`);

function checkDerivations(sheet: Sheet, rig: Rig, shapes: ReadonlyMap<string, Shape>, methods: Methods): void {
  const written = given(sheet, ['derive']);
  const instruments = given(sheet, ['instruments']);
  const outputs = new Map<string, Kinds>(rig.derive.map((d) => [d.name, methods.get(d.method)?.outputs ?? {}]));
  for (const d of rig.derive) {
    const method = methods.get(d.method);
    if (!method) continue;
    for (const [input, { from, is }] of Object.entries(d.inputs)) {
      const held = d.inputs[input]?.pair === 'held';
      const at = ['derive', d.name, ...(held ? ['path', input.slice(input.indexOf('.') + 1)] : [input])];
      const path = isTable(sheet.at(at)) ? [...at, 'from'] : at;
      const [, source = '', channel = ''] = SOURCE.exec(from) ?? [];
      const shape = shapes.get(source);
      const channels = outputs.get(source) ?? (shape?.state.is === 'running' && shape.fault === undefined ? shape.channels : undefined);
      if (!channels) {
        const all = [...instruments, ...written];
        if (!all.includes(source)) sheet.say(path, `there is no instrument or derivation "${source}" in this rig${hint(source, all)}`);
        continue; // else its own fault has been told
      }
      const kind = Object.hasOwn(channels, channel) ? channels[channel] : undefined;
      const want = method.inputs[input];
      if (kind === undefined) sheet.say(path, `"${source}" has no channel "${channel}"${hint(channel, Object.keys(channels))}`);
      else if (held && kind === 'trace') sheet.say(path, `${from} gives a trace: an entry of the path is a state, a flag or a number`);
      else if (held && is !== undefined) checkIs(sheet, [...at, 'is'], from, is, kind, shape?.facts[channel]?.words);
      else if (want !== undefined && kind !== want)
        sheet.say(path, `${from} gives ${noun(kind)}, but ${d.method} wants ${noun(want)} as its input "${input}"`);
    }
  }
  for (const circle of circles(rig)) {
    const [name = '', from = ''] = circle;
    const d = rig.derive.find((one) => one.name === name);
    const input = Object.entries(d?.inputs ?? {}).find(([, i]) => i.from.startsWith(`${from}.`))?.[0] ?? '';
    sheet.say(
      ['derive', name, ...(d?.inputs[input]?.pair === 'held' ? ['path', input.slice(input.indexOf('.') + 1)] : [input])],
      `this goes in a circle: ${circle.join(' needs ')}`,
    );
  }
}

/** What a channel of the path must be is something that it can be. */
function checkIs(sheet: Sheet, at: Path, from: string, is: number | string, kind: Kind, words: readonly string[] | undefined): void {
  const can = kind === 'flag' ? ['on', 'off'] : kind === 'state' ? words : undefined;
  if (can !== undefined && !can.includes(String(is))) sheet.say(at, `${from} is never "${is}"; it is ${can.join(', ')}`);
  else if (kind !== 'flag' && kind !== 'state' && typeof is !== 'number') sheet.say(at, `${from} is a number, and "${is}" is none`);
}

/** Each circle once, from its first name in the rig. */
function circles(rig: Rig): readonly (readonly string[])[] {
  const needs = new Map(rig.derive.map((d) => [d.name, Object.values(d.inputs).map((i) => SOURCE.exec(i.from)?.[1] ?? '')]));
  const found = new Map<string, readonly string[]>();
  const done = new Set<string>();
  const visit = (name: string, way: readonly string[]): void => {
    const at = way.indexOf(name);
    if (at >= 0) {
      const circle = way.slice(at);
      found.set([...circle].sort().join(), [...circle, name]);
      return;
    }
    if (done.has(name)) return;
    for (const next of needs.get(name) ?? []) if (needs.has(next)) visit(next, [...way, name]);
    done.add(name);
  };
  for (const name of needs.keys()) visit(name, []);
  return [...found.values()];
}
