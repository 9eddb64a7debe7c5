/** `bridgman simulate`: simulators on real sockets and pseudo-terminals, for anybody's software, in real time. */
import { stat } from 'node:fs/promises';
import { parse as parseYaml } from 'yaml';
import { type Catalogue, catalogue, nearest } from '../catalogue.ts';
import { every, realClock } from '../clock.ts';
import { LinkError } from '../links/link-error.ts';
import { serveFolder, serveTcp, serveUdp, type Where } from '../serve.ts';
import { type Device, universe } from '../simulate.ts';
import { Refused, type Simulator } from '../simulator.ts';
import { type Command, EXIT, guarded, type Io, type Parsed, parse, suggestion, Usage } from './command.ts';
import { interrupted, serve, serveTerminal, type Way } from './serve-wires.ts';
import { SETTLE, type SimulatedScene, serveRig, wayOf } from './simulate-rig.ts';

const HELP = `Examples:
  bridgman simulate ipg-ylr --tcp 127.0.0.1:10001             one laser on a TCP port
  bridgman simulate druck-pace --pty /tmp/pace                one gas controller on a pseudo-terminal
  bridgman simulate sitcp-board --udp :4660 --tcp :24000      a board with two links
  bridgman simulate eurotherm-2000 --set unit=3
  bridgman simulate rigs/demo                                 every link of a rig, all in one world
  bridgman simulate rigs/demo --write /tmp/served.yaml        then: bridgman run /tmp/served.yaml

bridgman simulate MODEL|RIG

Serves simulators until Ctrl-C. What anybody's software orders there acts on the simulated world, and a rig's instruments share one.
The first lines of the output say where each link is served. "bridgman instruments" lists the models and their options.

Options:
  --tcp HOST:PORT     where a model listens (127.0.0.1 and any free port); port 0 takes a free one
  --udp HOST:PORT     the same for a model that talks in packets
  --pty PATH          a pseudo-terminal for a model; for a rig the directory of its serial links (a temporary one)
  --folder PATH       where a model writes its files; for a rig the directory of such folders
  --one-client        a TCP port takes one client at a time, as many instruments do
  --set NAME=VALUE    an option of a model's simulator; can be repeated
  --seed N            what chance does (1): the same seed gives the same world
  --as-written        a rig's own TCP and UDP ports, on this machine
  --write FILE        a copy of the rig whose links lead to the served ones
  --json              one JSON object a line

Exit codes: 0 ended with Ctrl-C; 1 something cannot be served; 2 wrong arguments; 4 the rig is wrong.
`;

export const simulate: Command = {
  name: 'simulate',
  summary: 'serves simulators to any software, on sockets and pseudo-terminals',
  help: HELP,
  run: (args, io) => simulating(args, io, interrupted),
};

/** Serves until `until` resolves; it is called once everything is served, and not at all where that fails. */
export function simulating(args: readonly string[], io: Io, until: () => Promise<unknown>): Promise<number> {
  return guarded('simulate', io, async () => {
    const { sets, others } = settings(args);
    const parsed = parse(others, {
      tcp: 'string',
      udp: 'string',
      pty: 'string',
      folder: 'string',
      seed: 'string',
      write: 'string',
      'one-client': 'boolean',
      'as-written': 'boolean',
      json: 'boolean',
    });
    const [what, ...more] = parsed.rest;
    if (what === undefined) throw new Usage('what is to be simulated? A model such as ipg-ylr, or the folder of a rig');
    if (more.length > 0) throw new Usage(`one model or rig at a time, not also ${more.join(' ')}`);
    const seed = parsed.options.seed === undefined ? 1 : Number(parsed.options.seed);
    if (!Number.isSafeInteger(seed)) throw new Usage(`--seed is a whole number, not "${parsed.options.seed}"`);
    const known = await catalogue();
    const simulator = known.simulators.get(what);
    const scene: SimulatedScene = {
      clock: realClock(),
      seed,
      oneClient: parsed.flags.has('one-client'),
      json: parsed.flags.has('json'),
      io,
      stops: [],
    };
    try {
      const code = simulator ? await serveModel(what, simulator, parsed, sets, scene) : await serveRigAt(what, known, parsed, sets, scene);
      if (code === EXIT.ok) await until();
      return code;
    } catch (error) {
      if (!(error instanceof LinkError) && !(error instanceof Error && 'code' in error && !(error instanceof Usage))) throw error;
      io.err(`bridgman simulate: ${error.message}\n`);
      return EXIT.failed;
    } finally {
      for (const stop of scene.stops.reverse()) await stop();
    }
  });
}

/** The repeated --set, before the other options are read: those can stand only once. */
function settings(args: readonly string[]): { readonly sets: readonly string[]; readonly others: readonly string[] } {
  const sets: string[] = [];
  const others: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    if (arg === '--set') {
      const value = args[++i];
      if (value === undefined) throw new Usage('--set needs a value, such as --set unit=3');
      sets.push(value);
    } else if (arg.startsWith('--set=')) sets.push(arg.slice('--set='.length));
    else others.push(arg);
  }
  return { sets, others };
}

