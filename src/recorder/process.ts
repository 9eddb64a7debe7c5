/** The recorder as a process of its own: entries come over a local socket, words and screens go to the terminal. */
import { execFile } from 'node:child_process';
import { createWriteStream, unlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { realClock } from '../clock.ts';
import type { Entry } from '../entry.ts';
import { filesOf } from '../methods.ts';
import { batches } from '../pipe.ts';
import type { Rig } from '../rig.ts';
import { show, type Unit } from '../units.ts';
import { alarmKeeper } from './alarm-keeper.ts';
import { jsonLine } from './jsonl.ts';
import { catchUp, recorder, type Summary } from './recorder.ts';
import { replaceFile } from './replace-file.ts';
import { rawSeries, withStreams } from './session-json.ts';
import { type View, view } from './view.ts';
import type { StopShown } from './view-head.ts';

export interface RecorderInit {
  readonly rig: Rig;
  readonly folder: string;
  readonly socket: string;
  readonly influx?: string;
  readonly simulated: boolean;
  readonly version: string;
  readonly print: 'screen' | 'lines' | 'jsonl' | 'nothing';
  readonly summary?: string;
  /** The record of armed outputs. */
  readonly record: string;
  /** The guardian hears the space bar. What the terminal was set to before, for `stty`: put back when the guardian cannot do it. */
  readonly key: boolean;
  readonly terminal?: string;
}

export type ToRecorder =
  | { readonly is: 'init'; readonly init: RecorderInit }
  /** Words of the guardian's for people; as an alarm they go into the session, too. */
  | { readonly is: 'say'; readonly text: string; readonly alarm: boolean }
  | { readonly is: 'stop'; readonly stop: StopShown }
  /** The record of armed outputs as it is to be on the disk. */
  | { readonly is: 'record'; readonly id: number; readonly text: string }
  | { readonly is: 'finish' };

export type FromRecorder =
  | { readonly is: 'listening' }
  /** The record is on the disk, or why it is not. */
  | { readonly is: 'recorded'; readonly id: number; readonly why?: string }
  | { readonly is: 'full' }
  /** What is not recorded as it should be; without a text all is again. */
  | { readonly is: 'trouble'; readonly text?: string }
  | { readonly is: 'finished'; readonly summary: Summary }
  | { readonly is: 'failed'; readonly why: string };

const INFLUX_WAIT = 10; // seconds that the end of a run waits for InfluxDB; the cursor keeps what is left
const TICK = 50; // ms
const HOST_ENDS = 3000; // ms for the host's last words when it has ended
const HOST_ALONE = 15_000; // ms for a host that makes its outputs safe without a guardian
const UNREAD = 32 << 20; // bytes of output that may wait for their reader

const send = (message: FromRecorder): void => {
  if (process.connected) process.send?.(message, undefined, undefined, () => {}); // a guardian that has just died is told of by 'disconnect'
};

async function start(init: RecorderInit): Promise<void> {
  const clock = realClock();
  let screen: View | undefined;
  const out = process.stdout;
  // A reader that has gone (head, a closed pager) ends the printing, never the recording.
  out.on('error', () => {});
  process.stderr.on('error', () => {});
  const log = createWriteStream(`${init.folder}.log`, { flags: 'a' });
  log.on('error', () => {});
  const told = (text: string): void => {
    const line = `${new Date(clock.now() / 1000).toISOString()} ${text}`;
    log.write(`${line}\n`);
    if (screen) screen.tell(text);
    else if (init.print === 'lines') out.write(`${line}\n`);
    else process.stderr.write(`${line}\n`);
  };
  const files = Object.fromEntries(Object.values(filesOf(init.rig)).map((f) => [f.path, f.bytes]));
  const keeper = await recorder({
    folder: init.folder,
    rig: { name: init.rig.name, text: init.rig.text, files },
    influx: init.influx,
    version: init.version,
    rawOrder: withStreams(rawSeries(init.rig)),
    limits: init.rig.record.reserve === undefined ? undefined : { reserve: init.rig.record.reserve },
    now: () => clock.now(),
    mono: () => clock.mono() * 1000,
    told,
    full: () => send({ is: 'full' }),
  });
  const older = init.influx ? catchUp(init.rig, init.influx, init.folder, told) : undefined;
  if (init.print === 'screen') screen = view(out, init.rig, { simulated: init.simulated, folder: init.folder, key: init.key, clock });

  const alarming = await alarmKeeper(init.rig, { simulated: init.simulated, clock, told });

  let trouble: string | undefined;
  const watchDisk = (): void => {
    const now = keeper.trouble;
    // The free space in it changes all the time.
    if ((now === undefined) !== (trouble === undefined)) send({ is: 'trouble', ...(now === undefined ? {} : { text: now }) });
    trouble = now;
  };

  let behind = false;
  const print = (entries: readonly Entry[]): void => {
    // A reader that is too slow for what comes loses lines, never the session; it is told once.
    const slow = out.writableLength > UNREAD;
    if (slow && !behind) process.stderr.write('the reader of stdout is too slow: lines are left out; the session has all\n');
    behind = slow;
    if (init.print === 'jsonl' && !slow) {
      const lines = entries.flatMap((e) => (e.kind === 'reading' ? [jsonLine(e.reading)] : [])).join('');
      if (lines !== '') out.write(lines);
    }
    for (const entry of entries) {
      screen?.see(entry);
      alarming.take(entry);
      if (entry.kind === 'alarm') told(`${entry.alarm.from}: ${entry.alarm.text}`);
      else if (entry.kind === 'order' && entry.order.outcome) {
        const { instrument, command, index, value, unit, outcome, why, by } = entry.order;
        const shown =
          typeof value === 'number' ? show(value, (unit ?? '') as Unit | '') : typeof value === 'boolean' ? (value ? 'on' : 'off') : value; // a command's own unit
        const what = `${instrument}.${command}${index === undefined ? '' : `[${index}]`}${shown === undefined ? '' : ` ${shown}`}`;
        told(`order ${what} (${by}): ${outcome}${why ? `: ${why}` : ''}`);
      } else if (entry.kind === 'note') told(`note (${entry.note.by}): ${entry.note.text}`);
      else if (entry.kind === 'mark') told(`run ${entry.mark.run} ${entry.mark.what} (${entry.mark.by})`);
    }
  };

  let host: Socket | undefined;
  let hostGone = Promise.resolve();
  const server = createServer((socket) => {
    host = socket;
    hostGone = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => socket.destroy());
    socket.on(
      'data',
      batches((entries) => {
        keeper.take(entries);
        print(entries);
      }),
    );
  });
  try {
    unlinkSync(init.socket);
  } catch {
    // it was not there
  }
  server.listen(init.socket, () => send({ is: 'listening' }));
  const ticking = setInterval(() => {
    clock.boot(); // sees a sleep of the machine
    keeper.tick();
    watchDisk();
    screen?.draw(() => keeper.summary(), keeper.influxState);
  }, TICK);

  const say = (text: string, alarm: boolean): void => {
    if (!alarm) {
      told(text);
      return;
    }
    const entry: Entry = { kind: 'alarm', alarm: { t: clock.now(), from: 'guardian', text } };
    keeper.take([entry]);
    print([entry]);
  };

  let finishing = false;
  const finish = async (patience: number): Promise<void> => {
    if (finishing) return;
    finishing = true;
    // What the host has sent before it ended is still in the pipe.
    if (host && !host.destroyed) await Promise.race([hostGone, new Promise((resolve) => setTimeout(resolve, patience))]);
    clearInterval(ticking);
    server.close();
    const beating = setInterval(() => keeper.tick(), TICK);
    await older?.stop();
    await alarming.close();
    const summary = await keeper.close(INFLUX_WAIT);
    clearInterval(beating);
    screen?.close();
    if (init.summary !== undefined) {
      try {
        writeFileSync(init.summary, `${JSON.stringify(summary, null, 2)}\n`);
      } catch (error) {
        process.stderr.write(`the summary cannot be written to ${init.summary}: ${error instanceof Error ? error.message : error}\n`);
      }
    }
    send({ is: 'finished', summary });
    setTimeout(() => process.exit(0), 20);
  };
  let writing = Promise.resolve();
  process.on('message', (message: ToRecorder) => {
    if (message.is === 'say') say(message.text, message.alarm);
    else if (message.is === 'stop') screen?.stop(message.stop);
    else if (message.is === 'record') {
      // In order: an older text never comes after a newer one.
      writing = writing.then(() =>
        replaceFile(init.record, message.text).then(
          () => send({ is: 'recorded', id: message.id }),
          (error: unknown) => send({ is: 'recorded', id: message.id, why: error instanceof Error ? error.message : String(error) }),
        ),
      );
    } else if (message.is === 'finish') void writing.then(() => finish(HOST_ENDS));
  });
  const guardianGone = (): void => {
    if (!finishing) say('the guardian has ended by itself: the host makes its outputs safe, and the run ends', true);
    screen?.close();
    screen = undefined;
    putBack(init.terminal);
    void finish(HOST_ALONE);
  };
  process.on('disconnect', guardianGone);
  if (!process.connected) guardianGone(); // while the session was begun
}

/** A guardian that was killed leaves the terminal as it was during the run. Nothing comes of it where there is no terminal. */
function putBack(terminal: string | undefined): void {
  if (terminal === undefined) return;
  // A process in the background may set a terminal only where it does not hear that it may not.
  execFile('sh', ['-c', 'trap "" TTOU; exec stty "$0" < /dev/tty', terminal], () => {});
}

process.on('SIGINT', () => {});
process.on('SIGHUP', () => {});
process.on('SIGTERM', () => {});
process.once('message', (message: ToRecorder) => {
  if (message.is !== 'init') return;
  start(message.init).catch((error: unknown) => {
    send({ is: 'failed', why: error instanceof Error ? error.message : String(error) });
    setTimeout(() => process.exit(1), 20);
  });
});
