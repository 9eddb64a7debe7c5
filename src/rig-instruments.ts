/** The instruments of a rig, as far as the YAML and the declarations of their models tell. */
import type { Catalogue } from './catalogue.ts';
import { type AnyProtocol, type Instrument, type Proof, Refused, type Schema } from './instrument.ts';
import type { Lease, RigInstrument } from './rig.ts';
import { adapterOf, checkWires, linkAt, type Member, type RigLink } from './rig-links.ts';
import { checkName, described, hint, inUnit, isTable, seconds, table, text, word } from './rig-read.ts';
import { simulatorGiven } from './rig-shape.ts';
import type { Path, Sheet } from './rig-yaml.ts';
import { quantity } from './units.ts';

const KEYS = ['model', 'link', 'links', 'options', 'pace', 'within', 'every', 'limits', 'leases', 'ramps', 'simulate'];
type Links = Readonly<Record<string, RigLink>>;

/** Those that are sound; what is wrong with the others is said. */
export function readInstruments(sheet: Sheet, links: Links, catalogue: Catalogue): RigInstrument[] {
  const names = Object.keys(table(sheet, ['instruments'], '"laser: { model: ipg-ylr, link: tcp:192.168.0.5:10001 }"') ?? {});
  const members: Member[] = [];
  const out: RigInstrument[] = [];
  for (const name of names) {
    if (!checkName(sheet, ['instruments', name], name, 'key')) continue;
    const one = readInstrument(sheet, name, links, catalogue, members);
    if (one) out.push(one);
  }
  checkWires(sheet, members);
  for (const m of members) checkAdapter(sheet, m, out, names);
  return out;
}

function readInstrument(sheet: Sheet, name: string, links: Links, catalogue: Catalogue, members: Member[]): RigInstrument | undefined {
  const path = ['instruments', name];
  const given = table(sheet, path, '"{ model: ipg-ylr, link: tcp:192.168.0.5:10001 }"', KEYS, { model: '"model: ipg-ylr"' });
  if (!given) return undefined;
  const every = mapped(sheet, [...path, 'every'], '"every: { temperature: 10 s }"', (at) => seconds(sheet, at));
  const limits = mapped(sheet, [...path, 'limits'], '"limits: { current: [0 %, 30 %] }"', (at) => readLimits(sheet, at));
  const leases = mapped(sheet, [...path, 'leases'], `"leases: { emission: ${LEASE} }"`, (at) => readLease(sheet, at));
  const pace = 'pace' in given ? seconds(sheet, [...path, 'pace'], true) : undefined;
  const within = 'within' in given ? seconds(sheet, [...path, 'within']) : undefined;
  const options = 'options' in given ? table(sheet, [...path, 'options'], '"options: { terminator: CR }"') : {};
  const simulate = 'simulate' in given ? table(sheet, [...path, 'simulate'], '"simulate: { heater: oven }"') : {};
  if (!('model' in given)) return undefined;
  const modelName = text(sheet, [...path, 'model'], '"ipg-ylr"');
  if (modelName === undefined) return undefined;
  const model = catalogue.instruments.get(modelName);
  if (!model) {
    const said = hint(modelName, catalogue.instruments.keys()).replace(/^; known are.*/, '');
    sheet.say([...path, 'model'], `there is no model "${modelName}"${said}${said === '' ? ';' : ''} "bridgman instruments" lists all`);
    return undefined;
  }
  if (!options || !simulate) return undefined;
  const parsed = parsedBy(sheet, [...path, 'options'], model.options, options, modelName);
  if (parsed === undefined) return undefined;
  const simulator = catalogue.simulators.get(modelName);
  const own = simulator && simulatorGiven(simulator, { options, simulate });
  if (own && !parsedBy(sheet, [...path, 'simulate'], simulator.options, own, `the simulator of ${modelName}`)) return undefined;
  const roles = readRoles(sheet, path, name, modelName, model, parsed.options, links, members);
  if (!roles) return undefined;
  return {
    name,
    model: modelName,
    links: roles,
    options,
    ...(pace === undefined ? {} : { pace }),
    ...(within === undefined ? {} : { within }),
    every,
    limits,
    leases,
    simulate,
  };
}