function simulatorOptions(model: string, simulator: Simulator, sets: readonly string[]): unknown {
  const given: Record<string, unknown> = {};
  const known = Object.keys(simulator.options.fields);
  for (const set of sets) {
    const equals = set.indexOf('=');
    if (equals < 1) throw new Usage(`--set is written NAME=VALUE, not "${set}"`);
    const name = set.slice(0, equals);
    if (known.length > 0 && !known.includes(name)) {
      throw new Usage(`the simulator of ${model} has no option "${name}"${suggestion(name, known, '')}; it has ${known.join(', ')}`);
    }
    if (Object.hasOwn(given, name)) throw new Usage(`--set ${name} is given twice`);
    try {
      given[name] = parseYaml(set.slice(equals + 1)) as unknown;
    } catch (error) {
      throw new Usage(`--set ${name}: the value is not valid YAML: ${error instanceof Error ? error.message.split('\n')[0] : error}`);
    }
  }
  const options: unknown = simulator.options.parse(given);
  if (options instanceof Refused) throw new Usage(`the simulator of ${model}: ${options.why}; options are set with --set NAME=VALUE`);
  return options;
}

/** "HOST:PORT", ":PORT" or "PORT"; an IPv6 host in brackets. */
function whereOf(option: string, text: string | undefined): Where {
  if (text === undefined) return { host: '127.0.0.1', port: 0 };
  const [, six, four, digits] = /^(?:(?:\[([^\]]+)\]|([^:[\]\s/]*)):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits ?? Number.NaN);
  if (!(port <= 65535))
    throw new Usage(`${option} is HOST:PORT with a port from 0 (any free one) to 65535, such as 127.0.0.1:10001, not "${text}"`);
  return { host: six ?? (four || '127.0.0.1'), port };
}

async function serveModel(
  model: string,
  simulator: Simulator,
  { options, flags }: Parsed,
  sets: readonly string[],
  scene: SimulatedScene,
): Promise<number> {
  for (const flag of ['as-written', 'write']) {
    if (flags.has(flag) || options[flag] !== undefined) throw new Usage(`--${flag} is for a rig, and ${model} is a model`);
  }
  const given = simulatorOptions(model, simulator, sets);
  const { clock, seed, stops, oneClient } = scene;
  const all = universe(seed, clock);
  let device: Device;
  try {
    device = all.device(model, simulator, given);
  } catch (error) {
    throw new Usage(`the simulator of ${model} cannot be made: ${error instanceof Error ? error.message : error}`);
  }
  stops.push(
    () => device.close(),
    every(clock, SETTLE, () => all.settle()),
  );
  const roles = Object.entries(device.ports)
    .map(([role, port]) => ({ role, port, way: wayOf(simulator, role, port) }))
    .sort((a, b) => Number(b.role === 'main') - Number(a.role === 'main'));
  const of = (way: Way) => roles.filter((r) => r.way === way);
  const talks = (['stream', 'packets', 'files'] as const).filter((way) => of(way).length > 0).map((way) => OPTION[way]);
  for (const [way, names] of [
    ['stream', ['tcp', 'pty']],
    ['packets', ['udp']],
    ['files', ['folder']],
  ] as const) {
    const wrong = names.find((name) => options[name] !== undefined);
    if (wrong && of(way).length === 0) throw new Usage(`${model} is not served on --${wrong}: give it ${talks.join(' and ')}`);
  }
  if (of('stream').length === 0 && oneClient) throw new Usage(`--one-client is for TCP, and ${model} has no such link`);
  const tcp = whereOf('--tcp', options.tcp);
  const udp = whereOf('--udp', options.udp);
  const name = (role: string): string => (roles.length > 1 ? `${model} ${role}` : model);
  for (const [i, { role, port }] of of('stream').entries()) {
    const ports = [port];
    // A second stream takes a free port beside the first.
    if (options.tcp !== undefined || options.pty === undefined)
      await serve(
        name(role),
        serveTcp(ports, { ...tcp, port: i === 0 ? tcp.port : 0, oneClient: oneClient || simulator.oneClient.includes(role) }, clock),
        scene,
      );
    if (options.pty !== undefined)
      await serve(name(role), serveTerminal(ports, i === 0 ? options.pty : `${options.pty}-${role}`, clock), scene);
  }
  for (const [i, { role, port }] of of('packets').entries())
    await serve(name(role), serveUdp([port], { ...udp, port: i === 0 ? udp.port : 0 }, clock), scene);
  for (const [i, { role, port }] of of('files').entries()) {
    if (options.folder === undefined) throw new Usage(`${model} writes files: say where with --folder PATH`);
    await serve(name(role), serveFolder([port], i === 0 ? options.folder : `${options.folder}-${role}`), scene);
  }
  return EXIT.ok;
}

const OPTION: Readonly<Record<Way, string>> = { stream: '--tcp or --pty', packets: '--udp', files: '--folder' };

async function serveRigAt(
  path: string,
  known: Catalogue,
  { options, flags }: Parsed,
  sets: readonly string[],
  scene: SimulatedScene,
): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  if (!found && !/[/\\]|\.ya?ml$/.test(path)) {
    const near = nearest(path, known.simulators.keys());
    throw new Usage(
      `there is no model "${path}" with a simulator, and no such folder of a rig${near === undefined ? '; "bridgman instruments" lists the models' : `; did you mean "${near}"?`}`,
    );
  }
  for (const name of ['tcp', 'udp'])
    if (options[name] !== undefined)
      throw new Usage(`--${name} is for a model; a rig's links listen on free ports, or with --as-written on their own`);
  if (sets.length > 0) throw new Usage('--set is for a model; a rig\'s simulators are set by its options and "simulate:"');
  const { pty, folder, write } = options;
  return serveRig(path, known, { pty, folder, write, asWritten: flags.has('as-written') }, scene);
}
