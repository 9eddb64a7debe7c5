/** `bridgman instruments`: the models that are known, how far they are proven, and what one of them has. */
import { type Catalogue, catalogue, nearest } from '../catalogue.ts';
import { type AnyProtocol, type Instrument, Refused } from '../instrument.ts';
import type { RigInstrument } from '../rig.ts';
import { type Shape, simulatedShape } from '../rig-shape.ts';
import { type Command, EXIT, guarded, parse, Usage } from './command.ts';
import { channelRows, commandRows, shapeData } from './shape.ts';
import { columns } from './table.ts';

const HELP = `Examples:
  bridgman instruments
  bridgman instruments ipg-ylr
  bridgman instruments ipg-ylr --json

bridgman instruments [NAME] [--json]

Lists all models; with NAME, what a rig can set of that model, and its channels and commands
as its simulator shows them.

  --json    JSON instead of text
`;

export const instruments: Command = {
  name: 'instruments',
  summary: 'list the models of instruments, or show one',
  help: HELP,
  run: (args, io) =>
    guarded('instruments', io, async () => {
      const { flags, rest } = parse(args, { json: 'boolean', help: 'boolean' });
      if (flags.has('help')) {
        io.out(HELP);
        return EXIT.ok;
      }
      const [name, ...others] = rest;
      if (others.length > 0) throw new Usage(`one model at a time, not also ${others.join(' ')}`);
      const all = await catalogue();
      if (name === undefined) {
        const entries = [...all.instruments].map(([model, instrument]) => entryOf(model, instrument, all));
        io.out(flags.has('json') ? `${JSON.stringify(entries, null, 2)}\n` : list(entries));
        return EXIT.ok;
      }
      const instrument = all.instruments.get(name);
      if (!instrument) {
        const near = nearest(name, all.instruments.keys());
        io.err(`there is no model "${name}"${near === undefined ? '; "bridgman instruments" lists all' : `; did you mean "${near}"?`}\n`);
        return EXIT.usage;
      }
      const entry = entryOf(name, instrument, all);
      const shape = shapeOf(name, instrument, all);
      io.out(
        flags.has('json') ? `${JSON.stringify(detail(entry, instrument, all, shape), null, 2)}\n` : shown(entry, instrument, all, shape),
      );
      return EXIT.ok;
    }),
};

const rolesOf = (instrument: Instrument, options: Readonly<Record<string, unknown>>): string[] =>
  Object.keys(instrument.links(instrument.options.parse(options)) as Readonly<Record<string, AnyProtocol>>); // role -> language

interface Entry {
  readonly name: string;
  readonly model: string;
  readonly proven: string;
  readonly simulator: boolean;
  /** Undefined where they depend on options that have no default. */
  readonly roles: readonly string[] | undefined;
  readonly source: string;
}

/** The fewest options that a rig must give, with the first value that will do; undefined where that cannot be known. */
export function leastOptions(instrument: Instrument): Readonly<Record<string, unknown>> | undefined {
  const given: Record<string, unknown> = {};
  for (let tries = 0; tries < 32; tries++) {
    const parsed: unknown = instrument.options.parse(given);
    if (!(parsed instanceof Refused)) return given;
    // As `whole` and `word` of src/instrument.ts ask for what is missing.
    const [, number, least] = /^([\w-]+): is needed: a whole number from (-?\d+) to /.exec(parsed.why) ?? [];
    const [, name, first] = /^([\w-]+): must be one of ([^, ]+)(?:, |$)/.exec(parsed.why) ?? [];
    const missing = number ?? name;
    if (missing === undefined || Object.hasOwn(given, missing)) return undefined;
    given[missing] = number === undefined ? first : Number(least);
  }
  return undefined;
}

function entryOf(name: string, instrument: Instrument, all: Catalogue): Entry {
  const { model, proven, source } = instrument;
  const options = leastOptions(instrument);
  const roles = options && rolesOf(instrument, options);
  return { name, model, proven, simulator: all.simulators.has(name), roles, source };
}

const list = (entries: readonly Entry[]): string =>
  columns([
    ['NAME', 'MODEL', 'PROVEN BY', 'SIMULATOR', 'LINKS', 'SOURCE'],
    ...entries.map((e) => [e.name, e.model, e.proven, e.simulator ? 'yes' : 'no', linksShown(e), e.source]),
  ]);

const linksShown = ({ roles }: Entry): string => (roles === undefined ? 'by options' : roles.length === 0 ? 'none' : roles.join(', '));

function shapeOf(name: string, instrument: Instrument, all: Catalogue): Shape | undefined {
  const options = leastOptions(instrument);
  if (options === undefined) return undefined;
  const links = Object.fromEntries(rolesOf(instrument, options).map((role) => [role, { address: 'simulated', wire: `simulated:${role}` }]));
  const placed: RigInstrument = { name, model: name, links, options, every: {}, limits: {}, leases: {}, simulate: {} };
  return simulatedShape({ instruments: [placed] }, all).get(name);
}

const optionRows = (fields: Readonly<Record<string, string>>): string[][] => Object.entries(fields);

function shown(entry: Entry, instrument: Instrument, all: Catalogue, shape: Shape | undefined): string {
  const least = Object.entries(leastOptions(instrument) ?? {})
    .map(([name, value]) => `${name}: ${String(value)}`)
    .join(', ');
  const simulated = all.simulators.get(entry.name)?.options.fields ?? {};
  const section = (title: string, rows: readonly (readonly string[])[]): string =>
    rows.length === 0 ? '' : `\n${title}\n${columns(rows, '  ')}`;
  return [
    columns([
      ['name', entry.name],
      ['model', entry.model],
      ['proven by', entry.proven],
      ['source', entry.source],
      ['links', linksShown(entry)],
      ['simulator', entry.simulator ? 'yes' : 'no'],
    ]),
    section('options', optionRows(instrument.options.fields)),
    section('options of the simulator (simulate:)', optionRows(simulated)),
    shape === undefined ? `\nIts channels and commands depend on options that a rig must give.\n` : '',
    shape && shape.state.is !== 'running' ? `\nIts channels and commands are not known: ${shape.state.why}\n` : '',
    shape && least !== '' ? `\nWith ${least}:\n` : '',
    shape ? section('channels', channelRows(shape)) : '',
    shape ? section('commands', commandRows(shape)) : '',
    shape?.tunnel ? `\nOther instruments can be linked through it: gpib:NAME/ADDRESS\n` : '',
  ].join('');
}

const detail = (entry: Entry, instrument: Instrument, all: Catalogue, shape: Shape | undefined): unknown => ({
  ...entry,
  options: instrument.options.fields,
  simulate: all.simulators.get(entry.name)?.options.fields ?? {},
  ...(shape ? shapeData(shape) : {}),
});