function mapped<T>(sheet: Sheet, path: Path, like: string, read: (at: Path) => T | undefined): Readonly<Record<string, T>> {
  const out: Record<string, T> = {};
  if (sheet.at(path) === undefined) return out;
  for (const key of Object.keys(table(sheet, path, like) ?? {})) {
    const value = read([...path, key]);
    if (value !== undefined) out[key] = value;
  }
  return out;
}

/** The number in SI, whatever its unit: the unit is checked when the command is known. */
function readLimits(sheet: Sheet, path: Path): readonly [number, number] | undefined {
  const given = sheet.at(path);
  if (!Array.isArray(given) || given.length !== 2) {
    sheet.say(path, `limits are two quantities such as [0 %, 30 %], not ${described(given)}`);
    return undefined;
  }
  const ends: number[] = [];
  for (const [i, one] of (given as unknown[]).entries()) {
    const read = typeof one === 'string' || typeof one === 'number' ? quantity(one) : inUnit(one, '1');
    if (typeof read === 'string') sheet.say([...path, i], read);
    else ends.push(read.value);
  }
  const [lo, hi] = ends;
  if (lo === undefined || hi === undefined) return undefined;
  if (lo <= hi) return [lo, hi];
  sheet.say(path, `the lower limit (${String(given[0])}) is above the upper one (${String(given[1])})`);
  return undefined;
}

export const LEASE = '{ longest: 30 min, deadline: 0.5 s, then: safe }';
/** In the place of a lease: orders of this hazardous command will be refused. */
export const UNUSED = 'unused';

function readLease(sheet: Sheet, path: Path): Lease | undefined {
  if (sheet.at(path) === UNUSED) return undefined;
  const known = ['longest', 'deadline', 'then', 'interlock', 'held_by'];
  const given = table(sheet, path, LEASE, known, { longest: '"longest: 30 min"', deadline: '"deadline: 0.5 s"' });
  if (!given) return undefined;
  const longest = 'longest' in given ? seconds(sheet, [...path, 'longest']) : undefined;
  const deadline = 'deadline' in given ? seconds(sheet, [...path, 'deadline']) : undefined;
  const after = 'then' in given ? word(sheet, [...path, 'then'], ['safe', 'keep'] as const) : 'safe';
  const bare = 'interlock' in given && word(sheet, [...path, 'interlock'], ['none'] as const) !== undefined;
  const heldBy = 'held_by' in given ? text(sheet, [...path, 'held_by'], '"guard"') : undefined;
  if (longest === undefined || deadline === undefined || after === undefined) return undefined;
  return { longest, deadline, then: after, ...(bare ? { bare } : {}), ...(heldBy === undefined ? {} : { heldBy }) };
}

/** Gives options to a schema; what it refuses is said at the option that its sentence begins with, where it begins with one. */
export function parsedBy(
  sheet: Sheet,
  path: Path,
  schema: Schema<unknown>,
  options: Readonly<Record<string, unknown>>,
  whose: string,
): { readonly options: unknown } | undefined {
  const known = Object.keys(schema.fields);
  const strange = known.length === 0 ? [] : Object.keys(options).filter((key) => !known.includes(key));
  for (const key of strange) sheet.say([...path, key], `${whose} has no option "${key}"${hint(key, known)}`, 'key');
  const rest = Object.fromEntries(Object.entries(options).filter(([key]) => !strange.includes(key)));
  let parsed: unknown;
  try {
    parsed = schema.parse(rest);
  } catch (error) {
    parsed = new Refused(error instanceof Error ? error.message : String(error));
  }
  if (!(parsed instanceof Refused)) return strange.length === 0 ? { options: parsed } : undefined;
  sheet.say(spokenOf(sheet, path, parsed.why), `${whose}: ${parsed.why}`);
  return undefined;
}

