/** The interlocks of a rig, and the proof that each hazardous output has one that can act. */
import { leavesOf } from './condition.ts';
import type { Command } from './instrument.ts';
import type { Lease, Rig, RigInstrument, RigInterlock } from './rig.ts';
import { given, noCommand } from './rig-check.ts';
import { type ChannelLookup, readCondition, uncheckable } from './rig-conditions.ts';
import { LEASE, UNUSED } from './rig-instruments.ts';
import { proveCondition } from './rig-proof.ts';
import { checkName, described, hint, isTable, table, text } from './rig-read.ts';
import type { Shape } from './rig-shape.ts';
import type { Path, Sheet } from './rig-yaml.ts';

type Shapes = ReadonlyMap<string, Shape>;
const KEYS = ['when', 'forbids', 'trips', 'latch', 'guidance'];
const LIKE = '"door: { when: { of: guard.door, is: closed }, forbids: [laser.emission] }"';
const ALL = 'all';
/** Names that a person acknowledges and that are not interlocks. */
const TAKEN = ['stop', 'standstill', 'record', 'all', 'rig'];
const OUTPUT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)(?:\[(\d{1,9})\])?$/;

/** A command that a list of the rig names. */
interface Named {
  /** As written: instrument.command, with [index] */
  readonly output: string;
  readonly name: string;
  readonly command: Command;
  readonly lease: Lease | undefined;
  readonly placed: RigInstrument;
  readonly shape: Shape;
}

/** Hazardous commands with a lease, in the order of the rig. */
function leased(rig: Rig, shapes: Shapes): readonly Named[] {
  return rig.instruments.flatMap((placed) => {
    const shape = shapes.get(placed.name);
    return Object.entries(shape?.commands ?? {}).flatMap(([command, declared]) => {
      const lease = placed.leases[command];
      if (!shape || !lease || declared.safe === undefined) return [];
      const name = `${placed.name}.${command}`;
      return [{ output: name, name, command: declared, lease, placed, shape }];
    });
  });
}

export function readInterlocks(sheet: Sheet, rig: Rig, shapes: Shapes, channels: ChannelLookup): readonly RigInterlock[] {
  const out: RigInterlock[] = [];
  const forbidden = new Set<string>();
  if (sheet.at(['interlocks']) !== undefined) {
    for (const name of Object.keys(table(sheet, ['interlocks'], LIKE) ?? {})) {
      const one = readInterlock(sheet, name, rig, shapes, channels, forbidden);
      if (one) out.push(one);
    }
  }
  for (const one of leased(rig, shapes)) checkForbidden(sheet, one, forbidden);
  for (const placed of rig.instruments) checkUnknown(sheet, placed, shapes.get(placed.name));
  return out;
}

/** As the rig's "safe_order" has them; those that it does not name come last, as they are. */
function inSafeOrder(sheet: Sheet, all: readonly Named[]): readonly Named[] {
  const order = sheet.at(['safe_order']);
  if (!Array.isArray(order)) return all;
  const place = ({ name }: Named): number => (order.includes(name) ? order.indexOf(name) : order.length);
  return [...all].sort((a, b) => place(a) - place(b));
}

/** Leases of an instrument that could not be asked what it has. */
function checkUnknown(sheet: Sheet, placed: RigInstrument, shape: Shape | undefined): void {
  if (!shape || shape.fault !== undefined || shape.state.is === 'running') return;
  for (const [command, { bare }] of Object.entries(placed.leases))
    if (!bare)
      sheet.say(
        ['instruments', placed.name, 'leases', command],
        `${uncheckable(placed, shape)}; if none is wanted for "${command}", write "interlock: none" into its lease`,
        'key',
      );
}

