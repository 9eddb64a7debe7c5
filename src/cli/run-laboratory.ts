/** A run from its first lock to its last word: the guardian's process, which starts the recorder and the host and is the last to go. */
import { unlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { catalogue } from '../catalogue.ts';
import type { Reply, Request, ToGuardian, ToHost } from '../guardian/armed.ts';
import { guardian } from '../guardian/guardian.ts';
import { safeMaker, type Unsafe } from '../guardian/make-safe.ts';
import { notify, systemdShell, watchdogOf } from '../guardian/notify.ts';
import { type ArmedRecord, armedRecord } from '../guardian/record.ts';
import { type Child, recorderChild } from '../guardian/recorder-child.ts';
import { stopFile } from '../guardian/stop-file.ts';
import { stopKey, terminalNow } from '../guardian/stop-key.ts';
import { type Local, type LocalReply, localFolder, serveLocal, socketOf, user } from '../local.ts';
import { alarmFile, readAlarmStates } from '../recorder/alarm-store.ts';
import type { RecorderInit } from '../recorder/process.ts';
import type { Rig } from '../rig.ts';
import { withUserDrivers } from '../rig-drivers.ts';
import { openReal } from '../rig-open.ts';
import { version } from '../version.ts';
import { EXIT, type Io } from './command.ts';
import { bootId, lastRecord, recordFile, sessionFolder } from './run-files.ts';
import { child, locks, runClock, signOff, there } from './run-parts.ts';
import { closing } from './run-summary.ts';

export interface Wanted {
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
const FORCED_WAIT = 3; // the same after a second Ctrl-C
const DISK = 'disk reserve'; // the alarm
const KEY_WAIT = 0.5; // seconds in which a key that is held down counts once

export async function laboratory(rig: Rig, wanted: Wanted, io: Io): Promise<number> {
  const { clock, end: endTimers } = runClock();
  const { catalogue: known } = await withUserDrivers(await catalogue(), rig.folder);

  // --- the locks and the local socket first of all: where they cannot be had, another run has the instruments
  let handle = (request: Local, reply: (answer: LocalReply) => void): void => {
    reply({ ok: false, why: `the rig is starting: no ${request.do} yet` });
  };
  let server: Awaited<ReturnType<typeof serveLocal>>;
  let lock: { release(): void };
  let socket: string;
  let recorderSocket: string;
  let session: string | undefined;
  try {
    socket = socketOf(rig.name);
    recorderSocket = join(localFolder(), `${rig.name}-${process.pid}.rec`);
    lock = await locks(rig, socket, wanted.simulate, () => session);
    server = await serveLocal(socket, (request, reply) => handle(request, reply));
  } catch (error) {
    io.err(`bridgman run: ${error instanceof Error ? error.message : error}\n`);
    return EXIT.failed;
  }
  const close = (): void => {
    endTimers();
    server.close();
    lock.release();
    for (const path of [socket, recorderSocket]) {
      try {
        unlinkSync(path);
      } catch {
        // gone already
      }
    }
  };
  // From here on Ctrl-C is an orderly end, whatever has been started by then.
  let signals = 0;
  let onSignal = (): void => {};
  const interrupt = (): void => {
    signals++;
    onSignal();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
  const folder = sessionFolder(rig, io);
  if (folder === undefined) {
    close();
    return EXIT.failed;
  }
  session = folder;
  const screen = wanted.print === undefined && Boolean(process.stdout.isTTY);
  const key = screen && Boolean(process.stdin.isTTY);
  const alarmsBefore = await readAlarmStates(alarmFile(rig, wanted.simulate));
  const last = wanted.simulate ? { words: [], unsettled: [] } : lastRecord(recordFile(rig, folder));

  // What the guardian needs to open a port is loaded now: at the moment it is needed a disk may hang. The same for programs it starts.
  if (rig.instruments.some((i) => Object.values(i.links).some(({ address }) => address.startsWith('serial:')))) await import('serialport');
  const systemd = process.env.NOTIFY_SOCKET ? systemdShell((text) => tell(text)) : undefined;

  // --- the recorder first: what the host says must have somewhere to go
  const terminal = key ? terminalNow() : undefined;
  const init: RecorderInit = {
    rig,
    folder,
    socket: recorderSocket,
    ...((wanted.influx ?? rig.influx) === undefined ? {} : { influx: wanted.influx ?? rig.influx }),
    simulated: wanted.simulate,
    version: await version(),
    print: wanted.print === 'jsonl' ? 'jsonl' : screen ? 'screen' : 'lines',
    ...(wanted.summary === undefined ? {} : { summary: resolve(wanted.summary) }),
    record: recordFile(rig, folder),
    key,
    ...(terminal === undefined ? {} : { terminal }),
  };
  let record: ArmedRecord | undefined;
  // The recorder may have something to say before there is a host: it comes after the host's first message.
  const early: ToHost[] = [];
  let toHost = (message: ToHost): void => void early.push(message);
  const hostSend = (message: ToHost): void => toHost(message);
  const recorder = recorderChild({
    clock,
    init,
    fork: () => child('../recorder/process.js', clock, 'inherit', 'inherit') as Child, // speaks the recorder's messages
    full() {
      hostSend({ is: 'alarm', name: DISK, severity: 'critical', text: 'the disk is full: the session lives on its reserve' });
      hostSend({ is: 'stop', why: 'the disk is full: the session lives on its reserve' });
    },
    trouble: (text) => hostSend({ is: 'alarm', name: DISK, ...(text === undefined ? { text: '' } : { severity: 'alarm', text }) }),
    back: () => record?.again(),
    err: io.err,
  });
  const tell = (text: string): void => recorder.say(text, true);
  try {
    await recorder.begin();
  } catch (error) {
    close();
    systemd?.close();
    if (signals > 0) return notBegun(io);
    io.err(`bridgman run: the session cannot be written to ${folder}: ${error instanceof Error ? error.message : error}\n`);
    return EXIT.failed;
  }
  if (signals > 0) {
    await recorder.finish(FINISH_WAIT);
    close();
    systemd?.close();
    return notBegun(io);
  }
  for (const text of last.words) tell(text);
  if (last.unsettled.length > 0) tell('look at the instruments; nothing hazardous until: bridgman order rig acknowledge record');
  const written = armedRecord({
    rig: rig.name,
    session: folder,
    pid: process.pid,
    boot: bootId(),
    unsettled: last.unsettled,
    clock,
    write: (text, done) => recorder.record(text, done),
  });
  record = written;

  // --- the host
  const host = child('../host-process.js', clock, 'ignore', 'pipe');
  host.stderr?.on('data', (data: Buffer) => tell(`host: ${data.toString('utf8').trimEnd()}`));
  toHost = (message) => {
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
    record,
    told: tell,
  });
  const well = systemd && notify(clock, systemd.say, watchdogOf(process.env, process.pid), () => watch.silence);
  const waiting = new Map<number, (reply: Reply) => void>();
  let asked = 0;
  const askHost = (request: Request, done: (reply: Reply) => void): void => {
    const id = ++asked;
    waiting.set(id, done);
    hostSend({ is: 'ask', id, request });
  };
  // Outputs of instruments that have identified themselves: only of these can be said that they are safe.
  const met = new Set<string>();
  let code: number = EXIT.ok;
  let unsafeAtEnd: readonly string[] = [];
  let ending = false;
  let forced = false;
  let up = false;
  host.on('message', (message: ToGuardian) => {
    watch.heard(message);
    switch (message.is) {
      case 'prepare':
        met.add(`${message.prepared.instrument}.${message.prepared.command}`);
        return;
      case 'up':
        up = true;
        well?.ready();
        return;
      case 'reply':
        waiting.get(message.id)?.(message.reply);
        waiting.delete(message.id);
        return;
      case 'acknowledged':
        if (message.name === 'record') written.acknowledge();
        return;
      case 'ended':
        unsafeAtEnd = message.unsafe;
        return;
      case 'failed':
        tell(`the host ends: ${message.why}`);
        return;
      default:
        return;
    }
  });
  const over = new Promise<void>((done) => {
    host.once('exit', (exit, signal) => {
      for (const reply of waiting.values()) reply({ ok: false, why: 'the host has ended' });
      waiting.clear();
      well?.ending();
      // A host that had opened nothing yet may end as it likes.
      const inOrder = ending && (exit === 0 || !up) && unsafeAtEnd.length === 0;
      if (forced) code = FORCED;
      else if (!inOrder) {
        code = EXIT.host;
        if (!ending || exit !== 0) tell(`the host has ended by itself (${signal ?? `exit code ${exit}`})`);
      }
      watch.hostGone((unsafe: readonly Unsafe[]) => {
        if (unsafe.length > 0) code = EXIT.host;
        done();
      });
    });
  });
  hostSend({
    is: 'init',
    init: {
      rig,
      simulate: wanted.simulate,
      seed: wanted.seed,
      recorder: recorderSocket,
      session: folder,
      unsettled: last.unsettled,
      restored: alarmsBefore.states,
    },
  });
  for (const message of early) hostSend(message);

  // --- the stop, on every surface
  const stop = (by: string, done: (stopped: { readonly by: string; readonly unsafe: readonly Unsafe[] }) => void = () => {}): void => {
    tell(`STOP by ${by}`);
    recorder.stop({ by, unsafe: [], over: false });
    watch.stop(`stop by ${by}`, ({ by: who, unsafe }) => {
      const absent = hazardous(rig).filter((name) => !met.has(name) && !unsafe.some((u) => u.name === name));
      const all = [...unsafe, ...absent.map((name) => ({ name, why: 'it has not been there since the run began' }))];
      recorder.stop({ by: who, unsafe: all, over: true });
      done({ by: who, unsafe: all });
    });
  };
  handle = (request, reply) => {
    if (request.do === 'stop') stop(request.by, (stopped) => reply({ ok: true, stopped }));
    else if (request.do === 'status')
      askHost(request, (answer) => reply(answer.ok ? { ...answer, where: { session: folder, folder: rig.folder } } : answer));
    else askHost(request, reply);
  };
  let pressed = Number.NEGATIVE_INFINITY;
  const endKey = key
    ? stopKey(process.stdin, {
        interrupt,
        stop() {
          if (clock.mono() - pressed > KEY_WAIT) stop(`${user()} (space bar)`);
          pressed = clock.mono();
        },
      })
    : () => {};
  const endFile =
    rig.stopFile === undefined
      ? () => {}
      : stopFile({
          path: rig.stopFile,
          clock,
          look: there,
          appeared: (why, first) => (first ? hostSend({ is: 'stop', why }) : stop(why)),
          forbid(why) {
            watch.forbid(why);
            hostSend({ is: 'forbid', ...(why === undefined ? {} : { why }) });
          },
          told: tell,
        });

  // --- the end, in order: outputs safe and read back, then the session whole
  const end = (): void => {
    if (ending) return;
    ending = true;
    well?.ending();
    hostSend({ is: 'end' });
    clock.after(END_WAIT, () => host.kill('SIGKILL'));
  };
  onSignal = () => {
    if (signals === 1) {
      recorder.say('ending: outputs are made safe (once more: end at once)');
      end();
      return;
    }
    ending = true;
    forced = true;
    // At once: the guardian makes safe what was on when the host is gone.
    host.kill('SIGKILL');
  };
  if (signals > 0) onSignal();
  if (wanted.duration !== undefined) clock.after(wanted.duration, end);

  await over;
  endFile();
  const kept = watch.kept;
  watch.close();
  await signOff(written, kept, init.record, clock, tell);
  const summary = await recorder.finish(forced ? FORCED_WAIT : FINISH_WAIT);
  endKey();
  well?.close();
  systemd?.close();
  close();
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
