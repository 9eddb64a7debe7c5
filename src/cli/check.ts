/** `bridgman check`: what is wrong with a rig, and where; else what it has. */
import { catalogue } from '../catalogue.ts';
import { conditionWords } from '../condition-words.ts';
import { outputName, sourceName } from '../feedback-spec.ts';
import { methods } from '../methods.ts';
import { influxTarget } from '../recorder/influx-http.ts';
import { type Loaded, loadRig, type Message, printed, type Rig } from '../rig.ts';
import { isUnit } from '../rig-check.ts';
import { show } from '../units.ts';
import { type Command, EXIT, guarded, type Io, parse, Usage } from './command.ts';
import { channelRows, commandRows, kindShown, lasting, shapeData } from './shape.ts';
import { columns } from './table.ts';

const HELP = `Examples:
  bridgman check rigs/demo
  bridgman check rigs/demo/rig.yaml --json

bridgman check RIG [--json]

Reads the rig in the folder RIG, runs each of its instruments against its simulator, and prints
what is wrong as FILE:LINE:COLUMN: TEXT, or a table of what the rig has. No port is opened.

  --json    one JSON object instead of text

Exit code 0: the rig is right; 2: wrong arguments; 4: the rig is wrong.
`;

export const check: Command = {
  name: 'check',
  summary: 'say what is wrong with a rig, or what it has',
  help: HELP,
  run: (args, io) =>
    guarded('check', io, async () => {
      const { flags, rest } = parse(args, { json: 'boolean', help: 'boolean' });
      if (flags.has('help')) {
        io.out(HELP);
        return EXIT.ok;
      }
      const [path, ...others] = rest;
      if (path === undefined) throw new Usage('a rig is wanted: bridgman check RIG');
      if (others.length > 0) throw new Usage(`one rig at a time, not also ${others.join(' ')}`);
      const loaded = await loadRig(path, await catalogue(), methods);
      if (flags.has('json')) io.out(`${JSON.stringify(asData(loaded), null, 2)}\n`);
      else tell(loaded, io);
      return loaded.ok ? EXIT.ok : EXIT.rig;
    }),
};

function tell(loaded: Loaded, io: Io): void {
  if (loaded.ok) {
    for (const m of loaded.warnings) io.err(`${printed(m)} (warning)\n`);
    io.out(overview(loaded));
    return;
  }
  for (const m of loaded.messages) io.err(`${printed(m)}\n`);
  io.err(`${loaded.messages.length === 1 ? '1 error' : `${loaded.messages.length} errors`}\n`);
}

function overview({ rig, shapes }: Extract<Loaded, { readonly ok: true }>): string {
  const parts = [`rig ${rig.name}: ${count(rig.instruments.length, 'instrument')}, ${count(rig.derive.length, 'derivation')}\n`];
  for (const placed of rig.instruments) {
    const shape = shapes.get(placed.name);
    const links = Object.entries(placed.links).map(([role, { address }]) => (role === 'main' ? address : `${role} ${address}`));
    parts.push(`\n${placed.name}: ${[placed.model, ...links].join(', ')}\n`);
    if (shape)
      parts.push(columns([...channelRows(shape, placed.every), ...commandRows(shape, placed.limits).map((row) => orderRow(row))], '  '));
    for (const [command, { longest, deadline, then, heldBy }] of Object.entries(placed.leases)) {
      const held = heldBy === undefined ? '' : `, held by ${heldBy} as well`;
      parts.push(
        `  lease ${command}: ${lasting(longest)} at most, ${then === 'safe' ? 'made safe' : 'kept'} ${lasting(deadline)} after the host is gone${held}\n`,
      );
    }
    for (const [command, { rate, band, every }] of Object.entries(placed.ramps ?? {})) {
      const takes = shape?.commands[command]?.takes;
      const unit = takes !== undefined && isUnit(takes) ? takes : '';
      const by =
        unit === 'K'
          ? { rate: `${Number((rate * 60).toPrecision(6))} K`, band: `${band} K` }
          : { rate: show(rate * 60, unit), band: show(band, unit) };
      parts.push(`  ramp ${command}: ${by.rate} a minute, a step every ${lasting(every)}, within ${by.band}\n`);
    }
  }
  parts.push(...interlockLines(rig), ...feedbackLines(rig));
  for (const d of rig.derive) {
    const from = Object.values(d.inputs).map((i) => i.from);
    parts.push(`\n${d.name}: ${d.method} of ${from.join(' and ')}\n`);
    parts.push(
      columns(
        Object.entries(methods.get(d.method)?.outputs ?? {}).map(([name, kind]) => [name, kindShown(String(kind))]),
        '  ',
      ),
    );
  }
  return parts.join('');
}