function readInterlock(
  sheet: Sheet,
  name: string,
  rig: Rig,
  shapes: Shapes,
  channels: ChannelLookup,
  forbidden: Set<string>,
): RigInterlock | undefined {
  const path = ['interlocks', name];
  const before = sheet.errors.length;
  if (!checkName(sheet, path, name, 'key')) return undefined;
  if (TAKEN.includes(name))
    sheet.say(path, `"${name}" means something else to "bridgman acknowledge"; give the interlock another name`, 'key');
  if (isTable(sheet.at(['alarms'])) && given(sheet, ['alarms']).includes(name))
    sheet.say(path, `"${name}" is the name of an alarm as well: who acknowledges one must not mean the other`, 'key');
  const written = table(sheet, path, LIKE.slice(1 + 'door: '.length, -1), KEYS, {
    when: '"when: { of: guard.door, is: closed }"',
    forbids: '"forbids: [laser.emission]"',
  });
  if (!written) return undefined;
  const when = 'when' in written ? readCondition(sheet, [...path, 'when'], channels) : undefined;
  if (when) proveCondition(sheet, [...path, 'when'], when, channels);
  const forbids = 'forbids' in written ? readForbids(sheet, [...path, 'forbids'], rig, shapes) : [];
  for (const { output } of forbids) forbidden.add(output);
  const trips =
    'trips' in written
      ? readTrips(sheet, [...path, 'trips'], rig, shapes)
      : inSafeOrder(
          sheet,
          forbids.filter(({ command }) => command.safe !== undefined),
        );
  const latch = 'latch' in written ? readLatch(sheet, [...path, 'latch']) : true;
  const guidance = 'guidance' in written ? text(sheet, [...path, 'guidance'], '"close the hutch"') : undefined;
  if (!when || sheet.errors.length > before) return undefined;
  const readbacks = trips.map(({ placed, command }) => `${placed.name}.${command.readback?.channel}`);
  const looks = [...new Set(leavesOf(when).map((leaf) => leaf.of))];
  if (trips.length > 0 && looks.every((of) => readbacks.includes(of)))
    sheet.warn(
      [...path, 'when'],
      `"${name}" looks only at what it switches off (${looks.join(', ')}): its own act decides whether it holds; let it look at something else as well`,
      'key',
    );
  return {
    name,
    when,
    forbids: forbids.map(({ output }) => output),
    trips: trips.map(({ output }) => output),
    latch,
    ...(guidance === undefined ? {} : { guidance }),
  };
}

function readLatch(sheet: Sheet, path: Path): boolean {
  const written = sheet.at(path);
  if (typeof written === 'boolean') return written;
  sheet.say(path, `"latch" is true (it stays until somebody acknowledges) or false, not ${described(written)}`);
  return false;
}

function readForbids(sheet: Sheet, path: Path, rig: Rig, shapes: Shapes): readonly Named[] {
  if (sheet.at(path) !== ALL) {
    const list = readOutputs(sheet, path, rig, shapes, `"forbids" is "${ALL}" or a list of commands such as [laser.emission]`);
    if (list?.length === 0 && (sheet.at(path) as readonly unknown[]).length === 0)
      // a list, or it would not have been read
      sheet.say(path, `this forbids nothing; write the commands, or "${ALL}"`);
    return list ?? [];
  }
  const all = leased(rig, shapes);
  if (all.length === 0) sheet.say(path, 'there is no hazardous command with a lease in this rig: this forbids nothing');
  return all;
}

function readTrips(sheet: Sheet, path: Path, rig: Rig, shapes: Shapes): readonly Named[] {
  const list =
    readOutputs(sheet, path, rig, shapes, '"trips" is a list of hazardous commands such as [laser.emission, laser.current]') ?? [];
  return list.filter(({ name, command }, i) => {
    if (command.safe !== undefined) return true;
    sheet.say([...path, i], `${name} has no safe value: it cannot be tripped, only forbidden`);
    return false;
  });
}

/** Of each line the command; those that are wrong are told and left out. */
function readOutputs(sheet: Sheet, path: Path, rig: Rig, shapes: Shapes, like: string): readonly Named[] | undefined {
  const written = sheet.at(path);
  if (!Array.isArray(written)) {
    sheet.say(path, `${like}, not ${described(written)}`);
    return undefined;
  }
  const out: Named[] = [];
  for (const [i, one] of (written as unknown[]).entries()) {
    const named = readOutput(sheet, [...path, i], one, rig, shapes, true);
    if (!named) continue;
    if (out.some(({ output }) => output === named.output)) sheet.say([...path, i], `"${named.output}" is there twice`);
    else out.push(named);
  }
  return out;
}

