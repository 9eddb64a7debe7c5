/** A process of the host's own that is started again, with growing delay, when it ends. */
import { type ChildProcess, fork } from 'node:child_process';
import { resolve } from 'node:path';
import { type Clock, timeLine } from '../clock.ts';
import { waits } from '../waits.ts';

export interface ChildOptions {
  /** The built file under src/readout/, and the word by which it knows that it is a child. */
  readonly entry: string;
  readonly word: string;
  /** "tcp:192.168.10.16:24: the process that reads it": how people are told of its end. */
  readonly what: string;
  readonly told?: (text: string) => void;
  heard(message: unknown): void;
  /** It runs: what it is told first. */
  begun(send: (message: object) => boolean): void;
  /** It has ended. */
  lost(): void;
}

export interface Supervised {
  /** The process, while there is one. */
  readonly process: ChildProcess | undefined;
  /** False where nobody takes it: a child that has just ended is told of by its exit. */
  send(message: object): boolean;
  /** It is not started again, and nothing of it is heard any more. The process itself is the caller's to end. */
  close(): void;
}

export function supervised(options: ChildOptions, clock: Clock): Supervised {
  const { entry, word, what, told } = options;
  const delay = waits(clock);
  let child: ChildProcess | undefined;
  let waited: number | undefined; // as it was said last
  let closed = false;
  let cancel = (): void => {};
  const send = (message: object): boolean => {
    if (!child?.connected) return false;
    child.send(message, () => {});
    return true;
  };
  const start = (): void => {
    if (closed) return;
    // From source, under a test runner, the child is the built one.
    const file = import.meta.filename.endsWith('.ts')
      ? resolve(import.meta.dirname, '../../dist/src/readout', entry)
      : resolve(import.meta.dirname, entry);
    const mine = fork(file, [word], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...process.env, ...timeLine(clock) },
    });
    child = mine;
    delay.started();
    let over = false;
    const ended = (why: string): void => {
      if (closed || over) return;
      over = true;
      const wait = delay.ended();
      // Where it ends again and again, it is said until the wait grows no more.
      if (wait !== waited) told?.(`${what} has ended (${why}) and is started again in ${wait.toFixed(1)} s`);
      waited = wait;
      options.lost();
      cancel = clock.after(wait, start);
    };
    mine.on('message', (message) => {
      if (!closed) options.heard(message);
    });
    mine.on('error', (error) => ended(error.message));
    mine.on('exit', (code, signal) => ended(signal ?? `code ${code}`));
    options.begun(send);
  };
  start();
  return {
    get process() {
      return child;
    },
    send,
    close() {
      closed = true;
      cancel();
    },
  };
}