function feedbackLines({ feedback = [] }: Rig): string[] {
  return feedback.flatMap((loop) => {
    const { output, rate, setpoint } = loop.limits;
    const limits = `${show(output[0], loop.outputUnit)} to ${show(output[1], loop.outputUnit)}, ${show(rate, loop.outputUnit)} a second at most`;
    const { frames, then, jumped } = loop.lost;
    const after = jumped === then ? '' : `, after a jump ${jumped}`;
    return [
      `\nfeedback ${loop.name}: ${loop.holds.map(sourceName).join(' and ')} by ${outputName(loop)}\n`,
      `  set points ${show(setpoint[0], loop.unit)} to ${show(setpoint[1], loop.unit)}; output ${limits}\n`,
      `  lost at ${count(frames, 'bad reading')}, or when nothing comes: ${then}${after}\n`,
    ];
  });
}

function interlockLines({ interlocks = [], alarms = [], safeOrder, stopFile }: Rig): string[] {
  const lines: string[] = [];
  for (const { name, when, forbids, trips, latch } of interlocks) {
    lines.push(`\ninterlock ${name}: ${conditionWords(when)}\n`);
    lines.push(`  forbids ${forbids.join(', ')}\n`);
    lines.push(`  ${trips.length === 0 ? 'trips nothing' : `trips ${trips.join(', then ')}`}${latch ? '' : '; not latched'}\n`);
  }
  if (safeOrder !== undefined) lines.push(`\nmade safe in this order: ${safeOrder.join(', ')}; then the others\n`);
  if (stopFile !== undefined) lines.push(`\nstopped while there is a file ${stopFile}\n`);
  for (const { name, levels } of alarms)
    lines.push(`\nalarm ${name}: ${levels.map((level) => `${level.severity} when ${conditionWords(level.when)}`).join('; ')}\n`);
  return lines;
}

const orderRow = ([name = '', ...rest]: readonly string[]): string[] => [`> ${name}`, ...rest];
const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

function asData(loaded: Loaded): unknown {
  const plain = (m: Message): Message => ({ file: m.file, line: m.line, column: m.column, text: m.text });
  if (!loaded.ok) return { ok: false, messages: loaded.messages.map(plain) };
  return { ok: true, warnings: loaded.warnings.map(plain), rig: rigData(loaded.rig, loaded.shapes) };
}

function rigData(rig: Rig, shapes: Extract<Loaded, { readonly ok: true }>['shapes']): unknown {
  const { text: _, influx, derive, instruments, ...rest } = rig;
  const target = influx === undefined ? undefined : influxTarget(influx);
  return {
    ...rest,
    ...(typeof target === 'object' ? { influx: target.shown } : {}), // without its password
    instruments: instruments.map((placed) => {
      const shape = shapes.get(placed.name);
      return { ...placed, ...(shape ? shapeData(shape) : {}) };
    }),
    derive: derive.map((d) => ({
      ...d,
      params: JSON.parse(
        JSON.stringify(d.params, (key, value: unknown) => (key === 'bytes' && value instanceof Uint8Array ? undefined : value)),
      ) as unknown, // plain data again
      outputs: methods.get(d.method)?.outputs,
    })),
  };
}