/** "calibration: lamp: is no file" speaks of calibration.lamp: as far down as the file goes. */
function spokenOf(sheet: Sheet, path: Path, why: string): Path {
  let at = path;
  let rest = why;
  for (let name = /^([\w-]+)(?:\.|: )/.exec(rest); name; name = /^([\w-]+)(?:\.|: )/.exec(rest)) {
    const [head = '', step = ''] = name;
    if (sheet.at([...at, step]) === undefined) break;
    at = [...at, step];
    rest = rest.slice(head.length);
  }
  return at;
}

function readRoles(
  sheet: Sheet,
  path: readonly string[],
  name: string,
  modelName: string,
  model: Instrument,
  options: unknown,
  links: Links,
  members: Member[],
): Links | undefined {
  let protocols: Readonly<Record<string, AnyProtocol>>;
  let proofs: Readonly<Record<string, Proof<unknown, unknown> | undefined>>;
  try {
    protocols = model.links(options) as typeof protocols; // role -> language, of any messages
    proofs = model.proof(options) as typeof proofs; // of the same roles
  } catch (error) {
    sheet.say([...path, 'model'], `fault in the driver ${modelName}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
  const roles = Object.keys(protocols);
  const one = sheet.at([...path, 'link']);
  const many = sheet.at([...path, 'links']);
  const wanted = roles.length === 1 ? '"link: ADDRESS"' : `"links: { ${roles.map((r) => `${r}: ADDRESS`).join(', ')} }"`;
  if (roles.length === 0) {
    for (const key of ['link', 'links'])
      if (sheet.at([...path, key]) !== undefined) sheet.say([...path, key], `${modelName} has no link: leave this out`, 'key');
    return {};
  }
  if (one !== undefined && many !== undefined) {
    sheet.say([...path, 'links'], `"link" and "links" are both given; for ${modelName} write ${wanted} alone`, 'key');
    return undefined;
  }
  if (one === undefined && many === undefined) {
    sheet.say(path, `the link is missing; for ${modelName} write ${wanted}`, 'key');
    return undefined;
  }
  if (one !== undefined && roles.length > 1) {
    sheet.say([...path, 'link'], `${modelName} has the roles ${roles.join(' and ')}; write ${wanted}`, 'key');
    return undefined;
  }
  if (many !== undefined && !isTable(many)) {
    sheet.say([...path, 'links'], `for ${modelName} write ${wanted}, not ${described(many)}`);
    return undefined;
  }
  const out: Record<string, RigLink> = {};
  for (const role of Object.keys(many ?? {})) {
    if (!roles.includes(role)) sheet.say([...path, 'links', role], `${modelName} has no role "${role}"${hint(role, roles)}`, 'key');
  }
  for (const role of roles) {
    const at = many === undefined ? [...path, 'link'] : [...path, 'links', role];
    if (sheet.at(at) === undefined) {
      sheet.say([...path, 'links'], `the link "${role}" is missing; for ${modelName} write ${wanted}`, 'key');
      continue;
    }
    const link = linkAt(sheet, at, `${name}.${role}`, links);
    const protocol = protocols[role];
    if (!link || !protocol) continue;
    out[role] = link;
    members.push({ instrument: name, role, model: modelName, path: at, link, protocol, proof: proofs[role] });
  }
  return Object.keys(out).length === roles.length ? out : undefined;
}

/** A link through an adapter needs that adapter in the rig, and no adapter may go through itself. */
function checkAdapter(sheet: Sheet, member: Member, all: readonly RigInstrument[], names: readonly string[]): void {
  const adapter = adapterOf(member.link);
  if (adapter === undefined) return;
  if (!names.includes(adapter)) {
    sheet.say(member.path, `there is no instrument "${adapter}" in this rig to carry ${member.link.address}${hint(adapter, names)}`);
    return;
  }
  const passed = [member.instrument];
  for (let at: string | undefined = adapter; at !== undefined; ) {
    if (passed.includes(at)) {
      sheet.say(member.path, `the link goes in a circle: ${[...passed, at].join(' -> ')}`);
      return;
    }
    passed.push(at);
    const next: RigInstrument | undefined = all.find((i) => i.name === at);
    at =
      next &&
      Object.values(next.links)
        .map(adapterOf)
        .find((a) => a !== undefined);
  }
}
