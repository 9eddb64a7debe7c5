/** `bridgman run`: the guardian. It starts the recorder and the host, owns the stop socket, and is the last to go. */
import { type ChildProcess, fork } from 'node:child_process';
import { unlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { catalogue } from '../catalogue.ts';
import { type Clock, realClock } from '../clock.ts';
import type { Reply, Request, ToGuardian, ToHost } from '../guardian/armed.ts';
import { guardian } from '../guardian/guardian.ts';
import { safeMaker, type Unsafe } from '../guardian/make-safe.ts';
import { type Local, type LocalReply, localFolder, serveLocal, socketOf } from '../local.ts';
import { methods } from '../methods.ts';
import { influxTarget } from '../recorder/influx-http.ts';
import type { FromRecorder, RecorderInit, ToRecorder } from '../recorder/process.ts';
import type { Summary } from '../recorder/recorder.ts';
import { loadRig, printed, type Rig } from '../rig.ts';
import { withUserDrivers } from '../rig-drivers.ts';
import { openReal } from '../rig-open.ts';
import { quantity } from '../units.ts';
import { version } from '../version.ts';
import { type Command, EXIT, guarded, type Io, parse, Usage } from './command.ts';
import { sessionFolder, unwritable } from './run-files.ts';
import { closing } from './run-summary.ts';

const help = `Examples:
  bridgman run rigs/demo --simulate              a laboratory of simulators, until Ctrl-C
  bridgman run rigs/demo --simulate --for 20s --print jsonl > readings.jsonl
  bridgman run my-rig --influx http://localhost:8086/lab
  bridgman run my-rig --summary last.json

Runs a rig: reads its instruments, records every byte, derives, and keeps its outputs safe. Ends with Ctrl-C (outputs are made safe and
read back first; a second Ctrl-C ends at once, outputs safe), after --for, or with "bridgman stop" (which stops outputs, not the run).

Options:
  --simulate          simulators in the place of all instruments
  --seed N            what chance does in the simulators (1): the same seed gives the same world
  --for TIME          ends by itself: 20s, 5min, 72h
  --print jsonl       one reading a line on stdout: t (microseconds since 1970), instrument, channel, index, value (SI), sigma, unit,
                      quality, why, origin
  --summary FILE      writes counts of everything as JSON at the end
  --influx URL        http://[USER:PASSWORD@]HOST[:PORT]/DATABASE, in place of the rig's

Exit codes: 0 ended well; 1 something failed; 2 wrong arguments; 4 the rig is wrong; 5 the host died, or an output was not read back as safe;
130 ended at once by a second Ctrl-C, or by one before anything was opened.
`;

export const run: Command = {
  name: 'run',
  summary: 'runs a rig, with its instruments or with simulators',
  help,
  run: (args, io) =>
    guarded('run', io, async () => {
      const { options, flags, rest } = parse(args, {
        simulate: 'boolean',
        seed: 'string',
        for: 'string',
        print: 'string',
        summary: 'string',
        influx: 'string',
      });
      const [path, ...more] = rest;
      if (path === undefined) throw new Usage('which rig? Name its folder, such as rigs/demo');
      if (more.length > 0) throw new Usage(`one rig at a time, not also ${more.join(' ')}`);
      const seed = options.seed === undefined ? 1 : Number(options.seed);
      if (!Number.isSafeInteger(seed)) throw new Usage(`--seed is a whole number, not "${options.seed}"`);
      if (options.print !== undefined && options.print !== 'jsonl') throw new Usage(`--print knows jsonl, not "${options.print}"`);
      const duration = options.for === undefined ? undefined : seconds(options.for);
      if (options.influx !== undefined) {
        const target = influxTarget(options.influx);
        if (typeof target === 'string') throw new Usage(`--influx: ${target}`);
      }
      const wrong = options.summary === undefined ? undefined : unwritable(options.summary);
      if (wrong !== undefined) throw new Usage(`--summary: ${wrong}`);
      const known = await catalogue();
      const loaded = await loadRig(path, known, methods);
      if (!loaded.ok) {
        for (const message of loaded.messages) io.err(`${printed(message)}\n`);
        return EXIT.rig;
      }
      for (const message of loaded.warnings) io.err(`${printed(message)}: warning\n`);
      return laboratory(loaded.rig, { ...options, seed, duration, simulate: flags.has('simulate') }, io);
    }),
};

function seconds(text: string): number {
  const q = quantity(text);
  if (typeof q === 'string') throw new Usage(`--for: ${q}`);
  if (q.unit !== 's' || q.value <= 0) throw new Usage(`--for is a time such as 20s or 5min, not "${text}"`);
  return q.value;
}

interface Wanted {
  readonly simulate: boolean;
  readonly seed: number;
  readonly duration: number | undefined;
  readonly print?: string;
  readonly summary?: string;
  readonly influx?: string;
}

const FORCED = 130; // the shell's word for a program ended by Ctrl-C
const END_WAIT = 8; // seconds for the host to end in order
const FINISH_WAIT = 60; // seconds for the recorder to end the session (a hung disk, a slow database)

async function laboratory(rig: Rig, wanted: Wanted, io: Io): Promise<number> {
  const plain = realClock();
  const timers = new Set<() => void>();
  // Every timer of this run is put out at its end: none may keep the program from ending.
  const clock: Clock = {
    ...plain,
    after(seconds, work) {
      const cancel = plain.after(seconds, () => {
        timers.delete(cancel);
        work();
      });
      timers.add(cancel);
      return () => {
        timers.delete(cancel);
        cancel();
      };
    },
  };
  const { catalogue: known } = await withUserDrivers(await catalogue(), rig.folder);

  // --- the local socket first of all: where it cannot be had, another run has the instruments
  let handle = (request: Local, reply: (answer: LocalReply) => void): void => {
    reply({ ok: false, why: `the rig is starting: no ${request.do} yet` });
  };
  let server: Awaited<ReturnType<typeof serveLocal>>;
  let socket: string;
  let recorderSocket: string;
  try {
    socket = socketOf(rig.name);
    recorderSocket = join(localFolder(), `${rig.name}-${process.pid}.rec`);
    server = await serveLocal(socket, (request, reply) => handle(request, reply));
  } catch (error) {
    io.err(`bridgman run: ${error instanceof Error ? error.message : error}\n`);
    return EXIT.failed;
  }
  // From here on Ctrl-C is an orderly end, whatever has been started by then.
  let signals = 0;
  let onSignal = (): void => {};
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      signals++;
      onSignal();
    });
  const folder = sessionFolder(rig, io);
  if (folder === undefined) {
    server.close();
    return EXIT.failed;
  }
  const screen = wanted.print === undefined && Boolean(process.stdout.isTTY);

  // What the guardian needs to open a port is loaded now: at the moment it is needed a disk may hang.
  if (rig.instruments.some((i) => Object.values(i.links).some(({ address }) => address.startsWith('serial:')))) await import('serialport');

  // --- the recorder first: what the host says must have somewhere to go
  let summary: Summary | undefined;
  let unsafeAtEnd: readonly string[] = [];
  let code: number = EXIT.ok;
  let ended: () => void = () => {};
  const finished = new Promise<void>((resolveEnd) => {
    ended = resolveEnd;
  });
  let finishing = false;
  let recorderStarts = 0;
  let recorder: ChildProcess | undefined;
  const tell = (text: string): void => {
    if (recorder?.connected) recorder.send({ is: 'say', text } satisfies ToRecorder);
    else io.err(`${text}\n`);
  };
  const init: RecorderInit = {
    rig,
    folder,
    socket: recorderSocket,
    ...((wanted.influx ?? rig.influx) === undefined ? {} : { influx: wanted.influx ?? rig.influx }),
    simulated: wanted.simulate,
    version: await version(),
    print: wanted.print === 'jsonl' ? 'jsonl' : screen ? 'screen' : 'lines',
    ...(wanted.summary === undefined ? {} : { summary: resolve(wanted.summary) }),
  };
  let begun = false;
  const startRecorder = (): Promise<void> =>
    new Promise((started, failed) => {
      const child = fork(join(import.meta.dirname, '../recorder/process.js'), [], {
        serialization: 'advanced',
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        execArgv: ['--max-semi-space-size=2'],
      });
      recorder = child;
      child.on('message', (message: FromRecorder) => {
        if (message.is === 'listening') started();
        else if (message.is === 'failed') failed(new Error(message.why));
        else if (message.is === 'full') hostSend({ is: 'stop', why: 'the disk is full: the session lives on its reserve' });
        else summary = message.summary;
      });
      child.once('exit', () => {
        if (finishing) {
          ended();
          return;
        }
        failed(new Error('the recorder has ended'));
        if (!begun) return;
        // It must not end while the host runs: begin another, which goes on with new parts of the same session.
        recorderStarts++;
        if (recorderStarts > 5) {
          io.err('the recorder ends again and again: the run is ended\n');
          code = EXIT.failed;
          end();
          return;
        }
        io.err('the recorder has ended by itself: another one goes on\n');
        startRecorder().catch((error: unknown) => io.err(`${error instanceof Error ? error.message : error}\n`));
      });
      child.send({ is: 'init', init } satisfies ToRecorder);
    });
  try {
    await startRecorder();
    begun = true;
  } catch (error) {
    finishing = true;
    server.close();
    if (signals > 0) return notBegun(io);
    io.err(`bridgman run: the session cannot be written to ${folder}: ${error instanceof Error ? error.message : error}\n`);
    return EXIT.failed;
  }
  if (signals > 0) {
    finishing = true;
    recorder?.send({ is: 'finish' } satisfies ToRecorder);
    await finished;
    server.close();
    return notBegun(io);
  }

  // --- the host
  const host = fork(join(import.meta.dirname, '../host-process.js'), [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: ['--max-semi-space-size=2'],
  });
  host.stderr?.on('data', (data: Buffer) => tell(`host: ${data.toString('utf8').trimEnd()}`));
  const hostSend = (message: ToHost): void => {
    // A host that has gone takes no messages; one that hangs takes them later.
    if (host.connected) host.send(message, () => {});
  };
  const watch = guardian({
    clock,
    host: { send: hostSend, kill: () => host.kill('SIGKILL') },
    maker: safeMaker({
      catalogue: known,
      clock,
      open: (address) => openReal(address, clock, { base: rig.folder, lock: false }),
    }),
    told: tell,
  });
  const waiting = new Map<number, (reply: Reply) => void>();
  let asked = 0;
  const askHost = (request: Request, done: (reply: Reply) => void): void => {
    const id = ++asked;
    waiting.set(id, done);
    hostSend({ is: 'ask', id, request });
  };
  // Outputs of instruments that have identified themselves: only of these can be said that they are safe.
  const met = new Set<string>();
  host.on('message', (message: ToGuardian) => {
    watch.heard(message);
    if (message.is === 'prepare') met.add(`${message.prepared.instrument}.${message.prepared.command}`);
    if (message.is === 'up') up = true;
    else if (message.is === 'reply') {
      waiting.get(message.id)?.(message.reply);
      waiting.delete(message.id);
    } else if (message.is === 'ended') unsafeAtEnd = message.unsafe;
    else if (message.is === 'failed') tell(`the host ends: ${message.why}`);
  });
  let ending = false;
  let forced = false;
  let up = false;
  host.once('exit', (exit, signal) => {
    for (const done of waiting.values()) done({ ok: false, why: 'the host has ended' });
    waiting.clear();
    // A host that had opened nothing yet may end as it likes.
    const inOrder = ending && (exit === 0 || !up) && unsafeAtEnd.length === 0;
    if (forced) code = FORCED;
    else if (!inOrder) {
      code = EXIT.host;
      if (!ending || exit !== 0) tell(`the host has ended by itself (${signal ?? `exit code ${exit}`})`);
    }
    watch.hostGone((unsafe: readonly Unsafe[]) => {
      if (unsafe.length > 0) code = EXIT.host;
      finish();
    });
  });
  hostSend({ is: 'init', init: { rig, simulate: wanted.simulate, seed: wanted.seed, recorder: recorderSocket, unsettled: [] } });

  function finish(): void {
    if (finishing) return;
    finishing = true;
    watch.close();
    if (!recorder?.connected) {
      ended();
      return;
    }
    recorder.send({ is: 'finish' } satisfies ToRecorder);
    clock.after(FINISH_WAIT, () => recorder?.kill('SIGKILL'));
  }

  /** In order: outputs safe and read back, then the session whole. */
  const end = (): void => {
    if (ending) return;
    ending = true;
    hostSend({ is: 'end' });
    clock.after(END_WAIT, () => host.kill('SIGKILL'));
  };
  onSignal = () => {
    if (signals === 1) {
      tell('ending: outputs are made safe (once more: end at once)');
      end();
      return;
    }
    ending = true;
    forced = true;
    // At once: the guardian makes safe what was on when the host is gone.
    host.kill('SIGKILL');
    clock.after(1, () => recorder?.kill('SIGKILL'));
  };
  if (wanted.duration !== undefined) clock.after(wanted.duration, end);

  handle = (request, reply) => {
    if (request.do === 'stop') {
      tell(`STOP by ${request.by}`);
      watch.stop(`stop by ${request.by}`, ({ by, unsafe }) => {
        const absent = hazardous(rig).filter((name) => !met.has(name) && !unsafe.some((u) => u.name === name));
        const all = [...unsafe, ...absent.map((name) => ({ name, why: 'it has not been there since the run began' }))];
        reply({ ok: true, stopped: { by, unsafe: all } });
      });
    } else askHost(request, reply);
  };

  await finished;
  for (const cancel of timers) cancel();
  server.close();
  for (const path of [socket, recorderSocket]) {
    try {
      unlinkSync(path);
    } catch {
      // gone already
    }
  }
  if (screen) process.stdout.write('\x1b[?25h\x1b[?1049l');
  const words = summary
    ? closing(summary, { simulated: wanted.simulate, instruments: rig.instruments.map((i) => i.name) })
    : `the session lies in ${folder}\n`;
  if (wanted.print === 'jsonl') io.err(words);
  else io.out(words);
  return code;
}

/** The commands that have a lease, as INSTRUMENT.COMMAND. */
const hazardous = (rig: Rig): readonly string[] =>
  rig.instruments.flatMap((i) => Object.keys(i.leases).map((command) => `${i.name}.${command}`));

function notBegun(io: Io): number {
  io.err('bridgman run: ended before any instrument was opened\n');
  return FORCED;
}
