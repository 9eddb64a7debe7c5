/** The recorder as the guardian's child: begun again with growing delay when it ends by itself; what it must know meanwhile waits for it. */
import type { Clock } from '../clock.ts';
import type { FromRecorder, RecorderInit, ToRecorder } from '../recorder/process.ts';
import type { Summary } from '../recorder/recorder.ts';
import type { StopShown } from '../recorder/view-head.ts';
import { waits } from '../waits.ts';

/** What is used of a forked process. */
export interface Child {
  readonly connected: boolean;
  send(message: ToRecorder, sent: (error: Error | null) => void): void;
  /** At once: it takes no other signal, those of a terminal least of all. */
  kill(signal: 'SIGKILL'): void;
  on(event: 'message', heard: (message: FromRecorder) => void): unknown;
  once(event: 'exit', ended: (code: number | null, signal: string | null) => void): unknown;
}

export interface RecorderChild {
  /** Begins it; rejects with the reason where the session cannot be begun. */
  begin(): Promise<void>;
  /** Words for people; as an alarm they go into the session, too. */
  say(text: string, alarm?: boolean): void;
  stop(stop: StopShown): void;
  /** Puts the record of armed outputs on the disk; calls back once. */
  record(text: string, done: (why?: string) => void): void;
  /** Ends the session whole; the last words of it, if it says any within the given seconds, after which it is killed. */
  finish(within: number): Promise<Summary | undefined>;
}

export interface RecorderChildOptions {
  readonly clock: Clock;
  readonly init: RecorderInit;
  readonly fork: () => Child;
  /** The disk is full. */
  readonly full: () => void;
  /** What is not recorded as it should be; undefined when all is again. */
  readonly trouble: (text: string | undefined) => void;
  /** Another one is there. */
  readonly back: () => void;
  /** Where words go while there is none. */
  readonly err: (text: string) => void;
}

const MOST = 200; // words that wait for the next one

export function recorderChild(options: RecorderChildOptions): RecorderChild {
  const { clock, err } = options;
  const delay = waits(clock);
  const writes = new Map<number, (why?: string) => void>();
  let count = 0;
  let child: Child | undefined;
  let listening = false;
  let begun = false;
  let finishing = false;
  let summary: Summary | undefined;
  let words: { readonly text: string; readonly alarm: boolean }[] = [];
  let stopped: StopShown | undefined;
  let cancel = (): void => {};
  let ended = (): void => {};

  const send = (message: ToRecorder): boolean => {
    if (!child?.connected) return false;
    child.send(message, () => {}); // one that has just died is told of by its exit; without a callback the error would end the guardian
    return true;
  };
  const fail = (why: string): void => {
    const all = [...writes.values()];
    writes.clear();
    for (const done of all) done(why);
  };

  const start = (there: () => void, failed: (error: Error) => void): void => {
    const mine = options.fork();
    child = mine;
    listening = false;
    let reason: string | undefined;
    delay.started();
    mine.on('message', (message) => {
      switch (message.is) {
        case 'listening':
          listening = true;
          there();
          if (finishing) send({ is: 'finish' });
          return;
        case 'recorded':
          writes.get(message.id)?.(message.why);
          writes.delete(message.id);
          return;
        case 'failed':
          reason = message.why;
          return;
        case 'full':
          options.full();
          return;
        case 'trouble':
          options.trouble(message.text);
          return;
        case 'finished':
          summary = message.summary;
      }
    });
    mine.once('exit', (code, signal) => {
      if (child === mine) child = undefined;
      listening = false;
      fail('the recorder has ended');
      const why = reason ?? signal ?? `exit code ${code}`;
      if (finishing) ended();
      else if (begun) again(why);
      else failed(new Error(reason ?? `the recorder has ended (${why})`));
    });
    mine.send({ is: 'init', init: options.init }, () => {});
  };

  /** It must not end while the host runs: another one goes on with new parts of the same session. */
  const again = (why: string): void => {
    const wait = delay.ended();
    const text = `the recorder has ended by itself (${why}): another one goes on in ${wait.toFixed(1)} s`;
    err(`${text}\n`);
    keep(text, true);
    cancel = clock.after(wait, () => {
      start(
        () => {
          for (const one of words.splice(0)) send({ is: 'say', ...one });
          if (stopped) send({ is: 'stop', stop: stopped });
          options.back();
        },
        () => {},
      );
    });
  };
  const keep = (text: string, alarm: boolean): void => {
    words.push({ text, alarm });
    if (words.length > MOST) words = words.slice(-MOST);
  };

  return {
    begin: () =>
      new Promise((resolve, reject) => {
        start(() => {
          begun = true;
          resolve();
        }, reject);
      }),
    say(text, alarm = false) {
      if (listening && send({ is: 'say', text, alarm })) return;
      err(`${text}\n`);
      if (begun && !finishing) keep(text, alarm);
    },
    stop(stop) {
      stopped = stop;
      if (listening) send({ is: 'stop', stop });
    },
    record(text, done) {
      const id = ++count;
      writes.set(id, done);
      if (listening && send({ is: 'record', id, text })) return;
      writes.delete(id);
      done('the recorder is not there');
    },
    finish(within) {
      finishing = true;
      cancel();
      return new Promise((resolve) => {
        ended = () => resolve(summary);
        // One that has only just been begun again hears it when it listens.
        if (!child) ended();
        else if (listening) send({ is: 'finish' });
        clock.after(within, () => child?.kill('SIGKILL'));
      });
    },
  };
}
