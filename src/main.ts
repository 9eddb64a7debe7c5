#!/usr/bin/env node
import { nearest } from './catalogue.ts';
/** The command line. Each command is a file under cli/, loaded when it is called. */
import { type Command, EXIT, type Io } from './cli/command.ts';
import { version } from './version.ts';

const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import('./cli/run.ts')).run,
  stop: async () => (await import('./cli/local.ts')).stop,
  check: async () => (await import('./cli/check.ts')).check,
  'trip-test': async () => (await import('./cli/trip-test.ts')).tripTestCommand,
  instruments: async () => (await import('./cli/instruments.ts')).instruments,
  simulate: async () => (await import('./cli/simulate.ts')).simulate,
  order: async () => (await import('./cli/local.ts')).order,
  ramp: async () => (await import('./cli/ramp.ts')).ramp,
  hold: async () => (await import('./cli/hold.ts')).hold,
  analyse: async () => (await import('./cli/analyse.ts')).analyse,
  calibrate: async () => (await import('./cli/calibrate.ts')).calibrate,
  alarms: async () => (await import('./cli/alarms.ts')).alarms,
  acknowledge: async () => (await import('./cli/alarms.ts')).acknowledge,
  shelve: async () => (await import('./cli/alarms.ts')).shelve,
  note: async () => (await import('./cli/local.ts')).note,
  mark: async () => (await import('./cli/local.ts')).mark,
  inspect: async () => (await import('./cli/inspect.ts')).inspect,
  replay: async () => (await import('./cli/replay.ts')).replayCommand,
  verify: async () => (await import('./cli/session-verify.ts')).verify,
  repair: async () => (await import('./cli/session-repair.ts')).repair,
  grep: async () => (await import('./cli/session-grep.ts')).grep,
  diff: async () => (await import('./cli/session-diff.ts')).diff,
  trend: async () => (await import('./cli/session-trend.ts')).trend,
  export: async () => (await import('./cli/export.ts')).exportCommand,
  fit: async () => (await import('./cli/fit.ts')).fit,
  calc: async () => (await import('./cli/calc.ts')).calc,
};

const io: Io = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

async function overview(): Promise<string> {
  const all = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  const width = Math.max(...all.map((c) => c.name.length));
  return `Examples:
  bridgman run rigs/demo --simulate       a laboratory of simulators on this screen
  bridgman check my-rig                   what is wrong with a rig, with line and column
  bridgman stop                           every hazardous output off, now

Commands:
${all.map((c) => `  ${c.name.padEnd(width)}  ${c.summary}`).join('\n')}

"bridgman COMMAND --help" shows examples of each.
`;
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    io.out(await overview());
    return name === undefined ? EXIT.usage : EXIT.ok;
  }
  if (name === '--version') {
    io.out(`${await version()}\n`);
    return EXIT.ok;
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!load) {
    const near = nearest(name, Object.keys(COMMANDS));
    io.err(`bridgman: there is no command "${name}"${near ? `; did you mean ${near}?` : ''}\nSee "bridgman --help".\n`);
    return EXIT.usage;
  }
  const command = await load();
  if (rest.includes('--help') || rest.includes('-h')) {
    io.out(command.help);
    return EXIT.ok;
  }
  return command.run(rest, io);
}

// A reader that has gone (head, a closed pager) is no fault. Where nothing more can be written (a full disk), the work goes on: a laboratory
// must not stop for it.
let unwritten = false;
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || unwritten) return;
    unwritten = true;
    if (process.exitCode === EXIT.ok) process.exitCode = EXIT.failed;
    if (stream === process.stdout) io.err(`bridgman: the output could not be written: ${error.message}\n`);
  });
}

try {
  const code = await main(process.argv.slice(2));
  process.exitCode = unwritten && code === EXIT.ok ? EXIT.failed : code;
} catch (error) {
  // A fault of ours: said in one line, the rest for whoever mends it.
  io.err(`bridgman: a fault of the program: ${error instanceof Error ? error.message : String(error)}\n`);
  if (process.env.BRIDGMAN_TRACE) io.err(`${error instanceof Error ? error.stack : ''}\n`);
  else io.err('(BRIDGMAN_TRACE=1 shows where)\n');
  process.exitCode = EXIT.failed;
}