/** A command of an instrument; hazardous ones must have a lease. */
function readOutput(sheet: Sheet, path: Path, one: unknown, rig: Rig, shapes: Shapes, indexed: boolean): Named | undefined {
  const [, instrument, command, index] = (typeof one === 'string' && OUTPUT.exec(one)) || [];
  if (instrument === undefined || command === undefined || (index !== undefined && !indexed)) {
    sheet.say(
      path,
      `a command is INSTRUMENT.COMMAND, such as "laser.emission"${indexed ? ' or "hv.voltage[3]"' : ''}, not ${described(one)}`,
    );
    return undefined;
  }
  const placed = rig.instruments.find((p) => p.name === instrument);
  const shape = shapes.get(instrument);
  if (!placed || !shape) {
    const names = given(sheet, ['instruments']);
    if (!names.includes(instrument)) sheet.say(path, `there is no instrument "${instrument}" in this rig${hint(instrument, names)}`);
    return undefined; // else its own fault has been told
  }
  if (shape.fault !== undefined) return undefined;
  if (shape.state.is !== 'running') {
    sheet.say(path, uncheckable(placed, shape));
    return undefined;
  }
  const declared = Object.hasOwn(shape.commands, command) ? shape.commands[command] : undefined;
  if (!declared) {
    sheet.say(path, noCommand(placed, shape, command));
    return undefined;
  }
  const name = `${instrument}.${command}`;
  if (index !== undefined && (declared.count === undefined || Number(index) >= declared.count)) {
    const right = declared.count === undefined ? 'has no index' : `has the indices 0 to ${declared.count - 1}`;
    sheet.say(path, `${name} ${right}; write "${name}"${declared.count === undefined ? '' : ' for all of them'}`);
    return undefined;
  }
  if (declared.safe !== undefined && sheet.at(['instruments', instrument, 'leases', command]) === UNUSED) {
    sheet.say(
      path,
      `${name} is "${UNUSED}" in this rig, and its orders are refused anyway: leave it out, or give it a lease such as ${LEASE}`,
    );
    return undefined;
  }
  return {
    output: index === undefined ? name : `${name}[${Number(index)}]`,
    name,
    command: declared,
    lease: placed.leases[command],
    placed,
    shape,
  };
}

/** Every hazardous output stands behind an interlock, or the rig says that none is wanted. */
function checkForbidden(sheet: Sheet, { name, command, lease, placed }: Named, forbidden: ReadonlySet<string>): void {
  const path = ['instruments', placed.name, 'leases', name.slice(placed.name.length + 1)];
  const { count = 0 } = command;
  const missing = Array.from({ length: count }, (_, i) => i).filter((i) => !forbidden.has(`${name}[${i}]`));
  const covered = forbidden.has(name) || (count > 0 && missing.length === 0);
  if (lease?.bare) {
    if (covered)
      sheet.warn([...path, 'interlock'], `an interlock forbids ${name}: "interlock: none" says the opposite and is not needed`, 'key');
    return;
  }
  if (covered) return;
  const which = count > 0 && missing.length < count ? `${name}[${missing.join(', ')}]` : name;
  sheet.say(
    path,
    `no interlock forbids ${which}; name it under "forbids" of one below "interlocks:", or write "interlock: none" into its lease if none is wanted`,
    'key',
  );
}

/** The hazardous outputs in the order in which they are made safe. */
export function readSafeOrder(sheet: Sheet, rig: Rig, shapes: Shapes): readonly string[] | undefined {
  const path = ['safe_order'];
  const written = sheet.at(path);
  if (written === undefined) return undefined;
  if (!Array.isArray(written)) {
    sheet.say(path, `"safe_order" is a list of hazardous commands such as [laser.emission, gas.control], not ${described(written)}`);
    return undefined;
  }
  const out: string[] = [];
  for (const [i, one] of (written as unknown[]).entries()) {
    const named = readOutput(sheet, [...path, i], one, rig, shapes, false);
    if (!named) continue;
    if (named.command.safe === undefined) sheet.say([...path, i], `${named.name} has no safe value: it is not hazardous`);
    else if (out.includes(named.name)) sheet.say([...path, i], `"${named.name}" is there twice`);
    else out.push(named.name);
  }
  return out;
}
